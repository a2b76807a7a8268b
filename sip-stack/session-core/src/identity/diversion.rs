//! Diversions of a call before it came to us, or by us: `Diversion` (RFC 5806) and `History-Info` (RFC 7044), and the translation of one
//! into the other (RFC 7544).

use std::fmt::Write as _;

use sip_core::message::{Address, HeaderName, Message, NameAddr, StatusCode};
use sip_core::uri::Uri;

use super::caller::{is_anonymous, shown};
use crate::dial::Caller;

/// Most diversions that a call keeps; the first ones are forgotten.
pub(super) const MOST: usize = 10;

/// A diversion of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversion {
    /// Party that was called, and did not take the call.
    pub by: Caller,
    /// Cause of it.
    pub reason: DiversionReason,
    /// True if that party is not to be shown to the callee (`privacy=full`).
    pub private: bool,
}

/// Cause of a diversion (RFC 5806 §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiversionReason {
    /// None of the others, or none was given.
    #[default]
    Unknown,
    /// The party was in another call.
    UserBusy,
    /// The party did not answer.
    NoAnswer,
    /// The party could not be reached.
    Unavailable,
    /// All calls to the party are diverted.
    Unconditional,
    /// It depends on the time of day.
    TimeOfDay,
    /// The party does not want to be disturbed.
    DoNotDisturb,
    /// The party diverted this call while its phone rang.
    Deflection,
    /// The party is called at one phone after the other.
    FollowMe,
    /// The party's line does not work.
    OutOfService,
    /// The party is away.
    Away,
}

/// The reasons, their words in `Diversion` (RFC 5806 §4), and the `cause` in a URI of `History-Info` (RFC 4458 §2, RFC 7544 §3.3). Of
/// reasons with the same cause, the first one is read.
const REASONS: [(DiversionReason, &str, u16); 11] = [
    (DiversionReason::Unconditional, "unconditional", 302),
    (DiversionReason::UserBusy, "user-busy", 486),
    (DiversionReason::NoAnswer, "no-answer", 408),
    (DiversionReason::Unavailable, "unavailable", 503),
    (DiversionReason::Deflection, "deflection", 487),
    (DiversionReason::Unknown, "unknown", 404),
    (DiversionReason::TimeOfDay, "time-of-day", 404),
    (DiversionReason::DoNotDisturb, "do-not-disturb", 404),
    (DiversionReason::FollowMe, "follow-me", 404),
    (DiversionReason::OutOfService, "out-of-service", 404),
    (DiversionReason::Away, "away", 404),
];

impl DiversionReason {
    /// The word for it in `Diversion`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        REASONS
            .iter()
            .find(|(reason, ..)| *reason == self)
            .map_or("unknown", |(_, word, _)| word)
    }

    /// Reason of that word, in any case.
    #[must_use]
    pub fn of(word: &str) -> DiversionReason {
        REASONS
            .iter()
            .find(|(_, own, _)| own.eq_ignore_ascii_case(word))
            .map_or(DiversionReason::Unknown, |(reason, ..)| *reason)
    }

    fn cause(self) -> u16 {
        REASONS
            .iter()
            .find(|(reason, ..)| *reason == self)
            .map_or(404, |(.., cause)| *cause)
    }

    /// Reason of a `cause` in a URI. Immediate deflection (480) is a deflection as well.
    fn of_cause(cause: u16) -> DiversionReason {
        let cause = if cause == StatusCode::TEMPORARILY_UNAVAILABLE.get() {
            StatusCode::REQUEST_TERMINATED.get()
        } else {
            cause
        };
        REASONS
            .iter()
            .find(|(.., own)| *own == cause)
            .map_or(DiversionReason::Unknown, |(reason, ..)| *reason)
    }
}

/// Diversions that an INVITE, or a 3xx, tells of: the last one first. `Diversion` is believed before `History-Info`.
pub(crate) fn diversions(message: &Message) -> Vec<Diversion> {
    let mut found: Vec<Diversion> = message
        .addresses(HeaderName::Diversion)
        .map(|address| Diversion {
            by: shown(&address),
            reason: address
                .param("reason")
                .map_or(DiversionReason::Unknown, DiversionReason::of),
            private: address
                .param("privacy")
                .is_some_and(|privacy| !privacy.eq_ignore_ascii_case("off")),
        })
        .filter(|diversion| !is_anonymous(&diversion.by))
        .collect();
    if found.is_empty() {
        found = history(message);
    }
    found.truncate(MOST);
    found
}

/// Diversions in `History-Info`, the last one first: an entry with a `cause` in its URI was called instead of the entry that its `mp` or
/// `rc` names, or that stands before it (RFC 7044 §10.3, RFC 7544 §3.2).
fn history(message: &Message) -> Vec<Diversion> {
    let entries: Vec<NameAddr<'_>> = message.addresses(HeaderName::HistoryInfo).collect();
    let mut found = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let Some(cause) = entry.uri.param("cause").and_then(|cause| cause.parse().ok()) else {
            continue;
        };
        let index = entry.param("mp").or_else(|| entry.param("rc"));
        let named = index.and_then(|index| entries.iter().find(|other| other.param("index") == Some(index)));
        let before = at.checked_sub(1).and_then(|before| entries.get(before));
        let Some(by) = named.or(before) else { continue };
        let diversion = Diversion {
            by: shown(by),
            reason: DiversionReason::of_cause(cause),
            private: is_private(by),
        };
        if !is_anonymous(&diversion.by) {
            found.push(diversion);
        }
    }
    found.reverse();
    found
}

/// True for an entry with `Privacy` among the headers of its URI (RFC 7044 §10.1.2).
fn is_private(entry: &NameAddr<'_>) -> bool {
    entry
        .uri
        .header("Privacy")
        .is_some_and(|value| !value.eq_ignore_ascii_case("none"))
}

/// Values of `Diversion`, the last one first. Those of parties that are private say so.
pub(super) fn diversion_values(diversions: &[Diversion], host: &str, all_private: bool) -> Vec<String> {
    diversions
        .iter()
        .filter_map(|diversion| {
            let uri = Uri::sip(Some(&diversion.by.user), host, None).ok()?;
            let privacy = if diversion.private || all_private {
                "full"
            } else {
                "off"
            };
            let address = Address::with_display(&diversion.by.display, uri)
                .with_param("reason", diversion.reason.as_str())
                .with_param("privacy", privacy);
            Some(address.to_string())
        })
        .collect()
}

/// Values of `History-Info`: who was called first, then each party that was called instead, `target` last (RFC 7544 §3.4).
pub(super) fn history_values(
    diversions: &[Diversion],
    target: &Uri,
    host: &str,
    all_private: bool,
) -> Vec<String> {
    let mut values = Vec::new();
    let mut index = String::from("1");
    // Cause for which the next entry was called.
    let mut cause: Option<u16> = None;
    let mut push = |uri: &Uri, display: &str, private: bool, cause: Option<u16>| {
        let uri = match cause.map(|cause| uri.with_param("cause", &cause.to_string())) {
            Some(Ok(uri)) => uri,
            _ => uri.clone(),
        };
        let mut value = String::new();
        if !display.is_empty() && !private {
            let _ = write!(value, "{} ", sip_core::message::quote(display));
        }
        let privacy = if private { "?Privacy=history" } else { "" };
        let _ = write!(value, "<{uri}{privacy}>;index={index}");
        if cause.is_some() {
            let before = index.rsplit_once('.').map_or("1", |(before, _)| before);
            let _ = write!(value, ";mp={before}");
        }
        index.push_str(".1");
        values.push(value);
    };
    for diversion in diversions.iter().rev() {
        let Ok(uri) = Uri::sip(Some(&diversion.by.user), host, None) else {
            continue;
        };
        push(
            &uri,
            &diversion.by.display,
            diversion.private || all_private,
            cause,
        );
        cause = Some(diversion.reason.cause());
    }
    if cause.is_some() {
        push(target, "", false, cause);
    }
    values
}
