//! Emergency calls: the numbers that they are recognised by, and what a call to the emergency services carries. They take part in no limit:
//! neither on calls at a time, nor on their rate, nor on the channels of a trunk.

mod location;

use std::sync::Arc;

use sip_core::endpoint::{Headers, Part};
use sip_core::message::Message;
use sip_core::uri::UriRef;

pub use location::{Civic, CivicElement, Location, Point, UnknownElement};

use crate::context::Context;
use crate::dial::Caller;
use crate::incoming::user_of;

/// Numbers of emergency services, as users dial them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmergencyNumbers {
    /// Numbers, such as `112`. The first one stands for `urn:service:sos` (RFC 5031) as well.
    pub numbers: Vec<String>,
    /// Prefixes that get an outside line: a number is recognised behind each of them too.
    pub prefixes: Vec<String>,
}

/// Call to the emergency services, as the application dials it.
#[derive(Clone, Debug, PartialEq)]
pub struct EmergencyCall {
    /// Number to call back, and the name beside it; `None`: as in any other call.
    pub caller: Option<Caller>,
    /// Location of the caller.
    pub location: Option<Location>,
    /// True if trunks get `Resource-Priority: esnet.1` (RFC 7135).
    pub resource_priority: bool,
}

impl EmergencyNumbers {
    /// Number of the service that a request calls; `None`: it calls somebody else.
    #[must_use]
    pub fn called_by(&self, request: &Message) -> Option<String> {
        if self.numbers.is_empty() {
            return None;
        }
        self.called(UriRef::parse(request.request_uri()?).ok()?)
    }

    /// Number of the service behind a URI: `sip:112@…`, `tel:112`, or `urn:service:sos` and what is below it (RFC 5031 §4.1).
    #[must_use]
    pub fn called(&self, uri: UriRef<'_>) -> Option<String> {
        let text = uri.as_str().to_ascii_lowercase();
        if let Some(rest) = text.strip_prefix("urn:service:sos") {
            return self
                .numbers
                .first()
                .filter(|_| rest.is_empty() || rest.starts_with('.'))
                .cloned();
        }
        self.number(&user_of(uri))
    }

    /// The number that was dialled, without a prefix, if it is one of a service.
    #[must_use]
    pub fn number(&self, dialled: &str) -> Option<String> {
        let plain: String = dialled
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')'))
            .collect();
        let is_known = |number: &&str| self.numbers.iter().any(|known| known == number);
        let behind = self
            .prefixes
            .iter()
            .filter_map(|prefix| plain.strip_prefix(prefix.as_str()));
        std::iter::once(plain.as_str())
            .chain(behind)
            .find(is_known)
            .map(str::to_owned)
    }
}

impl EmergencyCall {
    /// Headers and body parts of its INVITE (RFC 6442 §3). `number` is the caller's, `host` ours.
    pub(crate) fn carried(
        &self,
        cx: &mut Context,
        now: u64,
        (number, host): (&str, &str),
    ) -> (Headers, Vec<Part>) {
        let mut headers: Headers = vec![("Priority".into(), "emergency".into())];
        if self.resource_priority {
            headers.push(("Resource-Priority".into(), "esnet.1".into()));
        }
        let mut parts = Vec::new();
        let Some(location) = &self.location else {
            return (headers, parts);
        };
        if let Some(uri) = &location.uri {
            headers.push(("Geolocation".into(), format!("<{uri}>")));
        }
        if let Some(document) = location.document(number, host, now) {
            let id = format!("{}@{host}", cx.rng.token(16));
            headers.push(("Geolocation".into(), format!("<cid:{id}>")));
            parts.push(Part {
                content_type: "application/pidf+xml".into(),
                id,
                data: document.into(),
            });
        }
        headers.push(("Geolocation-Routing".into(), "yes".into()));
        (headers, parts)
    }
}

/// An emergency call that is under way, shared by all that is tried for it.
pub(crate) type Urgent = Option<Arc<EmergencyCall>>;
