// Package p2p connects nodes: it implements engine.Dist and engine.Modules on
// libp2p.
//
//   - A node's identity is its libp2p key; [IDs] gives what follows from it.
//   - [Cookie] is the cluster's secret. Before anything else two nodes prove to
//     each other that they know it (auth.go), the one that dialled first. What is
//     not proved reaches no other protocol: all of them are behind one gate
//     (gate.go).
//   - Each pair of nodes has one session (session.go): one long-lived stream on
//     which all signals keep their order (link.go), with heartbeats.
//   - Modules travel on streams of their own, each block verified (modules.go).
//
// The bytes are those of package wire. There is no central place: a node finds
// another by an address that someone gave it, or by what Config.Find knows.
package p2p
