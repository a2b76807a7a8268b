//! The text of what we send. Every value passes [`line`], which lets no CR, LF or NUL through.

use std::fmt::Write as _;

use bytes::Bytes;
use memchr::memchr3;

use crate::auth::Answered;
use crate::message::params::is_token;
use crate::message::{HeaderName, Message, Method, StatusCode};

use super::outgoing::{Body, Headers};

/// A request of ours before it is known how it travels: everything but `Via`, the address in `Contact` and credentials.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) method: Method,
    pub(super) uri: String,
    pub(super) routes: Vec<String>,
    pub(super) max_forwards: u8,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) call_id: String,
    pub(super) cseq: u32,
    pub(super) contact: Option<Contact>,
    /// Whole lines.
    pub(super) more: String,
    pub(super) session: Option<SessionLines>,
    pub(super) body: Option<Body>,
    /// Times that it was sent anew after a refusal.
    pub(super) retries: u8,
    /// The challenges that it answered.
    pub(super) answered: Answered,
}

/// Our `Contact`, but for the address, which depends on the transport.
#[derive(Clone, Debug, Default)]
pub(super) struct Contact {
    pub(super) user: String,
    /// With their leading `;`.
    pub(super) params: String,
}

/// `Session-Expires` and `Min-SE` of a request (RFC 4028 §7.1); apart from the other lines since a 422 changes them.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionLines {
    pub(super) expires: u32,
    pub(super) refresher: Option<&'static str>,
    pub(super) min: u32,
}

/// Way of a request.
pub(super) struct Way<'a> {
    pub(super) transport: &'a str,
    pub(super) sent_by: &'a str,
    pub(super) branch: u64,
    /// `host:port;transport=...` of our `Contact`.
    pub(super) contact: &'a str,
}

impl Draft {
    /// Nothing but a method.
    pub(super) fn bare(method: Method) -> Draft {
        Draft {
            method,
            uri: String::new(),
            routes: Vec::new(),
            max_forwards: 70,
            from: String::new(),
            to: String::new(),
            call_id: String::new(),
            cseq: 0,
            contact: None,
            more: String::new(),
            session: None,
            body: None,
            retries: 0,
            answered: Answered::default(),
        }
    }

    pub(super) fn write(&self, way: &Way<'_>, credentials: &[(HeaderName, String)]) -> Bytes {
        let body = self.body.as_ref();
        let mut out = String::with_capacity(1024);
        let _ = write!(out, "{} {} SIP/2.0\r\n", self.method.as_str(), self.uri);
        self.write_common(&mut out, way, &self.to, &self.method);
        if let Some(contact) = &self.contact {
            line(&mut out, "Contact", &contact.write(way.contact));
        }
        for (name, value) in credentials {
            line(&mut out, name.as_str(), value);
        }
        if let Some(session) = self.session {
            let _ = write!(out, "Session-Expires: {}", session.expires);
            if let Some(refresher) = session.refresher {
                let _ = write!(out, ";refresher={refresher}");
            }
            let _ = write!(out, "\r\nMin-SE: {}\r\n", session.min);
        }
        out.push_str(&self.more);
        finish(out, body)
    }

    /// CANCEL of this INVITE (RFC 3261 §9.1): same Request-URI, Call-ID, From, To, CSeq number, Route and only Via.
    pub(super) fn write_cancel(&self, way: &Way<'_>, reason: &str) -> Bytes {
        let mut out = String::with_capacity(512);
        let _ = write!(out, "CANCEL {} SIP/2.0\r\n", self.uri);
        self.write_common(&mut out, way, &self.to, &Method::Cancel);
        out.push_str(reason);
        finish(out, None)
    }

    /// ACK to a response 300 to 699 (§17.1.1.3): as CANCEL, with the `To` of the response.
    pub(super) fn write_refusal_ack(&self, way: &Way<'_>, to: &str) -> Bytes {
        let mut out = String::with_capacity(512);
        let _ = write!(out, "ACK {} SIP/2.0\r\n", self.uri);
        self.write_common(&mut out, way, to, &Method::Ack);
        finish(out, None)
    }

    fn write_common(&self, out: &mut String, way: &Way<'_>, to: &str, method: &Method) {
        let Way {
            transport,
            sent_by,
            branch,
            ..
        } = way;
        let _ = write!(
            out,
            "Via: SIP/2.0/{transport} {sent_by};branch=z9hG4bK{branch:016x};rport\r\n"
        );
        for route in &self.routes {
            line(out, "Route", route);
        }
        let _ = write!(out, "Max-Forwards: {}\r\n", self.max_forwards);
        line(out, "From", &self.from);
        line(out, "To", to);
        line(out, "Call-ID", &self.call_id);
        let _ = write!(out, "CSeq: {} {}\r\n", self.cseq, method.as_str());
    }
}

impl Contact {
    pub(super) fn write(&self, address: &str) -> String {
        let at = if self.user.is_empty() { "" } else { "@" };
        format!("<sip:{}{at}{address}>{}", self.user, self.params)
    }
}

/// Lines that all responses to one request share.
#[derive(Clone, Debug, Default)]
pub(super) struct ReplyHead {
    /// `Via`, `From`, `Call-ID`, `CSeq`: whole lines.
    lines: String,
    to: String,
    to_has_tag: bool,
    record_routes: String,
    timestamp: Option<String>,
}

impl ReplyHead {
    /// Takes from the request what its responses repeat (RFC 3261 §8.2.6.2). `top_via` stands for the first `Via`.
    pub(super) fn new(request: &Message, top_via: &str) -> ReplyHead {
        let mut lines = String::with_capacity(512);
        line(&mut lines, "Via", top_via);
        for via in request.headers(HeaderName::Via).skip(1) {
            line(&mut lines, "Via", via);
        }
        for name in [HeaderName::From, HeaderName::CallId, HeaderName::CSeq] {
            if let Some(value) = request.header(name) {
                line(&mut lines, name.as_str(), value);
            }
        }
        let mut record_routes = String::new();
        for value in request.headers(HeaderName::RecordRoute) {
            line(&mut record_routes, "Record-Route", value);
        }
        ReplyHead {
            lines,
            to: request.header(HeaderName::To).unwrap_or_default().to_owned(),
            to_has_tag: request.to().tag().is_some(),
            record_routes,
            timestamp: request.header(HeaderName::Timestamp).map(str::to_owned),
        }
    }

    /// The response. `tag` completes `To` where the request had no tag, in every response but 100.
    pub(super) fn write(
        &self,
        code: StatusCode,
        reason: Option<&str>,
        tag: &str,
        more: &str,
        body: Option<&Body>,
    ) -> Bytes {
        let mut out = String::with_capacity(self.lines.len() + self.to.len() + more.len() + 256);
        let phrase = reason.unwrap_or_else(|| code.reason());
        let _ = write!(out, "SIP/2.0 {code} {phrase}\r\n");
        out.push_str(&self.lines);
        if self.to_has_tag || code == StatusCode::TRYING || tag.is_empty() {
            line(&mut out, "To", &self.to);
        } else {
            line(&mut out, "To", &format!("{};tag={tag}", self.to));
        }
        if code == StatusCode::TRYING {
            if let Some(timestamp) = &self.timestamp {
                line(&mut out, "Timestamp", timestamp);
            }
        } else {
            out.push_str(more);
        }
        finish(out, body)
    }

    /// `Record-Route` lines of the request, for responses that make a dialog (§12.1.1).
    pub(super) fn record_routes(&self) -> &str {
        &self.record_routes
    }

    /// Forgets what no further response needs.
    pub(super) fn clear(&mut self) {
        *self = ReplyHead::default();
    }
}

/// One header line. CR, LF (of a folded value) and NUL become spaces: whatever value comes, it stays one line.
pub(super) fn line(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str(": ");
    if memchr3(b'\r', b'\n', 0, value.as_bytes()).is_none() {
        out.push_str(value);
    } else {
        out.extend(
            value
                .chars()
                .map(|c| if matches!(c, '\r' | '\n' | '\0') { ' ' } else { c }),
        );
    }
    out.push_str("\r\n");
}

/// The lines of an application's headers, without those that the endpoint writes itself.
pub(super) fn extra_lines(out: &mut String, extra: &Headers) {
    for (name, value) in extra {
        let clean = memchr3(b'\r', b'\n', 0, value.as_bytes()).is_none() && is_token(name);
        if clean && !is_ours(HeaderName::of(name)) {
            line(out, name, value);
        }
    }
}

/// True when `extra` holds a header of this name that will be written.
pub(super) fn has(extra: &Headers, name: HeaderName) -> bool {
    extra.iter().any(|(key, _)| HeaderName::of(key) == name)
}

fn is_ours(name: HeaderName) -> bool {
    use HeaderName as H;
    matches!(
        name,
        H::Via
            | H::From
            | H::To
            | H::CallId
            | H::CSeq
            | H::MaxForwards
            | H::RecordRoute
            | H::ContentLength
            | H::ContentType
            | H::SessionExpires
            | H::MinSe
            | H::RSeq
            | H::RAck
    )
}

fn finish(mut out: String, body: Option<&Body>) -> Bytes {
    let Some(body) = body else {
        out.push_str("Content-Length: 0\r\n\r\n");
        return Bytes::from(out);
    };
    line(&mut out, "Content-Type", &body.content_type);
    let _ = write!(out, "Content-Length: {}\r\n\r\n", body.data.len());
    let mut bytes = out.into_bytes();
    bytes.extend_from_slice(&body.data);
    Bytes::from(bytes)
}

/// A user part as it may stand in a URI.
pub(super) fn user(user: &str) -> String {
    crate::uri::escape_user(user).into_owned()
}
