#!/bin/sh
# Runs each fuzz target for FUZZTIME. A crasher is written to the testdata of
# its package, to be committed with the fix.
set -eu
run() { # FILE TARGET; prints what go says
	${GO:-go} test -run '^$' -fuzz "^$2\$" -fuzztime "${FUZZTIME:-10s}" -fuzzminimizetime 5s "./$(dirname "$1")" 2>&1
}
for file in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz'); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		echo "fuzz ./$(dirname "$file") $target"
		if ! out=$(run "$file" "$target"); then
			# Go at times reports the end of the time itself as a failure
			# (context deadline exceeded), with no input: that is run again, once.
			printf '%s\n' "$out"
			case $out in
			*"Failing input written"* | *panic* | *"failure while testing seed"*) exit 1 ;;
			*"context deadline exceeded"*) out=$(run "$file" "$target") || { printf '%s\n' "$out"; exit 1; } ;;
			*) exit 1 ;;
			esac
		fi
		printf '%s\n' "$out" | tail -1
	done
done
