package main

import "testing"

func TestPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 800, 1 << 20: 800, 8 << 20: 400, 16 << 20: 200, 32 << 20: 100, 8 << 30: 100} {
		if got := percent(live, busyWork); got != want {
			t.Errorf("%d live bytes: %d, want %d", live, got, want)
		}
		if got := percent(live, busyWork-1); got != 100 {
			t.Errorf("%d live bytes and little to do: %d", live, got)
		}
	}
}
