package enginetest

import "github.com/wnode-project/wnode/engine"

// What a limit lets through arrives, and no byte more; then the process ends.
func testOutputLimit(e *env) {
	const limit = 3*engine.MaxChunk + 100
	written := make(chan int, 1)
	m := e.programs.Add("chatty", func(p *engine.Process) engine.Reason {
		total, err := 0, error(nil)
		for _, w := range []struct {
			s engine.Stream
			n int
		}{{engine.Stderr, 50}, {engine.Stdout, limit - 50}, {engine.Stdout, 0}, {engine.Stderr, len(p.Spec().Args)}} {
			var n int
			n, err = p.Write(w.s, make([]byte, w.n))
			total += n
		}
		written <- total
		if err != nil {
			return engine.Reasonf(engine.Trap, "%v", err) // its reason is the limit all the same
		}
		return engine.Reason{Word: engine.Normal}
	})
	for _, c := range []struct {
		more []string // bytes beyond the limit
		want engine.Reason
	}{
		{nil, engine.Reason{Word: engine.Normal}},
		{[]string{"x"}, engine.Limit(engine.Output, "%d bytes", limit)},
	} {
		l := e.leader(e.alex)
		l.spawn(e.alex, e.kate.Node(), engine.Spec{Module: m, Args: c.more, Limits: engine.Limits{Output: limit}})
		got := 0
		s := l.next(engine.KindOutput, engine.KindDown)
		for ; s.Kind == engine.KindOutput; s = l.next(engine.KindOutput, engine.KindDown) {
			got += len(s.Data)
		}
		if n := <-written; got != limit || n != limit || s.Reason != c.want {
			e.Errorf("%d beyond: %d bytes arrived of %d written, limit %d; reason %v", len(c.more), got, n, limit, s.Reason)
		}
	}
}
