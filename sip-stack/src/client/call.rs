//! One call of a client.

use std::sync::Arc;

use media_core::control::Report;
use session_core::{CallRecord, IncomingCall, SessionId};
use sip_core::message::StatusCode;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use super::agent::{Arrived, Ask};
use super::sound::{Recorder, Sound};
use super::{ClientError, refused};
use crate::digits::{DIGIT_MS, steps};
use crate::handle::Handle;

/// State of a call.
#[derive(Clone, Debug)]
pub enum State {
    /// Under way.
    Calling,
    /// The called party rings.
    Ringing {
        /// True if it sends sound already.
        early_media: bool,
    },
    /// Both talk.
    Answered,
    /// Over.
    Ended(Arc<CallRecord>),
}

/// Event of a call besides its [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEvent {
    /// The first packet of the peer's sound.
    Talking,
    /// The peer pressed a key.
    Dtmf {
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// Duration.
        duration_ms: u16,
    },
    /// The peer holds us and neither sends nor wants sound, or took us back. A peer that holds with music sends on: that is
    /// not told.
    Held(bool),
}

/// One call, made or taken. Dropping it does not end it: [`hang_up`](Call::hang_up) does.
#[derive(Debug)]
pub struct Call {
    handle: Handle<Ask>,
    session: SessionId,
    caller: Option<Box<IncomingCall>>,
    state: watch::Receiver<State>,
    events: mpsc::Receiver<CallEvent>,
    recorder: Option<Recorder>,
}

impl Call {
    pub(super) fn new(handle: Handle<Ask>, arrived: Arrived) -> Call {
        let Arrived {
            session,
            caller,
            state,
            events,
        } = arrived;
        Call {
            handle,
            session,
            caller,
            state,
            events,
            recorder: None,
        }
    }

    pub(super) fn set_recorder(&mut self, recorder: Option<Recorder>) {
        self.recorder = recorder.or(self.recorder.take());
    }

    /// The caller; `None` for a call of ours.
    #[must_use]
    pub fn caller(&self) -> Option<&IncomingCall> {
        self.caller.as_deref()
    }

    /// Present state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until the call is answered.
    ///
    /// # Errors
    /// [`ClientError::Refused`] or [`ClientError::Failed`] if it ends without an answer.
    pub async fn answered(&mut self) -> Result<(), ClientError> {
        let state = self
            .state
            .wait_for(|state| matches!(state, State::Answered | State::Ended(_)))
            .await;
        match &*state.map_err(|_| ClientError::Stopped)? {
            State::Ended(record) if record.answered.is_none() => Err(refused(record.code, record.fault)),
            State::Ended(_) => Err(ClientError::Ended),
            _ => Ok(()),
        }
    }

    /// Waits until the called party rings, or answers at once.
    ///
    /// # Errors
    /// [`ClientError::Refused`] or [`ClientError::Failed`] if it ends before.
    pub async fn ringing(&mut self) -> Result<(), ClientError> {
        let state = self
            .state
            .wait_for(|state| !matches!(state, State::Calling))
            .await;
        match &*state.map_err(|_| ClientError::Stopped)? {
            State::Ended(record) => Err(refused(record.code, record.fault)),
            _ => Ok(()),
        }
    }

    /// Waits until it is over and says how it was; `None` when the client was stopped before.
    pub async fn ended(&mut self) -> Option<Arc<CallRecord>> {
        let state = self
            .state
            .wait_for(|state| matches!(state, State::Ended(_)))
            .await
            .ok()?;
        match &*state {
            State::Ended(record) => Some(Arc::clone(record)),
            _ => None,
        }
    }

    /// The next event; `None` once the call is over.
    pub async fn event(&mut self) -> Option<CallEvent> {
        self.events.recv().await
    }

    /// Answers a call that came in.
    ///
    /// # Errors
    /// The client has been stopped, or the call ends first.
    pub async fn answer(&mut self, sound: Sound) -> Result<(), ClientError> {
        let (media, recorder) = sound.into_parts();
        self.set_recorder(recorder);
        self.handle
            .request(Ask::Answer {
                session: self.session,
                media,
            })
            .await?;
        self.answered().await
    }

    /// Tells the caller once more that it rings.
    ///
    /// # Errors
    /// The client has been stopped.
    pub async fn ring(&self) -> Result<(), ClientError> {
        Ok(self
            .handle
            .request(Ask::Ring {
                session: self.session,
            })
            .await?)
    }

    /// Refuses a call that came in, with a code from 300 to 699 (486: busy).
    ///
    /// # Errors
    /// The client has been stopped.
    pub async fn reject(&self, code: StatusCode) -> Result<(), ClientError> {
        let code = code.max(StatusCode::MULTIPLE_CHOICES);
        Ok(self
            .handle
            .request(Ask::Reject {
                session: self.session,
                code,
            })
            .await?)
    }

    /// Ends it: CANCEL, BYE or a refusal, as fits.
    ///
    /// # Errors
    /// The client has been stopped.
    pub async fn hang_up(&self) -> Result<(), ClientError> {
        Ok(self
            .handle
            .request(Ask::HangUp {
                session: self.session,
            })
            .await?)
    }

    /// Sends keys, one after the other; a comma is a pause of a second.
    ///
    /// # Errors
    /// [`ClientError::Digit`] before anything is sent when one of them is no key.
    pub async fn send_dtmf(&self, digits: &str) -> Result<(), ClientError> {
        for (key, wait) in steps(digits).map_err(ClientError::Digit)? {
            if let Some(digit) = key {
                let ask = Ask::Dtmf {
                    session: self.session,
                    digit,
                    duration_ms: DIGIT_MS,
                };
                self.handle.request(ask).await?;
            }
            sleep(wait).await;
        }
        Ok(())
    }

    /// Holds the peer of an answered call, which hears music then, or takes it back.
    ///
    /// # Errors
    /// The client has been stopped.
    pub async fn hold(&self, hold: bool) -> Result<(), ClientError> {
        Ok(self
            .handle
            .request(Ask::Hold {
                session: self.session,
                hold,
            })
            .await?)
    }

    /// Changes what the peer of an answered call hears.
    ///
    /// # Errors
    /// The client has been stopped.
    pub async fn play(&mut self, sound: Sound) -> Result<(), ClientError> {
        let (media, recorder) = sound.into_parts();
        self.set_recorder(recorder);
        Ok(self
            .handle
            .request(Ask::Play {
                session: self.session,
                media,
            })
            .await?)
    }

    /// Counts of its media so far.
    ///
    /// # Errors
    /// [`ClientError::Ended`] when there is no media any more, or none yet.
    pub async fn report(&self) -> Result<Report, ClientError> {
        let (reply, report) = oneshot::channel();
        self.handle
            .request(Ask::Report {
                session: self.session,
                reply,
            })
            .await?;
        report.await.map(|report| *report).map_err(|_| ClientError::Ended)
    }

    /// Sound of the peer, if the [`Sound`] was made with [`Sound::recorded`]; can be taken once.
    pub fn recorder(&mut self) -> Option<Recorder> {
        self.recorder.take()
    }
}
