package guest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	mathrand "math/rand/v2"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/wasmfile"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// library is what an entry is as a library. abi.Initialize has the rules.
type library struct {
	init     bool      // it has an _initialize
	reseeds  bool      // it has wnode_restored
	wrong    string    // why it cannot run as a library
	goSeeds  bool      // it was built by Go, whose runtime reads goSeed random bytes
	snapshot *snapshot // that the entry is; nil: the module itself
}

// goSeed is how many random bytes Go's runtime reads, in one call, before it
// runs code of the program: seeds of its maps and of math/rand.
const goSeed = 32

// newLibrary looks at a module and what was compiled of it.
func newLibrary(b []byte, code wazero.CompiledModule) (l library) {
	exports := code.ExportedFunctions()
	init := exports[abi.Initialize]
	l.init = init != nil && hasType(init, nil, nil)
	i32 := []api.ValueType{api.ValueTypeI32}
	buffer, restored := exports[abi.RestoredBuffer], exports[abi.Restored]
	if init != nil && (buffer != nil || restored != nil) {
		l.reseeds = buffer != nil && restored != nil && hasType(buffer, nil, i32) && hasType(restored, append(i32, i32...), nil)
		if !l.reseeds {
			l.wrong = fmt.Sprintf("a library that exports %s (i32, i32) exports %s () -> i32 too, and none of another type", abi.Restored, abi.RestoredBuffer)
		}
	}
	if m, err := wasmfile.Parse(b); err == nil {
		l.goSeeds = slices.Contains(m.Custom, "go:buildid")
	}
	return l
}

func hasType(d api.FunctionDefinition, params, results []api.ValueType) bool {
	return slices.Equal(d.ParamTypes(), params) && slices.Equal(d.ResultTypes(), results)
}

// frozen says why what _initialize did must not be used again, "" if it can be.
func (l *library) frozen(did abi.Init) string {
	switch {
	case did.Acted != "":
		return "_initialize calls " + did.Acted
	case did.RandomCalls == 0 || l.reseeds:
		return ""
	case l.goSeeds && did.RandomCalls == 1 && did.RandomBytes == goSeed:
		return "" // what they seed is not for secrets: crypto/rand reads anew
	}
	return "_initialize reads random bytes, and there is no " + abi.Restored
}

// initialize runs _initialize, if there is one, and returns where the module
// wants random bytes.
func (i *instance) initialize(ctx context.Context) (buffer uint32, err error) {
	f := i.mod.ExportedFunction(abi.Initialize)
	if f == nil {
		return 0, nil
	}
	if _, err := f.Call(ctx); err != nil || !i.of.library.reseeds {
		return 0, err
	}
	results, err := i.mod.ExportedFunction(abi.RestoredBuffer).Call(ctx)
	if err != nil {
		return 0, err
	}
	return api.DecodeU32(results[0]), nil
}

// ready does what comes before the export that a process calls. seed is that of
// its spec.
func (i *instance) ready(ctx context.Context, seed uint64) (err error) {
	l := &i.of.library
	if l.wrong != "" {
		return engine.Reason{Word: engine.ModuleInvalid, Detail: l.wrong}
	}
	var buffer uint32
	if l.snapshot != nil {
		buffer = l.snapshot.buffer
	} else if buffer, err = i.initialize(ctx); err != nil {
		return err
	}
	if !l.reseeds {
		return nil
	}
	if mem := i.mod.Memory(); i.mem.size == 0 || !mem.Write(buffer, restoredBytes(seed)) {
		return engine.Reasonf(engine.Trap, "%s returned 0x%x: %d bytes there are not in memory", abi.RestoredBuffer, buffer, abi.RestoredSize)
	}
	_, err = i.mod.ExportedFunction(abi.Restored).Call(ctx, uint64(buffer), abi.RestoredSize)
	return err
}

// restoredBytes returns what a module reseeds itself from. It takes nothing from
// what random_get returns.
func restoredBytes(seed uint64) []byte {
	b := make([]byte, abi.RestoredSize)
	if seed == 0 {
		rand.Read(b)
		return b
	}
	key := [32]byte{}
	binary.LittleEndian.PutUint64(key[:], seed)
	copy(key[8:], "wnode guest restored 1")
	mathrand.NewChaCha8(key).Read(b)
	return b
}
