//! Processes for WebAssembly guests in Rust: one file over the functions of module
//! "wnode", which package hostfuncs of wnode documents one by one. A program has it as
//!
//!     #[path = "wnode.rs"] mod wnode;
//!
//! in the root of its crate. It needs std and nothing else, from Rust 1.63 on, for the
//! target wasm32-wasi.
//!
//! Functions that can fail return a [`Status`]. That there is no such process is not a
//! failure: links and monitors tell. A process that is told to end, by a kill or a link,
//! does not return from any of them.
#![allow(dead_code)]

use std::fmt;
use std::time::Duration;

mod host {
    #[link(wasm_import_module = "wnode")]
    extern "C" {
        #[link_name = "self"]
        pub fn self_(pid: *mut u8) -> u32;
        pub fn parent(pid: *mut u8) -> u32;
        pub fn spawn(spec: *const u8, n: usize, pid: *mut u8, monitor: *mut u8) -> u32;
        pub fn exit(reason: *const u8, n: usize) -> u32;
        pub fn link(pid: *const u8) -> u32;
        pub fn unlink(pid: *const u8) -> u32;
        pub fn monitor(pid: *const u8, reference: *mut u8) -> u32;
        pub fn monitor_name(node: *const u8, name: *const u8, n: usize, reference: *mut u8) -> u32;
        pub fn demonitor(reference: *const u8, flush: u32) -> u32;
        pub fn trap_exit(on: u32, was: *mut u32) -> u32;
        pub fn exit_signal(pid: *const u8, reason: *const u8, n: usize) -> u32;
        pub fn process_info(pid: *const u8, buf: *mut u8, cap: usize, len: *mut usize) -> u32;
        pub fn send(pid: *const u8, kind: u32, tag: u64, reference: *const u8, data: *const u8, n: usize) -> u32;
        pub fn send_name(node: *const u8, name: *const u8, name_n: usize, kind: u32, tag: u64, reference: *const u8, data: *const u8, n: usize) -> u32;
        pub fn receive(wanted: *const u8, buf: *mut u8, cap: usize, timeout: i64, len: *mut usize) -> u32;
        pub fn peek(wanted: *const u8, cursor: *mut u64, buf: *mut u8, cap: usize, len: *mut usize) -> u32;
        pub fn take(number: u64, buf: *mut u8, cap: usize, len: *mut usize) -> u32;
        pub fn mailbox_fd(fd: *mut u32) -> u32;
        pub fn message(buf: *mut u8, cap: usize, len: *mut usize) -> u32;
        pub fn timer_start(pid: *const u8, after: u64, tag: u64, data: *const u8, n: usize, reference: *mut u8) -> u32;
        pub fn timer_cancel(reference: *const u8, left: *mut u64) -> u32;
        pub fn timer_read(reference: *const u8, left: *mut u64) -> u32;
        pub fn register(scope: u32, name: *const u8, n: usize, pid: *const u8) -> u32;
        pub fn unregister(scope: u32, name: *const u8, n: usize) -> u32;
        pub fn whereis(scope: u32, name: *const u8, n: usize, pid: *mut u8) -> u32;
        pub fn join(group: *const u8, n: usize) -> u32;
        pub fn leave(group: *const u8, n: usize) -> u32;
        pub fn members(group: *const u8, n: usize, buf: *mut u8, cap: usize, len: *mut usize) -> u32;
        pub fn node(node: *mut u8) -> u32;
        pub fn nodes(buf: *mut u8, cap: usize, len: *mut usize) -> u32;
        pub fn node_find(name: *const u8, n: usize, node: *mut u8) -> u32;
        pub fn node_name(node: *const u8, buf: *mut u8, cap: usize, len: *mut usize) -> u32;
        pub fn monitor_node(node: *const u8, on: u32) -> u32;
        pub fn monitor_nodes(on: u32) -> u32;
        pub fn input(buf: *mut u8, cap: usize, len: *mut usize) -> u32;
        pub fn output(data: *const u8, n: usize) -> u32;
        pub fn error(text: *const u8, n: usize) -> u32;
        pub fn leader(pid: *mut u8) -> u32;
        pub fn window(rows: *mut u32, cols: *mut u32) -> u32;
        pub fn sha256(data: *const u8, n: usize, sum: *mut u8) -> u32;
        pub fn blake3(data: *const u8, n: usize, sum: *mut u8) -> u32;
    }
}

/// Why a function failed: an error number of WASI, never 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Status(pub u16);

impl Status {
    pub const TOO_BIG: Status = Status(1); // a message, reason or spec is above its limit
    pub const EXISTS: Status = Status(20); // the name is taken
    pub const FAULT: Status = Status(21); // a pointer is not in memory
    pub const INVALID: Status = Status(28); // an argument is wrong
    pub const NOT_FOUND: Status = Status(44); // there is no such message, or the timer does not run
    pub const NO_MEMORY: Status = Status(48); // a limit of the node
    pub const UNSUPPORTED: Status = Status(52); // the program is no process of a node
    pub const NO_PROCESS: Status = Status(71); // there is no such process, name or node
    pub const TIMEOUT: Status = Status(73); // nothing came in time
    pub const NOT_CAPABLE: Status = Status(76); // not granted, or the process is of another origin
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let text = match *self {
            Status::TOO_BIG => "too big",
            Status::EXISTS => "the name is taken",
            Status::INVALID => "invalid argument",
            Status::NOT_FOUND => "not found",
            Status::NO_MEMORY => "limit of the node",
            Status::UNSUPPORTED => "not supported",
            Status::NO_PROCESS => "no such process, name or node",
            Status::TIMEOUT => "timeout",
            Status::NOT_CAPABLE => "not capable",
            Status(n) => return write!(f, "wnode: status {}", n),
        };
        write!(f, "wnode: {}", text)
    }
}

impl std::error::Error for Status {}

pub type Result<T> = std::result::Result<T, Status>;

fn check(status: u32) -> Result<()> {
    if status == 0 { Ok(()) } else { Err(Status(status as u16)) }
}

/// For what cannot fail in a program that is a process.
fn must(status: u32) {
    check(status).unwrap()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $size:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(pub [u8; $size]);

        impl $name {
            pub fn is_zero(&self) -> bool { self.0 == [0; $size] }
            /// The address, null for the zero value.
            fn ptr(&self) -> *const u8 { if self.is_zero() { std::ptr::null() } else { self.0.as_ptr() } }
            fn all(b: &[u8]) -> Vec<$name> {
                b.chunks_exact($size).map(|c| { let mut v = $name::default(); v.0.copy_from_slice(c); v }).collect()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
                self.0.iter().try_for_each(|b| write!(f, "{:02x}", b))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
    };
}

id!(/// Names a process for ever. Zero is no process.
    Pid, 32);
id!(/// Names a monitor, a call or a timer. Zero is none.
    Ref, 32);
id!(/// Identifies a node. Where a function takes one, zero is this node.
    NodeId, 16);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    Data = 1,      // from another process
    Call = 2,      // to be answered with reply
    Reply = 3,     // the answer of reference
    Exit = 4,      // an exit signal of from, with a reason: only if exits are trapped
    Down = 5,      // from, monitored by reference, has ended, with a reason
    NodeUp = 6,    // the node of from is connected; data is its name
    NodeDown = 7,  // and is not any more
    Timeout = 8,   // the timer reference is due
    Cast = 9,      // as Data, for what a server handles as a cast
    NameLost = 10, // from has the cluster-wide name that is data now
    Other = 31,    // a kind of later than this file
}

impl Kind {
    fn of(n: u8) -> Kind {
        use Kind::*;
        [Other, Data, Call, Reply, Exit, Down, NodeUp, NodeDown, Timeout, Cast, NameLost].get(n as usize).copied().unwrap_or(Other)
    }
}

/// What a message must be like. The default is any message.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Match {
    pub kinds: u32, // 1 << kind for each; 0 any
    pub tag: u64,
    pub mask: u64, // of the tag: the bits that must be as in tag
    pub reference: Ref,
}

impl Match {
    pub const ANY: Match = Match { kinds: 0, tag: 0, mask: 0, reference: Ref([0; 32]) };

    pub fn kind(mut self, k: Kind) -> Match { self.kinds |= 1 << k as u32; self }
    pub fn tag(mut self, tag: u64) -> Match { self.tag = tag; self.mask = !0; self }
    pub fn reference(mut self, r: Ref) -> Match { self.reference = r; self }

    fn bytes(&self) -> [u8; 56] {
        let mut b = [0; 56];
        b[..4].copy_from_slice(&self.kinds.to_le_bytes());
        b[8..16].copy_from_slice(&self.tag.to_le_bytes());
        b[16..24].copy_from_slice(&self.mask.to_le_bytes());
        b[24..].copy_from_slice(&self.reference.0);
        b
    }
}

/// Why a process ended.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Reason {
    pub word: String, // normal, shutdown, killed, exited, noproc, noconnection, ..., or the program's own
    pub code: u32,    // of exited
    pub detail: String, // for people
}

impl Reason {
    pub fn new(word: &str, detail: &str) -> Reason { Reason { word: word.into(), code: 0, detail: detail.into() } }

    fn parse(b: &[u8]) -> Reason {
        let (word, detail) = (u16_at(b, 4) as usize, u16_at(b, 6) as usize);
        let text = |from: usize, n: usize| String::from_utf8_lossy(&b[from..from + n]).into_owned();
        Reason { word: text(8, word), code: u32_at(b, 0), detail: text(8 + word, detail) }
    }

    /// A length that does not fit is one that the host refuses.
    fn bytes(&self) -> Vec<u8> {
        let size = |s: &str| (s.len().min(0xffff) as u16).to_le_bytes();
        let head = [&self.code.to_le_bytes()[..], &size(&self.word), &size(&self.detail)].concat();
        [&head[..], self.word.as_bytes(), self.detail.as_bytes()].concat()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.word)?;
        if self.code != 0 { write!(f, " {}", self.code)? }
        if !self.detail.is_empty() { write!(f, ": {}", self.detail)? }
        Ok(())
    }
}

impl std::error::Error for Reason {}

fn u16_at(b: &[u8], i: usize) -> u16 { u16::from_le_bytes([b[i], b[i + 1]]) }
fn u32_at(b: &[u8], i: usize) -> u32 { u16_at(b, i) as u32 | (u16_at(b, i + 2) as u32) << 16 }
fn u64_at(b: &[u8], i: usize) -> u64 { u32_at(b, i) as u64 | (u32_at(b, i + 4) as u64) << 32 }

/// In which way a process came to its end: its reason alone does not tell, as a program
/// may give any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum End {
    Runtime = 0,  // it did not run, or what became of it is not known
    Returned = 1, // its function returned
    Exited = 2,   // it ended itself with the reason
    Thrown = 3,   // it ended itself with an error for who called it: throw
    Trapped = 4,  // its code failed
    Killed = 5,   // it was ended from outside, or for a limit of its own
}

impl End {
    fn of(n: u8) -> End {
        use End::*;
        [Runtime, Returned, Exited, Thrown, Trapped, Killed].get(n as usize).copied().unwrap_or(Runtime)
    }
}

#[derive(Clone, Debug)]
pub struct Message {
    pub kind: Kind,
    pub end: End, // of a Down
    pub tag: u64,
    pub reference: Ref,
    pub from: Pid,
    pub data: Vec<u8>,
}

impl Message {
    const HEAD: usize = 80;

    fn parse(b: &[u8]) -> Message {
        let n = u32_at(b, 4) as usize;
        Message {
            kind: Kind::of(b[0]),
            end: End::of(b[1]),
            tag: u64_at(b, 8),
            reference: Ref::all(&b[16..48])[0],
            from: Pid::all(&b[48..80])[0],
            data: b[Message::HEAD..Message::HEAD + n].to_vec(),
        }
    }

    /// The reason of an Exit or a Down.
    pub fn reason(&self) -> Option<Reason> {
        matches!(self.kind, Kind::Exit | Kind::Down).then(|| Reason::parse(&self.data))
    }
}

/// Calls f with buffers until its result fits in one, and returns that.
fn filled(first: usize, mut f: impl FnMut(*mut u8, usize, *mut usize) -> u32) -> Result<Vec<u8>> {
    let mut b = vec![0; first];
    loop {
        let mut n = 0;
        match check(f(b.as_mut_ptr(), b.len(), &mut n)) {
            Err(Status::TOO_BIG) if n > b.len() => b.resize(n, 0),
            r => {
                b.truncate(n);
                return r.map(|_| b);
            }
        }
    }
}

/// A message that fits is not copied twice.
fn message_of(f: impl FnMut(*mut u8, usize, *mut usize) -> u32) -> Result<Message> {
    filled(1024, f).map(|b| Message::parse(&b))
}

/// The pid of the process.
pub fn own_pid() -> Pid { let mut p = Pid::default(); must(unsafe { host::self_(p.0.as_mut_ptr()) }); p }
/// The pid of who asked for the process; zero if nobody did.
pub fn parent() -> Pid { let mut p = Pid::default(); must(unsafe { host::parent(p.0.as_mut_ptr()) }); p }
/// The pid of the group leader.
pub fn leader() -> Pid { let mut p = Pid::default(); must(unsafe { host::leader(p.0.as_mut_ptr()) }); p }
/// Rows and columns of the leader's terminal, 0 if it has none.
pub fn window() -> (u32, u32) { let (mut r, mut c) = (0, 0); must(unsafe { host::window(&mut r, &mut c) }); (r, c) }

/// What to spawn. The default is this module, on this node, without arguments.
#[derive(Clone, Default, Debug)]
pub struct Spec<'a> {
    pub node: NodeId,
    pub module: &'a str, // a tag or CID of the target; "" is the module of the caller
    pub entry: &'a str,  // an export; "" is _start
    pub args: &'a [&'a str], // without the name of the program
    pub env: &'a [&'a str],  // K=V
    pub name: &'a str,       // on its node; "" is none
    pub grants: &'a [&'a str], // of those that the caller has
    pub link: bool,      // the caller and the new process are linked
    pub monitor: bool,   // the caller monitors the new process
    pub same_env: bool,  // it has the caller's environment, before what is in env
    pub same_dirs: bool, // it sees the directories that the caller sees
    pub no_input: bool,  // its stdin is at its end
    pub drop: bool,      // messages that find its mailbox full are dropped
    pub call: bool,      // the caller gets what it returns: see request
    pub input: &'a [u8], // what the new process reads with input
    // Limits; 0 is the node's default.
    pub memory: u64, // bytes
    pub wall: Duration,
    pub fuel: u64,    // reductions
    pub stack: u64,   // bytes
    pub mailbox: u64, // bytes
    pub seed: u64,    // of its random source; 0 is the node's
}

impl Spec<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut b = Vec::new();
        let mut field = |id: u32, v: &[u8]| {
            b.extend_from_slice(&id.to_le_bytes());
            b.extend_from_slice(&(v.len() as u32).to_le_bytes());
            b.extend_from_slice(v);
        };
        if !self.node.is_zero() { field(1, &self.node.0) }
        for (id, v) in [(2, self.module), (3, self.entry), (12, self.name)] {
            if !v.is_empty() { field(id, v.as_bytes()) }
        }
        for (id, list) in [(4, self.args), (5, self.env), (13, self.grants)] {
            for v in list { field(id, v.as_bytes()) }
        }
        let flags = [self.link, self.monitor, self.same_env, self.same_dirs, self.no_input, self.drop, self.call];
        field(6, &flags.iter().enumerate().map(|(i, &on)| (on as u32) << i).sum::<u32>().to_le_bytes());
        let wall = self.wall.as_nanos() as u64;
        for (id, v) in [(7, self.memory), (8, wall), (9, self.fuel), (10, self.stack), (11, self.mailbox), (14, self.seed)] {
            if v != 0 { field(id, &v.to_le_bytes()) }
        }
        if !self.input.is_empty() { field(15, self.input) }
        b
    }
}

/// Starts a process: its pid, and the reference of its monitor if the spec has one. It
/// does not wait: that there is no such node, module or export is told by link and
/// monitor. INVALID for a wrong spec, NOT_CAPABLE for grants that the caller has not.
pub fn spawn(s: &Spec) -> Result<(Pid, Ref)> {
    let (b, mut pid, mut r) = (s.bytes(), Pid::default(), Ref::default());
    check(unsafe { host::spawn(b.as_ptr(), b.len(), pid.0.as_mut_ptr(), r.0.as_mut_ptr()) })?;
    Ok((pid, r))
}

/// Ends the process. It returns only for what is no reason: a word above 64 bytes, or
/// more than 4 KiB in all.
pub fn exit(r: &Reason) -> Status {
    let b = r.bytes();
    Status(unsafe { host::exit(b.as_ptr(), b.len()) } as u16)
}

/// Links with another process: when one ends, the other gets an exit signal.
pub fn link(to: Pid) { must(unsafe { host::link(to.0.as_ptr()) }) }
/// Takes a link back: nothing of it comes any more.
pub fn unlink(to: Pid) { must(unsafe { host::unlink(to.0.as_ptr()) }) }

/// Has a message Down come when a process ends, with the reference.
pub fn monitor(to: Pid) -> Ref {
    let mut r = Ref::default();
    must(unsafe { host::monitor(to.0.as_ptr(), r.0.as_mut_ptr()) });
    r
}

/// As monitor, of who has a name on a node. INVALID for what is no name.
pub fn monitor_name(node: NodeId, name: &str) -> Result<Ref> {
    let mut r = Ref::default();
    check(unsafe { host::monitor_name(node.ptr(), name.as_ptr(), name.len(), r.0.as_mut_ptr()) })?;
    Ok(r)
}

/// Takes a monitor back; with flush a Down that is in the mailbox is removed.
pub fn demonitor(r: Ref, flush: bool) { must(unsafe { host::demonitor(r.0.as_ptr(), flush as u32) }) }

/// Sets whether exit signals become messages, and returns what was set.
pub fn trap_exit(on: bool) -> bool {
    let mut was = 0;
    must(unsafe { host::trap_exit(on as u32, &mut was) });
    was != 0
}

/// Sends an exit signal. The word "kill" cannot be trapped. NOT_CAPABLE if the process is
/// of another origin.
pub fn exit_signal(to: Pid, r: &Reason) -> Result<()> {
    let b = r.bytes();
    check(unsafe { host::exit_signal(to.0.as_ptr(), b.as_ptr(), b.len()) })
}

/// What is known of a process of this node, as JSON; zero is the process itself.
pub fn process_info(of: Pid) -> Result<String> {
    filled(1024, |b, cap, n| unsafe { host::process_info(of.ptr(), b, cap, n) }).map(|b| String::from_utf8_lossy(&b).into_owned())
}

/// Sends data to a process. It is never an error that there is none. It waits while the
/// receiver's mailbox is full or the connection busy. TOO_BIG above 16 MiB.
pub fn send(to: Pid, tag: u64, data: &[u8]) -> Result<()> { send_kind(to, Kind::Data, tag, Ref::default(), data) }
/// Sends what a server handles as a cast.
pub fn cast(to: Pid, tag: u64, data: &[u8]) -> Result<()> { send_kind(to, Kind::Cast, tag, Ref::default(), data) }
/// Answers a call.
pub fn reply(call: &Message, data: &[u8]) -> Result<()> { send_kind(call.from, Kind::Reply, call.tag, call.reference, data) }
/// As send, to who has a name on a node. NO_PROCESS if that is this node and nobody has.
pub fn send_name(node: NodeId, name: &str, tag: u64, data: &[u8]) -> Result<()> {
    send_name_kind(node, name, Kind::Data, tag, Ref::default(), data)
}

/// As send, of a Data, Call, Reply or Cast.
pub fn send_kind(to: Pid, kind: Kind, tag: u64, r: Ref, data: &[u8]) -> Result<()> {
    check(unsafe { host::send(to.0.as_ptr(), kind as u32, tag, r.ptr(), data.as_ptr(), data.len()) })
}

/// As send_kind, to who has a name on a node.
pub fn send_name_kind(node: NodeId, name: &str, kind: Kind, tag: u64, r: Ref, data: &[u8]) -> Result<()> {
    check(unsafe { host::send_name(node.ptr(), name.as_ptr(), name.len(), kind as u32, tag, r.ptr(), data.as_ptr(), data.len()) })
}

/// Why a call has no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallError {
    Down(End, Reason), // it ended first, or there is none
    Status(Status),    // TIMEOUT: a late answer is dropped
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self { CallError::Down(_, r) => r.fmt(f), CallError::Status(s) => s.fmt(f) }
    }
}

impl std::error::Error for CallError {}

/// Calls a process and waits for its answer; None is for ever.
pub fn call(to: Pid, tag: u64, data: &[u8], timeout: Option<Duration>) -> std::result::Result<Vec<u8>, CallError> {
    let r = monitor(to);
    if let Err(s) = send_kind(to, Kind::Call, tag, r, data) {
        abandon(r);
        return Err(CallError::Status(s));
    }
    await_reply(r, timeout)
}

/// As call, of who has a name on a node.
pub fn call_name(node: NodeId, name: &str, tag: u64, data: &[u8], timeout: Option<Duration>) -> std::result::Result<Vec<u8>, CallError> {
    let r = monitor_name(node, name).map_err(CallError::Status)?;
    match send_name_kind(node, name, Kind::Call, tag, r, data) {
        Ok(()) | Err(Status::NO_PROCESS) => await_reply(r, timeout), // the monitor tells of nobody
        Err(s) => {
            abandon(r);
            Err(CallError::Status(s))
        }
    }
}

/// Starts a process for what it returns, as erpc does, and does not wait: await_reply or
/// abandon is to be called with the reference, once.
pub fn request(s: &Spec) -> Result<(Pid, Ref)> { spawn(&Spec { call: true, ..s.clone() }) }

/// Waits for the answer to a request, or to a call whose reference is that of a monitor;
/// None is for ever.
pub fn await_reply(r: Ref, timeout: Option<Duration>) -> std::result::Result<Vec<u8>, CallError> {
    let m = receive(&Match::ANY.kind(Kind::Reply).kind(Kind::Down).reference(r), timeout).map_err(|s| {
        abandon(r);
        CallError::Status(s)
    })?;
    match m.reason() { Some(why) => Err(CallError::Down(m.end, why)), None => Ok(m.data) }
}

/// Gives up an answer: it is never received. What was started goes on.
pub fn abandon(r: Ref) { demonitor(r, true) }

/// What this process was given to work on, if it was started by a request.
pub fn input() -> Vec<u8> { filled(1024, |b, cap, n| unsafe { host::input(b, cap, n) }).unwrap() }

/// Appends to what this process returns to who requested it. TOO_BIG above 16 MiB in all.
pub fn output(data: &[u8]) -> Result<()> { check(unsafe { host::output(data.as_ptr(), data.len()) }) }

/// Ends the process with an error for who requested it. It returns only for text above
/// 4 KiB.
pub fn throw(text: &str) -> Status { Status(unsafe { host::error(text.as_ptr(), text.len()) } as u16) }

/// Takes the first message that matches, and waits for one; None is for ever. TIMEOUT
/// when none came.
pub fn receive(m: &Match, timeout: Option<Duration>) -> Result<Message> {
    let (m, wait) = (m.bytes(), timeout.map_or(-1, |t| t.as_nanos().min(i64::MAX as u128) as i64));
    message_of(|b, cap, n| unsafe { host::receive(m.as_ptr(), b, cap, wait, n) })
}

/// The first message that matches behind the one with a number, 0 for the first of all,
/// and its own number. It stays in the mailbox. NOT_FOUND if there is none.
pub fn peek(m: &Match, after: u64) -> Result<(u64, Message)> {
    let (bytes, mut cursor) = (m.bytes(), after);
    let ptr = if *m == Match::ANY { std::ptr::null() } else { bytes.as_ptr() };
    let got = message_of(|b, cap, n| {
        cursor = after;
        unsafe { host::peek(ptr, &mut cursor, b, cap, n) }
    })?;
    Ok((cursor, got))
}

/// Takes the message with a number, as peek gave it. NOT_FOUND if it is not there.
pub fn take(number: u64) -> Result<Message> { message_of(|b, cap, n| unsafe { host::take(number, b, cap, n) }) }

/// A descriptor that poll_oneoff reports readable as long as there is a message that peek
/// has not given for Match::ANY.
pub fn mailbox_fd() -> Result<u32> { let mut fd = 0; check(unsafe { host::mailbox_fd(&mut fd) }).map(|_| fd) }

/// The message that a server handles. INVALID elsewhere.
pub fn current() -> Result<Message> { message_of(|b, cap, n| unsafe { host::message(b, cap, n) }) }

/// Has a message come after a time: Timeout for the process itself, which is zero, with
/// the reference; else Data for another one. NO_MEMORY for too many.
pub fn timer_start(to: Pid, after: Duration, tag: u64, data: &[u8]) -> Result<Ref> {
    let mut r = Ref::default();
    check(unsafe { host::timer_start(to.ptr(), after.as_nanos() as u64, tag, data.as_ptr(), data.len(), r.0.as_mut_ptr()) })?;
    Ok(r)
}

/// Stops a timer: what it had left. NOT_FOUND if it does not run: its message may have
/// come.
pub fn timer_cancel(r: Ref) -> Result<Duration> {
    let mut left = 0;
    check(unsafe { host::timer_cancel(r.0.as_ptr(), &mut left) }).map(|_| Duration::from_nanos(left))
}

/// As timer_cancel, and the timer goes on.
pub fn timer_read(r: Ref) -> Result<Duration> {
    let mut left = 0;
    check(unsafe { host::timer_read(r.0.as_ptr(), &mut left) }).map(|_| Duration::from_nanos(left))
}

/// Where a name is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope { Node = 0, Cluster = 1 }

/// Gives a process of this node a name; zero is the process itself. INVALID for what is no
/// name (1 to 63 of a-z 0-9 _ -), EXISTS, NO_PROCESS, NOT_CAPABLE.
pub fn register(scope: Scope, name: &str, pid: Pid) -> Result<()> {
    check(unsafe { host::register(scope as u32, name.as_ptr(), name.len(), pid.ptr()) })
}
/// Takes a name of a process of this node back.
pub fn unregister(scope: Scope, name: &str) -> Result<()> { check(unsafe { host::unregister(scope as u32, name.as_ptr(), name.len()) }) }
/// Who has a name. NO_PROCESS if nobody has.
pub fn whereis(scope: Scope, name: &str) -> Result<Pid> {
    let mut p = Pid::default();
    check(unsafe { host::whereis(scope as u32, name.as_ptr(), name.len(), p.0.as_mut_ptr()) }).map(|_| p)
}
/// Makes the process a member of a group, once more if it is one.
pub fn join(group: &str) -> Result<()> { check(unsafe { host::join(group.as_ptr(), group.len()) }) }
/// Takes back one join.
pub fn leave(group: &str) -> Result<()> { check(unsafe { host::leave(group.as_ptr(), group.len()) }) }
/// The members of a group on all connected nodes, each as often as it joined.
pub fn members(group: &str) -> Result<Vec<Pid>> {
    filled(0, |b, cap, n| unsafe { host::members(group.as_ptr(), group.len(), b, cap, n) }).map(|b| Pid::all(&b))
}

/// The id of this node.
pub fn node() -> NodeId { let mut n = NodeId::default(); must(unsafe { host::node(n.0.as_mut_ptr()) }); n }
/// The nodes that this one is connected with, in the order of their names.
pub fn nodes() -> Result<Vec<NodeId>> { filled(0, |b, cap, n| unsafe { host::nodes(b, cap, n) }).map(|b| NodeId::all(&b)) }
/// The node with a name, peer id or the begin of that; it is connected then.
pub fn node_find(name: &str) -> Result<NodeId> {
    let mut n = NodeId::default();
    check(unsafe { host::node_find(name.as_ptr(), name.len(), n.0.as_mut_ptr()) }).map(|_| n)
}
/// The name of a node. NO_PROCESS if it is not connected.
pub fn node_name(node: NodeId) -> Result<String> {
    filled(64, |b, cap, n| unsafe { host::node_name(node.ptr(), b, cap, n) }).map(|b| String::from_utf8_lossy(&b).into_owned())
}
/// Has one NodeDown come when the connection with a node is lost; false takes that back.
pub fn monitor_node(node: NodeId, on: bool) -> Result<()> { check(unsafe { host::monitor_node(node.0.as_ptr(), on as u32) }) }
/// Has NodeUp and NodeDown come for all nodes, or none any more.
pub fn monitor_nodes(on: bool) { must(unsafe { host::monitor_nodes(on as u32) }) }

/// The hash of data, computed by the node. A module that uses it needs the grant "hash".
pub fn sha256(data: &[u8]) -> [u8; 32] { let mut s = [0; 32]; must(unsafe { host::sha256(data.as_ptr(), data.len(), s.as_mut_ptr()) }); s }
/// As sha256.
pub fn blake3(data: &[u8]) -> [u8; 32] { let mut s = [0; 32]; must(unsafe { host::blake3(data.as_ptr(), data.len(), s.as_mut_ptr()) }); s }

/// Whether a server goes on after a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next { Continue = 0, Stop = 1 }

/// A server: it handles one message at a time, and nothing of it runs between two. The
/// module is a cdylib with `wnode::server!(Type);`.
pub trait Server: Sized {
    fn init() -> Self;
    /// A call: it is answered with reply, now or later.
    fn call(&mut self, m: &Message) -> Next;
    fn cast(&mut self, _m: &Message) -> Next { Next::Continue }
    /// Any other message.
    fn info(&mut self, _m: &Message) -> Next { Next::Continue }
    /// Last, unless it is killed.
    fn terminate(&mut self, _why: &Reason) {}
}

/// Exports a type that is a Server.
#[allow(unused_macros)]
macro_rules! server {
    ($server:ty) => {
        static mut SERVER: Option<$server> = None;
        extern "C" { fn __wasm_call_ctors(); }
        #[no_mangle] pub extern "C" fn _initialize() { unsafe { __wasm_call_ctors() } }
        #[no_mangle] pub extern "C" fn wnode_server_1() {}
        #[no_mangle] pub extern "C" fn wnode_init() -> u32 {
            unsafe { SERVER = Some(<$server as $crate::wnode::Server>::init()) };
            0
        }
        fn handle(f: fn(&mut $server, &$crate::wnode::Message) -> $crate::wnode::Next) -> u32 {
            f(unsafe { SERVER.as_mut().unwrap() }, &$crate::wnode::current().unwrap()) as u32
        }
        #[no_mangle] pub extern "C" fn wnode_handle_call(_size: u32) -> u32 { handle(<$server as $crate::wnode::Server>::call) }
        #[no_mangle] pub extern "C" fn wnode_handle_cast(_size: u32) -> u32 { handle(<$server as $crate::wnode::Server>::cast) }
        #[no_mangle] pub extern "C" fn wnode_handle_info(_size: u32) -> u32 { handle(<$server as $crate::wnode::Server>::info) }
        #[no_mangle] pub extern "C" fn wnode_terminate(_size: u32) {
            let why = $crate::wnode::current().unwrap().reason().unwrap_or_default();
            $crate::wnode::Server::terminate(unsafe { SERVER.as_mut().unwrap() }, &why)
        }
    };
}
#[allow(unused_imports)]
pub(crate) use server;
