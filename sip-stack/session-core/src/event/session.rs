//! The session that an event is about.

use super::Event;
use crate::SessionId;

impl Event {
    /// The session that it is about.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Event::Incoming { session, .. }
            | Event::Progress { session, .. }
            | Event::Answered { session, .. }
            | Event::Changed { session, .. }
            | Event::Restored { session, .. }
            | Event::Diverted { session, .. }
            | Event::Bridged { session, .. }
            | Event::InvitationRings { session, .. }
            | Event::InvitationAnswered { session, .. }
            | Event::InvitationEnded { session, .. }
            | Event::Left { session, .. }
            | Event::Joined { session, .. }
            | Event::Refer { session, .. }
            | Event::Replaces { session, .. }
            | Event::Joins { session, .. }
            | Event::Transferred { session, .. }
            | Event::TransferFailed { session, .. }
            | Event::ReferProgress { session, .. }
            | Event::Returned { session, .. }
            | Event::DialFailed { session, .. }
            | Event::Dtmf { session, .. }
            | Event::Hold { session, .. }
            | Event::Away { session, .. }
            | Event::Silent { session, .. }
            | Event::Present { session, .. }
            | Event::Announced { session, .. }
            | Event::Talking { session, .. }
            | Event::Report { session, .. }
            | Event::Verdict { session, .. }
            | Event::Ended { session, .. } => Some(*session),
            Event::Bridge(_)
            | Event::CapReached { .. }
            | Event::Alive { .. }
            | Event::Reachable { .. }
            | Event::Refused(_)
            | Event::Watch { .. }
            | Event::Message { .. }
            | Event::MessageSent { .. }
            | Event::MessageKept { .. }
            | Event::MessageOver { .. }
            | Event::Mailbox { .. }
            | Event::Banned(_)
            | Event::Target { .. }
            | Event::Registration { .. } => None,
        }
    }
}
