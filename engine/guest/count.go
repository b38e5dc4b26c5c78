package guest

import (
	"fmt"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/meter"
)

// counted is a module that was admitted, as it is compiled: it counts.
type counted struct {
	admitted
	code []byte
}

// count admits a module, and rewrites it.
func count(b []byte) (*counted, error) {
	a, err := admit(b)
	if err != nil {
		return nil, err
	}
	code, err := metered(b)
	if err != nil {
		return nil, err
	}
	return &counted{a, code}, nil
}

// metered returns what is compiled for a module that was admitted, before its
// initial state is taken out.
func metered(b []byte) ([]byte, error) {
	code, info, err := meter.Rewrite(capTables(b))
	if err == nil && info.Stack > maxStaticStack {
		err = fmt.Errorf("the module's calls can take %d words of stack without any recursion, the limit is %d", info.Stack, maxStaticStack)
	}
	if err != nil {
		return nil, engine.Reason{Word: engine.ModuleInvalid, Detail: err.Error()}
	}
	return code, nil
}
