//! Decisions about calls, by whoever uses the library.

use session_core::{Application, CallRecord, CallSession, IncomingCall, SessionId};
use sip_core::message::StatusCode;

/// Fate of a call that came in.
#[derive(Clone, Debug)]
pub enum CallDecision {
    /// It is answered; its caller hears this until it is bridged, or silence.
    Accept(Option<Application>),
    /// It is refused with this status, 300 to 699.
    Reject(StatusCode),
    /// It rings until somebody decides: [`accept_incoming_call`](super::SessionCoordinator::accept_incoming_call) or
    /// [`reject_incoming_call`](super::SessionCoordinator::reject_incoming_call).
    Defer,
}

/// Decides about calls that come in, and hears of changes. It is called in the signalling task: it must not wait for anything.
pub trait CallHandler: Send + Sync + 'static {
    /// A call came in.
    fn on_incoming_call(&self, session: SessionId, call: &IncomingCall) -> CallDecision;

    /// A call is answered.
    fn on_call_established(&self, call: &CallSession) {
        let _ = call;
    }

    /// A party holds the call or takes it back, or somebody rings.
    fn on_call_state_changed(&self, call: &CallSession) {
        let _ = call;
    }

    /// A party pressed a key: `0`-`9`, `*`, `#`, `A`-`D`.
    fn on_dtmf(&self, session: SessionId, digit: char) {
        let _ = (session, digit);
    }

    /// A call is over.
    fn on_call_ended(&self, record: &CallRecord) {
        let _ = record;
    }
}

/// Refuses every call: of a stack that only makes calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nobody;

impl CallHandler for Nobody {
    fn on_incoming_call(&self, _: SessionId, _: &IncomingCall) -> CallDecision {
        CallDecision::Reject(StatusCode::TEMPORARILY_UNAVAILABLE)
    }
}
