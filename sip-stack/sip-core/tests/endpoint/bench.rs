//! One endpoint, a peer that the test plays, and the ladder of what went between them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sans_io::{Rng, Time};
use sip_core::endpoint::{
    Advertised, Body, Config, Endpoint, Event, Headers, Input, OutgoingInvite, Output, QueryId, Reliability,
    Target, UsageId,
};
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{Address, HeaderName, Message, StatusCode};
use sip_core::uri::Uri;

pub(crate) const START: Time = Time::from_secs(1_000_000);
pub(crate) const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\n";
pub(crate) const ANSWER: &str = "v=0\r\no=- 2 1 IN IP4 192.0.2.1\r\n";

/// Something that the endpoint sent.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) to: Destination,
    pub(crate) message: Message,
    pub(crate) token: u64,
}

pub(crate) struct Bench {
    pub(crate) endpoint: Endpoint,
    pub(crate) now: Time,
    pub(crate) sent: Vec<Sent>,
    pub(crate) events: Vec<Event>,
    pub(crate) queries: Vec<(QueryId, String)>,
    /// Start lines of answers to requests so broken that their answers lack fields too.
    pub(crate) partial: Vec<String>,
    ladder: String,
    branches: Vec<String>,
}

/// The peer's flow: datagrams from 192.0.2.9:5060, or a connection.
pub(crate) fn peer(transport: Transport) -> Flow {
    Flow {
        id: FlowId(7),
        transport,
        local: SocketAddr::from(([192, 0, 2, 1], 5060)),
        remote: SocketAddr::from(([192, 0, 2, 9], 5060)),
    }
}

pub(crate) fn config() -> Config {
    let advertised = [Transport::Udp, Transport::Tcp, Transport::Ws]
        .map(|transport| Advertised {
            transport,
            ipv6: false,
            address: "192.0.2.1:5060".into(),
        })
        .to_vec();
    Config {
        user_agent: "Cordboard".into(),
        advertised,
        ..Config::default()
    }
}

/// A call of ours to bob, wherever that leads.
pub(crate) fn outgoing(uri: &str) -> OutgoingInvite {
    let uri = Uri::parse(uri).unwrap();
    OutgoingInvite {
        target: Target::Uri { proxy: None },
        request_uri: uri.clone(),
        from: Address::with_display("Alice", Uri::parse("sip:alice@example.com").unwrap()),
        to: Address::new(uri),
        contact_user: "alice".into(),
        body: Some(Body::sdp(ANSWER)),
        parts: Vec::new(),
        extra: Headers::new(),
        credentials: None,
        ring_timeout: Duration::from_secs(60),
        response_timeout: None,
        session_timer: None,
        reliable: Reliability::default(),
    }
}

/// The peer's response to what we sent.
pub(crate) fn response(request: &Message, code: StatusCode, tag: &str, lines: &str, body: &str) -> Bytes {
    let mut out = format!("SIP/2.0 {code} {}\r\n", code.reason());
    for name in [HeaderName::Via, HeaderName::From] {
        for value in request.lines(name) {
            let _ = write!(out, "{}: {value}\r\n", name.as_str());
        }
    }
    let to = request.header(HeaderName::To).unwrap();
    let tag = if tag.is_empty() || request.to().tag().is_some() {
        String::new()
    } else {
        format!(";tag={tag}")
    };
    let _ = write!(out, "To: {to}{tag}\r\nCall-ID: {}\r\n", request.call_id());
    let _ = write!(
        out,
        "CSeq: {}\r\n{lines}",
        request.header(HeaderName::CSeq).unwrap()
    );
    finish(out, body)
}

/// A request of the peer outside a dialog.
pub(crate) fn request(method: &str, uri: &str, lines: &str, body: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKpeer1;rport\r\nMax-Forwards: 70\r\n\
         From: \"Bob\" <sip:bob@example.net>;tag=bobtag\r\nTo: <sip:1001@example.com>\r\nCall-ID: peer-call\r\n\
         CSeq: 100 {method}\r\n{}",
        String::from_utf8(finish(lines.to_owned(), body).to_vec()).unwrap()
    )
}

fn finish(mut out: String, body: &str) -> Bytes {
    if !body.is_empty() && !out.contains("Content-Type:") {
        out.push_str("Content-Type: application/sdp\r\n");
    }
    let _ = write!(out, "Content-Length: {}\r\n\r\n{body}", body.len());
    Bytes::from(out)
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with(config())
    }

    pub(crate) fn with(config: Config) -> Bench {
        Bench {
            endpoint: Endpoint::new(config, Rng::seeded(1)),
            now: START,
            sent: Vec::new(),
            events: Vec::new(),
            queries: Vec::new(),
            partial: Vec::new(),
            ladder: String::new(),
            branches: Vec::new(),
        }
    }

    /// Runs a command and takes in what comes of it.
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&mut Endpoint, Time) -> T) -> T {
        let result = act(&mut self.endpoint, self.now);
        self.drain();
        result
    }

    pub(crate) fn invite(&mut self, call: OutgoingInvite) -> UsageId {
        self.act(|endpoint, now| endpoint.invite(now, call))
    }

    /// A message from the peer.
    pub(crate) fn receive(&mut self, flow: Flow, data: impl Into<Bytes>) {
        let data = data.into();
        match Message::parse(data.clone()) {
            Ok(message) => self.note("<-", &message, ""),
            Err(error) => self.line(&format!("<- (malformed: {error})")),
        }
        self.act(|endpoint, now| endpoint.handle_input(now, Input::Message { flow, data }));
    }

    /// The peer's response to the last request of ours with this method.
    pub(crate) fn answer(&mut self, method: &str, code: StatusCode, tag: &str, lines: &str, body: &str) {
        let request = self.last(method);
        self.receive(peer(Transport::Udp), response(&request, code, tag, lines, body));
    }

    /// The peer calls, with an offer.
    pub(crate) fn called(&mut self, flow: Flow, lines: &str, body: &str) -> UsageId {
        let contact = if lines.contains("Contact:") {
            ""
        } else {
            "Contact: <sip:bob@192.0.2.9:5060>\r\n"
        };
        let text = request("INVITE", "sip:1001@192.0.2.1", &format!("{contact}{lines}"), body);
        self.receive(
            flow,
            text.replace("SIP/2.0/UDP", &format!("SIP/2.0/{}", flow.transport.name())),
        );
        match self.events.pop() {
            Some(Event::Invite { usage, .. }) => usage,
            other => panic!("{other:?}"),
        }
    }

    /// A request of the peer within the dialog of `usage`.
    pub(crate) fn within(&mut self, usage: UsageId, method: &str, cseq: u32, lines: &str, body: &str) {
        let text = self.within_text(usage, method, cseq, lines, body);
        self.receive(peer(Transport::Udp), text);
    }

    pub(crate) fn within_text(
        &self,
        usage: UsageId,
        method: &str,
        cseq: u32,
        lines: &str,
        body: &str,
    ) -> String {
        let info = self.endpoint.usage(usage).expect("a usage");
        let remote_tag = info
            .remote_tag
            .as_deref()
            .map_or(String::new(), |tag| format!(";tag={tag}"));
        let head = format!(
            "{method} sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{method}{cseq};rport\r\n\
             Max-Forwards: 70\r\nFrom: {}{remote_tag}\r\nTo: {};tag={}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n{lines}",
            info.remote, info.local, info.local_tag, info.call_id,
        );
        String::from_utf8(finish(head, body).to_vec()).unwrap()
    }

    pub(crate) fn sleep(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            match self.endpoint.poll_output() {
                Output::Timeout(Some((at, _))) if at <= until => {
                    self.now = self.now.max(at);
                    self.act(|endpoint, now| endpoint.handle_input(now, Input::Timeout));
                }
                Output::Timeout(_) => break,
                other => panic!("not drained: {other:?}"),
            }
        }
        self.now = until;
    }

    pub(crate) fn secs(&mut self, secs: u64) {
        self.sleep(Duration::from_secs(secs));
    }

    /// The last message that we sent with this method, or with this status for a number.
    pub(crate) fn last(&self, what: &str) -> Message {
        self.find(what)
            .unwrap_or_else(|| panic!("no {what} was sent:\n{}", self.ladder))
            .message
    }

    pub(crate) fn find(&self, what: &str) -> Option<Sent> {
        self.sent
            .iter()
            .rev()
            .find(|sent| is(&sent.message, what))
            .cloned()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.sent.iter().filter(|sent| is(&sent.message, what)).count()
    }

    /// Number of requests with this method that we sent, copies not counted.
    pub(crate) fn distinct(&self, method: &str) -> usize {
        let sent = self.sent.iter().filter(|sent| is(&sent.message, method));
        let branches = sent.filter_map(|sent| sent.message.top_via()?.branch().map(str::to_owned));
        branches.collect::<std::collections::BTreeSet<_>>().len()
    }

    pub(crate) fn event(&mut self) -> Event {
        assert!(!self.events.is_empty(), "no event:\n{}", self.ladder);
        self.events.remove(0)
    }

    /// Everything that went by. The names of branches are letters in the order of their first use.
    pub(crate) fn ladder(&self) -> &str {
        &self.ladder
    }

    /// Nothing is left after the longest timer.
    pub(crate) fn is_clean_after_a_while(&mut self) {
        self.secs(200);
        assert_eq!(
            self.endpoint.counts(),
            sip_core::endpoint::Counts::default(),
            "{}",
            self.ladder
        );
    }

    fn drain(&mut self) {
        loop {
            match self.endpoint.poll_output() {
                Output::Transmit { to, data, token } => {
                    let message = match Message::parse(data.clone()) {
                        Ok(message) => message,
                        Err(_) => {
                            let text = String::from_utf8_lossy(&data);
                            let start = text.lines().next().unwrap_or_default().to_owned();
                            self.line(&format!("-> {start}"));
                            self.partial.push(start);
                            continue;
                        }
                    };
                    let way = match &to {
                        Destination::Flow(flow) => format!("flow {} {}", flow.transport.name(), flow.remote),
                        Destination::Address { transport, addr, .. } => {
                            format!("{} {addr}", transport.name())
                        }
                    };
                    self.note("->", &message, &way);
                    self.sent.push(Sent { to, message, token });
                }
                Output::Event(event) => {
                    let text = describe(&event);
                    self.line(&format!("** {text}"));
                    self.events.push(event);
                }
                Output::Resolve { query, uri } => {
                    self.line(&format!("?? {uri}"));
                    self.queries.push((query, uri.to_string()));
                }
                Output::Timeout(_) => return,
            }
        }
    }

    fn note(&mut self, arrow: &str, message: &Message, way: &str) {
        let branch = message
            .top_via()
            .and_then(|via| via.branch())
            .unwrap_or("none")
            .to_owned();
        let at = self
            .branches
            .iter()
            .position(|known| *known == branch)
            .unwrap_or_else(|| {
                self.branches.push(branch);
                self.branches.len() - 1
            });
        let branch = char::from(b'a' + (at % 26) as u8);
        let start = match message.request_uri() {
            Some(uri) => format!("{} {uri}", message.method().unwrap()),
            None => format!("{} {}", message.status().unwrap(), message.reason()),
        };
        let mut text = format!(
            "{arrow} {start}  [{}, branch {branch}]",
            message.header(HeaderName::CSeq).unwrap()
        );
        if !way.is_empty() {
            let _ = write!(text, " to {way}");
        }
        use HeaderName as H;
        for name in [
            H::Route,
            H::Require,
            H::RSeq,
            H::RAck,
            H::SessionExpires,
            H::MinSe,
            H::RetryAfter,
            H::Unsupported,
            H::Accept,
            H::Reason,
        ] {
            if name == H::Accept && message.is_request() {
                continue;
            }
            for value in message.lines(name) {
                let _ = write!(text, "\n             {}: {value}", name.as_str());
            }
        }
        if !message.body().is_empty() {
            let _ = write!(text, "\n             ({} bytes of body)", message.body().len());
        }
        self.line(&text);
    }

    fn line(&mut self, text: &str) {
        let at = self.now.since(START).as_millis();
        let _ = writeln!(self.ladder, "{:>4}.{:03} {text}", at / 1000, at % 1000);
    }
}

fn is(message: &Message, what: &str) -> bool {
    match what.parse::<u16>() {
        Ok(code) => message.status().is_some_and(|status| status == code),
        Err(_) => message.method().is_some_and(|method| method.as_str() == what),
    }
}

fn describe(event: &Event) -> String {
    let text = format!("{event:?}");
    let name: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
    match event {
        Event::Provisional { code, body, .. } => format!("{name} {code}, body: {}", body.is_some()),
        Event::Answered { response, .. } => format!("{name}, body: {}", !response.body().is_empty()),
        Event::Acked { body, .. } | Event::OfferAnswered { body, .. } => {
            format!("{name}, body: {}", body.is_some())
        }
        Event::Offer { body, method, .. } => format!("{name} by {method:?}, body: {}", body.is_some()),
        Event::OfferRefused { code, .. } => format!("{name} {code}"),
        Event::RequestFailed { silence, .. } => format!("{name} {}", silence.code()),
        Event::Ended { cause, .. } => {
            let cause = format!("{cause:?}");
            let cause = cause.split(", headers").next().unwrap_or_default();
            format!("{name}: {cause}")
        }
        Event::Response { response, .. } => format!("{name} {}", response.status().unwrap()),
        _ => name,
    }
}
