//! Telling somebody who waits something, in the place of the music.

use media_core::control::LegId;

use super::Call;
use crate::context::Context;
use crate::event::Event;

impl Call {
    /// An announcement is over.
    pub(crate) fn announced(&self, cx: &mut Context, leg: LegId, whole: bool) {
        let session = self.id();
        cx.event(Event::Announced { session, leg, whole });
    }
}
