package modstore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
)

const (
	childRole = "MODSTORE_TEST_ROLE"
	childDir  = "MODSTORE_TEST_DIR"
	childSeed = "MODSTORE_TEST_SEED"
)

// children are the programs that this test binary can be; each gets the store's
// directory and returns its exit code.
var children = map[string]func(dir string) int{
	"adder": func(dir string) int { return report(addForever(dir)) },
	"mixer": func(dir string) int { return report(mix(dir)) },
}

func report(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func child(t *testing.T, role, dir string, seed int) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir, childSeed+"="+strconv.Itoa(seed))
	return cmd
}

// addForever adds, imports, tags, pins, collects and removes, and prints what was acknowledged,
// until it is killed.
func addForever(dir string) error {
	seed, err := strconv.Atoi(os.Getenv(childSeed))
	if err != nil {
		return err
	}
	s, err := Open(dir)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		data := pattern(1000+(i%4)*1_400_000, uint32(seed*1000+i))
		var c cid.Cid
		if i%2 == 0 {
			c, _, err = s.Add(ctx, bytes.NewReader(data))
		} else {
			c, err = importBytes(s, data)
		}
		if err != nil {
			return err
		}
		fmt.Println("added", c)
		if err := s.Tag("last", c); err != nil {
			return err
		}
		fmt.Println("tagged", c)
		if i%3 == 0 {
			fmt.Println("pinning", c)
			if err := s.Pin(c); err != nil {
				return err
			}
			fmt.Println("pinned", c)
		}
		if i%4 == 3 {
			// All that is neither pinned nor the last: each may be gone now.
			fmt.Println("collecting", c)
			if _, err := s.GC(ctx, GCOptions{UsedBefore: time.Now().Add(time.Hour)}); err != nil {
				return err
			}
			fmt.Println("collected", c)
		}
		if i%5 == 4 {
			fmt.Println("removing", c)
			if err := s.Unpin(c); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			if err := s.Remove(ctx, c); err != nil {
				return err
			}
			fmt.Println("removed", c)
		}
	}
}

// importBytes brings data in block by block, as from a peer.
func importBytes(s *Store, data []byte) (cid.Cid, error) {
	blocks := blocksOf(data)
	im := s.NewImport(blocks[0].c)
	defer im.Discard()
	for _, b := range blocks {
		if _, err := im.Put(b.c, b.data); err != nil {
			return cid.Undef, err
		}
	}
	return blocks[0].c, im.Commit()
}

// rounds returns how often a test does what it does, by default or to soak.
func rounds(usual, soak int) int {
	if os.Getenv("WNODE_SOAK") != "" {
		return soak
	}
	return usual
}

// TestKill kills a process that writes, at many moments, and checks each time
// that what it acknowledged is there and that all that is visible is whole.
func TestKill(t *testing.T) {
	t.Parallel() // it waits for other processes
	var dir string
	var want map[string]bool          // acknowledged: must be there
	var pinned, maybe map[string]bool // maybe pinned
	var last string                   // has the tag
	for round := range rounds(8, 1000) {
		if round%25 == 0 { // checking grows with the store
			dir, want = t.TempDir()+"/store", map[string]bool{}
			pinned, maybe = map[string]bool{}, map[string]bool{}
		}
		cmd := child(t, "adder", dir, round)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The moment is set by work done, and a fraction of the next step.
		lines := bufio.NewReader(out)
		var text []string
		for range 1 + round%7 {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("child ended: %v", err)
			}
			text = append(text, line)
		}
		time.AfterFunc(time.Duration(round*577%9000)*time.Microsecond, func() { _ = cmd.Process.Kill() })
		rest, _ := io.ReadAll(lines)
		_ = cmd.Wait()
		whole, _, _ := cutLast(string(rest), '\n')
		text = append(text, strings.SplitAfter(whole, "\n")...)

		loose := map[string]bool{} // a GC that began takes these
		for _, line := range text {
			verb, c, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch verb {
			case "added":
				want[c] = true
			case "tagged":
				last = c
			case "pinning":
				maybe[c] = true
			case "pinned":
				pinned[c] = true
			case "collecting":
				for k := range want {
					if k != last && !pinned[k] && k[0] != '-' {
						delete(want, k) // from now on it may be there or not
						loose[k] = !maybe[k]
					}
				}
			case "collected":
				for k, all := range loose {
					if all {
						want["-"+k] = true
					}
				}
				clear(loose)
			case "removing":
				delete(want, c) // from now on it may be there or not
			case "removed":
				want["-"+c] = true
			}
		}
		checkAfterKill(t, dir, want)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return "", s, false
}

func checkAfterKill(t *testing.T, dir string, want map[string]bool) {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Error(err)
		return
	}
	if left, err := os.ReadDir(dir + "/tmp"); err != nil || len(left) != 0 {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
	for text := range want {
		c, err := cid.Decode(strings.TrimPrefix(text, "-"))
		if err != nil {
			t.Fatalf("child printed %q", text)
		}
		if has := s.Has(ctx, c); has == strings.HasPrefix(text, "-") {
			t.Errorf("%s: has %v", text, has)
		}
	}
	list, err := s.List(ctx)
	if err != nil {
		t.Error(err)
	}
	for _, e := range list {
		data, err := s.Bytes(ctx, e.CID)
		if err != nil || uint64(len(data)) != e.Size {
			t.Errorf("visible: %v: %d bytes, %v", e, len(data), err)
		}
	}
	tags, err := s.Tags()
	if err != nil {
		t.Error(err)
	}
	for _, c := range tags {
		if !s.Has(ctx, c) {
			t.Errorf("a tag names %v, which is not here", c)
		}
	}
	if _, err := sweep(s); err != nil {
		t.Error(err)
	}
	checkNoOrphans(t, s)
}

// checkNoOrphans compares the blocks on disk with those of the modules.
func checkNoOrphans(t *testing.T, s *Store) {
	t.Helper()
	list, err := s.List(ctx)
	if err != nil {
		t.Error(err)
	}
	sizes := map[string]int{}
	for _, e := range list {
		err := s.Blocks(ctx, e.CID, func(c cid.Cid, data []byte) error {
			sizes[string(c.Hash())] = len(data)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	var sum uint64
	for _, n := range sizes {
		sum += uint64(n)
	}
	if got, err := s.Size(); err != nil || got != sum {
		t.Errorf("Size %d, %v; the modules have %d", got, err, sum)
	}
}

// mix adds, tags, reads, lists and removes a few modules that all processes
// use, and fails on anything but what the others may cause.
func mix(dir string) error {
	seed, err := strconv.Atoi(os.Getenv(childSeed))
	if err != nil {
		return err
	}
	s, err := Open(dir)
	if err != nil {
		return err
	}
	for i := range rounds(40, 400) {
		k := uint32((i*7 + seed*3) % 5)
		data := pattern(int(k)*700_000+50, k/2) // pairs share their first chunk
		c, _, err := s.Add(ctx, bytes.NewReader(data))
		if err != nil {
			return fmt.Errorf("add: %w", err)
		}
		if err := s.Tag(fmt.Sprintf("m:%d", k), c); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		got, err := s.Bytes(ctx, c)
		if err == nil && !bytes.Equal(got, data) || err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("bytes: %w", err)
		}
		if _, err := s.List(ctx); err != nil {
			return fmt.Errorf("list: %w", err)
		}
		if _, err := importBytes(s, data); err != nil {
			return fmt.Errorf("import: %w", err)
		}
		if i%4 == seed%4 {
			if err := s.Remove(ctx, c); err != nil && !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("remove: %w", err)
			}
		}
		if i%10 == 9 {
			if v, err := s.Verify(ctx); err != nil || len(v.Damage) > 0 {
				return fmt.Errorf("verify: %v, %w", v.Damage, err)
			}
		}
		if i%20 == 19 {
			if _, err := sweep(s); err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
			_ = s.Close()
			if s, err = Open(dir); err != nil { // as each command does
				return err
			}
		}
	}
	return nil
}

// TestProcesses has several processes, and goroutines of this one, work on one
// store at once.
func TestProcesses(t *testing.T) {
	t.Parallel() // it waits for other processes
	dir := t.TempDir() + "/store"
	var wg sync.WaitGroup
	for seed := range 3 {
		wg.Go(func() {
			if out, err := child(t, "mixer", dir, seed).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	checkAfterKill(t, dir, nil)
}
