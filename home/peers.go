package home

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Known is a line of the peer book: a node this home has been connected to.
type Known struct {
	Name   string
	PeerID string
	Addrs  []string
}

// PeersFile returns where the peer book is.
func (h *Home) PeersFile() string { return filepath.Join(h.Dir, "peers") }

// Peers returns the peer book. Lines it cannot read are skipped.
func (h *Home) Peers() ([]Known, error) {
	data, err := os.ReadFile(h.PeersFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Known
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		if f := strings.Fields(s.Text()); len(f) >= 2 && !strings.HasPrefix(f[0], "#") {
			out = append(out, Known{Name: f[0], PeerID: f[1], Addrs: f[2:]})
		}
	}
	return out, nil
}

// Remember writes a node into the peer book. A line with the same name but
// another peer id is replaced only if trusted, else it is an error: some
// other node may have taken the name.
func (h *Home) Remember(k Known, trusted bool) error {
	unlock, err := lockWait(filepath.Join(h.Dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	all, err := h.Peers()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(o Known) bool { return o.Name == k.Name })
	switch {
	case i < 0:
		all = append(all, k)
	case all[i].PeerID != k.PeerID && !trusted:
		return fmt.Errorf("node %s is %s, but this home knows %s as %s: if that is right, remove its line from %s",
			k.Name, k.PeerID, k.Name, all[i].PeerID, h.PeersFile())
	case all[i].PeerID == k.PeerID && slices.Equal(all[i].Addrs, k.Addrs):
		return nil
	default:
		all[i] = k
	}
	var b []byte
	for _, k := range all {
		b = fmt.Appendf(b, "%s %s %s\n", k.Name, k.PeerID, strings.Join(k.Addrs, " "))
	}
	return WriteFile(h.PeersFile(), b)
}
