//! One call of a client.

use std::sync::{Arc, Mutex, PoisonError};

use media_core::control::Report;
use session_core::{CallRecord, IncomingCall, SessionId};
use sip_core::message::StatusCode;
use sip_core::uri::Uri;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use super::ask::{Arrived, Ask, Destination};
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

/// Change of a call: of its state, or another event.
#[derive(Clone, Debug)]
pub enum Change {
    /// The state is another one now.
    State(State),
    /// Something else.
    Event(CallEvent),
}

/// One call, made or taken. Dropping it does not end it: [`hang_up`](Call::hang_up) does.
#[derive(Debug)]
pub struct Call {
    pub(super) handle: Handle<Ask>,
    pub(super) session: SessionId,
    caller: Option<Box<IncomingCall>>,
    state: watch::Receiver<State>,
    /// The same for [`Call::change`], which tells what others waited for as well.
    changes: watch::Receiver<State>,
    events: mpsc::Receiver<CallEvent>,
    /// Locked by nobody: it lets calls be shared by threads.
    recorder: Mutex<Option<Recorder>>,
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
            changes: state.clone(),
            state,
            events,
            recorder: Mutex::new(None),
        }
    }

    pub(super) fn set_recorder(&mut self, recorder: Option<Recorder>) {
        if recorder.is_some() {
            *self.kept() = recorder;
        }
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

    /// The next change, of its state or any other; `None` once the call is over and [`State::Ended`] was told. States that come and go
    /// between two looks are left out.
    pub async fn change(&mut self) -> Option<Change> {
        tokio::select! {
            biased;
            Ok(()) = self.changes.changed() => {
                Some(Change::State(self.changes.borrow_and_update().clone()))
            }
            event = self.events.recv() => event.map(Change::Event),
        }
    }

    /// The next event besides changes of state; `None` once the call is over.
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

    /// Holds the peer of an answered call, which hears music then.
    ///
    /// # Errors
    /// [`ClientError::Stopped`].
    pub async fn hold(&self) -> Result<(), ClientError> {
        self.set_hold(true).await
    }

    /// Takes the peer back that was on [`hold`](Self::hold).
    ///
    /// # Errors
    /// [`ClientError::Stopped`].
    pub async fn resume(&self) -> Result<(), ClientError> {
        self.set_hold(false).await
    }

    async fn set_hold(&self, hold: bool) -> Result<(), ClientError> {
        let session = self.session;
        Ok(self.handle.request(Ask::Hold { session, hold }).await?)
    }

    /// Asks the peer of an answered call to call somebody else in our place (REFER, RFC 3515): a number where the peer is, or a SIP
    /// URI. Comes back when the new party has answered, and this call is over then; or with the refusal, and this call goes on.
    ///
    /// # Errors
    /// [`ClientError::Uri`], [`ClientError::NotAnswered`], [`ClientError::Refused`]; [`ClientError::Ended`] if the call ends before
    /// its outcome is known.
    pub async fn transfer(&self, to: &str) -> Result<(), ClientError> {
        let to = if to.contains(':') {
            let uri = Uri::parse(to).ok().filter(Uri::is_sip);
            Destination::Uri(uri.ok_or(ClientError::Uri)?)
        } else {
            Destination::Number(to.to_owned())
        };
        self.transfer_to(to).await
    }

    /// Connects the peer of this call with the peer of another one, both answered (REFER with `Replaces`, RFC 5589 §7): an attended
    /// transfer. Both calls are over once that is done; on a refusal both go on.
    ///
    /// # Errors
    /// As [`transfer`](Self::transfer).
    pub async fn transfer_attended(&self, other: &Call) -> Result<(), ClientError> {
        if !matches!(other.state(), State::Answered) {
            return Err(ClientError::NotAnswered);
        }
        self.transfer_to(Destination::Call(other.session)).await?;
        other.hang_up().await
    }

    async fn transfer_to(&self, to: Destination) -> Result<(), ClientError> {
        if !matches!(self.state(), State::Answered) {
            return Err(ClientError::NotAnswered);
        }
        let (reply, outcome) = oneshot::channel();
        let session = self.session;
        self.handle.request(Ask::Transfer { session, to, reply }).await?;
        match outcome.await {
            Ok(code) if code.is_success() => Ok(()),
            Ok(code) => Err(ClientError::Refused(code)),
            Err(_) => Err(ClientError::Ended),
        }
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
        self.kept().take()
    }

    fn kept(&mut self) -> &mut Option<Recorder> {
        self.recorder.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}
