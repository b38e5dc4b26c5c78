package guest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/guest/codecache"
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
}

// Runner implements engine.Runner. It is safe for concurrent use.
type Runner struct {
	cfg Config

	mu      sync.Mutex
	closed  bool
	running *runtime
}

// runtime is what a Runner needs once it runs something. A command that only
// sends modules elsewhere never does.
type runtime struct {
	rt       wazero.Runtime
	cache    wazero.CompilationCache // nil: in memory only, as is disk
	disk     *codecache.Cache
	modules  compiled
	memories memoryPool

	interpreter interpreter
}

var _ engine.Runner = (*Runner)(nil)

// New makes a Runner. An unusable CacheDir is logged when the first module runs;
// compiled modules are then kept in memory only.
func New(c Config) *Runner {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Runner{cfg: c}
}

// start returns the runtime, which the first call makes.
func (r *Runner) start() (*runtime, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.New("the runner is closed")
	}
	if r.running == nil {
		t, err := r.newRuntime()
		if err != nil {
			return nil, err
		}
		r.running = t
	}
	return r.running, nil
}

func (r *Runner) newRuntime() (*runtime, error) {
	ctx := context.Background()
	cfg := wazero.NewRuntimeConfig().WithCloseOnContextDone(true)
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
	t.rt = &tapped{Runtime: wazero.NewRuntimeWithConfig(ctx, cfg)}
	t.interpreter.make = func() (wazero.Runtime, error) {
		rt := &tapped{Runtime: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCloseOnContextDone(true))}
		return rt, r.cfg.Host.Instantiate(ctx, rt)
	}
	t.modules.init(t.rt, t.disk)
	if err := r.cfg.Host.Instantiate(ctx, t.rt); err != nil {
		return nil, errors.Join(fmt.Errorf("host functions: %w", err), t.close(ctx))
	}
	return t, nil
}

func (t *runtime) close(ctx context.Context) error {
	t.modules.close()
	err := errors.Join(t.rt.Close(ctx), t.interpreter.close(ctx))
	t.memories.close()
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
	if r.interpretFirst(t, m) {
		defer t.interpreter.leave(m.CID)
		return r.runFirst(t, p, m, limit, report)
	}
	code, release, err := t.modules.get(p.Context(), m, p.Spec().Origin)
	report.Compile = time.Since(begin)
	if err == nil {
		defer release()
		err = fits(code.memory, limit)
	}
	if err != nil {
		var why engine.Reason
		if !errors.As(err, &why) {
			why = engine.Reason{Word: engine.ModuleInvalid, Detail: err.Error()}
		}
		return why
	}
	ctx, leave := r.cfg.Host.Enter(p.Context(), p)
	defer leave()
	text, why := r.execute(ctx, t, t.rt, code.code, p, limit, report)
	if len(text) > 0 {
		if _, err := p.Write(engine.Stdout, text); err != nil {
			return reasonOf(err)
		}
	}
	return why
}

// execute makes an instance and runs the process's entry in it. It returns the
// text of the results of a library's export.
func (r *Runner) execute(ctx context.Context, t *runtime, rt wazero.Runtime, code wazero.CompiledModule, p *engine.Process, limit uint64, report *engine.Report) ([]byte, engine.Reason) {
	begin := time.Now()
	mem := &memory{pool: &t.memories, limit: limit, exceeded: func() {
		p.Kill(engine.Reasonf(engine.Memory, "limit %s", bytesText(limit)))
	}}
	inst, err := rt.InstantiateModule(withMemory(ctx, mem), code,
		wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(rand.Reader))
	if err != nil {
		return nil, reasonOf(err)
	}
	// Closing frees the memory; the context may be done by then.
	defer func() { report.MaxMemory = mem.size; inst.Close(context.WithoutCancel(ctx)) }()
	call, why := r.entry(p, inst)
	report.Start = time.Since(begin)
	if why.Word != "" {
		return nil, why
	}
	begin = time.Now()
	p.Running()
	text, err := call(ctx)
	report.Run = time.Since(begin)
	return text, reasonOf(err)
}

// withMemory returns the context to instantiate with. A side stays the outermost
// context of its calls, also of those of a start function.
func withMemory(ctx context.Context, mem *memory) context.Context {
	if s, ok := ctx.(*side); ok {
		s.Context = experimental.WithMemoryAllocator(s.Context, mem)
		return s
	}
	return experimental.WithMemoryAllocator(ctx, mem)
}

// entry finds what to call: _start, or the named export of a library, whose
// _initialize then runs first.
func (r *Runner) entry(p *engine.Process, inst api.Module) (func(context.Context) ([]byte, error), engine.Reason) {
	spec := p.Spec()
	name := spec.Entry
	if name == "" {
		name = "_start"
	}
	f := inst.ExportedFunction(name)
	if f == nil {
		return nil, engine.Reasonf(engine.EntryNotFound, "the module has no export %q; it has: %s", name, exports(inst))
	}
	if name == "_start" {
		if len(f.Definition().ParamTypes()) != 0 {
			return nil, engine.Reasonf(engine.EntryNotFound, "_start takes parameters: not a command")
		}
		return func(ctx context.Context) ([]byte, error) { _, err := f.Call(ctx); return nil, err }, engine.Reason{}
	}
	args, err := parseArgs(name, f.Definition(), spec.Args)
	if err != nil {
		return nil, engine.Reason{Word: engine.EntryNotFound, Detail: err.Error()}
	}
	return func(ctx context.Context) ([]byte, error) {
		if init := inst.ExportedFunction("_initialize"); init != nil {
			if _, err := init.Call(ctx); err != nil {
				return nil, err
			}
		}
		results, err := f.Call(ctx, args...)
		if err != nil || len(results) == 0 {
			return nil, err
		}
		return formatResults(f.Definition(), results), nil
	}, engine.Reason{}
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
