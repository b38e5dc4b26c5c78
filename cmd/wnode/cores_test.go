package main

import "testing"

func TestProcessors(t *testing.T) {
	for _, c := range []struct {
		now, cpus    int
		explicit     bool
		procs, slots int
	}{
		{now: 1, cpus: 1, procs: 3, slots: 1},
		{now: 8, cpus: 8, procs: 10, slots: 8},
		{now: 2, cpus: 64, procs: 4, slots: 2}, // limited by a container
		{now: 1, cpus: 8, explicit: true, procs: 1, slots: 1},
		{now: 2, cpus: 8, explicit: true, procs: 2, slots: 1},
		{now: 8, cpus: 8, explicit: true, procs: 8, slots: 6},
		{now: 100, cpus: 8, explicit: true, procs: 100, slots: 8},
	} {
		procs, slots := processors(c.now, c.cpus, c.explicit)
		if procs != c.procs || slots != c.slots {
			t.Errorf("%+v: %d, %d", c, procs, slots)
		}
	}
}
