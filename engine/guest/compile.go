package guest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/codecache"
	"github.com/wnode-project/wnode/engine/guest/image"
)

const (
	// maxIdle is how many bytes of modules, as files, are kept compiled while no
	// process uses them. Machine code is several times larger.
	maxIdle = 64 << 20
	// maxCompile is how long a compilation may take, from its begin, if this program
	// has a core for itself.
	maxCompile = 10 * time.Second
	// maxReason bounds what the compiler says of a module, in bytes.
	maxReason = 500
)

// compiled holds each module once, compiled on first use.
type compiled struct {
	rt     wazero.Runtime
	host   func() error // adds the host modules to rt, once; an instance needs them
	pool   *pool
	snaps  *snapshots
	disk   *codecache.Cache   // nil: none
	cores  int                // as many as guests run at once
	heavy  func(n int) func() // counts a compilation as computing; nil: nobody counts
	slots  *compileSlots
	limit  time.Duration        // maxCompile, but in tests
	worked func() time.Duration // as the function, but in tests

	wg sync.WaitGroup

	mu      sync.Mutex
	byID    map[cid.Cid]*entry
	idle    []*entry // nobody uses them; longest idle first
	refused refusals
}

type entry struct {
	id    cid.Cid
	size  int
	users int
	turn  *turn
	ready chan struct{} // closed when what follows is set

	found
	err error

	idle  []*instance // of the pool, whose lock guards it; longest idle first
	unfit string      // why there are no snapshots of it; their lock guards it
}

// compiled says whether the code is there; e may be nil.
func (e *entry) compiled() bool {
	if e == nil {
		return false
	}
	select {
	case <-e.ready:
		return true
	default:
		return false
	}
}

// found is what a compilation makes.
type found struct {
	admitted
	code    wazero.CompiledModule
	initial *initial
	library library
	server  bool // it handles messages: see package abi
}

func (c *compiled) init(rt wazero.Runtime, host func() error, p *pool, s *snapshots, disk *codecache.Cache, cores int) {
	c.rt, c.host, c.pool, c.snaps, c.disk, c.cores = rt, sync.OnceValue(host), p, s, disk, cores
	// At least two, or one bomb would keep all others waiting.
	c.slots = newCompileSlots(max(2, c.cores))
	c.limit, c.worked = maxCompile, worked
	c.byID = map[cid.Cid]*entry{}
}

// get returns the compiled module; release is called when it is not used any more.
// Callers that want the same module wait for one compilation; it goes on
// when the one that began it gives up, so that the next finds it done. A module
// that was refused, or that took too long, is refused at once the next time.
func (c *compiled) get(ctx context.Context, m engine.ModuleData, o engine.Origin) (*entry, error) {
	return c.getCounted(ctx, m, nil, o)
}

// find is as get, of a module that is compiled or refused; else the entry is nil.
func (c *compiled) find(id cid.Cid, o engine.Origin) (*entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refused.get(id); err != nil || !c.byID[id].compiled() {
		return nil, err
	}
	return c.use(engine.ModuleData{CID: id}, nil, o), nil
}

// getCounted is as get, of a module that was counted already, unless that is nil.
func (c *compiled) getCounted(ctx context.Context, m engine.ModuleData, counted *counted, o engine.Origin) (*entry, error) {
	c.mu.Lock()
	if err := c.refused.get(m.CID); err != nil {
		c.mu.Unlock()
		return nil, err
	}
	e := c.use(m, counted, o)
	c.mu.Unlock()
	select {
	case <-e.ready:
	case <-ctx.Done():
		c.release(e)
		return nil, context.Cause(ctx)
	}
	if e.err != nil {
		c.release(e)
		return nil, e.err
	}
	return e, nil
}

// use returns the module's entry with one user more, and begins to compile a
// new one. c.mu is held.
func (c *compiled) use(m engine.ModuleData, counted *counted, o engine.Origin) *entry {
	e := c.byID[m.CID]
	if e == nil {
		e = &entry{id: m.CID, size: len(m.Bytes), turn: c.slots.queue(o), ready: make(chan struct{})}
		c.byID[m.CID] = e
		c.wg.Go(func() { c.compile(e, m.Bytes, counted) })
	} else {
		c.slots.join(e.turn, o)
		if e.users == 0 {
			c.unidle(e)
		}
	}
	e.users++
	return e
}

// prepare begins to compile a module that is not here yet.
func (c *compiled) prepare(m engine.ModuleData) {
	c.mu.Lock()
	if c.refused.get(m.CID) != nil {
		c.mu.Unlock()
		return
	}
	e := c.use(m, nil, engine.Origin{})
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

// compile fills in e once it has a slot, which it keeps until the compiler has
// really returned. When that takes too long, those that wait are told so before.
func (c *compiled) compile(e *entry, b []byte, m *counted) {
	<-e.turn.granted
	defer c.slots.release(e.turn)
	if c.heavy != nil {
		defer c.heavy(c.cores)()
	}
	late := afterWork(c.limit, c.worked, func() {
		c.done(e, found{}, engine.Reasonf(engine.ModuleInvalid,
			"the module takes longer than %v to compile: split it, build with optimisation, or try a node that is less busy", c.limit))
	})
	defer late()
	err := c.host()
	if err == nil && m == nil {
		m, err = count(b)
	}
	var f found
	if err == nil {
		im := image.Split(m.code)
		f.admitted = m.admitted
		if f.code, err = c.compileModule(e.id, im.Code); err == nil {
			f.initial, f.library, f.server = newInitial(im, f.memory), newLibrary(b, f.code), isServer(f.code)
		} else {
			err = engine.Reason{Word: engine.ModuleInvalid, Detail: oneLine(err.Error())}
		}
	}
	if !c.done(e, f, err) {
		f.close()
	}
}

// close gives up what a compilation made.
func (f *found) close() {
	if f.code != nil {
		f.code.Close(context.Background())
		f.initial.close()
	}
}

// compileModule compiles, or finds on disk what was compiled before.
func (c *compiled) compileModule(id cid.Cid, b []byte) (code wazero.CompiledModule, err error) {
	ctx := experimental.WithCompilationWorkers(context.Background(), c.cores)
	if c.disk == nil {
		return c.rt.CompileModule(ctx, b)
	}
	_, err = c.disk.Compile(id.KeyString(), func() error {
		code, err = c.rt.CompileModule(ctx, b)
		return err
	})
	return code, err
}

// done says how the compilation of e ended, unless that was said before.
func (c *compiled) done(e *entry, f found, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.compiled() {
		return false
	}
	e.found, e.err = f, err
	if err != nil {
		c.refused.add(e.id, err)
		delete(c.byID, e.id)
		c.unidle(e)
	}
	close(e.ready)
	return true
}

// oneLine shortens what a compiler says, and leaves no control characters.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxReason {
		s = fmt.Sprintf("%.*s...", maxReason, s)
	}
	return s
}

// unidle takes e out of the idle ones, if it is there. c.mu is held.
func (c *compiled) unidle(e *entry) {
	if i := slices.Index(c.idle, e); i >= 0 {
		c.idle = slices.Delete(c.idle, i, i+1)
	}
}

func (c *compiled) release(e *entry) {
	var drop []*entry
	c.mu.Lock()
	if e.users--; e.users == 0 && c.byID[e.id] == e {
		c.idle = append(c.idle, e)
		drop = c.evict()
	}
	c.mu.Unlock()
	for _, old := range drop {
		c.snaps.drop(old)
		c.pool.drop(old)
		old.close()
	}
}

// evict takes out what has been idle for longest while there is too much, but
// not the last one, and none that is still being compiled. c.mu is held.
func (c *compiled) evict() (drop []*entry) {
	total := 0
	for _, e := range c.idle {
		total += e.size
	}
	for i := 0; i < len(c.idle)-1 && total > maxIdle; {
		e := c.idle[i]
		if !e.compiled() {
			i++
			continue
		}
		c.idle = slices.Delete(c.idle, i, i+1)
		delete(c.byID, e.id)
		total -= e.size
		drop = append(drop, e)
	}
	return drop
}
