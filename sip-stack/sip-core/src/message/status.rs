use std::fmt;

use serde::{Deserialize, Serialize};

/// Status code of a response, 100 to 699 (RFC 3261 §7.2, §21).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct StatusCode(u16);

/// Class of a status code, by its first digit (RFC 3261 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusClass {
    /// 1xx: the request is being worked on.
    Provisional,
    /// 2xx: done.
    Success,
    /// 3xx: somewhere else perhaps.
    Redirection,
    /// 4xx: not in this form, or not here.
    ClientError,
    /// 5xx: a server failed.
    ServerError,
    /// 6xx: nowhere.
    GlobalFailure,
}

/// Number that is no status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidStatus(pub u16);

macro_rules! registered {
    ($($name:ident = $code:literal, $reason:literal;)*) => {
        /// Codes of the registry (RFC 3261 §21 and later RFCs).
        impl StatusCode {
            $(
                #[doc = concat!("`", $code, " ", $reason, "`")]
                pub const $name: StatusCode = StatusCode($code);
            )*

            /// Its reason phrase; a phrase for the class when the code is not registered.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self.0 {
                    $($code => $reason,)*
                    _ => match self.class() {
                        StatusClass::Provisional => "Session Progress",
                        StatusClass::Success => "OK",
                        StatusClass::Redirection => "Redirected",
                        StatusClass::ClientError => "Request Failure",
                        StatusClass::ServerError => "Server Failure",
                        StatusClass::GlobalFailure => "Global Failure",
                    },
                }
            }
        }
    };
}

registered! {
    TRYING = 100, "Trying";
    RINGING = 180, "Ringing";
    CALL_IS_BEING_FORWARDED = 181, "Call Is Being Forwarded";
    QUEUED = 182, "Queued";
    SESSION_PROGRESS = 183, "Session Progress";
    EARLY_DIALOG_TERMINATED = 199, "Early Dialog Terminated";
    OK = 200, "OK";
    ACCEPTED = 202, "Accepted";
    NO_NOTIFICATION = 204, "No Notification";
    MULTIPLE_CHOICES = 300, "Multiple Choices";
    MOVED_PERMANENTLY = 301, "Moved Permanently";
    MOVED_TEMPORARILY = 302, "Moved Temporarily";
    USE_PROXY = 305, "Use Proxy";
    ALTERNATIVE_SERVICE = 380, "Alternative Service";
    BAD_REQUEST = 400, "Bad Request";
    UNAUTHORIZED = 401, "Unauthorized";
    PAYMENT_REQUIRED = 402, "Payment Required";
    FORBIDDEN = 403, "Forbidden";
    NOT_FOUND = 404, "Not Found";
    METHOD_NOT_ALLOWED = 405, "Method Not Allowed";
    NOT_ACCEPTABLE = 406, "Not Acceptable";
    PROXY_AUTHENTICATION_REQUIRED = 407, "Proxy Authentication Required";
    REQUEST_TIMEOUT = 408, "Request Timeout";
    GONE = 410, "Gone";
    CONDITIONAL_REQUEST_FAILED = 412, "Conditional Request Failed";
    REQUEST_ENTITY_TOO_LARGE = 413, "Request Entity Too Large";
    REQUEST_URI_TOO_LONG = 414, "Request-URI Too Long";
    UNSUPPORTED_MEDIA_TYPE = 415, "Unsupported Media Type";
    UNSUPPORTED_URI_SCHEME = 416, "Unsupported URI Scheme";
    UNKNOWN_RESOURCE_PRIORITY = 417, "Unknown Resource-Priority";
    BAD_EXTENSION = 420, "Bad Extension";
    EXTENSION_REQUIRED = 421, "Extension Required";
    SESSION_INTERVAL_TOO_SMALL = 422, "Session Interval Too Small";
    INTERVAL_TOO_BRIEF = 423, "Interval Too Brief";
    BAD_LOCATION_INFORMATION = 424, "Bad Location Information";
    BAD_ALERT_MESSAGE = 425, "Bad Alert Message";
    USE_IDENTITY_HEADER = 428, "Use Identity Header";
    PROVIDE_REFERRER_IDENTITY = 429, "Provide Referrer Identity";
    FLOW_FAILED = 430, "Flow Failed";
    ANONYMITY_DISALLOWED = 433, "Anonymity Disallowed";
    BAD_IDENTITY_INFO = 436, "Bad Identity Info";
    UNSUPPORTED_CREDENTIAL = 437, "Unsupported Credential";
    INVALID_IDENTITY_HEADER = 438, "Invalid Identity Header";
    FIRST_HOP_LACKS_OUTBOUND_SUPPORT = 439, "First Hop Lacks Outbound Support";
    MAX_BREADTH_EXCEEDED = 440, "Max-Breadth Exceeded";
    BAD_INFO_PACKAGE = 469, "Bad Info Package";
    CONSENT_NEEDED = 470, "Consent Needed";
    TEMPORARILY_UNAVAILABLE = 480, "Temporarily Unavailable";
    CALL_DOES_NOT_EXIST = 481, "Call/Transaction Does Not Exist";
    LOOP_DETECTED = 482, "Loop Detected";
    TOO_MANY_HOPS = 483, "Too Many Hops";
    ADDRESS_INCOMPLETE = 484, "Address Incomplete";
    AMBIGUOUS = 485, "Ambiguous";
    BUSY_HERE = 486, "Busy Here";
    REQUEST_TERMINATED = 487, "Request Terminated";
    NOT_ACCEPTABLE_HERE = 488, "Not Acceptable Here";
    BAD_EVENT = 489, "Bad Event";
    REQUEST_PENDING = 491, "Request Pending";
    UNDECIPHERABLE = 493, "Undecipherable";
    SECURITY_AGREEMENT_REQUIRED = 494, "Security Agreement Required";
    SERVER_INTERNAL_ERROR = 500, "Server Internal Error";
    NOT_IMPLEMENTED = 501, "Not Implemented";
    BAD_GATEWAY = 502, "Bad Gateway";
    SERVICE_UNAVAILABLE = 503, "Service Unavailable";
    SERVER_TIME_OUT = 504, "Server Time-out";
    VERSION_NOT_SUPPORTED = 505, "Version Not Supported";
    MESSAGE_TOO_LARGE = 513, "Message Too Large";
    PUSH_NOTIFICATION_SERVICE_NOT_SUPPORTED = 555, "Push Notification Service Not Supported";
    PRECONDITION_FAILURE = 580, "Precondition Failure";
    BUSY_EVERYWHERE = 600, "Busy Everywhere";
    DECLINE = 603, "Decline";
    DOES_NOT_EXIST_ANYWHERE = 604, "Does Not Exist Anywhere";
    NOT_ACCEPTABLE_ANYWHERE = 606, "Not Acceptable";
    UNWANTED = 607, "Unwanted";
    REJECTED = 608, "Rejected";
}

impl StatusCode {
    /// Number on the wire.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Its class.
    #[must_use]
    pub const fn class(self) -> StatusClass {
        match self.0 {
            0..200 => StatusClass::Provisional,
            200..300 => StatusClass::Success,
            300..400 => StatusClass::Redirection,
            400..500 => StatusClass::ClientError,
            500..600 => StatusClass::ServerError,
            600.. => StatusClass::GlobalFailure,
        }
    }

    /// True from 200 on: no other response follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        self.0 >= 200
    }

    /// True for 2xx.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self.class(), StatusClass::Success)
    }

    /// True from 300 on: a final response that grants nothing.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        self.0 >= 300
    }

    /// True for 101 to 199: a response that begins an early dialog (RFC 3261 §12.1).
    #[must_use]
    pub const fn is_progress(self) -> bool {
        !self.is_final() && self.0 > 100
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<u16> for StatusCode {
    type Error = InvalidStatus;

    fn try_from(code: u16) -> Result<StatusCode, InvalidStatus> {
        match code {
            100..700 => Ok(StatusCode(code)),
            _ => Err(InvalidStatus(code)),
        }
    }
}

impl From<StatusCode> for u16 {
    fn from(code: StatusCode) -> u16 {
        code.0
    }
}

impl PartialEq<u16> for StatusCode {
    fn eq(&self, other: &u16) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for InvalidStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no SIP status code: 100 to 699", self.0)
    }
}

impl std::error::Error for InvalidStatus {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_reasons_follow_the_first_digit() {
        for number in 0..1_000 {
            let Ok(code) = StatusCode::try_from(number) else {
                assert!(!(100..700).contains(&number));
                continue;
            };
            assert_eq!(u16::from(code), number);
            assert_eq!(code.class() as u16 + 1, number / 100);
            assert_eq!(code.is_final(), number >= 200);
            assert_eq!(code.is_refusal(), code.is_final() && !code.is_success());
            assert!(!code.reason().is_empty());
        }
        assert_eq!(
            StatusCode::CALL_DOES_NOT_EXIST.reason(),
            "Call/Transaction Does Not Exist"
        );
        let unknown = StatusCode::try_from(499).map(StatusCode::reason);
        assert_eq!(unknown, Ok("Request Failure"));
    }

    #[test]
    fn is_stored_as_its_number() {
        let code: StatusCode = serde_json::from_str("486").expect("a code");
        assert_eq!((code, code.to_string()), (StatusCode::BUSY_HERE, "486".into()));
        assert_eq!(serde_json::to_string(&code).expect("a number"), "486");
        assert!(serde_json::from_str::<StatusCode>("99").is_err());
    }
}
