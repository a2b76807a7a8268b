//! Reports on the quality of a leg.

use media_core::control::{Command, LegId};

use crate::coordinator::Coordinator;

impl Coordinator {
    /// Asks the shard for a leg's counters: [`Event::Report`](crate::Event::Report).
    pub fn report(&mut self, leg: LegId) {
        self.command(leg, Command::Report { leg });
    }
}
