package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ipfs/go-cid"

	"github.com/wnode-project/wnode"
	"github.com/wnode-project/wnode/control"
	"github.com/wnode-project/wnode/engine"
	"github.com/wnode-project/wnode/modstore"
)

// isPath reports whether MODULE names a file: it begins as a path or ends as
// source or module does. Anything else is a CID, a prefix of one, or a tag.
func isPath(module string) bool {
	if module == "." || module == ".." || strings.HasPrefix(module, "./") || strings.HasPrefix(module, "../") || filepath.IsAbs(module) {
		return true
	}
	switch filepath.Ext(module) {
	case ".wasm", ".car", ".go", ".c", ".rs", ".ts":
		return true
	}
	return false
}

// ofPeer splits MODULE of the form PEER/NAME: what another node has under a tag, CID
// or prefix.
func ofPeer(module string) (peer, name string, ok bool) {
	peer, name, ok = strings.Cut(module, "/")
	if isPath(module) || peer == "" || name == "" || strings.Contains(name, "/") {
		return "", "", false
	}
	return peer, name, ok
}

// onPeer gives --on and MODULE the meaning that PEER/NAME has for them.
func onPeer(on, module string) (peer, name string, err error) {
	peer, name, ok := ofPeer(module)
	switch {
	case !ok:
		return on, module, nil
	case on != "local" && on != peer:
		return "", "", usagef("--on %s and %s name two nodes", clean(on), clean(module))
	}
	return peer, name, nil
}

// offline reports whether a command needs no network to run a module on a selector.
func offline(on, module string) bool {
	_, _, remote := ofPeer(module)
	return on == "local" && !remote
}

// resolve finds MODULE at the origin, or at the peer that it names, and leaves a name
// that is not known here to the target: on, "local" or not.
func (a *app) resolve(ctx context.Context, n *wnode.Node, module string, memory uint64, on string) (engine.Module, error) {
	if isPath(module) {
		id, bytes, err := a.importFile(ctx, n, module, memory)
		return engine.Module{CID: id, Size: bytes, Name: moduleName(module)}, err
	}
	if peer, name, ok := ofPeer(module); ok {
		return a.resolveAt(ctx, n, peer, name, on)
	}
	id, err := n.Store.Resolve(module)
	switch {
	case err == nil:
		n.Store.Use(id) // a gc meanwhile leaves it
		return engine.Module{CID: id, Name: module}, nil
	case on != "local" && errors.Is(err, modstore.ErrNotFound):
		return engine.Module{Name: module}, nil
	case errors.Is(err, modstore.ErrNotFound):
		return engine.Module{}, notFoundf("module_not_found", "no module %q in your store%s: give a path such as ./%s.wasm, or --on a node that has it", clean(module), fileHint(module), clean(module))
	}
	return engine.Module{}, &failure{"badarg", exitNotFound, exitNoObject, err}
}

// resolveAt finds a module by the name that it has at a peer. If it is to run elsewhere
// it is fetched: the peer need not be connected with the target, as this node is.
func (a *app) resolveAt(ctx context.Context, n *wnode.Node, peer, name, on string) (engine.Module, error) {
	cl, err := a.reach(ctx, n, peer)
	if f := classify(err); err != nil && f.word == "unknown_peer" {
		return engine.Module{}, &failure{f.word, f.run, f.code, fmt.Errorf("%w%s", err, fileHint(peer+"/"+name))}
	}
	if err != nil {
		return engine.Module{}, err
	}
	m, id, err := findAt(ctx, cl, name)
	if err != nil {
		return engine.Module{}, fmt.Errorf("%s: %w", clean(peer), err)
	}
	if on != peer {
		if _, err := n.Net.Open(ctx, id, m.Size, cl.Node); err != nil {
			return engine.Module{}, err
		}
		n.Store.Use(id) // a gc meanwhile leaves it
	}
	return engine.Module{CID: id, Size: m.Size, Name: name}, nil
}

// findAt asks a node what it has under a name.
func findAt(ctx context.Context, cl control.Client, name string) (m control.Module, id cid.Cid, err error) {
	if m, err = cl.Find(ctx, name); err != nil {
		return m, id, err
	}
	if id, err = cid.Decode(m.CID); err != nil {
		err = fmt.Errorf("it answered with a bad CID: %w", err)
	}
	return m, id, err
}

// fileHint tells of a file that has the name of no module.
func fileHint(name string) string {
	if _, err := os.Stat(name); err == nil {
		return fmt.Sprintf(" (there is a file of that name: ./%s)", clean(name))
	}
	return ""
}
