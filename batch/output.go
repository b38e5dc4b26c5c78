package batch

import (
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/wnode-project/wnode/engine"
)

// Output is what a task wrote, in order: up to SpillAt bytes in memory, beyond that
// all of it in a temporary file, which has no name. The zero value is empty.
type Output struct {
	parts []part
	size  int64
	file  *os.File // the parts, each behind a header: stream u8, length u32
}

type part struct {
	stream engine.Stream
	data   []byte
}

const partHeader = 5

// add appends; the data is the output's from here on.
func (o *Output) add(s engine.Stream, data []byte, dir string) error {
	if len(data) == 0 {
		return nil
	}
	o.size += int64(len(data))
	if o.file == nil && o.size <= SpillAt {
		o.parts = append(o.parts, part{s, data})
		return nil
	}
	if o.file == nil {
		f, err := os.CreateTemp(dir, "wnode-map-")
		if err != nil {
			return err
		}
		o.file = f
		if err := os.Remove(f.Name()); err != nil {
			return err
		}
	}
	var b []byte
	for _, p := range append(o.parts, part{s, data}) {
		b = append(b, byte(p.stream))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p.data)))
		b = append(b, p.data...)
	}
	o.parts = nil
	_, err := o.file.Write(b)
	return err
}

// Size returns how many bytes both streams have together.
func (o *Output) Size() int64 { return o.size }

// Each calls f for each part in order, and ends with its first error. The data is f's
// until it returns.
func (o *Output) Each(f func(s engine.Stream, data []byte) error) error {
	for _, p := range o.parts {
		if err := f(p.stream, p.data); err != nil {
			return err
		}
	}
	if o.file == nil {
		return nil
	}
	in := io.NewSectionReader(o.file, 0, o.size*(1+partHeader))
	var head [partHeader]byte
	var buf []byte
	for {
		if _, err := io.ReadFull(in, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		n := int(binary.LittleEndian.Uint32(head[1:]))
		if cap(buf) < n {
			buf = make([]byte, n)
		}
		if _, err := io.ReadFull(in, buf[:n]); err != nil {
			return err
		}
		if err := f(engine.Stream(head[0]), buf[:n]); err != nil {
			return err
		}
	}
}

// discard gives back what the output has.
func (o *Output) discard() {
	if o.file != nil {
		o.file.Close() // it was only read since, or is of no use
	}
	*o = Output{}
}
