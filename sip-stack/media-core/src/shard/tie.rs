//! Ties between legs and their stand-ins on other shards ([`crate::lane`]).

use sans_io::Time;

use super::Shard;
use crate::codec::{Encoder, Pool};
use crate::control::{BridgeId, LegId, Member, StreamIndex};
use crate::lane::{Counts, Message, Notice, Tie};
use crate::leg::{Leg, end_at};
use crate::negotiated::Codec;
use crate::outbox::Outbox;
use crate::rtp::Packet;
use crate::stream::{End, Hears, Place};
use crate::transport::{Lane, Transport};

impl Shard {
    /// Takes a message of the shard `from`. Drain [`Shard::poll_output`] afterwards, or after a batch of them.
    pub fn handle_message(&mut self, now: Time, from: u8, message: Message<'_>) {
        let taken = match message {
            Message::Packet { leg, stream, data } => self.packet(now, from, (leg, stream), data),
            Message::Notice(notice) => self.notice(now, from, notice),
        };
        self.strays += u64::from(taken.is_none());
    }

    /// Number of messages of other shards about legs that do not stand in that relation to them (any more).
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.strays
    }

    fn packet(&mut self, now: Time, from: u8, (id, stream): (LegId, StreamIndex), data: &[u8]) -> Option<()> {
        let key = self.key_of(id)?;
        let leg = self.legs.get_mut(key)?;
        let by_lane = leg.hears_by_lane(stream);
        match (leg.transport.lane(), &leg.tie) {
            (Some(lane), _) if lane.to == from => self.rtp(now, Place { leg: key, stream }, data),
            (None, Some(tie)) if tie.home == from => {
                let mut end = leg.end(stream)?;
                end.pass_on(now, by_lane == Some(true), data, &mut self.pool, &mut self.out);
            }
            _ => return None,
        }
        Some(())
    }

    fn notice(&mut self, now: Time, from: u8, notice: Notice) -> Option<()> {
        match notice {
            Notice::Tied {
                leg,
                bridge,
                streams,
                buffers,
                application,
            } => {
                let (key, new) = self.stand_in(from, leg, buffers, application)?;
                if streams.is_empty() {
                    self.rewire_with(now, key);
                } else {
                    self.agree(now, key, streams);
                }
                if new && let Some(members) = self.expected.get(&bridge).cloned() {
                    self.bridge(now, bridge, &members);
                }
            }
            Notice::Untied { leg } => {
                let key = self.stand_in_of(from, leg)?;
                for stream in &mut self.legs.get_mut(key)?.streams {
                    // Nobody is left to be told.
                    stream.told_bridged = false;
                }
                self.close(now, key);
            }
            Notice::Loss { leg, stream, percent } => {
                let leg = self.stand_in_of(from, leg)?;
                let stream = self.end(Place { leg, stream })?.stream;
                stream.fec_until = (percent > 0).then_some(Time(u64::MAX));
                if let Some(Encoder::Opus(encoder)) = &mut stream.encoder {
                    encoder.set_loss(percent);
                }
            }
            Notice::Bridged { leg, stream, bridged } => {
                let leg = self.tied_to(from, leg)?;
                let place = Place { leg, stream };
                self.end(place)?.stream.away.bridged = bridged;
                self.rewire(now, place);
            }
            Notice::Counts { leg, stream, counts } => {
                let leg = self.tied_to(from, leg)?;
                let stream = self.end(Place { leg, stream })?.stream;
                if stream.hears == Hears::Lane {
                    stream.count.mode = counts.mode;
                }
                stream.away.counts = counts;
            }
        }
        Some(())
    }

    /// Stand-in for a leg of the shard `from`, made if need be; true if it was.
    fn stand_in(&mut self, from: u8, id: LegId, buffers: bool, application: bool) -> Option<(usize, bool)> {
        if let Some(key) = self.key_of(id) {
            let lane = self.legs.get_mut(key)?.transport.lane_mut()?;
            lane.application = application;
            return (lane.to == from).then_some((key, false));
        }
        let transport = Transport::Lane(Lane {
            to: from,
            leg: id,
            buffers,
            application,
        });
        self.generation += 1;
        let leg = Leg::new(id, transport, &mut self.rng, self.generation);
        let key = self.legs.insert(leg);
        self.names.insert(id, key);
        Some((key, true))
    }

    fn stand_in_of(&self, from: u8, id: LegId) -> Option<usize> {
        let key = self.key_of(id)?;
        self.legs
            .get(key)?
            .transport
            .lane()
            .filter(|lane| lane.to == from)?;
        Some(key)
    }

    fn tied_to(&self, from: u8, id: LegId) -> Option<usize> {
        let key = self.key_of(id)?;
        self.legs.get(key)?.tie.filter(|tie| tie.home == from)?;
        Some(key)
    }

    /// Lets legs of this shard take part in a bridge of another one; those that did so far and are not named do no longer.
    pub(super) fn tie(&mut self, now: Time, bridge: BridgeId, home: u8, members: &[Member]) {
        self.untie_others(now, bridge, members);
        let own = self.config.shard;
        for member in members.iter().filter(|member| member.shard == own) {
            let Some(key) = self.key_of(member.leg) else {
                continue;
            };
            self.leave(now, key);
            if members.len() < 2 {
                self.untie(now, key);
                continue;
            }
            let Some(leg) = self.legs.get_mut(key) else {
                continue;
            };
            if let Some(tie) = leg.tie.as_mut().filter(|tie| tie.home == home) {
                self.ties.remove(&(tie.bridge, member.leg));
                tie.bridge = bridge;
            } else {
                self.untie(now, key);
                if let Some(leg) = self.legs.get_mut(key) {
                    leg.tie = Some(Tie { home, bridge });
                }
            }
            self.ties.insert((bridge, member.leg));
            self.tell_home(key);
            for place in self.places(key) {
                self.rewire(now, place);
            }
        }
    }

    /// Takes legs of this shard that are not `members` out of a bridge of another one.
    pub(super) fn untie_others(&mut self, now: Time, bridge: BridgeId, members: &[Member]) {
        let tied = self.ties.range((bridge, LegId(0))..=(bridge, LegId(u64::MAX)));
        let gone = tied.filter(|(_, leg)| !members.iter().any(|member| member.leg == *leg));
        for (_, leg) in gone.copied().collect::<Vec<_>>() {
            if let Some(key) = self.key_of(leg) {
                self.untie(now, key);
            }
        }
    }

    /// Takes a leg out of the bridge of another shard.
    pub(super) fn untie(&mut self, now: Time, key: usize) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let Some(tie) = leg.tie.take() else { return };
        for stream in &mut leg.streams {
            let counts = std::mem::take(&mut stream.away).counts;
            stream.count.concealed += counts.concealed;
            stream.count.fec_recovered += counts.fec_recovered;
        }
        self.ties.remove(&(tie.bridge, leg.id));
        self.out.notice(tie.home, Notice::Untied { leg: leg.id });
        for place in self.places(key) {
            self.rewire(now, place);
        }
    }

    /// Tells the home of a leg's bridge what has changed about the leg.
    pub(super) fn tell_home(&mut self, key: usize) {
        if let Some(leg) = self.legs.get(key)
            && let Some(tie) = leg.tie
        {
            let tied = Notice::Tied {
                leg: leg.id,
                bridge: tie.bridge,
                streams: leg
                    .streams
                    .iter()
                    .filter_map(|stream| stream.media.clone())
                    .collect(),
                buffers: leg.transport.buffers(),
                application: leg
                    .stream(StreamIndex::FIRST)
                    .is_some_and(|voice| voice.player.is_some()),
            };
            self.out.notice(tie.home, tied);
        }
    }

    /// Tells the leg of a stand-in what is new about a stream, and when that is looked at again.
    pub(super) fn send_counts(&mut self, now: Time, place: Place) {
        let Some(End {
            leg,
            index,
            transport,
            stream,
        }) = end_at(&mut self.legs, place)
        else {
            return;
        };
        stream.report_at = Some(now + transport.report_interval());
        if let Some(lane) = transport.lane() {
            let counts = Counts {
                mode: stream.count.mode,
                buffer_us: stream.feed.as_ref().map_or(0, |feed| feed.depth()),
                concealed: stream.count.concealed,
                fec_recovered: stream.count.fec_recovered,
            };
            let counts = Notice::Counts {
                leg,
                stream: index,
                counts,
            };
            self.out.notice(lane.to, counts);
        }
    }
}

impl End<'_> {
    /// Tells the leg that this one stands in for, if it does, whether it hears the bridge.
    pub(super) fn tell_bridged(&mut self, out: &mut Outbox) {
        let hears = matches!(self.stream.hears, Hears::Stream(_) | Hears::Mix);
        if let Some(lane) = self.transport.lane()
            && std::mem::replace(&mut self.stream.told_bridged, hears) != hears
        {
            let bridged = Notice::Bridged {
                leg: lane.leg,
                stream: self.index,
                bridged: hears,
            };
            out.notice(lane.to, bridged);
        }
    }

    /// Tells the home of the leg's bridge, whose encoder it is, about loss that the peer reports.
    pub(super) fn tell_loss(&self, percent: u8, tie: Option<Tie>, out: &mut Outbox) {
        if let Some(tie) = tie {
            let loss = Notice::Loss {
                leg: self.leg,
                stream: self.index,
                percent,
            };
            out.notice(tie.home, loss);
        }
    }

    /// Sends the peer a packet of the leg's stand-in, which writes it as for the peer itself. `by_lane` says whether the stream
    /// hears the bridge of its stand-in.
    fn pass_on(&mut self, now: Time, by_lane: bool, data: &[u8], pool: &mut Pool, out: &mut Outbox) {
        let stream = &mut *self.stream;
        let (Ok(packet), Some(media)) = (Packet::parse(data), &stream.media) else {
            return;
        };
        let beneath = match stream.hears {
            Hears::Lane => None,
            Hears::Application if by_lane => stream.injected.as_mut(),
            _ => return,
        };
        let kind = packet.header.payload_type;
        let of = |(number, codec): &(u8, Codec)| (*number == kind).then_some(*codec);
        if let Some(codec) = of(&media.send).or_else(|| media.receive.iter().find_map(of)) {
            if let Some(injected) = beneath {
                return injected.lay_beneath(now, codec, &packet, pool);
            }
            self.relay(now, codec, packet.header, packet.payload, out);
        } else if media.telephone_event.is_some_and(|event| event.send == kind) {
            self.relay_event(now, packet.header, packet.payload, out);
        }
    }
}
