package enginetest

import (
	"time"

	"github.com/wnode-project/wnode/engine"
)

var mailboxes = []sentence{
	{"selective receive by kind, tag and reference", testSelective},
	{"looking and taking", testLookAndTake},
	{"a full mailbox suspends its senders", testSuspend},
	{"a timer's message", testTimer},
}

func testSelective(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	var ref engine.Ref
	b.do(func(p *engine.Process) { ref = p.Monitor(a.PID()) })
	a.do(func(p *engine.Process) {
		for _, m := range []*engine.Message{
			{Kind: engine.MessageData, Tag: 0x10, Data: []byte("data 10")},
			{Kind: engine.MessageCast, Tag: 0x11, Data: []byte("cast 11")},
			{Kind: engine.MessageCall, Tag: 0x21, Ref: e.alex.MakeRef(), Data: []byte("call 21")},
			{Kind: engine.MessageReply, Tag: 0x22, Ref: ref, Data: []byte("reply 22")},
			{Kind: engine.MessageData, Tag: 0x21, Data: []byte("data 21")},
		} {
			must(e, p.Send(b.PID(), m))
		}
	})
	b.do(func(p *engine.Process) {
		for _, c := range []struct {
			match   engine.Match
			timeout time.Duration
			want    string
		}{
			{engine.Match{Ref: ref}, patience, "reply 22"},
			{engine.Match{Ref: ref}, 0, ""},
			{engine.Match{Ref: ref}, time.Millisecond, ""},
			{engine.Match{Mask: 0x0f, Tag: 1}, patience, "cast 11"},
			{engine.Match{Mask: 0xff, Tag: 0x21, Kinds: 1 << engine.MessageData}, patience, "data 21"},
			{engine.Match{Kinds: 1<<engine.MessageCast | 1<<engine.MessageCall}, -1, "call 21"},
			{engine.Match{Kinds: 1 << engine.MessageExit}, 0, ""},
			{engine.Match{}, -1, "data 10"},
			{engine.Match{}, 0, ""},
		} {
			got := ""
			m, err := p.Receive(c.match, c.timeout)
			if m != nil {
				got = string(m.Data)
				if m.From != a.PID() {
					e.Errorf("%q is from %v", got, m.From)
				}
			}
			if got != c.want || err != nil {
				e.Errorf("%+v: got %q, %v; want %q", c.match, got, err, c.want)
			}
		}
	})
}

func testLookAndTake(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	for _, s := range []string{"1", "2", "3"} {
		a.send(b.PID(), s)
	}
	e.settle()
	b.do(func(p *engine.Process) {
		one, err := p.Await(engine.Match{}, patience)
		if err != nil || string(one.Data) != "1" {
			e.Errorf("got %v, %v", one, err)
			return
		}
		select {
		case <-p.Arrived(0):
		default:
			e.Error("it does not say that there is a message")
		}
		two := p.Next(engine.Match{}, one)
		three := p.Next(engine.Match{}, two)
		if string(two.Data) != "2" || string(three.Data) != "3" || p.Next(engine.Match{}, three) != nil {
			e.Error("the order differs")
		}
		if one.ID() >= two.ID() || p.After(engine.Match{}, two.ID()-1) != two || p.After(engine.Match{}, three.ID()) != nil {
			e.Error("they are not found by their numbers")
		}
		p.Take(two)
		if p.After(engine.Match{}, two.ID()-1) != three || p.Next(engine.Match{}, one) != three {
			e.Error("what was taken is there")
		}
		p.Take(one)
		p.Take(three)
		arrived := p.Arrived(0)
		select {
		case <-arrived:
			e.Error("it says that there is a message")
		default:
		}
		must(e, p.Send(p.PID(), letter("4")))
		<-arrived
	})
	b.sees("4")
}

// A process with a small mailbox gets all of what a sender that does not wait for it
// sends, and the mailbox holds what its limit says and what was under way.
func testSuspend(e *env) {
	const n = 20_000
	got, over := make(chan int, 1), make(chan int, 1)
	m := e.programs.Add("slow reader", func(p *engine.Process) engine.Reason {
		most := 0
		for i := range n {
			m, err := p.Receive(engine.Match{}, patience)
			if m == nil {
				got <- i
				return engine.Reasonf(engine.Trap, "%v", err)
			}
			most = max(most, p.Info().MailboxBytes)
		}
		got <- n
		over <- most
		return normal
	})
	a := e.puppet(e.alex, "a")
	pid := a.spawn(e.there.Node(), engine.Spec{Module: m, Limits: engine.Limits{Mailbox: 64 << 10}})
	a.do(func(p *engine.Process) {
		data := make([]byte, 1000)
		for range n {
			must(e, p.Send(pid, &engine.Message{Kind: engine.MessageData, Data: data}))
		}
	})
	if k := <-got; k != n {
		e.Fatalf("it got %d messages", k)
	}
	// What is queued at the sender or on its way is not the mailbox's.
	if most := <-over; e.there == e.alex && most > 64<<10+1128 {
		e.Errorf("there were %d bytes", most)
	}
}

func testTimer(e *env) {
	a, b := e.puppet(e.alex, "a"), e.puppet(e.there, "b")
	a.do(func(p *engine.Process) {
		start := func(to engine.PID, after time.Duration, text string) engine.Ref {
			ref, err := p.StartTimer(to, after, 0, []byte(text))
			must(e, err)
			return ref
		}
		start(b.PID(), time.Millisecond, "to b")
		long := start(engine.PID{}, time.Hour, "never")
		ref := start(engine.PID{}, time.Millisecond, "to a")
		if m, _ := p.Receive(engine.Match{Ref: ref}, patience); m == nil || e.text(m) != "TIMEOUT to a" {
			e.Errorf("got %+v", m)
		}
		if _, ok := p.CancelTimer(ref); ok {
			e.Error("a timer that was due was stopped")
		}
		if left, ok := p.ReadTimer(long); !ok || left > time.Hour {
			e.Errorf("%v to go", left)
		}
		if _, ok := p.CancelTimer(long); !ok {
			e.Error("a timer was not stopped")
		}
		if _, ok := p.ReadTimer(long); ok {
			e.Error("a timer goes on")
		}
	})
	b.sees("to b")
	a.seesNothing()
}
