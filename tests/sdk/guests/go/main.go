// Scenario is the guest of the suite in tests/sdk, in Go: commands in, one line out
// for each. README.md in the directory above has the commands.
package main

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	wnode "github.com/wnode-project/wnode/sdk/go"
)

// Tags of commands that come as messages, and of their answers.
const (
	command = 100
	answer  = 101

	patience = 20 * time.Second
)

var kinds = []string{"", "data", "call", "reply", "exit", "down", "nodeup", "nodedown", "timeout", "cast", "name_lost"}

// line is a command, in words.
type line []string

func (l line) word(i int) string {
	if i < len(l) {
		return l[i]
	}
	return ""
}
func (l line) rest(i int) []byte       { return []byte(strings.Join(l[min(i, len(l)):], " ")) }
func (l line) number(i int) uint64     { return number(l.word(i)) }
func (l line) pid(i int) wnode.PID     { return id[wnode.PID](l.word(i)) }
func (l line) ref(i int) wnode.Ref     { return id[wnode.Ref](l.word(i)) }
func (l line) node(i int) wnode.NodeID { return id[wnode.NodeID](l.word(i)) }
func (l line) kind(i int) wnode.Kind   { return wnode.Kind(max(slices.Index(kinds, l.word(i)), 0)) }
func (l line) ms(i int) time.Duration  { return time.Duration(l.number(i)) * time.Millisecond }
func (l line) scope(i int) wnode.Scope {
	if l.word(i) == "cluster" {
		return wnode.InCluster
	}
	return wnode.OnNode
}

// list returns what all words KEY=... have.
func (l line) list(key string) (values []string) {
	for _, w := range l {
		if v, ok := strings.CutPrefix(w, key+"="); ok {
			values = append(values, v)
		}
	}
	return values
}

func (l line) option(key, otherwise string) string {
	if v := l.list(key); v != nil {
		return v[0]
	}
	return otherwise
}

func (l line) match() (m wnode.Match) {
	if k := l.option("kind", ""); k != "" {
		m.Kinds = wnode.Of(wnode.Kind(slices.Index(kinds, k)))
	}
	if tag := l.option("tag", ""); tag != "" {
		m.Tag, m.Mask = number(tag), ^uint64(0)
	}
	if mask := l.option("mask", ""); mask != "" {
		m.Mask = number(mask)
	}
	m.Ref = id[wnode.Ref](l.option("ref", "-"))
	return m
}

func number(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64) // 0 for what is none
	return n
}

// id reads hex, the zero value for "-".
func id[T wnode.PID | wnode.Ref | wnode.NodeID](s string) (v T) {
	switch v := any(&v).(type) {
	case *wnode.PID:
		copyHex(v[:], s)
	case *wnode.Ref:
		copyHex(v[:], s)
	case *wnode.NodeID:
		copyHex(v[:], s)
	}
	return v
}

func copyHex(to []byte, s string) {
	b, _ := hex.DecodeString(s) // nothing for what is none
	copy(to, b)
}

// show writes an id.
func show[T wnode.PID | wnode.Ref | wnode.NodeID](v T) string {
	if v == *new(T) {
		return "-"
	}
	return fmt.Sprint(v)
}

func reason(r wnode.Reason) string {
	return strings.TrimRight(fmt.Sprintf("%s %d %s", r.Word, r.Code, r.Detail), " ")
}

var lastCall *wnode.Message

func message(m *wnode.Message) string {
	s := fmt.Sprintf("%s %d %s %s", kinds[m.Kind], m.Tag, show(m.Ref), show(m.From))
	switch {
	case m.Kind == wnode.Exited || m.Kind == wnode.Down:
		return s + " " + reason(m.Reason)
	case len(m.Data) > 100:
		return fmt.Sprintf("%s %d bytes", s, len(m.Data))
	case len(m.Data) > 0:
		s += " " + string(m.Data)
	}
	if m.Kind == wnode.Called {
		lastCall = m
	}
	return s
}

// result writes the answer of a command.
func result(err error, values ...any) string {
	var status wnode.Status
	if errors.As(err, &status) {
		return fmt.Sprintf("error %d", uint16(status))
	} else if err != nil {
		return err.Error()
	}
	return strings.TrimRight("ok "+strings.TrimRight(fmt.Sprintln(values...), "\n"), " ")
}

func spawn(l line) string {
	flags := l.option("flags", "")
	pid, ref, err := wnode.Spawn(wnode.Spec{
		Node: id[wnode.NodeID](l.option("node", "-")), Module: l.option("module", ""), Entry: l.option("entry", ""),
		Args: l.list("arg"), Env: l.list("env"), Grants: l.list("grant"), Name: l.option("name", ""),
		Input: []byte(strings.Join(l.list("input"), " ")), Call: strings.Contains(flags, "c"),
		Link: strings.Contains(flags, "l"), Monitor: strings.Contains(flags, "m"), SameEnv: strings.Contains(flags, "e"),
		SameDirs: strings.Contains(flags, "d"), NoInput: strings.Contains(flags, "i"), Drop: strings.Contains(flags, "o"),
		Memory: number(l.option("memory", "")), Wall: time.Duration(number(l.option("wall", ""))) * time.Millisecond,
		Fuel: number(l.option("fuel", "")), Stack: number(l.option("stack", "")),
		Mailbox: number(l.option("mailbox", "")), Seed: number(l.option("seed", "")),
	})
	return result(err, show(pid), show(ref))
}

func timer(left time.Duration, err error) string {
	if left > 0 {
		return result(err, "running")
	}
	return result(err, "due")
}

// run carries out a command and returns its answer.
func run(text string) string {
	l := line(strings.Fields(text))
	switch l.word(0) {
	case "self":
		return result(nil, show(wnode.Self()))
	case "parent":
		return result(nil, show(wnode.Parent()))
	case "leader":
		return result(nil, show(wnode.Leader()))
	case "node":
		return result(nil, show(wnode.Node()))
	case "window":
		rows, cols := wnode.Window()
		return result(nil, rows, cols)
	case "args":
		return result(nil, strings.Join(os.Args[1:], " "))
	case "env":
		return result(nil, os.Getenv(l.word(1)))
	case "spawn":
		return spawn(l)
	case "exit":
		return result(wnode.Exit(wnode.Reason{Word: l.word(1), Code: uint32(l.number(2)), Detail: string(l.rest(3))}))
	case "link":
		wnode.Link(l.pid(1))
		return result(nil)
	case "unlink":
		wnode.Unlink(l.pid(1))
		return result(nil)
	case "monitor":
		return result(nil, show(wnode.Monitor(l.pid(1))))
	case "monitor_name":
		ref, err := wnode.MonitorName(l.node(1), l.word(2))
		return result(err, show(ref))
	case "demonitor":
		wnode.Demonitor(l.ref(1), l.number(2) != 0)
		return result(nil)
	case "trap_exit":
		if wnode.TrapExit(l.number(1) != 0) {
			return result(nil, 1)
		}
		return result(nil, 0)
	case "exit_signal":
		return result(wnode.ExitSignal(l.pid(1), wnode.Reason{Word: l.word(2), Detail: string(l.rest(3))}))
	case "process_info":
		b, err := wnode.ProcessInfoJSON(l.pid(1))
		return result(err, string(b))
	case "send":
		return result(wnode.SendKind(l.pid(1), l.kind(2), l.number(3), l.ref(4), l.rest(5)))
	case "send_name":
		return result(wnode.SendNameKind(l.node(1), l.word(2), l.kind(3), l.number(4), l.ref(5), l.rest(6)))
	case "send_bytes":
		return result(wnode.Send(l.pid(1), 0, make([]byte, l.number(2))))
	case "receive":
		m, err := wnode.Receive(l.match(), time.Duration(number(l.option("ms", "20000")))*time.Millisecond)
		if err != nil {
			return result(err)
		}
		return result(nil, message(m))
	case "peek":
		m, number, err := wnode.Peek(l.match(), l.number(1))
		if err != nil {
			return result(err)
		}
		return result(nil, number, message(m))
	case "take":
		m, err := wnode.Take(l.number(1))
		if err != nil {
			return result(err)
		}
		return result(nil, message(m))
	case "mailbox_fd":
		one, err := wnode.MailboxFd()
		if two, _ := wnode.MailboxFd(); one != two || one <= 2 {
			return result(err, "another")
		}
		return result(err, "the same")
	case "message":
		_, err := wnode.Current()
		return result(err)
	case "timer_start":
		ref, err := wnode.StartTimer(l.pid(1), l.ms(2), l.number(3), l.rest(4))
		return result(err, show(ref))
	case "timer_cancel":
		return timer(wnode.CancelTimer(l.ref(1)))
	case "timer_read":
		return timer(wnode.ReadTimer(l.ref(1)))
	case "register":
		return result(wnode.Register(l.scope(1), l.word(2), l.pid(3)))
	case "unregister":
		return result(wnode.Unregister(l.scope(1), l.word(2)))
	case "whereis":
		pid, err := wnode.Whereis(l.scope(1), l.word(2))
		return result(err, show(pid))
	case "join":
		return result(wnode.Join(l.word(1)))
	case "leave":
		return result(wnode.Leave(l.word(1)))
	case "members":
		all, err := wnode.Members(l.word(1))
		return result(err, list(all)...)
	case "nodes":
		all, err := wnode.Nodes()
		return result(err, list(all)...)
	case "node_find":
		node, err := wnode.FindNode(l.word(1))
		return result(err, show(node))
	case "node_name":
		name, err := wnode.NodeName(l.node(1))
		return result(err, name)
	case "monitor_node":
		return result(wnode.MonitorNode(l.node(1), l.number(2) != 0))
	case "monitor_nodes":
		wnode.MonitorNodes(l.number(1) != 0)
		return result(nil)
	case "sha256":
		return result(nil, fmt.Sprintf("%x", wnode.SHA256(l.rest(1))))
	case "blake3":
		return result(nil, fmt.Sprintf("%x", wnode.BLAKE3(l.rest(1))))
	case "call":
		b, err := wnode.Call(l.pid(1), l.number(2), l.rest(4), l.ms(3))
		if why := (wnode.Reason{}); errors.As(err, &why) {
			return "down " + reason(why)
		}
		return result(err, string(b))
	case "call_name":
		b, err := wnode.CallName(l.node(1), l.word(2), l.number(3), l.rest(5), l.ms(4))
		if why := (wnode.Reason{}); errors.As(err, &why) {
			return "down " + reason(why)
		}
		return result(err, string(b))
	case "await":
		b, err := wnode.Await(l.ref(1), l.ms(2))
		if f := (*wnode.Failure)(nil); errors.As(err, &f) {
			return fmt.Sprintf("down %d %s", f.End, reason(f.Reason))
		}
		return result(err, string(b))
	case "abandon":
		wnode.Abandon(l.ref(1))
		return result(nil)
	case "input":
		return result(nil, string(wnode.Input()))
	case "output":
		return result(wnode.Output(l.rest(1)))
	case "error":
		return result(wnode.Throw(string(l.rest(1))))
	case "cast":
		return result(wnode.Cast(l.pid(1), l.number(2), l.rest(3)))
	case "reply":
		return result(wnode.Reply(lastCall, l.rest(1)))
	case "ask":
		if err := wnode.Send(l.pid(1), command, l.rest(2)); err != nil {
			return result(err)
		}
		m, err := wnode.Receive(wnode.Tagged(answer), patience)
		if err != nil {
			return result(err)
		}
		return string(m.Data)
	}
	return result(wnode.ErrUnsupported)
}

func list[T wnode.PID | wnode.NodeID](all []T) (out []any) {
	for _, v := range all {
		out = append(out, show(v))
	}
	return out
}

// obey carries out commands that come as messages.
func obey() error {
	for {
		m, err := wnode.Receive(wnode.Tagged(command), -1)
		if err != nil {
			return err
		}
		if err := wnode.Send(m.From, answer, []byte(run(string(m.Data)))); err != nil {
			return err
		}
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "messages" {
		fmt.Fprintln(os.Stderr, obey())
		os.Exit(1)
	}
	if len(os.Args) > 1 && os.Args[1] == "once" { // called: the input is a command
		if err := wnode.Output([]byte(run(string(wnode.Input())))); err != nil {
			panic(err)
		}
		return
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(run(in.Text()))
	}
}
