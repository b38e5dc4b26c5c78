// scenario is the guest of the suite in tests/sdk, in AssemblyScript: commands in, one line out for
// each. README.md in the directory above has the commands.
import * as wnode from "../../../../sdk/assemblyscript/assembly/index";
import { Id, Kind, Match, Message, NodeId, Pid, Reason, Ref, Scope, Spec, Status } from "../../../../sdk/assemblyscript/assembly/index";

const COMMAND: u64 = 100; // tags of commands that come as messages, and of their answers
const ANSWER: u64 = 101;
const MS: u64 = 1000000;
const PATIENCE: i64 = 20000 * MS;

const KINDS = ["", "data", "call", "reply", "exit", "down", "nodeup", "nodedown", "timeout", "cast", "name_lost"];

let words: string[] = []; // of the command
let lastCall: Message = new Message();

function word(i: i32): string { return i < words.length ? words[i] : ""; }
function rest(i: i32): ArrayBuffer { return bytes(words.slice(i).join(" ")); }
function num(s: string): u64 { return s.length ? U64.parseInt(s) : 0; }
function on(i: i32): bool { return word(i) == "1"; }
function bytes(s: string): ArrayBuffer { return String.UTF8.encode(s); }
function decoded(b: ArrayBuffer): string { return String.UTF8.decode(b); }
function kind(s: string): Kind { return <Kind>max(KINDS.indexOf(s), 0); }
function scope(i: i32): Scope { return word(i) == "cluster" ? Scope.Cluster : Scope.Node; }

/** Reads hex; zeros for what is none. */
function id<T extends Id>(s: string): T {
  const v = instantiate<T>();
  if (s.length == 2 * v.bytes.length)
    for (let i = 0; i < v.bytes.length; i++) v.bytes[i] = <u8>I32.parseInt(s.substr(2 * i, 2), 16);
  return v;
}
function pid(i: i32): Pid { return id<Pid>(word(i)); }
function ref(i: i32): Ref { return id<Ref>(word(i)); }
function node(i: i32): NodeId { return id<NodeId>(word(i)); }

/** What all words KEY=... have. */
function list(key: string): string[] {
  const all: string[] = [];
  for (let i = 0; i < words.length; i++) if (words[i].startsWith(key + "=")) all.push(words[i].slice(key.length + 1));
  return all;
}
function option(key: string, otherwise: string = ""): string {
  const all = list(key);
  return all.length ? all[0] : otherwise;
}

function wanted(): Match {
  const m = new Match();
  if (option("kind") != "") m.kind(kind(option("kind")));
  if (option("tag") != "") m.tagged(num(option("tag")));
  if (option("mask") != "") m.mask = num(option("mask"));
  return m.about(id<Ref>(option("ref")));
}

function show(v: Id): string { return v.isZero() ? "-" : v.toString(); }

function all<T extends Id>(list: T[] | null): string {
  if (!list) return failed();
  let s = "ok";
  for (let i = 0; i < list.length; i++) s += " " + show(list[i]);
  return s;
}

function hex(b: StaticArray<u8>): string {
  let s = "";
  for (let i = 0; i < b.length; i++) s += (0x100 + <u32>b[i]).toString(16).slice(1);
  return s;
}

function reason(r: Reason): string { return (r.word + " " + r.code.toString() + " " + r.detail).trimEnd(); }

function describe(m: Message): string {
  let s = KINDS[m.kind] + " " + m.tag.toString() + " " + show(m.ref) + " " + show(m.from);
  const why = m.reason;
  if (why) s += " " + reason(why);
  else if (m.data.byteLength > 100) s += " " + m.data.byteLength.toString() + " bytes";
  else if (m.data.byteLength > 0) s += " " + m.text;
  if (m.kind == Kind.Call) lastCall = m;
  return s;
}

function failed(): string { return "error " + wnode.status().toString(); }
function ok(s: string): string { return ("ok " + s).trimEnd(); }
function done(fine: bool): string { return fine ? "ok" : failed(); }
function shown(v: Id | null): string { return v ? ok(show(v)) : failed(); }
function described(m: Message | null): string { return m ? ok(describe(m)) : failed(); }
function left(ns: i64): string { return ns < 0 ? failed() : ok(ns > 0 ? "running" : "due"); }

function spawn(): string {
  const s = new Spec(), flags = option("flags");
  s.node = id<NodeId>(option("node"));
  s.module = option("module");
  s.entry = option("entry");
  s.name = option("name");
  s.args = list("arg");
  s.env = list("env");
  s.grants = list("grant");
  s.link = flags.includes("l");
  s.monitor = flags.includes("m");
  s.sameEnv = flags.includes("e");
  s.sameDirs = flags.includes("d");
  s.noInput = flags.includes("i");
  s.drop = flags.includes("o");
  s.call = flags.includes("c");
  s.input = bytes(list("input").join(" "));
  s.memory = num(option("memory"));
  s.wall = num(option("wall")) * MS;
  s.fuel = num(option("fuel"));
  s.stack = num(option("stack"));
  s.mailbox = num(option("mailbox"));
  s.seed = num(option("seed"));
  const got = wnode.spawn(s);
  return got ? ok(show(got.pid) + " " + show(got.monitor)) : failed();
}

function call(): string {
  const m = wnode.call(pid(1), num(word(2)), rest(4), num(word(3)) * MS);
  if (!m) return failed();
  const why = m.reason;
  return why ? "down " + reason(why) : ok(m.text);
}

function callName(): string {
  const m = wnode.callName(node(1), word(2), num(word(3)), rest(5), num(word(4)) * MS);
  if (!m) return failed();
  const why = m.reason;
  return why ? "down " + reason(why) : ok(m.text);
}

function awaitReply(): string {
  const m = wnode.awaitReply(ref(1), num(word(2)) * MS);
  if (!m) return failed();
  const why = m.reason;
  return why ? "down " + (<u32>m.end).toString() + " " + reason(why) : ok(m.text);
}

function ask(): string {
  if (!wnode.send(pid(1), COMMAND, rest(2))) return failed();
  const m = wnode.receive(new Match().kind(Kind.Data).tagged(ANSWER), PATIENCE);
  return m ? m.text : failed();
}

function peek(): string {
  const p = wnode.peek(wanted(), num(word(1)));
  return p ? ok(p.number.toString() + " " + describe(p.message)) : failed();
}

function window(): string {
  const rc = wnode.terminal();
  return ok(rc[0].toString() + " " + rc[1].toString());
}

function nodeName(): string {
  const name = wnode.nodeName(node(1));
  return name ? ok(name) : failed();
}

function info(): string {
  const json = wnode.processInfo(pid(1));
  return json ? ok(json) : failed();
}

/** Carries out a command and returns the line that it answers. */
function run(line: string): string {
  words = line.split(" ");
  const c = word(0);
  if (c == "self") return ok(show(wnode.self()));
  if (c == "parent") return ok(show(wnode.parent()));
  if (c == "leader") return ok(show(wnode.leader()));
  if (c == "node") return ok(show(wnode.node()));
  if (c == "window") return window();
  if (c == "args") return ok(process.argv.slice(1).join(" "));
  if (c == "env") return ok(process.env.has(word(1)) ? process.env.get(word(1)) : "");
  if (c == "spawn") return spawn();
  if (c == "exit") return done(wnode.exit(new Reason(word(1), <u32>num(word(2)), decoded(rest(3)))));
  if (c == "link") { wnode.link(pid(1)); return "ok"; }
  if (c == "unlink") { wnode.unlink(pid(1)); return "ok"; }
  if (c == "monitor") return ok(show(wnode.monitor(pid(1))));
  if (c == "monitor_name") return shown(wnode.monitorName(node(1), word(2)));
  if (c == "demonitor") { wnode.demonitor(ref(1), on(2)); return "ok"; }
  if (c == "trap_exit") return ok(wnode.trapExit(on(1)) ? "1" : "0");
  if (c == "exit_signal") return done(wnode.exitSignal(pid(1), new Reason(word(2), 0, decoded(rest(3)))));
  if (c == "process_info") return info();
  if (c == "send") return done(wnode.sendKind(pid(1), kind(word(2)), num(word(3)), ref(4), rest(5)));
  if (c == "send_name") return done(wnode.sendNameKind(node(1), word(2), kind(word(3)), num(word(4)), ref(5), rest(6)));
  if (c == "send_bytes") return done(wnode.send(pid(1), 0, new ArrayBuffer(<i32>num(word(2)))));
  if (c == "receive") return described(wnode.receive(wanted(), num(option("ms", "20000")) * MS));
  if (c == "peek") return peek();
  if (c == "take") return described(wnode.take(num(word(1))));
  if (c == "mailbox_fd") return ok(wnode.mailboxFd() > 2 && wnode.mailboxFd() == wnode.mailboxFd() ? "the same" : "another");
  if (c == "message") return described(wnode.current());
  if (c == "timer_start") return shown(wnode.timerStart(pid(1), num(word(2)) * MS, num(word(3)), rest(4)));
  if (c == "timer_cancel") return left(wnode.timerCancel(ref(1)));
  if (c == "timer_read") return left(wnode.timerRead(ref(1)));
  if (c == "register") return done(wnode.register(scope(1), word(2), pid(3)));
  if (c == "unregister") return done(wnode.unregister(scope(1), word(2)));
  if (c == "whereis") return shown(wnode.whereis(scope(1), word(2)));
  if (c == "join") return done(wnode.join(word(1)));
  if (c == "leave") return done(wnode.leave(word(1)));
  if (c == "members") return all<Pid>(wnode.members(word(1)));
  if (c == "nodes") return all<NodeId>(wnode.nodes());
  if (c == "node_find") return shown(wnode.nodeFind(word(1)));
  if (c == "node_name") return nodeName();
  if (c == "monitor_node") return done(wnode.monitorNode(node(1), on(2)));
  if (c == "monitor_nodes") { wnode.monitorNodes(on(1)); return "ok"; }
  if (c == "sha256") return ok(hex(wnode.sha256(rest(1))));
  if (c == "blake3") return ok(hex(wnode.blake3(rest(1))));
  if (c == "call") return call();
  if (c == "call_name") return callName();
  if (c == "await") return awaitReply();
  if (c == "abandon") { wnode.abandon(ref(1)); return "ok"; }
  if (c == "input") return ok(String.UTF8.decode(wnode.input()));
  if (c == "output") return done(wnode.output(rest(1)));
  if (c == "error") return done(wnode.throwError(decoded(rest(1))));
  if (c == "cast") return done(wnode.cast(pid(1), num(word(2)), rest(3)));
  if (c == "reply") return done(wnode.reply(lastCall, rest(1)));
  if (c == "ask") return ask();
  return "error " + Status.UNSUPPORTED.toString();
}

/** Carries out commands that come as messages. */
function obey(): void {
  const commands = new Match().kind(Kind.Data).tagged(COMMAND);
  for (let m = wnode.receive(commands); m; m = wnode.receive(commands)) wnode.send(m.from, ANSWER, bytes(run(m.text)));
}

function main(): void {
  if (process.argv.length > 1 && process.argv[1] == "messages") return obey();
  if (process.argv.length > 1 && process.argv[1] == "once") { // called: the input is a command
    wnode.output(bytes(run(String.UTF8.decode(wnode.input()))));
    return;
  }
  const buf = new ArrayBuffer(4096);
  let text = "";
  for (let n = process.stdin.read(buf); n > 0; n = process.stdin.read(buf)) {
    text += String.UTF8.decode(buf.slice(0, n));
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      process.stdout.write<string>(run(text.slice(0, end)) + "\n");
      text = text.slice(end + 1);
    }
  }
}

main();
