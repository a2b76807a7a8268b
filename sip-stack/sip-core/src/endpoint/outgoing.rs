//! Calls and requests that we send: where to, and with which headers and body.

use std::time::Duration;

use bytes::Bytes;

use crate::auth::{Answerer, Credentials};
use crate::dialog::Duty;
use crate::flow::{Destination, Flow};
use crate::message::{Address, Method};
use crate::uri::Uri;

use super::reliable::Reliability;

/// More headers, in order: name and value. One that is no token, or whose value holds CR, LF or NUL, is left out, as are
/// those that the endpoint writes itself (`Via`, `From`, `CSeq`, ...). `Max-Forwards` here takes the place of 70.
pub type Headers = Vec<(String, String)>;

/// The body of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// As in `Content-Type`.
    pub content_type: String,
    /// Any bytes.
    pub data: Bytes,
}

impl Body {
    /// A session description.
    #[must_use]
    pub fn sdp(data: impl Into<Bytes>) -> Body {
        Body {
            content_type: "application/sdp".to_owned(),
            data: data.into(),
        }
    }
}

/// A part of a body beside the first, such as the location that `Geolocation` names (RFC 6442 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// As in `Content-Type`.
    pub content_type: String,
    /// Name of the part, which a `cid:` URI refers to (RFC 2392).
    pub id: String,
    /// Any bytes.
    pub data: Bytes,
}

impl Body {
    /// A body of several parts (RFC 5621 §3), the given one first; `boundary` must be in none of them.
    pub(super) fn mixed(first: Option<Body>, parts: &[Part], boundary: &str) -> Option<Body> {
        let mut data = Vec::new();
        let mut put = |head: String, content: &[u8]| {
            data.extend_from_slice(format!("--{boundary}\r\n{head}\r\n").as_bytes());
            data.extend_from_slice(content);
            data.extend_from_slice(b"\r\n");
        };
        if let Some(first) = &first {
            put(format!("Content-Type: {}\r\n", first.content_type), &first.data);
        }
        for part in parts {
            // A program that does not know the type of the part still takes the call (RFC 3204 §6).
            let head = format!(
                "Content-Type: {}\r\nContent-ID: <{}>\r\nContent-Disposition: by-reference;handling=optional\r\n",
                part.content_type, part.id
            );
            put(head, &part.data);
        }
        data.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Some(Body {
            content_type: format!("multipart/mixed;boundary={boundary}"),
            data: data.into(),
        })
    }
}

/// Why a call ends, as written in the `Reason` header (RFC 3326).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850`, ...
    pub protocol: String,
    /// Code of that protocol.
    pub cause: Option<u16>,
    /// For people.
    pub text: Option<String>,
}

/// Destination of a request.
#[derive(Clone, Debug)]
pub enum Target {
    /// Over this flow, whatever the Request-URI says (a registered contact).
    Flow(Flow),
    /// A registered contact: over the flow of its REGISTER, by way of the proxies that put themselves into
    /// its `Path` (RFC 3327 §5.4).
    Contact {
        /// Flow of the REGISTER.
        flow: Flow,
        /// Values of `Path`, nearest first.
        path: Vec<String>,
    },
    /// By way of these proxies, as a registrar told us in `Service-Route` (RFC 3608 §6.1): the first is the next hop.
    Routes(Vec<String>),
    /// This one address, which the user of the endpoint found and chose: no other is tried (RFC 3263 §4.3).
    Address(Destination),
    /// Destination by RFC 3263: from `proxy` if there is one, else from the Request-URI. A proxy with `;lr`
    /// is also written as `Route`.
    Uri {
        /// Outbound proxy.
        proxy: Option<Uri>,
    },
}

/// A call that we place.
#[derive(Clone, Debug)]
pub struct OutgoingInvite {
    /// Destination.
    pub target: Target,
    /// Request-URI.
    pub request_uri: Uri,
    /// `From`; the tag is ours.
    pub from: Address,
    /// `To`.
    pub to: Address,
    /// User part of our `Contact`; may be empty.
    pub contact_user: String,
    /// The offer. Without one the 2xx brings it, and [`Endpoint::ack`](super::Endpoint::ack) answers it.
    pub body: Option<Body>,
    /// Parts of the body beside the offer.
    pub parts: Vec<Part>,
    /// More headers.
    pub extra: Headers,
    /// For 401 and 407.
    pub credentials: Option<Credentials>,
    /// Time that it may ring without a final answer; each provisional response but 100 starts it anew.
    pub ring_timeout: Duration,
    /// Time that a target may stay silent before the next one is tried or the call is given up; `None`: 64·T1
    /// (timer B).
    pub response_timeout: Option<Duration>,
    /// Session timer to propose (RFC 4028).
    pub session_timer: Option<SessionWish>,
    /// Provisional responses that may, or must, come reliably (RFC 3262).
    pub reliable: Reliability,
}

/// A session timer that we ask for (RFC 4028).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionWish {
    /// Session interval.
    pub interval: Duration,
    /// Side that is to refresh; `None`: whom the peer names, or the peer where it names nobody.
    pub refresher: Option<Duty>,
}

/// A request that we send outside any usage.
#[derive(Clone, Debug)]
pub struct OutgoingRequest {
    /// Not INVITE, ACK or CANCEL.
    pub method: Method,
    /// Destination.
    pub target: Target,
    /// Request-URI.
    pub request_uri: Uri,
    /// `From`; the tag is ours.
    pub from: Address,
    /// `To`.
    pub to: Address,
    /// `Contact`; none for `None`.
    pub contact: Option<OutgoingContact>,
    /// Call-ID and CSeq to go on with, as consecutive REGISTERs must (RFC 3261 §10.2); new ones for `None`.
    pub call: Option<(String, u32)>,
    /// Body.
    pub body: Option<Body>,
    /// More headers.
    pub extra: Headers,
    /// For 401 and 407. It comes back in [`Event::Response`](super::Event::Response), for the next request to the same peer.
    pub answerer: Option<Answerer>,
    /// Time that a target may stay silent before the next one is tried or the request is given up; `None`: 64·T1
    /// (timer F).
    pub response_timeout: Option<Duration>,
}

/// `Contact` of a request outside any usage, but for its address, which depends on the transport.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutgoingContact {
    /// User part of the URI; may be empty.
    pub user: String,
    /// Parameters of the URI, with their leading `;`.
    pub uri_params: String,
    /// Parameters of the `Contact`, with their leading `;`.
    pub params: String,
}

/// Circumstances of a request of ours that was answered.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Flow that the response came over.
    pub flow: Flow,
    /// `host` or `host:port` of our `Contact`.
    pub sent_by: String,
    /// Knows the challenges of the peer from now on.
    pub answerer: Option<Answerer>,
    /// `Security-Server` of the peer, which further requests to it are to repeat as `Security-Verify` (RFC 3329 §2.3.1); empty for none.
    pub security: Vec<String>,
}

/// A request within a dialog that is passed on from another one: it says something to the other party, and nothing about the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassedOn {
    /// INFO (RFC 6086).
    Info,
    /// MESSAGE (RFC 3428).
    Message,
}
