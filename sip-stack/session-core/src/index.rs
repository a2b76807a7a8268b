//! Index over live calls: finds a leg's call, a dialog's leg, a user's legs, and counts what limits are set on.

use std::collections::{BTreeMap, BTreeSet};

use media_core::control::LegId;
use sip_core::endpoint::UsageId;

use crate::SessionId;
use crate::config::Trunk;
use crate::event::Source;
use crate::leg::Leg;

/// Index over calls and legs. Kept by the calls as legs come, move and go.
#[derive(Debug)]
pub(crate) struct Index {
    /// The call of each leg.
    sessions: BTreeMap<LegId, SessionId>,
    /// The leg of each dialog of ours.
    usages: BTreeMap<UsageId, LegId>,
    /// The leg of each SIP Call-ID.
    call_ids: BTreeMap<String, LegId>,
    /// Legs of the directory's users.
    users: BTreeMap<String, BTreeSet<LegId>>,
    /// Legs that take up a channel of each trunk.
    channels: BTreeMap<String, BTreeSet<LegId>>,
    /// Calls of each source.
    calls: BTreeMap<Source, usize>,
    /// Legs on ports of their own.
    phones: usize,
    /// Legs of each media shard.
    shards: Vec<usize>,
}

impl Index {
    pub(crate) fn new(shards: u8) -> Index {
        Index {
            sessions: BTreeMap::new(),
            usages: BTreeMap::new(),
            call_ids: BTreeMap::new(),
            users: BTreeMap::new(),
            channels: BTreeMap::new(),
            calls: BTreeMap::new(),
            phones: 0,
            shards: vec![0; usize::from(shards.max(1))],
        }
    }

    /// The shard with the fewest legs: that of a new call.
    pub(crate) fn least_loaded(&self) -> u8 {
        let loads = self.shards.iter().zip(0..);
        loads.min_by_key(|(legs, _)| **legs).map_or(0, |(_, shard)| shard)
    }

    pub(crate) fn add_call(&mut self, source: Option<&Source>) {
        if let Some(source) = source {
            *self.calls.entry(source.clone()).or_default() += 1;
        }
    }

    pub(crate) fn remove_call(&mut self, source: Option<&Source>) {
        // A call of ours has no source, and counts for nobody's quota.
        let Some(source) = source else { return };
        debug_assert!(self.calls.contains_key(source), "a call that ends was counted");
        if let Some(calls) = self.calls.get_mut(source) {
            *calls -= 1;
            if *calls == 0 {
                self.calls.remove(source);
            }
        }
    }

    pub(crate) fn add_leg(&mut self, session: SessionId, leg: &Leg) {
        let before = self.sessions.insert(leg.id(), session);
        debug_assert!(before.is_none(), "a leg is in one call");
        if !leg.call_id().is_empty() {
            self.add_call_id(leg.call_id(), leg.id());
        }
        if let Some(user) = leg.user() {
            self.users.entry(user.to_owned()).or_default().insert(leg.id());
        }
        if let Some(trunk) = leg.trunk() {
            self.channels
                .entry(trunk.to_owned())
                .or_default()
                .insert(leg.id());
        }
        if !leg.is_browser() {
            self.phones += 1;
        }
        if let Some(legs) = self.shards.get_mut(usize::from(leg.shard())) {
            *legs += 1;
        }
    }

    /// The SIP Call-ID of a leg is known. Whoever comes later under the same one does not take it away.
    pub(crate) fn add_call_id(&mut self, call_id: &str, leg: LegId) {
        self.call_ids.entry(call_id.to_owned()).or_insert(leg);
    }

    /// A leg is in another call now.
    pub(crate) fn move_leg(&mut self, leg: LegId, session: SessionId) {
        let before = self.sessions.insert(leg, session);
        debug_assert!(before.is_some(), "a leg that moves was somewhere");
    }

    pub(crate) fn remove_leg(&mut self, leg: &Leg) {
        let before = self.sessions.remove(&leg.id());
        debug_assert!(before.is_some(), "a leg goes once");
        if self.call_ids.get(leg.call_id()) == Some(&leg.id()) {
            self.call_ids.remove(leg.call_id());
        }
        if let Some(user) = leg.user()
            && let Some(legs) = self.users.get_mut(user)
        {
            legs.remove(&leg.id());
            if legs.is_empty() {
                self.users.remove(user);
            }
        }
        self.release(leg);
        if !leg.is_browser() {
            self.phones -= 1;
        }
        if let Some(legs) = self.shards.get_mut(usize::from(leg.shard())) {
            *legs -= 1;
        }
    }

    /// A leg takes up no channel of its trunk any more.
    pub(crate) fn release(&mut self, leg: &Leg) {
        if let Some(trunk) = leg.trunk()
            && let Some(legs) = self.channels.get_mut(trunk)
        {
            legs.remove(&leg.id());
            if legs.is_empty() {
                self.channels.remove(trunk);
            }
        }
    }

    /// Channels of a trunk that are in use: its legs, both ways.
    pub(crate) fn channels(&self, trunk: &str) -> usize {
        self.channels.get(trunk).map_or(0, BTreeSet::len)
    }

    /// True if no channel of the trunk is free.
    pub(crate) fn is_full(&self, name: &str, trunk: &Trunk) -> bool {
        let channels = trunk.outgoing.channels;
        channels.is_some_and(|channels| self.channels(name) >= channels)
    }

    pub(crate) fn add_usage(&mut self, usage: UsageId, leg: LegId) {
        self.usages.insert(usage, leg);
    }

    pub(crate) fn remove_usage(&mut self, usage: UsageId) -> Option<LegId> {
        self.usages.remove(&usage)
    }

    /// The call that a leg is in.
    pub(crate) fn session(&self, leg: LegId) -> Option<SessionId> {
        self.sessions.get(&leg).copied()
    }

    /// The call that a SIP Call-ID belongs to.
    pub(crate) fn session_of_call_id(&self, call_id: &str) -> Option<SessionId> {
        self.session(*self.call_ids.get(call_id)?)
    }

    /// The leg of a dialog.
    pub(crate) fn leg(&self, usage: UsageId) -> Option<LegId> {
        self.usages.get(&usage).copied()
    }

    /// Legs of a user, oldest first.
    pub(crate) fn of_user(&self, user: &str) -> impl Iterator<Item = LegId> + '_ {
        self.users.get(user).into_iter().flatten().copied()
    }

    /// Calls of a source.
    pub(crate) fn calls_of(&self, source: &Source) -> usize {
        self.calls.get(source).copied().unwrap_or_default()
    }

    /// Legs that hold a pair of ports.
    pub(crate) fn phones(&self) -> usize {
        self.phones
    }

    /// Legs there are.
    pub(crate) fn legs(&self) -> usize {
        self.sessions.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_stays_with_the_leg_that_had_it_first() {
        let mut index = Index::new(1);
        for (leg, session) in [(1, 10), (2, 20)] {
            index.sessions.insert(LegId(leg), SessionId(session));
            index.add_call_id("a@b", LegId(leg));
        }
        assert_eq!(index.session_of_call_id("a@b"), Some(SessionId(10)));
        assert_eq!(index.session_of_call_id("other"), None);
    }
}
