package bench

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// BenchmarkMessages is messages between guests of two nodes, each a process of the
// system, as a user starts them: round trips, one-way messages, large ones, round
// trips beside large ones, and from a spawn to the child's first message. It needs
// clang. Compare it with Erlang's, measured in the same minutes.
func BenchmarkMessages(b *testing.B) {
	dir := b.TempDir()
	command := filepath.Join(dir, "wnode")
	build(b, exec.Command("go", "build", "-o", command, "../../cmd/wnode"))
	guest := func(name string, args ...string) string {
		out := filepath.Join(dir, name+".wasm")
		args = append([]string{"--target=wasm32-wasi", "-I../../sdk/c", "-O2", "-o", out, "guests/" + name + ".c"}, args...)
		build(b, exec.Command("clang", args...))
		return out
	}
	flow, spawn, first := guest("flow"), guest("spawn"), guest("first", "-nostartfiles")
	wnode := func(args ...string) string {
		cmd := exec.Command(command, args...)
		cmd.Env = append(cmd.Environ(), "WNODE_HOME="+filepath.Join(dir, "home"), "GOMAXPROCS=")
		out, err := cmd.Output()
		if err != nil {
			b.Fatalf("wnode %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	address := regexp.MustCompile(`\S+/tcp/\S+`).FindString(wnode("up", "-d", "kate"))
	b.Cleanup(func() { wnode("down", "kate") })
	wnode("up", "-d", "alex", "--join", address)
	b.Cleanup(func() { wnode("down", "alex") })
	wnode("module", "add", "--on", "kate", "--tag", "first", first)
	for _, c := range []struct {
		name string
		args []string
		want map[string]string // unit: how it is printed
	}{
		{"round trip, two nodes", []string{"../../wasm-examples/pingpong/pingpong.wasm", "5000", "kate"},
			map[string]string{"us-p50": `p50 ([0-9.]+)`, "us-p99": `p99 ([0-9.]+)`}},
		{"round trip, one node", []string{"../../wasm-examples/pingpong/pingpong.wasm", "100000"},
			map[string]string{"us-p50": `p50 ([0-9.]+)`}},
		{"one way, 64 B", []string{flow, "64", "1000000", "kate"}, map[string]string{"messages/s": `([0-9.]+) messages/s`}},
		{"one way, 1 MiB", []string{flow, "1048576", "500", "kate"}, map[string]string{"MB/s": `([0-9.]+) MB/s`}},
		{"round trip beside 1 MiB messages", []string{flow, "1048576", "1", "kate", "2000"},
			map[string]string{"us-p50": `p50 ([0-9.]+)`, "us-p99": `p99 ([0-9.]+)`}},
		{"spawn, two nodes", []string{spawn, "first", "5000", "64", "kate"},
			map[string]string{"us-p50": `p50 ([0-9.]+)`, "us-p99": `p99 ([0-9.]+)`, "spawns/s": `([0-9.]+) spawns/s`}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var out string
			for b.Loop() {
				out = wnode(append([]string{"run", "-n", "--on", "alex"}, c.args...)...)
			}
			for unit, pattern := range c.want {
				m := regexp.MustCompile(pattern).FindStringSubmatch(out)
				if m == nil {
					b.Fatalf("no figure in %q", out)
				}
				v, err := strconv.ParseFloat(m[1], 64)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(v, unit)
			}
		})
	}
}

func build(b *testing.B, cmd *exec.Cmd) {
	b.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v: %s", cmd.Args, err, out)
	}
}
