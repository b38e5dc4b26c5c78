// Package enginetest wires engines in memory and holds the conformance suite
// that every way of wiring them must pass.
//
// A [Network] is the in-memory engine.Dist: sessions are two goroutines and
// two queues, and can be cut. Guests are Go functions, [Program], so that tests
// of the engine need neither a network nor WebAssembly. [Conformance] runs the
// suite over any [Cluster]: runs and their leaders, and OTP's process model, whose
// table is in otp.go and whose scenarios are in a file per section, otp_*.go.
package enginetest
