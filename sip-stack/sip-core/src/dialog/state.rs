use bytes::Bytes;

use crate::message::{HeaderName, Message};

use super::{RouteSet, Routed};

/// One dialog (RFC 3261 §12). Of an INVITE that forks there is one for each branch that answered; they share Call-ID,
/// local tag and local URI, which belong to the usage.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// `To` of our requests, with its tag.
    pub remote: String,
    /// The peer's tag; a peer of RFC 2543 may have none.
    pub remote_tag: Option<String>,
    /// CSeq of our last request.
    pub local_seq: u32,
    /// Highest CSeq of the peer's requests.
    pub remote_seq: Option<u32>,
    /// The peer's `Contact`.
    pub remote_target: String,
    /// Fixed once the dialog is confirmed (§12.2.1.1: a refresh changes the target only).
    pub routes: RouteSet,
    /// Highest `RSeq` of the peer's reliable provisional responses (RFC 3262).
    pub rseq: Option<u32>,
    /// Description of a fork of our INVITE, from a reliable provisional response, or from an UPDATE after
    /// that. It stands if the fork's 2xx has none (RFC 6337 §3.1.1).
    pub answer: Option<Bytes>,
}

impl Dialog {
    /// The caller's side, from a response 101 to 299. `fallback` is the target when the response names no `Contact`.
    #[must_use]
    pub fn uac(response: &Message, local_seq: u32, fallback: &str) -> Dialog {
        Dialog {
            remote: response.header(HeaderName::To).unwrap_or_default().to_owned(),
            remote_tag: response.to().tag().map(str::to_owned),
            local_seq,
            remote_seq: None,
            remote_target: contact(response).unwrap_or(fallback).to_owned(),
            routes: RouteSet::uac(response),
            rseq: None,
            answer: None,
        }
    }

    /// The callee's side, from the INVITE; one without `Contact` came from where its `From` says.
    #[must_use]
    pub fn uas(request: &Message, local_seq: u32) -> Dialog {
        Dialog {
            remote: request.header(HeaderName::From).unwrap_or_default().to_owned(),
            remote_tag: request.from().tag().map(str::to_owned),
            local_seq,
            remote_seq: Some(request.cseq().number),
            remote_target: contact(request).unwrap_or(request.from().uri.as_str()).to_owned(),
            routes: RouteSet::uas(request),
            rseq: None,
            answer: None,
        }
    }

    /// The 2xx fixes route set and target (§13.2.2.4), also where a provisional response already made an early dialog.
    pub fn confirm(&mut self, response: &Message) {
        self.routes = RouteSet::uac(response);
        self.refresh_target(response);
    }

    /// A target refresh: re-INVITE, UPDATE or a 2xx to them (§12.2).
    pub fn refresh_target(&mut self, message: &Message) {
        if let Some(contact) = contact(message)
            && contact != self.remote_target
        {
            self.remote_target = contact.to_owned();
        }
    }

    /// Takes the CSeq of a request of the peer; false when it is not higher than the last one (§12.2.2).
    pub fn admit(&mut self, cseq: u32) -> bool {
        if self.remote_seq.is_some_and(|last| cseq <= last) {
            return false;
        }
        self.remote_seq = Some(cseq);
        true
    }

    /// CSeq for our next request.
    pub fn next_seq(&mut self) -> u32 {
        self.local_seq += 1;
        self.local_seq
    }

    /// Request-URI, `Route` and next hop of our requests.
    #[must_use]
    pub fn routed(&self) -> Routed {
        self.routes.apply(&self.remote_target)
    }

    /// The peer's tag is this one.
    #[must_use]
    pub fn is_with(&self, tag: Option<&str>) -> bool {
        same_tag(self.remote_tag.as_deref(), tag)
    }
}

/// Tags are tokens and compare without regard to case (RFC 3261 §7.3.1); a missing one equals an empty one (RFC 2543).
#[must_use]
pub fn same_tag(a: Option<&str>, b: Option<&str>) -> bool {
    a.unwrap_or("").eq_ignore_ascii_case(b.unwrap_or(""))
}

/// URI of the first `Contact`.
fn contact(message: &Message) -> Option<&str> {
    message.contact().map(|contact| contact.uri.as_str())
}
