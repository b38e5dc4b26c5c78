package engine

import (
	"maps"
	"slices"
	"time"

	"github.com/ipfs/go-cid"
)

// Info is a snapshot of a process.
type Info struct {
	PID        PID
	Module     string  // as the spawner named it
	CID        cid.Cid // undefined until the name is resolved
	Entry      string
	State      State
	Created    time.Time
	Origin     Origin
	Leader     PID
	Parent     PID
	Reductions uint64 // so far; 0 until it is counted for the first time

	Messages     int    // in its mailbox
	MailboxBytes int    // that count towards its limit
	Dropped      uint64 // messages that found it full, if that is what its spec says
	TrapsExit    bool
	Server       bool // it runs when there is a message, and has no stack between

	Links, Monitors, MonitoredBy []PID // in no order
	Names, GlobalNames, Groups   []string
}

// Info returns a snapshot.
func (p *Process) Info() Info {
	leader := p.Leader().PID
	p.mailbox.mu.Lock()
	queued, bytes, dropped := p.mailbox.len, p.mailbox.bytes, p.mailbox.dropped
	p.mailbox.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	info := Info{
		PID: p.pid, Module: p.spec.Module.Name, CID: p.cid, Entry: p.spec.Entry, State: p.state,
		Created: p.created, Origin: p.spec.Origin, Leader: leader, Parent: p.spec.Parent,
		Reductions: p.reductions.Load(), Messages: queued, MailboxBytes: bytes, Dropped: dropped,
		TrapsExit: p.trapsExit, Server: p.server != nil,
	}
	if v := p.visible; v != nil {
		info.Names, info.GlobalNames, info.Groups = slices.Clone(v.local), slices.Clone(v.global), slices.Sorted(maps.Keys(v.groups))
	}
	for to, unlink := range p.links.all() {
		if unlink == 0 {
			info.Links = append(info.Links, to)
		}
	}
	for _, w := range p.watching.all() {
		info.Monitors = append(info.Monitors, w.pid)
	}
	for _, by := range p.monitors.all() {
		info.MonitoredBy = append(info.MonitoredBy, by)
	}
	return info
}
