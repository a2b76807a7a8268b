//! Bridges and their members.

use std::time::Duration;

use sans_io::Time;

use super::Shard;
use crate::bridge::{Mix, Part};
use crate::codec::{Pool, RATE, WIDE};
use crate::control::{BridgeId, LegId, Member, Role};
use crate::dtmf::Heard;
use crate::negotiated::Direction;
use crate::stats::Mode;
use crate::stream::{Hears, Leg, Player, TICK};

/// Time of the first tick after the last expected packet of the members that are heard already.
const MARGIN: Duration = Duration::from_millis(4);
/// Delay beyond which a mix skips the ticks that it missed.
const BEHIND: Duration = Duration::from_millis(100);

/// Legs that hear each other.
#[derive(Debug)]
pub(super) struct Bridge {
    pub(super) members: Vec<(LegId, Role)>,
    /// `None` for two parties.
    pub(super) mix: Option<Box<Mix>>,
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
            None => self.rewire(now, key),
        }
    }

    /// Lets these and nobody else take part in a bridge; nothing changes for those who do already.
    fn set_members(&mut self, now: Time, bridge: BridgeId, mut members: Vec<(LegId, Role)>) {
        if members.len() < 2 {
            members.clear();
        }
        let (before, mut mix) = match self.bridges.remove(&bridge) {
            Some(before) => (before.members, before.mix),
            None => (Vec::new(), None),
        };
        for (id, _) in before {
            let Some(&key) = self.names.get(&id) else { continue };
            if let Some(leg) = self.legs.get_mut(key)
                && !members.iter().any(|(member, _)| *member == id)
            {
                leg.bridge = None;
                leg.peer = None;
                leg.be_mixed_no_more(&mut self.pool);
                self.rewire(now, key);
            }
        }
        if members.is_empty() {
            return;
        }
        let keys: Vec<usize> = members.iter().filter_map(|(id, _)| self.key_of(*id)).collect();
        let injected = keys
            .iter()
            .any(|key| self.legs.get(*key).is_some_and(|leg| leg.injected.is_some()));
        if let [(_, Role::Party), (_, Role::Party)] = members[..]
            && let [a, b] = keys[..]
            && !injected
        {
            if let Some(mut mix) = mix.take() {
                self.part(now, &mut mix, [a, b]);
            }
            for (key, other) in [(a, b), (b, a)] {
                if let Some(leg) = self.legs.get_mut(key) {
                    leg.peer = Some(other);
                }
            }
        } else {
            let mut next = match mix.take() {
                Some(mix) => mix,
                None => self.start_mix(now, &keys),
            };
            let parts: Vec<(usize, Part)> = members
                .iter()
                .filter_map(|(id, role)| Some((self.key_of(*id)?, self.part_of(*id, *role))))
                .collect();
            next.set_members(&parts, &mut self.legs, &mut self.pool);
            for key in &keys {
                if let Some(leg) = self.legs.get_mut(*key) {
                    leg.peer = None;
                }
            }
            mix = Some(next);
        }
        for key in &keys {
            if let Some(leg) = self.legs.get_mut(*key) {
                leg.bridge = Some(bridge);
            }
        }
        self.bridges.insert(bridge, Bridge { members, mix });
        for key in keys {
            self.rewire(now, key);
        }
        self.arm_mix(bridge);
    }

    pub(super) fn key_of(&self, id: LegId) -> Option<usize> {
        self.names.get(&id).copied()
    }

    fn part_of(&self, id: LegId, role: Role) -> Part {
        match role {
            Role::Party => Part::Party,
            Role::Listener => Part::Listener,
            Role::Coach(party) => Part::Coach(self.key_of(party).filter(|_| party != id)),
        }
    }

    /// A mix that goes on with what those who heard each other in a bridge of two say.
    fn start_mix(&mut self, now: Time, keys: &[usize]) -> Box<Mix> {
        let mut first = now + TICK;
        for key in keys {
            let Some(leg) = self.legs.get_mut(*key) else {
                continue;
            };
            if leg.listener.is_none() || leg.peer.is_none() {
                continue;
            }
            leg.follows = true;
            let expected = match &mut leg.feed {
                Some(feed) if feed.is_paced() => feed.deadline().map(|(at, _)| at),
                Some(feed) => {
                    feed.pace();
                    leg.heard.map(|heard| heard + TICK)
                }
                None => leg.heard.map(|heard| heard + TICK),
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
    fn part(&mut self, now: Time, mix: &mut Mix, [a, b]: [usize; 2]) {
        for (from, to) in [(a, b), (b, a)] {
            if let Some((talker, listener)) = self.legs.get2_mut(from, to) {
                mix.part(now, (from, talker), (to, listener), &mut self.pool, &mut self.out);
            }
        }
    }

    /// The ticks of a mix that are due.
    pub(super) fn mix(&mut self, now: Time, bridge: BridgeId) {
        let Some(mut mix) = self.bridges.get_mut(&bridge).and_then(|bridge| bridge.mix.take()) else {
            return;
        };
        if now.since(mix.tick) > BEHIND {
            // We were held up: missed ticks stay missed.
            mix.tick = now;
            for (id, _) in self
                .bridges
                .get(&bridge)
                .map_or(&[][..], |bridge| &bridge.members)
            {
                if let Some(leg) = self.names.get(id).and_then(|key| self.legs.get_mut(*key))
                    && leg.hears == Hears::Mix
                {
                    leg.egress.resume(now);
                }
            }
        }
        while mix.tick <= now {
            mix.play(now, &mut self.legs, &mut self.pool, &mut self.out);
        }
        if let Some(bridge) = self.bridges.get_mut(&bridge) {
            bridge.mix = Some(mix);
        }
    }

    /// Sends a key to all who hear in a mix the leg whose key it is.
    pub(super) fn pass_key_to_all(&mut self, now: Time, key: usize, said: Heard) {
        let Some((id, Some(bridge))) = self.legs.get(key).map(|leg| (leg.id, leg.bridge)) else {
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
                && let Some(other) = self.key_of(member)
            {
                self.pass_key(now, other, Hears::Mix, said);
            }
        }
    }

    /// Decides anew what a leg hears. A bridge is muted by hold when nobody whom the leg would hear may talk, or when it or all
    /// of them are on hold and an application is there to be heard instead.
    pub(super) fn rewire(&mut self, now: Time, key: usize) {
        let Some(leg) = self.legs.get(key) else { return };
        let Some(media) = &leg.media else { return };
        if leg.hears_by_lane() == Some(true) {
            let hears = if leg.injected.is_some() {
                Hears::Application
            } else {
                Hears::Lane
            };
            return self.hear(now, key, hears);
        }
        let direction = |key: usize| Some(self.legs.get(key)?.media.as_ref()?.direction);
        let bridge = leg.bridge.and_then(|bridge| self.bridges.get(&bridge));
        // True if anybody may talk, and if anybody is not on hold.
        let (mut talks, mut present) = (false, false);
        let mut look = |direction: Option<Direction>| {
            talks |= direction.is_some_and(Direction::receives);
            present |= direction == Some(Direction::SendRecv);
        };
        let joined = match (leg.peer, bridge) {
            (Some(other), _) => {
                look(direction(other));
                Some(Hears::Leg(other))
            }
            (None, Some(bridge)) => {
                for (id, role) in &bridge.members {
                    if *id != leg.id && is_heard_by(*role, leg.id) {
                        look(self.names.get(id).and_then(|key| direction(*key)));
                    }
                }
                Some(Hears::Mix)
            }
            (None, None) => None,
        };
        let held = media.direction != Direction::SendRecv || !present;
        let plays = leg.player.is_some() || leg.transport.lane().is_some_and(|lane| lane.application);
        let application = match &leg.player {
            _ if leg.injected.is_some() => Hears::Application,
            None => Hears::Nobody,
            Some(Player::Echo) => Hears::Leg(key),
            Some(_) => Hears::Application,
        };
        let hears = match joined {
            Some(joined) if talks && !(held && plays) => joined,
            // Silence keeps a member of a mix alive; whom else it hears may come any time.
            Some(Hears::Mix) if !plays => Hears::Mix,
            // The other leg is not described yet: present sound goes on.
            _ => application,
        };
        self.hear(now, key, hears);
    }

    /// Lets a leg hear something else from now on.
    pub(super) fn hear(&mut self, now: Time, key: usize, hears: Hears) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let before = std::mem::replace(&mut leg.hears, hears);
        let encoded = matches!(leg.count.mode, Mode::Transcode | Mode::Mix);
        // From a bridge of two to one of more and back nothing is interrupted.
        let stays = match (before, hears) {
            (Hears::Leg(other), Hears::Mix | Hears::Lane) | (Hears::Mix | Hears::Lane, Hears::Leg(other)) => {
                other != key
            }
            (Hears::Mix, Hears::Lane) | (Hears::Lane, Hears::Mix) => true,
            (before, hears) => before == hears,
        };
        if before != hears {
            if stays {
                leg.egress.rejoin();
            } else {
                leg.egress.resume(now);
            }
            leg.count.mode = match hears {
                Hears::Nobody => Mode::None,
                Hears::Application => Mode::Application,
                Hears::Leg(other) if other == key => Mode::Application,
                // The first packet tells which.
                Hears::Leg(_) | Hears::Lane => Mode::None,
                Hears::Mix => Mode::Mix,
            };
        }
        if hears != Hears::Application {
            leg.end_announcement(false, &mut self.out);
        }
        match hears {
            Hears::Application => {
                // Other applications have telephone bandwidth.
                let rate = if leg.injected.is_some() { WIDE } else { RATE };
                leg.prepare_encoder(rate, &mut self.pool);
                if let Some(media) = &leg.media {
                    let clock = media.send.1.clock();
                    leg.egress.set_clock(clock);
                }
                leg.tick.get_or_insert(now);
            }
            Hears::Mix => {
                leg.tick = None;
                let bridge = leg.bridge.and_then(|bridge| self.bridges.get(&bridge));
                let rate = bridge.and_then(|bridge| Some(bridge.mix.as_ref()?.rate_for(leg)));
                leg.join_mix(rate.unwrap_or(RATE), stays, stays && encoded, &mut self.pool);
            }
            Hears::Leg(_) | Hears::Lane | Hears::Nobody => leg.tick = None,
        }
        leg.tell_bridged(&mut self.out);
        if let Hears::Leg(other) = before
            && before != hears
            && let Some(talker) = self.legs.get_mut(other)
            && talker.listener == Some(key)
        {
            talker.listener = None;
            if talker.mixed.is_none()
                && let Some(feed) = talker.feed.take()
            {
                feed.give_back(&mut self.pool);
            }
        }
        if let Hears::Leg(other) = hears
            && let Some(talker) = self.legs.get_mut(other)
        {
            talker.listener = Some(key);
        }
        self.arm(key);
    }
}

/// True if a member of this role is heard by a leg.
fn is_heard_by(role: Role, leg: LegId) -> bool {
    match role {
        Role::Party => true,
        Role::Listener => false,
        Role::Coach(party) => party == leg,
    }
}

impl Leg {
    /// Sees to it that a mix can be encoded. An encoder that the peer hears already goes on, at its rate, until the mix is
    /// quiet; one that it does not hear yet has to catch up when the leg stays in its bridge.
    fn join_mix(&mut self, rate: u32, stays: bool, encoded: bool, pool: &mut Pool) {
        let Some(media) = &self.media else { return };
        let codec = media.send.1;
        self.egress.set_clock(codec.clock());
        let fits = self
            .encoder
            .as_ref()
            .is_some_and(|encoder| encoder.codec() == codec);
        if !(fits && encoded) {
            self.prepare_encoder(rate, pool);
            self.stale = stays;
        }
    }
}
