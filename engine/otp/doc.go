// Package otp is what OTP builds on processes, for programs in Go: calls of code
// ([Apply], as erpc has them), calls of servers ([Call], as gen_server has them),
// tasks ([Async], [Stream]) and supervisors.
//
// A [Supervisor] describes a process that starts others, its children, and starts them
// again when they end, on another node if theirs is lost. A [Sup] asks a running
// one, on whatever node it is; the same requests are open to guests.
//
// A request to a supervisor is a call, a MessageCall, of a JSON object:
//
//	{"op": "which_children"}
//	{"op": "count_children"}
//	{"op": "start_child", "child": a NewChild}
//	{"op": "start_child", "args": [TEXT...]}       of simple_one_for_one
//	{"op": "terminate_child", "id": ID}            and restart_child, delete_child
//	{"op": "stop"}
//
// Its reply is {"children": [a Child with its "pid", 32 bytes in base64]}, {"count": a
// Count}, {} for done, or {"error": a Reason}. Who may not end the supervisor may
// only look: which_children and count_children.
//
// All of it are processes of package engine and messages between them: nothing
// here is known to the wire, and a node needs none of it to run the children of another
// one's supervisor. Functions that take an engine.Process are for the goroutine
// that runs it; Engine.Go starts one.
package otp
