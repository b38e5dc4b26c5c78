package guest

import "time"

const (
	// maxDelay is how many times longer than its limit a compilation may take on a
	// machine that is busy with something else.
	maxDelay = 6
	// lookEvery is how often it is looked at how busy that is.
	lookEvery = time.Second / 4
)

// afterWork calls f when this program has had so much of the processors' time, at most a
// second of it in a second: what others compute meanwhile is not counted against a
// compilation. worked returns how much that is in all. stop ends that; f may still be
// called.
func afterWork(limit time.Duration, worked func() time.Duration, f func()) (stop func()) {
	over := make(chan struct{})
	go func() {
		tick := time.NewTicker(min(lookEvery, limit))
		defer tick.Stop()
		begin, at, had, used := time.Now(), time.Now(), worked(), time.Duration(0)
		for used < limit && time.Since(begin) < maxDelay*limit {
			select {
			case <-tick.C:
			case <-over:
				return
			}
			now, has := time.Now(), worked()
			used += min(now.Sub(at), has-had)
			at, had = now, has
		}
		f()
	}()
	return func() { close(over) }
}
