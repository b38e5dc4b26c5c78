package guest

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	goruntime "runtime"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/codecache"
	"github.com/wnode-project/wnode/engine/guest/meter"
	"github.com/wnode-project/wnode/engine/guest/slots"
	"github.com/wnode-project/wnode/hostfuncs/abi"
)

// DefaultMemory is the limit of linear memory of a process whose spec gives none.
const DefaultMemory = 64 << 20

// MaxMemory is the most that any limit can allow: all that a 32-bit memory has.
const MaxMemory = 4 << 30

// HostModules is what guests can import. A run that begins in the interpreter goes
// on in compiled code, and the calls of a guest are recorded until it does. So host
// functions are made with WithGoModuleFunction, and reach the guest only through
// their arguments, their results and the bytes that Memory().Read returns: to
// call anything else of a Memory but Size panics.
type HostModules interface {
	// Instantiate adds the host modules to a runtime, once for each.
	Instantiate(ctx context.Context, r wazero.Runtime) error
	// Enter returns the context that all host calls of one run of p get, and a
	// function that releases what the run held.
	Enter(ctx context.Context, p *engine.Process) (context.Context, func())
	// EnterInit is as Enter, for a run of a library's _initialize whose outcome
	// other processes will use too: it unwinds the guest, with an exit code, before
	// it does more than look. The function, called once, says what it looked at.
	EnterInit(ctx context.Context, p *engine.Process) (context.Context, func() abi.Init)
	// Initialized makes a run, whose context Enter returned, begin with what a run
	// of EnterInit left at the host.
	Initialized(ctx context.Context, did abi.Init)
	// Handling says that a run, whose context Enter returned, is about to handle a
	// message, nil for none any more, and returns its size, in bytes, as the guest
	// can copy it.
	Handling(ctx context.Context, m *engine.Message) uint32
}

// Config describes a Runner.
type Config struct {
	Host     HostModules  // needed
	CacheDir string       // compiled modules are kept here too, mode 0700; "" keeps them in memory only
	Log      *slog.Logger // nil discards

	// InterpretAbove is how long a module's compilation must be estimated to
	// take, in time of one core, for its very first run to begin in the
	// interpreter. 0: 5 ms. Below 0: never.
	InterpretAbove time.Duration

	// Slots is how many guests run at once, the others take turns; package
	// slots tells what else. 0 is GOMAXPROCS, which is two too many for a
	// program with a network: Go looks at that only when a processor has nothing
	// else to do.
	Slots int
	// Heavy is told how many guests and compilations compute for longer than a
	// moment, whenever that changes, on their goroutines; it must be quick. nil:
	// nobody is told.
	Heavy func(n int)
}

// Runner implements engine.Runner. It is safe for concurrent use.
type Runner struct {
	cfg   Config
	slots *slots.Slots

	mu      sync.Mutex
	closed  bool
	running *runtime
}

// runtime is what a Runner needs once it runs something. A command that only
// sends modules elsewhere never does.
type runtime struct {
	rt      wazero.Runtime
	cache   wazero.CompilationCache // nil: in memory only, as is disk
	disk    *codecache.Cache
	config  wazero.ModuleConfig // of every instance
	modules compiled
	pool    pool
	spaces  spaces
	snaps   snapshots
	awake   awake

	interpreter interpreter
}

var _ engine.Runner = (*Runner)(nil)

// New makes a Runner. An unusable CacheDir is logged when the first module runs;
// compiled modules are then kept in memory only.
func New(c Config) *Runner {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Slots == 0 {
		c.Slots = goruntime.GOMAXPROCS(0)
	}
	r := &Runner{cfg: c, slots: slots.New(c.Slots)}
	r.slots.Tell(c.Heavy)
	return r
}

// start returns the runtime, which the first call makes.
func (r *Runner) start() (*runtime, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.New("the runner is closed")
	}
	if r.running == nil {
		r.running = r.newRuntime()
	}
	return r.running, nil
}

func (r *Runner) newRuntime() *runtime {
	ctx := context.Background()
	cfg := wazero.NewRuntimeConfig()
	t := &runtime{}
	if dir := r.cfg.CacheDir; dir != "" {
		disk, cache, err := openCodeCache(dir, r.cfg.Log)
		if err != nil {
			r.cfg.Log.Warn("compiled modules are kept in memory only: the cache cannot be opened", "dir", dir, "err", err)
		} else {
			t.cache, t.disk = cache, disk
			cfg = cfg.WithCompilationCache(cache)
		}
	}
	t.rt = wazero.NewRuntimeWithConfig(ctx, cfg)
	t.interpreter.make = func() (wazero.Runtime, error) {
		rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
		return rt, r.instantiateHost(ctx, rt)
	}
	t.config = wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(rand.Reader)
	t.snaps.init(&t.pool)
	t.modules.heavy = r.slots.Heavy
	t.modules.init(t.rt, func() error { return r.instantiateHost(ctx, t.rt) }, &t.pool, &t.snaps, t.disk, r.cfg.Slots)
	t.spaces.init()
	return t
}

// instantiateHost adds what guests import to a runtime. What the meter calls is not
// part of the journal of a run: each tier counts for itself.
func (r *Runner) instantiateHost(ctx context.Context, rt wazero.Runtime) error {
	if err := errors.Join(instantiateMeter(ctx, rt), r.cfg.Host.Instantiate(ctx, &tapped{Runtime: rt})); err != nil {
		return engine.Reasonf(engine.SystemLimit, "host functions: %v", err)
	}
	return nil
}

func (t *runtime) close(ctx context.Context) error {
	t.modules.close()
	t.awake.close()
	t.pool.close()
	t.snaps.close()
	err := errors.Join(t.rt.Close(ctx), t.interpreter.close(ctx))
	t.spaces.close()
	if t.cache != nil {
		err = errors.Join(err, t.cache.Close(ctx), t.disk.Close())
	}
	return err
}

// Close releases all compiled modules. No process may run any more, and none
// can be started.
func (r *Runner) Close(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.running == nil {
		return nil
	}
	return r.running.close(ctx)
}

// Load returns how many guests compute or wait for a core, and how many cores they
// have.
func (r *Runner) Load() (guests, cores int) { return r.slots.Load() }

// Prepare compiles a module, so that the first process that runs it starts
// sooner. It returns at once; a module that does not compile says so there.
func (r *Runner) Prepare(m engine.ModuleData) {
	if t, err := r.start(); err == nil {
		t.modules.prepare(m)
	}
}

// Run implements engine.Runner.
func (r *Runner) Run(p *engine.Process, m engine.ModuleData, report *engine.Report) engine.Reason {
	begin := time.Now()
	limit := p.Spec().Limits.Memory
	if limit == 0 {
		limit = DefaultMemory
	}
	t, err := r.start()
	if err != nil {
		return engine.Reason{Word: engine.SystemLimit, Detail: err.Error()}
	}
	code, err := t.modules.find(m.CID, p.Spec().Origin)
	if code == nil && err == nil {
		if err := m.Load(); err != nil {
			return refusalOf(err)
		}
		begin = time.Now()
		if x := r.interpretFirst(t, m); x != nil {
			if why, ok := r.runFirst(t, x, p, m, limit, report); ok {
				return why
			}
		}
		code, err = t.modules.get(p.Context(), m, p.Spec().Origin)
		report.Compile = time.Since(begin)
		begin = begin.Add(report.Compile)
	}
	if err != nil {
		return refusalOf(err)
	}
	compiled, held := code, false
	defer func() {
		if !held {
			t.modules.release(compiled)
		}
	}()
	if err := code.suits(p.Spec(), limit); err != nil {
		return refusalOf(err)
	}
	if code.server && p.Spec().Entry == "" {
		var why engine.Reason
		why, held = r.serve(t, p, code, limit, begin, report)
		return why
	}
	run := newRun(p.Context(), p, r.slots)
	p.SetTurn(run.turn)
	if !run.turn.Enter() {
		return reasonOf(context.Cause(p.Context()))
	}
	defer run.turn.Leave()
	ctx, leave := r.cfg.Host.Enter(run, p)
	defer leave()
	code, unused, err := t.begin(ctx, r.cfg.Host, code, run, limit, report)
	if err != nil {
		return reasonOf(err)
	}
	defer unused()
	inst, err := t.get(ctx, code, p, limit)
	if err != nil {
		report.Fuel = run.count // of a start function
		return reasonOf(err)
	}
	ended := false
	defer func() { t.put(inst, ended) }()
	text, why := r.execute(ctx, run, inst, begin, report)
	why = write(p, text, why)
	run.turn.Leave()
	ended = endedItself(p, why)
	return why
}

// serve begins a server, and says why not, or whether it holds the compiled module.
func (r *Runner) serve(t *runtime, p *engine.Process, compiled *entry, limit uint64, begin time.Time, report *engine.Report) (why engine.Reason, held bool) {
	run := newRun(p.Context(), p, r.slots)
	p.SetTurn(run.turn)
	if !run.turn.Enter() {
		return reasonOf(context.Cause(p.Context())), false
	}
	ctx, leave := r.cfg.Host.Enter(run, p)
	code, unused, err := t.begin(ctx, r.cfg.Host, compiled, run, limit, report)
	if err != nil {
		leave()
		run.turn.Leave()
		return reasonOf(err), false
	}
	s := &server{
		runner: r, t: t, p: p, code: code, run: run, ctx: ctx, limit: limit, report: report,
		release: func() { unused(); leave(); t.modules.release(compiled) },
	}
	return s.serve(begin), true
}

// suits says whether a process of the spec may run the module, with a limit of
// memory in bytes.
func (a *admitted) suits(s *engine.Spec, limit uint64) error {
	if err := a.granted(s); err != nil {
		return err
	}
	return fits(a.memory, limit)
}

// refusalOf returns the reason for which a module is not run.
func refusalOf(err error) engine.Reason {
	var why engine.Reason
	if !errors.As(err, &why) {
		why = engine.Reason{Word: engine.ModuleInvalid, Detail: err.Error()}
	}
	return why
}

// endedItself says whether an instance that ended for a reason can be used again.
func endedItself(p *engine.Process, why engine.Reason) bool {
	return (why.Word == engine.Normal || why.Word == engine.Exited) && p.Context().Err() == nil
}

// execute runs the process's entry in an instance that began to be made at begin.
// It returns the text of the results of a library's export.
func (r *Runner) execute(ctx context.Context, run *run, inst *instance, begin time.Time, report *engine.Report) ([]byte, engine.Reason) {
	defer func() {
		run.seen(meter.Counter(inst.counter.Get()))
		report.MaxMemory, report.Fuel = inst.mem.size, run.count
	}()
	call, why := entryOf(run.p.Spec(), inst)
	report.Start = time.Since(begin)
	if why.Word != "" {
		return nil, why
	}
	run.p.Running()
	text, err := call.do(ctx)
	report.Run = time.Since(begin) - report.Start
	why = reasonOf(err)
	report.End = endOf(why)
	return text, why
}

// endOf says how code ended that was begun.
func endOf(why engine.Reason) engine.End {
	switch why.Word {
	case engine.Normal:
		return engine.EndReturned
	case engine.Exited:
		return engine.EndExited
	}
	return engine.EndTrapped
}

// write writes the results of an export that ended as why says, or has them returned
// if the process is a call.
func write(p *engine.Process, text []byte, why engine.Reason) engine.Reason {
	if p.Spec().Call {
		p.ReturnText(text)
	} else if len(text) > 0 {
		if _, err := p.Write(engine.Stdout, text); err != nil {
			return reasonOf(err)
		}
	}
	return why
}

// entry finds what to call: _start, or the named export of a library, which is
// initialized first.
func entryOf(spec *engine.Spec, inst *instance) (call, engine.Reason) {
	name := spec.Entry
	if name == "" {
		name = "_start"
	}
	f := inst.exportedFunction(name)
	if f == nil {
		return call{}, engine.Reasonf(engine.EntryNotFound, "the module has no export %q; it has: %s", name, exports(inst.mod))
	}
	if name == "_start" {
		if len(f.Definition().ParamTypes()) != 0 {
			return call{}, engine.Reasonf(engine.EntryNotFound, "_start takes parameters: not a command")
		}
		return call{f: f}, engine.Reason{}
	}
	args, err := parseArgs(name, f.Definition(), spec.Args)
	if err != nil {
		return call{}, engine.Reason{Word: engine.EntryNotFound, Detail: err.Error()}
	}
	return call{f: f, args: args, of: inst, seed: spec.Seed}, engine.Reason{}
}

// call is what a process runs.
type call struct {
	f    api.Function
	args []uint64
	of   *instance // that is to be initialized as a library; nil: none
	seed uint64
}

// do returns the text of the results.
func (c *call) do(ctx context.Context) ([]byte, error) {
	if c.of != nil {
		if err := c.of.ready(ctx, c.seed); err != nil {
			return nil, err
		}
	}
	results, err := c.f.Call(ctx, c.args...)
	if err != nil || c.of == nil || len(results) == 0 {
		return nil, err
	}
	return formatResults(c.f.Definition(), results), nil
}

// exports lists the functions that can be called by name.
func exports(inst api.Module) string {
	var names []string
	for name := range inst.ExportedFunctionDefinitions() {
		names = append(names, name)
	}
	if len(names) == 0 {
		return "no functions"
	}
	return joinSorted(names)
}

// reasonOf turns how a call into a guest ended into the reason of its process.
func reasonOf(err error) engine.Reason {
	if err == nil {
		return engine.Reason{Word: engine.Normal}
	}
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		if exit.ExitCode() == 0 {
			return engine.Reason{Word: engine.Normal}
		}
		return engine.Reason{Word: engine.Exited, Code: exit.ExitCode()}
	}
	var r engine.Reason
	if errors.As(err, &r) {
		return r
	}
	text := err.Error()
	if first, _, _ := strings.Cut(text, "\n"); strings.Contains(first, "stack overflow") {
		return engine.Reason{Word: engine.Stack, Detail: first}
	}
	return engine.Reason{Word: engine.Trap, Detail: strings.TrimPrefix(text, "wasm error: ")}
}
