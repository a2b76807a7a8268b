//! A caller in our INVITE: `From`, and what else the called side is told.

use sip_core::endpoint::Headers;
use sip_core::message::Address;
use sip_core::uri::{Uri, escape_user};

use super::caller::{ANONYMOUS, is_anonymous};
use super::diversion::{diversion_values, history_values};
use super::{AssertedIn, DiversionIn, Identity, IdentityPolicy};
use crate::dial::Caller;
use crate::numbers::TrunkNumbers;

/// Side that an INVITE of ours goes to.
pub(crate) enum Side<'a> {
    /// A user's phone or browser, or a peer of the dial plan.
    Phone,
    /// A trunk.
    Trunk {
        policy: &'a IdentityPolicy,
        trusted: bool,
        numbers: &'a TrunkNumbers,
    },
}

/// A caller as an INVITE of ours presents it.
pub(crate) struct Presentation {
    /// `From`.
    pub(crate) from: Address,
    /// User part of our `Contact`.
    pub(crate) contact_user: String,
    /// Headers beside.
    pub(crate) headers: Headers,
}

impl Presentation {
    /// Presents `caller` to `side`. `identity` is that of the call if `caller` is its caller; `host` is ours in that place, `target` the
    /// URI that is called.
    pub(crate) fn new(
        caller: &Caller,
        identity: &Identity,
        side: &Side<'_>,
        (host, target): (&str, &Uri),
    ) -> Presentation {
        let written;
        let (caller, identity) = match side {
            Side::Trunk { numbers, .. } if numbers.are_rewritten() => {
                written = (in_form(caller, numbers), identity_in_form(identity, numbers));
                (&written.0, &written.1)
            }
            _ => (caller, identity),
        };
        let anonymous = || Uri::sip(Some(ANONYMOUS), "anonymous.invalid", None);
        let own = || Uri::sip(Some(&caller.user), host, None);
        let uri = match side {
            // RFC 3323 §4.1.1.3: no host that could be ours.
            Side::Trunk { .. } if caller.user.eq_ignore_ascii_case(ANONYMOUS) => anonymous(),
            _ => own().or_else(|_| anonymous()),
        };
        let headers = match side {
            Side::Phone => verified(caller, identity, host)
                .chain(user_to_user(identity))
                .collect(),
            Side::Trunk { policy, trusted, .. } => {
                let mut headers = asserted(caller, identity, policy, host);
                headers.extend(diverted(identity, policy, (host, target)));
                if policy.user_to_user {
                    headers.extend(user_to_user(identity));
                }
                let charged = policy
                    .charge
                    .as_ref()
                    .or(identity.charged.as_ref().filter(|_| *trusted));
                let charged = charged.and_then(|number| Uri::sip(Some(number), host, None).ok());
                headers.extend(charged.map(|uri| ("P-Charge-Info".to_owned(), format!("<{uri}>"))));
                headers
            }
        };
        Presentation {
            from: Address::with_display(&caller.display, uri.unwrap_or_else(|_| target.bare())),
            contact_user: caller.user.clone(),
            headers,
        }
    }
}

/// A caller with its number in the form that a trunk wants.
fn in_form(caller: &Caller, numbers: &TrunkNumbers) -> Caller {
    Caller {
        user: numbers.shown(&caller.user).into_owned(),
        display: caller.display.clone(),
    }
}

/// An identity with its numbers in the form that a trunk wants.
fn identity_in_form(identity: &Identity, numbers: &TrunkNumbers) -> Identity {
    let mut identity = identity.clone();
    identity.asserted = identity.asserted.map(|caller| in_form(&caller, numbers));
    for diversion in &mut identity.diversions {
        diversion.by = in_form(&diversion.by, numbers);
    }
    identity
}

/// Headers that name the caller beside `From`, and keep it private where that was asked for.
fn asserted(caller: &Caller, identity: &Identity, policy: &IdentityPolicy, host: &str) -> Headers {
    if policy.asserted_in.is_empty() {
        return Headers::new();
    }
    let mut headers = Headers::new();
    let known = identity.asserted.as_ref().filter(|known| !is_anonymous(known));
    let is_private = identity.privacy.id || identity.privacy.from;
    if let Some(known) = known
        && let Ok(uri) = Uri::sip(Some(&known.user), host, None)
    {
        let address = Address::with_display(&known.display, uri);
        for header in &policy.asserted_in {
            headers.push(match header {
                AssertedIn::PAssertedIdentity => ("P-Asserted-Identity".to_owned(), address.to_string()),
                AssertedIn::PPreferredIdentity => ("P-Preferred-Identity".to_owned(), address.to_string()),
                AssertedIn::RemotePartyId => {
                    let privacy = if is_private { "full" } else { "off" };
                    let address = address
                        .clone()
                        .with_param("party", "calling")
                        .with_param("screen", "yes")
                        .with_param("privacy", privacy);
                    ("Remote-Party-ID".to_owned(), address.to_string())
                }
            });
        }
    }
    let is_anonymous = is_anonymous(caller);
    let mut privacy = identity.privacy;
    privacy.id |= is_anonymous;
    headers.extend(privacy.value().map(|value| ("Privacy".to_owned(), value)));
    headers
}

/// `P-Asserted-Identity` that tells a phone the verdict on the caller's number (ATIS-1000074 §5.3.3), where the caller is shown.
fn verified(caller: &Caller, identity: &Identity, host: &str) -> impl Iterator<Item = (String, String)> {
    let is_private = identity.privacy.id || identity.privacy.from || is_anonymous(caller);
    let verdict = identity.verdict.as_ref().filter(|_| !is_private);
    let address = verdict.and_then(|verdict| {
        // The parameter is one of the number, and so inside of the user part (RFC 3261 §19.1.6).
        let user = format!(
            "{};verstat={}",
            escape_user(&caller.user).replace(';', "%3B"),
            verdict.verstat()
        );
        let uri = Uri::parse(&format!("sip:{user}@{}", bracketed(host))).ok()?;
        let uri = uri.with_param("user", "phone").ok()?;
        Some(Address::with_display(&caller.display, uri).to_string())
    });
    address
        .map(|address| ("P-Asserted-Identity".to_owned(), address))
        .into_iter()
}

/// A host as it stands in a URI.
fn bracketed(host: &str) -> String {
    match host.parse::<std::net::Ipv6Addr>() {
        Ok(ip) => format!("[{ip}]"),
        Err(_) => host.to_owned(),
    }
}

/// Headers that name those who diverted the call.
fn diverted(identity: &Identity, policy: &IdentityPolicy, (host, target): (&str, &Uri)) -> Headers {
    let all_private = identity.privacy.history || identity.privacy.from;
    let diversion = || diversion_values(&identity.diversions, host, all_private);
    let history = || history_values(&identity.diversions, target, host, all_private);
    let (diversion, history) = match policy.diversion_in {
        DiversionIn::Neither => (Vec::new(), Vec::new()),
        DiversionIn::Diversion => (diversion(), Vec::new()),
        DiversionIn::HistoryInfo => (Vec::new(), history()),
        DiversionIn::Both => (diversion(), history()),
    };
    let named = |name: &'static str| move |value| (name.to_owned(), value);
    diversion
        .into_iter()
        .map(named("Diversion"))
        .chain(history.into_iter().map(named("History-Info")))
        .collect()
}

fn user_to_user(identity: &Identity) -> impl Iterator<Item = (String, String)> + '_ {
    let values = identity.user_to_user.values().iter();
    values.map(|value| ("User-to-User".to_owned(), value.clone()))
}
