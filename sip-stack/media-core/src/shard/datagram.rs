//! Datagrams from a socket to a leg, and on to its listener.

use std::net::SocketAddr;

use sans_io::Time;

use super::Shard;
use crate::bridge;
use crate::control::Event;
use crate::control::SocketId;
use crate::dtmf::Heard;
use crate::ice::{local_ufrag, parse_ufrag};
use crate::rtp::Header;
use crate::stats::Mode;
use crate::stream::{Arrived, Hears};
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
        let packet = match leg.transport.receive(now, at, data, leg.media.as_ref()) {
            Received::Rtp(packet) => packet,
            Received::Observed(packet) => {
                leg.transport.observe_packet(now, packet, &mut self.out);
                self.settle(now, key);
                packet
            }
            Received::Rtcp(packet) => return self.rtcp(now, key, packet),
            Received::Nothing => return self.settle(now, key),
            Received::Refused => {
                leg.count.refused += 1;
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
        self.rtp(now, key, packet);
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

    /// An RTP packet that is this leg's.
    pub(super) fn rtp(&mut self, now: Time, key: usize, data: &[u8]) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        if let Some(tie) = &leg.tie {
            self.out.packet(tie.home, leg.id, data);
        }
        match leg.receive(now, data, &mut self.out) {
            Arrived::Nothing => {}
            Arrived::Silence(header) => self.leave_out(key, header),
            Arrived::Key { packet, clock } => {
                let heard = leg.keys.packet(now, &packet.header, clock, packet.payload);
                self.leave_out(key, packet.header);
                for said in heard {
                    self.key(now, key, said);
                }
            }
            Arrived::Sound {
                codec,
                packet,
                restarted,
            } => {
                if restarted && let Some(feed) = &mut leg.feed {
                    feed.restart();
                }
                match leg.listener {
                    Some(listener) if listener == key => {
                        leg.count.mode = Mode::Application;
                        leg.relay(now, codec, packet.header, packet.payload, &mut self.out);
                    }
                    Some(listener) => {
                        let Some((talker, listener)) = self.legs.get2_mut(key, listener) else {
                            return;
                        };
                        if restarted {
                            listener.egress.interrupt();
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
                    None => match leg.mixed {
                        Some(rate) => leg.speak(now, codec, &packet, rate, &mut self.pool),
                        None => leg.record(now, codec, &packet, &mut self.pool),
                    },
                }
            }
        }
        self.arm(key);
    }

    /// Leaves out a packet of the leg's peer for the leg that hears it.
    fn leave_out(&mut self, key: usize, header: Header) {
        let listener = self.legs.get(key).and_then(|leg| leg.listener);
        if let Some(listener) = listener.and_then(|listener| self.legs.get_mut(listener)) {
            listener.egress.leave_out(header);
        }
    }

    /// A key of the leg's peer went down or came up: told, and passed on as the listener understands it.
    pub(super) fn key(&mut self, now: Time, key: usize, said: Heard) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let (id, other) = (leg.id, leg.listener);
        if let Heard::Released(digit, duration_ms) = said {
            let event = Event::Dtmf {
                leg: id,
                digit,
                duration_ms,
            };
            leg.emit(&mut self.out, event);
        }
        // An echo returns sound, not keys.
        if let Some(other) = other.filter(|other| *other != key) {
            self.pass_key(now, other, Hears::Leg(key), said);
        } else if leg.mixed.is_some() {
            self.pass_key_to_all(now, key, said);
        }
    }

    /// Sends a key to a leg that hears the one whose key it is.
    pub(super) fn pass_key(&mut self, now: Time, other: usize, hears: Hears, said: Heard) {
        let Some(listener) = self.legs.get_mut(other) else {
            return;
        };
        if listener.hears != hears || !listener.may_send() {
            return;
        }
        match said {
            Heard::Pressed(digit) => {
                listener.digits.press(now, digit);
                listener.send_digit(now, &mut self.pool, &mut self.out);
            }
            Heard::Released(digit, ms) => {
                listener
                    .digits
                    .release(digit, std::time::Duration::from_millis(u64::from(ms)));
            }
        }
        self.arm(other);
    }
}
