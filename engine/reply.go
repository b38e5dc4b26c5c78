package engine

import (
	"errors"
	"time"
)

// Call sends a call to a process and returns the reference of its answer: one message
// is received with it, a MessageReply, or the MessageDown of a process that ended
// first or that there is not. Demonitor with it, and flush, gives the answer up: one
// that comes late is dropped. Waiting and errors are as of Send.
func (p *Process) Call(to PID, tag uint64, data []byte) (Ref, error) {
	ref := p.Monitor(to)
	return ref, p.Send(to, &Message{Kind: MessageCall, Tag: tag, Ref: ref, Data: data})
}

// CallName is as Call, to who has the name on the node when it arrives.
func (p *Process) CallName(node NodeID, name string, tag uint64, data []byte) (Ref, error) {
	ref := p.MonitorName(node, name)
	err := p.SendName(node, name, &Message{Kind: MessageCall, Tag: tag, Ref: ref, Data: data})
	if errors.Is(err, Reason{Word: NoProc}) {
		err = nil // the Down says so
	}
	return ref, err
}

// Reply answers a call, a message that was received.
func (p *Process) Reply(call *Message, data []byte) error {
	return p.Send(call.From, &Message{Kind: MessageReply, Tag: call.Tag, Ref: call.Ref, Data: data})
}

// answer takes a reply, and the monitor back that its reference is: with none it is
// dropped. So who ceased to wait finds neither a late reply nor a Down, as with OTP's
// monitor that has the options alias and reply_demonitor. sig is as of mailbox.add; if
// it is nil the sender can wait, as of offer.
func (p *Process) answer(m *Message, sig *Signal) (room <-chan struct{}) {
	p.mu.Lock()
	w, ok := p.watching.get(m.Ref)
	if !ok || p.gone {
		p.mu.Unlock()
		return nil
	}
	var asked, beyond bool
	if sig == nil {
		if room = p.mailbox.offer(m, p); room != nil {
			p.mu.Unlock()
			return room
		}
	} else {
		p.mailbox.mu.Lock()
		asked, beyond = p.mailbox.append(m, sig, p)
	}
	p.watching.delete(m.Ref)
	p.mu.Unlock()
	p.mailbox.pressed(asked, beyond, sig, p)
	if !w.call { // else there will be no process to watch
		p.eng.send(&Signal{Kind: KindDemonitor, From: p.pid, To: w.pid, Name: w.name, Ref: m.Ref})
	}
	return nil
}

// ResultText is the tag of the MessageReply of a call whose data is the results of its
// entry as text, one to a line. It is 0 if the code gave bytes instead.
const ResultText = 1

// Return appends to what a process whose spec is a Call returns: that is sent when it
// ends with reason normal, to its parent, as the MessageReply to the reference of the
// spec's monitor and in place of its Down. The error is BadArg beyond MaxMessage bytes.
// It is for the goroutine that runs the process.
func (p *Process) Return(data []byte) error {
	if p.result == nil {
		p.result = &Message{}
	}
	if n := len(p.result.Data) + len(data); n > MaxMessage {
		return Reasonf(BadArg, "a result of %d bytes, the limit is %d", n, MaxMessage)
	}
	p.result.Data = append(p.result.Data, data...)
	return nil
}

// ReturnText sets what the entry of a Call returned, as text that belongs to the engine
// now. It does not count after a Return.
func (p *Process) ReturnText(text []byte) {
	if p.result == nil {
		p.result = &Message{Tag: ResultText, Data: text}
	}
}

// reply sends what a call returns. It is given up if the process is ended first.
func (p *Process) reply() {
	p.ReturnText(nil)
	m, to := p.result, p.spec.Parent
	m.Kind, m.Ref, m.From = MessageReply, p.spec.Monitor, p.pid
	if to.Node != p.eng.node {
		if s := p.eng.Session(to.Node); s != nil && s.peer.Incarnation == to.Incarnation {
			_ = p.sendOver(s, &Signal{Kind: KindMessage, From: p.pid, To: to, Message: m}, false) // the Down tells the caller why
		}
		return
	}
	switch t := p.eng.end(to).(type) {
	case *Process:
		_ = p.sendLocal(t, m, false)
	case *Native:
		t.signal(&Signal{Kind: KindMessage, From: p.pid, To: to, Message: m})
	}
}

// AwaitReply waits for what Call or a spec with Call and Monitor has come: the reply,
// or the Down. The message is nil when the time is over: then the answer is given up,
// as Demonitor does.
func (p *Process) AwaitReply(ref Ref, timeout time.Duration) (*Message, error) {
	m, err := p.Receive(Match{Kinds: 1<<MessageReply | 1<<MessageDown, Ref: ref}, timeout)
	if m == nil && err == nil {
		p.Demonitor(ref, true)
	}
	return m, err
}
