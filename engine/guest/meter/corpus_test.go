package meter_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	. "github.com/wnode-project/wnode/engine/guest/guesttest"
	"github.com/wnode-project/wnode/engine/guest/meter"
)

// What is valid stays valid.
func TestValid(t *testing.T) {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer rt.Close(ctx)
	n := 0
	Corpus(t, func(name string, b []byte) {
		if !Sane(b) || strings.Contains(name, "typed-function-references") {
			return // a proposal that wazero parses
		}
		code, err := rt.CompileModule(ctx, b)
		if err != nil {
			return
		}
		code.Close(ctx)
		out, _, err := meter.Rewrite(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		n++
		if code, err = rt.CompileModule(ctx, out); err != nil {
			t.Errorf("%s: rewritten: %v", name, err)
			return
		}
		code.Close(ctx)
	})
	if n < 2000 {
		t.Errorf("only %d modules", n)
	}
}
