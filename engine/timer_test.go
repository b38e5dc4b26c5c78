package engine

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// messages counts those that a node was sent.
func (l *sent) messages() (n int) {
	for _, sig := range l.sigs {
		if sig.Kind == KindMessage {
			n++
		}
	}
	return n
}

// A timer's message waits for room as any other, and the process can go on.
func TestTimerWaitsForRoom(t *testing.T) {
	bubble(t, func(t *testing.T, e *Engine) {
		l := &sent{}
		s := up(t, e, l, nil)
		defer s.Down(nil)
		full := limited(e, 1, false, func(p *Process) Reason {
			p.Receive(Match{Tag: 1, Mask: 1}, -1)
			return Reason{Word: Normal}
		})
		for _, to := range []PID{full.PID(), far(1)} {
			wait := &Signal{Kind: KindWait, From: far(1), To: e.someone(e.node), N: 1}
			if err := s.Deliver(wait); err != nil {
				t.Fatal(err)
			}
			var ref Ref
			p := e.Process(e.Go("p", func(p *Process) Reason {
				if to == full.PID() {
					p.Send(to, &Message{Kind: MessageData, Data: kB})
				}
				var err error
				if ref, err = p.StartTimer(to, time.Second, 1, nil); err != nil {
					t.Error(err)
				}
				return rest(p)
			}))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if _, ok := p.ReadTimer(ref); ok {
				t.Error("it is not due")
			}
			if _, ok := p.CancelTimer(ref); ok {
				t.Error("it was not due")
			}
			if n := full.Info().Messages + l.messages(); n != 1 {
				t.Errorf("%d messages came", n)
			}
			p.mu.Lock()
			if len(p.timers) != 1 {
				t.Errorf("%d timers", len(p.timers))
			}
			p.mu.Unlock()
			if to == far(1) {
				wait.N = 0
				if err := s.Deliver(wait); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if n := l.messages(); n != 1 {
					t.Errorf("%d messages were sent", n)
				}
			}
			p.Kill(Reason{Word: Kill})
			<-p.Done()
		}
	})
}

// Timers are bounded in number and in what they will send, until it is sent.
func TestTimersAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, e *Engine) {
		p := e.Process(e.Go("p", rest))
		big := make([]byte, MaxMessage-messageCost)
		for range maxBeyond / MaxMessage {
			if _, err := p.StartTimer(PID{}, time.Second, 0, big); err != nil {
				t.Fatal(err)
			}
		}
		ref, err := p.StartTimer(PID{}, time.Second, 0, nil)
		if !errors.Is(err, Reason{Word: SystemLimit}) {
			t.Errorf("got %v", err)
		}
		if _, ok := p.CancelTimer(ref); ok {
			t.Error("a timer that was not started was stopped")
		}
		time.Sleep(2 * time.Second)
		for i := range maxTimers {
			if _, err := p.StartTimer(PID{}, time.Hour, 0, nil); err != nil {
				t.Fatalf("timer %d: %v", i, err)
			}
		}
		if _, err := p.StartTimer(PID{}, time.Hour, 0, nil); !errors.Is(err, Reason{Word: SystemLimit}) {
			t.Errorf("got %v", err)
		}
		if _, err := p.StartTimer(PID{}, 0, 0, make([]byte, MaxMessage+1)); !errors.Is(err, Reason{Word: BadArg}) {
			t.Errorf("got %v", err)
		}
	})
}
