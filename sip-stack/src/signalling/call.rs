//! One call of a connection.

use session_core::{EndedBy, Fault};
use sip_core::endpoint::{Ended, UsageId};
use sip_core::message::StatusCode;
use tokio::sync::mpsc;

use super::task::Request;
use crate::client::ClientError;

/// Event of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEvent {
    /// A provisional response to our INVITE, 101 to 199.
    Ringing {
        /// Status code.
        code: StatusCode,
        /// Its session description: early media.
        answer: Option<String>,
    },
    /// Our INVITE was answered.
    Answered {
        /// The session description; `None` where an earlier reliable response brought it.
        answer: Option<String>,
    },
    /// The ACK to our answer came.
    Acknowledged {
        /// The answer to an offer that our 200 made.
        answer: Option<String>,
    },
    /// The peer offers a change, to be answered by [`Call::answer_offer`].
    Offer {
        /// The session description; `None`: the peer wants an offer of ours.
        offer: Option<String>,
    },
    /// The call is over: its last event.
    Ended {
        /// Final SIP code: 200 after an answer, unless something failed later.
        code: StatusCode,
        /// Whoever ended it.
        by: EndedBy,
        /// Why, if it was neither a refusal nor a BYE.
        fault: Option<Fault>,
    },
}

/// Names in an INVITE that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// User part of `From`.
    pub from: String,
    /// User part of `To`.
    pub to: String,
    /// The offer; `None`: the answer has to bring one.
    pub offer: Option<String>,
}

/// One call, made or taken. Dropping it does not end it: [`hang_up`](Call::hang_up) does.
#[derive(Debug)]
pub struct Call {
    requests: mpsc::Sender<Request>,
    usage: UsageId,
    parties: Option<Parties>,
    events: mpsc::Receiver<CallEvent>,
}

impl Call {
    pub(super) fn new(
        requests: mpsc::Sender<Request>,
        usage: UsageId,
        parties: Option<Parties>,
        events: mpsc::Receiver<CallEvent>,
    ) -> Call {
        Call {
            requests,
            usage,
            parties,
            events,
        }
    }

    pub(super) fn usage(&self) -> UsageId {
        self.usage
    }

    /// Names in the INVITE; `None` for a call of ours.
    #[must_use]
    pub fn parties(&self) -> Option<&Parties> {
        self.parties.as_ref()
    }

    /// The next event; `None` once the call is over, or the connection is gone. Cancel safe.
    pub async fn event(&mut self) -> Option<CallEvent> {
        self.events.recv().await
    }

    /// Answers a call that came in, with the answer to its offer.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn accept(&self, answer: String) -> Result<(), ClientError> {
        self.ask(Request::Accept {
            usage: self.usage,
            answer,
        })
        .await
    }

    /// Refuses a call that came in, with a code from 300 to 699.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn reject(&self, code: StatusCode) -> Result<(), ClientError> {
        self.ask(Request::Reject {
            usage: self.usage,
            code,
        })
        .await
    }

    /// Answers [`CallEvent::Offer`]: `Err` with a status code, 488 for what cannot be agreed on.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn answer_offer(&self, answer: Result<String, StatusCode>) -> Result<(), ClientError> {
        self.ask(Request::AnswerOffer {
            usage: self.usage,
            answer,
        })
        .await
    }

    /// Ends it: CANCEL, BYE or a refusal, as fits. [`CallEvent::Ended`] follows.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn hang_up(&self) -> Result<(), ClientError> {
        self.ask(Request::HangUp { usage: self.usage }).await
    }

    async fn ask(&self, request: Request) -> Result<(), ClientError> {
        self.requests
            .send(request)
            .await
            .map_err(|_| ClientError::Stopped)
    }
}

/// Code, author and fault of an end.
pub(super) fn outcome(cause: &Ended) -> (StatusCode, EndedBy, Option<Fault>) {
    match cause {
        Ended::Rejected { code, .. } => (*code, EndedBy::Peer, None),
        Ended::Cancelled { .. } | Ended::Expired => (StatusCode::REQUEST_TERMINATED, EndedBy::Peer, None),
        Ended::Bye { .. } => (StatusCode::OK, EndedBy::Peer, None),
        Ended::LocalHangup => (StatusCode::OK, EndedBy::Us, None),
        Ended::Timeout => (
            StatusCode::REQUEST_TIMEOUT,
            EndedBy::Failure,
            Some(Fault::NoResponse),
        ),
        Ended::Transport => (
            StatusCode::SERVICE_UNAVAILABLE,
            EndedBy::Failure,
            Some(Fault::Unreachable),
        ),
        Ended::Nowhere => (
            StatusCode::SERVICE_UNAVAILABLE,
            EndedBy::Failure,
            Some(Fault::Unresolved),
        ),
        Ended::NoAck => (
            StatusCode::REQUEST_TIMEOUT,
            EndedBy::Failure,
            Some(Fault::NotAcknowledged),
        ),
        Ended::SessionExpired => (
            StatusCode::REQUEST_TIMEOUT,
            EndedBy::Failure,
            Some(Fault::SessionExpired),
        ),
        Ended::RingTimeout => (
            StatusCode::REQUEST_TIMEOUT,
            EndedBy::Failure,
            Some(Fault::NoAnswer),
        ),
    }
}
