//! Bridges: calls that hear each other, each a call of its own with its own end and its own record.

use std::collections::BTreeMap;

use media_core::control::{BridgeId, Command, LegId, Member};
use sans_io::Time;

use crate::SessionId;
use crate::context::Context;
use crate::coordinator::Coordinator;
use crate::event::{BridgeEvent, Event};

/// Legs that hear each other, as the shard was told.
#[derive(Debug, Default)]
pub(crate) struct Wired {
    /// Its name, as soon as it had members.
    name: Option<BridgeId>,
    /// Shard on which they meet: that of the first one.
    home: u8,
    members: Vec<Member>,
}

impl Wired {
    pub(crate) fn named(name: BridgeId) -> Wired {
        Wired {
            name: Some(name),
            ..Wired::default()
        }
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Changes who hears whom: two legs or more, or nobody.
    pub(crate) fn change(&mut self, cx: &mut Context, members: &[Member]) {
        let was = std::mem::replace(&mut self.members, members.to_vec());
        let Some(first) = members.first() else {
            if let Some(bridge) = self.name.filter(|_| !was.is_empty()) {
                self.name = None;
                self.command(cx, &was, &Command::Unbridge { bridge });
            }
            return;
        };
        let bridge = *self.name.get_or_insert_with(|| BridgeId(cx.next_id()));
        if was.is_empty() {
            self.home = first.shard;
        }
        let command = Command::Bridge {
            bridge,
            home: self.home,
            members: members.to_vec(),
        };
        self.command(cx, &was, &command);
    }

    /// Tells every shard that has to do with it: its home, and those of its members now and before.
    fn command(&self, cx: &mut Context, before: &[Member], command: &Command) {
        let mut shards = vec![self.home];
        for member in self.members.iter().chain(before) {
            if !shards.contains(&member.shard) {
                shards.push(member.shard);
            }
        }
        for shard in shards {
            cx.command(shard, command.clone());
        }
    }
}

/// A bridge of calls.
#[derive(Debug)]
pub(crate) struct Bridge {
    id: BridgeId,
    sessions: Vec<SessionId>,
    created_at: Time,
    wired: Wired,
    speech: Speech,
}

/// Speech of the legs of a bridge.
#[derive(Debug)]
enum Speech {
    /// Nobody wants to know.
    Unwatched,
    /// Legs that speak now, with their calls.
    Watched(BTreeMap<LegId, SessionId>),
}

/// A bridge, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeInfo {
    /// Its name.
    pub id: BridgeId,
    /// Calls in it, in the order in which they came.
    pub sessions: Vec<SessionId>,
    /// Time at which it was made.
    pub created_at: Time,
    /// Legs that hear each other in it now.
    pub participant_count: usize,
}

/// Error of an operation on bridges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BridgeError {
    /// There is no such bridge.
    NoBridge,
    /// There is no such call, or it is ending.
    NoSession,
    /// The call is in another bridge, or the two are one and the same call.
    Taken,
    /// The call is not in this bridge.
    NotInBridge,
}

impl std::fmt::Display for BridgeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            BridgeError::NoBridge => "no such bridge",
            BridgeError::NoSession => "no such call, or it is ending",
            BridgeError::Taken => "the call is in a bridge already",
            BridgeError::NotInBridge => "the call is not in this bridge",
        })
    }
}

impl std::error::Error for BridgeError {}

impl Coordinator {
    /// Makes a bridge that nobody is in yet. It stays until [`destroy_bridge`](Self::destroy_bridge).
    pub fn create_bridge(&mut self, now: Time) -> BridgeId {
        let cx = self.context_mut();
        let id = BridgeId(cx.next_id());
        cx.event(Event::Bridge(BridgeEvent::Created { bridge: id }));
        let bridge = Bridge {
            id,
            sessions: Vec::new(),
            created_at: now,
            wired: Wired::named(id),
            speech: Speech::Unwatched,
        };
        self.bridges_mut().insert(id, bridge);
        id
    }

    /// Lets the parties of two calls hear each other, in a new bridge.
    ///
    /// # Errors
    /// One of them is not there or is in a bridge already; then nothing has changed.
    pub fn bridge_sessions(
        &mut self,
        now: Time,
        a: SessionId,
        b: SessionId,
    ) -> Result<BridgeId, BridgeError> {
        self.may_be_bridged(a)?;
        self.may_be_bridged(b)?;
        if a == b {
            return Err(BridgeError::Taken);
        }
        let bridge = self.create_bridge(now);
        self.add_session_to_bridge(bridge, a)?;
        self.add_session_to_bridge(bridge, b)?;
        Ok(bridge)
    }

    /// Puts a call into a bridge: its parties hear everybody in it, as their roles say.
    ///
    /// # Errors
    /// The bridge or the call is not there, or the call is in a bridge already.
    pub fn add_session_to_bridge(&mut self, bridge: BridgeId, session: SessionId) -> Result<(), BridgeError> {
        if !self.bridges().contains_key(&bridge) {
            return Err(BridgeError::NoBridge);
        }
        self.may_be_bridged(session)?;
        if let Some(found) = self.bridges_mut().get_mut(&bridge) {
            found.sessions.push(session);
        }
        self.with_call(session, |call, cx| {
            cx.event(Event::Bridge(BridgeEvent::Joined { bridge, session }));
            call.enter_shared(cx, bridge);
        });
        Ok(())
    }

    /// Takes a call out of a bridge: its parties hear each other, or the sound that is due to them.
    ///
    /// # Errors
    /// The bridge is not there, or the call is not in it.
    pub fn remove_session_from_bridge(
        &mut self,
        bridge: BridgeId,
        session: SessionId,
    ) -> Result<(), BridgeError> {
        let found = self.bridges_mut().get_mut(&bridge).ok_or(BridgeError::NoBridge)?;
        let at = found.sessions.iter().position(|other| *other == session);
        found.sessions.remove(at.ok_or(BridgeError::NotInBridge)?);
        let was = found.wired.members().to_vec();
        self.rewire(bridge);
        self.with_call(session, |call, cx| {
            call.leave_shared(cx, &was);
        });
        self.context_mut()
            .event(Event::Bridge(BridgeEvent::Left { bridge, session }));
        Ok(())
    }

    /// Ends a bridge; the calls in it go on, each by itself.
    ///
    /// # Errors
    /// There is no such bridge.
    pub fn destroy_bridge(&mut self, bridge: BridgeId) -> Result<(), BridgeError> {
        let sessions = match self.bridges().get(&bridge) {
            Some(found) => found.sessions.clone(),
            None => return Err(BridgeError::NoBridge),
        };
        for session in sessions {
            self.remove_session_from_bridge(bridge, session)?;
        }
        self.bridges_mut().remove(&bridge);
        self.context_mut()
            .event(Event::Bridge(BridgeEvent::Destroyed { bridge }));
        Ok(())
    }

    /// The bridge that a call was put into.
    #[must_use]
    pub fn session_bridge(&self, session: SessionId) -> Option<BridgeId> {
        self.call(session)?.shared_bridge()
    }

    /// Bridges there are.
    pub fn list_bridges(&self) -> impl Iterator<Item = BridgeInfo> + '_ {
        self.bridges().values().map(|bridge| BridgeInfo {
            id: bridge.id,
            sessions: bridge.sessions.clone(),
            created_at: bridge.created_at,
            participant_count: bridge.wired.members().len(),
        })
    }

    /// Reports from now on who begins and who ceases to speak in a bridge ([`BridgeEvent::Speaking`]), or no longer.
    ///
    /// # Errors
    /// There is no such bridge.
    pub fn watch_speech(&mut self, bridge: BridgeId, on: bool) -> Result<(), BridgeError> {
        let found = self.bridges_mut().get_mut(&bridge).ok_or(BridgeError::NoBridge)?;
        if matches!(found.speech, Speech::Watched(_)) != on {
            found.speech = if on {
                Speech::Watched(BTreeMap::new())
            } else {
                Speech::Unwatched
            };
            for member in found.wired.members().to_vec() {
                self.watch(member, on);
            }
        }
        Ok(())
    }

    fn watch(&mut self, member: Member, on: bool) {
        let leg = member.leg;
        self.context_mut()
            .command(member.shard, Command::WatchSpeech { leg, on });
    }

    /// Members of a bridge change: those who come are watched if the others are, and those who go have fallen silent.
    fn watch_members(&mut self, bridge: BridgeId, was: &[Member], wanted: &[Member]) {
        let found = self.bridges().get(&bridge);
        if !found.is_some_and(|found| matches!(found.speech, Speech::Watched(_))) {
            return;
        }
        let is_in = |of: &[Member], leg: LegId| of.iter().any(|other| other.leg == leg);
        for gone in was.iter().filter(|gone| !is_in(wanted, gone.leg)) {
            self.watch(*gone, false);
            self.speaks_in(bridge, gone.leg, None);
        }
        for new in wanted.iter().filter(|new| !is_in(was, new.leg)) {
            self.watch(*new, true);
        }
    }

    /// The party of a leg began to speak, or fell silent.
    pub(crate) fn speaks(&mut self, leg: LegId, speaking: bool) {
        // The shard may report a leg that ended meanwhile.
        let Some(session) = self.session_of_leg(leg) else {
            return;
        };
        if let Some(bridge) = self.session_bridge(session) {
            self.speaks_in(bridge, leg, speaking.then_some(session));
        }
    }

    /// Notes whether a leg of a bridge speaks, and for which call; reports it if that changes who speaks.
    fn speaks_in(&mut self, bridge: BridgeId, leg: LegId, session: Option<SessionId>) {
        let Some(Bridge {
            sessions,
            speech: Speech::Watched(legs),
            ..
        }) = self.bridges_mut().get_mut(&bridge)
        else {
            return;
        };
        let before = legs.remove(&leg);
        // A leg that is in no call of the bridge any longer, and was not heard to speak.
        let Some(of) = session.or(before) else { return };
        let other_speaks = legs.values().any(|other| *other == of);
        if let Some(session) = session {
            legs.insert(leg, session);
        }
        let changes = before.is_some() != session.is_some() && !other_speaks;
        if changes && sessions.contains(&of) {
            self.context_mut().event(Event::Bridge(BridgeEvent::Speaking {
                bridge,
                session: of,
                speaking: session.is_some(),
            }));
        }
    }

    fn may_be_bridged(&self, session: SessionId) -> Result<(), BridgeError> {
        let call = self.call(session).filter(|call| !call.is_ending());
        match call.ok_or(BridgeError::NoSession)?.shared_bridge() {
            Some(_) => Err(BridgeError::Taken),
            None => Ok(()),
        }
    }

    /// A call is over, or its legs go over into another one: it leaves the bridge that it was put into.
    pub(crate) fn forget_in_bridge(&mut self, bridge: BridgeId, session: SessionId) {
        if let Some(found) = self.bridges_mut().get_mut(&bridge) {
            found.sessions.retain(|other| *other != session);
            self.context_mut()
                .event(Event::Bridge(BridgeEvent::Left { bridge, session }));
            self.rewire(bridge);
        }
    }

    /// Brings a bridge in line with the state of the calls in it.
    pub(crate) fn rewire(&mut self, bridge: BridgeId) {
        // Destroyed since one of its calls changed.
        let Some(found) = self.bridges_mut().get_mut(&bridge) else {
            return;
        };
        let mut wired = std::mem::take(&mut found.wired);
        let sessions = found.sessions.clone();
        let calls = sessions.iter().filter_map(|session| self.call(*session));
        let mut wanted: Vec<Member> = calls.flat_map(|call| call.share()).collect();
        if wanted.len() < 2 {
            wanted.clear();
        }
        let was = wired.members().to_vec();
        if was != wanted {
            self.each_in(&sessions, |call, cx| call.enter(cx, &was, &wanted));
            wired.change(self.context_mut(), &wanted);
            self.watch_members(bridge, &was, &wanted);
        }
        if wanted.is_empty() {
            wired = Wired::named(bridge);
        }
        self.each_in(&sessions, |call, cx| call.wire_outside(cx, &wanted));
        if let Some(found) = self.bridges_mut().get_mut(&bridge) {
            found.wired = wired;
        }
    }

    fn each_in(&mut self, sessions: &[SessionId], act: impl Fn(&mut crate::call::Call, &mut Context)) {
        for session in sessions {
            self.with_call(*session, &act);
        }
    }
}
