//! Admission: guessing, scanning, the rights of a registration and their end, and the sources that may change
//! a call.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use media_core::control::{Command, Event as MediaEvent};
use sans_io::{Rng, Time};
use session_core::guard::{self, Offence};
use session_core::{
    Access, Adjustment, Application, CallerId, Config, Coordinator, Credentials, Event, Input, Lent, Located,
    Output, Reason, Source, Trunk, User,
};
use sip_core::auth::{Answered, Answerer};
use sip_core::endpoint;
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{HeaderName, Message, StatusCode};
use sip_core::uri::Uri;

use crate::world::gateway;

/// A coordinator with the user 1001 and a trunk at 192.0.2.50, and what came out of it.
struct Gateway {
    coordinator: Coordinator,
    now: Time,
    sent: Vec<(SocketAddr, Message)>,
    events: Vec<Event>,
    cseq: u32,
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn udp(peer: &str) -> Flow {
    Flow {
        id: FlowId(1),
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().expect("an address"),
        remote: format!("{peer}:5060").parse().expect("an address"),
    }
}

fn tcp(peer: &str) -> Flow {
    Flow {
        id: FlowId(2),
        transport: Transport::Tcp,
        ..udp(peer)
    }
}

fn websocket(id: u64, peer: &str) -> Flow {
    Flow {
        id: FlowId(id),
        transport: Transport::Ws,
        ..udp(peer)
    }
}

fn carrier() -> Trunk {
    Trunk {
        sources: vec!["192.0.2.50/31".parse().expect("a network")],
        hold: session_core::HoldPolicy::Auto,
        ..Trunk::new("192.0.2.50")
    }
}

/// A request outside of a dialog.
struct Sent<'a> {
    method: &'a str,
    user: &'a str,
    more: &'a str,
    via: usize,
    credentials: Option<(&'a str, &'a str)>,
}

impl<'a> Sent<'a> {
    fn new(method: &'a str, user: &'a str) -> Sent<'a> {
        Sent {
            method,
            user,
            more: "",
            via: 1,
            credentials: None,
        }
    }

    fn with(self, username: &'a str, password: &'a str) -> Sent<'a> {
        Sent {
            credentials: Some((username, password)),
            ..self
        }
    }
}

const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

impl Gateway {
    fn new() -> Gateway {
        Gateway::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Gateway {
        let users = ["1001", "1002"].map(|name| {
            let user = User::new("secret");
            (name.to_owned(), user)
        });
        let mut config = Config {
            access: Access::Directory {
                users: BTreeMap::from(users),
                trunks: BTreeMap::from([("carrier".to_owned(), carrier())]),
            },
            ..gateway()
        };
        change(&mut config);
        Gateway {
            coordinator: Coordinator::new(config, Rng::seeded(7)),
            now: Time::from_secs(1_000),
            sent: Vec::new(),
            events: Vec::new(),
            cseq: 0,
        }
    }

    fn receive(&mut self, flow: Flow, text: &str) {
        let data = Bytes::copy_from_slice(text.as_bytes());
        let input = endpoint::Input::Message { flow, data };
        self.coordinator.handle_input(self.now, Input::Sip(input));
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.coordinator.poll_output(self.now) {
                Output::Transmit { to, data, .. } => {
                    let to = match to {
                        Destination::Flow(flow) => flow.remote,
                        Destination::Address { addr, .. } => addr,
                    };
                    self.sent.push((to, Message::parse(data).expect("a message")));
                }
                Output::Resolve { .. } | Output::Follow { .. } | Output::Fetch { .. } => {}
                Output::Media { shard, command } => {
                    if let Command::Open { leg, .. } = command {
                        let event = MediaEvent::Opened {
                            leg,
                            addresses: vec!["192.0.2.1:20000".parse().expect("an address"); 2],
                        };
                        self.coordinator
                            .handle_input(self.now, Input::Media { shard, event });
                    }
                }
                Output::Event(event) => self.events.push(event),
                Output::Timeout(_) => return,
            }
        }
    }

    /// Waits until then, with all timers.
    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now = (self.now + Duration::from_millis(500)).min(until);
            self.coordinator.handle_input(self.now, Input::Timeout);
            self.drain();
        }
    }

    fn text(&mut self, flow: Flow, sent: &Sent<'_>, authorization: &str) -> String {
        self.cseq += 1;
        let (n, peer, user) = (self.cseq, flow.remote, sent.user);
        let via = (0..sent.via).map(|hop| {
            format!(
                "Via: SIP/2.0/{} {peer};branch=z9hG4bK{n}x{hop};rport\r\n",
                flow.transport.name()
            )
        });
        let via: String = via.collect();
        let target = if sent.method == "REGISTER" {
            "sip:192.0.2.1"
        } else {
            "sip:9196@192.0.2.1"
        };
        let to = if sent.method == "REGISTER" {
            format!("sip:{user}@192.0.2.1")
        } else {
            target.to_owned()
        };
        let body = if sent.method == "INVITE" { SDP } else { "" };
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        let more = sent.more;
        format!(
            "{} {target} SIP/2.0\r\n{via}From: <sip:{user}@192.0.2.1>;tag=f{n}\r\nTo: <{to}>\r\nCall-ID: c{n}\r\nCSeq: {n} {}\r\n\
             Contact: <sip:{user}@{peer}>\r\nMax-Forwards: 70\r\n{authorization}{more}{kind}Content-Length: {}\r\n\r\n{body}",
            sent.method,
            sent.method,
            body.len()
        )
    }

    /// Code of the final answer, if there is one; a challenge is answered if there are credentials.
    fn ask(&mut self, flow: Flow, sent: &Sent<'_>) -> Option<StatusCode> {
        let text = self.text(flow, sent, "");
        let answer = self.answer(flow, &text)?;
        let Some((username, password)) = sent
            .credentials
            .filter(|_| answer.status() == Some(StatusCode::UNAUTHORIZED))
        else {
            return answer.status();
        };
        let mut answerer = Answerer::new(sip_core::auth::Credentials {
            username: username.into(),
            password: password.into(),
        });
        let mut answered = Answered::default();
        assert!(
            answerer.challenged(&answer, &mut answered, &mut Rng::seeded(1)),
            "a challenge"
        );
        let lines: String = answerer
            .headers(&mut answered, sent.method, "sip:192.0.2.1", b"")
            .into_iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let text = self.text(flow, sent, &lines);
        self.answer(flow, &text)?.status()
    }

    fn answer(&mut self, flow: Flow, text: &str) -> Option<Message> {
        self.sent.clear();
        self.receive(flow, text);
        let found = self.sent.iter().rev().find(|(to, message)| {
            *to == flow.remote && message.status().is_some_and(|code| code >= StatusCode::RINGING)
        });
        found.map(|(_, message)| message.clone())
    }

    fn refusals(&self) -> Vec<(Reason, StatusCode, String)> {
        let of = |event: &Event| match event {
            Event::Refused(refusal) => Some((refusal.reason, refusal.code?, refusal.user.clone())),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    fn incoming(&self) -> Vec<Source> {
        let of = |event: &Event| match event {
            Event::Incoming { call, .. } => Some(call.source.clone()),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }
}

#[test]
fn a_guesser_is_slowed_down_banned_and_then_not_answered() {
    let mut gateway = Gateway::new();
    let honest = Sent::new("REGISTER", "1002").with("1002", "secret");
    assert_eq!(gateway.ask(udp("192.0.2.7"), &honest), Some(StatusCode::OK));
    let mut codes: BTreeMap<Option<StatusCode>, u32> = BTreeMap::new();
    for n in 0..500 {
        let name = format!("{}", 1_001 + n % 3);
        let password = format!("guess{n}");
        let guess = Sent::new("REGISTER", &name).with(&name, &password);
        *codes.entry(gateway.ask(udp("192.0.2.66"), &guess)).or_default() += 1;
    }
    assert!(codes[&Some(StatusCode::FORBIDDEN)] <= 20, "{codes:?}");
    assert!(codes[&None] >= 400, "{codes:?}");
    let bans: Vec<_> = gateway.coordinator.bans(gateway.now);
    assert_eq!(
        (bans[0].address, bans[0].reason),
        (ip("192.0.2.66"), Offence::Guessing)
    );
    assert!(matches!(
        gateway
            .events
            .iter()
            .filter(|e| matches!(e, Event::Banned(_)))
            .count(),
        1
    ));
    let right = Sent::new("REGISTER", "1001").with("1001", "secret");
    assert_eq!(gateway.ask(udp("192.0.2.66"), &right), None, "silence");
    assert!(gateway.coordinator.stats().silenced > 400);
    assert_eq!(
        gateway.ask(udp("192.0.2.7"), &honest),
        Some(StatusCode::OK),
        "others go on"
    );
    assert!(gateway.coordinator.lift_ban(gateway.now, ip("192.0.2.66")));
    gateway.wait(Duration::from_secs(7));
    assert_eq!(gateway.ask(udp("192.0.2.66"), &right), Some(StatusCode::OK));
}

#[test]
fn whoever_got_in_before_goes_on_behind_the_address_of_a_guesser() {
    let mut gateway = Gateway::new();
    let honest = Sent::new("REGISTER", "1002").with("1002", "secret");
    assert_eq!(gateway.ask(udp("192.0.2.66"), &honest), Some(StatusCode::OK));
    for n in 0..200 {
        let name = format!("user{n}");
        gateway.ask(
            udp("192.0.2.66"),
            &Sent::new("REGISTER", &name).with(&name, "guess"),
        );
    }
    assert_eq!(gateway.coordinator.bans(gateway.now).len(), 1);
    assert_eq!(gateway.ask(udp("192.0.2.66"), &honest), Some(StatusCode::OK));
    let stranger = Sent::new("REGISTER", "1001").with("1001", "secret");
    assert_eq!(gateway.ask(udp("192.0.2.66"), &stranger), None);
}

#[test]
fn scanners_get_no_answer() {
    let mut gateway = Gateway::new();
    let scanner = Sent {
        more: "User-Agent: friendly-scanner\r\n",
        ..Sent::new("OPTIONS", "100")
    };
    assert_eq!(gateway.ask(udp("192.0.2.66"), &scanner), None);
    let scanner = Sent {
        method: "INVITE",
        ..scanner
    };
    assert_eq!(gateway.ask(udp("192.0.2.66"), &scanner), None);
    let answered = |event: &Event| matches!(event, Event::Refused(refusal) if refusal.reason == Reason::Scanner && refusal.code.is_none());
    assert!(gateway.events.iter().any(answered));
    let codes: Vec<_> = (0..60)
        .map(|n| gateway.ask(tcp("192.0.2.67"), &Sent::new("REGISTER", &format!("{n}"))))
        .collect();
    assert_eq!((codes[0], codes[59]), (Some(StatusCode::UNAUTHORIZED), None));
    assert_eq!(gateway.coordinator.bans(gateway.now)[0].reason, Offence::Scanning);
    // A phone of ours that forgets to answer challenges is not a scanner.
    for _ in 0..60 {
        assert_eq!(
            gateway.ask(udp("192.0.2.7"), &Sent::new("REGISTER", "1001")),
            Some(StatusCode::UNAUTHORIZED)
        );
    }
}

/// Datagrams that wear the address of a host where nobody got in yet.
#[test]
fn a_forged_source_gets_nobody_banned() {
    let mut gateway = Gateway::new();
    let (honest, stranger) = (udp("192.0.2.7"), udp("192.0.2.66"));
    let challenge = gateway.text(stranger, &Sent::new("REGISTER", "1001"), "");
    let challenge = gateway.answer(stranger, &challenge).expect("a challenge");
    let mut answerer = Answerer::new(sip_core::auth::Credentials {
        username: "1001".into(),
        password: "guess".into(),
    });
    let mut answered = Answered::default();
    assert!(answerer.challenged(&challenge, &mut answered, &mut Rng::seeded(1)));
    for n in 0..300 {
        let lines: String = answerer
            .headers(&mut answered, "REGISTER", "sip:192.0.2.1", b"")
            .into_iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let name = format!("{n}");
        for (sent, lines) in [
            (Sent::new("REGISTER", "1001"), &*lines),
            (Sent::new("REGISTER", &name), ""),
            (Sent::new("INVITE", &name), ""),
        ] {
            let text = gateway.text(honest, &sent, lines);
            let answer = gateway.answer(honest, &text).expect("an answer");
            assert_eq!(answer.status(), Some(StatusCode::UNAUTHORIZED));
            let is_stale = answer
                .header(HeaderName::WwwAuthenticate)
                .is_some_and(|field| field.contains("stale=true"));
            assert_eq!(is_stale, !lines.is_empty());
        }
    }
    assert!(gateway.coordinator.bans(gateway.now).is_empty());
    let register = Sent::new("REGISTER", "1001").with("1001", "secret");
    assert_eq!(gateway.ask(honest, &register), Some(StatusCode::OK));
}

#[test]
fn a_phone_whose_port_changed_goes_on_with_its_nonce() {
    let mut gateway = Gateway::new();
    let phone = udp("192.0.2.7");
    let text = gateway.text(phone, &Sent::new("REGISTER", "1001"), "");
    let challenge = gateway.answer(phone, &text).expect("a challenge");
    let mut answerer = Answerer::new(sip_core::auth::Credentials {
        username: "1001".into(),
        password: "secret".into(),
    });
    let mut answered = Answered::default();
    assert!(answerer.challenged(&challenge, &mut answered, &mut Rng::seeded(1)));
    for (port, transport) in [
        (5060, Transport::Udp),
        (61_000, Transport::Udp),
        (61_001, Transport::Tcp),
    ] {
        let flow = Flow {
            transport,
            remote: SocketAddr::new(phone.remote.ip(), port),
            ..phone
        };
        let lines: String = answerer
            .headers(&mut answered, "REGISTER", "sip:192.0.2.1", b"")
            .into_iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let text = gateway.text(flow, &Sent::new("REGISTER", "1001"), &lines);
        assert_eq!(
            gateway.answer(flow, &text).expect("an answer").status(),
            Some(StatusCode::OK)
        );
    }
}

#[test]
fn a_trunk_is_never_banned() {
    let mut gateway = Gateway::new();
    for n in 0..200 {
        let name = format!("user{n}");
        gateway.ask(
            udp("192.0.2.50"),
            &Sent::new("REGISTER", &name).with(&name, "guess"),
        );
    }
    assert!(gateway.coordinator.bans(gateway.now).is_empty());
    gateway.ask(udp("192.0.2.50"), &Sent::new("INVITE", "+4930123"));
    assert_eq!(gateway.incoming(), [Source::Trunk("carrier".into())]);
}

#[test]
fn refusals_are_told_and_first_challenges_are_not() {
    let mut gateway = Gateway::new();
    let answered = |gateway: &mut Gateway, flow: Flow, sent: Sent<'_>| {
        gateway.events.clear();
        gateway.ask(flow, &sent);
        gateway.refusals()
    };
    let here = udp("192.0.2.66");
    assert_eq!(answered(&mut gateway, here, Sent::new("REGISTER", "1001")), []);
    assert_eq!(answered(&mut gateway, here, Sent::new("INVITE", "1001")), []);
    assert_eq!(
        answered(
            &mut gateway,
            here,
            Sent::new("REGISTER", "1001").with("1001", "secret")
        ),
        []
    );
    let one = |reason, code, user: &str| vec![(reason, code, user.to_owned())];
    assert_eq!(
        answered(&mut gateway, here, Sent::new("INVITE", "+493012345")),
        one(Reason::UnknownSource, StatusCode::UNAUTHORIZED, "+493012345")
    );
    assert_eq!(
        answered(
            &mut gateway,
            here,
            Sent::new("REGISTER", "1002").with("1002", "wrong")
        ),
        one(Reason::WrongCredentials, StatusCode::FORBIDDEN, "1002")
    );
    assert_eq!(
        answered(
            &mut gateway,
            here,
            Sent::new("INVITE", "1001").with("1002", "secret")
        ),
        one(Reason::OtherUser, StatusCode::FORBIDDEN, "1002")
    );
}

/// Credentials that are good while the flag says so.
fn lent(good: &Arc<AtomicBool>) -> Gateway {
    let good = Arc::clone(good);
    Gateway::with(|config| {
        config.credentials = Credentials::new(move |_, username| {
            (username == "9:1001:ses:tab").then(|| Lent {
                user: "1001".into(),
                password: "lent".into(),
                good: good.load(Ordering::Relaxed),
            })
        });
    })
}

#[test]
fn what_came_from_a_sign_in_ends_with_it() {
    let good = Arc::new(AtomicBool::new(true));
    let mut gateway = lent(&good);
    let tab = websocket(5, "192.0.2.7");
    let register = || Sent::new("REGISTER", "1001").with("9:1001:ses:tab", "lent");
    assert_eq!(gateway.ask(tab, &register()), Some(StatusCode::OK));
    gateway.ask(tab, &Sent::new("INVITE", "1001"));
    assert_eq!(gateway.incoming().len(), 1, "the connection speaks for 1001");
    let running = gateway.coordinator.stats().sessions;

    good.store(false, Ordering::Relaxed);
    assert_eq!(
        gateway.ask(tab, &Sent::new("INVITE", "1001")),
        Some(StatusCode::UNAUTHORIZED),
        "at once"
    );
    gateway.coordinator.end_registrations(gateway.now);
    gateway.drain();
    assert!(!gateway.coordinator.is_reachable("1001"));
    assert!(
        gateway
            .events
            .iter()
            .any(|event| matches!(event, Event::Reachable { user, reachable: false } if user == "1001"))
    );
    assert_eq!(
        gateway.coordinator.stats().sessions,
        running,
        "a call that is up goes on"
    );
    gateway.events.clear();
    for _ in 0..100 {
        assert_eq!(gateway.ask(tab, &register()), Some(StatusCode::FORBIDDEN));
    }
    assert_eq!(gateway.refusals()[0].0, Reason::CredentialsOver);
    assert!(
        gateway.coordinator.bans(gateway.now).is_empty(),
        "who was signed in guesses nothing"
    );
}

#[test]
fn credentials_that_run_out_take_their_registration_with_them() {
    let good = Arc::new(AtomicBool::new(true));
    let mut gateway = lent(&good);
    let register = Sent::new("REGISTER", "1001").with("9:1001:ses:tab", "lent");
    assert_eq!(
        gateway.ask(websocket(5, "192.0.2.7"), &register),
        Some(StatusCode::OK)
    );
    assert_eq!(gateway.ask(udp("192.0.2.8"), &register), Some(StatusCode::OK));
    gateway.wait(Duration::from_secs(60));
    assert!(gateway.coordinator.is_reachable("1001"));
    good.store(false, Ordering::Relaxed);
    gateway.wait(Duration::from_secs(11));
    assert!(!gateway.coordinator.is_reachable("1001"));
    assert_eq!(gateway.coordinator.stats().contacts, 0);
}

#[test]
fn a_connection_speaks_for_nobody_once_unregistered_nor_for_others_behind_a_proxy() {
    let mut gateway = Gateway::new();
    let edge = websocket(5, "192.0.2.7");
    let register = Sent::new("REGISTER", "1001").with("1001", "secret");
    assert_eq!(gateway.ask(edge, &register), Some(StatusCode::OK));
    let behind = Sent {
        via: 2,
        ..Sent::new("INVITE", "1001")
    };
    assert_eq!(
        gateway.ask(edge, &behind),
        Some(StatusCode::UNAUTHORIZED),
        "it may be another client"
    );
    gateway.ask(edge, &Sent::new("INVITE", "1001"));
    assert_eq!(gateway.incoming().len(), 1);
    let leave = Sent {
        more: "Expires: 0\r\n",
        ..Sent::new("REGISTER", "1001").with("1001", "secret")
    };
    assert_eq!(gateway.ask(edge, &leave), Some(StatusCode::OK));
    assert_eq!(
        gateway.ask(edge, &Sent::new("INVITE", "1001")),
        Some(StatusCode::UNAUTHORIZED)
    );
    assert_eq!(gateway.incoming().len(), 1);
}

/// A call of `user` over `flow` that was answered and acknowledged: its Call-ID, From tag and To tag.
fn answered(gateway: &mut Gateway, flow: Flow, sent: &Sent<'_>) -> (String, String, String) {
    gateway.events.clear();
    gateway.ask(flow, sent);
    let leg = gateway.events.iter().find_map(|event| match event {
        Event::Incoming { leg, .. } => Some(*leg),
        _ => None,
    });
    gateway.sent.clear();
    gateway
        .coordinator
        .answer(gateway.now, leg.expect("a call"), Some(Application::Echo));
    gateway.drain();
    let ok = gateway
        .sent
        .iter()
        .find(|(_, message)| message.status() == Some(StatusCode::OK));
    let (_, ok) = ok.expect("an answer");
    let tag = |name: HeaderName| {
        let field = ok.header(name).expect("there");
        field.split(";tag=").nth(1).expect("a tag").to_owned()
    };
    let dialog = (
        ok.call_id().to_owned(),
        tag(HeaderName::From),
        tag(HeaderName::To),
    );
    let ack = in_dialog("ACK", flow, &dialog, gateway.cseq);
    gateway.receive(flow, &ack);
    dialog
}

fn in_dialog(method: &str, flow: Flow, (call_id, from, to): &(String, String, String), cseq: u32) -> String {
    let peer = flow.remote;
    let body = if method == "INVITE" { SDP } else { "" };
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    format!(
        "{method} sip:9196@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/{} {peer};branch=z9hG4bKd{cseq}{method};rport\r\n\
         From: <sip:1001@192.0.2.1>;tag={from}\r\nTo: <sip:9196@192.0.2.1>;tag={to}\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:1001@{peer}>\r\nRefer-To: <sip:1002@192.0.2.1>\r\nMax-Forwards: 70\r\n{kind}\
         Content-Length: {}\r\n\r\n{body}",
        flow.transport.name(),
        body.len()
    )
}

fn changes(
    gateway: &mut Gateway,
    method: &str,
    flow: Flow,
    dialog: &(String, String, String),
) -> Option<StatusCode> {
    gateway.cseq += 1;
    let text = in_dialog(method, flow, dialog, gateway.cseq);
    let code = gateway.answer(flow, &text)?.status();
    if method == "INVITE" {
        let ack = in_dialog("ACK", flow, dialog, gateway.cseq);
        gateway.receive(flow, &ack);
    }
    code
}

#[test]
fn whoever_knows_the_tags_of_a_users_call_changes_nothing_from_elsewhere() {
    let mut gateway = Gateway::new();
    let (phone, stranger) = (udp("192.0.2.7"), udp("192.0.2.66"));
    let invite = Sent::new("INVITE", "1001").with("1001", "secret");
    let dialog = answered(&mut gateway, phone, &invite);
    gateway.events.clear();
    for method in ["INVITE", "UPDATE", "REFER"] {
        assert_eq!(
            changes(&mut gateway, method, stranger, &dialog),
            Some(StatusCode::FORBIDDEN),
            "{method}"
        );
        assert_eq!(
            gateway.refusals().pop(),
            Some((Reason::Intruder, StatusCode::FORBIDDEN, "1001".into()))
        );
    }
    assert_eq!(
        changes(&mut gateway, "INVITE", phone, &dialog),
        Some(StatusCode::OK)
    );
    // The phone is somewhere else now, and has proved that it is the phone.
    let moved = udp("192.0.2.9");
    assert_eq!(
        changes(&mut gateway, "INVITE", moved, &dialog),
        Some(StatusCode::FORBIDDEN)
    );
    let register = Sent::new("REGISTER", "1001").with("1001", "secret");
    assert_eq!(gateway.ask(moved, &register), Some(StatusCode::OK));
    assert_eq!(
        changes(&mut gateway, "INVITE", moved, &dialog),
        Some(StatusCode::OK)
    );
}

/// Others may see the Call-ID; our tag is told to the client of the call alone.
#[test]
fn a_call_is_found_by_its_call_id_and_our_tag_together() {
    let mut gateway = Gateway::new();
    let invite = Sent::new("INVITE", "1001").with("1001", "secret");
    let (call_id, theirs, ours) = answered(&mut gateway, udp("192.0.2.7"), &invite);
    let found = |call_id: &str, tag: &str| gateway.coordinator.session_of(call_id, tag).is_some();
    assert!(found(&call_id, &ours));
    for (call_id, tag) in [
        (&*call_id, &*theirs),
        (&call_id, ""),
        (&call_id, "0"),
        ("other", &ours),
    ] {
        assert!(!found(call_id, tag), "{call_id} {tag}");
    }
}

#[test]
fn a_trunks_call_is_changed_from_the_trunks_addresses_alone() {
    let mut gateway = Gateway::new();
    let trunk = udp("192.0.2.50");
    let dialog = answered(&mut gateway, trunk, &Sent::new("INVITE", "1001x"));
    assert_eq!(
        changes(&mut gateway, "INVITE", udp("192.0.2.66"), &dialog),
        Some(StatusCode::FORBIDDEN)
    );
    assert_eq!(
        changes(&mut gateway, "INVITE", udp("192.0.2.51"), &dialog),
        Some(StatusCode::OK)
    );
    assert_eq!(
        changes(&mut gateway, "INVITE", trunk, &dialog),
        Some(StatusCode::OK)
    );
}

#[test]
fn a_guard_can_be_told_to_ban_nobody_and_to_let_some_alone() {
    let mut gateway = Gateway::with(|config| {
        config.guard = guard::Config {
            ban: Duration::ZERO,
            allow: vec![ip("192.0.2.9").into()],
            ..guard::Config::default()
        };
    });
    let mut guess = |n: u32, peer: &str| {
        let name = format!("100{}", n % 3);
        gateway.ask(udp(peer), &Sent::new("REGISTER", &name).with(&name, "guess"))
    };
    let codes: Vec<_> = (0..100).map(|n| guess(n, "192.0.2.66")).collect();
    assert_eq!(
        (codes[0], codes[99]),
        (Some(StatusCode::FORBIDDEN), Some(StatusCode::SERVICE_UNAVAILABLE)),
        "slowed down, and answered"
    );
    assert!((0..100).all(|n| guess(n, "192.0.2.9") == Some(StatusCode::FORBIDDEN)));
}

#[test]
fn trunks_that_come_later_are_never_banned_and_those_that_are_gone_may_be() {
    let mut gateway = Gateway::new();
    let guesses = |gateway: &mut Gateway, peer: &str| {
        for n in 0..200 {
            let name = format!("user{n}");
            gateway.ask(udp(peer), &Sent::new("REGISTER", &name).with(&name, "guess"));
        }
        let banned = gateway.coordinator.bans(gateway.now);
        banned.iter().any(|ban| ban.address == ip(peer))
    };
    assert!(guesses(&mut gateway, "192.0.2.60"));
    let moved = Trunk {
        sources: vec![ip("192.0.2.60").into()],
        ..carrier()
    };
    let named = Trunk {
        host: "sip.carrier.example".into(),
        follows_name: true,
        late_offer: false,
        outbound_proxy: None,
        register: None,
        caller_id: CallerId::Pass,
        from_domain: None,
        sources: Vec::new(),
        ..carrier()
    };
    let config = crate::world::gateway();
    gateway.coordinator.adjust(Adjustment {
        trunks: BTreeMap::from([("carrier".to_owned(), moved), ("named".to_owned(), named)]),
        browser_codecs: config.browser_codecs,
        phone_codecs: config.phone_codecs,
        pass_through: config.pass_through,
        domains: config.domains,
        grace: config.grace,
        stir: Default::default(),
        emergency: Default::default(),
        caps: Vec::new(),
        quotas: Default::default(),
    });
    gateway.drain();
    assert!(
        gateway.coordinator.bans(gateway.now).is_empty(),
        "it is a trunk's now"
    );
    assert!(!guesses(&mut gateway, "192.0.2.60"));
    assert!(guesses(&mut gateway, "192.0.2.50"), "nobody's any more");
    let located = Input::Located {
        trunk: "named".into(),
        name: Uri::parse("sip:sip.carrier.example").expect("a URI"),
        found: vec![Located {
            priority: 0,
            weight: 1,
            transport: Transport::Udp,
            address: SocketAddr::new(ip("192.0.2.61"), 5060),
            server_name: None,
        }],
    };
    gateway.coordinator.handle_input(gateway.now, located);
    assert!(!guesses(&mut gateway, "192.0.2.61"));
}
