//! Reading what a registrar granted.

use std::time::Duration;

use sip_core::endpoint::Exchange;
use sip_core::message::{Contact, HeaderName, Message};
use sip_core::uri::Uri;

use super::Registration;

/// Grant of a registrar.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) expires: Duration,
    /// `Service-Route` (RFC 3608 §6.1).
    pub(super) routes: Vec<String>,
    /// `Flow-Timer` (RFC 5626 §4.4): it takes the flow for dead after this time without a keep-alive.
    pub(super) flow_timer: Option<Duration>,
}

impl Granted {
    /// Reads a 2xx to a REGISTER that asked for `asked`.
    pub(super) fn read(
        response: &Message,
        exchange: &Exchange,
        settings: &Registration,
        asked: Duration,
    ) -> Granted {
        let of_header = || response.expires().map(u64::from);
        let seconds = seconds_of(response, &exchange.sent_by, settings.contact.as_deref()).or_else(of_header);
        let flow_timer = response.header(HeaderName::FlowTimer);
        Granted {
            expires: seconds.map_or(asked, Duration::from_secs),
            routes: response
                .headers(HeaderName::ServiceRoute)
                .map(str::to_owned)
                .collect(),
            flow_timer: flow_timer.and_then(|value| value.trim().parse().ok().map(Duration::from_secs)),
        }
    }
}

/// Seconds of our `Contact`, which has this user part, or none and stands for all numbers; others of the address of record have their
/// own. A registrar that rewrote the address is believed about those with our user part: the shortest of them counts, so that a refresh
/// never comes too late.
pub(crate) fn seconds_of(response: &Message, sent_by: &str, user: Option<&str>) -> Option<u64> {
    let is_ours = |contact: &Contact<'_>| match (user, contact.uri()) {
        (Some(user), Some(uri)) => uri.user_unescaped().as_deref() == Some(user),
        (None, Some(uri)) => uri.param("bnc").is_some(),
        (_, None) => false,
    };
    let here = Uri::parse(&format!("sip:{sent_by}")).ok();
    let is_here = |contact: &Contact<'_>| {
        let (Some(here), Some(there)) = (&here, contact.uri()) else {
            return false;
        };
        here.host() == there.host() && here.port().unwrap_or(5060) == there.port().unwrap_or(5060)
    };
    let ours = || response.contacts().filter(is_ours);
    let exact = ours()
        .filter(is_here)
        .filter_map(|contact| contact.expires())
        .max();
    exact
        .or_else(|| ours().filter_map(|contact| contact.expires()).min())
        .map(u64::from)
}
