//! counter is a server: it holds a number between messages, and nothing else of it runs
//! until one comes. A call "inc N" adds and answers with the sum, "get" answers; a cast
//! "inc N" adds; "stop" ends it.
#[path = "../wnode.rs"]
mod wnode;

use wnode::{Message, Next, Server};

struct Counter(i64);

impl Counter {
    fn run(&mut self, m: &Message) -> Next {
        let text = String::from_utf8_lossy(&m.data);
        let mut words = text.split(' ');
        match words.next() {
            Some("inc") => self.0 += words.next().and_then(|n| n.parse::<i64>().ok()).unwrap_or(0),
            Some("stop") => return Next::Stop,
            _ => {}
        }
        Next::Continue
    }
}

impl Server for Counter {
    fn init() -> Self {
        Counter(0)
    }

    fn call(&mut self, m: &Message) -> Next {
        let next = self.run(m);
        wnode::reply(m, self.0.to_string().as_bytes()).unwrap();
        next
    }

    fn cast(&mut self, m: &Message) -> Next {
        self.run(m)
    }
}

wnode::server!(Counter);
