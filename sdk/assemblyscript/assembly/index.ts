// Processes for WebAssembly guests in AssemblyScript. A function that fails returns null or
// false, and status() says why. That there is no such process is not a failure: links and
// monitors tell. A process that is told to end, by a kill or a link, does not return from any.

import * as host from "./host";
import { End, Id, Kind, Match, Message, NodeId, Pid, Reason, Ref, Spec, Status } from "./types";

export { End, Id, Kind, Match, Message, NodeId, Pid, Reason, Ref, Spec, Status };

/** Waits for ever. */
export const FOREVER: i64 = -1;

let last: u32 = 0;
let size: StaticArray<u32> = new StaticArray<u32>(2); // where the host puts lengths and small numbers
let number: StaticArray<u64> = new StaticArray<u64>(1);
let buffer: StaticArray<u8> = new StaticArray<u8>(4096); // that messages are read into

/** The status of the last function that can fail. */
export function status(): u32 { return last; }

function ok(s: u32): bool {
  last = s;
  return s == 0;
}

function sizePtr(): usize { return changetype<usize>(size); }
function numberPtr(): usize { return changetype<usize>(number); }

/** Makes room for a result that did not fit, and says whether to try again. */
function grow(s: u32): bool {
  if (s != Status.TOO_BIG || <i32>size[0] <= buffer.length) return false;
  buffer = new StaticArray<u8>(size[0]);
  return true;
}

function bufferPtr(): usize { return changetype<usize>(buffer); }

function message(s: u32): Message | null { return ok(s) ? Message.decode(bufferPtr()) : null; }
function text(s: u32): string | null { return ok(s) ? String.UTF8.decodeUnsafe(bufferPtr(), size[0]) : null; }
function utf8(s: string): ArrayBuffer { return String.UTF8.encode(s); }
function ptr(b: ArrayBuffer): usize { return changetype<usize>(b); }

// Processes.

/** The pid of the process. */
export function self(): Pid { const p = new Pid(); host.self(p.ptr); return p; }
/** The pid of who asked for the process; none if nobody did. */
export function parent(): Pid { const p = new Pid(); host.parent(p.ptr); return p; }
/** The pid of the group leader. */
export function leader(): Pid { const p = new Pid(); host.leader(p.ptr); return p; }

/** Rows and columns of the leader's terminal, 0 if it has none. */
export function terminal(): StaticArray<u32> {
  const rc = new StaticArray<u32>(2);
  host.window(changetype<usize>(rc), changetype<usize>(rc) + 4);
  return rc;
}

/** What spawn started. */
export class Spawned {
  pid: Pid = new Pid();
  monitor: Ref = new Ref();
}

/** Starts a process, and does not wait: that there is no such node, module or export is told by
 *  link and monitor. INVALID for a wrong spec, NOT_CAPABLE for grants that the caller has not. */
export function spawn(s: Spec): Spawned | null {
  const b = s.encode(), got = new Spawned();
  return ok(host.spawn(b.dataStart, b.byteLength, got.pid.ptr, got.monitor.ptr)) ? got : null;
}

/** Ends the process. It returns only for what is no reason: a word above 64 bytes, or more than
 *  4 KiB in all. */
export function exit(r: Reason): bool {
  const b = r.encode();
  return ok(host.exit(ptr(b), b.byteLength));
}

/** Links with another process: when one ends, the other gets an exit signal. */
export function link(to: Pid): void { ok(host.link(to.ptr)); }
/** Takes a link back: nothing of it comes any more. */
export function unlink(to: Pid): void { ok(host.unlink(to.ptr)); }

/** Has a message Down come when a process ends, with the reference. */
export function monitor(to: Pid): Ref { const r = new Ref(); ok(host.monitor(to.ptr, r.ptr)); return r; }

/** As monitor, of who has a name on a node. */
export function monitorName(node: NodeId, name: string): Ref | null {
  const n = utf8(name), r = new Ref();
  return ok(host.monitor_name(node.orNull, ptr(n), n.byteLength, r.ptr)) ? r : null;
}

/** Takes a monitor back; with flush a Down that is in the mailbox is removed. */
export function demonitor(r: Ref, flush: bool): void { ok(host.demonitor(r.ptr, flush)); }

/** Sets whether exit signals become messages, and returns what was set. */
export function trapExit(on: bool): bool { ok(host.trap_exit(on, sizePtr())); return size[0] != 0; }

/** Sends an exit signal. The word "kill" cannot be trapped. */
export function exitSignal(to: Pid, r: Reason): bool {
  const b = r.encode();
  return ok(host.exit_signal(to.ptr, ptr(b), b.byteLength));
}

/** What is known of a process of this node, as JSON; none is the process itself. */
export function processInfo(pid: Pid): string | null {
  let s: u32;
  do s = host.process_info(pid.orNull, bufferPtr(), buffer.length, sizePtr()); while (grow(s));
  return text(s);
}

// Messages.

/** Sends data to a process. It is never a failure that there is none. It waits while the
 *  receiver's mailbox is full or the connection busy. TOO_BIG above 16 MiB. */
export function send(to: Pid, tag: u64, data: ArrayBuffer): bool { return sendKind(to, Kind.Data, tag, new Ref(), data); }
/** Sends what a server handles as a cast. */
export function cast(to: Pid, tag: u64, data: ArrayBuffer): bool { return sendKind(to, Kind.Cast, tag, new Ref(), data); }
/** Answers a call. */
export function reply(call: Message, data: ArrayBuffer): bool { return sendKind(call.from, Kind.Reply, call.tag, call.ref, data); }

/** As send, to who has a name on a node. NO_PROCESS if that is this node and nobody has. */
export function sendName(node: NodeId, name: string, tag: u64, data: ArrayBuffer): bool {
  return sendNameKind(node, name, Kind.Data, tag, new Ref(), data);
}

/** As send, of a Data, Call, Reply or Cast. */
export function sendKind(to: Pid, kind: Kind, tag: u64, ref: Ref, data: ArrayBuffer): bool {
  return ok(host.send(to.ptr, kind, tag, ref.orNull, ptr(data), data.byteLength));
}

/** As sendKind, to who has a name on a node. */
export function sendNameKind(node: NodeId, name: string, kind: Kind, tag: u64, ref: Ref, data: ArrayBuffer): bool {
  const n = utf8(name);
  return ok(host.send_name(node.orNull, ptr(n), n.byteLength, kind, tag, ref.orNull, ptr(data), data.byteLength));
}

/** Takes the first message that matches, and waits for one, so many nanoseconds: TIMEOUT when
 *  none came. */
export function receive(m: Match, timeout: i64 = FOREVER): Message | null {
  const b = m.encode();
  let s: u32;
  do s = host.receive(changetype<usize>(b), bufferPtr(), buffer.length, timeout, sizePtr()); while (grow(s));
  return message(s);
}

/** A message in the mailbox, and its number there. */
export class Peeked {
  constructor(public number: u64, public message: Message) {}
}

/** The first message that matches behind the one with a number, 0 for the first of all. It stays
 *  in the mailbox. NOT_FOUND if there is none. */
export function peek(m: Match, after: u64): Peeked | null {
  const b = m.encode(), match: usize = m.isAny() ? 0 : changetype<usize>(b);
  let s: u32;
  do {
    number[0] = after;
    s = host.peek(match, numberPtr(), bufferPtr(), buffer.length, sizePtr());
  } while (grow(s));
  return ok(s) ? new Peeked(number[0], Message.decode(bufferPtr())) : null;
}

/** Takes the message with a number, as peek gave it. NOT_FOUND if it is not there. */
export function take(n: u64): Message | null {
  let s: u32;
  do s = host.take(n, bufferPtr(), buffer.length, sizePtr()); while (grow(s));
  return message(s);
}

/** A descriptor that poll_oneoff reports readable as long as there is a message that peek has not
 *  given for a new Match; -1 if there is none left. */
export function mailboxFd(): i32 { return ok(host.mailbox_fd(sizePtr())) ? <i32>size[0] : -1; }

/** The message that a server handles. INVALID elsewhere. */
export function current(): Message | null {
  let s: u32;
  do s = host.message(bufferPtr(), buffer.length, sizePtr()); while (grow(s));
  return message(s);
}

/** Calls a process and waits for its answer, as awaitReply. */
export function call(to: Pid, tag: u64, data: ArrayBuffer, timeout: i64 = FOREVER): Message | null {
  const r = monitor(to);
  if (sendKind(to, Kind.Call, tag, r, data)) return awaitReply(r, timeout);
  const s = last;
  abandon(r);
  last = s;
  return null;
}

/** As call, of who has a name on a node. */
export function callName(node: NodeId, name: string, tag: u64, data: ArrayBuffer, timeout: i64 = FOREVER): Message | null {
  const r = monitorName(node, name);
  if (!r) return null;
  if (sendNameKind(node, name, Kind.Call, tag, r, data) || last == Status.NO_PROCESS) return awaitReply(r, timeout); // the monitor tells of nobody
  const s = last;
  abandon(r);
  last = s;
  return null;
}

/** Starts a process for what it returns, as erpc does, and does not wait: awaitReply or abandon is to
 *  be called with its monitor, once. */
export function request(s: Spec): Spawned | null {
  s.call = true;
  return spawn(s);
}

/** Waits for the answer to a request, or to a call whose reference is that of a monitor: a message
 *  Reply; or Down, if it ends first or there is none. After TIMEOUT a late one is dropped. */
export function awaitReply(r: Ref, timeout: i64 = FOREVER): Message | null {
  const got = receive(new Match().kind(Kind.Reply).kind(Kind.Down).about(r), timeout);
  if (!got) {
    const s = last;
    abandon(r);
    last = s;
  }
  return got;
}

/** Gives up an answer: it is never received. What was started goes on. */
export function abandon(r: Ref): void { demonitor(r, true); }

/** What this process was given to work on, if it was started by a request. */
export function input(): ArrayBuffer {
  let s: u32;
  do s = host.input(bufferPtr(), buffer.length, sizePtr()); while (grow(s));
  const b = new ArrayBuffer(ok(s) ? size[0] : 0);
  memory.copy(ptr(b), bufferPtr(), b.byteLength);
  return b;
}

/** Appends to what this process returns to who requested it. TOO_BIG above 16 MiB in all. */
export function output(data: ArrayBuffer): bool { return ok(host.output(ptr(data), data.byteLength)); }

/** Ends the process with an error for who requested it. It returns only for text above 4 KiB. */
export function throwError(text: string): bool {
  const b = utf8(text);
  return ok(host.error(ptr(b), b.byteLength));
}

// Timers.

/** Has a message come after so many nanoseconds: Timeout for the process itself, which is none, with
 *  the reference; else Data for another one. NO_MEMORY for too many. */
export function timerStart(to: Pid, after: u64, tag: u64, data: ArrayBuffer): Ref | null {
  const r = new Ref();
  return ok(host.timer_start(to.orNull, after, tag, ptr(data), data.byteLength, r.ptr)) ? r : null;
}

/** Stops a timer: the nanoseconds that it had left, or -1. NOT_FOUND if it does not run: its message
 *  may have come. */
export function timerCancel(r: Ref): i64 { return ok(host.timer_cancel(r.ptr, numberPtr())) ? <i64>number[0] : -1; }
/** As timerCancel, and the timer goes on. */
export function timerRead(r: Ref): i64 { return ok(host.timer_read(r.ptr, numberPtr())) ? <i64>number[0] : -1; }

// Names and groups.

/** Where a name is known. */
export enum Scope { Node = 0, Cluster = 1 }

/** Gives a process of this node a name; none is the process itself. INVALID for what is no name (1
 *  to 63 of a-z 0-9 _ -), EXISTS, NO_PROCESS, NOT_CAPABLE. */
export function register(scope: Scope, name: string, pid: Pid = new Pid()): bool {
  const n = utf8(name);
  return ok(host.register(scope, ptr(n), n.byteLength, pid.orNull));
}
/** Takes a name of a process of this node back. */
export function unregister(scope: Scope, name: string): bool {
  const n = utf8(name);
  return ok(host.unregister(scope, ptr(n), n.byteLength));
}
/** Who has a name. NO_PROCESS if nobody has. */
export function whereis(scope: Scope, name: string): Pid | null {
  const n = utf8(name), p = new Pid();
  return ok(host.whereis(scope, ptr(n), n.byteLength, p.ptr)) ? p : null;
}
/** Makes the process a member of a group, once more if it is one. */
export function join(group: string): bool {
  const n = utf8(group);
  return ok(host.join(ptr(n), n.byteLength));
}
/** Takes back one join. */
export function leave(group: string): bool {
  const n = utf8(group);
  return ok(host.leave(ptr(n), n.byteLength));
}
/** The members of a group on all connected nodes, each as often as it joined. */
export function members(group: string): Pid[] | null {
  const n = utf8(group);
  let s: u32;
  do s = host.members(ptr(n), n.byteLength, bufferPtr(), buffer.length, sizePtr()); while (grow(s));
  return ok(s) ? ids<Pid>() : null;
}

function ids<T extends Id>(): T[] {
  const all: T[] = [];
  for (let at: u32 = 0; at < size[0]; ) {
    const v = instantiate<T>();
    memory.copy(v.ptr, bufferPtr() + at, v.bytes.length);
    at += v.bytes.length;
    all.push(v);
  }
  return all;
}

// Nodes.

/** The id of this node. */
export function node(): NodeId { const n = new NodeId(); host.node(n.ptr); return n; }
/** The nodes that this one is connected with, in the order of their names. */
export function nodes(): NodeId[] | null {
  let s: u32;
  do s = host.nodes(bufferPtr(), buffer.length, sizePtr()); while (grow(s));
  return ok(s) ? ids<NodeId>() : null;
}
/** The node with a name, peer id or the begin of that; it is connected then. */
export function nodeFind(name: string): NodeId | null {
  const n = utf8(name), id = new NodeId();
  return ok(host.node_find(ptr(n), n.byteLength, id.ptr)) ? id : null;
}
/** The name of a node. NO_PROCESS if it is not connected. */
export function nodeName(id: NodeId): string | null {
  return text(host.node_name(id.orNull, bufferPtr(), buffer.length, sizePtr()));
}
/** Has one NodeDown come when the connection with a node is lost; false takes that back. */
export function monitorNode(id: NodeId, on: bool): bool { return ok(host.monitor_node(id.ptr, on)); }
/** Has NodeUp and NodeDown come for all nodes, or none any more. */
export function monitorNodes(on: bool): void { ok(host.monitor_nodes(on)); }

// Hashes, for those whose spec grants "hash".

export function sha256(data: ArrayBuffer): StaticArray<u8> {
  const sum = new StaticArray<u8>(32);
  ok(host.sha256(ptr(data), data.byteLength, changetype<usize>(sum)));
  return sum;
}
export function blake3(data: ArrayBuffer): StaticArray<u8> {
  const sum = new StaticArray<u8>(32);
  ok(host.blake3(ptr(data), data.byteLength, changetype<usize>(sum)));
  return sum;
}
