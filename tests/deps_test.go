package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/wnode-project/wnode"

// forbidden are the arrows that must not be: a package of ours (and what lies
// below it, if it ends in /...) on the left must not depend on one on the right,
// directly or through others.
var forbidden = []struct {
	from, to, why string
}{
	{"engine", "github.com/libp2p/go-libp2p/...", "the process model is a core without sockets: a Dist brings the network"},
	{"engine", "github.com/tetratelabs/wazero/...", "what a process runs is behind engine.Runner"},
	{"engine", module + "/modstore/...", "where modules come from is behind engine.Modules"},
	{"engine", module + "/hostfuncs/...", "host functions call the engine, never the other way"},
	{"engine", module + "/p2p/...", "the network calls the engine, never the other way"},
	{"engine/otp", "github.com/libp2p/go-libp2p/...", "OTP is processes and messages"},
	{"engine/otp", "github.com/tetratelabs/wazero/...", "OTP is processes and messages"},
	{"engine/otp", module + "/p2p/...", "OTP is processes and messages"},
	{"engine/guest", "github.com/libp2p/go-libp2p/...", "running a module needs no network"},
	{"engine/guest", module + "/hostfuncs", "what guests may call is handed in: guest.HostModules; only its list, abi, is data"},
	{"engine/guest/slots", module + "/engine", "taking turns needs no process model"},
	{"engine/guest/slots", "github.com/tetratelabs/wazero/...", "taking turns needs no compiler"},
	{"engine/guest/wasmfile", module + "/engine", "reading a module is of use to everyone: it needs no process model"},
	{"engine/guest/wasmfile", "github.com/tetratelabs/wazero/...", "reading a module needs no compiler"},
	{"engine/guest/wasmcode", module + "/engine/...", "all that looks into code builds on it: it builds on nothing"},
	{"engine/guest/wasmcode", "github.com/tetratelabs/wazero/...", "reading instructions needs no compiler"},
	{"engine/guest/image", module + "/engine", "a pass over bytes needs no process model"},
	{"engine/guest/image", "github.com/tetratelabs/wazero/...", "a pass over bytes needs no compiler"},
	{"engine/guest/meter", module + "/engine", "counting is a matter of bytes: it needs no process model"},
	{"engine/guest/meter", "github.com/tetratelabs/wazero/...", "the rewritten module is for any compiler"},
	{"engine/guest/codecache", module + "/engine", "files with a MAC need no process model"},
	{"engine/guest/codecache", "github.com/tetratelabs/wazero/...", "what the code is does not matter to its keeper"},
	{"supervise", module + "/engine/guest/...", "a tree is specs and places"},
	{"supervise", module + "/p2p/...", "a tree is specs and places"},
	{"supervise", module + "/modstore/...", "who starts a tree knows its modules"},
	{"internal/near", module + "/engine", "words are just words"},
	{"modstore", module + "/engine/...", "the store knows blocks, not processes"},
	{"modstore", "github.com/libp2p/go-libp2p", "the store has no network; p2p moves blocks"},
	{"modstore", "github.com/libp2p/go-libp2p/p2p/...", "the store has no network; p2p moves blocks"},
	{"hostfuncs/...", module + "/p2p/...", "a guest reaches the network through the engine alone"},
	{"hostfuncs/...", module + "/modstore/...", "a guest does not see the store"},
	{"hostfuncs/abi", module + "/engine/...", "the ABI is data that SDKs are checked against"},
	{"hostfuncs/abi", "github.com/tetratelabs/wazero/...", "the ABI is data that SDKs are checked against"},
	{"origin", "github.com/libp2p/go-libp2p/...", "the terminal's side is a process like others"},
	{"origin", "github.com/tetratelabs/wazero/...", "the terminal's side runs nothing"},
	{"batch", "github.com/libp2p/go-libp2p/...", "a map is a process like others: it is handed its nodes"},
	{"batch", "github.com/tetratelabs/wazero/...", "a map runs nothing itself"},
	{"batch", module + "/origin/...", "files are behind batch.Files"},
	{"batch", module + "/control/...", "who may run tasks is said by Config.Nodes"},
	{"build/...", module + "/engine/...", "what is built is a file, whoever runs it"},
	{"build/...", module + "/modstore/...", "a module is in no store before its user puts it there"},
	{"build/...", module + "/home/...", "where modules are kept is handed in"},
	{"sdk", module + "/hostfuncs/...", "the libraries are files"},
	{"logs", "github.com/libp2p/go-libp2p/...", "what processes write comes to a process like others"},
	{"home", module + "/engine/...", "the state on disk is files, whoever uses them"},
	{"p2p/...", "github.com/tetratelabs/wazero/...", "the network does not run modules"},
	{"p2p/...", module + "/hostfuncs/...", "the network does not run modules"},
	{"p2p/wire", "github.com/libp2p/go-libp2p/...", "the wire is bytes, whatever carries them"},
	{"control", module + "/p2p/...", "control describes the network it is handed"},
	{"placement", module + "/p2p/...", "nodes are found through the engine, whatever connects them"},
	{"...", module + "/cmd/...", "nothing builds on the command"},
}

type pkg struct {
	ImportPath string
	Deps       []string
}

// matches reports whether a path is the pattern, or below it if it ends in /...
func matches(pattern, path string) bool {
	base, below := strings.CutSuffix(pattern, "/...")
	return path == base || below && strings.HasPrefix(path, base+"/")
}

func TestForbiddenImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Deps", module+"/...")
	cmd.Env = append(cmd.Environ(), "GOFLAGS=-buildvcs=false")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	ours := map[string][]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if matches(module+"/...", p.ImportPath) {
			ours[p.ImportPath] = p.Deps
		}
	}
	if len(ours) < 10 {
		t.Fatalf("go list found only %d packages", len(ours))
	}
	for _, f := range forbidden {
		from := module + "/" + f.from
		found := false
		for path, deps := range ours {
			if !matches(from, path) {
				continue
			}
			found = true
			for _, d := range deps {
				if matches(f.to, d) && !matches(module+"/cmd/...", path) {
					t.Errorf("%s depends on %s: %s", strings.TrimPrefix(path, module+"/"), d, f.why)
				}
			}
		}
		if !found {
			t.Errorf("no package %s: the rule %q names nothing", f.from, f.why)
		}
	}
}
