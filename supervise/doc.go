// Package supervise reads a supervision tree from TOML, and makes supervisors of it.
//
//	# app.toml
//	strategy = "rest_for_one"   # default "one_for_one"
//	max_restarts = 10           # more in max_seconds end the tree; default 3
//	max_seconds = 60            # default 5
//
//	[[child]]
//	id = "kv"
//	module = "kv.wasm"
//	name = "kv"
//
//	[[child]]                   # a supervisor of its own
//	id = "workers"
//	strategy = "one_for_all"
//
//	[[child.child]]
//	id = "left"
//	module = "worker.wasm"
//	args = ["left", "kv"]
//	on = "any"
//
// The top level, and a child that has children, is a supervisor:
//
//	name          of the tree on its node, by which it is found again; default: that
//	              of the file, without its ending. Only at the top
//	strategy      "one_for_one", "one_for_all", "rest_for_one", or
//	              "simple_one_for_one": its one child is the pattern of those that
//	              start_child makes, and none is there at first
//	max_restarts  a number from 0
//	max_seconds   a number of seconds from 1
//	child         its children, in the order of their start: [[child]], below that
//	              [[child.child]], and so on, 16 deep
//
// A child:
//
//	id            unique among its siblings: 1 to 63 of a-z 0-9 _ -
//	restart       "permanent" (default), "transient", "temporary"
//	shutdown      a time as "5s" (the default), "brutal_kill", or "infinity", the
//	              default of one that has children
//
// A child without children runs a module:
//
//	module        a path, from where the file is: ./NAME, /NAME, or ending in .wasm;
//	              else a tag, a CID or the begin of one
//	entry         the export to call; default: _start, or what a server has
//	args          a list of texts
//	env           a table of texts: env = { KEY = "value" }
//	name          on its node
//	cluster_name  in the cluster
//	on            where it runs: "local" (default), the supervisor's node; a node's
//	              name; "any"; "label:KEY=VALUE"; or several of them with commas: the
//	              first that can be had. It is asked at each start
//	memory        the limit of its memory as "32MiB"; default 64MiB
//	timeout       a time after which it is killed, as "1h"; default none
//	dirs          a list of directories as "HOST::GUEST" or "HOST::GUEST:ro", HOST from
//	              where the file is. Only for a tree with a terminal: they are
//	              served from there
//
// What an error says is in [Error]: file, line and column, the key, what is wrong with it,
// and the word that may have been meant. [Parse] reports all errors that it finds.
package supervise
