//! Reasons why something could not be done with a call.

use std::fmt;

use session_core::BridgeError;
use sip_core::message::StatusCode;

use crate::handle::Gone;

/// Reason why something could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// Not a SIP URI such as `sip:1001@example.com`.
    Uri,
    /// There is no such call, or it has nobody who answered.
    NoSession,
    /// Not one of `0`-`9`, `*`, `#`, `A`-`D`.
    Digit(char),
    /// Refused with this SIP status.
    Refused(StatusCode),
    /// The bridge does not allow it.
    Bridge(BridgeError),
    /// The call's party cannot be asked before it is answered.
    NotAnswered,
    /// The call ended before the outcome was known.
    Ended,
    /// The stack has ended.
    Stopped,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::Uri => f.write_str("not a SIP URI such as sip:1001@example.com"),
            SessionError::NoSession => f.write_str("no such call, or nobody answered it"),
            SessionError::Digit(digit) => write!(f, "{digit:?} is not one of 0-9, *, #, A-D"),
            SessionError::Refused(code) => {
                write!(f, "{code} {}", code.reason())
            }
            SessionError::Bridge(error) => error.fmt(f),
            SessionError::NotAnswered => f.write_str("the call is not answered yet"),
            SessionError::Ended => f.write_str("the call ended before the outcome was known"),
            SessionError::Stopped => f.write_str("the stack has ended"),
        }
    }
}

impl std::error::Error for SessionError {}

impl From<Gone> for SessionError {
    fn from(_: Gone) -> Self {
        SessionError::Stopped
    }
}

impl From<BridgeError> for SessionError {
    fn from(error: BridgeError) -> Self {
        SessionError::Bridge(error)
    }
}
