//! The caller of an INVITE, as shown to those who are called, and as known.

use sip_core::message::{HeaderName, Message, NameAddr};

use super::diversion::diversions;
use super::{Identity, IdentityPolicy, Privacy, UserToUser};
use crate::dial::Caller;
use crate::directory::Directory;
use crate::event::Source;
use crate::incoming::user_of;

/// User part and display name of a caller who is not shown (RFC 3323 §4.1.1.3).
pub(super) const ANONYMOUS: &str = "anonymous";

/// Trust in the sender of an INVITE.
pub(crate) enum Sender<'a> {
    /// A user of ours, with the name that the others see.
    User { name: &'a str, display: &'a str },
    /// A trunk.
    Trunk {
        trusted: bool,
        policy: &'a IdentityPolicy,
    },
    /// Whoever calls a client.
    Anyone,
}

impl<'a> Sender<'a> {
    /// Trust in a source that proved itself. The authenticated user determines what the others see.
    pub(crate) fn of(directory: &'a Directory, source: &'a Source) -> Sender<'a> {
        match source {
            Source::User(name) => Sender::User {
                name,
                display: directory.user(name).map_or("", |user| &user.display),
            },
            Source::Trunk(name) => directory
                .trunk(name)
                .map_or(Sender::Anyone, |trunk| Sender::Trunk {
                    trusted: trunk.trusted,
                    policy: &trunk.identity,
                }),
            Source::Anyone => Sender::Anyone,
        }
    }
}

/// The caller of an INVITE as shown, and what is known of the caller beside.
///
/// A trusted trunk vouches for its callers in `P-Asserted-Identity`, where `From` may be the number of the trunk's own line or anonymous
/// (RFC 3325 §9.1), or in `Remote-Party-ID`. A caller may ask for privacy: `Privacy: id` keeps the asserted identity from phones (§7), and
/// `user` or `header` hides `From` as well (RFC 3323 §5.3). A user of ours is known by the directory; one who asks for privacy in
/// any way is not shown.
pub(crate) fn read(request: &Message, sender: &Sender<'_>) -> (Caller, Identity) {
    let mut identity = Identity {
        privacy: Privacy::of(request),
        ..Identity::default()
    };
    let from = shown(&request.from());
    let caller = match sender {
        Sender::User { name, display } => {
            let display = match display.is_empty() {
                true => from.display,
                false => (*display).to_owned(),
            };
            identity.user_to_user = UserToUser::of(request);
            let caller = Caller {
                user: (*name).to_owned(),
                display,
            };
            identity.asserted = Some(caller.clone());
            if from.user.eq_ignore_ascii_case(ANONYMOUS) && from.user != *name {
                identity.privacy.from = true;
            }
            identity.privacy.from |= identity.privacy.id;
            caller
        }
        Sender::Trunk { trusted, policy } => {
            if policy.user_to_user {
                identity.user_to_user = UserToUser::of(request);
            }
            if !trusted {
                from
            } else {
                identity.diversions = diversions(request);
                identity.charged = charged(request);
                let asserted = asserted(request, &mut identity.privacy).map(|caller| named(caller, &from));
                let caller = match &asserted {
                    Some(caller) if !identity.privacy.id => caller.clone(),
                    _ => from.clone(),
                };
                identity.asserted = asserted.or(Some(from)).filter(|caller| !is_anonymous(caller));
                caller
            }
        }
        Sender::Anyone => from,
    };
    let caller = if identity.privacy.from {
        anonymous()
    } else {
        caller
    };
    (caller, identity)
}

/// User whom a request claims to be from: `None` for an anonymous one, whose credentials alone say it, unless it names its user
/// for us (`P-Preferred-Identity`, RFC 3325 §9.2; JsSIP and SIP.js do).
pub(crate) fn claimed_user(request: &Message) -> Option<String> {
    let from = request.from();
    let user = user_of(from.uri);
    let is_anonymous = user.eq_ignore_ascii_case(ANONYMOUS)
        && from
            .uri
            .host()
            .is_some_and(|host| host.to_string().eq_ignore_ascii_case("anonymous.invalid"));
    if !is_anonymous {
        return Some(user);
    }
    let preferred = request.addresses(HeaderName::PPreferredIdentity).next();
    preferred
        .map(|address| user_of(address.uri))
        .filter(|user| !user.is_empty())
}

/// Caller that a trusted peer vouches for. Of two identities that of a SIP URI may have a name beside it, and comes first.
fn asserted(request: &Message, privacy: &mut Privacy) -> Option<Caller> {
    let mut asserted: Vec<NameAddr<'_>> = request.addresses(HeaderName::PAssertedIdentity).collect();
    asserted.sort_by_key(|address| !address.uri.is_sip());
    let caller = asserted.iter().map(shown).find(|caller| !caller.user.is_empty());
    caller.or_else(|| {
        let remote = request.addresses(HeaderName::RemotePartyId).find(|address| {
            address
                .param("party")
                .is_none_or(|party| party.eq_ignore_ascii_case("calling"))
        })?;
        // draft-ietf-sip-privacy-04 §5.1.2: `full`, `uri` and `name`; `off` is the default.
        privacy.id |= remote.param("privacy").is_some_and(|privacy| {
            privacy.eq_ignore_ascii_case("full") || privacy.eq_ignore_ascii_case("uri")
        });
        Some(shown(&remote)).filter(|caller| !caller.user.is_empty())
    })
}

/// An asserted caller with the name that `From` has for the same number, if it has none itself.
fn named(caller: Caller, from: &Caller) -> Caller {
    if caller.display.is_empty() && caller.user == from.user {
        from.clone()
    } else {
        caller
    }
}

/// Number that is charged (RFC 8496).
fn charged(request: &Message) -> Option<String> {
    let charged = request.addresses(HeaderName::PChargeInfo).next()?;
    Some(user_of(charged.uri)).filter(|user| !user.is_empty())
}

/// A caller who is not shown.
pub(crate) fn anonymous() -> Caller {
    Caller {
        user: ANONYMOUS.into(),
        display: "Anonymous".into(),
    }
}

/// True for a caller without a name or number.
pub(crate) fn is_anonymous(caller: &Caller) -> bool {
    caller.user.is_empty() || caller.user.eq_ignore_ascii_case(ANONYMOUS)
}

pub(super) fn shown(address: &NameAddr<'_>) -> Caller {
    Caller {
        user: user_of(address.uri),
        display: address.display_name().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn of(from: &str, lines: &str, trusted: bool) -> (String, String) {
        let text = format!(
            "INVITE sip:1001@gw SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: {from};tag=1\r\n\
             To: <sip:1001@gw>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:a@h>\r\n{lines}Content-Length: 0\r\n\r\n"
        );
        let policy = IdentityPolicy::default();
        let sender = Sender::Trunk {
            trusted,
            policy: &policy,
        };
        let (caller, _) = read(&Message::parse(Bytes::from(text)).unwrap(), &sender);
        (caller.user, caller.display)
    }

    fn is(user: &str, display: &str) -> (String, String) {
        (user.to_owned(), display.to_owned())
    }

    const TRUNK: &str = "\"Trunk\" <sip:trunk77@carrier.example>";
    const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    const REAL: &str =
        "P-Asserted-Identity: \"Real Caller\" <sip:+4940555;cpc=ordinary@carrier.example;user=phone>\r\n";

    #[test]
    fn an_asserted_identity_counts_from_who_is_trusted() {
        assert_eq!(of(TRUNK, REAL, true), is("+4940555", "Real Caller"));
        assert_eq!(of(TRUNK, REAL, false), is("trunk77", "Trunk"));
        assert_eq!(
            of(ANONYMOUS, "P-Asserted-Identity: <tel:+4940555>\r\n", true),
            is("+4940555", "")
        );
        let both = "P-Asserted-Identity: <tel:+4940555>, \"R\" <sip:+4940556@ims.example>\r\n";
        assert_eq!(of(TRUNK, both, true), is("+4940556", "R"));
        assert_eq!(
            of(TRUNK, "P-Asserted-Identity: <sip:ims.example>\r\n", true),
            is("trunk77", "Trunk")
        );
        let named = "\"Miller\" <sip:+4940555@carrier.example>";
        assert_eq!(
            of(named, "P-Asserted-Identity: <tel:+4940555>\r\n", true),
            is("+4940555", "Miller")
        );
    }

    #[test]
    fn privacy_is_kept() {
        assert_eq!(
            of(ANONYMOUS, &format!("{REAL}Privacy: id\r\n"), true),
            is("anonymous", "Anonymous")
        );
        assert_eq!(
            of(TRUNK, &format!("{REAL}Privacy: critical; ID\r\n"), true),
            is("trunk77", "Trunk")
        );
        assert_eq!(
            of(TRUNK, &format!("{REAL}Privacy: none\r\n"), true),
            is("+4940555", "Real Caller")
        );
        assert_eq!(
            of(TRUNK, &format!("{REAL}Privacy: user;id\r\n"), true),
            is("anonymous", "Anonymous")
        );
        assert_eq!(
            of(TRUNK, "Privacy: header\r\n", false),
            is("anonymous", "Anonymous")
        );
    }
}
