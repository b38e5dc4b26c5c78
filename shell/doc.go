// Package shell is an interactive process: a Starlark interpreter with a mailbox.
//
// A Session is a process of this node, as any other can see it, that evaluates
// expressions and statements. Its functions are those of OTP: spawn_link(node, module,
// entry, args...) returns a pid, send and receive exchange messages, flush shows what
// came. What the processes it starts write appears at its leader, which the one who
// makes the session chooses. It traps exits: the end of what it is linked with is a
// message.
package shell
