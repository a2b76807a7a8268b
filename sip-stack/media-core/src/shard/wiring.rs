//! Bridges and their members.

use std::time::Duration;

use sans_io::Time;
use smallvec::SmallVec;

use super::Shard;
use super::hearing::is_heard_by;
use crate::bridge::{Mix, Part};
use crate::control::{BridgeId, LegId, Member, Role, StreamIndex};
use crate::dtmf::Heard;
use crate::leg::{end_at, ends_at};
use crate::stream::{End, Hears, Place, TICK};

/// Time of the first tick after the last expected packet of the members that are heard already.
const MARGIN: Duration = Duration::from_millis(4);
/// Delay beyond which a mix skips the ticks that it missed.
const BEHIND: Duration = Duration::from_millis(100);

/// Legs that hear each other, stream by stream: the first of one that of the others, and so on.
#[derive(Debug)]
pub(super) struct Bridge {
    pub(super) members: Vec<(LegId, Role)>,
    /// For streams of each place; `None` for two parties.
    mixes: SmallVec<[Option<Box<Mix>>; 1]>,
}

impl Bridge {
    pub(super) fn mix(&self, stream: StreamIndex) -> Option<&Mix> {
        self.mixes.get(usize::from(stream.0))?.as_deref()
    }

    pub(super) fn mix_mut(&mut self, stream: StreamIndex) -> Option<&mut Box<Mix>> {
        self.mixes.get_mut(usize::from(stream.0))?.as_mut()
    }
}

impl Shard {
    /// Lets those of the members who are here, themselves or by a stand-in, hear each other.
    pub(super) fn bridge(&mut self, now: Time, bridge: BridgeId, wanted: &[Member]) {
        let mut members: Vec<(LegId, Role)> = Vec::with_capacity(wanted.len());
        for Member { leg, role, .. } in wanted {
            if self.names.contains_key(leg) && !members.iter().any(|(member, _)| member == leg) {
                members.push((*leg, *role));
            }
        }
        for (id, _) in &members {
            let Some(&key) = self.names.get(id) else { continue };
            if self.legs.get(key).and_then(|leg| leg.bridge) != Some(bridge) {
                self.untie(now, key);
                self.leave(now, key);
            }
        }
        self.set_members(now, bridge, members);
    }

    pub(super) fn unbridge(&mut self, now: Time, bridge: BridgeId) {
        self.expected.remove(&bridge);
        self.untie_others(now, bridge, &[]);
        self.set_members(now, bridge, Vec::new());
    }

    /// Takes a leg out of its bridge.
    pub(super) fn leave(&mut self, now: Time, key: usize) {
        let Some(leg) = self.legs.get(key) else { return };
        let (id, Some(bridge)) = (leg.id, leg.bridge) else {
            return;
        };
        let members = self.bridges.get(&bridge).map(|bridge| bridge.members.clone());
        let mut members = members.unwrap_or_default();
        members.retain(|(member, _)| *member != id);
        self.set_members(now, bridge, members);
    }

    /// Decides anew what a leg and all that share its bridge hear.
    pub(super) fn rewire_with(&mut self, now: Time, key: usize) {
        let bridge = self.legs.get(key).and_then(|leg| leg.bridge);
        let members = bridge.and_then(|id| Some((id, self.bridges.get(&id)?.members.clone())));
        match members {
            Some((bridge, members)) => self.set_members(now, bridge, members),
            None => {
                for place in self.places(key) {
                    self.rewire(now, place);
                }
            }
        }
    }

    /// Lets these and nobody else take part in a bridge; nothing changes for those who do already.
    fn set_members(&mut self, now: Time, bridge: BridgeId, mut members: Vec<(LegId, Role)>) {
        if members.len() < 2 {
            members.clear();
        }
        let (before, mut mixes) = match self.bridges.remove(&bridge) {
            Some(before) => (before.members, before.mixes),
            None => (Vec::new(), SmallVec::new()),
        };
        for (id, _) in before {
            let Some(&key) = self.names.get(&id) else { continue };
            if let Some(leg) = self.legs.get_mut(key)
                && !members.iter().any(|(member, _)| *member == id)
            {
                leg.bridge = None;
                for stream in &mut leg.streams {
                    stream.peer = None;
                    stream.be_mixed_no_more(&mut self.pool);
                }
                for place in self.places(key) {
                    self.rewire(now, place);
                }
            }
        }
        if members.is_empty() {
            return;
        }
        let keys: Vec<usize> = members.iter().filter_map(|(id, _)| self.key_of(*id)).collect();
        let streams = keys.iter().filter_map(|key| self.legs.get(*key));
        let streams = streams.map(|leg| leg.streams.len()).max().unwrap_or(0);
        // The mix of streams that are there no more ends with them.
        mixes.resize_with(streams, || None);
        for (stream, mix) in (0..).map(StreamIndex).zip(&mut mixes) {
            *mix = self.join(now, &members, stream, mix.take());
        }
        for key in &keys {
            if let Some(leg) = self.legs.get_mut(*key) {
                leg.bridge = Some(bridge);
            }
        }
        self.bridges.insert(bridge, Bridge { members, mixes });
        for key in keys {
            for place in self.places(key) {
                self.rewire(now, place);
            }
        }
        for stream in (0..streams as u8).map(StreamIndex) {
            self.arm_mix(bridge, stream);
        }
    }

    /// Joins the members' streams of one place: two parties to each other, all else by the mix that it gives back.
    fn join(
        &mut self,
        now: Time,
        members: &[(LegId, Role)],
        stream: StreamIndex,
        mix: Option<Box<Mix>>,
    ) -> Option<Box<Mix>> {
        let mut seats: SmallVec<[(Place, LegId, Role); 4]> = SmallVec::new();
        let mut injected = false;
        for (id, role) in members {
            let place = self.key_of(*id).map(|leg| Place { leg, stream });
            if let Some(place) = place
                && let Some(End { stream, .. }) = self.end(place)
            {
                injected |= stream.injected.is_some();
                seats.push((place, *id, *role));
            }
        }
        if let [(a, _, Role::Party), (b, _, Role::Party)] = seats[..]
            && members.len() == 2
            && !injected
        {
            if let Some(mut mix) = mix {
                self.part(now, &mut mix, [a, b]);
            }
            for (place, other) in [(a, b), (b, a)] {
                if let Some(End { stream, .. }) = self.end(place) {
                    stream.peer = Some(other);
                }
            }
            return None;
        }
        if seats.len() < 2 {
            // The only member that has such a stream hears nobody by it.
            for (place, ..) in seats {
                if let Some(End { stream, .. }) = end_at(&mut self.legs, place) {
                    stream.peer = None;
                    stream.be_mixed_no_more(&mut self.pool);
                }
            }
            return None;
        }
        let places: SmallVec<[Place; 4]> = seats.iter().map(|(place, ..)| *place).collect();
        let mut next = match mix {
            Some(mix) => mix,
            None => self.start_mix(now, &places),
        };
        let parts: Vec<(Place, Part)> = seats
            .iter()
            .map(|(place, id, role)| (*place, self.part_of(*id, *role, stream)))
            .collect();
        next.set_members(&parts, &mut self.legs, &mut self.pool);
        for place in places {
            if let Some(End { stream, .. }) = self.end(place) {
                stream.peer = None;
            }
        }
        Some(next)
    }

    pub(super) fn key_of(&self, id: LegId) -> Option<usize> {
        self.names.get(&id).copied()
    }

    fn part_of(&self, id: LegId, role: Role, stream: StreamIndex) -> Part {
        match role {
            Role::Party => Part::Party,
            Role::Listener => Part::Listener,
            Role::Coach(party) => {
                let coached = self.key_of(party).filter(|_| party != id);
                Part::Coach(coached.map(|leg| Place { leg, stream }))
            }
        }
    }

    /// A mix that goes on with what those who heard each other in a bridge of two say.
    fn start_mix(&mut self, now: Time, places: &[Place]) -> Box<Mix> {
        let mut first = now + TICK;
        for place in places {
            let Some(End { stream, .. }) = self.end(*place) else {
                continue;
            };
            if stream.listener.is_none() || stream.peer.is_none() {
                continue;
            }
            stream.follows = true;
            let expected = match &mut stream.feed {
                Some(feed) if feed.is_paced() => feed.deadline().map(|(at, _)| at),
                Some(feed) => {
                    feed.pace();
                    stream.heard.map(|heard| heard + TICK)
                }
                None => stream.heard.map(|heard| heard + TICK),
            };
            // Silent members are not waited for.
            if let Some(expected) = expected.filter(|at| *at <= now + TICK) {
                first = first.max(expected + MARGIN);
            }
        }
        self.generation += 1;
        Box::new(Mix::new(first, self.generation))
    }

    /// Two parties are left of a mix.
    fn part(&mut self, now: Time, mix: &mut Mix, [a, b]: [Place; 2]) {
        for (from, to) in [(a, b), (b, a)] {
            if let Some((talker, listener)) = ends_at(&mut self.legs, from, to) {
                mix.part(now, (from, talker), (to, listener), &mut self.pool, &mut self.out);
            }
        }
    }

    /// The ticks of a mix that are due.
    pub(super) fn mix(&mut self, now: Time, id: BridgeId, stream: StreamIndex) {
        let slot = |bridge: &mut Bridge| bridge.mixes.get_mut(usize::from(stream.0))?.take();
        let Some(mut mix) = self.bridges.get_mut(&id).and_then(slot) else {
            return;
        };
        if now.since(mix.tick) > BEHIND {
            // We were held up: missed ticks stay missed.
            mix.tick = now;
            for (id, _) in self.bridges.get(&id).map_or(&[][..], |bridge| &bridge.members) {
                let leg = self.names.get(id).and_then(|key| self.legs.get_mut(*key));
                if let Some(stream) = leg.and_then(|leg| leg.stream_mut(stream))
                    && stream.hears == Hears::Mix
                {
                    stream.egress.resume(now);
                }
            }
        }
        while mix.tick <= now {
            mix.play(now, &mut self.legs, &mut self.pool, &mut self.out);
        }
        let bridge = self.bridges.get_mut(&id);
        if let Some(slot) = bridge.and_then(|bridge| bridge.mixes.get_mut(usize::from(stream.0))) {
            *slot = Some(mix);
        }
    }

    /// Sends a key to all who hear in a mix the stream whose key it is.
    pub(super) fn pass_key_to_all(&mut self, now: Time, place: Place, said: Heard) {
        let stream = place.stream;
        let Some((id, Some(bridge))) = self.legs.get(place.leg).map(|leg| (leg.id, leg.bridge)) else {
            return;
        };
        let members = |shard: &Shard, at: usize| shard.bridges.get(&bridge)?.members.get(at).copied();
        let mut at = 0;
        let mut role = Role::Listener;
        while let Some((member, its)) = members(self, at) {
            if member == id {
                role = its;
            }
            at += 1;
        }
        at = 0;
        while let Some((member, _)) = members(self, at) {
            at += 1;
            if member != id
                && is_heard_by(role, member)
                && let Some(leg) = self.key_of(member)
            {
                self.pass_key(now, Place { leg, stream }, Hears::Mix, said);
            }
        }
    }
}
