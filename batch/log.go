package batch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// logHeader is the first line of a job log: the columns of GNU parallel.
const logHeader = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"

// Log is a job log: a line for each task whose result is emitted, in the columns of GNU
// parallel. A task that is in it is not done again by who resumes.
//
// A line is written when the output of its task is: whatever ends the program, kill -9 too, what is in the
// log was emitted. What was emitted and is not in the log, in the moment between, is taken back
// by who resumes if the output is a regular file: lines of Seq 0 say which one and, as Receive, by how much it
// is longer than what all lines before have received together; so the sum of that column
// is how long the output must be. Neither file is synced line by line, and both are at the end: a machine
// that loses power may keep lines of the log whose output it lost.
type Log struct {
	f      *os.File
	buf    []byte
	done   seqs
	total  int64  // of Receive
	torn   bool   // the output may have more than the log says
	output string // the regular file that the output was begun to be written to; "" when that came to its end
}

// OpenLog begins a log, or goes on with one if resume. out is the file that the output goes to; nil:
// none of its own. The error says what is wrong with which file.
func OpenLog(path string, resume bool, out *os.File) (_ *Log, err error) {
	l := &Log{}
	if l.f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.f.Close()
		}
	}()
	if unix.Flock(int(l.f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil, fmt.Errorf("%s: another map writes it", path)
	}
	good := int64(0)
	if resume {
		if good, err = l.load(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	// What is behind the last whole line was torn by the end of who wrote it.
	if err := l.f.Truncate(good); err != nil {
		return nil, err
	}
	if _, err := l.f.Seek(good, io.SeekStart); err != nil {
		return nil, err
	}
	if good == 0 {
		l.buf = append(l.buf, logHeader...)
	}
	if err := l.attach(out); err != nil {
		return nil, err
	}
	return l, l.flush()
}

// load reads a log and returns how long its whole lines are.
func (l *Log) load() (good int64, err error) {
	in := bufio.NewReaderSize(l.f, 64<<10)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return good, nil
		} else if err != nil {
			return 0, err
		}
		if n == 1 && string(line) != logHeader {
			return 0, fmt.Errorf("this is no job log: its first line is not that of one")
		}
		good += int64(len(line))
		if n == 1 {
			continue
		}
		f := bytes.SplitN(line[:len(line)-1], []byte{'\t'}, 9)
		if len(f) != 9 {
			return 0, fmt.Errorf("line %d has %d columns, not 9", n, len(f))
		}
		seq, err1 := strconv.Atoi(string(f[0]))
		received, err2 := strconv.ParseInt(string(f[5]), 10, 64)
		if err1 != nil || err2 != nil || seq < 0 {
			return 0, fmt.Errorf("line %d: no numbers in the columns Seq and Receive", n)
		}
		l.total += received
		if seq == 0 {
			l.output = strings.TrimPrefix(string(f[8]), "output ")
			continue
		}
		l.done.add(seq)
	}
}

// attach notes where the output goes from here on, and takes back what the log does not
// know of.
func (l *Log) attach(out *os.File) error {
	before := l.output
	l.output = ""
	var info unix.Stat_t
	if out == nil || unix.Fstat(int(out.Fd()), &info) != nil || info.Mode&unix.S_IFMT != unix.S_IFREG {
		if before != "" {
			l.mark(0)
		}
		return nil
	}
	flags, err := unix.FcntlInt(out.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	appends := flags&unix.O_APPEND != 0
	at := info.Size
	if !appends {
		if at, err = out.Seek(0, io.SeekCurrent); err != nil {
			return err
		}
	}
	l.output = fmt.Sprintf("%d:%d", info.Dev, info.Ino)
	if l.output == before && info.Size > l.total && at >= l.total {
		if err := out.Truncate(l.total); err != nil {
			return fmt.Errorf("the output has %d bytes that the log does not know: %w", info.Size-l.total, err)
		}
		if at = l.total; !appends {
			if _, err := out.Seek(at, io.SeekStart); err != nil {
				return err
			}
		}
	}
	l.mark(at - l.total)
	return nil
}

// mark notes the output, and by how much it is longer than the log knew.
func (l *Log) mark(longer int64) {
	l.line(0, ":", time.Now(), 0, 0, longer, 0, "output "+l.output)
}

func (l *Log) line(seq int, host string, start time.Time, took time.Duration, sent, received int64, code int, command string) {
	l.total += received
	// As GNU parallel: a line is one line.
	command = strings.ReplaceAll(command, "\n", "\x00")
	l.buf = fmt.Appendf(l.buf, "%d\t%s\t%.3f\t%10.3f\t%d\t%d\t%d\t0\t%s\n",
		seq, host, float64(start.UnixMicro())/1e6, took.Seconds(), sent, received, code, command)
}

// Has reports whether a task was done before.
func (l *Log) Has(seq int) bool { return l.done.has(seq) }

// add takes a result that is about to be written. flush is called when it is.
func (l *Log) add(r *Result, received int64, command string) {
	l.line(r.Seq, r.Node, r.Start, r.Took, int64(r.Sent), received, r.Code, command)
}

func (l *Log) flush() error {
	if len(l.buf) == 0 {
		return nil
	}
	_, err := l.f.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}

// Close notes that the output has come to its end, unless a write to it has failed, and
// syncs the log; the output is the caller's to sync before. It is to be called once.
func (l *Log) Close() error {
	if l.output != "" && !l.torn {
		l.output = ""
		l.mark(0)
	}
	return errors.Join(l.flush(), l.f.Sync(), l.f.Close())
}

// seqs is a set of numbers from 1, small if they are nearly all up to one.
type seqs struct {
	upTo int // has all of these
	more map[int]struct{}
}

func (s *seqs) add(n int) {
	if s.has(n) {
		return
	}
	if s.more == nil {
		s.more = map[int]struct{}{}
	}
	s.more[n] = struct{}{}
	for {
		if _, ok := s.more[s.upTo+1]; !ok {
			return
		}
		s.upTo++
		delete(s.more, s.upTo)
	}
}

func (s *seqs) has(n int) bool {
	_, ok := s.more[n]
	return ok || n <= s.upTo
}
