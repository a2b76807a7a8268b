//! Choice of what the peer of a stream hears: the bridge, the application, or nothing.

use sans_io::Time;

use super::Shard;
use crate::codec::{Pool, RATE, WIDE};
use crate::control::{LegId, Role, StreamIndex};
use crate::leg::end_at;
use crate::negotiated::Direction;
use crate::stats::Mode;
use crate::stream::{Hears, Place, Player, Stream};

impl Shard {
    /// Decides anew what a stream's peer hears. A bridge is muted by hold when nobody whom it would hear may talk, or when it or
    /// all of them are on hold and an application is there to be heard instead.
    pub(super) fn rewire(&mut self, now: Time, place: Place) {
        let Some(leg) = self.legs.get(place.leg) else {
            return;
        };
        let Some(stream) = leg.stream(place.stream) else {
            return;
        };
        let Some(media) = &stream.media else { return };
        if leg.hears_by_lane(place.stream) == Some(true) {
            let hears = if stream.injected.is_some() {
                Hears::Application
            } else {
                Hears::Lane
            };
            return self.hear(now, place, hears);
        }
        let direction = |place: Place| {
            Some(
                self.legs
                    .get(place.leg)?
                    .stream(place.stream)?
                    .media
                    .as_ref()?
                    .direction,
            )
        };
        let bridge = leg.bridge.and_then(|bridge| self.bridges.get(&bridge));
        // True if anybody may talk, and if anybody is not on hold.
        let (mut talks, mut present) = (false, false);
        let mut look = |direction: Option<Direction>| {
            talks |= direction.is_some_and(Direction::receives);
            present |= direction == Some(Direction::SendRecv);
        };
        let joined = match (stream.peer, bridge) {
            (Some(other), _) => {
                look(direction(other));
                Some(Hears::Stream(other))
            }
            (None, Some(bridge)) if bridge.mix(place.stream).is_some() => {
                for (id, role) in &bridge.members {
                    if *id != leg.id && is_heard_by(*role, leg.id) {
                        let other = self.names.get(id).map(|leg| Place { leg: *leg, ..place });
                        look(other.and_then(direction));
                    }
                }
                Some(Hears::Mix)
            }
            (None, _) => None,
        };
        let held = media.direction != Direction::SendRecv || !present;
        let voice = place.stream == StreamIndex::FIRST;
        let plays =
            stream.player.is_some() || voice && leg.transport.lane().is_some_and(|lane| lane.application);
        let application = match &stream.player {
            _ if stream.injected.is_some() => Hears::Application,
            None => Hears::Nobody,
            Some(Player::Echo) => Hears::Stream(place),
            Some(_) => Hears::Application,
        };
        let hears = match joined {
            Some(joined) if talks && !(held && plays) => joined,
            // Silence keeps a member of a mix alive; whom else it hears may come any time.
            Some(Hears::Mix) if !plays => Hears::Mix,
            // The other leg is not described yet: present sound goes on.
            _ => application,
        };
        self.hear(now, place, hears);
    }

    /// Lets a stream's peer hear something else from now on.
    pub(super) fn hear(&mut self, now: Time, place: Place, hears: Hears) {
        let Some(leg) = self.legs.get_mut(place.leg) else {
            return;
        };
        let bridge = leg.bridge;
        let Some(mut end) = leg.end(place.stream) else {
            return;
        };
        let stream = &mut *end.stream;
        let before = std::mem::replace(&mut stream.hears, hears);
        let encoded = matches!(stream.count.mode, Mode::Transcode | Mode::Mix);
        // From a bridge of two to one of more and back nothing is interrupted.
        let stays = match (before, hears) {
            (Hears::Stream(other), Hears::Mix | Hears::Lane)
            | (Hears::Mix | Hears::Lane, Hears::Stream(other)) => other != place,
            (Hears::Mix, Hears::Lane) | (Hears::Lane, Hears::Mix) => true,
            (before, hears) => before == hears,
        };
        if before != hears {
            if stays {
                stream.egress.rejoin();
            } else {
                stream.egress.resume(now);
            }
            stream.count.mode = match hears {
                Hears::Nobody => Mode::None,
                Hears::Application => Mode::Application,
                Hears::Stream(other) if other == place => Mode::Application,
                // The first packet tells which.
                Hears::Stream(_) | Hears::Lane => Mode::None,
                Hears::Mix => Mode::Mix,
            };
        }
        if hears != Hears::Application {
            stream.end_announcement(end.leg, false, &mut self.out);
        }
        match hears {
            Hears::Application => {
                // Other applications have telephone bandwidth.
                let rate = if stream.injected.is_some() { WIDE } else { RATE };
                stream.prepare_encoder(rate, &mut self.pool);
                if let Some(media) = &stream.media {
                    let clock = media.send.1.clock();
                    stream.egress.set_clock(clock);
                }
                stream.tick.get_or_insert(now);
            }
            Hears::Mix => {
                stream.tick = None;
                let mix = bridge.and_then(|bridge| self.bridges.get(&bridge)?.mix(place.stream));
                let rate = mix.map_or(RATE, |mix| mix.rate_for(stream));
                stream.join_mix(rate, stays, stays && encoded, &mut self.pool);
            }
            Hears::Stream(_) | Hears::Lane | Hears::Nobody => stream.tick = None,
        }
        end.tell_bridged(&mut self.out);
        if let Hears::Stream(other) = before
            && before != hears
            && let Some(talker) = end_at(&mut self.legs, other)
            && talker.stream.listener == Some(place)
        {
            talker.stream.listener = None;
            if talker.stream.mixed.is_none()
                && let Some(feed) = talker.stream.feed.take()
            {
                feed.give_back(&mut self.pool);
            }
        }
        if let Hears::Stream(other) = hears
            && let Some(talker) = self.end(other)
        {
            talker.stream.listener = Some(place);
        }
        self.arm(place.leg);
    }
}

/// True if a member of this role is heard by a leg.
pub(super) fn is_heard_by(role: Role, leg: LegId) -> bool {
    match role {
        Role::Party => true,
        Role::Listener => false,
        Role::Coach(party) => party == leg,
    }
}

impl Stream {
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
