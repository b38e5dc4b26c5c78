package hostfuncs_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/engine/enginetest"
	"github.com/wnode-project/wnode/engine/guest"
	"github.com/wnode-project/wnode/hostfuncs"
	"github.com/wnode-project/wnode/origin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds a wait for what must come; reaching it is a failure.
const patience = 60 * time.Second

// stack is everything that a run needs on one node: a real engine, a real
// runner, real leaders.
type stack struct {
	eng     *engine.Engine
	modules enginetest.Modules
}

func newStack(t testing.TB, wasms ...[]byte) *stack {
	r := guest.New(guest.Config{Host: hostfuncs.New()})
	s := &stack{}
	for _, b := range wasms {
		s.modules.Add(b)
	}
	s.eng = engine.New(engine.Config{Node: engine.NodeID{1}, Name: "test", Incarnation: 1, Runner: r, Modules: &s.modules})
	t.Cleanup(func() {
		s.eng.Close()
		r.Close(context.Background())
	})
	return s
}

// run is one guest to run and how it went.
type run struct {
	name  string
	wasm  []byte
	args  []string
	env   []string
	dirs  []origin.Dir
	stdin io.Reader // nil: at its end from the start
	seed  uint64

	stdout, stderr bytes.Buffer
	exit           origin.Exit
}

// do runs r to its end.
func (s *stack) do(t testing.TB, r *run) {
	files, err := origin.OpenDirs(r.dirs)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	l := origin.New(s.eng, origin.Config{Stdin: r.stdin, Stdout: &r.stdout, Stderr: &r.stderr, Files: files})
	defer l.Close()
	m := enginetest.ModuleOf(r.wasm)
	m.Name = r.name
	l.Spawn(s.eng.Node(), &engine.Spec{
		Module: m,
		Args:   r.args, Env: r.env, NoInput: r.stdin == nil, Seed: r.seed,
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if r.exit, err = l.Wait(ctx); err != nil {
		t.Fatalf("the guest did not end: %v", err)
	}
}

// code returns the exit code that a command would end with.
func (r *run) code() int {
	switch r.exit.Reason.Word {
	case engine.Normal:
		return 0
	case engine.Exited:
		return int(r.exit.Reason.Code)
	}
	return 134
}
