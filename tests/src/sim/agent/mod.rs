//! A user agent written by hand, as JsSIP in a browser tab behaves: one WebSocket, a contact under `.invalid`, digest, UPDATE
//! without SDP as refresh, INFO for digits. Over UDP it stands for a plain trunk. It shares no code with what it talks to but
//! the parser, and takes any deviation as a reason to panic.

mod receive;
mod text;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use sans_io::Rng;
use sip_core::auth::{Answered, Answerer, Credentials};
use sip_core::flow::FlowId;
use sip_core::message::{Message, Method};

use crate::sim::sdp::{self, Kind};

/// Connection to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Datagrams from this address.
    Udp,
    /// A WebSocket; `None`: closed.
    WebSocket(Option<FlowId>),
}

/// A user agent.
#[derive(Debug)]
pub struct Agent {
    /// Its user.
    pub user: String,
    /// Its end.
    pub address: SocketAddr,
    /// See [`Link`].
    pub link: Link,
    /// Its REGISTER was granted.
    pub registered: bool,
    /// By Call-ID.
    pub calls: BTreeMap<String, Call>,
    /// To send.
    pub out: Vec<String>,
    /// Events since this was last emptied.
    pub heard: Vec<Heard>,
    /// Times that its credentials were refused.
    pub challenges: usize,
    /// True if it answers nothing, not even OPTIONS: its page hangs.
    pub silent: bool,
    host: String,
    instance: u32,
    domain: String,
    answerer: Answerer,
    /// Challenges answered since it last registered.
    answered: Answered,
    register: (String, u32),
    registering: Option<String>,
    rng: Rng,
    pending: BTreeMap<String, (Method, String)>,
    kind: Kind,
}

/// Event that the person at the agent sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Registered, or registered again.
    Registered,
    /// Somebody calls.
    Invited(String),
    /// Our call rings.
    Rings(String, u16),
    /// Our call is answered, or our answer acknowledged.
    Up(String),
    /// Media may flow: both descriptions are known. The gateway's description.
    Media(String, Bytes),
    /// A call is over: with the code of its refusal, or 200.
    Over(String, u16),
    /// The peer changed the session: our direction now.
    Changed(String, &'static str),
    /// A digit by INFO.
    Digit(String, char),
}

/// One call of an agent.
#[derive(Debug)]
pub struct Call {
    /// State of the call.
    pub state: State,
    /// The gateway's answer to our offer: the same in each 18x and in the 200.
    pub answer: Option<Bytes>,
    /// The final response to our INVITE.
    pub code: u16,
    /// Progress of the transfers that it asked for: status codes, as they came.
    pub reported: Vec<u16>,
    local: String,
    remote: String,
    target: String,
    routes: Vec<String>,
    cseq: u32,
    branch: String,
    number: String,
    /// The peer's INVITE.
    invite: Option<Message>,
    direction: &'static str,
    version: u32,
    wants_cancel: bool,
    late: bool,
    /// The dialog whose place our INVITE asks for.
    replaces: Option<String>,
    asked: bool,
    accepted: Option<String>,
}

/// State of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// INVITE sent, nothing heard.
    Calling,
    /// INVITE sent, a provisional response came.
    Proceeding,
    /// The peer's INVITE waits for our answer.
    Incoming,
    /// We answered, the ACK is out.
    Accepted,
    /// Confirmed.
    Up,
    /// Our BYE or CANCEL waits for its end.
    Leaving,
    /// Gone.
    Over,
}

impl Call {
    /// The first field of this name of the peer's INVITE.
    #[must_use]
    pub fn header<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.invite.as_ref()?.header_named(name)
    }

    /// This call, whose Call-ID is `id`, as the header part of a URI names the one to be replaced.
    #[must_use]
    pub fn name(&self, id: &str) -> String {
        let escaped = self.dialog(id).replace(';', "%3B").replace('=', "%3D");
        format!("?Replaces={escaped}")
    }

    /// This call, whose Call-ID is `id`, as `Replaces` names it.
    #[must_use]
    pub fn dialog(&self, id: &str) -> String {
        let tag = |text: &str| {
            text.rsplit_once(";tag=")
                .map_or(String::new(), |(_, tag)| tag.to_owned())
        };
        let (to, from) = (tag(&self.remote), tag(&self.local));
        format!("{id};to-tag={to};from-tag={from}")
    }
}

impl Agent {
    /// A browser tab.
    #[must_use]
    pub fn browser(user: &str, password: &str, address: SocketAddr, domain: &str, mut rng: Rng) -> Agent {
        let host = format!("{}.invalid", rng.token(12).to_ascii_lowercase());
        Agent {
            link: Link::WebSocket(None),
            kind: Kind::Browser,
            ..Agent::new(user, password, address, domain, host, rng)
        }
    }

    /// A trunk at a UDP address.
    #[must_use]
    pub fn trunk(user: &str, address: SocketAddr, domain: &str, rng: Rng) -> Agent {
        Agent::new(user, "", address, domain, address.to_string(), rng)
    }

    fn new(
        user: &str,
        password: &str,
        address: SocketAddr,
        domain: &str,
        host: String,
        mut rng: Rng,
    ) -> Agent {
        Agent {
            user: user.to_owned(),
            address,
            link: Link::Udp,
            registered: false,
            calls: BTreeMap::new(),
            out: Vec::new(),
            heard: Vec::new(),
            challenges: 0,
            silent: false,
            host,
            instance: rng.u32(),
            domain: domain.to_owned(),
            answerer: Answerer::new(Credentials {
                username: user.to_owned(),
                password: password.to_owned(),
            }),
            answered: Answered::default(),
            register: (rng.token(22), 0),
            registering: None,
            rng,
            pending: BTreeMap::new(),
            kind: Kind::Phone,
        }
    }

    /// The state of a call; `Over` for one that never was.
    #[must_use]
    pub fn state(&self, call: &str) -> State {
        self.calls.get(call).map_or(State::Over, |c| c.state)
    }

    /// Registers, or gives the registration up with `expires` 0.
    pub fn register(&mut self, expires: u32) {
        self.register.1 += 1;
        let uri = format!("sip:{}", self.domain);
        let branch = self.branch();
        let me = format!("<sip:{}@{}>", self.user, self.domain);
        let mut text = self.start("REGISTER", &uri, &branch);
        let _ = write!(
            text,
            "To: {me}\r\nFrom: {me};tag=r{}\r\nCall-ID: {}\r\nCSeq: {} REGISTER\r\n\
             Contact: <sip:{}>;+sip.instance=\"<urn:uuid:{:08x}-0000-4000-8000-000000000000>\";reg-id=1;expires={expires}\r\n\
             Expires: {expires}\r\nSupported: path,gruu,outbound\r\n",
            self.instance,
            self.register.0,
            self.register.1,
            self.contact(),
            self.instance,
        );
        self.authorize(&mut text, "REGISTER", &uri);
        text.push_str("Content-Length: 0\r\n\r\n");
        self.registering = Some(branch.clone());
        self.pending
            .insert(branch, (Method::Register, expires.to_string()));
        self.out.push(text);
    }

    /// Calls a number; says the Call-ID. Without an offer when `late`.
    pub fn invite(&mut self, number: &str, late: bool) -> String {
        self.call(number, late, None)
    }

    /// Asks for the place of a dialog, named as by [`Call::dialog`]; says the Call-ID.
    pub fn take_over(&mut self, number: &str, dialog: &str) -> String {
        self.call(number, false, Some(dialog.to_owned()))
    }

    fn call(&mut self, number: &str, late: bool, replaces: Option<String>) -> String {
        let id = self.rng.token(20);
        let call = Call {
            state: State::Calling,
            answer: None,
            code: 0,
            reported: Vec::new(),
            local: format!("<sip:{}@{}>;tag={}", self.user, self.domain, self.rng.token(10)),
            remote: format!("<sip:{number}@{}>", self.domain),
            target: format!("sip:{number}@{}", self.domain),
            routes: Vec::new(),
            cseq: self.rng.below(9_000) as u32,
            branch: String::new(),
            number: number.to_owned(),
            invite: None,
            direction: "sendrecv",
            version: 1,
            wants_cancel: false,
            late,
            replaces,
            asked: false,
            accepted: None,
        };
        self.calls.insert(id.clone(), call);
        self.send_invite(&id);
        id
    }

    fn send_invite(&mut self, id: &str) {
        let branch = self.branch();
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        call.cseq += 1;
        call.branch.clone_from(&branch);
        let body = if call.late {
            String::new()
        } else {
            sdp::offer(self.kind, self.address, call.direction, call.version)
        };
        let uri = format!("sip:{}@{}", call.number, self.domain);
        let replaces = call.replaces.clone();
        let mut text = self.start("INVITE", &uri, &branch);
        self.authorize(&mut text, "INVITE", &uri);
        if let Some(dialog) = replaces {
            text.push_str(&format!("Require: replaces\r\nReplaces: {dialog}\r\n"));
        }
        text.push_str("Session-Expires: 90\r\n");
        self.finish(id, text, "INVITE", None, &body);
        self.pending.insert(branch, (Method::Invite, id.to_owned()));
    }

    /// Gives up a call of ours that nobody answered yet: at once, or as soon as a provisional response came.
    pub fn cancel(&mut self, id: &str) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        match call.state {
            State::Calling => call.wants_cancel = true,
            State::Proceeding => {
                call.state = State::Leaving;
                let (cseq, branch) = (call.cseq, call.branch.clone());
                let uri = format!("sip:{}@{}", call.number, self.domain);
                let text = self.start("CANCEL", &uri, &branch);
                self.finish(id, text, "CANCEL", Some(cseq), "");
            }
            _ => {}
        }
    }

    /// Rings.
    pub fn ring(&mut self, id: &str, code: u16, early: bool) {
        let Some(call) = self.calls.get(id).filter(|c| c.state == State::Incoming) else {
            return;
        };
        if let Some(invite) = call.invite.clone() {
            let body = if early {
                self.answer_body(id, &invite)
            } else {
                String::new()
            };
            self.respond(&invite, code, Some(id), "", &body);
        }
    }

    /// Answers.
    pub fn answer(&mut self, id: &str) {
        let Some(call) = self.calls.get_mut(id).filter(|c| c.state == State::Incoming) else {
            return;
        };
        call.state = State::Accepted;
        let Some(invite) = call.invite.clone() else { return };
        let body = self.answer_body(id, &invite);
        self.respond(&invite, 200, Some(id), "", &body);
        if let Some(call) = self.calls.get_mut(id) {
            call.accepted = self.out.last().cloned();
        }
        if !invite.body().is_empty() {
            self.heard.push(Heard::Media(id.to_owned(), invite.body_bytes()));
        }
    }

    /// Refuses a call with a final code, and with more header lines.
    pub fn reject(&mut self, id: &str, code: u16, extra: &str) {
        let Some(call) = self.calls.get_mut(id).filter(|c| c.state == State::Incoming) else {
            return;
        };
        call.state = State::Over;
        if let Some(invite) = call.invite.clone() {
            self.respond(&invite, code, Some(id), extra, "");
            self.over(id, code);
        }
    }

    /// Hangs up a call that is up.
    pub fn bye(&mut self, id: &str) {
        let Some(call) = self.calls.get_mut(id).filter(|c| c.state == State::Up) else {
            return;
        };
        call.state = State::Leaving;
        self.in_dialog(id, "BYE", "", "", "");
    }

    /// Re-INVITE with another direction (hold, resume).
    pub fn reinvite(&mut self, id: &str, direction: &'static str) {
        let Some(call) = self.calls.get_mut(id).filter(|c| c.state == State::Up) else {
            return;
        };
        call.direction = direction;
        call.version += 1;
        let body = sdp::offer(self.kind, self.address, direction, call.version);
        self.in_dialog(id, "INVITE", "Session-Expires: 90\r\n", "application/sdp", &body);
    }

    /// Re-INVITE from audio to a fax (ITU-T T.38).
    pub fn reinvite_fax(&mut self, id: &str) {
        let Some(call) = self.calls.get_mut(id).filter(|c| c.state == State::Up) else {
            return;
        };
        call.version += 1;
        let voice = sdp::offer(self.kind, self.address, "sendrecv", call.version);
        let session = voice.split("m=audio").next().unwrap_or_default();
        let fax = "m=image 4002 udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n";
        let body = format!("{session}{fax}");
        self.in_dialog(id, "INVITE", "", "application/sdp", &body);
    }

    /// Re-INVITE that asks the gateway for an offer.
    pub fn reinvite_late(&mut self, id: &str) {
        self.in_dialog(id, "INVITE", "Session-Expires: 90\r\n", "", "");
        if let Some(call) = self.calls.get_mut(id) {
            call.asked = true;
        }
    }

    /// UPDATE without SDP, as JsSIP refreshes its session.
    pub fn update(&mut self, id: &str) {
        self.in_dialog(id, "UPDATE", "Session-Expires: 90;refresher=uac\r\n", "", "");
    }

    /// A digit by INFO, as JsSIP sends it.
    pub fn digit(&mut self, id: &str, digit: char) {
        let body = format!("Signal={digit}\r\nDuration=100\r\n");
        self.in_dialog(id, "INFO", "", "application/dtmf-relay", &body);
    }

    /// Asks for a transfer to a number, or to the party of another call of its own: as JsSIP and SIP.js do, by REFER.
    pub fn refer(&mut self, id: &str, number: &str, other: Option<&str>) {
        let name = other.and_then(|other| Some(self.calls.get(other)?.name(other)));
        self.refer_to(id, number, &name.unwrap_or_default());
    }

    /// As [`refer`](Self::refer), with the headers of the URI as they are to be written.
    pub fn refer_to(&mut self, id: &str, number: &str, headers: &str) {
        let to = format!("Refer-To: <sip:{number}@{}{headers}>\r\n", self.domain);
        self.in_dialog(id, "REFER", &to, "", "");
    }

    fn in_dialog(&mut self, id: &str, method: &str, extra: &str, content_type: &str, body: &str) {
        if !self
            .calls
            .get(id)
            .is_some_and(|c| c.state == State::Up || method == "BYE")
        {
            return;
        }
        let branch = self.branch();
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        call.cseq += 1;
        let uri = call.target.clone();
        let mut text = self.start(method, &uri, &branch);
        text.push_str(extra);
        if !content_type.is_empty() && content_type != "application/sdp" {
            let _ = write!(text, "Content-Type: {content_type}\r\n");
        }
        self.finish(id, text, method, None, body);
        self.pending.insert(branch, (Method::new(method), id.to_owned()));
    }

    /// The WebSocket closed. As in JsSIP, what waits for an answer fails, and a call that waited with it.
    pub fn disconnected(&mut self) {
        self.link = Link::WebSocket(None);
        self.registered = false;
        self.registering = None;
        for (method, id) in std::mem::take(&mut self.pending).into_values() {
            if method != Method::Register && self.state(&id) != State::Over {
                self.over(&id, 503);
            }
        }
        // The peer of a call that was not answered yet cannot be reached any more.
        let waiting: Vec<String> = self
            .calls
            .iter()
            .filter(|(_, c)| matches!(c.state, State::Incoming | State::Leaving))
            .map(|(id, _)| id.clone())
            .collect();
        for id in waiting {
            self.over(&id, 503);
        }
    }

    /// The tab is gone, and everything in it.
    pub fn vanish(&mut self) {
        self.disconnected();
        for call in self.calls.values_mut() {
            call.state = State::Over;
        }
    }

    /// A WebSocket opened: registers, and goes on with calls in progress.
    pub fn connected(&mut self, flow: FlowId) {
        self.link = Link::WebSocket(Some(flow));
        self.register(600);
        // A 200 that its ACK never answered is sent again (RFC 3261 §13.3.1.4).
        let again: Vec<String> = self
            .calls
            .values()
            .filter(|c| c.state == State::Accepted)
            .filter_map(|c| c.accepted.clone())
            .collect();
        self.out.extend(again);
    }
}
