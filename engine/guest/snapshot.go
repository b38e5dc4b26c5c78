package guest

import (
	"bytes"
	"container/list"
	"context"
	"sync"

	"github.com/tetratelabs/wazero/api"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/image"
	"github.com/wnode-project/wnode/engine/guest/meter"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// Bounds of the snapshots that are kept, all together. Beyond them the one that
// was unused longest is given up. They are in memory only.
const (
	maxSnapshots     = 256
	maxSnapshotBytes = 128 << 20 // of pages that are not zero
	// maxSnapshot is the largest memory of which one is taken.
	maxSnapshot = 32 << 20
)

// view is what the _initialize of a library sees of its process, besides an
// environment and directories, of which there are none in a snapshot: only
// processes with the same view share one.
type view struct {
	of       *entry
	origin   engine.Origin
	name     string // argv[0]
	terminal [3]bool
}

func viewOf(e *entry, s *engine.Spec) view {
	return view{e, s.Origin, s.Module.Name, [3]bool{s.Terminal.Stdin, s.Terminal.Stdout, s.Terminal.Stderr}}
}

// snapshot is the state of a library behind its _initialize, as that of an entry
// of its own: its instances are pooled apart from those of the module.
type snapshot struct {
	view   view
	entry  *entry
	did    abi.Init
	fuel   uint64 // reductions that _initialize took
	buffer uint32 // of abi.RestoredBuffer
	bytes  uint64

	users int // with snapshots itself, while it is there
	at    *list.Element
}

// suits reports that a process would get the same from its own _initialize.
func (s *snapshot) suits(spec *engine.Spec, r *run, memory uint64) bool {
	return s.fuel <= r.limit && s.entry.memory <= memory &&
		(len(spec.Env) == 0 || s.did.Looks&abi.LooksEnv == 0) &&
		(len(spec.Mounts) == 0 || s.did.Looks&abi.LooksMounts == 0)
}

// snapshots keeps them by view. It is safe for concurrent use.
type snapshots struct {
	pool *pool

	mu     sync.Mutex
	byView map[view]*snapshot // nil while it is being taken
	order  list.List          // of *snapshot, unused longest first
	bytes  uint64
}

func (s *snapshots) init(p *pool) { s.pool, s.byView = p, map[view]*snapshot{} }

// use returns the snapshot of a view with one user more, or nil; then take says
// that the caller, who may, is to make one, and tell by kept or dropped how that
// went.
func (s *snapshots) use(v view, mayTake func() bool) (x *snapshot, take bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.of.unfit != "" {
		return nil, false
	}
	x, known := s.byView[v]
	if x != nil {
		x.users++
		s.order.MoveToBack(x.at)
	} else if take = !known && mayTake(); take {
		s.byView[v] = nil
	}
	return x, take
}

// dropped says that there is no snapshot of the view, and why, if there will be
// none of the module.
func (s *snapshots) dropped(v view, unfit string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byView, v)
	if unfit != "" {
		v.of.unfit = unfit
	}
}

// kept adds a snapshot that has one user.
func (s *snapshots) kept(x *snapshot) {
	s.mu.Lock()
	x.users++
	x.at = s.order.PushBack(x)
	s.byView[x.view] = x
	s.bytes += x.bytes
	var old []*snapshot
	for s.order.Len() > maxSnapshots || s.bytes > maxSnapshotBytes {
		old = append(old, s.remove(s.order.Front().Value.(*snapshot)))
	}
	s.mu.Unlock()
	s.giveUp(old)
}

// remove takes a snapshot out. s.mu is held.
func (s *snapshots) remove(x *snapshot) *snapshot {
	s.order.Remove(x.at)
	delete(s.byView, x.view)
	s.bytes -= x.bytes
	return x
}

// giveUp closes the idle instances of snapshots that were taken out. Processes
// that run go on, and what they put back is closed behind the last.
func (s *snapshots) giveUp(old []*snapshot) {
	for _, x := range old {
		s.pool.drop(x.entry)
		s.release(x)
	}
}

// release is called when a user has put its instance back.
func (s *snapshots) release(x *snapshot) {
	s.mu.Lock()
	x.users--
	last := x.users == 0
	s.mu.Unlock()
	if last {
		s.pool.drop(x.entry)
		x.entry.initial.close()
	}
}

// drop gives up the snapshots of a module that nobody uses.
func (s *snapshots) drop(e *entry) {
	var old []*snapshot
	s.mu.Lock()
	for v, x := range s.byView {
		if v.of == e && x != nil {
			old = append(old, s.remove(x))
		}
	}
	s.mu.Unlock()
	s.giveUp(old)
}

// close gives up all. No instance is in use or idle.
func (s *snapshots) close() {
	for at := s.order.Front(); at != nil; at = at.Next() {
		at.Value.(*snapshot).entry.initial.close()
	}
	s.order.Init()
	clear(s.byView)
}

// begin returns what the process of r begins with, the module's own entry or one
// that a snapshot made, and a function to call when its instance has been put
// back. It takes the snapshot if this is the first process that could have used
// it. ctx is that of the run; an error is why the process ends.
func (t *runtime) begin(ctx context.Context, host HostModules, e *entry, r *run, memory uint64, report *engine.Report) (*entry, func(), error) {
	spec := r.p.Spec()
	own := func() {}
	if !e.library.init || e.library.wrong != "" || !e.initial.resettable || !e.server && spec.Entry == "" || spec.Entry == "_start" ||
		spec.Fresh || spec.Seed != 0 || spec.Clock.Kind != engine.ClockReal || r.stack < DefaultStack {
		return e, own, nil
	}
	v := viewOf(e, spec)
	// One that was taken with a larger stack would be of no use to others.
	x, take := t.snaps.use(v, func() bool {
		return len(spec.Env) == 0 && len(spec.Mounts) == 0 && r.stack == DefaultStack && callable(e, spec)
	})
	if take {
		var unfit string
		var err error
		if x, unfit, err = t.take(host, v, r, memory, report); x != nil {
			t.snaps.kept(x)
		} else {
			t.snaps.dropped(v, unfit)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if x == nil {
		return e, own, nil
	}
	if !x.suits(spec, r, memory) {
		t.snaps.release(x)
		return e, own, nil
	}
	host.Initialized(ctx, x.did)
	r.given = x.fuel // as if it had run it, and used up its last slice
	r.seen(0)
	return x.entry, func() { t.snaps.release(x) }, nil
}

// callable reports that the process will get as far as _initialize.
func callable(e *entry, spec *engine.Spec) bool {
	if spec.Entry == "" {
		return true // a server
	}
	d := e.code.ExportedFunctions()[spec.Entry]
	if d == nil {
		return false
	}
	_, err := parseArgs(spec.Entry, d, spec.Args)
	return err == nil
}

// take runs _initialize for a process, in an instance that runs nothing else, and
// returns what that left, with one user; or why it does not do, if that will
// not change; or why the process ends. The process is charged as if it ran it itself.
func (t *runtime) take(host HostModules, v view, of *run, memory uint64, report *engine.Report) (x *snapshot, unfit string, err error) {
	p, r := of.p, of.again()
	inst, err := t.newInstance(r, t.rt, v.of, p, memory)
	if err != nil {
		return nil, "", nil // the process will say so
	}
	defer inst.close()
	ctx, leave := host.EnterInit(r, p)
	p.Running()
	buffer, err := inst.initialize(ctx)
	did := leave()
	r.seen(meter.Counter(inst.counter.Get()))
	if p.Context().Err() != nil {
		report.MaxMemory, report.Fuel = inst.mem.size, r.count
		return nil, "", context.Cause(p.Context())
	}
	unfit = v.of.library.frozen(did)
	switch {
	case unfit != "":
	case err != nil:
		unfit = "_initialize ends with " + reasonOf(err).Error()
	case inst.mem.size > maxSnapshot:
		unfit = "_initialize leaves more than " + engine.SizeText(maxSnapshot) + " of memory"
	}
	if unfit != "" {
		return nil, unfit, nil
	}
	inst.counter.(api.MutableGlobal).Set(0)
	x = &snapshot{view: v, did: did, fuel: r.count, buffer: buffer, users: 1}
	im := inst.capture()
	x.entry = &entry{
		id: v.of.id, size: v.of.size, ready: v.of.ready,
		found: found{admitted: v.of.admitted, code: v.of.code, initial: newInitial(im, inst.mem.size), library: v.of.library},
	}
	x.entry.memory = inst.mem.size
	x.entry.library.snapshot = x
	x.bytes = osPage
	for _, d := range im.Data {
		x.bytes += uint64(len(d.Bytes))
	}
	return x, "", nil
}

// capture returns the state of an instance as an image that refers to its memory.
func (i *instance) capture() *image.Image {
	im := &image.Image{Resettable: true, Data: written(i.mem.b[:i.mem.size], i.mem.from.zero)}
	for n, g := range i.globals {
		im.Globals = append(im.Globals, image.Global{Name: i.of.initial.globals[n].Name, Value: g.Get()})
	}
	return im
}

// written returns the pages of a memory that are not zero, those that are
// neighbours as one. zero is a page of zeros.
func written(b, zero []byte) (out []image.Segment) {
	begin := 0
	for at := 0; at <= len(b); at += osPage {
		if at < len(b) && !bytes.Equal(b[at:at+osPage], zero) {
			continue
		}
		if begin < at {
			out = append(out, image.Segment{Offset: uint32(begin), Bytes: b[begin:at]})
		}
		begin = at + osPage
	}
	return out
}
