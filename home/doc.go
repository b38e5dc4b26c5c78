// Package home is the state of one user on one machine: which file holds what.
//
//	$WNODE_HOME            default $XDG_DATA_HOME/wnode, else ~/.local/share/wnode
//	  cookie               the cluster's secret, text, 0600
//	  root.key             the cluster's root key, only in the home that made it
//	  user.key             the user's key: the origin of what they run
//	  peers                NAME PEERID ADDRESS..., one node to a line, as known_hosts
//	  nodes/NAME/key       the node's key
//	  nodes/NAME/lock      held while it runs; has its incarnation and process id
//	  nodes/NAME/port      the port it was given first, and keeps
//	  nodes/NAME/modules   its module store
//	  nodes/NAME/cache     its compiled modules
//	  nodes/NAME/log       what it says when started in the background
//	  cli/modules          the module store of commands
//	  cli/cache            the compiled modules of commands
//	  cli/build            what commands built of source
//	run directory          $WNODE_HOME/run if WNODE_HOME is set, else
//	                       $XDG_RUNTIME_DIR/wnode, else a 0700 directory of the user
//	  NAME                 announces a running node; locked by it while it lives
//
// Keys are files of 64 hex digits, the Ed25519 seed, mode 0600. Every file is
// written under another name, synced and renamed: a kill leaves the old one.
package home
