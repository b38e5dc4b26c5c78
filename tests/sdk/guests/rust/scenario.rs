//! scenario is the guest of the suite in tests/sdk, in Rust: commands in, one line out for
//! each. README.md in the directory above has the commands.
#[path = "../../../../sdk/rust/wnode.rs"]
mod wnode;

use std::io::{self, BufRead, Write};
use std::time::Duration;
use wnode::*;

const COMMAND: u64 = 100; // tags of commands that come as messages, and of their answers
const ANSWER: u64 = 101;
const PATIENCE: Duration = Duration::from_secs(20);

const KINDS: [&str; 11] = ["", "data", "call", "reply", "exit", "down", "nodeup", "nodedown", "timeout", "cast", "name_lost"];
const KIND: [Kind; 11] = [
    Kind::Other, Kind::Data, Kind::Call, Kind::Reply, Kind::Exit, Kind::Down, Kind::NodeUp, Kind::NodeDown, Kind::Timeout, Kind::Cast, Kind::NameLost,
];

/// What a command answers: what comes behind ok, or the error.
type Answer = Result<String>;

/// A command, in words.
struct Line<'a>(Vec<&'a str>);

impl<'a> Line<'a> {
    fn word(&self, i: usize) -> &'a str { self.0.get(i).copied().unwrap_or("") }
    fn rest(&self, i: usize) -> String { self.0.get(i..).unwrap_or(&[]).join(" ") }
    fn number(&self, i: usize) -> u64 { number(self.word(i)) }
    fn on(&self, i: usize) -> bool { self.number(i) != 0 }
    fn ms(&self, i: usize) -> Duration { Duration::from_millis(self.number(i)) }
    fn pid(&self, i: usize) -> Pid { Pid(hex(self.word(i))) }
    fn reference(&self, i: usize) -> Ref { Ref(hex(self.word(i))) }
    fn node(&self, i: usize) -> NodeId { NodeId(hex(self.word(i))) }
    fn kind(&self, i: usize) -> Kind { kind(self.word(i)) }
    fn scope(&self, i: usize) -> Scope { if self.word(i) == "cluster" { Scope::Cluster } else { Scope::Node } }

    /// What all words KEY=... have.
    fn list(&self, key: &str) -> Vec<&'a str> {
        self.0.iter().filter_map(|w| w.strip_prefix(key)?.strip_prefix('=')).collect()
    }
    fn option(&self, key: &str) -> Option<&'a str> { self.list(key).first().copied() }
    fn text(&self, key: &str) -> &'a str { self.option(key).unwrap_or("") }

    fn wanted(&self) -> Match {
        let mut m = Match::ANY;
        if let Some(k) = self.option("kind") { m = m.kind(kind(k)) }
        if let Some(tag) = self.option("tag") { m = m.tag(number(tag)) }
        if let Some(mask) = self.option("mask") { m.mask = number(mask) }
        m.reference(Ref(hex(self.text("ref"))))
    }
}

fn number(s: &str) -> u64 { s.parse().unwrap_or(0) }
fn kind(s: &str) -> Kind { KIND[KINDS.iter().position(|k| *k == s).unwrap_or(0)] }

/// Reads hex; zeros for what is none.
fn hex<const N: usize>(s: &str) -> [u8; N] {
    let mut b = [0; N];
    for (i, v) in b.iter_mut().enumerate() {
        *v = s.get(2 * i..2 * i + 2).and_then(|two| u8::from_str_radix(two, 16).ok()).unwrap_or(0);
    }
    b
}

fn show<T: Default + PartialEq + ToString>(v: T) -> String { if v == T::default() { "-".into() } else { v.to_string() } }
fn all<T: Default + PartialEq + ToString>(v: Vec<T>) -> String { v.into_iter().map(show).collect::<Vec<_>>().join(" ") }
fn sum(b: [u8; 32]) -> String { b.iter().map(|b| format!("{:02x}", b)).collect() }
fn reason(r: &Reason) -> String { format!("{} {} {}", r.word, r.code, r.detail).trim_end().into() }

fn none(_: ()) -> String { String::new() }
fn running(left: Duration) -> String { if left > Duration::ZERO { "running".into() } else { "due".into() } }

struct Guest {
    last_call: Option<Message>,
}

impl Guest {
    fn message(&mut self, m: Message) -> String {
        let mut s = format!("{} {} {} {}", KINDS[m.kind as usize], m.tag, show(m.reference), show(m.from));
        if let Some(r) = m.reason() {
            s += &format!(" {}", reason(&r));
        } else if m.data.len() > 100 {
            s += &format!(" {} bytes", m.data.len());
        } else if !m.data.is_empty() {
            s += &format!(" {}", String::from_utf8_lossy(&m.data));
        }
        if m.kind == Kind::Call { self.last_call = Some(m) }
        s
    }

    fn spawn(&self, l: &Line) -> Answer {
        let has = |c| l.text("flags").contains(c);
        let n = |key| number(l.text(key));
        let (pid, r) = wnode::spawn(&Spec {
            node: NodeId(hex(l.text("node"))), module: l.text("module"), entry: l.text("entry"), name: l.text("name"),
            args: &l.list("arg"), env: &l.list("env"), grants: &l.list("grant"),
            link: has('l'), monitor: has('m'), same_env: has('e'), same_dirs: has('d'), no_input: has('i'), drop: has('o'),
            call: has('c'), input: l.list("input").join(" ").as_bytes(),
            memory: n("memory"), wall: Duration::from_millis(n("wall")), fuel: n("fuel"), stack: n("stack"), mailbox: n("mailbox"), seed: n("seed"),
        })?;
        Ok(format!("{} {}", show(pid), show(r)))
    }

    fn command(&mut self, l: &Line) -> Answer {
        match l.word(0) {
            "self" => Ok(show(own_pid())),
            "parent" => Ok(show(parent())),
            "leader" => Ok(show(leader())),
            "node" => Ok(show(node())),
            "window" => { let (r, c) = window(); Ok(format!("{} {}", r, c)) }
            "args" => Ok(std::env::args().skip(1).collect::<Vec<_>>().join(" ")),
            "env" => Ok(std::env::var(l.word(1)).unwrap_or_default()),
            "spawn" => self.spawn(l),
            "exit" => Err(exit(&Reason { word: l.word(1).into(), code: l.number(2) as u32, detail: l.rest(3) })),
            "link" => Ok(none(link(l.pid(1)))),
            "unlink" => Ok(none(unlink(l.pid(1)))),
            "monitor" => Ok(show(monitor(l.pid(1)))),
            "monitor_name" => monitor_name(l.node(1), l.word(2)).map(show),
            "demonitor" => Ok(none(demonitor(l.reference(1), l.on(2)))),
            "trap_exit" => Ok((trap_exit(l.on(1)) as u32).to_string()),
            "exit_signal" => exit_signal(l.pid(1), &Reason::new(l.word(2), &l.rest(3))).map(none),
            "process_info" => process_info(l.pid(1)),
            "send" => send_kind(l.pid(1), l.kind(2), l.number(3), l.reference(4), l.rest(5).as_bytes()).map(none),
            "send_name" => send_name_kind(l.node(1), l.word(2), l.kind(3), l.number(4), l.reference(5), l.rest(6).as_bytes()).map(none),
            "send_bytes" => send(l.pid(1), 0, &vec![0; l.number(2) as usize]).map(none),
            "receive" => {
                let ms = l.option("ms").map_or(PATIENCE, |ms| Duration::from_millis(number(ms)));
                receive(&l.wanted(), Some(ms)).map(|m| self.message(m))
            }
            "peek" => peek(&l.wanted(), l.number(1)).map(|(n, m)| format!("{} {}", n, self.message(m))),
            "take" => take(l.number(1)).map(|m| self.message(m)),
            "mailbox_fd" => {
                let (one, two) = (mailbox_fd()?, mailbox_fd()?);
                Ok(if one == two && one > 2 { "the same".into() } else { "another".into() })
            }
            "message" => current().map(|m| self.message(m)),
            "timer_start" => timer_start(l.pid(1), l.ms(2), l.number(3), l.rest(4).as_bytes()).map(show),
            "timer_cancel" => timer_cancel(l.reference(1)).map(running),
            "timer_read" => timer_read(l.reference(1)).map(running),
            "register" => register(l.scope(1), l.word(2), l.pid(3)).map(none),
            "unregister" => unregister(l.scope(1), l.word(2)).map(none),
            "whereis" => whereis(l.scope(1), l.word(2)).map(show),
            "join" => join(l.word(1)).map(none),
            "leave" => leave(l.word(1)).map(none),
            "members" => members(l.word(1)).map(all),
            "nodes" => nodes().map(all),
            "node_find" => node_find(l.word(1)).map(show),
            "node_name" => node_name(l.node(1)),
            "monitor_node" => monitor_node(l.node(1), l.on(2)).map(none),
            "monitor_nodes" => Ok(none(monitor_nodes(l.on(1)))),
            "sha256" => Ok(sum(sha256(l.rest(1).as_bytes()))),
            "blake3" => Ok(sum(blake3(l.rest(1).as_bytes()))),
            "abandon" => Ok(none(abandon(l.reference(1)))),
            "input" => Ok(String::from_utf8_lossy(&input()).into_owned()),
            "output" => output(l.rest(1).as_bytes()).map(none),
            "error" => Err(throw(&l.rest(1))),
            "cast" => cast(l.pid(1), l.number(2), l.rest(3).as_bytes()).map(none),
            "reply" => reply(self.last_call.as_ref().ok_or(Status::NOT_FOUND)?, l.rest(1).as_bytes()).map(none),
            _ => Err(Status::UNSUPPORTED),
        }
    }

    /// Carries out a command and returns the line that it answers.
    fn run(&mut self, text: &str) -> String {
        let l = Line(text.split(' ').filter(|w| !w.is_empty()).collect());
        let answer = match l.word(0) {
            "call" => match call(l.pid(1), l.number(2), l.rest(4).as_bytes(), Some(l.ms(3))) {
                Ok(b) => Ok(String::from_utf8_lossy(&b).into_owned()),
                Err(CallError::Down(_, why)) => return format!("down {}", reason(&why)),
                Err(CallError::Status(s)) => Err(s),
            },
            "call_name" => match call_name(l.node(1), l.word(2), l.number(3), l.rest(5).as_bytes(), Some(l.ms(4))) {
                Ok(b) => Ok(String::from_utf8_lossy(&b).into_owned()),
                Err(CallError::Down(_, why)) => return format!("down {}", reason(&why)),
                Err(CallError::Status(s)) => Err(s),
            },
            "await" => match await_reply(l.reference(1), Some(l.ms(2))) {
                Ok(b) => Ok(String::from_utf8_lossy(&b).into_owned()),
                Err(CallError::Down(end, why)) => return format!("down {} {}", end as u8, reason(&why)),
                Err(CallError::Status(s)) => Err(s),
            },
            "ask" => {
                let answer = send(l.pid(1), COMMAND, l.rest(2).as_bytes())
                    .and_then(|_| receive(&Match::ANY.kind(Kind::Data).tag(ANSWER), Some(PATIENCE)));
                match answer {
                    Ok(m) => return String::from_utf8_lossy(&m.data).into_owned(),
                    Err(s) => Err(s),
                }
            }
            _ => self.command(&l),
        };
        match answer {
            Ok(s) => format!("ok {}", s).trim_end().into(),
            Err(s) => format!("error {}", s.0),
        }
    }
}

fn main() {
    let mut guest = Guest { last_call: None };
    if std::env::args().nth(1).as_deref() == Some("messages") {
        loop {
            let m = receive(&Match::ANY.kind(Kind::Data).tag(COMMAND), None).unwrap();
            let answer = guest.run(&String::from_utf8_lossy(&m.data));
            send(m.from, ANSWER, answer.as_bytes()).unwrap();
        }
    }
    if std::env::args().nth(1).as_deref() == Some("once") { // called: the input is a command
        let answer = guest.run(&String::from_utf8_lossy(&input()));
        return output(answer.as_bytes()).unwrap();
    }
    for line in io::stdin().lock().lines() {
        println!("{}", guest.run(&line.unwrap()));
        io::stdout().flush().unwrap();
    }
}
