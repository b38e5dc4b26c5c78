package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

// Each origin but the owner's has its share of processes, spawns and memory,
// and gets it back.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		owner, alex, kate := Origin{1}, Origin{2}, Origin{3}
		var q quotas
		q.init(Config{Owner: owner, Quota: Quota{Processes: 3, Spawns: 5, Memory: 100}})
		spawn := func(o Origin, want string) {
			t.Helper()
			if why := q.spawn(o); why.Detail != want {
				t.Errorf("got %q, want %q", why.Detail, want)
			}
		}
		for range 3 {
			spawn(alex, "")
		}
		spawn(alex, "its origin has 3 processes here, the limit is 3")
		spawn(kate, "")
		for range 10 {
			spawn(owner, "")
		}
		for range 3 {
			q.exit(alex, 0)
		}
		spawn(alex, "")
		spawn(alex, "")
		spawn(alex, "its origin spawns more than 5 processes a second")
		time.Sleep(200 * time.Millisecond) // one more
		spawn(alex, "")
		q.exit(alex, 0)
		spawn(alex, "its origin spawns more than 5 processes a second")

		if !q.resize(alex, 0, 60) || q.resize(alex, 0, 41) || !q.resize(alex, 0, 40) || !q.resize(kate, 0, 100) || !q.resize(owner, 0, 1<<40) {
			t.Error("memory is not counted by origin")
		}
		if !q.resize(alex, 60, 10) || !q.resize(alex, 0, 50) {
			t.Error("memory is not given back")
		}
		q.exit(alex, 100)
		q.exit(alex, 0)
		q.exit(kate, 100)
		time.Sleep(2 * time.Second)
		spawn(Origin{4}, "")
		if len(q.by) != 1 {
			t.Errorf("%d origins are kept", len(q.by))
		}
	})
}
