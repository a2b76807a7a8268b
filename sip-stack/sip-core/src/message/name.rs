use std::fmt;

macro_rules! names {
    ($($variant:ident $text:literal $($compact:literal)? $(list $list:tt)?, $doc:literal;)*) => {
        /// A header field name. `Other` stands for every name that is not listed here; such a field is reached by its
        /// text ([`Message::header_named`](super::Message::header_named)).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum HeaderName {
            $(#[doc = $doc] $variant,)*
            /// A name that this list does not know.
            Other,
        }

        const NAMES: &[(&str, HeaderName, u8, bool)] = &[
            $(($text, HeaderName::$variant, 0 $(+ $compact)?, false $(|| names!(@list $list))?),)*
        ];
    };
    (@list ,) => { true };
    (@list $any:tt) => { true };
}

// variant, name as written, compact form (RFC 3261 §7.3.3), `list ok` when values may share a line, where it is defined
names! {
    Accept "Accept" list ok, "RFC 3261 §20.1";
    AcceptContact "Accept-Contact" b'a' list ok, "RFC 3841 §9.2";
    AcceptEncoding "Accept-Encoding" list ok, "RFC 3261 §20.2";
    AcceptLanguage "Accept-Language" list ok, "RFC 3261 §20.3";
    AlertInfo "Alert-Info" list ok, "RFC 3261 §20.4";
    Allow "Allow" list ok, "RFC 3261 §20.5";
    AllowEvents "Allow-Events" b'u' list ok, "RFC 6665 §8.2.2";
    AuthenticationInfo "Authentication-Info", "RFC 3261 §20.6";
    Authorization "Authorization", "RFC 3261 §20.7";
    CallId "Call-ID" b'i', "RFC 3261 §20.8";
    CallInfo "Call-Info" list ok, "RFC 3261 §20.9";
    Contact "Contact" b'm' list ok, "RFC 3261 §20.10";
    ContentDisposition "Content-Disposition", "RFC 3261 §20.11";
    ContentEncoding "Content-Encoding" b'e' list ok, "RFC 3261 §20.12";
    ContentLanguage "Content-Language" list ok, "RFC 3261 §20.13";
    ContentLength "Content-Length" b'l', "RFC 3261 §20.14";
    ContentType "Content-Type" b'c', "RFC 3261 §20.15";
    CSeq "CSeq", "RFC 3261 §20.16";
    Date "Date", "RFC 3261 §20.17";
    Diversion "Diversion" list ok, "RFC 5806";
    ErrorInfo "Error-Info" list ok, "RFC 3261 §20.18";
    Event "Event" b'o', "RFC 6665 §8.2.1";
    Expires "Expires", "RFC 3261 §20.19";
    FeatureCaps "Feature-Caps" list ok, "RFC 6809";
    FlowTimer "Flow-Timer", "RFC 5626 §10";
    From "From" b'f', "RFC 3261 §20.20";
    HistoryInfo "History-Info" list ok, "RFC 7044";
    Identity "Identity" b'y', "RFC 8224 §4";
    InfoPackage "Info-Package", "RFC 6086";
    InReplyTo "In-Reply-To" list ok, "RFC 3261 §20.21";
    Join "Join", "RFC 3911";
    MaxForwards "Max-Forwards", "RFC 3261 §20.22";
    MimeVersion "MIME-Version", "RFC 3261 §20.24";
    MinExpires "Min-Expires", "RFC 3261 §20.23";
    MinSe "Min-SE", "RFC 4028 §5";
    Organization "Organization", "RFC 3261 §20.25";
    PAccessNetworkInfo "P-Access-Network-Info" list ok, "RFC 7315 §5.4";
    PAssertedIdentity "P-Asserted-Identity" list ok, "RFC 3325 §9.1";
    PChargeInfo "P-Charge-Info", "RFC 8496 §3";
    Path "Path" list ok, "RFC 3327";
    PPreferredIdentity "P-Preferred-Identity" list ok, "RFC 3325 §9.2";
    Priority "Priority", "RFC 3261 §20.26";
    Privacy "Privacy", "RFC 3323 §4.2";
    ProxyAuthenticate "Proxy-Authenticate", "RFC 3261 §20.27";
    ProxyAuthorization "Proxy-Authorization", "RFC 3261 §20.28";
    ProxyRequire "Proxy-Require" list ok, "RFC 3261 §20.29";
    RAck "RAck", "RFC 3262 §7.2";
    Reason "Reason" list ok, "RFC 3326";
    RecordRoute "Record-Route" list ok, "RFC 3261 §20.30";
    RecvInfo "Recv-Info" list ok, "RFC 6086";
    ReferredBy "Referred-By" b'b', "RFC 3892";
    ReferSub "Refer-Sub", "RFC 4488";
    ReferTo "Refer-To" b'r', "RFC 3515 §2.1";
    RejectContact "Reject-Contact" b'j' list ok, "RFC 3841 §9.2";
    RemotePartyId "Remote-Party-ID" list ok, "draft-ietf-sip-privacy-04 §5";
    Replaces "Replaces", "RFC 3891 §6.1";
    ReplyTo "Reply-To", "RFC 3261 §20.31";
    RequestDisposition "Request-Disposition" b'd' list ok, "RFC 3841 §9.1";
    Require "Require" list ok, "RFC 3261 §20.32";
    RetryAfter "Retry-After", "RFC 3261 §20.33";
    Route "Route" list ok, "RFC 3261 §20.34";
    RSeq "RSeq", "RFC 3262 §7.1";
    Server "Server", "RFC 3261 §20.35";
    ServiceRoute "Service-Route" list ok, "RFC 3608";
    SessionExpires "Session-Expires" b'x', "RFC 4028 §4";
    SipEtag "SIP-ETag", "RFC 3903 §11.3.1";
    SipIfMatch "SIP-If-Match", "RFC 3903 §11.3.2";
    Subject "Subject" b's', "RFC 3261 §20.36";
    SubscriptionState "Subscription-State", "RFC 6665 §8.2.3";
    Supported "Supported" b'k' list ok, "RFC 3261 §20.37";
    TargetDialog "Target-Dialog", "RFC 4538";
    Timestamp "Timestamp", "RFC 3261 §20.38";
    To "To" b't', "RFC 3261 §20.39";
    Unsupported "Unsupported" list ok, "RFC 3261 §20.40";
    UserAgent "User-Agent", "RFC 3261 §20.41";
    UserToUser "User-to-User" list ok, "RFC 7433 §4";
    Via "Via" b'v' list ok, "RFC 3261 §20.42";
    Warning "Warning" list ok, "RFC 3261 §20.43";
    WwwAuthenticate "WWW-Authenticate", "RFC 3261 §20.44";
}

const LONGEST: usize = 21;

/// Positions in `NAMES` ordered by the length of the name, and where each length begins.
const BY_LENGTH: ([u8; NAMES.len()], [u8; LONGEST + 2]) = {
    let mut order = [0; NAMES.len()];
    let mut begins = [0; LONGEST + 2];
    let (mut len, mut filled) = (0, 0);
    while len <= LONGEST {
        begins[len] = filled as u8;
        let mut i = 0;
        while i < NAMES.len() {
            if NAMES[i].0.len() == len {
                order[filled] = i as u8;
                filled += 1;
            }
            i += 1;
        }
        len += 1;
    }
    begins[LONGEST + 1] = filled as u8;
    assert!(filled == NAMES.len(), "a name is longer than LONGEST");
    (order, begins)
};

/// The name of each compact letter.
const COMPACT: [HeaderName; 26] = {
    let mut letters = [HeaderName::Other; 26];
    let mut i = 0;
    while i < NAMES.len() {
        if NAMES[i].2 != 0 {
            letters[(NAMES[i].2 - b'a') as usize] = NAMES[i].1;
        }
        i += 1;
    }
    letters
};

impl HeaderName {
    /// The name of this text in any case, long or compact; `Other` when it is not known.
    #[must_use]
    pub fn of(name: &str) -> HeaderName {
        HeaderName::of_bytes(name.as_bytes())
    }

    pub(crate) fn of_bytes(name: &[u8]) -> HeaderName {
        let len = name.len();
        if let [letter] = name {
            let at = letter.to_ascii_lowercase().wrapping_sub(b'a');
            return COMPACT.get(usize::from(at)).copied().unwrap_or(HeaderName::Other);
        }
        if len == 0 || len > LONGEST {
            return HeaderName::Other;
        }
        let (from, to) = (usize::from(BY_LENGTH.1[len]), usize::from(BY_LENGTH.1[len + 1]));
        for &at in &BY_LENGTH.0[from..to] {
            let (text, id, ..) = NAMES[usize::from(at)];
            if (text.as_bytes()[0] ^ name[0]) & !0x20 == 0 && text.as_bytes().eq_ignore_ascii_case(name) {
                return id;
            }
        }
        HeaderName::Other
    }

    /// The name as we write it; empty for `Other`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        NAMES.get(self as usize).map_or("", |entry| entry.0)
    }

    /// True when the grammar lets several values share one line, separated by commas (RFC 3261 §7.3.1). Fields whose one
    /// value contains commas, such as `Authorization`, are no lists.
    #[must_use]
    pub fn is_list(self) -> bool {
        NAMES.get(self as usize).is_some_and(|entry| entry.3)
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_in_its_compact_form() {
        for &(text, id, compact, _) in NAMES {
            assert_eq!(HeaderName::of(text), id);
            assert_eq!(HeaderName::of(&text.to_uppercase()), id);
            assert_eq!(HeaderName::of(&text.to_lowercase()), id);
            assert_eq!(id.as_str(), text);
            if compact != 0 {
                assert_eq!(HeaderName::of(&char::from(compact).to_string()), id);
                assert_eq!(
                    HeaderName::of(&char::from(compact).to_ascii_uppercase().to_string()),
                    id
                );
            }
        }
        for unknown in [
            "",
            "X-Foo",
            "C%6Fntact",
            "z",
            "-",
            "Viaa",
            "A-header-field-name-longer-than-any",
        ] {
            assert_eq!(HeaderName::of(unknown), HeaderName::Other, "{unknown}");
        }
        assert_eq!(HeaderName::Other.as_str(), "");
        assert!(
            HeaderName::Via.is_list() && !HeaderName::Authorization.is_list() && !HeaderName::Other.is_list()
        );
    }
}
