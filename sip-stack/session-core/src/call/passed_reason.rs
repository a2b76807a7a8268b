//! Why one party left, as the other is told (`Reason`, RFC 3326).

use sip_core::endpoint::Reason;
use sip_core::message::StatusCode;

use crate::dial::elsewhere;

/// A reason that goes from one leg to another: its code, never its text, which might name what stands on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PassedReason {
    /// A status of SIP.
    Sip(StatusCode),
    /// A cause of the telephone network (ITU-T Q.850).
    Q850(u16),
}

impl PassedReason {
    /// Reason to pass on of a peer's own.
    pub(crate) fn of(reason: &Reason) -> Option<PassedReason> {
        let cause = reason.cause?;
        if reason.protocol.eq_ignore_ascii_case("SIP") {
            StatusCode::try_from(cause).ok().map(PassedReason::Sip)
        } else if reason.protocol.eq_ignore_ascii_case("Q.850") {
            // Seven bits (Q.850 §2.1).
            (1..=127).contains(&cause).then_some(PassedReason::Q850(cause))
        } else {
            None
        }
    }

    /// True for a call that was answered elsewhere (RFC 3326 §3.1), or ended with those that a PBX did not choose (Q.850 cause 26).
    pub(crate) fn is_elsewhere(self) -> bool {
        matches!(self, PassedReason::Sip(StatusCode::OK) | PassedReason::Q850(26))
    }

    /// `Reason` of a request of ours.
    pub(crate) fn to_reason(self) -> Reason {
        match self {
            _ if self.is_elsewhere() => elsewhere(),
            PassedReason::Sip(code) => Reason {
                protocol: "SIP".into(),
                cause: Some(code.get()),
                text: None,
            },
            PassedReason::Q850(cause) => Reason {
                protocol: "Q.850".into(),
                cause: Some(cause),
                text: None,
            },
        }
    }
}
