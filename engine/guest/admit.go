package guest

import (
	"github.com/wnode-project/wnode/engine"
)

// admit checks a module before it is compiled. The zero Reason admits it.
func admit(b []byte, memoryLimit uint64) engine.Reason {
	return engine.Reason{}
}
