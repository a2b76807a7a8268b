//! A user agent written by hand, as JsSIP in a browser tab behaves: one WebSocket, a contact under `.invalid`, digest, UPDATE
//! without SDP as refresh, INFO for digits. Over UDP it stands for a plain trunk. It shares no code with what it talks to but
//! the parser, and takes any deviation as a reason to panic.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use sans_io::Rng;
use sip_core::auth::{Answerer, Credentials};
use sip_core::flow::FlowId;
use sip_core::message::{HeaderName, Message, Method};

use super::sdp::{self, Kind};

/// How it reaches the gateway.
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
    /// What happened since this was last emptied.
    pub heard: Vec<Heard>,
    /// How often it was refused credentials.
    pub challenges: usize,
    /// It answers no OPTIONS, and nothing else: its page hangs.
    pub silent: bool,
    host: String,
    instance: u32,
    domain: String,
    answerer: Answerer,
    register: (String, u32),
    registering: Option<String>,
    rng: Rng,
    pending: BTreeMap<String, (Method, String)>,
    kind: Kind,
}

/// What the person at the agent sees.
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
    /// Media may flow: both descriptions are known. What the gateway said.
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
    /// Where it stands.
    pub state: State,
    /// The gateway's answer to our offer: the same in each 18x and in the 200.
    pub answer: Option<Bytes>,
    /// The final response to our INVITE.
    pub code: u16,
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
    asked: bool,
    accepted: Option<String>,
}

/// Where a call stands.
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
        let id = self.rng.token(20);
        let call = Call {
            state: State::Calling,
            answer: None,
            code: 0,
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
        let mut text = self.start("INVITE", &uri, &branch);
        self.authorize(&mut text, "INVITE", &uri);
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
        // The peer of a call that was not answered yet cannot be told any more.
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

    /// A WebSocket opened: registers, and goes on with what is up.
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

    /// A message came.
    pub fn receive(&mut self, data: Bytes) {
        if self.silent {
            return;
        }
        let message = Message::parse(data.clone())
            .unwrap_or_else(|error| panic!("{} got {error:?}: {}", self.user, data.escape_ascii()));
        assert_eq!(
            message.via_count(),
            1,
            "{}: more than one Via",
            data.escape_ascii()
        );
        if message.is_request() {
            self.request(&message);
        } else {
            self.response(&message);
        }
    }

    fn response(&mut self, message: &Message) {
        let code = message.status().unwrap_or(0);
        let branch = message
            .top_via()
            .and_then(|via| via.branch().map(str::to_owned))
            .unwrap_or_default();
        let cseq = message.cseq();
        let id = message.call_id().to_owned();
        if cseq.method == Method::Invite {
            return self.invite_response(message, code, &branch, &id);
        }
        if code < 200 {
            return;
        }
        let Some((method, about)) = self.pending.remove(&branch) else {
            return; // CANCEL, or late
        };
        match method {
            Method::Register => self.register_response(message, code, &about),
            Method::Bye => self.over(&id, 200),
            _ if code == 401 || code == 407 => panic!("challenge within a dialog"),
            // RFC 3261 §12.2.1.2: the dialog is gone.
            _ if code == 481 || code == 408 => {
                if self.state(&id) == State::Up {
                    self.bye(&id);
                }
            }
            _ => assert!(
                code == 200 || self.state(&id) != State::Up || code == 500 || code == 491,
                "{method:?} in a call was answered {code}"
            ),
        }
    }

    fn register_response(&mut self, message: &Message, code: u16, expires: &str) {
        match code {
            401 | 407 => {
                self.challenges += 1;
                if self.answerer.challenged(message, &mut self.rng) {
                    self.register(expires.parse().unwrap_or(600));
                }
            }
            200 => {
                self.answerer.accepted();
                self.registered = expires != "0";
                if self.registered {
                    let mine = format!("sip:{}", self.contact());
                    let back = message
                        .contacts()
                        .find(|c| c.uri().is_some_and(|uri| uri.to_string() == mine));
                    let back = back.expect("the 200 to REGISTER has our contact as we wrote it");
                    assert!(back.expires().is_some(), "SIP.js wants ;expires");
                    self.heard.push(Heard::Registered);
                }
            }
            _ => {}
        }
    }

    fn invite_response(&mut self, message: &Message, code: u16, branch: &str, id: &str) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let first = call.branch == branch;
        if code < 200 {
            if first && call.state == State::Calling {
                call.state = State::Proceeding;
                if call.wants_cancel {
                    return self.cancel(id);
                }
            }
            if code > 100 && first && matches!(call.state, State::Proceeding) {
                self.heard.push(Heard::Rings(id.to_owned(), code));
                if !message.body().is_empty() {
                    self.answer_came(id, message);
                }
            }
            return;
        }
        if code >= 300 {
            self.pending.remove(branch);
            self.acknowledge_refusal(message, branch, id);
            let Some(call) = self.calls.get_mut(id) else {
                return;
            };
            if !first {
                if code == 481 || code == 408 {
                    self.bye(id);
                }
                return;
            }
            if code == 401 || code == 407 {
                self.challenges += 1;
                if call.state == State::Over || !self.answerer.challenged(message, &mut self.rng) {
                    return self.over(id, code);
                }
                if let Some(call) = self.calls.get_mut(id) {
                    if call.state == State::Leaving || call.wants_cancel {
                        return self.over(id, 487);
                    }
                    call.state = State::Calling;
                }
                return self.send_invite(id);
            }
            return self.over(id, code);
        }
        // 2xx, perhaps a copy of it: each gets its ACK.
        self.pending.remove(branch);
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        if first {
            call.remote = message.header(HeaderName::To).unwrap_or_default().to_owned();
            if let Some(contact) = message.contact() {
                call.target = contact.uri.to_string();
            }
            call.routes = message
                .headers(HeaderName::RecordRoute)
                .map(str::to_owned)
                .collect();
            call.routes.reverse();
        }
        let ack_body = if (call.late && first) || std::mem::take(&mut call.asked) {
            sdp::answer(
                self.kind,
                self.address,
                message.body(),
                call.direction,
                call.version,
            )
        } else {
            String::new()
        };
        let (cseq, uri, was) = (message.cseq().number, call.target.clone(), call.state);
        let ack_branch = self.branch();
        let text = self.start("ACK", &uri, &ack_branch);
        self.finish(id, text, "ACK", Some(cseq), &ack_body);
        if !first {
            return;
        }
        match was {
            State::Calling | State::Proceeding => {
                assert!(!message.body().is_empty(), "JsSIP hangs up on a 200 without SDP");
                if let Some(call) = self.calls.get_mut(id) {
                    call.state = State::Up;
                    call.code = 200;
                    if call.late {
                        self.heard.push(Heard::Media(id.to_owned(), message.body_bytes()));
                    } else {
                        self.answer_came(id, message);
                    }
                    self.heard.push(Heard::Up(id.to_owned()));
                }
            }
            // The 200 crossed our CANCEL (or we gave up before any response).
            State::Leaving | State::Over => {
                if let Some(call) = self.calls.get_mut(id)
                    && call.code == 0
                {
                    call.code = 200;
                    call.state = State::Leaving;
                    self.in_dialog(id, "BYE", "", "", "");
                }
            }
            _ => {}
        }
    }

    /// SDP of a 18x or of the 200 to our INVITE: for a browser the same octets in all of them.
    fn answer_came(&mut self, id: &str, message: &Message) {
        let body = message.body_bytes();
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        match &call.answer {
            None => {
                call.answer = Some(body.clone());
                self.heard.push(Heard::Media(id.to_owned(), body));
            }
            Some(before) if self.kind == Kind::Browser => {
                assert_eq!(*before, body, "a browser gets one constant answer");
            }
            Some(_) => {}
        }
    }

    fn request(&mut self, message: &Message) {
        let id = message.call_id().to_owned();
        match message.method() {
            Some(Method::Invite) => match self.calls.get(&id).map(|c| c.state) {
                Some(State::Up | State::Accepted) => self.offered(message, &id),
                Some(_) => self.respond(message, 481, Some(&id), "", ""),
                None if message.to().tag().is_some() => self.respond(message, 481, None, "", ""),
                None => self.invited(message, id),
            },
            Some(Method::Ack) => {
                let Some(call) = self.calls.get_mut(&id).filter(|c| c.state == State::Accepted) else {
                    return;
                };
                call.state = State::Up;
                if !message.body().is_empty() {
                    self.heard.push(Heard::Media(id.clone(), message.body_bytes()));
                }
                self.heard.push(Heard::Up(id));
            }
            Some(Method::Cancel) => {
                self.respond(message, 200, Some(&id), "", "");
                if self.state(&id) == State::Incoming
                    && let Some(invite) = self.calls.get(&id).and_then(|c| c.invite.clone())
                {
                    self.respond(&invite, 487, Some(&id), "", "");
                    self.over(&id, 487);
                }
            }
            Some(Method::Bye) => match self.state(&id) {
                State::Over => self.respond(message, 481, Some(&id), "", ""),
                _ => {
                    self.respond(message, 200, Some(&id), "", "");
                    self.over(&id, 200);
                }
            },
            Some(Method::Update | Method::Info) if self.state(&id) == State::Over => {
                self.respond(message, 481, Some(&id), "", "");
            }
            Some(Method::Info) => {
                let body = String::from_utf8_lossy(message.body()).into_owned();
                let digit = body.strip_prefix("Signal=").and_then(|rest| rest.chars().next());
                self.respond(message, 200, Some(&id), "", "");
                self.heard.extend(digit.map(|digit| Heard::Digit(id, digit)));
            }
            Some(Method::Update) if !message.body().is_empty() => self.offered(message, &id),
            Some(Method::Update | Method::Options) => self.respond(message, 200, Some(&id), "", ""),
            other => panic!("{other:?} to an agent"),
        }
    }

    fn invited(&mut self, message: &Message, id: String) {
        assert!(message.to().uri.is_sip(), "JsSIP answers 416 otherwise");
        let call = Call {
            state: State::Incoming,
            answer: None,
            code: 0,
            local: format!(
                "{};tag={}",
                message.header(HeaderName::To).unwrap_or_default(),
                self.rng.token(10)
            ),
            remote: message.header(HeaderName::From).unwrap_or_default().to_owned(),
            target: message.contact().map(|c| c.uri.to_string()).unwrap_or_default(),
            routes: message
                .headers(HeaderName::RecordRoute)
                .map(str::to_owned)
                .collect(),
            cseq: 0,
            branch: String::new(),
            number: String::new(),
            invite: Some(message.clone()),
            direction: "sendrecv",
            version: 1,
            wants_cancel: false,
            late: message.body().is_empty(),
            asked: false,
            accepted: None,
        };
        self.calls.insert(id.clone(), call);
        self.respond(message, 100, Some(&id), "", "");
        self.heard.push(Heard::Invited(id));
    }

    /// A re-INVITE or UPDATE with an offer, or a re-INVITE that wants ours.
    fn offered(&mut self, message: &Message, id: &str) {
        let (kind, address) = (self.kind, self.address);
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        call.version += 1;
        let body = if message.body().is_empty() {
            sdp::offer(kind, address, call.direction, call.version)
        } else {
            let now = sdp::reverse(sdp::direction(message.body()));
            if now != call.direction {
                self.heard.push(Heard::Changed(id.to_owned(), now));
            }
            sdp::answer(kind, address, message.body(), now, call.version)
        };
        self.respond(message, 200, Some(id), "", &body);
    }

    fn answer_body(&self, id: &str, invite: &Message) -> String {
        let version = self.calls.get(id).map_or(1, |c| c.version);
        if invite.body().is_empty() {
            sdp::offer(self.kind, self.address, "sendrecv", version)
        } else {
            let direction = sdp::reverse(sdp::direction(invite.body()));
            sdp::answer(self.kind, self.address, invite.body(), direction, version)
        }
    }

    fn over(&mut self, id: &str, code: u16) {
        if let Some(call) = self.calls.get_mut(id) {
            call.state = State::Over;
            call.code = code;
            self.heard.push(Heard::Over(id.to_owned(), code));
        }
    }

    fn branch(&mut self) -> String {
        format!("z9hG4bK{}", self.rng.token(10))
    }

    fn contact(&self) -> String {
        match self.link {
            Link::Udp => format!("{}@{}", self.user, self.host),
            Link::WebSocket(_) => format!("{}x@{};transport=ws", self.user, self.host),
        }
    }

    fn transport(&self) -> &'static str {
        match self.link {
            Link::Udp => "UDP",
            Link::WebSocket(_) => "WS",
        }
    }

    fn start(&self, method: &str, uri: &str, branch: &str) -> String {
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={branch}\r\nMax-Forwards: 69\r\n",
            self.transport(),
            self.host
        )
    }

    fn authorize(&mut self, text: &mut String, method: &str, uri: &str) {
        for (name, value) in self.answerer.headers(method, uri, &[]) {
            let _ = write!(text, "{}: {value}\r\n", name.as_str());
        }
    }

    /// The rest of a request of a call.
    fn finish(&mut self, id: &str, mut text: String, method: &str, cseq: Option<u32>, body: &str) {
        let contact = self.contact();
        let Some(call) = self.calls.get(id) else { return };
        for route in &call.routes {
            let _ = write!(text, "Route: {route}\r\n");
        }
        let _ = write!(
            text,
            "To: {}\r\nFrom: {}\r\nCall-ID: {id}\r\nCSeq: {} {method}\r\nContact: <sip:{contact}>\r\n\
             Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\r\nSupported: timer,ice,replaces,outbound\r\n",
            call.remote,
            call.local,
            cseq.unwrap_or(call.cseq),
        );
        if !body.is_empty() && !text.contains("Content-Type") {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        self.out.push(text);
    }

    fn acknowledge_refusal(&mut self, response: &Message, branch: &str, id: &str) {
        let Some(call) = self.calls.get(id) else { return };
        let uri = if call.branch == branch {
            format!("sip:{}@{}", call.number, self.domain)
        } else {
            call.target.clone()
        };
        let mut text = self.start("ACK", &uri, branch);
        let _ = write!(
            text,
            "To: {}\r\nFrom: {}\r\nCall-ID: {id}\r\nCSeq: {} ACK\r\nContent-Length: 0\r\n\r\n",
            response.header(HeaderName::To).unwrap_or_default(),
            response.header(HeaderName::From).unwrap_or_default(),
            response.cseq().number,
        );
        self.out.push(text);
    }

    fn respond(&mut self, request: &Message, code: u16, id: Option<&str>, extra: &str, body: &str) {
        let mut text = format!("SIP/2.0 {code} {}\r\n", reason(code));
        for via in request.lines(HeaderName::Via) {
            let _ = write!(text, "Via: {via}\r\n");
        }
        let to = request.header(HeaderName::To).unwrap_or_default();
        let to = match id.and_then(|id| self.calls.get(id)) {
            Some(call) if request.to().tag().is_none() && code > 100 => call.local.clone(),
            _ => to.to_owned(),
        };
        let _ = write!(
            text,
            "To: {to}\r\nFrom: {}\r\nCall-ID: {}\r\nCSeq: {}\r\n{extra}",
            request.header(HeaderName::From).unwrap_or_default(),
            request.call_id(),
            request.header(HeaderName::CSeq).unwrap_or_default(),
        );
        if extra.is_empty() {
            let _ = write!(text, "Contact: <sip:{}>\r\n", self.contact());
        }
        if !body.is_empty() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        self.out.push(text);
    }
}

fn reason(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        302 => "Moved Temporarily",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        503 => "Service Unavailable",
        603 => "Decline",
        _ => "Because",
    }
}
