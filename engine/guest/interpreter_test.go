package guest

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/wnode-project/wnode/engine"
)

// Runs that are there at once share what the interpreter prepared, which goes
// with the last of them, and all together run no more bytes than maxInterpret.
func TestInterpreterShares(t *testing.T) {
	ctx := context.Background()
	i := &interpreter{make: func() (wazero.Runtime, error) {
		rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
		return rt, instantiateMeter(ctx, rt)
	}}
	t.Cleanup(func() {
		if err := i.close(ctx); err != nil {
			t.Error(err)
		}
	})
	// (module (func (export "_start"))) and a custom section of nothing
	b := append([]byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x07\x0a\x01\x06_start\x00\x00\x0a\x04\x01\x02\x00\x0b"),
		append([]byte("\x00\x80\x80\xc0\x00\x04none"), make([]byte, 1<<20-5)...)...)
	m := engine.ModuleData{CID: moduleData(b).CID, Bytes: b}
	var all []*interpreted
	for x := i.take(m); x != nil; x = i.take(m) {
		all = append(all, x)
	}
	if want := maxInterpret / len(b); len(all) != want {
		t.Fatalf("%d runs of %d bytes each at once, want %d", len(all), len(b), want)
	}
	for _, x := range all {
		if <-x.ready; x.err != nil || x != all[0] {
			t.Fatalf("%v; shared: %v", x.err, x == all[0])
		}
	}
	for n, x := range all {
		if i.byID[m.CID] != x {
			t.Fatalf("gone after %d of %d", n, len(all))
		}
		i.leave(x)
	}
	i.wg.Wait()
	if len(i.byID) != 0 || i.bytes != 0 {
		t.Errorf("%d modules of %d bytes are left", len(i.byID), i.bytes)
	}
	again := i.take(m)
	if again == nil || again == all[0] {
		t.Fatal("not prepared anew")
	}
	i.leave(again)
	i.wg.Wait()
}
