//! Messages to a SIP endpoint in the midst of calls: an input is a row of them with a NUL between. The first octet of each says
//! how much time passes before, and over what the message comes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sans_io::{Rng, Time};
use sip_core::endpoint::{
    Body, Config, Endpoint, Event, EventType, Headers, Input, OutgoingInvite, OutgoingSubscribe, Output,
    PassedOn, Reliability, SessionWish, Target,
};
use sip_core::flow::{Flow, FlowId, Transport};
use sip_core::message::{Address, StatusCode};
use sip_core::uri::Uri;

use super::Target as Fuzzed;

/// See the module.
pub const TARGET: Fuzzed = Fuzzed {
    name: "endpoint",
    seeds,
    words: super::message::WORDS,
    run,
};

const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// A row of messages as an input.
pub(super) fn row(messages: &[Vec<u8>]) -> Vec<u8> {
    let with_first = |(number, message): (usize, &Vec<u8>)| [&[1 + number as u8 % 4], &message[..]].concat();
    let pieces: Vec<Vec<u8>> = messages.iter().enumerate().map(with_first).collect();
    pieces.join(&0)
}

/// The messages of an input, and the octet before each.
pub(super) fn messages(input: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let pieces = input.split(|octet| *octet == 0).take(20);
    pieces.filter_map(|piece| piece.split_first().map(|(first, message)| (*first, message)))
}

/// A request of a peer, as it should be.
pub(super) fn request(method: &str, call: &str, cseq: u32, to_tag: &str, lines: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} sip:1001@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{method}{call}{cseq};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:bob@192.0.2.9>;tag=bob\r\nTo: <sip:1001@192.0.2.1>{to_tag}\r\nCall-ID: {call}\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:bob@192.0.2.9>\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn seeds() -> Vec<Vec<u8>> {
    let sdp = "Content-Type: application/sdp\r\n";
    let mut seeds: Vec<Vec<u8>> = super::message::seeds()
        .into_iter()
        .take(60)
        .map(|m| row(&[m]))
        .collect();
    // Our messages have branches and tags from a seeded generator: a run with the same seed makes the same ones.
    let (invite, tag) = said();
    let via = invite
        .lines()
        .find(|l| l.starts_with("Via"))
        .unwrap_or_default()
        .to_owned();
    let take = |name: &str| {
        invite
            .lines()
            .find(|l| l.starts_with(name))
            .unwrap_or_default()
            .to_owned()
    };
    let (from, to, id, cseq) = (take("From"), take("To"), take("Call-ID"), take("CSeq"));
    let response = |code: StatusCode, lines: &str, body: &str| -> Vec<u8> {
        format!(
            "SIP/2.0 {code} Word\r\n{via}\r\n{from}\r\n{to};tag=bob\r\n{id}\r\n{cseq}\r\nContact: <sip:bob@192.0.2.9>\r\n\
             {lines}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    seeds.push(row(&[
        response(StatusCode::TRYING, "", ""),
        response(StatusCode::RINGING, "", ""),
        response(StatusCode::OK, sdp, SDP),
    ]));
    seeds.push(row(&[
        response(
            StatusCode::SESSION_PROGRESS,
            &format!("Require: 100rel\r\nRSeq: 7\r\n{sdp}"),
            SDP,
        ),
        response(StatusCode::BUSY_HERE, "", ""),
    ]));
    seeds.push(row(&[response(
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n",
        "",
    )]));
    seeds.push(row(&[response(
        StatusCode::MOVED_TEMPORARILY,
        "Contact: <sip:x@192.0.2.8>;q=0.5, <sip:y@192.0.2.8>\r\n",
        "",
    )]));
    seeds.push(row(&[
        response(StatusCode::SESSION_INTERVAL_TOO_SMALL, "Min-SE: 300\r\n", ""),
        response(StatusCode::SERVICE_UNAVAILABLE, "Retry-After: 5\r\n", ""),
    ]));
    let tag = format!(";tag={tag}");
    let in_call =
        |method: &str, cseq: u32, lines: &str, body: &str| request(method, "peer", cseq, &tag, lines, body);
    let begin = request("INVITE", "peer", 1, "", sdp, SDP);
    for (method, lines, body) in [
        ("INVITE", sdp, SDP),
        ("INVITE", "Session-Expires: 90\r\n", ""),
        ("UPDATE", "Session-Expires: 90;refresher=uac\r\n", ""),
        ("UPDATE", sdp, SDP),
        (
            "INFO",
            "Content-Type: application/dtmf-relay\r\n",
            "Signal=5\r\nDuration=100\r\n",
        ),
        ("PRACK", "RAck: 1 1 INVITE\r\n", ""),
        ("REFER", "Refer-To: <sip:3@192.0.2.1>\r\n", ""),
        (
            "REFER",
            "Refer-To: <sip:3@192.0.2.1?Replaces=peer%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\nRefer-Sub: false\r\n",
            "",
        ),
        ("BYE", "Reason: Q.850;cause=16\r\n", ""),
        ("CANCEL", "", ""),
    ] {
        let ack = in_call("ACK", 1, "", "");
        seeds.push(row(&[
            begin.clone(),
            ack,
            in_call(method, 2, lines, body),
            in_call("BYE", 3, "", ""),
        ]));
    }
    seeds.push(row(&[
        begin.clone(),
        in_call("ACK", 1, "", ""),
        in_call("REFER", 2, "Refer-To: <sip:3@192.0.2.1>\r\n", ""),
        in_call("SUBSCRIBE", 3, "Event: refer\r\nExpires: 60\r\n", ""),
        in_call("SUBSCRIBE", 4, "Event: refer;id=2\r\nExpires: 0\r\n", ""),
    ]));
    seeds.push(acknowledged());
    let outside = |lines: &str| request("REFER", "asked", 1, "", lines, "");
    let replaces = "Refer-To: <sip:3@192.0.2.1?Replaces=peer%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n";
    seeds.push(row(&[
        outside("Refer-To: <sip:3@192.0.2.1>\r\n"),
        outside(replaces),
        outside("Refer-To: <tel:3>\r\nRequire: nosub\r\n"),
    ]));
    seeds.extend(subscriptions());
    for method in ["OPTIONS", "REGISTER", "MESSAGE", "SUBSCRIBE", "CANCEL", "BYE"] {
        seeds.push(row(&[request(method, "alone", 1, "", "Expires: 60\r\n", "")]));
    }
    seeds
}

/// A call whose early media are acknowledged, and which is offered something else before its answer.
fn acknowledged() -> Vec<u8> {
    let lines =
        "Supported: 100rel\r\nAllow: INVITE, ACK, BYE, PRACK, UPDATE\r\nContent-Type: application/sdp\r\n";
    let begin = request("INVITE", "peer", 1, "", lines, SDP);
    let mut bench = Bench::new();
    bench.take(0, &begin);
    let progress = bench.sent.iter().find(|sent| sent.contains("RSeq: "));
    let progress = progress.map_or("", String::as_str);
    let rseq = progress.lines().find_map(|line| line.strip_prefix("RSeq: "));
    let tag = format!(";tag={}", tag(progress, "To:"));
    let rack = format!(
        "RAck: {} 1 INVITE\r\nContent-Type: application/sdp\r\n",
        rseq.unwrap_or_default()
    );
    row(&[
        begin,
        request("PRACK", "peer", 2, &tag, "", ""),
        request("PRACK", "peer", 3, &tag, &rack, SDP),
        request(
            "UPDATE",
            "peer",
            4,
            &tag,
            "Content-Type: application/sdp\r\n",
            SDP,
        ),
        request("ACK", "peer", 1, &tag, "", ""),
        request("BYE", "peer", 5, &tag, "", ""),
    ])
}

/// Subscriptions of a peer, and NOTIFYs for the one that a fuzzed endpoint begins with.
fn subscriptions() -> Vec<Vec<u8>> {
    let dialog = "Event: dialog\r\nExpires: 60\r\n";
    let watch = |cseq: u32, tag: &str, lines: &str| request("SUBSCRIBE", "watch", cseq, tag, lines, "");
    let mut bench = Bench::new();
    let subscribe = bench.sent.get(1).cloned().unwrap_or_default();
    bench.take(0, &watch(1, "", dialog));
    let granted = bench.sent.iter().find(|sent| sent.starts_with("SIP/2.0 200"));
    let tag = format!(";tag={}", tag(granted.map_or("", String::as_str), "To:"));
    let (ours, call) = (
        format!(";tag={}", self::tag(&subscribe, "From:")),
        subscribe.lines().find_map(|line| line.strip_prefix("Call-ID: ")),
    );
    let notify = |cseq: u32, state: &str| {
        let lines = format!("Event: presence\r\nSubscription-State: {state}\r\n");
        request("NOTIFY", call.unwrap_or_default(), cseq, &ours, &lines, "")
    };
    vec![
        row(&[watch(1, "", "Event: dialog;id=7\r\nExpires: 0\r\n")]),
        row(&[watch(1, "", "Event: x\r\n")]),
        row(&[
            watch(1, "", dialog),
            watch(2, &tag, dialog),
            watch(3, &tag, "Event: dialog\r\nExpires: 0\r\n"),
        ]),
        row(&[
            notify(1, "pending;expires=9"),
            notify(2, "active"),
            notify(3, "terminated;reason=giveup;retry-after=5"),
        ]),
    ]
}

/// The INVITE that a fuzzed endpoint begins with, and the tag with which it will answer.
fn said() -> (String, String) {
    let mut bench = Bench::new();
    let invite = bench.sent.first().cloned().unwrap_or_default();
    bench.take(
        0,
        &request("INVITE", "peer", 1, "", "Content-Type: application/sdp\r\n", SDP),
    );
    let answer = bench.sent.last().cloned().unwrap_or_default();
    (invite, tag(&answer, "To:"))
}

/// The tag in this header of a message.
fn tag(message: &str, header: &str) -> String {
    let tag = message.lines().find_map(|line| {
        line.strip_prefix(header)
            .and_then(|value| value.split("tag=").nth(1))
    });
    tag.unwrap_or("none").to_owned()
}

/// The names of all events that the seeds bring about.
#[must_use]
pub fn reach() -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    for seed in seeds() {
        let mut bench = Bench::new();
        for (first, message) in messages(&seed) {
            bench.take(first, message);
        }
        reached.extend(bench.heard);
    }
    reached
}

/// Whatever comes, it stands, keeps its deadlines in the future, and forgets every transaction in the end.
pub fn run(input: &[u8]) {
    let mut bench = Bench::new();
    for (first, message) in messages(input) {
        bench.take(first, message);
    }
    bench.end();
}

struct Bench {
    now: Time,
    endpoint: Endpoint,
    sent: Vec<String>,
    heard: BTreeSet<String>,
    deadline: Option<Time>,
}

impl Bench {
    /// An endpoint that calls somebody.
    fn new() -> Bench {
        let mut bench = Bench {
            now: Time::from_secs(1_000),
            endpoint: Endpoint::new(
                Config {
                    event_packages: vec!["dialog".into()],
                    ..Config::default()
                },
                Rng::seeded(5),
            ),
            sent: Vec::new(),
            heard: BTreeSet::new(),
            deadline: None,
        };
        let uri = |text: &str| Uri::parse(text).expect("a URI");
        let call = OutgoingInvite {
            target: Target::Flow(flow(0)),
            request_uri: uri("sip:bob@192.0.2.9"),
            from: Address::new(uri("sip:1001@192.0.2.1")),
            to: Address::new(uri("sip:bob@192.0.2.9")),
            contact_user: "1001".into(),
            body: Some(Body::sdp(SDP)),
            parts: Vec::new(),
            extra: Headers::new(),
            credentials: None,
            ring_timeout: Duration::from_secs(60),
            response_timeout: None,
            session_timer: Some(SessionWish {
                interval: Duration::from_secs(90),
                refresher: None,
            }),
            reliable: Reliability::default(),
        };
        bench.endpoint.invite(bench.now, call);
        let watched = OutgoingSubscribe {
            target: Target::Flow(flow(0)),
            request_uri: uri("sip:bob@192.0.2.9"),
            from: Address::new(uri("sip:1001@192.0.2.1")),
            to: Address::new(uri("sip:bob@192.0.2.9")),
            contact_user: "1001".into(),
            event: EventType {
                package: "presence".into(),
                id: None,
            },
            accept: Vec::new(),
            expires: Duration::from_secs(60),
            extra: Headers::new(),
            credentials: None,
            relayed: false,
            response_timeout: None,
        };
        bench.endpoint.subscribe(bench.now, watched);
        bench.drain();
        bench
    }

    fn take(&mut self, first: u8, message: &[u8]) {
        self.wait(Duration::from_millis(u64::from(first) * 20));
        let data = Bytes::copy_from_slice(message);
        let input = Input::Message {
            flow: flow(first),
            data,
        };
        self.endpoint.handle_input(self.now, input);
        self.drain();
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.deadline.filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.endpoint.handle_input(self.now, Input::Timeout);
            self.drain();
            assert!(self.deadline.is_none_or(|next| next > at), "it spins");
        }
        self.now = until;
    }

    fn end(&mut self) {
        self.endpoint
            .handle_input(self.now, Input::FlowClosed { flow: FlowId(1) });
        self.drain();
        self.wait(Duration::from_secs(600));
        let counts = self.endpoint.counts();
        assert_eq!(
            (
                counts.client_transactions,
                counts.server_transactions,
                counts.subscriptions
            ),
            (0, 0, 0),
            "{counts:?}"
        );
    }

    /// Sends nothing anywhere, and does with each event something that a user might do.
    fn drain(&mut self) {
        loop {
            match self.endpoint.poll_output() {
                Output::Transmit { data, .. } => self.sent.push(String::from_utf8_lossy(&data).into_owned()),
                Output::Resolve { query, .. } => {
                    let targets = Vec::new();
                    self.endpoint
                        .handle_input(self.now, Input::Resolved { query, targets });
                }
                Output::Event(event) => self.act(event),
                Output::Timeout(deadline) => {
                    self.deadline = deadline.map(|(at, _)| at);
                    return;
                }
            }
        }
    }

    fn act(&mut self, event: Event) {
        let (now, none, body) = (self.now, Headers::new(), Body::sdp(SDP));
        let name = format!("{event:?}");
        self.heard
            .extend(name.split([' ', '{']).next().map(str::to_owned));
        let endpoint = &mut self.endpoint;
        match event {
            Event::Invite { usage, request, .. } => {
                if request.supports("100rel") {
                    let code = StatusCode::SESSION_PROGRESS;
                    endpoint.ring(now, usage, code, Some(body.clone()), Headers::new());
                }
                endpoint.accept(now, usage, Some(body), none);
            }
            Event::Offer { usage, .. } => endpoint.answer_offer(now, usage, Ok(Some(body)), none),
            Event::Request { tx, .. } => endpoint.reply(now, tx, StatusCode::OK, none, None),
            Event::Notify { usage, tx, .. } => {
                endpoint.reply_in_dialog(now, usage, tx, StatusCode::OK, none, None)
            }
            Event::InDialog { usage, tx, .. } => {
                endpoint.reply_in_dialog(now, usage, tx, StatusCode::OK, none, None);
                endpoint.pass_on(now, usage, PassedOn::Message, &Headers::new(), Some(body));
            }
            Event::Refer { usage, refer, .. } => {
                endpoint.accept_refer(now, usage, refer);
                endpoint.notify_refer(now, usage, refer, StatusCode::OK);
            }
            Event::Referral {
                subscription,
                referral,
                ..
            } => {
                endpoint.accept_referral(now, subscription, referral.subscribes);
                endpoint.notify_referral(now, subscription, StatusCode::RINGING);
                if referral.replaces.is_some() {
                    endpoint.notify_referral(now, subscription, StatusCode::OK);
                }
            }
            Event::Subscribe {
                subscription,
                expires,
                ..
            } => {
                let granted = Duration::from_secs(300);
                match expires.as_secs() & 1 {
                    0 => endpoint.accept_subscription(now, subscription, granted),
                    _ => endpoint.accept_relayed(now, subscription, granted),
                }
                endpoint.notify(now, subscription, Some(body));
                endpoint.state_changed(now, subscription);
            }
            Event::SubscribeAgain {
                subscription,
                expires,
                ..
            } => match expires.as_secs() & 2 {
                0 => endpoint.accept_refresh(now, subscription, expires),
                _ => endpoint.refuse_refresh(now, subscription, StatusCode::UNAUTHORIZED, &none),
            },
            Event::Resubscribed { subscription } | Event::NotifyDue { subscription } => {
                endpoint.notify(now, subscription, Some(body))
            }
            Event::Answered { usage, .. } => endpoint.offer(now, usage, body),
            Event::Acked { usage, .. } => endpoint.info(now, usage, body),
            _ => {}
        }
    }
}

/// By the second bit of the octet: a datagram, or a connection.
fn flow(first: u8) -> Flow {
    let connection = first & 2 != 0;
    Flow {
        id: FlowId(u64::from(connection)),
        transport: if connection { Transport::Ws } else { Transport::Udp },
        local: SocketAddr::new([192, 0, 2, 1].into(), 5060),
        remote: SocketAddr::new([192, 0, 2, 9].into(), 5060),
    }
}
