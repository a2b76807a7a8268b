//! A call from the carrier to a phone, both written by hand, and what each of them says within it.

use session_core::{Access, Event, HoldPolicy, Invitation, Party, ReferTo};
use sip_core::flow::Destination;
use sip_core::message::{HeaderName, Message, Method, StatusCode};
use std::time::Duration;

use crate::carried::bench::{Bench, CARRIER, OTHER, PHONE, Peer, config};

/// One of the two parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Carrier,
    Phone,
}

impl Side {
    pub(super) fn peer(self) -> Peer {
        match self {
            Side::Carrier => CARRIER,
            Side::Phone => PHONE,
        }
    }
}

/// A dialog, as its peer sees it.
struct Dialog {
    /// `From`, `To` and `Call-ID` lines of the peer's requests.
    lines: String,
    uri: String,
    cseq: u32,
    /// The last request of the peer that opened a transaction: branch and method.
    last: (String, String),
}

/// The call.
pub(super) struct Talk {
    pub(super) bench: Bench,
    carrier: Dialog,
    phone: Dialog,
    /// Messages that were looked at, of each kind that each side gets.
    seen: [usize; 4],
    branches: u32,
    /// Status of the last final response that was looked at.
    final_code: Option<StatusCode>,
}

/// A description with a direction.
pub(super) fn sdp(host: u8, port: u16, direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.{host}\r\ns=-\r\nc=IN IP4 192.0.2.{host}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0\r\na={direction}\r\n"
    )
}

/// Direction that a message describes.
pub(super) fn direction(message: &Message) -> &'static str {
    let text = String::from_utf8_lossy(message.body()).into_owned();
    let named = ["sendonly", "recvonly", "inactive", "sendrecv"];
    let at = |name: &&str| text.find(&format!("a={name}\r\n"));
    let found = named.into_iter().filter(|name| at(name).is_some()).min_by_key(at);
    found.unwrap_or("nothing")
}

fn address(to: &Destination) -> std::net::SocketAddr {
    match to {
        Destination::Flow(flow) => flow.remote,
        Destination::Address { addr, .. } => *addr,
    }
}

impl Talk {
    /// A call that stands, whose parties are both told of holds like that.
    pub(super) fn new(hold: HoldPolicy) -> Talk {
        let mut config = config();
        if let Access::Directory { users, trunks } = &mut config.access {
            users
                .values_mut()
                .for_each(|user| (user.hold, user.t38) = (hold, true));
            trunks.values_mut().for_each(|trunk| trunk.hold = hold);
        }
        Talk::with(config)
    }

    /// A call that stands at such a gateway.
    pub(super) fn with(config: session_core::Config) -> Talk {
        Talk::begun_with(config, &sdp(20, 5_000, "sendrecv"))
    }

    /// The same, for which the carrier made this offer.
    pub(super) fn begun_with(config: session_core::Config, offer: &str) -> Talk {
        Talk::agreed(config, offer, &sdp(11, 4_000, "sendrecv"))
    }

    /// The same, with the phone's answer.
    pub(super) fn agreed(config: session_core::Config, offer: &str, answer: &str) -> Talk {
        let mut bench = Bench::with(config);
        bench.register(PHONE, "");
        bench.register(OTHER, "");
        bench.request(CARRIER, "INVITE", "sip:+49301234@192.0.2.1", "", offer);
        let invite = bench.invited(PHONE);
        bench.respond(PHONE, &invite, StatusCode::OK, "phone", "", answer);
        let answer = bench.last_response().clone();
        let line = |message: &Message, name: HeaderName| message.header(name).unwrap_or_default().to_owned();
        let contact = |message: &Message| message.contact().map(|it| it.uri.to_string()).unwrap_or_default();
        let carrier = Dialog {
            lines: format!(
                "From: {}\r\nTo: {}\r\nCall-ID: {}\r\n",
                line(&answer, HeaderName::From),
                line(&answer, HeaderName::To),
                answer.call_id()
            ),
            uri: contact(&answer),
            cseq: 1,
            last: (String::new(), "INVITE".into()),
        };
        let phone = Dialog {
            lines: format!(
                "From: {};tag=phone\r\nTo: {}\r\nCall-ID: {}\r\n",
                line(&invite, HeaderName::To),
                line(&invite, HeaderName::From),
                invite.call_id()
            ),
            uri: contact(&invite),
            cseq: 1,
            last: (String::new(), "INVITE".into()),
        };
        let mut talk = Talk {
            bench,
            carrier,
            phone,
            seen: [0; 4],
            branches: 0,
            final_code: None,
        };
        talk.seen = [talk.bench.sent.len(); 4];
        talk.acknowledge(Side::Carrier);
        talk
    }

    fn dialog(&mut self, side: Side) -> &mut Dialog {
        match side {
            Side::Carrier => &mut self.carrier,
            Side::Phone => &mut self.phone,
        }
    }

    fn say(&mut self, side: Side, method: &str, cseq: u32, branch: &str, lines: &str, body: &str) {
        let peer = side.peer();
        let dialog = self.dialog(side);
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        let text = format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch={branch};rport\r\nMax-Forwards: 70\r\n{}CSeq: {cseq} {method}\r\n\
             Contact: <sip:{}@{}>\r\n{lines}{kind}Content-Length: {}\r\n\r\n{body}",
            dialog.uri,
            peer.flow.remote,
            dialog.lines,
            peer.user,
            peer.flow.remote,
            body.len()
        );
        self.bench.receive(peer, text);
    }

    fn request(&mut self, side: Side, method: &str, lines: &str, body: &str) {
        self.branches += 1;
        let branch = format!("z9hG4bKtalk{}", self.branches);
        let dialog = self.dialog(side);
        dialog.cseq += 1;
        dialog.last = (branch.clone(), method.to_owned());
        let cseq = dialog.cseq;
        self.say(side, method, cseq, &branch, lines, body);
    }

    /// A party offers a change; without a body it asks for our offer.
    pub(super) fn offers(&mut self, side: Side, method: &str, body: &str) {
        self.request(side, method, "", body);
    }

    /// It cancels its last request.
    pub(super) fn cancels(&mut self, side: Side) {
        let dialog = self.dialog(side);
        let (branch, cseq) = (dialog.last.0.clone(), dialog.cseq);
        self.say(side, "CANCEL", cseq, &branch, "", "");
    }

    pub(super) fn says_bye(&mut self, side: Side) {
        self.request(side, "BYE", "", "");
    }

    pub(super) fn refers(&mut self, side: Side, to: &str) {
        self.request(side, "REFER", &format!("Refer-To: <{to}>\r\n"), "");
    }

    /// The gateway does what the last REFER asks for.
    pub(super) fn transferred(&mut self) {
        let asked = self.bench.events.iter().rev().find_map(|event| match event {
            Event::Refer {
                leg,
                to: ReferTo::Number(number),
                ..
            } => Some((*leg, number.clone())),
            _ => None,
        });
        let (leg, number) = asked.expect("a REFER");
        let invitation = Invitation {
            party: Party::User(number),
            caller: None,
            ring_timeout: Duration::from_secs(30),
            headers: Vec::new(),
            diverted: Vec::new(),
        };
        self.bench
            .act(|gateway, now| gateway.transfer(now, leg, invitation));
    }

    /// Acknowledges the final response to its last INVITE.
    pub(super) fn acknowledge(&mut self, side: Side) {
        self.acknowledge_with(side, "");
    }

    pub(super) fn acknowledge_with(&mut self, side: Side, body: &str) {
        self.branches += 1;
        let fresh = format!("z9hG4bKtalk{}", self.branches);
        let dialog = self.dialog(side);
        let cseq = dialog.cseq;
        // A refusal is acknowledged within its transaction, a 2xx in one of its own.
        let within = dialog.last.0.clone();
        let branch = match self.final_code {
            Some(code) if !code.is_success() => within,
            _ => fresh,
        };
        self.say(side, "ACK", cseq, &branch, "", body);
    }

    /// The next message of ours to a party that this finds, of those that came since the last one.
    fn next(&mut self, side: Side, kind: usize, which: impl Fn(&Message) -> bool) -> Option<Message> {
        let remote = side.peer().flow.remote;
        let at = 2 * side as usize + kind;
        let found = self.bench.sent[self.seen[at]..]
            .iter()
            .position(|(to, message)| address(to) == remote && which(message))?;
        self.seen[at] += found + 1;
        Some(self.bench.sent[self.seen[at] - 1].1.clone())
    }

    /// The next re-INVITE to a party.
    pub(super) fn reinvite(&mut self, side: Side) -> Option<Message> {
        self.next(side, 0, |message| {
            message.is(&Method::Invite) && message.to().tag().is_some()
        })
    }

    /// The next final response to an offer of a party.
    pub(super) fn final_to(&mut self, side: Side) -> Option<(StatusCode, Message)> {
        let offer = |message: &Message| matches!(message.cseq().method, Method::Invite | Method::Update);
        let found = self.next(side, 1, |message| {
            offer(message) && message.status().is_some_and(|code| code.get() >= 200)
        })?;
        let code = found.status()?;
        self.final_code = Some(code);
        Some((code, found))
    }

    /// A party's response to a re-INVITE of ours.
    pub(super) fn respond(&mut self, side: Side, request: &Message, code: StatusCode, body: &str) {
        self.bench.respond(side.peer(), request, code, "", "", body);
    }

    /// Legs of media that were connected so far.
    pub(super) fn connected(&self) -> usize {
        let connects = self.bench.commands.iter();
        let connect = |command: &&media_core::control::Command| {
            matches!(command, media_core::control::Command::Connect { .. })
        };
        connects.filter(connect).count()
    }

    /// The carrier hangs up, and the call is over.
    pub(super) fn ends(&mut self) {
        self.says_bye(Side::Carrier);
        let bye = self.bench.last(&Method::Bye).expect("a BYE to the phone");
        self.respond(Side::Phone, &bye, StatusCode::OK, "");
        self.bench.wait(40);
        let ended = self
            .bench
            .events
            .iter()
            .filter(|event| matches!(event, Event::Ended { .. }));
        assert_eq!(ended.count(), 1);
    }
}
