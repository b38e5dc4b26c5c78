#!/bin/sh
# Runs each fuzz target for FUZZTIME. A crasher is written to the testdata of
# its package, to be committed with the fix.
set -eu
for file in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz'); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		echo "fuzz ./$(dirname "$file") $target"
		out=$(${GO:-go} test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" -fuzzminimizetime 5s "./$(dirname "$file")" 2>&1) || {
			printf '%s\n' "$out"
			exit 1
		}
		printf '%s\n' "$out" | tail -1
	done
done
