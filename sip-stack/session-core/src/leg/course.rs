//! Course of a leg's INVITE, as its record shows it.

use sans_io::Time;

/// Course of the INVITE of a leg. Each step keeps what those before it brought.
#[derive(Debug)]
pub(crate) enum Course {
    /// Ours has not left yet.
    Unsent,
    /// On its way to us or to the peer, without an answer.
    Sent(Sent),
    /// Answered at this time.
    Answered(Sent, Time),
}

/// INVITE that came or was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Empty where ours had nowhere to go.
    pub(crate) call_id: String,
    /// Time at which it came, or was sent.
    pub(crate) at: Time,
}

impl Course {
    /// SIP Call-ID; empty before it is sent.
    pub(super) fn call_id(&self) -> &str {
        self.sent().map_or("", |sent| &sent.call_id)
    }

    /// Time at which it came, or was sent.
    pub(super) fn began(&self) -> Option<Time> {
        self.sent().map(|sent| sent.at)
    }

    /// Time at which it was answered.
    pub(super) fn answered(&self) -> Option<Time> {
        match self {
            Course::Answered(_, at) => Some(*at),
            Course::Unsent | Course::Sent(_) => None,
        }
    }

    /// A 200 went over the dialog.
    pub(super) fn answer(&mut self, now: Time) {
        *self = match std::mem::replace(self, Course::Unsent) {
            Course::Sent(sent) => Course::Answered(sent, now),
            Course::Unsent => {
                debug_assert!(false, "what is answered was sent");
                Course::Unsent
            }
            answered @ Course::Answered(..) => answered,
        };
    }

    /// The 200 did not go out after all.
    pub(super) fn take_answer_back(&mut self) {
        *self = match std::mem::replace(self, Course::Unsent) {
            Course::Answered(sent, _) => Course::Sent(sent),
            other @ (Course::Unsent | Course::Sent(_)) => other,
        };
    }

    fn sent(&self) -> Option<&Sent> {
        match self {
            Course::Unsent => None,
            Course::Sent(sent) | Course::Answered(sent, _) => Some(sent),
        }
    }
}
