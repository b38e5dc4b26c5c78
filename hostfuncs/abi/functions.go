package abi

import (
	"cmp"
	"slices"
)

// Wasm value types.
// Source: WebAssembly core specification, 5.3.1 number types.
const (
	I32 byte = 0x7f
	I64 byte = 0x7e
)

// WASI is the name of the module with the functions of WASI preview 1. The
// older name "wasi_unstable" is not offered: its fd_seek, filestat and
// subscription differ, so the same functions under that name would be wrong.
const WASI = "wasi_snapshot_preview1"

// Func is a function that a guest may import.
type Func struct {
	Module, Name    string
	Params, Results []byte // Wasm value types
	Grant           string // the group that the spec must grant; "" is everyone's
}

// Functions returns everything a guest may import, in the order of module and
// name. The result is the caller's own.
func Functions() []Func {
	fs := append(wasi(), own()...)
	slices.SortFunc(fs, func(a, b Func) int {
		return cmp.Or(cmp.Compare(a.Module, b.Module), cmp.Compare(a.Name, b.Name))
	})
	return fs
}

// Wnode is the name of the module with wnode's own functions.
const Wnode = "wnode"

// GrantHash is the group of functions that hash: they use the node's processor
// beside what the guest's own code uses.
const GrantHash = "hash"

// Grants returns the names of all groups that must be granted, sorted.
func Grants() []string { return []string{GrantHash} }

// own lists the functions of module wnode. Each returns an errno of WASI. What the
// letters stand for: p a pointer, n a length or number, both i32; l an i64. Package
// hostfuncs has their documentation, function by function.
func own() []Func {
	f := func(name, params string) Func {
		types := make([]byte, len(params))
		for i, c := range params {
			types[i] = I32
			if c == 'l' {
				types[i] = I64
			}
		}
		return Func{Module: Wnode, Name: name, Params: types, Results: []byte{I32}}
	}
	hash := func(name string) Func {
		h := f(name, "pnp")
		h.Grant = GrantHash
		return h
	}
	return []Func{
		hash("sha256"), hash("blake3"),

		f("self", "p"), f("parent", "p"), f("spawn", "pnpp"), f("exit", "pn"),
		f("link", "p"), f("unlink", "p"), f("monitor", "pp"), f("monitor_name", "ppnp"), f("demonitor", "pn"),
		f("trap_exit", "np"), f("exit_signal", "ppn"), f("process_info", "ppnp"),

		f("send", "pnlppn"), f("send_name", "ppnnlppn"), f("receive", "ppnlp"), f("peek", "pppnp"), f("take", "lpnp"),
		f("mailbox_fd", "p"), f("message", "pnp"),

		f("timer_start", "pllpnp"), f("timer_cancel", "pp"), f("timer_read", "pp"),

		f("register", "npnp"), f("unregister", "npn"), f("whereis", "npnp"),
		f("join", "pn"), f("leave", "pn"), f("members", "pnpnp"),

		f("node", "p"), f("nodes", "pnp"), f("node_find", "pnp"), f("node_name", "ppnp"),
		f("monitor_node", "pn"), f("monitor_nodes", "n"),

		f("input", "pnp"), f("output", "pn"), f("error", "pn"),

		f("leader", "p"), f("window", "pp"),
	}
}

// wasi lists WASI preview 1. Each function returns an errno, proc_exit alone
// does not return.
// Source: WASI snapshot_preview1, wasi_snapshot_preview1.witx.
func wasi() []Func {
	f := func(name string, params ...byte) Func {
		return Func{Module: WASI, Name: name, Params: params, Results: []byte{I32}}
	}
	return []Func{
		f("args_get", I32, I32),
		f("args_sizes_get", I32, I32),
		f("environ_get", I32, I32),
		f("environ_sizes_get", I32, I32),
		f("clock_res_get", I32, I32),
		f("clock_time_get", I32, I64, I32),
		f("fd_advise", I32, I64, I64, I32),
		f("fd_allocate", I32, I64, I64),
		f("fd_close", I32),
		f("fd_datasync", I32),
		f("fd_fdstat_get", I32, I32),
		f("fd_fdstat_set_flags", I32, I32),
		f("fd_fdstat_set_rights", I32, I64, I64),
		f("fd_filestat_get", I32, I32),
		f("fd_filestat_set_size", I32, I64),
		f("fd_filestat_set_times", I32, I64, I64, I32),
		f("fd_pread", I32, I32, I32, I64, I32),
		f("fd_prestat_get", I32, I32),
		f("fd_prestat_dir_name", I32, I32, I32),
		f("fd_pwrite", I32, I32, I32, I64, I32),
		f("fd_read", I32, I32, I32, I32),
		f("fd_readdir", I32, I32, I32, I64, I32),
		f("fd_renumber", I32, I32),
		f("fd_seek", I32, I64, I32, I32),
		f("fd_sync", I32),
		f("fd_tell", I32, I32),
		f("fd_write", I32, I32, I32, I32),
		f("path_create_directory", I32, I32, I32),
		f("path_filestat_get", I32, I32, I32, I32, I32),
		f("path_filestat_set_times", I32, I32, I32, I32, I64, I64, I32),
		f("path_link", I32, I32, I32, I32, I32, I32, I32),
		f("path_open", I32, I32, I32, I32, I32, I64, I64, I32, I32),
		f("path_readlink", I32, I32, I32, I32, I32, I32),
		f("path_remove_directory", I32, I32, I32),
		f("path_rename", I32, I32, I32, I32, I32, I32),
		f("path_symlink", I32, I32, I32, I32, I32),
		f("path_unlink_file", I32, I32, I32),
		f("poll_oneoff", I32, I32, I32, I32),
		{Module: WASI, Name: "proc_exit", Params: []byte{I32}},
		f("proc_raise", I32),
		f("random_get", I32, I32),
		f("sched_yield"),
		f("sock_accept", I32, I32, I32),
		f("sock_recv", I32, I32, I32, I32, I32, I32),
		f("sock_send", I32, I32, I32, I32, I32),
		f("sock_shutdown", I32, I32),
	}
}
