package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/wnode-project/wnode/engine"
)

// call is an operation on the names of a node.
type call struct {
	do   string // register, unregister, whereis, end
	name string
	who  int // a process; of whereis it is the answer
}

// holding is what one name is: -1 is nobody's. Ended are the processes that ended, a
// bit for each.
type holding struct {
	who   int
	ended uint64
}

// registry is the names of a node as if each operation were done at once, at some
// moment between its call and its return.
var registry = porcupine.Model{
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		by := map[string][]porcupine.Operation{}
		for _, op := range history {
			name := op.Input.(call).name
			by[name] = append(by[name], op)
		}
		for _, part := range by {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return holding{who: -1} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(holding), input.(call), output.(string)
		switch in.do {
		case "register":
			switch out {
			case "":
				ok := s.who < 0 && s.ended>>in.who&1 == 0
				s.who = in.who
				return ok, s
			case string(engine.NameTaken):
				return s.who >= 0, s
			}
			return out == string(engine.NoProc), s // it has begun to end
		case "unregister":
			if out == "" {
				ok := s.who >= 0
				s.who = -1
				return ok, s
			}
			return s.who < 0, s
		case "end":
			s.ended |= 1 << in.who
			if s.who == in.who {
				s.who = -1
			}
			return true, s
		}
		return fmt.Sprint(s.who) == out, s
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprint(in, " -> ", out) },
}

// The names of a node are linearizable, also while processes end.
func TestNamesAreLinearizable(t *testing.T) {
	const clients, each, procs = 6, 60, 12
	names := []string{"a", "b", "c"}
	for range 5 {
		e := engine.New(engine.Config{Node: engine.NodeID{1}, Incarnation: 1})
		pids, index := make([]engine.PID, procs), map[engine.PID]int{{}: -1}
		for i := range pids {
			pids[i] = e.Go("p", func(p *engine.Process) engine.Reason {
				<-p.Context().Done()
				return engine.Reason{Word: engine.Normal}
			})
			index[pids[i]] = i
		}
		begin := time.Now()
		var mu sync.Mutex
		var history []porcupine.Operation
		var wg sync.WaitGroup
		for c := range clients {
			wg.Go(func() {
				for i := range each {
					in := call{do: []string{"register", "register", "whereis", "whereis", "unregister", "end"}[rand.IntN(6)], name: names[rand.IntN(len(names))], who: rand.IntN(procs)}
					if in.do == "end" && i%10 != 0 {
						in.do = "whereis"
					}
					var out string
					var err error
					at := time.Since(begin)
					switch in.do {
					case "register":
						err = e.Register(in.name, pids[in.who])
					case "unregister":
						err = e.Unregister(in.name)
					case "whereis":
						out = fmt.Sprint(index[e.Whereis(in.name)])
					case "end":
						if p := e.Process(pids[in.who]); p != nil {
							p.Kill(engine.Reason{Word: engine.Kill})
							<-p.Done()
						}
					}
					back := time.Since(begin)
					var r engine.Reason
					if errors.As(err, &r) {
						out = string(r.Word)
					}
					mu.Lock()
					for _, name := range names {
						if in.do == "end" {
							in.name = name // it concerns all
						} else if name != in.name {
							continue
						}
						history = append(history, porcupine.Operation{ClientId: c, Input: in, Output: out, Call: int64(at), Return: int64(back)})
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		e.Close()
		if result := porcupine.CheckOperationsTimeout(registry, history, time.Minute); result != porcupine.Ok {
			t.Fatalf("%d operations: %s", len(history), result)
		}
	}
}
