//go:build wasip1

package wnode

import "unsafe"

// The functions of module wnode. Package hostfuncs of wnode documents them.

//go:wasmimport wnode self
func hostSelf(pid unsafe.Pointer) uint32

//go:wasmimport wnode parent
func hostParent(pid unsafe.Pointer) uint32

//go:wasmimport wnode spawn
func hostSpawn(spec unsafe.Pointer, n uint32, pid unsafe.Pointer, monitor unsafe.Pointer) uint32

//go:wasmimport wnode exit
func hostExit(reason unsafe.Pointer, n uint32) uint32

//go:wasmimport wnode link
func hostLink(pid unsafe.Pointer) uint32

//go:wasmimport wnode unlink
func hostUnlink(pid unsafe.Pointer) uint32

//go:wasmimport wnode monitor
func hostMonitor(pid unsafe.Pointer, ref unsafe.Pointer) uint32

//go:wasmimport wnode monitor_name
func hostMonitorName(node unsafe.Pointer, name unsafe.Pointer, n uint32, ref unsafe.Pointer) uint32

//go:wasmimport wnode demonitor
func hostDemonitor(ref unsafe.Pointer, flush uint32) uint32

//go:wasmimport wnode trap_exit
func hostTrapExit(on uint32, was unsafe.Pointer) uint32

//go:wasmimport wnode exit_signal
func hostExitSignal(pid unsafe.Pointer, reason unsafe.Pointer, n uint32) uint32

//go:wasmimport wnode process_info
func hostProcessInfo(pid unsafe.Pointer, buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32

//go:wasmimport wnode send
func hostSend(pid unsafe.Pointer, kind uint32, tag uint64, ref unsafe.Pointer, data unsafe.Pointer, n uint32) uint32

//go:wasmimport wnode send_name
func hostSendName(node unsafe.Pointer, name unsafe.Pointer, nameN uint32, kind uint32, tag uint64, ref unsafe.Pointer, data unsafe.Pointer, n uint32) uint32

//go:wasmimport wnode receive
func hostReceive(match unsafe.Pointer, buf unsafe.Pointer, capacity uint32, timeout int64, n unsafe.Pointer) uint32

//go:wasmimport wnode peek
func hostPeek(match unsafe.Pointer, cursor unsafe.Pointer, buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32

//go:wasmimport wnode take
func hostTake(number uint64, buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32

//go:wasmimport wnode mailbox_fd
func hostMailboxFd(fd unsafe.Pointer) uint32

//go:wasmimport wnode message
func hostMessage(buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32

//go:wasmimport wnode timer_start
func hostTimerStart(pid unsafe.Pointer, after uint64, tag uint64, data unsafe.Pointer, n uint32, ref unsafe.Pointer) uint32

//go:wasmimport wnode timer_cancel
func hostTimerCancel(ref unsafe.Pointer, left unsafe.Pointer) uint32

//go:wasmimport wnode timer_read
func hostTimerRead(ref unsafe.Pointer, left unsafe.Pointer) uint32

//go:wasmimport wnode register
func hostRegister(scope uint32, name unsafe.Pointer, n uint32, pid unsafe.Pointer) uint32

//go:wasmimport wnode unregister
func hostUnregister(scope uint32, name unsafe.Pointer, n uint32) uint32

//go:wasmimport wnode whereis
func hostWhereis(scope uint32, name unsafe.Pointer, n uint32, pid unsafe.Pointer) uint32

//go:wasmimport wnode join
func hostJoin(group unsafe.Pointer, n uint32) uint32

//go:wasmimport wnode leave
func hostLeave(group unsafe.Pointer, n uint32) uint32

//go:wasmimport wnode members
func hostMembers(group unsafe.Pointer, groupN uint32, buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32

//go:wasmimport wnode node
func hostNode(node unsafe.Pointer) uint32

//go:wasmimport wnode nodes
func hostNodes(buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32

//go:wasmimport wnode node_find
func hostNodeFind(name unsafe.Pointer, n uint32, node unsafe.Pointer) uint32

//go:wasmimport wnode node_name
func hostNodeName(node unsafe.Pointer, buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32

//go:wasmimport wnode monitor_node
func hostMonitorNode(node unsafe.Pointer, on uint32) uint32

//go:wasmimport wnode monitor_nodes
func hostMonitorNodes(on uint32) uint32

//go:wasmimport wnode input
func hostInput(buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32

//go:wasmimport wnode output
func hostOutput(data unsafe.Pointer, n uint32) uint32

//go:wasmimport wnode error
func hostError(text unsafe.Pointer, n uint32) uint32

//go:wasmimport wnode leader
func hostLeader(pid unsafe.Pointer) uint32

//go:wasmimport wnode window
func hostWindow(rows unsafe.Pointer, cols unsafe.Pointer) uint32

//go:wasmimport wnode sha256
func hostSHA256(data unsafe.Pointer, n uint32, sum unsafe.Pointer) uint32

//go:wasmimport wnode blake3
func hostBLAKE3(data unsafe.Pointer, n uint32, sum unsafe.Pointer) uint32

// text returns the address and length of a string.
func text(s string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(s)), uint32(len(s))
}

// block returns the address and length of bytes.
func block(b []byte) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))
}

// orNull returns the address of what there is, null for the zero value.
func orNull[T PID | NodeID | Ref](v *T) unsafe.Pointer {
	if *v == *new(T) {
		return nil
	}
	return unsafe.Pointer(v)
}

func flag(on bool) uint32 {
	if on {
		return 1
	}
	return 0
}

// filled calls f with buffers until its result fits in one, and returns that.
func filled(f func(buf unsafe.Pointer, capacity uint32, n unsafe.Pointer) uint32) ([]byte, error) {
	var b []byte
	for {
		var n uint32
		p, capacity := block(b)
		status := f(p, capacity, unsafe.Pointer(&n))
		if Status(status) != ErrTooBig {
			return b[:n], failed(status)
		}
		b = make([]byte, n)
	}
}
