//! Browsers that register over a WebSocket each and then wait.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Outcome;
use super::peers::{DOMAIN, PASSWORD};
use super::process::{cpu_ns, memory_kb};
use super::sip::{Message, authorization};
use super::websocket::WebSocket;

/// Time that all are silent before they renew: after that a server must find each of them again, as it must
/// in life, where minutes pass between renewals.
const IDLE: Duration = Duration::from_secs(6);

/// Cost for the server.
pub(crate) struct Held {
    pub(crate) connects_per_cpu_second: f64,
    /// REGISTER, 401, REGISTER, 200.
    pub(crate) renewals_per_cpu_second: f64,
    /// Percentage of one core, for all connections together.
    pub(crate) idle_cpu_percent: f64,
    pub(crate) kb_each: f64,
    pub(crate) kb_each_renewed: f64,
}

/// Connects and registers each user, one after the other, lets them be idle, then renews all registrations.
pub(crate) fn hold(server: SocketAddr, path: &str, users: &[String], pids: &[u32]) -> Outcome<Held> {
    let mut browsers = Vec::with_capacity(users.len());
    let (cpu_before, memory_before) = (cpu_ns(pids), memory_kb(pids));
    for (number, user) in users.iter().enumerate() {
        let socket = WebSocket::connect(server, path)?;
        let mut browser = Browser {
            socket,
            user,
            number,
            sequence: 0,
        };
        browser.register().map_err(|error| format!("{user}: {error}"))?;
        browsers.push(browser);
    }
    let (cpu_connected, memory_connected) = (cpu_ns(pids), memory_kb(pids));
    std::thread::sleep(IDLE);
    let cpu_idle = cpu_ns(pids);
    for browser in &mut browsers {
        browser
            .register()
            .map_err(|error| format!("{}: {error}", browser.user))?;
    }
    let (cpu_renewed, memory_renewed) = (cpu_ns(pids), memory_kb(pids));
    let count = users.len() as f64;
    let each = |memory: u64| memory.saturating_sub(memory_before) as f64 / count;
    Ok(Held {
        idle_cpu_percent: (cpu_idle - cpu_connected) as f64 / IDLE.as_nanos() as f64 * 100.0,
        connects_per_cpu_second: count * 1e9 / (cpu_connected - cpu_before) as f64,
        renewals_per_cpu_second: count * 1e9 / (cpu_renewed - cpu_idle) as f64,
        kb_each: each(memory_connected),
        kb_each_renewed: each(memory_renewed),
    })
}

struct Browser<'a> {
    socket: WebSocket,
    user: &'a str,
    number: usize,
    sequence: u32,
}

impl Browser<'_> {
    fn register(&mut self) -> Outcome<()> {
        let mut credentials = String::new();
        for _ in 0..2 {
            self.sequence += 1;
            let (user, number, sequence) = (self.user, self.number, self.sequence);
            self.socket.send(&format!(
                "REGISTER sip:{DOMAIN} SIP/2.0\r\n\
                 Via: SIP/2.0/WS b{number}.invalid;branch=z9hG4bKb{number}s{sequence}\r\nMax-Forwards: 69\r\n\
                 To: <sip:{user}@{DOMAIN}>\r\nFrom: <sip:{user}@{DOMAIN}>;tag=b{number}\r\n\
                 Call-ID: browser{number}\r\nCSeq: {sequence} REGISTER\r\n{credentials}\
                 Contact: <sip:{user}@b{number}.invalid;transport=ws>;+sip.ice;reg-id=1;\
                 +sip.instance=\"<urn:uuid:00000000-0000-4000-8000-{number:012}>\";expires=600\r\nExpires: 600\r\n\
                 Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\r\n\
                 Supported: path,gruu,outbound\r\nUser-Agent: bench\r\nContent-Length: 0\r\n\r\n"
            ))?;
            let response = self.response()?;
            match response.status() {
                Some(200) => return Ok(()),
                Some(401) if credentials.is_empty() => {
                    let uri = format!("sip:{DOMAIN}");
                    credentials = authorization(&response, "REGISTER", &uri, self.user, PASSWORD)?;
                }
                _ => return Err(response.start.into()),
            }
        }
        Err("the credentials were refused".into())
    }

    fn response(&mut self) -> Outcome<Message> {
        for _ in 0..50 {
            while let Some(text) = self.socket.receive()? {
                let Some(message) = Message::parse(&text) else {
                    continue;
                };
                match message.status() {
                    Some(_) => return Ok(message),
                    None => self.socket.send(&message.respond("200 OK", "browser", "", ""))?,
                }
            }
            poll(
                &mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)],
                PollTimeout::from(100_u8),
            )?;
        }
        Err("no answer within five seconds".into())
    }
}
