//! Recordings of calls: the switch shows the desk what happens, and passes wishes on.

use sans_io::Time;
use session_core::{Coordinator, Event};

use super::Switch;
use crate::centre::command::Refused;
use crate::recording::desk::{Desk, Wanted};

impl Switch {
    /// Has calls recorded as this desk decides.
    #[must_use]
    pub(crate) fn recording(self, desk: Option<Desk>) -> Switch {
        Switch {
            recordings: desk,
            ..self
        }
    }

    /// Shows an event of any call to the desk, once everybody else has acted on it.
    pub(super) fn tell_recordings(&mut self, now: Time, event: &Event, coordinator: &Coordinator) {
        if let (Some(desk), Some(centre)) = (&mut self.recordings, &self.centre) {
            desk.event(now, event, coordinator, |session| centre.known_call(session));
        }
    }

    /// Passes a wish to the desk; without one no call is recorded.
    pub(super) fn record(&mut self, now: Time, wanted: Wanted) {
        match &mut self.recordings {
            Some(desk) => desk.wanted(now, wanted),
            // The client may have gone away.
            None => drop(wanted.reply.send(Err(Refused::UnknownCall))),
        }
    }
}
