//! Datagrams from a socket to a stream of a leg, and on to its listener.

use std::net::SocketAddr;

use sans_io::Time;

use super::Shard;
use crate::bridge;
use crate::control::Event;
use crate::control::{SocketId, StreamIndex};
use crate::dtmf::Heard;
use crate::ice::{local_ufrag, parse_ufrag};
use crate::leg::{end_at, ends_at};
use crate::rtp::{Header, Packet};
use crate::stats::Mode;
use crate::stream::{Arrived, End, Hears, Place, Stream};
use crate::transport::{Arrival, Received};

impl Shard {
    /// Takes a datagram that came to `socket` from `from`; decrypts it in place. Drain [`Shard::poll_output`] afterwards, or after
    /// a batch of them.
    pub fn handle_datagram(&mut self, now: Time, socket: SocketId, from: SocketAddr, data: &mut [u8]) {
        let found = match self.sockets.get(&socket) {
            Some(found) => Some(*found),
            None => self.bound_to(socket, from, data).map(|key| (key, false)),
        };
        let Some((key, rtcp)) = found else { return };
        let Some(leg) = self.legs.get_mut(key) else { return };
        let at = Arrival { socket, rtcp, from };
        let streams = &leg.streams;
        let agreed = |packet: &Packet<'_>| {
            let of = |stream: &Stream| {
                stream
                    .media
                    .as_ref()
                    .is_some_and(|media| media.is_sound_or_key(packet))
            };
            streams.iter().any(of)
        };
        let packet = match leg.transport.receive(now, at, data, agreed) {
            Received::Rtp(packet) => packet,
            Received::Observed(packet) => return self.observed(now, key, packet),
            Received::Rtcp(packet) => return self.rtcp(now, key, packet),
            Received::Fax(datagram) => return self.fax(now, key, datagram),
            Received::Nothing => return self.settle(now, key),
            Received::Refused => {
                leg.refuse();
                return self.settle(now, key);
            }
            Received::Bound { forgotten } => {
                if let Some(path) = forgotten
                    && self.paths.get(&path) == Some(&key)
                {
                    self.paths.remove(&path);
                }
                self.paths.insert((socket, from), key);
                return self.settle(now, key);
            }
        };
        match leg.assign(packet) {
            Some(stream) => self.rtp(now, Place { leg: key, stream }, packet),
            None => leg.refuse(),
        }
    }

    /// An RTP packet of a leg that is observed.
    #[cold]
    fn observed(&mut self, now: Time, key: usize, packet: &[u8]) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let Some(stream) = leg.assign(packet) else {
            return leg.refuse();
        };
        leg.transport.observe_packet(now, stream, packet, &mut self.out);
        self.settle(now, key);
        self.rtp(now, Place { leg: key, stream }, packet);
    }

    /// A datagram of a leg's fax, for the leg that hears this one, if that has a fax as well.
    #[cold]
    fn fax(&mut self, now: Time, key: usize, datagram: &[u8]) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        leg.silence.broken(now, leg.id, &mut self.out);
        let listener = leg.stream(StreamIndex::FIRST).and_then(|stream| stream.listener);
        // An echo returns sound, not faxes.
        let listener = listener.filter(|place| place.leg != key);
        let other = listener.and_then(|place| self.legs.get_mut(place.leg));
        if !other.is_some_and(|other| other.transport.send_fax(&mut self.out, datagram))
            && let Some(leg) = self.legs.get_mut(key)
        {
            leg.refuse();
        }
        self.arm(key);
    }

    /// Leg that a datagram of a shared socket is for: a check names it, other datagrams belong to the leg that has proved to
    /// be at that address.
    fn bound_to(&self, socket: SocketId, from: SocketAddr, data: &[u8]) -> Option<usize> {
        let named = local_ufrag(data)
            .and_then(parse_ufrag)
            .filter(|(shard, _)| *shard == self.config.shard);
        match named {
            Some((_, leg)) => self.names.get(&leg).copied(),
            None => self.paths.get(&(socket, from)).copied(),
        }
    }

    /// An RTP packet of a stream's peer.
    pub(super) fn rtp(&mut self, now: Time, place: Place, data: &[u8]) {
        let Some(leg) = self.legs.get_mut(place.leg) else {
            return;
        };
        if let Some(tie) = &leg.tie {
            self.out.packet(tie.home, (leg.id, place.stream), data);
        }
        let Some(mut end) = leg.end(place.stream) else {
            return;
        };
        let arrived = end.receive(now, data, &mut self.out);
        if !matches!(arrived, Arrived::Nothing) {
            leg.silence.broken(now, leg.id, &mut self.out);
        }
        match arrived {
            Arrived::Nothing => {}
            Arrived::Silence(header) => self.leave_out(place, header),
            Arrived::Key { packet, clock } => {
                let Some(End { stream, .. }) = leg.end(place.stream) else {
                    return;
                };
                let heard = stream.keys.packet(now, &packet.header, clock, packet.payload);
                self.leave_out(place, packet.header);
                for said in heard {
                    self.key(now, place, said);
                }
            }
            Arrived::Sound {
                codec,
                packet,
                restarted,
            } => {
                let Some(mut end) = leg.end(place.stream) else {
                    return;
                };
                if restarted && let Some(feed) = &mut end.stream.feed {
                    feed.restart();
                }
                match end.stream.listener {
                    Some(listener) if listener == place => {
                        end.stream.count.mode = Mode::Application;
                        end.relay(now, codec, packet.header, packet.payload, &mut self.out);
                    }
                    Some(listener) => {
                        let Some((talker, listener)) = ends_at(&mut self.legs, place, listener) else {
                            return;
                        };
                        if restarted {
                            listener.stream.egress.interrupt();
                        }
                        bridge::on_packet(
                            now,
                            talker,
                            listener,
                            codec,
                            &packet,
                            &mut self.pool,
                            &mut self.out,
                        );
                    }
                    None => match end.stream.mixed {
                        Some(rate) => end.stream.speak(now, codec, &packet, rate, &mut self.pool),
                        None => end.stream.record(now, codec, &packet, &mut self.pool),
                    },
                }
            }
        }
        self.arm_after_packet(place);
    }

    /// Leaves out a packet of a stream's peer for the stream whose peer hears it.
    fn leave_out(&mut self, place: Place, header: Header) {
        let listener = self.end(place).and_then(|end| end.stream.listener);
        if let Some(End { stream, .. }) = listener.and_then(|listener| self.end(listener)) {
            stream.egress.leave_out(header);
        }
    }

    /// A key of a stream's peer went down or came up: told, and passed on as the listener understands it.
    pub(super) fn key(&mut self, now: Time, place: Place, said: Heard) {
        let Some(end) = end_at(&mut self.legs, place) else {
            return;
        };
        let (other, mixed) = (end.stream.listener, end.stream.mixed.is_some());
        if let Heard::Released(digit, duration_ms) = said {
            let event = Event::Dtmf {
                leg: end.leg,
                stream: end.index,
                digit,
                duration_ms,
            };
            end.emit(&mut self.out, event);
        }
        // An echo returns sound, not keys.
        if let Some(other) = other.filter(|other| *other != place) {
            self.pass_key(now, other, Hears::Stream(place), said);
        } else if mixed {
            self.pass_key_to_all(now, place, said);
        }
    }

    /// Sends a key to a stream that hears the one whose key it is.
    pub(super) fn pass_key(&mut self, now: Time, other: Place, hears: Hears, said: Heard) {
        let Some(mut listener) = end_at(&mut self.legs, other) else {
            return;
        };
        if listener.stream.hears != hears || !listener.stream.may_send() {
            return;
        }
        match said {
            Heard::Pressed(digit) => {
                listener.stream.digits.press(now, digit);
                listener.send_digit(now, &mut self.pool, &mut self.out);
            }
            Heard::Released(digit, ms) => {
                let lasted = std::time::Duration::from_millis(u64::from(ms));
                listener.stream.digits.release(digit, lasted);
            }
        }
        self.arm(other.leg);
    }
}
