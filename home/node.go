package home

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var nameRE = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// reserved words mean something else where a node is named.
var reserved = []string{"local", "any", "all", "label", "self"}

// CheckName says what is wrong with a node's name.
func CheckName(name string) error {
	switch {
	case slices.Contains(reserved, name):
		return fmt.Errorf("%q is a reserved word: choose another name", name)
	case !nameRE.MatchString(name):
		return fmt.Errorf("%q is not a node name: want a-z, 0-9, _ and -, at most 63, not beginning with _ or -", name)
	}
	return nil
}

// ErrRuns is returned by Home.Node for a node that runs already.
var ErrRuns = errors.New("runs already")

// Node is the state of a node while it runs. Only one process has it.
type Node struct {
	Name        string
	Dir         string
	Key         ed25519.PrivateKey
	Incarnation uint32 // counts the starts of the node, from 1

	lock *os.File
}

// Node takes the state of a node for this process, and makes it on first use.
// A name that runs is ErrRuns, with its process id in the text.
func (h *Home) Node(name string) (*Node, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	n := &Node{Name: name, Dir: filepath.Join(h.Dir, "nodes", name)}
	if err := os.MkdirAll(n.Dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(n.Dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(lock, false); err != nil {
		_, pid, err := readLock(lock)
		if err != nil {
			pid = 0 // who runs it is only a hint
		}
		return nil, errors.Join(fmt.Errorf("node %s %w (process %d): stop it with `wnode down %s`, or choose another name", name, ErrRuns, pid, name), lock.Close())
	}
	// Only now: until the lock was ours another start could have counted on.
	if n.Incarnation, _, err = readLock(lock); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	n.lock = lock
	// Written in place, for the lock is on this very file: the incarnation is
	// of fixed width, so that a torn write is a higher number at worst.
	n.Incarnation++
	if _, err = lock.WriteAt(fmt.Appendf(nil, "%010d %d\n", n.Incarnation, os.Getpid()), 0); err == nil {
		err = lock.Sync()
	}
	if err == nil {
		n.Key, err = h.key(filepath.Join(n.Dir, "key"))
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return n, nil
}

// readLock returns what the last start of a node wrote into its lock file: its
// incarnation, and its process. An empty file is that of a new node. Any other
// that cannot be read is an error: to begin again at 1 would use pids twice.
func readLock(f *os.File) (incarnation uint32, pid int, err error) {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 64))
	if err != nil || len(text) == 0 {
		return 0, 0, err
	}
	if _, err := fmt.Sscanf(string(text), "%d %d", &incarnation, &pid); err != nil {
		return 0, 0, fmt.Errorf("%s is damaged (%w): it counts the starts of the node; write a number into it above all that were there, as `1000000 0`", f.Name(), err)
	}
	return incarnation, pid, nil
}

// HasNode reports whether a node of that name was started in this home.
func (h *Home) HasNode(name string) bool {
	if CheckName(name) != nil {
		return false
	}
	_, err := os.Stat(filepath.Join(h.Dir, "nodes", name, "key"))
	return err == nil
}

// Close gives the node's state back.
func (n *Node) Close() error { return n.lock.Close() }

// Modules and Cache return the directories of the store and of compiled code.
func (n *Node) Modules() string { return filepath.Join(n.Dir, "modules") }

// Cache returns the directory of compiled code.
func (n *Node) Cache() string { return filepath.Join(n.Dir, "cache") }

// Logs returns the directory of what detached processes write.
func (n *Node) Logs() string { return filepath.Join(n.Dir, "logs") }

// Port returns the port this node had before, 0 if none.
func (n *Node) Port() int {
	b, err := os.ReadFile(filepath.Join(n.Dir, "port"))
	if err != nil {
		return 0
	}
	port, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || port < 1 || port > 65535 {
		return 0
	}
	return port
}

// SetPort remembers the port.
func (n *Node) SetPort(port int) error {
	return WriteFile(filepath.Join(n.Dir, "port"), fmt.Appendf(nil, "%d\n", port))
}

// Announcement tells the user's other processes how to reach a running node.
type Announcement struct {
	Name    string   `json:"name"`
	PeerID  string   `json:"peer_id"`
	Addrs   []string `json:"addrs"` // multiaddrs with /p2p/
	Process int      `json:"process"`
}

// Announce publishes a running node until the returned function is called or
// the process ends: the file is locked while it is true.
func (h *Home) Announce(a Announcement) (withdraw func() error, err error) {
	data, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(h.Run, ".tmp-*")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(h.Run, a.Name)
	_, err = f.Write(data)
	if err == nil {
		err = flock(f, false)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()), f.Close())
	}
	return func() error { return errors.Join(os.Remove(path), f.Close()) }, nil
}

// Announced returns the nodes that run now, by name. Announcements of
// processes that died are removed on the way.
func (h *Home) Announced() []Announcement {
	entries, err := os.ReadDir(h.Run)
	if err != nil {
		return nil
	}
	var out []Announcement
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if a, ok := readAnnouncement(filepath.Join(h.Run, e.Name())); ok && a.Name == e.Name() {
			out = append(out, a)
		}
	}
	return out
}

func readAnnouncement(path string) (a Announcement, ok bool) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return a, false
	}
	defer f.Close()
	if flock(f, true) == nil { // its owner is dead
		mine, err1 := f.Stat()
		now, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, now) {
			os.Remove(path)
		}
		return a, false
	}
	return a, json.NewDecoder(f).Decode(&a) == nil
}
