//! One gateway, and peers whose messages are written by hand. Media opens at once; a table decides who is
//! called for which number.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use media_core::control::{Command, Event as MediaEvent, Report, StreamIndex};
use media_core::negotiated::{Codec, Fingerprint, Hash, Negotiated};
use sans_io::{Rng, Time};
use session_core::stir::CertificateUrl;
use session_core::{
    Access, CallerId, Config, Coordinator, Dial, Event, Input, LegId, OnFailure, Output, Party, Trunk, User,
};
use sip_core::auth::{Algorithm, Answered, Answerer};
use sip_core::endpoint::{self, Advertised, Credentials};
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{HeaderName, Message, Method, StatusCode};

/// Address and transport of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) flow: Flow,
    pub(crate) user: &'static str,
}

const fn flow(id: u64, transport: Transport, last: u8, port: u16) -> Flow {
    let ip = std::net::Ipv4Addr::new(192, 0, 2, last);
    Flow {
        id: FlowId(id),
        transport,
        local: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 5060),
        remote: SocketAddr::new(std::net::IpAddr::V4(ip), port),
    }
}

pub(crate) const CARRIER: Peer = Peer {
    flow: flow(1, Transport::Udp, 20, 5060),
    user: "carrier",
};
pub(crate) const PHONE: Peer = Peer {
    flow: flow(1, Transport::Udp, 11, 5060),
    user: "1001",
};
pub(crate) const OTHER: Peer = Peer {
    flow: flow(1, Transport::Udp, 12, 5060),
    user: "1002",
};
pub(crate) const PAGE: Peer = Peer {
    flow: flow(7, Transport::Ws, 13, 40_000),
    user: "1003",
};

pub(crate) struct Bench {
    gateway: Coordinator,
    pub(crate) now: Time,
    pub(crate) sent: Vec<(Destination, Message)>,
    pub(crate) events: Vec<Event>,
    pub(crate) commands: Vec<Command>,
    /// Certificates that were asked for.
    pub(crate) fetches: Vec<CertificateUrl>,
    /// Emergency calls are dialled by the test.
    pub(crate) leaves_emergencies: bool,
    /// Calls are answered, or dialled, by the test.
    pub(crate) leaves_calls: bool,
    branches: u32,
    /// Number that the table shows the carrier, in place of what the trunk says.
    pub(crate) caller_id: Option<CallerId>,
}

pub(crate) fn config() -> Config {
    let user = |name: &str| {
        let known = User::new("secret");
        (name.to_owned(), known)
    };
    let carrier = Trunk {
        sources: vec!["192.0.2.20".parse().unwrap()],
        hold: session_core::HoldPolicy::Auto,
        ..Trunk::new("192.0.2.20")
    };
    let advertised = [Transport::Udp, Transport::Ws].map(|transport| Advertised {
        transport,
        ipv6: false,
        address: "192.0.2.1".into(),
    });
    Config {
        endpoint: endpoint::Config {
            advertised: advertised.to_vec(),
            ..endpoint::Config::default()
        },
        credentials: session_core::Credentials::default(),
        access: Access::Directory {
            users: ["1001", "1002", "1003", "+49305678"].map(user).into(),
            trunks: [("carrier".to_owned(), carrier)].into(),
        },
        domains: vec!["192.0.2.1".into()],
        realm: "test".into(),
        algorithms: vec![Algorithm::Md5],
        host: "192.0.2.1".into(),
        advertise: None,
        phone_ips: vec!["192.0.2.1".parse().unwrap()],
        fingerprint: Fingerprint {
            hash: Hash::Sha256,
            value: vec![7; 32],
        },
        shards: 1,
        first_id: 0,
        browser_codecs: vec![Codec::Opus, Codec::Pcmu],
        phone_codecs: vec![Codec::Pcmu, Codec::Pcma],
        pass_through: Default::default(),
        grace: Duration::from_secs(15),
        session_timer: None,
        inactivity: None,
        max_sessions: 100,
        messages: session_core::MessageSettings::default(),
        max_contacts: 5,
        limits: session_core::Limits::default(),
        register_rate: 50,
        upstream: None,
        upstream_rate: 200,
        stir: Default::default(),
        emergency: Default::default(),
        saved_messages: None,
        secret: [0; 32],
        guard: session_core::guard::Config::default(),
    }
}

/// A description of plain RTP.
pub(crate) fn sdp(host: u8, port: u16, payload_type: u8) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.{host}\r\ns=-\r\nc=IN IP4 192.0.2.{host}\r\nt=0 0\r\nm=audio {port} RTP/AVP {payload_type}\r\n"
    )
}

/// A description of DTLS-SRTP, as a browser writes it.
pub(crate) fn dtls() -> String {
    let fingerprint = ["4A"; 32].join(":");
    format!(
        "v=0\r\no=- 46117 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n\
         c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 {fingerprint}\r\n\
         a=setup:actpass\r\na=mid:0\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
    )
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with(config())
    }

    pub(crate) fn with(config: Config) -> Bench {
        Bench {
            gateway: Coordinator::new(config, Rng::seeded(1)),
            now: Time::from_secs(1_000),
            sent: Vec::new(),
            events: Vec::new(),
            commands: Vec::new(),
            fetches: Vec::new(),
            leaves_emergencies: false,
            leaves_calls: false,
            branches: 0,
            caller_id: None,
        }
    }

    /// Runs a verb and its consequences.
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&mut Coordinator, Time) -> T) -> T {
        let result = act(&mut self.gateway, self.now);
        self.drain();
        result
    }

    pub(crate) fn close(&mut self, flow: Flow) {
        let input = Input::Sip(endpoint::Input::FlowClosed { flow: flow.id });
        self.act(|gateway, now| gateway.handle_input(now, input));
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.now += Duration::from_millis(100);
            self.act(|gateway, now| gateway.handle_input(now, Input::Timeout));
        }
    }

    pub(crate) fn receive(&mut self, from: Peer, text: impl Into<Bytes>) {
        let input = Input::Sip(endpoint::Input::Message {
            flow: from.flow,
            data: text.into(),
        });
        self.act(|gateway, now| gateway.handle_input(now, input));
    }

    /// Sends a request outside a dialog. `lines` adds header fields; one like `Via` or `From` replaces the default.
    pub(crate) fn request(&mut self, from: Peer, method: &str, uri: &str, lines: &str, body: &str) -> String {
        self.branches += 1;
        let id = self.branches;
        let by = if lines.contains("From:") {
            String::new()
        } else {
            format!("From: <sip:{}@192.0.2.1>;tag=t{id}\r\n", from.user)
        };
        let has_to = lines.lines().any(|line| line.starts_with("To:"));
        let to = if has_to {
            String::new()
        } else {
            format!("To: <{uri}>\r\n")
        };
        let contact = if lines.contains("Contact:") {
            String::new()
        } else {
            format!("Contact: <sip:{}@{}>\r\n", from.user, from.flow.remote)
        };
        let kind = match body {
            "" => "",
            _ if lines.contains("Content-Type:") => "",
            _ => "Content-Type: application/sdp\r\n",
        };
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bKp{id};rport\r\nMax-Forwards: 70\r\n{by}{to}\
             Call-ID: call{id}\r\nCSeq: 1 {method}\r\n{contact}{lines}{kind}Content-Length: {}\r\n\r\n{body}",
            from.flow.transport.name(),
            from.flow.remote,
            body.len()
        );
        self.receive(from, text.clone());
        text
    }

    /// Sends the same request with the credentials of `user`, after a challenge; returns the status of the answer.
    pub(crate) fn authenticated(
        &mut self,
        from: Peer,
        method: &str,
        uri: &str,
        lines: &str,
        body: &str,
    ) -> StatusCode {
        self.request(from, method, uri, lines, body);
        let mut answerer = Answerer::new(Credentials {
            username: from.user.into(),
            password: "secret".into(),
        });
        let mut answered = Answered::default();
        assert!(
            answerer.challenged(self.last_response(), &mut answered, &mut Rng::seeded(2)),
            "a challenge"
        );
        let answer = answerer.headers(&mut answered, method, uri, body.as_bytes());
        let mut credentials = lines.to_owned();
        for (name, value) in answer {
            credentials.push_str(&format!("{}: {value}\r\n", name.as_str()));
        }
        self.request(from, method, uri, &credentials, body);
        self.last_response().status().unwrap()
    }

    /// The carrier calls 1001, whose phone gets the INVITE that is returned. `lines` are further fields of the carrier's.
    pub(crate) fn called_in(&mut self, lines: &str) -> Message {
        let offer = sdp(20, 5_000, 0);
        self.request(CARRIER, "INVITE", "sip:+49301234@192.0.2.1", lines, &offer);
        self.invited(PHONE)
    }

    /// Registers the peer as its user.
    pub(crate) fn register(&mut self, peer: Peer, lines: &str) {
        let code = self.authenticated(
            peer,
            "REGISTER",
            "sip:192.0.2.1",
            &format!("To: <sip:{}@192.0.2.1>\r\n{lines}", peer.user),
            "",
        );
        assert_eq!(code, StatusCode::OK);
    }

    /// Sends the peer's response to a request of ours, with the given tag, lines and body.
    pub(crate) fn respond(
        &mut self,
        from: Peer,
        request: &Message,
        code: StatusCode,
        tag: &str,
        lines: &str,
        body: &str,
    ) {
        let mut text = format!("SIP/2.0 {code} x\r\n");
        for name in [
            HeaderName::Via,
            HeaderName::From,
            HeaderName::CallId,
            HeaderName::CSeq,
        ] {
            for value in request.lines(name) {
                text.push_str(&format!("{}: {value}\r\n", name.as_str()));
            }
        }
        let kind = match body {
            "" => "",
            _ if lines.contains("Content-Type:") => "",
            _ => "Content-Type: application/sdp\r\n",
        };
        let to = request.header(HeaderName::To).unwrap();
        let tag = if tag.is_empty() || request.to().tag().is_some() {
            String::new()
        } else {
            format!(";tag={tag}")
        };
        let contact = if lines.contains("Contact:") {
            String::new()
        } else {
            format!("Contact: <sip:{}@{}>\r\n", from.user, from.flow.remote)
        };
        text.push_str(&format!(
            "To: {to}{tag}\r\n{contact}{lines}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        self.receive(from, text);
    }

    fn drain(&mut self) {
        loop {
            match self.gateway.poll_output(self.now) {
                Output::Transmit { to, data, .. } => self.sent.push((to, Message::parse(data).unwrap())),
                Output::Resolve { .. } | Output::Follow { .. } => {}
                Output::Fetch { url } => self.fetches.push(url),
                Output::Media { command, .. } => self.shard(command),
                Output::Event(event) => {
                    self.decide(&event);
                    self.events.push(event);
                }
                Output::Timeout(_) => return,
            }
        }
    }

    fn shard(&mut self, command: Command) {
        let event = match &command {
            Command::Open { leg, .. } => {
                let at = |port| SocketAddr::new("192.0.2.1".parse().unwrap(), port);
                let port = 20_000 + 2 * leg.0 as u16;
                Some(MediaEvent::Opened {
                    leg: *leg,
                    addresses: vec![at(port), at(port + 1)],
                })
            }
            Command::Close { leg } => Some(MediaEvent::Report {
                leg: *leg,
                stream: StreamIndex::FIRST,
                report: Box::new(Report::default()),
                last: true,
            }),
            _ => None,
        };
        self.commands.push(command);
        if let Some(event) = event {
            self.gateway
                .handle_input(self.now, Input::Media { shard: 0, event });
        }
    }

    /// Calls users by their name, and everything else by the carrier; `701` is a place for lamps; only users may call the carrier.
    fn decide(&mut self, event: &Event) {
        let now = self.now;
        let by = match event {
            Event::Incoming { call, .. } => Some(call.source.clone()),
            _ => None,
        };
        let caller_id = self.caller_id.clone();
        let party = |number: &str| match number {
            "1001" | "1002" | "1003" => Party::User(number.to_owned()),
            "+49301234" => Party::User("1001".to_owned()),
            _ => Party::Trunks {
                tiers: vec![vec![("carrier".into(), 1)]],
                number: number.to_owned(),
                caller_id: caller_id.clone(),
                on_account_of: by.clone(),
            },
        };
        match event {
            Event::Incoming { call, .. } if self.leaves_emergencies && call.emergency.is_some() => {}
            Event::Incoming { .. } if self.leaves_calls => {}
            Event::Incoming { session, call, .. } => {
                let dial = Dial::together(vec![party(&call.to)], Duration::from_secs(60), OnFailure::Reject);
                self.gateway.dial(now, *session, dial);
            }
            Event::Watch { subscription, watch } if watch.number == "701" => {
                self.gateway.admit_watch_of_place(now, *subscription, "701");
            }
            Event::Watch { subscription, watch } => match party(&watch.number) {
                Party::User(user) => self.gateway.admit_watch(now, *subscription, &user),
                _ => self.gateway.refuse_watch(*subscription, StatusCode::NOT_FOUND),
            },
            Event::Mailbox { notice, about } => match party(&about.number) {
                Party::User(user) => self.gateway.take_notice(now, *notice, &user),
                _ => self.gateway.refuse_notice(now, *notice, StatusCode::NOT_FOUND),
            },
            Event::Message { message, about } => {
                self.gateway.deliver_message(now, *message, &party(&about.to));
            }
            Event::Replaces { leg, replaced, .. } => self.gateway.replace(now, *leg, *replaced),
            Event::Joins { leg, joined, .. } => self.gateway.join_call(now, *leg, *joined),
            Event::Diverted {
                session,
                leg,
                numbers,
                ..
            } => {
                let parties: Vec<Party> = numbers.iter().map(|number| party(number)).collect();
                self.gateway.follow(now, *session, *leg, &parties);
            }
            _ => {}
        }
    }

    /// The last request of ours with this method.
    pub(crate) fn last(&self, method: &Method) -> Option<Message> {
        let found = self.sent.iter().rev().find(|(_, message)| message.is(method));
        found.map(|(_, message)| message.clone())
    }

    /// The INVITE that reached this peer last.
    pub(crate) fn invited(&self, peer: Peer) -> Message {
        let to = |to: &Destination| match to {
            Destination::Flow(flow) => flow.remote,
            Destination::Address { addr, .. } => *addr,
        };
        let found = self
            .sent
            .iter()
            .rev()
            .find(|(at, message)| to(at) == peer.flow.remote && message.is(&Method::Invite));
        found.expect("an INVITE").1.clone()
    }

    pub(crate) fn count(&self, method: &Method) -> usize {
        self.sent.iter().filter(|(_, message)| message.is(method)).count()
    }

    pub(crate) fn last_response(&self) -> &Message {
        let found = self
            .sent
            .iter()
            .rev()
            .find(|(_, message)| message.status().is_some_and(|code| code != StatusCode::TRYING));
        &found.expect("a response").1
    }

    /// Final statuses and others that callers were sent for their INVITEs, in order; 100 and copies left out.
    pub(crate) fn statuses(&self) -> Vec<StatusCode> {
        let invite = |message: &Message| message.cseq().method == Method::Invite;
        let mut answered: Vec<StatusCode> = self
            .sent
            .iter()
            .filter(|(_, message)| invite(message))
            .filter_map(|(_, message)| message.status().filter(|code| *code != StatusCode::TRYING))
            .collect();
        answered.dedup();
        answered
    }

    /// Destinations of a leg's media, each time they were set, with the payload type.
    pub(crate) fn connected(&self, leg: LegId) -> Vec<(Option<SocketAddr>, u8)> {
        let media = |media: &Negotiated| (media.transport.remote(), media.streams[0].send.0);
        let connects = self.commands.iter().filter_map(|command| match command {
            Command::Connect { leg: of, media: it } if *of == leg => Some(media(it)),
            _ => None,
        });
        connects.collect()
    }

    /// The last leg that was opened.
    pub(crate) fn last_leg(&self) -> LegId {
        *self.opened().last().expect("a leg")
    }

    /// Legs that were opened, in order.
    pub(crate) fn opened(&self) -> Vec<LegId> {
        let opened = self.commands.iter().filter_map(|command| match command {
            Command::Open { leg, .. } => Some(*leg),
            _ => None,
        });
        opened.collect()
    }
}
