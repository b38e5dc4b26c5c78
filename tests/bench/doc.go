// Package bench measures whole parts of wnode. It holds benchmarks only.
package bench
