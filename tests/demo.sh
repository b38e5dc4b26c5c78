#!/bin/sh
# The scenario wnode grew from, played with two nodes on this machine, in a home
# of its own that is removed at the end. Usage: tests/demo.sh PATH-TO-WNODE
set -eu
wnode=$1
WNODE_HOME=$(mktemp -d)
export WNODE_HOME
cleanup() {
	"$wnode" down kate 2>/dev/null || true
	"$wnode" down alex 2>/dev/null || true
	rm -rf "$WNODE_HOME"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '\n%s\n' "$*"; }
show() { # prints a command as typed, runs it, and keeps its exit code
	printf '$ wnode %s\n' "$*"
	code=0
	"$wnode" "$@" || code=$?
}

say "1. Two nodes, two processes. They prove to each other that they know the same secret."
show up -d kate >"$WNODE_HOME/kate"
cut -c1-72 "$WNODE_HOME/kate"
show up -d alex --join "$(awk 'NR == 2 {print $3}' "$WNODE_HOME/kate")" | sed 's/--join .*/--join KATE/' | cut -c1-72

say "2. The module 'kate' is put on node kate, and nowhere else."
show module add --on kate --tag kate wasm-examples/kate/kate.wasm

say "3. It runs there, and its words appear here: this terminal is its group leader."
show run --on kate --invoke say_name kate
[ "$code" = 0 ]

say "4. Node alex does not know it. Erlang would say undef; a CID brings the code along."
show run --on alex --invoke say_name kate 2>&1
[ "$code" = 127 ]
show run --on alex --invoke say_name "$("$wnode" module get --on kate kate)"
[ "$code" = 0 ]

say "5. Input goes there too, live; and the exit code comes back."
printf '$ echo "from this terminal" | wnode run --on alex wasm-examples/cat/cat.wasm\n'
echo "from this terminal" | "$wnode" run --on alex wasm-examples/cat/cat.wasm
