package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
)

// maxAsked bounds how many nodes are asked at once.
const maxAsked = 8

// answer is what one node said.
type answer[T any] struct {
	node  string
	value T
	err   error
}

// answers are those of the nodes that a selector means, in its order.
type answers[T any] struct {
	list    []answer[T]
	several bool // nodes were meant, also if there is one
}

// onNodes asks the nodes that a selector means, several at once. wait bounds the
// question to one node, not the time to reach it; 0 is for ever. The error is that
// nobody was asked.
func onNodes[T any](ctx context.Context, a *app, on string, wait time.Duration, ask func(control.Client, context.Context) (T, error)) (answers[T], error) {
	n, err := a.start(ctx, wnode.Config{Offline: on == "local"})
	if err != nil {
		return answers[T]{}, err
	}
	defer n.Close()
	return askNodes(ctx, a, n, on, wait, ask)
}

// askNodes is onNodes, for a command whose hidden node is n.
func askNodes[T any](ctx context.Context, a *app, n *wnode.Node, on string, wait time.Duration, ask func(control.Client, context.Context) (T, error)) (answers[T], error) {
	sel, err := parseOn(on)
	if err != nil {
		return answers[T]{}, err
	}
	names, err := a.named(ctx, n, strings.Split(on, ","))
	if err != nil {
		return answers[T]{}, err
	}
	seen := map[string]bool{}
	names = slices.DeleteFunc(names, func(name string) bool {
		defer func() { seen[name] = true }()
		return seen[name]
	})
	slots := make(chan struct{}, maxAsked)
	list := make([]answer[T], len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			r := &list[i]
			r.node = name
			cl := n.Self
			if name != "local" {
				if cl, r.err = a.reach(ctx, n, name); r.err != nil {
					return
				}
			}
			ctx, cancel := ctx, context.CancelFunc(func() {})
			if wait > 0 {
				ctx, cancel = context.WithTimeout(ctx, wait)
			}
			defer cancel()
			r.value, r.err = ask(cl, ctx)
		})
	}
	wg.Wait()
	return answers[T]{list, sel.Every() || len(list) > 1}, nil
}

// printAnswers prints what nodes said: the rows of one as a table, those of several
// with the node before each. With --json it prints the value of one, or a list of
// objects of node and result, or node and error. Failures of some go to stderr, and
// make the exit code 5.
func printAnswers[T any](a *app, all answers[T], header []string, rows func(T) [][]string) error {
	var failed error
	good := 0
	table := [][]string{}
	objects := []map[string]any{}
	if header != nil {
		table = append(table, slices.Clone(header))
		if all.several {
			table[0] = slices.Insert(table[0], 0, "NODE")
		}
	}
	for _, r := range all.list {
		if r.err != nil {
			if !all.several {
				return r.err
			}
			failed = r.err
			objects = append(objects, map[string]any{"node": r.node, "error": clean(r.err.Error()), "code": classify(r.err).word})
			a.note("%s: %s", clean(r.node), clean(r.err.Error()))
			continue
		}
		good++
		objects = append(objects, map[string]any{"node": r.node, "result": r.value})
		for _, row := range rows(r.value) {
			if all.several {
				row = slices.Insert(row, 0, r.node)
			}
			table = append(table, row)
		}
	}
	if failed != nil && good == 0 {
		return failed
	}
	if failed != nil {
		a.code = exitPartial
	}
	switch {
	case a.json && all.several:
		return a.print(objects)
	case a.json:
		return a.print(all.list[0].value)
	}
	return a.table(table)
}
