//! A gateway in front of a PBX, the PBX, and browsers that speak SIP over WebSocket, in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use media_core::control::{Command, Event as MediaEvent, Report, StreamIndex};
use sans_io::{Deadline, Rng, Time};
use session_core::{
    Access, Config, Coordinator, Event, HoldPolicy, Input, Output, Package, Party, Trunk, Way,
};
use sip_core::auth::{Algorithm, Answerer, Challenger, Credentials, Verdict};
use sip_core::endpoint::{self, Advertised};
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{HeaderName, Message, Method};

use crate::world::gateway;

/// Address of the PBX, and ours.
pub(super) const PBX: &str = "192.0.2.50";
pub(super) const US: &str = "192.0.2.1";
/// Password of everybody at the PBX.
const PASSWORD: &str = "open sesame";
/// Time that it may ring.
const RINGS: Duration = Duration::from_secs(60);

/// Time in which the turn of a request comes.
const TURN: Duration = Duration::from_millis(20);

pub(super) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// A PBX with digest.
pub(super) struct Pbx {
    challenger: Challenger,
    /// Answers nothing.
    pub(super) is_silent: bool,
    /// Answers everything so, with these lines.
    pub(super) refusal: Option<(u16, &'static str)>,
    pub(super) max_expires: u32,
    /// More lines of a 2xx.
    pub(super) lines: &'static str,
    /// Status of calls that it lets pass.
    pub(super) calls: u16,
    /// Asks for credentials within calls as well.
    pub(super) challenges_within: bool,
    /// Requests that came, with their times.
    pub(super) got: Vec<(Time, Message)>,
}

impl Pbx {
    fn answer(&mut self, now: Time, data: &Bytes, request: &Message) -> Option<Bytes> {
        self.got.push((now, request.clone()));
        if self.is_silent || request.is(&Method::Ack) {
            return None;
        }
        if let Some((code, lines)) = self.refusal {
            return Some(respond(request, code, lines, ""));
        }
        let in_dialog = request.to().tag().is_some();
        if in_dialog
            && self.challenges_within
            && let Some((header, code)) = self.challenge(now, data, false)
        {
            return Some(respond(request, code, &header, ""));
        }
        if in_dialog && request.is(&Method::Invite) {
            let lines = format!("Contact: <sip:pbx@{PBX}>\r\nContent-Type: application/sdp\r\n");
            return Some(respond(request, 200, &lines, SDP));
        }
        if in_dialog || request.is(&Method::Cancel) {
            let code = if request.is(&Method::Refer) { 202 } else { 200 };
            return Some(respond(request, code, "", ""));
        }
        let is_register = request.is(&Method::Register);
        if let Some((header, code)) = self.challenge(now, data, is_register) {
            return Some(respond(request, code, &header, ""));
        }
        match request.method() {
            Some(Method::Register) => {
                let expires = request.expires().expect("Expires").min(self.max_expires);
                let contact = request.header(HeaderName::Contact).expect("a Contact");
                let contact = match expires {
                    0 => String::new(),
                    _ => format!(
                        "Contact: <sip:other@192.0.2.9>;expires=9000, {contact};expires={expires}\r\n"
                    ),
                };
                Some(respond(request, 200, &format!("{contact}{}", self.lines), ""))
            }
            Some(Method::Invite) => match self.calls {
                200 => Some(respond(
                    request,
                    200,
                    &format!("Contact: <sip:pbx@{PBX}>\r\nContent-Type: application/sdp\r\n"),
                    SDP,
                )),
                code => Some(respond(request, code, "", "")),
            },
            _ => Some(respond(request, 200, self.lines, "")),
        }
    }

    /// Challenge of a request that proves nothing: 401 to REGISTER, 407 to others.
    fn challenge(&mut self, now: Time, data: &Bytes, is_register: bool) -> Option<(String, u16)> {
        let text = String::from_utf8_lossy(data).into_owned();
        let presented = match is_register {
            true => text,
            false => text.replace("Proxy-Authorization:", "Authorization:"),
        };
        let presented = Message::parse(Bytes::from(presented)).expect("a message");
        let lookup = |_: &str| Some(PASSWORD.into());
        let headers = match self.challenger.verify(now, &presented, None, lookup) {
            Verdict::Ok { .. } => return None,
            Verdict::Challenge { headers, .. } => headers,
            // Kamailio asks again.
            Verdict::Forbidden => self.fresh(now, data),
        };
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        Some(match is_register {
            true => (lines, 401),
            false => (lines.replace("WWW-Authenticate", "Proxy-Authenticate"), 407),
        })
    }

    fn fresh(&mut self, now: Time, data: &Bytes) -> Vec<(String, String)> {
        let bare: String = String::from_utf8_lossy(data)
            .split_inclusive("\r\n")
            .filter(|line| !line.contains("Authorization:"))
            .collect();
        let bare = Message::parse(Bytes::from(bare)).expect("a message");
        match self.challenger.verify(now, &bare, None, |_| None) {
            Verdict::Challenge { headers, .. } => headers,
            Verdict::Ok { .. } | Verdict::Forbidden => Vec::new(),
        }
    }
}

/// A response with what it repeats of its request, more lines, and a body.
pub(super) fn respond(request: &Message, code: u16, lines: &str, body: &str) -> Bytes {
    let of = |name: HeaderName| request.header(name).unwrap_or_default().to_owned();
    let tag = if request.to().tag().is_some() {
        ""
    } else {
        ";tag=pbx"
    };
    Bytes::from(format!(
        "SIP/2.0 {code} Reason\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        of(HeaderName::Via),
        of(HeaderName::From),
        of(HeaderName::To),
        of(HeaderName::CallId),
        of(HeaderName::CSeq),
        body.len(),
    ))
}

pub(super) struct Bench {
    config: Config,
    pub(super) coordinator: Coordinator,
    pub(super) pbx: Pbx,
    pub(super) now: Time,
    deadline: Deadline,
    rng: Rng,
    arriving: VecDeque<(Flow, Bytes)>,
    /// Messages to browsers, by flow.
    inbox: BTreeMap<u64, Vec<Message>>,
    pub(super) events: Vec<Event>,
    last: u64,
}

fn trunk() -> Trunk {
    Trunk {
        sources: vec![PBX.parse().expect("an address")],
        timeout: Some(Duration::from_secs(5)),
        from_domain: Some("pbx.example".into()),
        ..Trunk::new(PBX)
    }
}

fn to_pbx() -> Flow {
    Flow {
        id: FlowId(1_000),
        transport: Transport::Udp,
        local: format!("{US}:5060").parse().expect("an address"),
        remote: format!("{PBX}:5060").parse().expect("an address"),
    }
}

/// Connection of a browser.
pub(super) fn browser(flow: u64) -> Flow {
    Flow {
        id: FlowId(flow),
        transport: Transport::Wss,
        local: format!("{US}:8080").parse().expect("an address"),
        remote: SocketAddr::from(([198, 51, 100, 7], 30_000 + flow as u16)),
    }
}

impl Bench {
    pub(super) fn new() -> Bench {
        Bench::with(trunk())
    }

    /// A bench whose PBX is told of holds.
    pub(super) fn told_of_holds() -> Bench {
        Bench::with(Trunk {
            hold: HoldPolicy::Pass,
            ..trunk()
        })
    }

    fn with(trunk: Trunk) -> Bench {
        let mut rng = Rng::seeded(3);
        let local = session_core::User::new("at home");
        let advertised = |transport| Advertised {
            transport,
            ipv6: false,
            address: format!("{US}:5060"),
        };
        let config = Config {
            access: Access::Directory {
                users: [("home".to_owned(), local)].into(),
                trunks: [("pbx".to_owned(), trunk)].into(),
            },
            endpoint: endpoint::Config {
                advertised: [Transport::Udp, Transport::Tcp].map(advertised).to_vec(),
                event_packages: Package::ALL.map(|package| package.name().to_owned()).to_vec(),
                allow: [
                    endpoint::Config::default().allow,
                    vec![Method::Message, Method::Publish],
                ]
                .concat(),
                ..endpoint::Config::default()
            },
            upstream: Some("pbx".into()),
            ..gateway()
        };
        let coordinator = Coordinator::new(config.clone(), rng.fork());
        let challenger = Challenger::new("pbx.example", vec![Algorithm::Md5], rng.fork());
        Bench {
            config,
            coordinator,
            pbx: Pbx {
                challenger,
                is_silent: false,
                refusal: None,
                max_expires: 3_600,
                lines: "",
                calls: 200,
                challenges_within: false,
                got: Vec::new(),
            },
            now: Time::from_secs(1_000),
            deadline: None,
            rng,
            arriving: VecDeque::new(),
            inbox: BTreeMap::new(),
            events: Vec::new(),
            last: 0,
        }
    }

    /// Starts the gateway again: with the same settings, and nothing that it knew.
    pub(super) fn restart(&mut self) {
        self.coordinator = Coordinator::new(self.config.clone(), self.rng.fork());
        self.drain();
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.deadline.filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.coordinator.handle_input(self.now, Input::Timeout);
            self.drain();
        }
        self.now = end;
    }

    pub(super) fn seconds(&mut self, seconds: u64) {
        self.run(Duration::from_secs(seconds));
    }

    pub(super) fn receive(&mut self, flow: Flow, data: impl Into<Bytes>) {
        let input = endpoint::Input::Message {
            flow,
            data: data.into(),
        };
        self.coordinator.handle_input(self.now, Input::Sip(input));
        self.drain();
    }

    /// The PBX sends.
    pub(super) fn pbx_sends(&mut self, data: impl Into<Bytes>) {
        self.receive(to_pbx(), data);
    }

    pub(super) fn close(&mut self, flow: u64) {
        let input = endpoint::Input::FlowClosed { flow: FlowId(flow) };
        self.coordinator.handle_input(self.now, Input::Sip(input));
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.coordinator.poll_output(self.now) {
                Output::Transmit { to, data, .. } => self.transmit(&to, data),
                Output::Media { shard, command } => self.media(shard, &command),
                Output::Event(event) => self.act(event),
                Output::Resolve { .. } | Output::Follow { .. } | Output::Fetch { .. } => {}
                Output::Timeout(deadline) => match self.arriving.pop_front() {
                    Some((flow, data)) => {
                        let input = endpoint::Input::Message { flow, data };
                        self.coordinator.handle_input(self.now, Input::Sip(input));
                    }
                    None => {
                        self.deadline = deadline;
                        return;
                    }
                },
            }
        }
    }

    fn transmit(&mut self, to: &Destination, data: Bytes) {
        let message = Message::parse(data.clone()).expect("a message");
        match to {
            Destination::Flow(flow) if flow.transport == Transport::Wss => {
                self.inbox.entry(flow.id.0).or_default().push(message);
            }
            _ if message.is_request() => {
                if let Some(answer) = self.pbx.answer(self.now, &data, &message) {
                    self.arriving.push_back((to_pbx(), answer));
                }
            }
            _ => self.pbx.got.push((self.now, message)),
        }
    }

    fn media(&mut self, shard: u8, command: &Command) {
        let event = match command {
            Command::Open { leg, .. } => MediaEvent::Opened {
                leg: *leg,
                addresses: vec![format!("{US}:20000").parse().expect("an address"); 2],
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

    /// Does as the gateway does.
    fn act(&mut self, event: Event) {
        if let Event::Incoming { session, call, .. } = &event {
            match &call.way {
                Some(Way::Out { .. }) => self.coordinator.dial_pbx(self.now, *session, RINGS),
                Some(Way::In { user }) => self.coordinator.dial_client(self.now, *session, user, RINGS),
                None => {}
            }
        }
        if let Event::Message { message, about } = &event
            && let Some(client) = &about.client
        {
            self.coordinator
                .deliver_message(self.now, *message, &Party::User(client.clone()));
        }
        self.events.push(event);
    }

    /// What came to a browser since the last time.
    pub(super) fn take(&mut self, flow: u64) -> Vec<Message> {
        self.inbox.remove(&flow).unwrap_or_default()
    }

    /// Requests of a method that the PBX got since the last time.
    pub(super) fn at_pbx(&mut self, method: &Method) -> Vec<Message> {
        let got = std::mem::take(&mut self.pbx.got);
        got.into_iter()
            .map(|(_, message)| message)
            .filter(|message| message.is(method))
            .collect()
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

/// A browser with an account at the PBX.
pub(super) struct Client {
    pub(super) flow: u64,
    user: &'static str,
    answerer: Answerer,
    call_id: String,
    cseq: u32,
}

impl Client {
    pub(super) fn new(user: &'static str, flow: u64) -> Client {
        Client::with(user, flow, PASSWORD)
    }

    pub(super) fn with(user: &'static str, flow: u64, password: &str) -> Client {
        Client {
            flow,
            user,
            answerer: Answerer::new(Credentials {
                username: user.into(),
                password: password.into(),
            }),
            call_id: format!("register-{user}-{flow}"),
            cseq: 0,
        }
    }

    /// A request outside of any dialog, as JsSIP writes it.
    pub(super) fn write(
        &self,
        bench: &mut Bench,
        head: (&str, &str),
        call: (&str, u32),
        lines: &str,
        body: &str,
    ) -> Bytes {
        let (method, uri) = head;
        let (call_id, cseq) = call;
        let (user, branch) = (self.user, bench.next());
        let contact = match lines.contains("Contact:") {
            true => String::new(),
            false => format!("Contact: <sip:c{user}@x.invalid;transport=ws>\r\n"),
        };
        let to = if method == "REGISTER" {
            format!("sip:{user}@pbx.example")
        } else {
            uri.to_owned()
        };
        Bytes::from(format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WSS x.invalid;branch=z9hG4bK{branch}\r\nMax-Forwards: 69\r\n\
             From: \"Me\" <sip:{user}@pbx.example>;tag=t{call_id}\r\nTo: <{to}>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             {contact}{lines}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// Sends a request, once.
    pub(super) fn send(&mut self, bench: &mut Bench, method: &str, uri: &str, lines: &str, body: &str) {
        self.cseq += 1;
        let call_id = match method {
            "REGISTER" => self.call_id.clone(),
            _ => format!("{method}-{}", bench.next()),
        };
        let data = self.write(bench, (method, uri), (&call_id, self.cseq), lines, body);
        bench.receive(browser(self.flow), data);
    }

    /// Sends a request, once; what came.
    pub(super) fn ask(
        &mut self,
        bench: &mut Bench,
        method: &str,
        uri: &str,
        lines: &str,
        body: &str,
    ) -> Vec<Message> {
        self.send(bench, method, uri, lines, body);
        bench.run(TURN);
        bench.take(self.flow)
    }

    /// Credentials for the challenge of an answer.
    pub(super) fn credentials(
        &mut self,
        bench: &mut Bench,
        answer: &Message,
        method: &str,
        uri: &str,
    ) -> String {
        let mut answered = Default::default();
        assert!(
            self.answerer.challenged(answer, &mut answered, &mut bench.rng),
            "no challenge"
        );
        let headers = self.answerer.headers(&mut answered, method, uri, b"");
        headers
            .iter()
            .map(|(name, value)| format!("{}: {value}\r\n", name.as_str()))
            .collect()
    }

    /// Sends a request, and again with credentials if it is challenged; what came last.
    pub(super) fn request(
        &mut self,
        bench: &mut Bench,
        method: &str,
        uri: &str,
        lines: &str,
        body: &str,
    ) -> Vec<Message> {
        let answers = self.ask(bench, method, uri, lines, body);
        let challenge = answers
            .iter()
            .find(|answer| matches!(status(answer), 401 | 407))
            .cloned();
        match challenge {
            Some(challenge) => {
                let more = self.credentials(bench, &challenge, method, uri);
                self.ask(bench, method, uri, &format!("{lines}{more}"), body)
            }
            None => answers,
        }
    }

    /// Registers for this time, or gives the registration up; the final answer.
    pub(super) fn register(&mut self, bench: &mut Bench, expires: u32) -> Message {
        let lines = format!("Expires: {expires}\r\n");
        self.request(bench, "REGISTER", "sip:pbx.example", &lines, "")
            .into_iter()
            .rfind(|answer| !answer.is_request())
            .expect("an answer")
    }

    /// Refreshes without credentials.
    pub(super) fn refresh(&mut self, bench: &mut Bench, expires: u32) -> Message {
        let lines = format!("Expires: {expires}\r\n");
        self.ask(bench, "REGISTER", "sip:pbx.example", &lines, "")
            .pop()
            .expect("an answer")
    }

    /// Calls somebody; the responses to the last INVITE.
    pub(super) fn call(&mut self, bench: &mut Bench, number: &str) -> Vec<Message> {
        let uri = format!("sip:{number}@pbx.example");
        self.request(bench, "INVITE", &uri, "Content-Type: application/sdp\r\n", SDP)
    }

    /// Calls somebody, who answers, and acknowledges; the 200.
    pub(super) fn talk(&mut self, bench: &mut Bench, number: &str) -> Message {
        let answers = self.call(bench, number);
        let ok = answers
            .into_iter()
            .find(|answer| status(answer) == 200)
            .expect("200");
        self.within(bench, &ok, "ACK", ok.cseq().number, "", "");
        ok
    }

    /// Sends a request within the dialog of a call that this client placed.
    pub(super) fn within(
        &mut self,
        bench: &mut Bench,
        ok: &Message,
        method: &str,
        cseq: u32,
        lines: &str,
        body: &str,
    ) -> Vec<Message> {
        let of = |name: HeaderName| ok.header(name).unwrap_or_default().to_owned();
        let target = ok.contact().expect("a Contact").uri.to_string();
        let data = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/WSS x.invalid;branch=z9hG4bK{}\r\nMax-Forwards: 69\r\nFrom: {}\r\nTo: {}\r\n\
             Call-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: <sip:c{}@x.invalid;transport=ws>\r\n{lines}Content-Length: {}\r\n\r\n{body}",
            bench.next(),
            of(HeaderName::From),
            of(HeaderName::To),
            of(HeaderName::CallId),
            self.user,
            body.len()
        );
        bench.receive(browser(self.flow), data);
        bench.run(TURN);
        bench.take(self.flow)
    }
}

/// Status of a response; 0 for a request.
pub(super) fn status(message: &Message) -> u16 {
    message.status().map_or(0, |code| code.get())
}

/// INVITE of the PBX for a `Contact` of ours.
pub(super) fn invite(contact: &str, call_id: &str) -> Bytes {
    Bytes::from(format!(
        "INVITE sip:{contact}@{US} SIP/2.0\r\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bK{call_id}\r\nMax-Forwards: 70\r\n\
         From: \"Bob\" <sip:bob@pbx.example>;tag=1\r\nTo: <sip:alice@pbx.example>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:{PBX}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    ))
}

/// MESSAGE of the PBX for a `Contact` of ours.
pub(super) fn message(contact: &str) -> String {
    format!(
        "MESSAGE sip:{contact}@{US} SIP/2.0\r\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bKm\r\nMax-Forwards: 70\r\n\
         From: <sip:bob@pbx.example>;tag=1\r\nTo: <sip:alice@pbx.example>\r\nCall-ID: m\r\nCSeq: 1 MESSAGE\r\n\
         Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
    )
}

/// NOTIFY of the PBX about a REFER of ours.
pub(super) fn notify(refer: &Message, cseq: u32, line: &str, state: &str) -> Bytes {
    let of = |name: HeaderName| refer.header(name).unwrap_or_default().to_owned();
    let target = refer.contact().expect("a Contact").uri.to_string();
    Bytes::from(format!(
        "NOTIFY {target} SIP/2.0\r\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bKn{cseq}{}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: {cseq} NOTIFY\r\nContact: <sip:pbx@{PBX}>\r\nEvent: refer\r\nSubscription-State: {state}\r\n\
         Content-Type: message/sipfrag\r\nContent-Length: {}\r\n\r\n{line}",
        of(HeaderName::CallId),
        of(HeaderName::To),
        of(HeaderName::From),
        of(HeaderName::CallId),
        line.len()
    ))
}
