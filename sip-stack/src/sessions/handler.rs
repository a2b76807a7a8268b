//! Decisions about calls, by whoever uses the library.

use session_core::{Application, CallRecord, CallSession, IncomingCall, SessionId};
use sip_core::message::StatusCode;

use crate::instant::InstantMessage;

/// Fate of a call that came in.
#[derive(Clone, Debug)]
pub enum CallDecision {
    /// It is answered; its caller hears this until it is bridged, or silence.
    Accept(Option<Application>),
    /// Refuses it with this status, 300 to 699.
    Reject(StatusCode),
    /// It rings until somebody decides: [`accept_incoming_call`](super::SessionCoordinator::accept_incoming_call) or
    /// [`reject_incoming_call`](super::SessionCoordinator::reject_incoming_call).
    Defer,
    /// The registered user of this name rings, or whoever is at this SIP URI; the two talk with each other in this call. Nobody
    /// there: it is refused as they refused it.
    Connect(String),
}

/// Fate of an instant message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageDecision {
    /// Takes it: its sender is told that it arrived.
    Take,
    /// Passes it on to the registered user of this name, and keeps it for one who is absent; or to this SIP URI.
    Deliver(String),
    /// Refuses it with this status, 300 to 699.
    Reject(StatusCode),
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

    /// A registered user transfers a call to this number. The answer is who rings in its place, as in [`CallDecision::Connect`];
    /// `None` declines. By default it is the user of that name.
    fn on_transfer(&self, session: SessionId, to: &str) -> Option<String> {
        let _ = session;
        Some(to.to_owned())
    }

    /// An instant message came in, outside of any call. By default it is refused with 480: nobody reads here.
    fn on_message(&self, message: &InstantMessage) -> MessageDecision {
        let _ = message;
        MessageDecision::Reject(StatusCode::TEMPORARILY_UNAVAILABLE)
    }

    /// A user registered the first phone, or the last one is gone.
    fn on_registration_changed(&self, user: &str, registered: bool) {
        let _ = (user, registered);
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
