package guest

import (
	"context"
	"fmt"
	goruntime "runtime"
	"sync"

	"github.com/ipfs/go-cid"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/image"
	"github.com/wnode-project/wnode/engine/guest/meter"
)

// maxIdle is how many bytes of modules, as files, are kept compiled while no
// process uses them. Machine code is several times larger.
const maxIdle = 64 << 20

// compiled holds each module once, compiled on first use.
type compiled struct {
	rt    wazero.Runtime
	pool  *pool
	snaps *snapshots
	slots chan struct{} // compilations at once

	wg sync.WaitGroup

	mu   sync.Mutex
	byID map[cid.Cid]*entry
	idle []*entry // nobody uses them; longest idle first
}

type entry struct {
	id    cid.Cid
	size  int
	users int
	ready chan struct{} // closed when what follows is set

	memory  uint64 // bytes of memory from the start
	code    wazero.CompiledModule
	initial *initial
	library library
	err     error

	idle  []*instance // of the pool, whose lock guards it; longest idle first
	unfit string      // why there are no snapshots of it; their lock guards it
}

func (c *compiled) init(rt wazero.Runtime, p *pool, s *snapshots) {
	c.rt, c.pool, c.snaps = rt, p, s
	c.slots = make(chan struct{}, max(1, goruntime.GOMAXPROCS(0)/2))
	c.byID = map[cid.Cid]*entry{}
}

// get returns the compiled module and a function to call when it is not used any
// more. Callers that want the same module wait for one compilation; it goes on
// when the one that began it gives up, so that the next finds it done. A module
// that does not compile is remembered as such.
func (c *compiled) get(ctx context.Context, m engine.ModuleData) (*entry, func(), error) {
	c.mu.Lock()
	e := c.use(m)
	c.mu.Unlock()
	release := func() { c.release(e) }
	select {
	case <-e.ready:
	case <-ctx.Done():
		release()
		return nil, nil, context.Cause(ctx)
	}
	if e.err != nil {
		release()
		return nil, nil, e.err
	}
	return e, release, nil
}

// use returns the module's entry with one user more, and begins to compile a
// new one. c.mu is held.
func (c *compiled) use(m engine.ModuleData) *entry {
	e := c.byID[m.CID]
	if e == nil {
		e = &entry{id: m.CID, size: len(m.Bytes), ready: make(chan struct{})}
		c.byID[m.CID] = e
		c.wg.Go(func() { c.compile(e, m.Bytes) })
	} else if e.users == 0 {
		c.unidle(e)
	}
	e.users++
	return e
}

// prepare begins to compile a module that is not here yet.
func (c *compiled) prepare(m engine.ModuleData) {
	c.mu.Lock()
	e := c.use(m)
	c.mu.Unlock()
	c.release(e)
}

// close waits for compilations, which cannot be called off, and gives up what
// modules hold outside the runtime.
func (c *compiled) close() {
	c.wg.Wait()
	for _, e := range c.byID {
		e.initial.close()
	}
}

func (c *compiled) compile(e *entry, b []byte) {
	c.slots <- struct{}{}
	defer func() { <-c.slots }()
	defer close(e.ready)
	if e.memory, e.err = admit(b); e.err != nil {
		return
	}
	var code []byte
	if code, e.err = metered(b); e.err != nil {
		return
	}
	ctx := experimental.WithCompilationWorkers(context.Background(), goruntime.GOMAXPROCS(0))
	im := image.Split(code)
	if e.code, e.err = c.rt.CompileModule(ctx, im.Code); e.err == nil {
		e.initial = newInitial(im, e.memory)
		e.library = newLibrary(b, e.code)
	}
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

// drop gives up what a module takes that nobody uses.
func (c *compiled) drop(e *entry) {
	<-e.ready
	if e.code != nil {
		c.snaps.drop(e)
		c.pool.drop(e)
		e.code.Close(context.Background())
		e.initial.close()
	}
}

func (c *compiled) unidle(e *entry) {
	for i := range c.idle {
		if c.idle[i] == e {
			c.idle = append(c.idle[:i], c.idle[i+1:]...)
			return
		}
	}
}

func (c *compiled) release(e *entry) {
	var drop []*entry
	c.mu.Lock()
	if e.users--; e.users == 0 {
		c.idle = append(c.idle, e)
		total := 0
		for _, i := range c.idle {
			total += i.size
		}
		for len(c.idle) > 1 && total > maxIdle {
			old := c.idle[0]
			c.idle = c.idle[1:]
			total -= old.size
			delete(c.byID, old.id)
			drop = append(drop, old)
		}
	}
	c.mu.Unlock()
	for _, old := range drop {
		c.drop(old)
	}
}
