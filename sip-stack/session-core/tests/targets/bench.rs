//! A gateway with trunks of several targets, callers before it, and a network that takes ten milliseconds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use media_core::control::{Command, Event as MediaEvent};
use sans_io::{Deadline, Rng, Time};
use session_core::{
    Access, Config, Coordinator, Dial, Event, Input, OnFailure, Outgoing, Output, Party, TargetState, Trunk,
    TrunkAddress,
};
use sip_core::endpoint;
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{HeaderName, Message, Method};

use crate::world::gateway;

/// Host that callers call from.
const INSIDE: &str = "192.0.2.99:5060";
/// Time that a datagram takes.
const WAY: Duration = Duration::from_millis(10);

/// Behaviour of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Rings and answers; answers OPTIONS.
    Answers,
    /// Sends nothing.
    Dead,
    /// Answers OPTIONS, and INVITEs with 100 and nothing else.
    Tries,
    /// Rings, and refuses then with this code.
    RingsThen(u16),
    /// Refuses with this code and these lines; answers OPTIONS.
    Refuses(u16, &'static str),
    /// Redirects to this host.
    Redirects(&'static str),
    /// Challenges once, then answers.
    Challenges,
}

pub(super) struct Bench {
    pub(super) coordinator: Coordinator,
    pub(super) now: Time,
    deadline: Deadline,
    behaviours: BTreeMap<SocketAddr, Behaviour>,
    /// On their way: to us (`None`) or to a target.
    flying: BTreeMap<(Time, u64), (SocketAddr, bool, Bytes)>,
    number: u64,
    seen: BTreeSet<String>,
    /// INVITEs that left for each target, without repetitions, with the URIs that they call.
    pub(super) invites: Vec<(Time, SocketAddr, String)>,
    /// Other requests that left, without repetitions.
    pub(super) requests: Vec<(Time, SocketAddr, Message)>,
    /// Responses that callers got, by Call-ID.
    pub(super) heard: BTreeMap<String, Vec<(Time, Message)>>,
    pub(super) events: Vec<Event>,
    /// Trunks that calls go to, and how they are called.
    pub(super) tiers: Vec<Vec<(String, u16)>>,
    /// Time that media take to open.
    pub(super) opening: Duration,
    opened: BTreeMap<(Time, u64), Input>,
    /// Registrars refuse for good.
    pub(super) forbids: bool,
    rng: Rng,
}

pub(super) fn address(host: &str) -> SocketAddr {
    format!("{host}:5060").parse().expect("an address")
}

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(super) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A trunk with these hosts, in order.
pub(super) fn trunk(hosts: &[&str]) -> Trunk {
    let place = |(priority, host): (u16, &&str)| TrunkAddress {
        host: (*host).to_owned(),
        port: None,
        priority,
        weight: 1,
    };
    Trunk {
        sources: hosts.iter().filter_map(|host| host.parse().ok()).collect(),
        follows_name: hosts.iter().all(|host| host.parse::<std::net::IpAddr>().is_err()),
        timeout: Some(seconds(5)),
        outgoing: Outgoing {
            places: (0..).zip(hosts).map(place).collect(),
            ..Outgoing::default()
        },
        ..Trunk::new(hosts[0])
    }
}

impl Bench {
    /// A gateway with these trunks; calls go to the first, then to the others in their order.
    pub(super) fn new(seed: u64, trunks: &[(&str, Trunk)]) -> Bench {
        let mut rng = Rng::seeded(seed);
        let mut all: BTreeMap<String, Trunk> = BTreeMap::new();
        let mut behaviours = BTreeMap::new();
        for (name, trunk) in trunks {
            for place in &trunk.outgoing.places {
                if place.literal().is_some() {
                    behaviours.insert(address(&place.host), Behaviour::Answers);
                }
            }
            all.insert((*name).to_owned(), trunk.clone());
        }
        all.insert("inside".into(), trunk(&["192.0.2.99"]));
        let config = Config {
            access: Access::Directory {
                users: BTreeMap::new(),
                trunks: all,
            },
            max_sessions: 10_000,
            ..gateway()
        };
        let mut bench = Bench {
            coordinator: Coordinator::new(config, rng.fork()),
            now: Time::from_secs(1_000),
            deadline: None,
            behaviours,
            flying: BTreeMap::new(),
            number: 0,
            seen: BTreeSet::new(),
            invites: Vec::new(),
            requests: Vec::new(),
            heard: BTreeMap::new(),
            events: Vec::new(),
            tiers: trunks
                .iter()
                .map(|(name, _)| vec![((*name).to_owned(), 1)])
                .collect(),
            opening: Duration::ZERO,
            opened: BTreeMap::new(),
            forbids: false,
            rng,
        };
        bench.drain();
        bench
    }

    pub(super) fn set(&mut self, host: &str, behaviour: Behaviour) {
        self.behaviours.insert(address(host), behaviour);
    }

    /// A caller calls; the name of the call.
    pub(super) fn call(&mut self) -> String {
        self.number += 1;
        let name = format!("call{}", self.number);
        let sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.99\r\ns=-\r\nc=IN IP4 192.0.2.99\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
        let invite = Bytes::from(format!(
            "INVITE sip:0{}@192.0.2.11 SIP/2.0\r\nVia: SIP/2.0/UDP {INSIDE};branch=z9hG4bK{name}\r\nMax-Forwards: 70\r\n\
             From: <sip:alice@192.0.2.99>;tag=1\r\nTo: <sip:0{}@192.0.2.11>\r\nCall-ID: {name}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:{INSIDE}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            self.number,
            self.number,
            sdp.len()
        ));
        self.receive(INSIDE.parse().expect("an address"), invite);
        name
    }

    /// The caller gives up.
    pub(super) fn cancel(&mut self, name: &str) {
        let number = name.trim_start_matches("call");
        let cancel = Bytes::from(format!(
            "CANCEL sip:0{number}@192.0.2.11 SIP/2.0\r\nVia: SIP/2.0/UDP {INSIDE};branch=z9hG4bK{name}\r\nMax-Forwards: 70\r\n\
             From: <sip:alice@192.0.2.99>;tag=1\r\nTo: <sip:0{number}@192.0.2.11>\r\nCall-ID: {name}\r\nCSeq: 1 CANCEL\r\n\
             Content-Length: 0\r\n\r\n"
        ));
        self.receive(INSIDE.parse().expect("an address"), cancel);
    }

    /// Final response to a call: how long it took, and which it was.
    pub(super) fn outcome(&self, name: &str) -> Option<(Time, u16)> {
        let heard = self.heard.get(name)?.iter();
        let to_invite =
            heard.filter(|(_, m)| m.header(HeaderName::CSeq).is_some_and(|c| c.ends_with("INVITE")));
        let mut codes = to_invite.map(|(at, m)| (*at, m.status().map_or(0, |code| code.get())));
        codes.find(|(_, code)| *code >= 200)
    }

    pub(super) fn code(&self, name: &str) -> u16 {
        self.outcome(name).map_or(0, |(_, code)| code)
    }

    /// Hosts that INVITEs went to, in order.
    pub(super) fn went_to(&self) -> Vec<String> {
        let hosts = self.invites.iter().map(|(_, to, _)| to.ip().to_string());
        hosts.collect()
    }

    /// State of a target.
    pub(super) fn state(&self, trunk: &str, host: &str) -> Option<TargetState> {
        let trunks = self.coordinator.trunks();
        let found = trunks.into_iter().find(|status| status.name == trunk)?;
        let mut targets = found.targets.into_iter();
        Some(targets.find(|target| target.address == address(host))?.state)
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let packet = self.flying.keys().next().map(|(at, _)| *at);
            let media = self.opened.keys().next().map(|(at, _)| *at);
            let timer = self.deadline.map(|(at, _)| at);
            let all = [packet, media, timer].into_iter().flatten();
            let Some(next) = all.min().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if packet == Some(next) {
                let (_, (peer, is_ours, data)) = self.flying.pop_first().expect("a message");
                match is_ours {
                    true => self.receive(peer, data),
                    false => self.arrive(peer, data),
                }
            } else if media == Some(next) {
                let (_, input) = self.opened.pop_first().expect("media");
                self.input(input);
            } else {
                self.input(Input::Timeout);
            }
        }
        self.now = end;
    }

    fn receive(&mut self, remote: SocketAddr, data: Bytes) {
        let flow = Flow {
            id: FlowId(1),
            transport: Transport::Udp,
            local: "192.0.2.11:5060".parse().expect("an address"),
            remote,
        };
        self.input(Input::Sip(endpoint::Input::Message { flow, data }));
    }

    pub(super) fn input(&mut self, input: Input) {
        self.coordinator.handle_input(self.now, input);
        self.drain();
    }

    fn fly(&mut self, peer: SocketAddr, is_ours: bool, data: Bytes) {
        self.number += 1;
        self.flying
            .insert((self.now + WAY, self.number), (peer, is_ours, data));
    }

    fn drain(&mut self) {
        loop {
            match self.coordinator.poll_output(self.now) {
                Output::Transmit { to, data, .. } => {
                    let remote = match to {
                        Destination::Flow(flow) => flow.remote,
                        Destination::Address { addr, .. } => addr,
                    };
                    self.sent(remote, data);
                }
                Output::Media { shard, command } => {
                    if let Command::Open { leg, .. } = command {
                        let event = MediaEvent::Opened {
                            leg,
                            addresses: vec!["192.0.2.11:20000".parse().expect("an address"); 2],
                        };
                        let most = u64::try_from(self.opening.as_micros()).unwrap_or(0) + 1;
                        let at = self.now + Duration::from_micros(self.rng.below(most));
                        self.number += 1;
                        self.opened
                            .insert((at, self.number), Input::Media { shard, event });
                    } else if let Command::Close { leg } = command {
                        let event = MediaEvent::Report {
                            leg,
                            stream: media_core::control::StreamIndex::FIRST,
                            report: Box::default(),
                            last: true,
                        };
                        self.number += 1;
                        self.opened
                            .insert((self.now, self.number), Input::Media { shard, event });
                    }
                }
                Output::Event(event) => {
                    if let Event::Incoming { session, .. } = &event {
                        let party = Party::Trunks {
                            tiers: self.tiers.clone(),
                            number: "0301234".into(),
                            caller_id: None,
                            on_account_of: None,
                        };
                        let dial = Dial::together(vec![party], seconds(60), OnFailure::Reject);
                        self.coordinator.dial(self.now, *session, dial);
                    }
                    self.events.push(event);
                }
                Output::Resolve { .. } | Output::Follow { .. } | Output::Fetch { .. } => {}
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    /// We sent something: to a caller, or to a target.
    fn sent(&mut self, remote: SocketAddr, data: Bytes) {
        let message = Message::parse(data.clone()).expect("a message");
        if message.status().is_some() {
            let call = message.call_id().to_owned();
            self.heard.entry(call).or_default().push((self.now, message));
            return;
        }
        let via = message.header(HeaderName::Via).unwrap_or_default().to_owned();
        let is_new = self
            .seen
            .insert(format!("{} {via}", message.method().map_or("", Method::as_str)));
        if is_new && message.is(&Method::Invite) {
            // One that is sent again with credentials is no new call.
            if self.seen.insert(format!("{} {remote}", message.call_id())) {
                let called = message.request_uri().unwrap_or_default().to_owned();
                self.invites.push((self.now, remote, called));
            }
        } else if is_new {
            self.requests.push((self.now, remote, message));
        }
        self.fly(remote, false, data);
    }

    /// A target got something.
    fn arrive(&mut self, at: SocketAddr, data: Bytes) {
        let request = Message::parse(data).expect("a message");
        let behaviour = self.behaviours.get(&at).copied().unwrap_or(Behaviour::Dead);
        if behaviour == Behaviour::Dead || request.is(&Method::Ack) {
            return;
        }
        if request.is(&Method::Register) && self.forbids {
            return self.fly(at, true, respond(&request, (403, "Forbidden"), "", ""));
        }
        if !request.is(&Method::Invite) {
            let lines = if request.is(&Method::Register) {
                let contact = request.header(HeaderName::Contact).unwrap_or_default();
                format!("Contact: {contact};expires=600\r\n")
            } else {
                String::new()
            };
            return self.fly(at, true, respond(&request, (200, "OK"), &lines, ""));
        }
        self.fly(at, true, respond(&request, (100, "Trying"), "", ""));
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
            ip = at.ip()
        );
        let contact = format!("Contact: <sip:{at}>\r\nContent-Type: application/sdp\r\n");
        let is_signed = request.header(HeaderName::Authorization).is_some();
        match behaviour {
            Behaviour::Challenges if !is_signed => {
                let lines = "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"n\"\r\n";
                self.fly(at, true, respond(&request, (401, "Who"), lines, ""));
            }
            Behaviour::Answers | Behaviour::Challenges => {
                self.fly(at, true, respond(&request, (180, "Ringing"), "", ""));
                self.fly(at, true, respond(&request, (200, "OK"), &contact, &sdp));
            }
            Behaviour::RingsThen(code) => {
                self.fly(at, true, respond(&request, (180, "Ringing"), "", ""));
                self.fly(at, true, respond(&request, (code, "No"), "", ""));
            }
            Behaviour::Refuses(code, lines) => {
                self.fly(at, true, respond(&request, (code, "No"), lines, ""));
            }
            Behaviour::Redirects(host) => {
                let lines = format!("Contact: <sip:1@{host}>\r\n");
                self.fly(at, true, respond(&request, (302, "There"), &lines, ""));
            }
            Behaviour::Tries | Behaviour::Dead => {}
        }
    }
}

/// A response with what it repeats of its request, more lines, and a body.
fn respond(request: &Message, (code, reason): (u16, &str), lines: &str, body: &str) -> Bytes {
    let of = |name: HeaderName| request.header(name).unwrap_or_default().to_owned();
    let tag = if code == 100 { "" } else { ";tag=t" };
    Bytes::from(format!(
        "SIP/2.0 {code} {reason}\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        of(HeaderName::Via),
        of(HeaderName::From),
        of(HeaderName::To),
        of(HeaderName::CallId),
        of(HeaderName::CSeq),
        body.len()
    ))
}
