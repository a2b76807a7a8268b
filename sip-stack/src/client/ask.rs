//! Requests of a phone's accounts and calls to its part of the signalling task.

use media_core::control::{Application as Media, Report};
use session_core::{
    Caller, IncomingCall, LegId, OutgoingCall, Party, Registration, RegistrationState, SessionId,
};
use sip_core::endpoint::Body;
use sip_core::message::StatusCode;
use sip_core::uri::Uri;
use tokio::sync::{mpsc, oneshot, watch};

use super::call::{CallEvent, State};
use crate::instant::InstantMessage;

/// State of a registration; `None` before the first answer.
pub(super) type Status = Option<RegistrationState>;

/// Request to a phone.
#[derive(Debug)]
pub(crate) enum Ask {
    Register {
        account: u64,
        registration: Box<Registration>,
        status: watch::Sender<Status>,
    },
    Unregister {
        account: u64,
    },
    Dial {
        call: Box<OutgoingCall>,
        reply: oneshot::Sender<Result<Arrived, StatusCode>>,
    },
    Ring {
        session: SessionId,
    },
    Answer {
        session: SessionId,
        media: Media,
    },
    Reject {
        session: SessionId,
        code: StatusCode,
    },
    HangUp {
        session: SessionId,
    },
    Dtmf {
        session: SessionId,
        digit: char,
        duration_ms: u16,
    },
    Hold {
        session: SessionId,
        hold: bool,
    },
    Play {
        session: SessionId,
        media: Media,
    },
    Report {
        session: SessionId,
        reply: oneshot::Sender<Box<Report>>,
    },
    /// Its leg, for taps and injections.
    Leg {
        session: SessionId,
        reply: oneshot::Sender<LegId>,
    },
    /// The reply is the final status of the transfer; none comes if the call ends before.
    Transfer {
        session: SessionId,
        to: Destination,
        reply: oneshot::Sender<StatusCode>,
    },
    /// Instant messages go there from now on.
    Inbox(mpsc::Sender<InstantMessage>, oneshot::Sender<()>),
    /// The reply is the final status of the message.
    Message {
        from: Caller,
        to: Box<Party>,
        body: Body,
        reply: oneshot::Sender<StatusCode>,
    },
}

/// Destination of a transfer.
#[derive(Debug)]
pub(crate) enum Destination {
    /// A number where the peer is.
    Number(String),
    Uri(Uri),
    /// The party of another call.
    Call(SessionId),
}

/// The near end of a call, for the code that made or takes it.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(super) session: SessionId,
    /// `None` for a call of ours.
    pub(super) caller: Option<Box<IncomingCall>>,
    pub(super) state: watch::Receiver<State>,
    pub(super) events: mpsc::Receiver<CallEvent>,
}
