//! Plain words: the meaning of an error of the network or of a SIP status for a trunk, and the remedy.

use sip_core::message::{Message, StatusClass, StatusCode};

use super::finding::Grade;

/// Remedy, where a connection cannot be opened for this reason.
pub(super) fn of_connection(reason: &str) -> &'static str {
    const KNOWN: [(&str, &str); 10] = [
        (
            "refused",
            "nobody listens there: check the port in `address`, and `transport`",
        ),
        (
            "not finished in",
            "nothing answers there: check `address`, and whether a firewall lets this gateway out",
        ),
        (
            "unreachable",
            "there is no way to that address: check `address` and this host's network",
        ),
        (
            "UnknownIssuer",
            "its certificate comes from an authority that this host does not know: name the carrier's authority with `ca`",
        ),
        (
            "not valid for name",
            "its certificate is for another name: use that name in `address`, or say it with `tls_name`",
        ),
        (
            "NotValidForName",
            "its certificate is for another name: use that name in `address`, or say it with `tls_name`",
        ),
        (
            "xpired",
            "its certificate has expired, or the clock of this host is wrong",
        ),
        (
            "NotValidYet",
            "its certificate is not valid yet: the clock of this host is wrong",
        ),
        (
            "CertificateRequired",
            "it wants a certificate of ours: set `certificate` and `key`",
        ),
        (
            "fatal alert",
            "it ended the handshake: it may want a certificate of ours (`certificate`, `key`), or not know this gateway's address",
        ),
    ];
    let known = KNOWN.iter().find(|(word, _)| reason.contains(word));
    known.map_or("check `address` and `transport`", |(_, right)| right)
}

/// Grade of the answer to OPTIONS, and the remedy.
pub(super) fn of_options(code: StatusCode) -> (Grade, &'static str) {
    match code {
        StatusCode::FORBIDDEN => (
            Grade::Doubtful,
            "it does not know this gateway: have the carrier allow its public address",
        ),
        _ if code.class() == StatusClass::ServerError => {
            (Grade::Doubtful, "it is there and serves nobody at the moment")
        }
        // Any other answer shows that it is there (RFC 3261 §11.2), 401 and 405 among them.
        _ => (Grade::Good, ""),
    }
}

/// Grade of the answer to REGISTER with credentials, and the remedy.
pub(super) fn of_registration(response: &Message, code: StatusCode) -> (Grade, &'static str) {
    match code {
        _ if code.is_success() => (Grade::Good, ""),
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => (
            Grade::Wrong,
            "`username` or `password` is wrong (some carriers have a user name for digest that is not the number)",
        ),
        StatusCode::FORBIDDEN => (
            Grade::Wrong,
            "refused for good: `password`, `register.user` or `register.registrar` is wrong, or the account is locked",
        ),
        StatusCode::NOT_FOUND => (
            Grade::Wrong,
            "it does not know the user at that domain: check `register.user` and `register.registrar`",
        ),
        StatusCode::SERVICE_UNAVAILABLE if response.retry_after().is_some() => (
            Grade::Doubtful,
            "it is busy; the gateway tries again when it is told to",
        ),
        _ if code.class() == StatusClass::ServerError => (
            Grade::Wrong,
            "the registrar has a fault; the gateway tries again by itself",
        ),
        // A registrar need not answer a question about what is registered.
        _ => (
            Grade::Doubtful,
            "it does not say what is registered; `--call NUMBER` registers for real",
        ),
    }
}

/// Remedy, where a call ended with this status.
pub(super) fn of_call(code: StatusCode) -> &'static str {
    match code.into() {
        401 | 407 => "`username` or `password` is wrong, or missing",
        402 => "the account has no credit",
        403 => {
            "refused: the number in `caller_id` is not one of the trunk's, the carrier wants `identity` headers or a registration, or \
             the destination is barred"
        }
        404 | 484 | 604 => "the number is not one: try the form that the carrier wants, such as +4930123456",
        408 | 504 => "nobody answered in time: check `address` and the firewall",
        480 | 486 | 487 | 600 | 603 => {
            "the carrier took the call; the called party did not. Try another number"
        }
        488 | 606 => "codecs or encryption do not fit: check `codecs` and `srtp`",
        415 => "the carrier does not take our session description",
        420 | 421 => "the carrier and we do not agree on an extension of SIP",
        422 => "the carrier wants longer session intervals: check `session_expires`",
        483 => "the call went in circles: does the carrier send it back to us?",
        503 => "no capacity at the carrier, or too many calls at once",
        _ => "ask the carrier, with the Call-ID",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_connections_say_what_would_be_right() {
        for (reason, right) in [
            ("Connection refused (os error 111)", "check the port"),
            ("connection not finished in 5 s", "firewall"),
            ("invalid peer certificate: UnknownIssuer", "`ca`"),
            (
                "invalid peer certificate: certificate not valid for name \"a\"",
                "`tls_name`",
            ),
            ("invalid peer certificate: Expired", "expired"),
            (
                "received fatal alert: CertificateRequired",
                "`certificate` and `key`",
            ),
            ("received fatal alert: HandshakeFailure", "ended the handshake"),
            ("something else", "`transport`"),
        ] {
            assert!(
                of_connection(reason).contains(right),
                "{reason}: {}",
                of_connection(reason)
            );
        }
    }

    #[test]
    fn statuses_of_calls_say_what_would_be_right() {
        for (code, right) in [
            (403, "caller_id"),
            (488, "srtp"),
            (404, "number"),
            (486, "called party"),
            (599, "Call-ID"),
        ] {
            let code = StatusCode::try_from(code).expect("a status");
            assert!(of_call(code).contains(right), "{code:?}");
        }
    }
}
