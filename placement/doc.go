// Package placement decides where something runs: it reads selectors, what --on takes,
// and asks the nodes that they mean how much they have to do.
//
//	kate, 12D3KooW...   the node with that name, peer id or begin of one
//	local               this node
//	any, any:3          the least loaded one, or three, of all; holders of the module first
//	all                 all nodes that can be reached
//	label:gpu=yes       those of all that were started with this label
//	kate,label:gpu=yes  those that any part means
//
// There is no registry to ask: all nodes are those that this one is connected with, and
// those that these know.
package placement
