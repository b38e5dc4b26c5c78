package engine

import "testing"

// A link over the network: whatever crosses, both ends know the same when all is
// handled. The peer's signals are those of an engine.
func TestUnlinkAndLinkCross(t *testing.T) {
	for _, c := range []struct {
		name   string
		linked bool // at the begin
		does   string
		want   bool // linked at the end
		sends  string
	}{
		// l and u: the process links, unlinks; L and U: the peer's link and unlink
		// arrive; A: its acknowledgement of the last unlink.
		{"unlink", true, "uA", false, "unlink"},
		{"unlink, link before the acknowledgement", true, "ulA", true, "unlink link"},
		{"unlink, and their link is older than its arrival", true, "uLA", false, "unlink"},
		{"unlink, and their link is newer", true, "uAL", true, "unlink"},
		{"both unlink", true, "uUA", false, "unlink ack"},
		{"both unlink, they link again at once", true, "uULA", false, "unlink ack"},
		{"both unlink, they link again later", true, "uUAL", true, "unlink ack"},
		{"they unlink", true, "U", false, "ack"},
		{"they unlink what is not linked", false, "U", false, "ack"},
		{"unlink what is not linked", false, "u", false, ""},
		{"link twice", false, "ll", true, "link"},
		{"both link", false, "lL", true, "link"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := New(Config{Node: NodeID{1}, Incarnation: 7})
			defer e.Close()
			l := &sent{}
			s := up(t, e, l, nil)
			defer s.Down(nil)
			p := e.Process(e.Go("p", rest))
			p.TrapExit(true)
			deliver := func(sig Signal) {
				sig.From, sig.To = far(1), p.PID()
				if err := s.Deliver(&sig); err != nil {
					t.Fatal(err)
				}
			}
			if c.linked {
				deliver(Signal{Kind: KindLink})
			}
			for _, d := range c.does {
				switch d {
				case 'l':
					p.link(far(1), false)
				case 'u':
					p.Unlink(far(1))
				case 'L':
					deliver(Signal{Kind: KindLink})
				case 'U':
					deliver(Signal{Kind: KindUnlink, N: 99})
				case 'A':
					for _, sig := range l.sigs {
						if sig.Kind == KindUnlink {
							deliver(Signal{Kind: KindUnlinkAck, N: sig.N})
						}
					}
				}
			}
			sends := ""
			for _, sig := range l.sigs {
				if name := map[Kind]string{KindLink: "link", KindUnlink: "unlink", KindUnlinkAck: "ack"}[sig.Kind]; name != "" {
					sends += " " + name
				}
			}
			if sends != "" {
				sends = sends[1:]
			}
			if linked := len(p.Info().Links) == 1; linked != c.want || sends != c.sends {
				t.Errorf("linked: %v, sent %q; want %q", linked, sends, c.sends)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			n := 0
			for range p.links.all() {
				n++
			}
			if n > 1 || n == 1 && !c.want {
				t.Errorf("%d entries are left", n)
			}
		})
	}
}
