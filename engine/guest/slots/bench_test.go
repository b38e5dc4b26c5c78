package slots

import (
	"context"
	"testing"
	"time"
)

// BenchmarkYield is a call that gives way to nobody.
func BenchmarkYield(b *testing.B) {
	for _, c := range []struct {
		name    string
		waiting bool
	}{{"alone", false}, {"others wait", true}} {
		b.Run(c.name, func(b *testing.B) {
			s := New(1)
			t := s.Turn(context.Background())
			t.Enter()
			t.busy, t.breathe = 0, time.Hour
			if c.waiting {
				s.waiting.Store(1)
				t.since = time.Hour // its slice does not end
			}
			for b.Loop() {
				t.Yield()
			}
		})
	}
}

// BenchmarkBreathe is what letting other threads go first costs if there are
// none.
func BenchmarkBreathe(b *testing.B) {
	for b.Loop() {
		breathe()
	}
}

// BenchmarkEnterLeave is what a run pays that meets nobody.
func BenchmarkEnterLeave(b *testing.B) {
	s := New(1)
	b.ReportAllocs()
	var t Turn // part of what a run allocates anyway
	for b.Loop() {
		t = s.Turn(context.Background())
		t.Enter()
		t.Leave()
	}
}

// BenchmarkHandOver is a slot that goes from one guest to another.
func BenchmarkHandOver(b *testing.B) {
	s := New(1)
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t := s.Turn(until{done})
		t.Enter()
		defer t.Leave()
		for {
			select {
			case <-done:
				return
			default:
				t.since -= slice
				t.Yield()
			}
		}
	}()
	t := s.Turn(context.Background())
	t.Enter()
	for b.Loop() {
		t.since -= slice
		t.Yield()
	}
	t.Leave()
	close(done)
	<-ended
}
