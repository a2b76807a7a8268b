//! Content of a REFER (RFC 3515), parsed and checked once.

use super::{HeaderName, Message, NameAddr, Replaces, StatusCode};
use crate::uri::{Scheme, Uri, unescape};

/// Request of a REFER: a call to somebody, in place of the party that asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Referral {
    /// Party to be called: scheme, user, host and port.
    pub target: Uri,
    /// The call that the new one takes the place of.
    pub replaces: Option<ReplacedDialog>,
    /// True if the peer wants reports of progress (`Refer-Sub`, RFC 4488; `nosub`, RFC 7614).
    pub subscribes: bool,
    /// `Referred-By` as written (RFC 3892).
    pub referred_by: Option<String>,
    /// Credentials of the request, as written.
    pub credentials: Vec<(String, String)>,
}

/// The dialog that a `Replaces` names (RFC 3891), owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacedDialog {
    /// Its Call-ID.
    pub call_id: String,
    /// Tag of the party that receives the INVITE with this `Replaces`.
    pub to_tag: String,
    /// The tag of the other side.
    pub from_tag: String,
    /// Only while it is early.
    pub early_only: bool,
}

impl Referral {
    /// Reads a REFER.
    ///
    /// # Errors
    /// Status code to refuse it with: 400 if `Refer-To` or a part of it is missing, malformed or repeated
    /// (RFC 3515 §2.4.1), 416 if nobody can be called at such a URI, 603 if it asks for something else than a call.
    pub fn read(request: &Message) -> Result<Referral, StatusCode> {
        let mut fields = request.lines(HeaderName::ReferTo);
        let (Some(value), None) = (fields.next(), fields.next()) else {
            return Err(StatusCode::BAD_REQUEST);
        };
        let to = NameAddr::parse(value).ok_or(StatusCode::BAD_REQUEST)?;
        let uri = to.uri;
        if !matches!(uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel) {
            return Err(StatusCode::UNSUPPORTED_URI_SCHEME);
        }
        let method = uri.param("method").or(to.param("method"));
        if method.is_some_and(|method| !method.eq_ignore_ascii_case("INVITE")) {
            return Err(StatusCode::DECLINE);
        }
        let subscribes = match request.token(HeaderName::ReferSub) {
            Some(token) if token.value.eq_ignore_ascii_case("false") => false,
            Some(token) if token.value.eq_ignore_ascii_case("true") => true,
            Some(_) => return Err(StatusCode::BAD_REQUEST),
            None => true,
        };
        let forbids = request.lists(HeaderName::Require, "nosub");
        Ok(Referral {
            target: uri.to_uri().bare(),
            replaces: replaces(uri.headers().unwrap_or_default())?,
            subscribes: subscribes && !forbids,
            referred_by: request.header(HeaderName::ReferredBy).map(str::to_owned),
            credentials: request.credentials(),
        })
    }
}

/// The one `Replaces` among the headers of a URI.
fn replaces(headers: &str) -> Result<Option<ReplacedDialog>, StatusCode> {
    let mut found = headers
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            name.eq_ignore_ascii_case("Replaces").then_some(value)
        });
    let Some(value) = found.next() else {
        return Ok(None);
    };
    if found.next().is_some() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let value = unescape(value).ok_or(StatusCode::BAD_REQUEST)?;
    let dialog = Replaces::parse(&value).ok_or(StatusCode::BAD_REQUEST)?;
    Ok(Some(ReplacedDialog {
        call_id: dialog.call_id.to_owned(),
        to_tag: dialog.to_tag.to_owned(),
        from_tag: dialog.from_tag.to_owned(),
        early_only: dialog.early_only,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Result<Referral, StatusCode> {
        let text = format!(
            "REFER sip:gw@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n\
             To: <sip:b@x>;tag=2\r\nCall-ID: c\r\nCSeq: 2 REFER\r\nMax-Forwards: 70\r\n{lines}\r\n"
        );
        Referral::read(&Message::parse(bytes::Bytes::from(text)).unwrap())
    }

    #[test]
    fn as_jssip_and_sip_js_write_it() {
        let blind =
            read("Refer-To: <sip:1002@example.com>\r\nReferred-By: <sip:alice@example.com>\r\n").unwrap();
        assert_eq!(blind.target.as_str(), "sip:1002@example.com");
        assert_eq!(
            (blind.replaces, blind.subscribes, blind.referred_by.as_deref()),
            (None, true, Some("<sip:alice@example.com>"))
        );
        let attended = read(
            "r: \"Bob\" <sip:bob@192.0.2.1:5060;transport=ws?Replaces=k1%40192.0.2.1%3Bto-tag%3Daa%3Bfrom-tag%3Dbb>\r\n\
             Refer-Sub: false\r\n",
        )
        .unwrap();
        let dialog = ReplacedDialog {
            call_id: "k1@192.0.2.1".into(),
            to_tag: "aa".into(),
            from_tag: "bb".into(),
            early_only: false,
        };
        assert_eq!(attended.target.headers(), None);
        assert_eq!((attended.replaces, attended.subscribes), (Some(dialog), false));
        let silent = read("Refer-To: <sip:1002@example.com>\r\nRequire: nosub\r\n").unwrap();
        assert!(!silent.subscribes, "RFC 7614 §5");
        assert_eq!(
            read("Refer-To: tel:+15551234\r\n").unwrap().target.as_str(),
            "tel:+15551234"
        );
    }

    #[test]
    fn what_cannot_be_followed_is_refused_by_its_own_code() {
        let refused = [
            ("", StatusCode::BAD_REQUEST),
            ("Refer-To: \r\n", StatusCode::BAD_REQUEST),
            ("Refer-To: <sip:a@x\r\n", StatusCode::BAD_REQUEST),
            ("Refer-To: <sip:a@x>, <sip:b@x>\r\n", StatusCode::BAD_REQUEST),
            ("Refer-To: <sip:a@x>\r\nr: <sip:b@x>\r\n", StatusCode::BAD_REQUEST),
            ("Refer-To: <sip:a@x?Replaces=c>\r\n", StatusCode::BAD_REQUEST),
            ("Refer-To: <sip:a@x?Replaces>\r\n", StatusCode::BAD_REQUEST),
            (
                "Refer-To: <sip:a@x?Replaces=%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n",
                StatusCode::BAD_REQUEST,
            ),
            (
                "Refer-To: <sip:a@x?Replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2&replaces=d%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n",
                StatusCode::BAD_REQUEST,
            ),
            (
                "Refer-To: <sip:a@x>\r\nRefer-Sub: perhaps\r\n",
                StatusCode::BAD_REQUEST,
            ),
            (
                "Refer-To: <https://example.com/>\r\n",
                StatusCode::UNSUPPORTED_URI_SCHEME,
            ),
            (
                "Refer-To: <urn:service:sos>\r\n",
                StatusCode::UNSUPPORTED_URI_SCHEME,
            ),
            ("Refer-To: <sip:a@x;method=BYE>\r\n", StatusCode::DECLINE),
        ];
        for (lines, code) in refused {
            assert_eq!(read(lines), Err(code), "{lines}");
        }
    }
}
