//! Records of calls that wait for the last of their legs: while an agent asks somebody, the agent's leg is in a session of its own,
//! which may end before the caller's or after it.

use std::collections::BTreeMap;

use call_engine::acd::CallId;
use session_core::SessionId;

use super::journal::Ended;
use super::view::RecordLeg;

/// Sessions whose legs belong to the record of a call.
#[derive(Debug, Default)]
pub(super) struct OpenRecords {
    sessions: BTreeMap<SessionId, CallId>,
    /// Legs of such sessions that are over.
    legs: BTreeMap<CallId, Vec<RecordLeg>>,
    /// Facts of calls whose own session is over, while another one is not.
    ended: BTreeMap<CallId, Ended>,
}

impl OpenRecords {
    /// Adds a session to a call.
    pub(super) fn add(&mut self, session: SessionId, call: CallId) {
        self.sessions.insert(session, call);
    }

    /// The session went into another one, and its legs are in the record of that.
    pub(super) fn joined(&mut self, session: SessionId) -> Option<(CallId, Ended)> {
        self.session_ended(session, Vec::new())
    }

    /// The session is over. Returns the call whose record waited for it alone.
    pub(super) fn session_ended(
        &mut self,
        session: SessionId,
        legs: Vec<RecordLeg>,
    ) -> Option<(CallId, Ended)> {
        let call = self.sessions.remove(&session)?;
        self.legs.entry(call).or_default().extend(legs);
        let ended = self.ended.remove(&call)?;
        let whole = self.call_ended(call, ended)?;
        Some((call, whole))
    }

    /// The caller's session is over. Returns the facts with all legs, unless a session of the call is not over yet.
    pub(super) fn call_ended(&mut self, call: CallId, mut ended: Ended) -> Option<Ended> {
        if self.sessions.values().any(|of| *of == call) {
            self.ended.insert(call, ended);
            return None;
        }
        ended.add_legs(self.legs.remove(&call).unwrap_or_default());
        Some(ended)
    }

    /// True while legs of this session belong to the record of a call.
    pub(super) fn has(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// Gives everything of a call to its next number.
    pub(super) fn renumber(&mut self, from: CallId, to: CallId) {
        for call in self.sessions.values_mut().filter(|call| **call == from) {
            *call = to;
        }
        if let Some(legs) = self.legs.remove(&from) {
            self.legs.entry(to).or_default().extend(legs);
        }
    }
}
