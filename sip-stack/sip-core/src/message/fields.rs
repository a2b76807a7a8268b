//! Views of the smaller header fields.

use super::Method;
use super::params::{Params, is_space, is_token, trim};

/// `delta-seconds`: digits only; a number too large for 32 bits counts as the largest (RFC 4475 §3.1.2.4).
pub(super) fn delta_seconds(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX))
}

/// Splits `value;params`.
fn split_params(value: &str) -> (&str, Params<'_>) {
    let (head, params) =
        value.split_at(super::params::find_outside(value, |b| b == b';').unwrap_or(value.len()));
    (trim(head), Params::new(params))
}

/// `CSeq` (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2^31.
    pub number: u32,
    /// The method of the request, also in its responses.
    pub method: Method,
}

impl CSeq {
    /// From a field value.
    #[must_use]
    pub fn parse(value: &str) -> Option<CSeq> {
        let (number, method) = CSeq::split(value)?;
        Some(CSeq {
            number,
            method: Method::new(method),
        })
    }

    pub(super) fn split(value: &str) -> Option<(u32, &str)> {
        let (number, method) = trim(value).split_once(is_space)?;
        let number = delta_seconds(number).filter(|number| *number < 1 << 31)?;
        let method = trim(method);
        is_token(method).then_some((number, method))
    }
}

impl std::fmt::Display for CSeq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// `RAck` (RFC 3262 §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// The `RSeq` of the response that is acknowledged.
    pub rseq: u32,
    /// Its `CSeq`.
    pub cseq: CSeq,
}

impl RAck {
    /// From a field value.
    #[must_use]
    pub fn parse(value: &str) -> Option<RAck> {
        let (rseq, cseq) = trim(value).split_once(is_space)?;
        Some(RAck {
            rseq: rseq.parse().ok()?,
            cseq: CSeq::parse(cseq)?,
        })
    }
}

impl std::fmt::Display for RAck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

/// Side that refreshes a session (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The caller of the refresh transaction.
    Uac,
    /// Its callee.
    Uas,
}

impl Refresher {
    /// As written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Refresher::Uac => "uac",
            Refresher::Uas => "uas",
        }
    }
}

/// `Session-Expires` (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Seconds.
    pub seconds: u32,
    /// Refreshing side, if named.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// From a field value.
    #[must_use]
    pub fn parse(value: &str) -> Option<SessionExpires> {
        let (seconds, params) = split_params(value);
        let refresher = match params.get("refresher") {
            Some(role) if role.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(role) if role.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Some(SessionExpires {
            seconds: delta_seconds(seconds)?,
            refresher,
        })
    }
}

impl std::fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.seconds)?;
        self.refresher
            .map_or(Ok(()), |refresher| write!(f, ";refresher={}", refresher.name()))
    }
}

/// `Replaces` (RFC 3891 §6.1); `Target-Dialog` and `Join` read the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaces<'a> {
    /// Call-ID of the dialog.
    pub call_id: &'a str,
    /// The tag of the `To` field as the receiver of this request sees it: its own.
    pub to_tag: &'a str,
    /// The tag of its peer.
    pub from_tag: &'a str,
    /// Only an early dialog may be replaced.
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    /// From a field value. Each tag is there exactly once.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Replaces<'a>> {
        let (call_id, params) = split_params(value);
        let one = |name: &str, alias: &str| {
            let mut found = params
                .iter()
                .filter(|(other, _)| other.eq_ignore_ascii_case(name) || other.eq_ignore_ascii_case(alias));
            let (_, tag) = found.next()?;
            tag.filter(|_| found.next().is_none())
        };
        let (to_tag, from_tag) = (one("to-tag", "local-tag")?, one("from-tag", "remote-tag")?);
        (!call_id.is_empty()).then_some(Replaces {
            call_id,
            to_tag,
            from_tag,
            early_only: params.has("early-only"),
        })
    }
}

/// A value and its parameters: `Event`, `Subscription-State`, `Content-Disposition`, `Reason` and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// Value before the parameters.
    pub value: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> Token<'a> {
    /// From a field value.
    #[must_use]
    pub fn parse(value: &'a str) -> Token<'a> {
        let (value, params) = split_params(value);
        Token { value, params }
    }

    /// True when the value is this, without regard to case.
    #[must_use]
    pub fn is(&self, value: &str) -> bool {
        self.value.eq_ignore_ascii_case(value)
    }

    /// A parameter: quotes stripped, empty for one without value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.get(name)
    }
}

/// `Retry-After` in seconds, its comment and parameters left out (RFC 3261 §20.33).
pub(super) fn retry_after(value: &str) -> Option<u32> {
    delta_seconds(value.split([' ', '\t', ';', '(']).next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cseq_is_a_number_below_2_to_the_31_and_a_token() {
        assert_eq!(
            CSeq::parse("0009\r\n  INVITE"),
            Some(CSeq {
                number: 9,
                method: Method::Invite
            })
        );
        assert_eq!(
            CSeq::parse("1 x%41").unwrap().method,
            Method::Other("x%41".into())
        );
        assert!(CSeq::parse("2147483647 BYE").is_some());
        for bad in [
            "",
            "1",
            "INVITE 1",
            "2147483648 BYE",
            "36893488147419103232 BYE",
            "-1 BYE",
            "1 B YE",
            "+1 BYE",
            "1BYE",
        ] {
            assert_eq!(CSeq::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_others() {
        assert_eq!(RAck::parse("7 3 INVITE").unwrap().to_string(), "7 3 INVITE");
        let se = SessionExpires::parse("1800 ; Refresher=UAC").unwrap();
        assert_eq!(
            (se.seconds, se.refresher, se.to_string().as_str()),
            (1800, Some(Refresher::Uac), "1800;refresher=uac")
        );
        let replaces = Replaces::parse("a@b;to-tag=1;from-tag=2;early-only").unwrap();
        assert_eq!(
            replaces,
            Replaces {
                call_id: "a@b",
                to_tag: "1",
                from_tag: "2",
                early_only: true
            }
        );
        for bad in [
            "a@b;to-tag=1",
            "a@b;to-tag=1;from-tag=2;to-tag=3",
            "a@b;to-tag=1;from-tag=2;local-tag=1",
        ] {
            assert_eq!(Replaces::parse(bad), None, "{bad}");
        }
        assert_eq!(
            Replaces::parse("a;local-tag=1;remote-tag=2").unwrap().from_tag,
            "2"
        );
        let reason = Token::parse("Q.850 ;cause=16;text=\"Normal; clearing\"");
        assert!(reason.is("q.850"));
        assert_eq!(
            (reason.param("cause"), reason.param("text")),
            (Some("16"), Some("Normal; clearing"))
        );
        assert_eq!(retry_after("120 (meeting);duration=3600"), Some(120));
        assert_eq!(delta_seconds("99999999999999999999"), Some(u32::MAX));
        assert_eq!(delta_seconds("-1"), None);
    }
}
