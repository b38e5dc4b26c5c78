package engine

import (
	"sync"
	"time"
)

// Quota bounds what the processes of one origin take of a node together: of any
// but the node's owner. Zero fields are the default.
type Quota struct {
	Processes int    // alive at once
	Spawns    int    // a second; as many at once
	Memory    uint64 // bytes of linear memory
}

// The default quota. A peer that may run processes is trusted to some degree:
// it shall not be able to take all of a node by mistake.
const (
	defaultProcesses = MaxProcesses / 4
	defaultSpawns    = 20_000
	defaultMemory    = 8 << 30
)

// quotas holds what each origin uses.
type quotas struct {
	Quota
	owner Origin

	mu sync.Mutex
	by map[Origin]*usage
}

type usage struct {
	processes int
	memory    uint64
	tokens    float64 // spawns it may do at once
	at        time.Time
}

func (q *quotas) init(c Config) {
	q.Quota, q.owner, q.by = c.Quota, c.Owner, map[Origin]*usage{}
	if q.Processes == 0 {
		q.Processes = defaultProcesses
	}
	if q.Spawns == 0 {
		q.Spawns = defaultSpawns
	}
	if q.Memory == 0 {
		q.Memory = defaultMemory
	}
}

// spawn takes a process of the origin, or says why not.
func (q *quotas) spawn(o Origin) Reason {
	if o == q.owner {
		return Reason{}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	u := q.by[o]
	if u == nil {
		q.forget(now)
		u = &usage{tokens: float64(q.Spawns), at: now}
		q.by[o] = u
	}
	u.tokens = min(float64(q.Spawns), u.tokens+now.Sub(u.at).Seconds()*float64(q.Spawns))
	u.at = now
	switch {
	case u.processes >= q.Processes:
		return Reasonf(SystemLimit, "its origin has %d processes here, the limit is %d", u.processes, q.Processes)
	case u.tokens < 1:
		return Reasonf(SystemLimit, "its origin spawns more than %d processes a second", q.Spawns)
	}
	u.tokens--
	u.processes++
	return Reason{}
}

// forget drops who has nothing here and has not spawned for long enough that it
// may do all at once again. q.mu is held.
func (q *quotas) forget(now time.Time) {
	for o, u := range q.by {
		if u.processes == 0 && now.Sub(u.at) > time.Second {
			delete(q.by, o)
		}
	}
}

// exit gives back what spawn took, and the memory that is still used.
func (q *quotas) exit(o Origin, memory uint64) {
	if o == q.owner {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.by[o]
	u.processes--
	u.memory -= memory
}

// resize changes the memory that a process uses; false if that is too much.
func (q *quotas) resize(o Origin, from, to uint64) bool {
	if o == q.owner {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.by[o]
	if to > from && u.memory+to-from > q.Memory {
		return false
	}
	u.memory += to - from
	return true
}

// UseMemory says how many bytes of linear memory the process uses from now on.
// If that is more than its origin may have together, it reports false and tells
// the process to end. The goroutine that runs the process calls it.
func (p *Process) UseMemory(n uint64) bool {
	if !p.eng.quotas.resize(p.account, p.memory, n) {
		p.Kill(Limit(Memory, "%d MiB of all processes of its origin", p.eng.quotas.Memory>>20))
		return false
	}
	p.memory = n
	return true
}
