//! Live calls as applications see them.

use sans_io::Time;

use super::{Call, SessionId};
use crate::leg::Leg;

/// A live call, as applications see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSession {
    /// Its name.
    pub id: SessionId,
    /// User part of the caller.
    pub from: String,
    /// Number or name that was dialled.
    pub to: String,
    /// State now.
    pub state: CallState,
    /// Time at which the INVITE came, or was sent.
    pub started_at: Time,
    /// Time at which it was answered.
    pub answered_at: Option<Time>,
}

/// State of a live call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// Nobody rings yet.
    Initiating,
    /// Somebody rings.
    Ringing,
    /// Its parties may talk.
    Active,
    /// One of its parties is held, or holds.
    OnHold,
    /// Ends.
    Ending,
}

impl Call {
    /// The call as applications see it.
    pub(crate) fn describe(&self) -> CallSession {
        CallSession {
            id: self.id,
            from: self.from.user.clone(),
            to: self.to.clone(),
            state: self.state(),
            started_at: self.began,
            answered_at: self.answered,
        }
    }

    fn state(&self) -> CallState {
        let members = || self.legs.iter().filter(|l| l.is_member());
        if self.is_ending() {
            CallState::Ending
        } else if self.answered.is_none() {
            match self.legs.iter().any(Leg::is_early) {
                true => CallState::Ringing,
                false => CallState::Initiating,
            }
        } else if members().any(|l| l.is_held() || l.is_holding()) {
            CallState::OnHold
        } else {
            CallState::Active
        }
    }
}
