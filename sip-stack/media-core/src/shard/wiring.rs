//! Who hears whom.

use sans_io::Time;

use super::Shard;
use super::leg::{Hears, Mode};
use super::player::Player;
use crate::codec::RATE;
use crate::control::{BridgeId, LegId, Role};
use crate::negotiated::Direction;

impl Shard {
    pub(super) fn bridge(&mut self, now: Time, bridge: BridgeId, wanted: &[(LegId, Role)]) {
        let mut members: Vec<(LegId, Role)> = Vec::with_capacity(wanted.len());
        for (id, role) in wanted {
            if self.names.contains_key(id) && !members.iter().any(|(member, _)| member == id) {
                members.push((*id, *role));
            }
        }
        for (id, _) in &members {
            let Some(&key) = self.names.get(id) else { continue };
            if self.legs.get(key).and_then(|leg| leg.bridge) != Some(bridge) {
                self.leave(now, key);
            }
        }
        self.set_members(now, bridge, members);
    }

    pub(super) fn unbridge(&mut self, now: Time, bridge: BridgeId) {
        self.set_members(now, bridge, Vec::new());
    }

    /// Takes a leg out of its bridge.
    pub(super) fn leave(&mut self, now: Time, key: usize) {
        let Some(leg) = self.legs.get(key) else { return };
        let (id, Some(bridge)) = (leg.id, leg.bridge) else {
            return;
        };
        let mut members = self.bridges.get(&bridge).cloned().unwrap_or_default();
        members.retain(|(member, _)| *member != id);
        self.set_members(now, bridge, members);
    }

    /// Lets these and nobody else take part in a bridge; nothing changes for those who do already.
    fn set_members(&mut self, now: Time, bridge: BridgeId, mut members: Vec<(LegId, Role)>) {
        if members.len() < 2 {
            members.clear();
        }
        let before = self.bridges.remove(&bridge).unwrap_or_default();
        for (id, _) in before {
            let Some(&key) = self.names.get(&id) else { continue };
            if let Some(leg) = self.legs.get_mut(key)
                && !members.iter().any(|(member, _)| *member == id)
            {
                leg.bridge = None;
                leg.peer = None;
                self.rewire(now, key);
            }
        }
        if members.is_empty() {
            return;
        }
        let pair = match members[..] {
            [(a, Role::Party), (b, Role::Party)] => Some([a, b]),
            _ => None,
        };
        for (id, _) in &members {
            let other = pair.and_then(|pair| self.names.get(&pair[usize::from(pair[0] == *id)]).copied());
            let leg = self.names.get(id).and_then(|key| self.legs.get_mut(*key));
            if let Some(leg) = leg {
                leg.bridge = Some(bridge);
                leg.peer = other;
            }
        }
        let keys: Vec<usize> = members
            .iter()
            .filter_map(|(id, _)| self.names.get(id).copied())
            .collect();
        self.bridges.insert(bridge, members);
        for key in keys {
            self.rewire(now, key);
        }
    }

    /// Decides anew what a leg and all that share its bridge hear.
    pub(super) fn rewire_with(&mut self, now: Time, key: usize) {
        self.rewire(now, key);
        let bridge = self.legs.get(key).and_then(|leg| leg.bridge);
        let members = bridge.and_then(|bridge| self.bridges.get(&bridge));
        let others: Vec<usize> = members
            .into_iter()
            .flatten()
            .filter_map(|(id, _)| self.names.get(id).copied())
            .filter(|other| *other != key)
            .collect();
        for other in others {
            self.rewire(now, other);
        }
    }

    /// Decides anew what a leg hears. A bridge is muted by hold when its other leg may not talk, or when either is on hold and an
    /// application is there to be heard instead.
    pub(super) fn rewire(&mut self, now: Time, key: usize) {
        let Some(leg) = self.legs.get(key) else { return };
        let Some(media) = &leg.media else { return };
        let other = leg
            .peer
            .and_then(|other| Some((other, self.legs.get(other)?.media.as_ref()?.direction)));
        let held = media.direction != Direction::SendRecv
            || other.is_some_and(|(_, direction)| direction != Direction::SendRecv);
        let player = leg.player.as_ref();
        let application = match player {
            None => Hears::Nobody,
            Some(Player::Echo) => Hears::Leg(key),
            Some(_) => Hears::Application,
        };
        let hears = match other {
            Some((other, direction)) if direction.receives() && !(held && player.is_some()) => {
                Hears::Leg(other)
            }
            // The other leg is not described yet: what is played meanwhile goes on.
            _ => application,
        };
        self.hear(now, key, hears);
    }

    /// Lets a leg hear something else from now on.
    pub(super) fn hear(&mut self, now: Time, key: usize, hears: Hears) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let before = std::mem::replace(&mut leg.hears, hears);
        if before != hears {
            leg.egress.resume(now);
            leg.count.mode = match hears {
                Hears::Nobody => Mode::None,
                Hears::Application => Mode::Application,
                Hears::Leg(other) if other == key => Mode::Application,
                // The first packet tells which.
                Hears::Leg(_) => Mode::None,
            };
        }
        if hears == Hears::Application {
            leg.prepare_encoder(RATE, &mut self.pool);
            if let Some(media) = &leg.media {
                let clock = media.send.1.clock();
                leg.egress.set_clock(clock);
            }
            leg.tick.get_or_insert(now);
        } else {
            leg.tick = None;
        }
        if let Hears::Leg(other) = before
            && before != hears
            && let Some(talker) = self.legs.get_mut(other)
            && talker.listener == Some(key)
        {
            talker.listener = None;
            if let Some(feed) = talker.feed.take() {
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
