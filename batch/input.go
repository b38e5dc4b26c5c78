package batch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wnode-project/wnode/engine"
)

// MaxBlock bounds what a line may make of a block, in bytes, and a block of a worker.
const MaxBlock = engine.MaxMessage

// Values is a source of what tasks are about. It ends with io.EOF.
type Values func() ([]string, error)

// Lines makes a value of each line, without its end. One longer than fits into a
// spawn is an error.
func Lines(r io.Reader) Values {
	in := bufio.NewReaderSize(r, 64<<10)
	n := 0
	return func() ([]string, error) {
		n++
		var line []byte
		for {
			part, err := in.ReadSlice('\n')
			line = append(line, part...)
			switch {
			case len(line) > engine.MaxSpec:
				return nil, fmt.Errorf("line %d has more than %d bytes: give large input with --pipe, or as files", n, engine.MaxSpec)
			case errors.Is(err, bufio.ErrBufferFull):
				continue
			case err == nil:
				return []string{string(line[:len(line)-1])}, nil
			case errors.Is(err, io.EOF) && len(line) > 0:
				return []string{string(line)}, nil
			}
			return nil, err
		}
	}
}

// Product makes values of each way to take one of each list, those of the last list
// first.
func Product(lists [][]string) Values {
	at := make([]int, len(lists))
	over := len(lists) == 0
	for _, l := range lists {
		over = over || len(l) == 0
	}
	return func() ([]string, error) {
		if over {
			return nil, io.EOF
		}
		values := make([]string, len(lists))
		for i, l := range lists {
			values[i] = l[at[i]]
		}
		over = true
		for i := len(lists) - 1; i >= 0 && over; i-- {
			if at[i]++; at[i] < len(lists[i]) {
				over = false
			} else {
				at[i] = 0
			}
		}
		return values, nil
	}
}

// Size returns how many values a Product has.
func Size(lists [][]string) int {
	n := min(len(lists), 1)
	for _, l := range lists {
		n *= len(l)
	}
	return n
}

// Tasks makes a task of each of the values. With worker its arguments, separated by
// blanks, are the data of a call.
func (t Template) Tasks(values Values, worker bool) func() (*Task, error) {
	seq := 0
	return func() (*Task, error) {
		v, err := values()
		if err != nil {
			return nil, err
		}
		seq++
		task := &Task{Seq: seq, Values: v, Args: t.Args(seq, v)}
		if worker {
			task.Input = []byte(strings.Join(task.Args, " "))
		}
		return task, nil
	}
}

// Blocks makes a task of each block of the input: as many whole lines as have
// size bytes together, or one that is longer.
func (t Template) Blocks(r io.Reader, size int) func() (*Task, error) {
	t.all = false
	seq, ended := 0, false
	var left []byte
	return func() (*Task, error) {
		for {
			for len(left) < size && !ended {
				left = slices.Grow(left, size-len(left))
				n, err := io.ReadFull(r, left[len(left):size])
				left = left[:len(left)+n]
				switch {
				case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
					ended = true
				case err != nil:
					return nil, err
				}
			}
			end := len(left)
			if !ended {
				end = bytes.LastIndexByte(left, '\n') + 1
			}
			switch {
			case end > 0:
				seq++
				block := bytes.Clone(left[:end])
				left = append(left[:0], left[end:]...)
				return &Task{Seq: seq, Args: t.Args(seq, nil), Input: block}, nil
			case ended:
				return nil, io.EOF
			case size >= MaxBlock:
				return nil, fmt.Errorf("block %d: no line ends within %d bytes", seq+1, size)
			}
			size = min(MaxBlock, size+(size*3+9)/10+1) // as GNU parallel does, for all that follow
		}
	}
}

// Skip leaves out the tasks that has says are done.
func Skip(next func() (*Task, error), has func(seq int) bool) func() (*Task, error) {
	return func() (*Task, error) {
		for {
			t, err := next()
			if err != nil || !has(t.Seq) {
				return t, err
			}
		}
	}
}
