//! Identity of a caller, as shown to those who are called.

use sip_core::message::{HeaderName, Message, NameAddr};

use crate::dial::Caller;
use crate::incoming::user_of;

/// The caller of an INVITE. A trusted peer vouches for its identity in `P-Asserted-Identity`, where `From`
/// may be the number of the peer's own line or anonymous (RFC 3325 §9.1); of two identities, that of a SIP
/// URI may have a name beside it, and comes first. A caller may ask for privacy: `Privacy: id` keeps the
/// asserted identity from phones (§7), and `user` or `header` hides `From` as well (RFC 3323 §5.3).
pub(crate) fn caller(request: &Message, trusted: bool) -> Caller {
    let wants = |what: &str| {
        request
            .lines(HeaderName::Privacy)
            .flat_map(|line| line.split([';', ',']))
            .any(|value| value.trim().eq_ignore_ascii_case(what))
    };
    if wants("user") || wants("header") {
        return Caller {
            user: "anonymous".into(),
            display: "Anonymous".into(),
        };
    }
    let from = shown(&request.from());
    if !trusted || wants("id") {
        return from;
    }
    let mut asserted: Vec<NameAddr<'_>> = request.addresses(HeaderName::PAssertedIdentity).collect();
    asserted.sort_by_key(|address| !address.uri.is_sip());
    let identity = asserted.iter().map(shown).find(|caller| !caller.user.is_empty());
    match identity {
        Some(caller) if caller.display.is_empty() && caller.user == from.user => from,
        Some(caller) => caller,
        None => from,
    }
}

fn shown(address: &NameAddr<'_>) -> Caller {
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
        let caller = caller(&Message::parse(Bytes::from(text)).unwrap(), trusted);
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
