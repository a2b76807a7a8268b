//! Telling somebody who waits something, in the place of the music.

use media_core::control::{Command, LegId};
use media_core::voice::Phrase;

use crate::coordinator::Coordinator;
use crate::event::Event;
use crate::leg::Hears;

impl Coordinator {
    /// Says something to a leg that hears music or what [`play`](Self::play) said, which pauses meanwhile. Whatever else the leg is to
    /// hear, an agent who answers first of all, cuts it short. Answered by [`Event::Announced`], unless the leg is not there or
    /// hears something else; then false. What comes while something is being said
    /// follows it, the last alone, and is answered with it.
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
