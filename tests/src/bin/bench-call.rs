//! Cost of one call to the signalling core, from INVITE to BYE between two trunks, with both legs of media described and nothing
//! sent anywhere: no sockets, no threads, virtual time. `tests/bench call` prints its time, which depends on the machine and on
//! what else that does, and its instructions, which do not (callgrind counts them: the difference between a long run and a short one).
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a bench stops where something is wrong"
)]

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use media_core::control::{Command as Order, Event as MediaEvent, Report, StreamIndex};
use media_core::negotiated::{Codec, Fingerprint, Hash};
use sans_io::{Deadline, Rng, Time};
use session_core::{Access, Config, Coordinator, Dial, Event, Input, OnFailure, Output, Party, Trunk, User};
use sip_core::endpoint;
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{HeaderName, Message, Method};

/// Calls that are up at the same time.
const AT_ONCE: usize = 50;

/// Time between two calls.
const PACE: Duration = Duration::from_millis(5);

/// Host of the gateway, the caller's, the callee's.
const GATEWAY: u8 = 1;
const CALLER: u8 = 2;
const CALLEE: u8 = 3;

fn address(host: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), 5060)
}

fn config() -> Config {
    let trunk = |host: u8| Trunk {
        sources: vec![address(host).ip().into()],
        ..Trunk::new(address(host).ip().to_string())
    };
    let fingerprint = Fingerprint {
        hash: Hash::Sha256,
        value: vec![7; 32],
    };
    Config {
        access: Access::Directory {
            users: [("agent".to_owned(), User::new("secret"))].into(),
            trunks: [
                ("left".to_owned(), trunk(CALLER)),
                ("right".to_owned(), trunk(CALLEE)),
            ]
            .into(),
        },
        phone_codecs: vec![Codec::G722, Codec::Pcmu, Codec::Pcma, Codec::Opus],
        session_timer: Some(Duration::from_secs(1_800)),
        inactivity: Some(Duration::from_secs(60)),
        ..Config::new(address(GATEWAY).ip().to_string(), fingerprint)
    }
}

/// The gateway, and what it sent.
struct World {
    now: Time,
    gateway: Coordinator,
    deadline: Deadline,
    sent: Vec<(SocketAddr, Bytes)>,
    answered: usize,
    ended: usize,
    /// Time that the gateway worked.
    spent: Duration,
}

impl World {
    fn new() -> World {
        World {
            now: Time::from_secs(1_800_000_000),
            gateway: Coordinator::new(config(), Rng::seeded(1)),
            deadline: None,
            sent: Vec::new(),
            answered: 0,
            ended: 0,
            spent: Duration::ZERO,
        }
    }

    fn hear(&mut self, from: u8, text: String) {
        let flow = Flow {
            id: FlowId(1),
            transport: Transport::Udp,
            local: address(GATEWAY),
            remote: address(from),
        };
        let data = Bytes::from(text);
        let begun = Instant::now();
        let input = Input::Sip(endpoint::Input::Message { flow, data });
        self.gateway.handle_input(self.now, input);
        self.drain();
        self.spent += begun.elapsed();
    }

    /// Lets the time pass.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.deadline.filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            let begun = Instant::now();
            self.gateway.handle_input(self.now, Input::Timeout);
            self.drain();
            self.spent += begun.elapsed();
        }
        self.now = end;
        self.sent.clear();
    }

    fn drain(&mut self) {
        loop {
            match self.gateway.poll_output(self.now) {
                Output::Transmit { to, data, .. } => {
                    let to = match to {
                        Destination::Flow(flow) => flow.remote,
                        Destination::Address { addr, .. } => addr,
                    };
                    self.sent.push((to, data));
                }
                Output::Resolve { query, .. } => {
                    let targets = Vec::new();
                    let input = endpoint::Input::Resolved { query, targets };
                    self.gateway.handle_input(self.now, Input::Sip(input));
                }
                Output::Follow { .. } | Output::Fetch { .. } => {}
                Output::Media { command, .. } => self.media(&command),
                Output::Event(event) => self.decide(event),
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    /// Answers as a shard does.
    fn media(&mut self, command: &Order) {
        let event = match command {
            Order::Open { leg, .. } => {
                let port = 20_000 + 2 * (leg.0 % 10_000) as u16;
                let at = |port| SocketAddr::new(address(GATEWAY).ip(), port);
                let addresses = vec![at(port), at(port + 1)];
                MediaEvent::Opened { leg: *leg, addresses }
            }
            Order::Close { leg } => MediaEvent::Report {
                leg: *leg,
                stream: StreamIndex::FIRST,
                report: Box::new(Report::default()),
                last: true,
            },
            _ => return,
        };
        self.gateway
            .handle_input(self.now, Input::Media { shard: 0, event });
    }

    fn decide(&mut self, event: Event) {
        match event {
            Event::Incoming { session, .. } => {
                let party = Party::Trunk {
                    name: "right".into(),
                    number: "777".into(),
                };
                let dial = Dial::together(vec![party], Duration::from_secs(30), OnFailure::Reject);
                self.gateway.dial(self.now, session, dial);
            }
            Event::Answered { .. } => self.answered += 1,
            Event::Ended { .. } => self.ended += 1,
            _ => {}
        }
    }

    /// The message of that kind that was sent to that host last.
    fn last(&self, host: u8, wanted: impl Fn(&Message) -> bool) -> Message {
        let to_host = self.sent.iter().rev().filter(|(to, _)| *to == address(host));
        to_host
            .filter_map(|(_, data)| Message::parse(data.clone()).ok())
            .find(wanted)
            .unwrap_or_else(|| panic!("nothing of the kind in {:?}", self.sent))
    }
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 29992 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// The caller's side of a call that is up.
struct Call {
    number: usize,
    to: String,
    contact: String,
}

fn head(message: &Message, name: HeaderName) -> String {
    message.header(name).expect("a header").to_owned()
}

/// Response of the callee.
fn response(request: &Message, status: &str, body: &str) -> String {
    let line = |name: HeaderName| format!("{}: {}\r\n", name.as_str(), head(request, name));
    let mut text = format!("SIP/2.0 {status}\r\n");
    text += &line(HeaderName::Via);
    text += &line(HeaderName::From);
    let to = head(request, HeaderName::To);
    text += &format!(
        "To: {to}{}\r\n",
        if to.contains("tag=") { "" } else { ";tag=callee" }
    );
    text += &line(HeaderName::CallId);
    text += &line(HeaderName::CSeq);
    text += "Contact: <sip:phone@192.0.2.3:5060>\r\n";
    if !body.is_empty() {
        text += "Content-Type: application/sdp\r\n";
    }
    text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Request of the caller.
fn request(number: usize, line: &str, to: &str, cseq: &str, body: &str) -> String {
    let method = cseq.split(' ').next_back().unwrap_or_default();
    let mut text = format!(
        "{method} {line} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK-{number}-{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:5550199@192.0.2.2:5060>;tag=c{number}\r\nTo: {to}\r\nCall-ID: {number}-call@192.0.2.2\r\nCSeq: {cseq}\r\n",
    )
    .replace("-1 INVITE", "-i")
    .replace("-1 ACK", "-a")
    .replace("-2 BYE", "-b");
    if !body.is_empty() {
        text += "Contact: <sip:5550199@192.0.2.2:5060>\r\nContent-Type: application/sdp\r\n";
    }
    text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

fn begin(world: &mut World, number: usize) -> Call {
    let uri = "sip:5550100@192.0.2.1:5060";
    world.hear(
        CALLER,
        request(number, uri, "<sip:5550100@192.0.2.1:5060>", "1 INVITE", SDP),
    );
    let invite = world.last(CALLEE, |message| message.is(&Method::Invite));
    world.hear(CALLEE, response(&invite, "180 Ringing", ""));
    world.hear(CALLEE, response(&invite, "200 OK", SDP));
    let accepted = world.last(CALLER, |message| {
        message.status().is_some_and(|status| status.is_success())
    });
    let contact = head(&accepted, HeaderName::Contact);
    let contact = contact
        .trim_matches(['<', '>'])
        .split('>')
        .next()
        .unwrap_or_default()
        .to_owned();
    let to = head(&accepted, HeaderName::To);
    world.hear(CALLER, request(number, &contact, &to, "1 ACK", ""));
    Call { number, to, contact }
}

fn end(world: &mut World, call: &Call) {
    world.hear(CALLER, request(call.number, &call.contact, &call.to, "2 BYE", ""));
    let bye = world.last(CALLEE, |message| message.is(&Method::Bye));
    world.hear(CALLEE, response(&bye, "200 OK", ""));
}

/// Calls of the short run and of the long one that callgrind counts.
const COUNTED: [usize; 2] = [100, 600];

/// Calls of the run that is timed.
const TIMED: usize = 5_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if let Some(calls) = arguments.find_map(|argument| argument.parse().ok()) {
        run(calls);
        return;
    }
    let spent = run(TIMED);
    let micros = spent.as_secs_f64() * 1e6 / TIMED as f64;
    println!("one call: {micros:.0} us of signalling, INVITE to BYE ({TIMED} calls)");
    match COUNTED.map(instructions) {
        [Some(short), Some(long)] => {
            let each = (long - short) / (COUNTED[1] - COUNTED[0]) as u64;
            println!("one call: {each} instructions, with those of both parties");
        }
        _ => {
            println!("instructions are not counted: there is no valgrind (Debian: apt-get install valgrind)")
        }
    }
}

/// Instructions of a whole run of this program.
fn instructions(calls: usize) -> Option<u64> {
    let itself = std::env::current_exe().ok()?;
    let counts = std::env::temp_dir().join(format!("call-{}-{calls}.callgrind", std::process::id()));
    let counted = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(itself)
        .arg(calls.to_string())
        .stderr(Stdio::null())
        .status();
    let text = std::fs::read_to_string(&counts);
    let _ = std::fs::remove_file(&counts);
    counted.ok().filter(|status| status.success())?;
    text.ok()?
        .lines()
        .find_map(|line| line.strip_prefix("totals:"))?
        .trim()
        .parse()
        .ok()
}

/// Has so many calls; the time that the gateway worked.
fn run(calls: usize) -> Duration {
    let mut world = World::new();
    let mut up = VecDeque::new();
    for number in 0..calls + AT_ONCE {
        if number < calls {
            up.push_back(begin(&mut world, number));
        }
        if number >= AT_ONCE
            && let Some(call) = up.pop_front()
        {
            end(&mut world, &call);
        }
        world.pass(PACE);
    }
    assert_eq!(
        (world.answered, world.ended),
        (2 * calls, calls),
        "legs answered and calls ended"
    );
    world.spent
}
