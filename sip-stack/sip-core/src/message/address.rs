use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::params::{self, Params, class, find_octet, find_outside, is_quoted_string, trim};
use crate::uri::{Uri, UriRef};

/// `name-addr` or `addr-spec` with parameters: the value of `From`, `To`, `Contact`, `Route`, `Refer-To` and others
/// (RFC 3261 §20.10).
#[derive(Clone, Copy, Debug)]
pub struct NameAddr<'a> {
    /// The display name as written, quotes and escapes included; empty when there is none.
    pub display: &'a str,
    /// The URI.
    pub uri: UriRef<'a>,
    /// Parameters of the field, not of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// One value, no list. Without angle brackets the parameters belong to the field and the URI may have neither `?` nor
    /// `,` (RFC 3261 §20.10).
    #[must_use]
    pub fn parse(value: &'a str) -> Option<NameAddr<'a>> {
        let value = trim(value);
        let (display, uri, rest) = match find_open(value) {
            Some(open) => {
                let close = open + find_octet(&value[open..], b'>')?;
                (trim(&value[..open]), &value[open + 1..close], &value[close + 1..])
            }
            None => {
                let end = find_octet(value, b';').unwrap_or(value.len());
                let uri = trim(&value[..end]);
                if uri.bytes().any(|byte| matches!(byte, b'?' | b',')) {
                    return None;
                }
                ("", uri, &value[end..])
            }
        };
        let params = Params::new(trim(rest));
        if !display_ok(display) || !params.is_well_formed() {
            return None;
        }
        Some(NameAddr {
            display,
            uri: UriRef::parse(uri).ok()?,
            params,
        })
    }

    /// The display name without quotes, escapes resolved.
    #[must_use]
    pub fn display_name(&self) -> Cow<'a, str> {
        params::unquote(self.display)
    }

    /// The `tag` parameter. RFC 2543 peers send none.
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        self.param("tag").filter(|tag| !tag.is_empty())
    }

    /// A parameter of the field: quotes stripped, empty for one without value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.get(name)
    }

    /// A copy that owns its text.
    #[must_use]
    pub fn to_owned(&self) -> Address {
        Address {
            display: self.display_name().into_owned(),
            uri: self.uri.to_uri(),
            params: self.params.as_str().to_owned(),
        }
    }
}

/// Position of the `<` that begins the URI: behind a quoted display name, or before any parameter.
fn find_open(value: &str) -> Option<usize> {
    let from = if value.starts_with('"') {
        // behind the closing quote; without one there is no URI at all
        find_outside(value, |b| b"<>;,: ".contains(&b)).or_else(|| value.rfind('"').map(|end| end + 1))?
    } else {
        0
    };
    let open = from + find_octet(&value[from..], b'<')?;
    // `sip:a@b;x="<y>"` has its bracket in a parameter
    (from > 0 || find_octet(&value[..open], b';').is_none()).then_some(open)
}

/// A quoted string, or words. More than tokens pass, since phones write `Front desk (2)`; `,`, `;` and quotes do not.
fn display_ok(display: &str) -> bool {
    class::all(display, class::DISPLAY) || is_quoted_string(display)
}

impl fmt::Display for NameAddr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.display.is_empty() {
            write!(f, "{} ", self.display)?;
        }
        write!(f, "<{}>{}", self.uri, self.params.as_str())
    }
}

/// An address that owns its text, to be written into a message with `{}`. The display name is plain text: it is quoted and
/// escaped when written.
#[derive(Clone, Debug)]
pub struct Address {
    /// Plain text, empty for none.
    pub display: String,
    /// The URI; written in angle brackets always.
    pub uri: Uri,
    /// Field parameters as written, from the first `;` on; empty for none.
    pub params: String,
}

impl Address {
    /// A URI alone.
    #[must_use]
    pub fn new(uri: Uri) -> Address {
        Address {
            display: String::new(),
            uri,
            params: String::new(),
        }
    }

    /// A URI with a display name.
    #[must_use]
    pub fn with_display(display: impl Into<String>, uri: Uri) -> Address {
        Address {
            display: display.into(),
            uri,
            params: String::new(),
        }
    }

    /// With `;name=value`, in place of a parameter of the same name. The value must be a token or quoted already; an empty
    /// one makes a parameter without value.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: &str) -> Address {
        let mut kept = String::new();
        let others = Params::new(&self.params)
            .iter()
            .filter(|(key, _)| !key.eq_ignore_ascii_case(name));
        for (key, value) in others.chain([(name, (!value.is_empty()).then_some(value))]) {
            kept.push(';');
            kept.push_str(key);
            if let Some(value) = value {
                kept.push('=');
                kept.push_str(value);
            }
        }
        self.params = kept;
        self
    }

    /// With this `tag`.
    #[must_use]
    pub fn with_tag(self, tag: &str) -> Address {
        self.with_param("tag", tag)
    }

    /// The `tag` parameter.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        Params::new(&self.params).get("tag").filter(|tag| !tag.is_empty())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.display.is_empty() {
            write!(f, "{} ", params::quote(&self.display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// One value of a `Contact` field.
#[derive(Clone, Copy, Debug)]
pub enum Contact<'a> {
    /// `*`: every binding (RFC 3261 §10.2.2).
    Star,
    /// An address with what RFC 3261 §20.10 and RFC 5626 attach to it.
    Address(NameAddr<'a>),
}

impl<'a> Contact<'a> {
    /// One value, no list.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Contact<'a>> {
        match trim(value) {
            "*" => Some(Contact::Star),
            value => NameAddr::parse(value).map(Contact::Address),
        }
    }

    /// The address, unless it is `*`.
    #[must_use]
    pub fn address(&self) -> Option<NameAddr<'a>> {
        match self {
            Contact::Star => None,
            Contact::Address(address) => Some(*address),
        }
    }

    /// The URI, unless it is `*`.
    #[must_use]
    pub fn uri(&self) -> Option<UriRef<'a>> {
        self.address().map(|address| address.uri)
    }

    fn param(&self, name: &str) -> Option<&'a str> {
        self.address()?.param(name)
    }

    /// `q` in thousandths, 0 to 1000.
    #[must_use]
    pub fn q(&self) -> Option<u16> {
        let value = self.param("q")?;
        let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
        if !matches!(whole, "0" | "1") || fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
        Some(if whole == "1" { 1000 } else { fraction })
    }

    /// `expires` in seconds; a number too large for 32 bits counts as the largest.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        super::fields::delta_seconds(self.param("expires")?)
    }

    /// `expires` as a duration.
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        self.expires().map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// `reg-id` (RFC 5626 §11).
    #[must_use]
    pub fn reg_id(&self) -> Option<u32> {
        self.param("reg-id")?.parse().ok().filter(|id| *id != 0)
    }

    /// `+sip.instance` without quotes and angle brackets: `urn:uuid:…` (RFC 5626 §4.1).
    #[must_use]
    pub fn instance(&self) -> Option<&'a str> {
        self.param("+sip.instance")?.strip_prefix('<')?.strip_suffix('>')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> NameAddr<'_> {
        NameAddr::parse(value).unwrap_or_else(|| panic!("{value}"))
    }

    #[test]
    fn every_form_of_an_address() {
        let a = parsed("\"J \\\"R\\\" <x>; y\"  <sip:a@b;lr?x=y>;tag=1 ; p=\"<;>\"");
        assert_eq!(
            (a.display_name().as_ref(), a.uri.as_str()),
            ("J \"R\" <x>; y", "sip:a@b;lr?x=y")
        );
        assert_eq!(
            (a.tag(), a.param("p"), a.param("lr")),
            (Some("1"), Some("<;>"), None)
        );

        let a = parsed("caller<sip:caller@example.com>;tag=323");
        assert_eq!((a.display, a.tag()), ("caller", Some("323")));

        let a = parsed("sip:a@b;tag=1;x=\"<y>\"");
        assert_eq!(
            (a.display, a.uri.as_str(), a.param("x")),
            ("", "sip:a@b", Some("<y>"))
        );

        let a = parsed("  <tel:+123>  ");
        assert_eq!((a.uri.user(), a.tag()), (Some("+123"), None));
        assert_eq!(parsed("Front desk (2) <sip:a@b>").display, "Front desk (2)");
        assert_eq!(parsed("Zo\u{eb} <sip:a@b>").display_name(), "Zo\u{eb}");
        assert_eq!(parsed("<sip:a@b>;tag").tag(), None);
    }

    #[test]
    fn what_is_no_address() {
        for bad in [
            "",
            "*",
            "sip:a@b?Route=%3Csip:c%3E",
            "\"open <sip:a@b>",
            "< sip:a@b >",
            "Bell, Alexander <sip:a@b>",
            "<sip:a@b",
            "<sip:a@b>;",
            "<sip:a@b>;;x",
            "<sip:a@b>;tag=",
            "<sip:a@b> x",
            "<>",
            "\"a\"b\" <sip:a@b>",
            "a \"b\" <sip:a@b>",
        ] {
            assert!(NameAddr::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn contact_parameters() {
        let value = "<sip:7@x.invalid;transport=ws>;+sip.instance=\"<urn:uuid:0-1>\";reg-id=1;q=0.5;expires=99999999999";
        let contact = Contact::parse(value).unwrap();
        assert_eq!(contact.instance(), Some("urn:uuid:0-1"));
        assert_eq!(
            (contact.reg_id(), contact.q(), contact.expires()),
            (Some(1), Some(500), Some(u32::MAX))
        );
        assert!(matches!(Contact::parse(" * "), Some(Contact::Star)));
        let q = |q: &str| Contact::parse(&format!("<sip:a@b>;q={q}")).unwrap().q();
        assert_eq!(
            (q("1"), q("1.000"), q("0.33"), q("0"), q("2"), q("0.1234")),
            (Some(1000), Some(1000), Some(330), Some(0), None, None)
        );
    }

    #[test]
    fn an_owned_address_is_written_so_that_it_reads_back() {
        let address = Address::with_display("a \"b\" \\", "sip:x@y;lr".parse().unwrap())
            .with_tag("t")
            .with_tag("u");
        assert_eq!(address.to_string(), "\"a \\\"b\\\" \\\\\" <sip:x@y;lr>;tag=u");
        let text = address.to_string();
        let back = parsed(&text);
        assert_eq!(
            (back.display_name().as_ref(), back.tag()),
            ("a \"b\" \\", Some("u"))
        );
        assert_eq!(back.to_owned().to_string(), text);
    }
}
