//! Browsers at a PBX behind the gateway, where browsers and PBX say anything at any time: three octets a step (action, which, how).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use media_core::control::{Command, Event as MediaEvent, Report, StreamIndex};
use sans_io::{Deadline, Rng, Time};
use session_core::{Access, Coordinator, Event, Input, Output, Trunk, Way};
use sip_core::endpoint;
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{HeaderName, Message, Method};

use super::Target;
use crate::sim;

/// See the module.
pub const TARGET: Target = Target {
    name: "upstream",
    seeds,
    words: &[],
    run,
};

/// Address of the PBX.
const PBX: &str = "192.0.2.50";

/// Methods and lines that browsers send.
const REQUESTS: [(&str, &str); 16] = [
    ("REGISTER", "Contact: <sip:c@x.invalid>\r\nExpires: 300\r\n"),
    (
        "REGISTER",
        "Contact: <sip:c@x.invalid>\r\nExpires: 300\r\nAuthorization: Digest username=\"u\", nonce=\"n\"\r\n",
    ),
    ("REGISTER", "Contact: <sip:c@x.invalid>;expires=0\r\n"),
    ("REGISTER", "Contact: *\r\nExpires: 0\r\n"),
    ("REGISTER", ""),
    (
        "REGISTER",
        "Contact: <sip:d@x.invalid>\r\nExpires: 99999\r\nAuthorization: nonsense\r\n",
    ),
    ("REGISTER", "Contact: <sip:c@x.invalid>\r\nExpires: 1\r\n"),
    (
        "INVITE",
        "Contact: <sip:c@x.invalid>\r\nContent-Type: application/sdp\r\n",
    ),
    (
        "INVITE",
        "Contact: <sip:c@x.invalid>\r\nContent-Type: application/sdp\r\nProxy-Authorization: Digest username=\"u\"\r\n",
    ),
    (
        "INVITE",
        "Contact: <sip:c@x.invalid>\r\nReplaces: a;to-tag=b;from-tag=c\r\nRequire: replaces\r\n",
    ),
    ("MESSAGE", "Content-Type: text/plain\r\n"),
    ("PUBLISH", "Event: presence\r\nSIP-If-Match: x\r\n"),
    (
        "SUBSCRIBE",
        "Contact: <sip:c@x.invalid>\r\nEvent: dialog\r\nExpires: 60\r\n",
    ),
    (
        "REFER",
        "Contact: <sip:c@x.invalid>\r\nRefer-To: <sip:z@pbx.example>\r\n",
    ),
    (
        "REFER",
        "Contact: <sip:c@x.invalid>\r\nRefer-To: <sip:z@pbx.example?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>\r\n",
    ),
    ("BYE", ""),
];

/// Status codes and lines that the PBX answers with.
const ANSWERS: [(u16, &str); 14] = [
    (200, "Expires: 60\r\n"),
    (
        200,
        "Expires: 4294967295\r\nService-Route: <sip:192.0.2.50;lr>\r\n",
    ),
    (200, "Expires: 0\r\n"),
    (200, "Service-Route: nonsense\r\n"),
    (
        200,
        "Contact: <sip:192.0.2.50>\r\nContent-Type: application/sdp\r\n",
    ),
    (180, "Contact: <sip:192.0.2.50>\r\n"),
    (401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"1\"\r\n"),
    (
        407,
        "Proxy-Authenticate: Digest realm=\"r\", nonce=\"2\", stale=true\r\n",
    ),
    (403, ""),
    (404, ""),
    (423, "Min-Expires: 1800\r\n"),
    (302, "Contact: <sip:192.0.2.61>\r\n"),
    (503, "Retry-After: 4294967295\r\n"),
    (600, "Contact: *\r\n"),
];

const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

fn seeds() -> Vec<Vec<u8>> {
    let all: Vec<u8> = (0..16).flat_map(|n| [0, 1, n, 1, 0, n, 4, 0, 4]).collect();
    // Registered, then a call that is answered and referred, then a call that comes in, a lost connection, and back.
    let well = vec![
        0, 1, 0, 1, 0, 6, 0, 1, 1, 1, 0, 0, 0, 1, 7, 1, 0, 4, 2, 1, 13, 1, 0, 3, 5, 0, 0, 3, 1, 0, 5, 0, 1,
        0, 2, 1, 1, 0, 0, 4, 0, 200,
    ];
    let guesses: Vec<u8> = (0..20).flat_map(|_| [0, 1, 1, 1, 0, 6]).collect();
    vec![all, well, guesses, Vec::new()]
}

fn trunk() -> Trunk {
    Trunk {
        sources: vec![PBX.parse().expect("an address")],
        from_domain: Some("pbx.example".into()),
        ..Trunk::new(PBX)
    }
}

fn browser(number: u64) -> Flow {
    Flow {
        id: FlowId(number),
        transport: Transport::Wss,
        local: "192.0.2.1:8080".parse().expect("an address"),
        remote: SocketAddr::from(([198, 51, 100, 1], 30_000 + (number % 20_000) as u16)),
    }
}

fn pbx() -> Flow {
    Flow {
        id: FlowId(100_000),
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().expect("an address"),
        remote: format!("{PBX}:5060").parse().expect("an address"),
    }
}

struct Gateway {
    coordinator: Coordinator,
    now: Time,
    deadline: Deadline,
    /// Requests at the PBX without an answer.
    open: Vec<Message>,
    /// The last response that each of two browsers got to an INVITE.
    last: [Option<Message>; 2],
    /// Connections of the two.
    flows: [u64; 2],
    /// User part of a `Contact` of ours.
    contact: String,
    /// New REGISTERs, by second.
    begun: BTreeMap<u64, usize>,
    sent: u64,
}

impl Gateway {
    fn input(&mut self, input: Input) {
        self.coordinator.handle_input(self.now, input);
        self.drain();
    }

    fn receive(&mut self, flow: Flow, data: Bytes) {
        self.input(Input::Sip(endpoint::Input::Message { flow, data }));
    }

    fn drain(&mut self) {
        loop {
            match self.coordinator.poll_output(self.now) {
                Output::Transmit { to, data, .. } => self.sent(&to, data),
                Output::Media { shard, command } => self.media(shard, &command),
                Output::Event(Event::Incoming { session, call, .. }) => {
                    let rings = Duration::from_secs(60);
                    match &call.way {
                        Some(Way::Out { .. }) => self.coordinator.dial_pbx(self.now, session, rings),
                        Some(Way::In { user }) => {
                            self.coordinator.dial_client(self.now, session, user, rings)
                        }
                        None => self.coordinator.terminate_session(self.now, session),
                    }
                }
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                Output::Event(_) | Output::Resolve { .. } | Output::Follow { .. } | Output::Fetch { .. } => {}
            }
        }
    }

    fn media(&mut self, shard: u8, command: &Command) {
        let event = match command {
            Command::Open { leg, .. } => MediaEvent::Opened {
                leg: *leg,
                addresses: vec!["192.0.2.1:20000".parse().expect("an address"); 2],
            },
            Command::Close { leg } => MediaEvent::Report {
                leg: *leg,
                stream: StreamIndex::FIRST,
                report: Box::new(Report::default()),
                last: true,
            },
            _ => return,
        };
        self.coordinator
            .handle_input(self.now, Input::Media { shard, event });
    }

    fn sent(&mut self, to: &Destination, data: Bytes) {
        let message = Message::parse(data).expect("a message of ours");
        let remote = match to {
            Destination::Flow(flow) if flow.transport == Transport::Wss => {
                let of = usize::from(self.flows[1] == flow.id.0);
                if !message.is_request() && message.cseq().number == 7 {
                    self.last[of] = Some(message);
                }
                return;
            }
            Destination::Flow(flow) => flow.remote,
            Destination::Address { addr, .. } => *addr,
        };
        assert_eq!(remote, pbx().remote, "no open relay");
        if !message.is_request() || message.is(&Method::Ack) {
            return;
        }
        if message.is(&Method::Register) {
            *self.begun.entry(self.now.as_micros() / 1_000_000).or_default() += 1;
            if let Some(contact) = message.contact() {
                self.contact = contact.uri.user().unwrap_or_default().to_owned();
            }
        }
        self.open.push(message);
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
}

/// Requests of browsers outside of dialogs have the CSeq of their place here; INVITE has 7.
fn request(gateway: &mut Gateway, who: usize, what: usize) -> Bytes {
    gateway.sent += 1;
    let (method, lines) = REQUESTS[what];
    let number = if method == "INVITE" { 7 } else { 100 + gateway.sent };
    let (user, sent) = (["alice", "bob"][who], gateway.sent);
    let body = if lines.contains("application/sdp") {
        SDP
    } else {
        ""
    };
    let uri = if method == "REGISTER" {
        "sip:pbx.example"
    } else {
        "sip:4711@pbx.example"
    };
    let to = if method == "REGISTER" { user } else { "4711" };
    let call_id = if method == "REGISTER" {
        format!("r{who}")
    } else {
        format!("c{sent}")
    };
    Bytes::from(format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WSS x.invalid;branch=z9hG4bK{sent}\r\nMax-Forwards: 69\r\n\
         From: <sip:{user}@pbx.example>;tag={sent}\r\nTo: <sip:{to}@pbx.example>\r\nCall-ID: {call_id}\r\nCSeq: {number} {method}\r\n\
         {lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// A request within the dialog of a browser's last call.
fn within(gateway: &mut Gateway, who: usize, what: usize) -> Option<Bytes> {
    gateway.sent += 1;
    let sent = gateway.sent;
    let last = gateway.last[who].as_ref()?;
    let (method, lines) = REQUESTS[what];
    let of = |name: HeaderName| last.header(name).unwrap_or_default();
    let target = last.contact()?.uri.to_string();
    Some(Bytes::from(format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/WSS x.invalid;branch=z9hG4bK{sent}\r\nMax-Forwards: 69\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: {} {method}\r\n{lines}Content-Length: 0\r\n\r\n",
        of(HeaderName::From),
        of(HeaderName::To),
        of(HeaderName::CallId),
        100 + sent,
    )))
}

/// INVITE of the PBX for the last `Contact` of ours that it knows.
fn call_in(gateway: &mut Gateway) -> Bytes {
    gateway.sent += 1;
    let (sent, contact) = (gateway.sent, &gateway.contact);
    Bytes::from(format!(
        "INVITE sip:{contact}@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bK{sent}\r\nMax-Forwards: 70\r\n\
         From: <sip:x@pbx.example>;tag={sent}\r\nTo: <sip:alice@pbx.example>\r\nCall-ID: p{sent}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:{PBX}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    ))
}

fn answer(request: &Message, code: u16, lines: &str) -> Bytes {
    let of = |name: HeaderName| request.header(name).unwrap_or_default();
    let contact = match (code, request.header(HeaderName::Contact)) {
        (200, Some(contact)) if lines.starts_with("Expires") => format!("Contact: {contact}\r\n"),
        _ => String::new(),
    };
    let body = if lines.contains("application/sdp") {
        SDP
    } else {
        ""
    };
    let tag = if request.to().tag().is_some() {
        ""
    } else {
        ";tag=p"
    };
    Bytes::from(format!(
        "SIP/2.0 {code} So\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{contact}{lines}Content-Length: {}\r\n\r\n{body}",
        of(HeaderName::Via),
        of(HeaderName::From),
        of(HeaderName::To),
        of(HeaderName::CallId),
        of(HeaderName::CSeq),
        body.len(),
    ))
}

fn start() -> Gateway {
    let at = "192.0.2.1:5060".parse().expect("an address");
    let access = Access::Directory {
        users: BTreeMap::new(),
        trunks: [("pbx".to_owned(), trunk())].into(),
    };
    let config = session_core::Config {
        upstream: Some("pbx".into()),
        upstream_rate: 20,
        ..sim::node_config(at, access, &[])
    };
    Gateway {
        coordinator: Coordinator::new(config, Rng::seeded(9)),
        now: Time::from_secs(1_000),
        deadline: None,
        open: Vec::new(),
        last: [None, None],
        flows: [1, 2],
        contact: "x".into(),
        begun: BTreeMap::new(),
        sent: 0,
    }
}

fn step(gateway: &mut Gateway, action: u8, which: u8, how: u8) {
    let who = usize::from(which % 2);
    let what = usize::from(how) % REQUESTS.len();
    let flow = browser(gateway.flows[who]);
    match action % 6 {
        0 => {
            let data = request(gateway, who, what);
            gateway.receive(flow, data);
        }
        1 if !gateway.open.is_empty() => {
            let which = usize::from(which) % gateway.open.len();
            let (code, lines) = ANSWERS[usize::from(how) % ANSWERS.len()];
            let data = answer(&gateway.open[which], code, lines);
            if code >= 200 {
                gateway.open.swap_remove(which);
            }
            gateway.receive(pbx(), data);
        }
        2 => {
            if let Some(data) = within(gateway, who, what) {
                gateway.receive(flow, data);
            }
        }
        3 => {
            gateway.input(Input::Sip(endpoint::Input::FlowClosed { flow: flow.id }));
            gateway.flows[who] += 2;
        }
        5 => {
            let data = call_in(gateway);
            gateway.receive(pbx(), data);
        }
        _ => gateway.pass(Duration::from_millis(u64::from(how) * 500 + u64::from(which))),
    }
}

fn run(input: &[u8]) {
    let mut gateway = start();
    gateway.drain();
    for octets in input.chunks_exact(3).take(40) {
        step(&mut gateway, octets[0], octets[1], octets[2]);
        let clients = gateway.coordinator.trunks()[0].clients;
        assert!(clients.is_some_and(|clients| clients <= 4), "{clients:?}");
    }
    let copies = 11;
    assert!(
        gateway.begun.values().all(|count| *count <= 21 * copies),
        "{:?}",
        gateway.begun
    );
    for flow in gateway.flows {
        gateway.input(Input::Sip(endpoint::Input::FlowClosed { flow: FlowId(flow) }));
    }
    gateway.pass(Duration::from_secs(7_200));
    assert_eq!(gateway.coordinator.trunks()[0].clients, Some(0));
    assert_eq!(gateway.coordinator.sessions().count(), 0, "a call stays");
}
