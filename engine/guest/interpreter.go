package guest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/tetratelabs/wazero"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/wasmfile"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

const (
	// interpretAbove is the estimate of bodyCost above which a module that was
	// never compiled is interpreted at first: what compiles sooner is compiled.
	interpretAbove = 5 * time.Millisecond
	// maxInterpret is how many bytes of modules are interpreted at a time, each
	// as often as it runs: the interpreter keeps 19 bytes on the heap for each of
	// a Go program's, and the runs of a module share them.
	maxInterpret = 8 << 20
)

// interpreter runs modules whose code is not there yet. Its runtime is made when
// the first one comes.
type interpreter struct {
	make func() (wazero.Runtime, error)

	mu    sync.Mutex
	rt    wazero.Runtime
	byID  map[cid.Cid]*interpreted
	bytes int // of the modules of all runs

	wg sync.WaitGroup // of those that prepare a module
}

// interpreted is a module for the interpreter: the same code, which counts the
// same, with its initial data still in it. Runs that are there at once share it.
type interpreted struct {
	id    cid.Cid
	size  int
	users int
	ready chan struct{} // closed when what follows is set

	rt      wazero.Runtime
	counted *counted
	entry   *entry
	err     error
}

func (i *interpreter) runtime() (wazero.Runtime, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var err error
	if i.rt == nil {
		i.rt, err = i.make()
	}
	return i.rt, err
}

func (i *interpreter) close(ctx context.Context) error {
	i.wg.Wait()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.rt == nil {
		return nil
	}
	return i.rt.Close(ctx)
}

// take returns the module, which is not ready yet if this is its first run; nil
// if it may not be interpreted. leave is called afterwards.
func (i *interpreter) take(m engine.ModuleData) *interpreted {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.bytes+len(m.Bytes) > maxInterpret {
		return nil
	}
	x := i.byID[m.CID]
	if x == nil {
		if i.byID == nil {
			i.byID = map[cid.Cid]*interpreted{}
		}
		x = &interpreted{id: m.CID, size: len(m.Bytes), users: 1, ready: make(chan struct{})}
		i.byID[m.CID] = x
		i.wg.Go(func() {
			defer i.drop(x)
			defer close(x.ready)
			x.rt, x.counted, x.entry, x.err = i.prepare(m.Bytes)
		})
	}
	x.users++
	i.bytes += x.size
	return x
}

// leave says that a run does not need the module any more.
func (i *interpreter) leave(x *interpreted) {
	i.mu.Lock()
	i.bytes -= x.size
	i.mu.Unlock()
	i.drop(x)
}

// drop is called by each user, of which the one that prepares the module is one.
func (i *interpreter) drop(x *interpreted) {
	i.mu.Lock()
	x.users--
	last := x.users == 0
	if last {
		delete(i.byID, x.id)
	}
	i.mu.Unlock()
	if last && x.entry != nil {
		x.entry.code.Close(context.Background())
	}
}

// prepare makes what is in an interpreted.
func (i *interpreter) prepare(b []byte) (wazero.Runtime, *counted, *entry, error) {
	c, err := count(b)
	if err != nil {
		return nil, nil, nil, err
	}
	rt, err := i.runtime()
	if err != nil {
		return nil, nil, nil, err
	}
	code, err := rt.CompileModule(context.Background(), c.code)
	if err != nil {
		return nil, nil, nil, err
	}
	return rt, c, &entry{found: found{admitted: c.admitted, code: code, initial: &initial{memory: c.memory}}}, nil
}

// known says whether a module is compiled, refused, or on disk: whether there is
// no point in interpreting it.
func (c *compiled) known(id cid.Cid) bool {
	c.mu.Lock()
	e, refused := c.byID[id], c.refused.get(id) != nil
	c.mu.Unlock()
	return e.compiled() || refused || c.disk != nil && c.disk.Has(id.KeyString())
}

// slowToCompile says whether the estimate for a module is above a bound. It is
// not for a library that gets random bytes from outside of a host call, as the two
// instances would get different ones, nor for a server: a journal is of one call.
func slowToCompile(b []byte, above time.Duration) bool {
	m, err := wasmfile.Parse(b)
	if err != nil {
		return false
	}
	for _, name := range []string{abi.Restored, abi.Server} {
		if _, ok := m.Export(name); ok {
			return false
		}
	}
	var total time.Duration
	enough := errors.New("enough")
	return m.Bodies(b, func(f wasmfile.Body) error {
		if total += bodyCost(f); total > above {
			return enough
		}
		return nil
	}) == enough
}

// interpretFirst returns what to interpret a run with until its module is
// compiled, or nil. The caller calls t.interpreter.leave.
func (r *Runner) interpretFirst(t *runtime, m engine.ModuleData) *interpreted {
	above := r.cfg.InterpretAbove
	if above == 0 {
		above = interpretAbove
	}
	if above < 0 || len(m.Bytes) > maxInterpret || t.modules.known(m.CID) || !slowToCompile(m.Bytes, above) {
		return nil
	}
	return t.interpreter.take(m)
}
