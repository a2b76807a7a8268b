//! Telling somebody who waits something, in the place of the music.

use media_core::control::Phrase;
use media_core::control::{Command, LegId};

use crate::coordinator::Coordinator;
use crate::event::Event;
use crate::leg::Hears;

impl Coordinator {
    /// Says something to a leg that hears music or the sound set by [`play`](Self::play), which pauses
    /// meanwhile. Any other sound for the leg, above all an agent who answers, cuts it short. Answered by
    /// [`Event::Announced`], unless the leg does not exist or hears something else; then false. A phrase that
    /// comes while another is being said follows it (of several, the last), and is answered with it.
    pub fn announce(&mut self, leg: LegId, phrase: Phrase) -> bool {
        let waits = self
            .legs
            .get(&leg)
            .is_some_and(|l| l.is_connected() && matches!(l.hears, Hears::Music | Hears::Application));
        if waits {
            self.command(leg, Command::Announce { leg, phrase });
        }
        waits
    }

    pub(crate) fn announced(&mut self, leg: LegId, whole: bool) {
        if let Some(l) = self.legs.get(&leg) {
            let session = l.session;
            self.event(Event::Announced { session, leg, whole });
        }
    }
}
