//! The text of what an agent sends.

use std::fmt::Write as _;

use sip_core::message::{HeaderName, Message};

use super::{Agent, Link};

impl Agent {
    pub(super) fn branch(&mut self) -> String {
        format!("z9hG4bK{}", self.rng.token(10))
    }

    pub(super) fn contact(&self) -> String {
        match self.link {
            Link::Udp => format!("{}@{}", self.user, self.host),
            Link::WebSocket(_) => format!("{}x@{};transport=ws", self.user, self.host),
        }
    }

    pub(super) fn transport(&self) -> &'static str {
        match self.link {
            Link::Udp => "UDP",
            Link::WebSocket(_) => "WS",
        }
    }

    pub(super) fn start(&self, method: &str, uri: &str, branch: &str) -> String {
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={branch}\r\nMax-Forwards: 69\r\n",
            self.transport(),
            self.host
        )
    }

    pub(super) fn authorize(&mut self, text: &mut String, method: &str, uri: &str) {
        for (name, value) in self.answerer.headers(&mut self.answered, method, uri, &[]) {
            let _ = write!(text, "{}: {value}\r\n", name.as_str());
        }
    }

    /// The rest of a request of a call.
    pub(super) fn finish(&mut self, id: &str, mut text: String, method: &str, cseq: Option<u32>, body: &str) {
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

    pub(super) fn acknowledge_refusal(&mut self, response: &Message, branch: &str, id: &str) {
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

    pub(super) fn respond(
        &mut self,
        request: &Message,
        code: u16,
        id: Option<&str>,
        extra: &str,
        body: &str,
    ) {
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
