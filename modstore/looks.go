package modstore

import (
	"sync"
	"time"

	"github.com/ipfs/go-cid"
)

// lookTime is how long a look at the file system is good for. A node that starts the
// same module ten thousand times a second spent a quarter of its time on looks; what
// another process changes takes longer than this to be on the disk, and what this one
// changes is seen at once.
const lookTime = time.Millisecond

// maxLooks bounds how many are kept.
const maxLooks = 1024

// looks are what was found a moment ago. The zero value is empty.
type looks struct {
	mu    sync.Mutex
	since uint64 // of changes by this process
	found map[string]look
}

type look struct {
	c  cid.Cid
	at time.Time
}

// get returns what was found under a key, and for put since when.
func (l *looks) get(key string) (c cid.Cid, ok bool, since uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.found[key]
	return f.c, ok && time.Since(f.at) < lookTime, l.since
}

// put notes what was found, unless there was a change since get.
func (l *looks) put(key string, c cid.Cid, since uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since != since {
		return
	}
	if l.found == nil || len(l.found) >= maxLooks {
		l.found = map[string]look{}
	}
	l.found[key] = look{c, time.Now()}
}

// forget is called behind each change.
func (l *looks) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since++
	l.found = nil
}
