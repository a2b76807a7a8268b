//! Calls by trunks with several targets that answer anything at any time: three octets a step (action, which, how).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use media_core::control::{Command, Event as MediaEvent, Report, StreamIndex};
use sans_io::{Deadline, Rng, Time};
use session_core::{
    Access, CallRate, Caller, Coordinator, Input, LegId, Located, Outgoing, OutgoingCall, Output, Party,
    SessionId, Trunk, TrunkAddress, Watch,
};
use sip_core::endpoint;
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{HeaderName, Message, Method};
use sip_core::uri::Uri;

use super::Target;
use crate::sim;

/// See the module.
pub const TARGET: Target = Target {
    name: "targets",
    seeds,
    words: &[],
    run,
};

/// Status codes and lines that targets answer with.
const ANSWERS: [(u16, &str); 12] = [
    (100, ""),
    (180, ""),
    (200, ""),
    (486, ""),
    (503, "Retry-After: 4294967295\r\n"),
    (503, ""),
    (500, "Retry-After: 1\r\n"),
    (302, "Contact: <sip:1@192.0.2.53>, <sip:1@192.0.2.51>\r\n"),
    (401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"1\"\r\n"),
    (408, ""),
    (603, ""),
    (429, "Retry-After: 0\r\n"),
];

/// Rate of the slow trunk.
const RATE: CallRate = CallRate {
    calls: 2,
    within: Duration::from_secs(3),
};
/// Channels of the narrow one.
const CHANNELS: usize = 3;

fn seeds() -> Vec<Vec<u8>> {
    let each: Vec<u8> = (0..12).flat_map(|code| [1, 0, 0, 0, 0, code, 2, 0, 1]).collect();
    let silent: Vec<u8> = (0..20).flat_map(|n| [1, n, 0, 2, 0, 3 * n]).collect();
    let well: Vec<u8> = (0..20)
        .flat_map(|_| [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 2, 0, 5])
        .collect();
    let names: Vec<u8> = (0..10)
        .flat_map(|n| [3, n, n, 1, 0, 0, 5, n, 0, 4, 0, 0, 2, 9, 20])
        .collect();
    vec![each, silent, well, names, Vec::new()]
}

fn trunk(hosts: &[&str]) -> Trunk {
    let place = |(priority, host): (u16, &&str)| TrunkAddress {
        host: (*host).to_owned(),
        port: None,
        priority,
        weight: 1,
    };
    Trunk {
        username: Some("user".into()),
        password: Some("secret".into()),
        timeout: Some(Duration::from_secs(5)),
        outgoing: Outgoing {
            places: (0..).zip(hosts).map(place).collect(),
            ..Outgoing::default()
        },
        ..Trunk::new(hosts[0])
    }
}

/// A slow trunk of two targets, a narrow one whose name resolves to anything, and one that is watched.
fn trunks() -> BTreeMap<String, Trunk> {
    let mut slow = trunk(&["192.0.2.50", "192.0.2.51"]);
    slow.outgoing.rate = Some(RATE);
    let mut narrow = trunk(&["carrier.example"]);
    narrow.outgoing.channels = Some(CHANNELS);
    let mut watched = trunk(&["192.0.2.53"]);
    watched.outgoing.options = Watch::Always(Duration::from_secs(5));
    [("slow", slow), ("narrow", narrow), ("watched", watched)]
        .map(|(name, trunk)| (name.to_owned(), trunk))
        .into()
}

fn is_slow(remote: SocketAddr) -> bool {
    [50, 51]
        .map(|n| SocketAddr::from(([192, 0, 2, n], 5060)))
        .contains(&remote)
}

/// A gateway, and what it sent that was not answered yet.
struct Gateway {
    coordinator: Coordinator,
    now: Time,
    deadline: Deadline,
    open: Vec<(Message, Flow)>,
    sessions: Vec<SessionId>,
    /// Legs whose media are to be opened.
    opening: Vec<(u8, LegId)>,
    closed: Vec<(u8, LegId)>,
    /// Calls that the slow trunk has seen, by Call-ID and target.
    seen: BTreeSet<(String, SocketAddr)>,
    /// Times of their INVITEs.
    slow: Vec<Time>,
}

impl Gateway {
    fn input(&mut self, input: Input) {
        self.coordinator.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.coordinator.poll_output(self.now) {
                Output::Transmit { to, data, .. } => self.sent(&to, data),
                Output::Media {
                    shard,
                    command: Command::Open { leg, .. },
                } => self.opening.push((shard, leg)),
                Output::Media {
                    shard,
                    command: Command::Close { leg },
                } => self.closed.push((shard, leg)),
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    match self.closed.pop() {
                        Some((shard, leg)) => self.report(shard, leg),
                        None => return self.check(),
                    }
                }
                _ => {}
            }
        }
    }

    fn report(&mut self, shard: u8, leg: LegId) {
        self.opening.retain(|(_, other)| *other != leg);
        let event = MediaEvent::Report {
            leg,
            stream: StreamIndex::FIRST,
            report: Box::new(Report::default()),
            last: true,
        };
        let input = Input::Media { shard, event };
        self.coordinator.handle_input(self.now, input);
    }

    fn check(&self) {
        let trunks = self.coordinator.trunks();
        let narrow = trunks.iter().find(|trunk| trunk.name == "narrow");
        assert!(
            narrow.is_some_and(|trunk| trunk.calls <= CHANNELS),
            "too many channels"
        );
    }

    fn sent(&mut self, to: &Destination, data: Bytes) {
        let request = Message::parse(data).expect("a message of ours");
        if request.status().is_some() || request.is(&Method::Ack) {
            return;
        }
        let (transport, remote) = match to {
            Destination::Flow(flow) => (flow.transport, flow.remote),
            Destination::Address { transport, addr, .. } => (*transport, *addr),
        };
        if request.is(&Method::Invite)
            && is_slow(remote)
            && self.seen.insert((request.call_id().to_owned(), remote))
        {
            self.slow.push(self.now);
            let span = RATE.calls as usize;
            let mut windows = self.slow.windows(span + 1).rev();
            let fast = windows.next().filter(|w| w[span].since(w[0]) < RATE.within);
            assert_eq!(fast, None, "too fast");
        }
        let flow = Flow {
            id: FlowId(1),
            transport,
            local: "192.0.2.1:5060".parse().expect("an address"),
            remote,
        };
        self.open.push((request, flow));
    }

    /// Time passes, with all timers.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut rounds = 0;
        while let Some((at, reason)) = self.deadline.filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Timeout);
            rounds += 1;
            assert!(rounds < 100_000, "it spins: {reason}");
        }
        self.now = end;
    }

    fn call(&mut self, how: u8) {
        let tiers: &[&[&str]] = match how % 4 {
            0 => &[&["slow"], &["narrow", "watched"]],
            1 => &[&["narrow"], &["slow"]],
            2 => &[&["slow"]],
            _ => &[&["watched", "slow", "narrow"]],
        };
        let tiers = tiers.iter().map(|tier| {
            let shares = tier.iter().map(|name| ((*name).to_owned(), 1));
            shares.collect()
        });
        let call = OutgoingCall {
            party: Party::Trunks {
                tiers: tiers.collect(),
                number: "1".into(),
                caller_id: None,
                on_account_of: None,
            },
            caller: Caller::default(),
            ring_timeout: Duration::from_secs(30),
            application: None,
        };
        if let Ok(session) = self.coordinator.create_outgoing_call(self.now, call) {
            self.sessions.push(session);
        }
        self.drain();
    }
}

fn run(input: &[u8]) {
    let at = "192.0.2.1:5060".parse().expect("an address");
    let access = Access::Directory {
        users: BTreeMap::new(),
        trunks: trunks(),
    };
    let mut gateway = Gateway {
        coordinator: Coordinator::new(sim::node_config(at, access, &[]), Rng::seeded(9)),
        now: Time::from_secs(1_000),
        deadline: None,
        open: Vec::new(),
        sessions: Vec::new(),
        opening: Vec::new(),
        closed: Vec::new(),
        seen: BTreeSet::new(),
        slow: Vec::new(),
    };
    gateway.drain();
    for step in input.chunks_exact(3).take(24) {
        let which = usize::from(step[1]);
        match step[0] % 7 {
            0 if !gateway.open.is_empty() => {
                let which = which % gateway.open.len();
                let (request, flow) = gateway.open[which].clone();
                let (code, lines) = ANSWERS[usize::from(step[2]) % ANSWERS.len()];
                // A redirection that leads to the slow trunk from elsewhere counts for the trunk that it came from.
                if code != 302 || is_slow(flow.remote) {
                    let data = answer(&request, code, lines);
                    gateway.input(Input::Sip(endpoint::Input::Message { flow, data }));
                }
            }
            0 | 2 => gateway.pass(Duration::from_millis(
                u64::from(step[2]) * 50 + u64::from(step[1]),
            )),
            1 => gateway.call(step[1]),
            3 => {
                let target = |n: u8| Located {
                    priority: u32::from(n % 3),
                    weight: u16::from(n),
                    transport: Transport::Udp,
                    address: ([192, 0, 2, 60 + n], 5060).into(),
                    server_name: None,
                };
                let found = (0..8).filter(|n| step[2] & (1 << n) != 0).map(target);
                gateway.input(Input::Located {
                    trunk: "narrow".into(),
                    name: Uri::parse("sip:carrier.example").expect("a URI"),
                    found: found.collect(),
                });
            }
            4 if !gateway.sessions.is_empty() => {
                let which = which % gateway.sessions.len();
                let session = gateway.sessions.swap_remove(which);
                let now = gateway.now;
                gateway.coordinator.terminate_session(now, session);
                gateway.drain();
            }
            5 if !gateway.opening.is_empty() => {
                let (shard, leg) = gateway.opening.swap_remove(which % gateway.opening.len());
                let addresses = vec!["192.0.2.1:20000".parse().expect("an address"); 2];
                let event = MediaEvent::Opened { leg, addresses };
                gateway.input(Input::Media { shard, event });
            }
            _ => {
                let addr = ([192, 0, 2, 50 + step[1] % 4], 5060).into();
                gateway.input(Input::Sip(endpoint::Input::Unreachable { addr }));
            }
        }
    }
    let now = gateway.now;
    for session in std::mem::take(&mut gateway.sessions) {
        gateway.coordinator.terminate_session(now, session);
    }
    gateway.drain();
    gateway.pass(Duration::from_secs(200));
    assert!(
        gateway.coordinator.trunks().iter().all(|trunk| trunk.calls == 0),
        "all is over"
    );
}

fn answer(request: &Message, code: u16, lines: &str) -> Bytes {
    let of = |name: HeaderName| request.header(name).unwrap_or_default();
    let body = match (code, request.is(&Method::Invite)) {
        (200, true) => {
            "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
        }
        _ => "",
    };
    Bytes::from(format!(
        "SIP/2.0 {code} So\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=r\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:192.0.2.9>\r\n\
         {lines}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        of(HeaderName::Via),
        of(HeaderName::From),
        of(HeaderName::To),
        of(HeaderName::CallId),
        of(HeaderName::CSeq),
        body.len()
    ))
}
