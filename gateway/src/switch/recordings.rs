//! Recordings of calls: the switch shows the control what happens, and passes wishes on.

use sans_io::Time;
use session_core::{Coordinator, Event};

use super::Switch;
use crate::centre::command::Refused;
use crate::recording::control::{Control, Wanted};

impl Switch {
    /// Has calls recorded as this control decides.
    #[must_use]
    pub(crate) fn recording(self, control: Option<Control>) -> Switch {
        Switch {
            recordings: control,
            ..self
        }
    }

    /// Shows an event of any call to the control, once everybody else has acted on it.
    pub(super) fn notify_recordings(&mut self, now: Time, event: &Event, coordinator: &Coordinator) {
        if let (Some(control), Some(centre)) = (&mut self.recordings, &self.centre) {
            control.event(now, event, coordinator, |session| centre.known_call(session));
        }
    }

    /// Passes a wish to the control; without one no call is recorded.
    pub(super) fn record(&mut self, now: Time, wanted: Wanted) {
        match &mut self.recordings {
            Some(control) => control.wanted(now, wanted),
            // The client may have gone away.
            None => drop(wanted.reply.send(Err(Refused::UnknownCall))),
        }
    }
}
