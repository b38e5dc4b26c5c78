// Package otp is what OTP builds on processes, for programs in Go: calls of code
// ([Apply], as erpc has them), calls of servers ([Call], as gen_server has them) and
// tasks ([Async], [Stream]).
//
// All of it are processes of package engine and messages between them: nothing
// here is known to the wire. Functions that take an engine.Process are for the goroutine
// that runs it; Engine.Go starts one.
package otp
