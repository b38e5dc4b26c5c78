package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/wnode-project/wnode/batch"
)

// watch says on stderr how a map goes, and which tasks failed but by an exit code of
// their own. The function that it returns ends that.
func (a *app) watch(m *mapping, bar bool) (end func()) {
	terminal := func(w io.Writer) bool {
		f, ok := w.(*os.File)
		return ok && term.IsTerminal(int(f.Fd()))
	}
	if !terminal(a.err) || a.json || !bar && terminal(a.out) {
		m.Done = a.taskFailed
		return func() {}
	}
	p := mpb.New(mpb.WithOutput(a.err))
	begin := time.Now()
	rate := func(s decor.Statistics) string {
		return fmt.Sprintf(" %.1f/s ", float64(s.Current)/max(time.Since(begin).Seconds(), 1e-3))
	}
	b := p.AddBar(int64(m.total),
		mpb.PrependDecorators(decor.CountersNoUnit("%d/%d tasks")),
		mpb.AppendDecorators(decor.Any(rate), decor.AverageETA(decor.ET_STYLE_GO)),
	)
	// Lines of tasks and notes go above the bar.
	m.Err = p
	if terminal(a.out) {
		m.Out = p
	}
	below := a.err
	a.err = p
	var read atomic.Int64
	next := m.Next
	m.Next = func() (*batch.Task, error) {
		t, err := next()
		switch {
		case err == nil:
			if n := read.Add(1); m.total == 0 {
				b.SetTotal(n+1, false) // there may be one more
			}
		case errors.Is(err, io.EOF):
			b.SetTotal(read.Load(), false)
		}
		return t, err
	}
	m.Done = func(r *batch.Result) {
		a.taskFailed(r)
		b.Increment()
	}
	return func() {
		b.Abort(false)
		p.Wait()
		a.err = below
	}
}

// taskFailed says why a task failed that could not say so itself.
func (a *app) taskFailed(r *batch.Result) {
	if r.Code == 0 || r.Reason.Word == "exited" || a.json {
		return
	}
	a.note("task %d on %s: %s", r.Seq, clean(r.Node), clean(r.Reason.Error()))
}
