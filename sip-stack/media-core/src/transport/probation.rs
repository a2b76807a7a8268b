use std::net::SocketAddr;
use std::time::Duration;

use sans_io::Time;

use crate::rtp::{Header, distance};

/// Packets in sequence that a source must send before it is accepted.
const PACKETS: u8 = 3;
/// Minimum time between the first and the last of them: a burst proves nothing.
const LASTS: Duration = Duration::from_millis(40);
/// Distance by which the next packet of a stream may be ahead of the last one.
const AHEAD: i16 = 50;
/// Maximum number of ticks between two of them: ten seconds at 48 kHz.
const PAUSE: u32 = 480_000;
/// Silence after which a source begins anew, and may be forgotten for another.
const STALE: Duration = Duration::from_millis(500);

/// Numbers of the last packet of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

impl Numbers {
    pub(super) fn of(header: &Header) -> Numbers {
        Numbers {
            ssrc: header.ssrc,
            sequence: header.sequence,
            timestamp: header.timestamp,
        }
    }

    /// True if the packet comes later in the same stream: nobody can make one without seeing the stream.
    pub(super) fn go_on_with(&self, header: &Header) -> bool {
        self.ssrc == header.ssrc
            && (1..=AHEAD).contains(&distance(self.sequence, header.sequence))
            && header.timestamp.wrapping_sub(self.timestamp) <= PAUSE
    }

    /// True if the packet belongs to the same stream and was overtaken, or came twice.
    fn follow_upon(&self, header: &Header) -> bool {
        self.ssrc == header.ssrc && (-AHEAD..=0).contains(&distance(self.sequence, header.sequence))
    }
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    address: SocketAddr,
    numbers: Numbers,
    packets: u8,
    began: Time,
    heard: Time,
}

impl Candidate {
    fn is_stale(&self, now: Time) -> bool {
        now.since(self.heard) >= STALE
    }
}

/// Sources that are not accepted yet (RFC 3550 A.1 does the same for a stream, by MIN_SEQUENTIAL). Two at a
/// time: packets from elsewhere are ignored meanwhile, and a source that falls silent makes room.
#[derive(Clone, Debug, Default)]
pub(super) struct Probation([Option<Candidate>; 2]);

impl Probation {
    /// Takes a packet of a source; true once the source has proven itself.
    pub(super) fn passed(&mut self, now: Time, from: SocketAddr, header: &Header) -> bool {
        let of_source = |slot: &Option<Candidate>| slot.is_some_and(|c| c.address == from);
        let free = |slot: &Option<Candidate>| slot.is_none_or(|c| c.is_stale(now));
        let found = self
            .0
            .iter()
            .position(of_source)
            .or_else(|| self.0.iter().position(free));
        let Some(slot) = found.and_then(|index| self.0.get_mut(index)) else {
            return false;
        };
        let numbers = Numbers::of(header);
        match slot {
            Some(c) if c.address == from && !c.is_stale(now) && c.numbers.follow_upon(header) => {
                c.heard = now;
                false
            }
            Some(c) if c.address == from && !c.is_stale(now) && c.numbers.go_on_with(header) => {
                c.numbers = numbers;
                c.packets = c.packets.saturating_add(1);
                c.heard = now;
                c.packets >= PACKETS && now.since(c.began) >= LASTS
            }
            _ => {
                *slot = Some(Candidate {
                    address: from,
                    numbers,
                    packets: 1,
                    began: now,
                    heard: now,
                });
                false
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.0 = [None; 2];
    }
}
