//! Surroundings of a call.

use call_engine::acd::{CallId, Phase};
use sans_io::Time;
use session_core::{Coordinator, LegId};

use super::super::directory::Directory;
use super::super::legs::Legs;
use super::super::numbers::CallNumbers;
use super::super::open_records::OpenRecords;
use super::super::publisher::Publisher;

/// Everything that a call works with, and owns none of.
pub(in crate::centre) struct Context<'a> {
    /// Number of the call.
    pub(in crate::centre) id: CallId,
    pub(in crate::centre) now: Time,
    /// Phase of the call in the engine, before it learns of this step.
    pub(in crate::centre) phase: Option<Phase>,
    pub(in crate::centre) coordinator: &'a mut Coordinator,
    pub(in crate::centre) directory: &'a Directory,
    pub(in crate::centre) legs: &'a mut Legs,
    pub(in crate::centre) open_records: &'a mut OpenRecords,
    pub(in crate::centre) numbers: &'a mut CallNumbers,
    pub(in crate::centre) publisher: &'a mut Publisher,
}

impl Context<'_> {
    /// Has the call published anew.
    pub(super) fn publish(&mut self) {
        self.publisher.call(self.id);
    }

    /// Takes a phone that rings, or has just answered, out of the call.
    pub(super) fn withdraw(&mut self, leg: LegId) {
        self.legs.remove(leg);
        self.coordinator.withdraw(self.now, leg, false);
    }
}
