// What processes are named by, and what they say to each other.

/** Why a function failed: an error number of WASI. 0 is success. */
export namespace Status {
  export const OK: u32 = 0;
  export const TOO_BIG: u32 = 1; // a message, reason or spec is above its limit
  export const EXISTS: u32 = 20; // the name is taken
  export const INVALID: u32 = 28; // an argument is wrong
  export const NOT_FOUND: u32 = 44; // there is no such message, or the timer does not run
  export const NO_MEMORY: u32 = 48; // a limit of the node
  export const UNSUPPORTED: u32 = 52; // the program is no process of a node
  export const NO_PROCESS: u32 = 71; // there is no such process, name or node
  export const TIMEOUT: u32 = 73; // nothing came in time
  export const NOT_CAPABLE: u32 = 76; // not granted, or the process is of another origin
}

/** Bytes that name something: a process (32), a reference (32), a node (16). All zero is none. */
export class Id {
  bytes: StaticArray<u8>;

  constructor(size: i32) { this.bytes = new StaticArray<u8>(size); }

  get ptr(): usize { return changetype<usize>(this.bytes); }

  /** The address, null for none. */
  get orNull(): usize { return this.isZero() ? 0 : this.ptr; }

  isZero(): bool {
    for (let i = 0; i < this.bytes.length; i++) if (this.bytes[i] != 0) return false;
    return true;
  }

  equals(other: Id): bool {
    return this.bytes.length == other.bytes.length && memory.compare(this.ptr, other.ptr, this.bytes.length) == 0;
  }

  /** Hex. */
  toString(): string {
    let s = "";
    for (let i = 0; i < this.bytes.length; i++) s += (0x100 + <u32>this.bytes[i]).toString(16).slice(1);
    return s;
  }
}

/** Names a process for ever. */
export class Pid extends Id { constructor() { super(32); } }
/** Names a monitor, a call or a timer. */
export class Ref extends Id { constructor() { super(32); } }
/** Identifies a node. Where a function takes one, none is this node. */
export class NodeId extends Id { constructor() { super(16); } }

/** What a message is. */
export enum Kind {
  Any = 0,
  Data = 1, // from another process
  Call = 2, // to be answered with reply
  Reply = 3, // the answer of ref
  Exit = 4, // an exit signal of from, with a reason: only if exits are trapped
  Down = 5, // from, monitored by ref, has ended, with a reason
  NodeUp = 6, // the node of from is connected; the data is its name
  NodeDown = 7, // and is not any more
  Timeout = 8, // the timer ref is due
  Cast = 9, // as Data, for what a server handles as a cast
  NameLost = 10, // from has the cluster-wide name that is the data now
}

/** What a message must be like. A new one is any message. */
export class Match {
  kinds: u32 = 0; // 1 << kind for each; 0 any
  tag: u64 = 0;
  mask: u64 = 0; // of the tag: the bits that must be as in tag
  ref: Ref = new Ref();

  kind(k: Kind): Match { this.kinds |= 1 << <u32>k; return this; }
  tagged(tag: u64): Match { this.tag = tag; this.mask = u64.MAX_VALUE; return this; }
  about(ref: Ref): Match { this.ref = ref; return this; }

  isAny(): bool { return this.kinds == 0 && this.mask == 0 && this.ref.isZero(); }

  /** As the host reads it. */
  encode(): StaticArray<u8> {
    const b = new StaticArray<u8>(56), p = changetype<usize>(b);
    store<u32>(p, this.kinds);
    store<u64>(p, this.tag, 8);
    store<u64>(p, this.mask, 16);
    memory.copy(p + 24, this.ref.ptr, 32);
    return b;
  }
}

/** Why a process ended. */
export class Reason {
  constructor(
    public word: string, // normal, shutdown, killed, exited, noproc, noconnection, ..., or the program's own
    public code: u32 = 0, // of exited
    public detail: string = "", // for people
  ) {}

  toString(): string {
    return this.word + (this.code ? " " + this.code.toString() : "") + (this.detail.length ? ": " + this.detail : "");
  }

  /** As the host reads it. A length that does not fit is one that the host refuses. */
  encode(): ArrayBuffer {
    const word = String.UTF8.encode(this.word), detail = String.UTF8.encode(this.detail);
    const b = new ArrayBuffer(8 + word.byteLength + detail.byteLength), p = changetype<usize>(b);
    store<u32>(p, this.code);
    store<u16>(p, <u16>min(word.byteLength, 0xffff), 4);
    store<u16>(p, <u16>min(detail.byteLength, 0xffff), 6);
    memory.copy(p + 8, changetype<usize>(word), word.byteLength);
    memory.copy(p + 8 + word.byteLength, changetype<usize>(detail), detail.byteLength);
    return b;
  }

  static decode(p: usize): Reason {
    const word = load<u16>(p, 4), detail = load<u16>(p, 6);
    return new Reason(String.UTF8.decodeUnsafe(p + 8, word), load<u32>(p), String.UTF8.decodeUnsafe(p + 8 + word, detail));
  }
}

/** In which way a process came to its end: its reason alone does not tell, as a program may give
 *  any. */
export enum End {
  Runtime = 0, // it did not run, or what became of it is not known
  Returned = 1, // its function returned
  Exited = 2, // it ended itself with the reason
  Thrown = 3, // it ended itself with an error for who called it: throwError
  Trapped = 4, // its code failed
  Killed = 5, // it was ended from outside, or for a limit of its own
}

/** A message, its receiver's own. */
export class Message {
  kind: Kind = Kind.Any;
  end: End = End.Runtime; // of a Down
  tag: u64 = 0;
  ref: Ref = new Ref();
  from: Pid = new Pid();
  data: ArrayBuffer = new ArrayBuffer(0);

  /** The data as text. */
  get text(): string { return String.UTF8.decode(this.data); }

  /** The reason of an Exit or a Down, null of others. */
  get reason(): Reason | null {
    if (this.kind != Kind.Exit && this.kind != Kind.Down) return null;
    return Reason.decode(changetype<usize>(this.data));
  }

  static decode(p: usize): Message {
    const m = new Message(), n = load<u32>(p, 4);
    m.kind = <Kind>load<u8>(p);
    m.end = <End>load<u8>(p, 1);
    m.tag = load<u64>(p, 8);
    memory.copy(m.ref.ptr, p + 16, 32);
    memory.copy(m.from.ptr, p + 48, 32);
    m.data = new ArrayBuffer(n);
    memory.copy(changetype<usize>(m.data), p + 80, n);
    return m;
  }
}

/** What to spawn. A new one is this module, on this node, without arguments. */
export class Spec {
  node: NodeId = new NodeId();
  module: string = ""; // a tag or CID of the target; "" is the module of the caller
  entry: string = ""; // an export; "" is _start
  args: string[] = []; // without the name of the program
  env: string[] = []; // K=V
  name: string = ""; // on its node; "" is none
  grants: string[] = []; // of those that the caller has
  link: bool = false; // the caller and the new process are linked
  monitor: bool = false; // the caller monitors the new process
  sameEnv: bool = false; // it has the caller's environment, before what is in env
  sameDirs: bool = false; // it sees the directories that the caller sees
  noInput: bool = false; // its stdin is at its end
  drop: bool = false; // messages that find its mailbox full are dropped
  call: bool = false; // the caller gets what it returns: see request
  input: ArrayBuffer = new ArrayBuffer(0); // what the new process reads with input
  // Limits; 0 is the node's default.
  memory: u64 = 0; // bytes
  wall: u64 = 0; // nanoseconds
  fuel: u64 = 0; // reductions
  stack: u64 = 0; // bytes
  mailbox: u64 = 0; // bytes
  seed: u64 = 0; // of its random source; 0 is the node's

  /** As the host reads it: fields with a number and a length. */
  encode(): Uint8Array {
    const w = new Fields();
    if (!this.node.isZero()) w.field(1, this.node.ptr, 16);
    if (this.module.length) w.text(2, this.module);
    if (this.entry.length) w.text(3, this.entry);
    for (let i = 0; i < this.args.length; i++) w.text(4, this.args[i]);
    for (let i = 0; i < this.env.length; i++) w.text(5, this.env[i]);
    const flags = new StaticArray<u32>(1);
    flags[0] = <u32>this.link | <u32>this.monitor << 1 | <u32>this.sameEnv << 2 | <u32>this.sameDirs << 3 | <u32>this.noInput << 4 | <u32>this.drop << 5 | <u32>this.call << 6;
    w.field(6, changetype<usize>(flags), 4);
    w.number(7, this.memory);
    w.number(8, this.wall);
    w.number(9, this.fuel);
    w.number(10, this.stack);
    w.number(11, this.mailbox);
    if (this.name.length) w.text(12, this.name);
    for (let i = 0; i < this.grants.length; i++) w.text(13, this.grants[i]);
    w.number(14, this.seed);
    if (this.input.byteLength) w.field(15, changetype<usize>(this.input), this.input.byteLength);
    return w.bytes.subarray(0, w.n);
  }
}

class Fields {
  bytes: Uint8Array = new Uint8Array(256);
  n: i32 = 0;

  field(id: u32, p: usize, n: i32): void {
    while (this.n + 8 + n > this.bytes.length) {
      const larger = new Uint8Array(2 * this.bytes.length);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    const at = this.bytes.dataStart + this.n;
    store<u32>(at, id);
    store<u32>(at, n, 4);
    memory.copy(at + 8, p, n);
    this.n += 8 + n;
  }

  text(id: u32, s: string): void {
    const b = String.UTF8.encode(s);
    this.field(id, changetype<usize>(b), b.byteLength);
  }

  number(id: u32, v: u64): void {
    if (v == 0) return;
    const b = new StaticArray<u64>(1);
    b[0] = v;
    this.field(id, changetype<usize>(b), 8);
  }
}
