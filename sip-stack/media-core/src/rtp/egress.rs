use sans_io::{Rng, Time};

use super::{Header, distance};

/// Stream that we send to one peer: one SSRC, one run of sequence numbers and timestamps from the first
/// packet of a call to the last, whatever is heard through it. Sources come and go; their numbers never show.
#[derive(Clone, Debug)]
pub struct Egress {
    ssrc: u32,
    clock: u32,
    sequence: u16,
    timestamp: u32,
    /// The last packet: when, and with which timestamp.
    last: Option<(Time, u32)>,
    /// The next packet begins a talkspurt.
    marker: bool,
    anchor: Option<Anchor>,
    packets: u64,
    octets: u64,
}

/// Point at which the numbers of a relayed stream met ours.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Highest number of the source so far.
    highest: u16,
    /// Bit i: the source's packet `highest - i` was left out.
    left_out: u64,
}

impl Anchor {
    /// Takes a number of the source; returns how many packets after it were left out, or `None` if it is now
    /// the highest.
    fn place(&mut self, sequence: u16) -> Option<u32> {
        let ahead = distance(self.highest, sequence);
        if ahead <= 0 {
            let later = 1_u64.checked_shl(u32::from(ahead.unsigned_abs())).unwrap_or(0);
            return Some((self.left_out & later.wrapping_sub(1)).count_ones());
        }
        self.left_out = self.left_out.checked_shl(ahead as u32).unwrap_or(0);
        self.highest = sequence;
        None
    }
}

impl Egress {
    /// Random numbers to begin with; the sequence number in the lower half, so that SRTP's rollover counter does not turn
    /// over at once (RFC 3711 §3.3.1).
    #[must_use]
    pub fn new(rng: &mut Rng) -> Egress {
        Egress {
            ssrc: rng.u32(),
            clock: 8_000,
            sequence: rng.u32() as u16 & 0x7fff,
            timestamp: rng.u32(),
            last: None,
            marker: true,
            anchor: None,
            packets: 0,
            octets: 0,
        }
    }

    /// Ours.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// RTP clock of the outgoing stream, hertz.
    #[must_use]
    pub fn clock(&self) -> u32 {
        self.clock
    }

    /// Packets and payload octets so far.
    #[must_use]
    pub fn sent(&self) -> (u64, u64) {
        (self.packets, self.octets)
    }

    /// Another codec is sent from now on.
    pub fn set_clock(&mut self, clock: u32) {
        if self.clock != clock {
            self.clock = clock;
            self.interrupt();
        }
    }

    /// Another source speaks from now on, or the same one after a pause: the next packet carries the marker.
    pub fn interrupt(&mut self) {
        self.anchor = None;
        self.marker = true;
    }

    /// Moves the timestamp on to `now` after a pause.
    pub fn resume(&mut self, now: Time) {
        self.catch_up(now);
        self.interrupt();
    }

    /// The source goes on under other numbers: no talkspurt begins.
    pub fn rejoin(&mut self) {
        self.anchor = None;
    }

    fn catch_up(&mut self, now: Time) {
        let at = self.timestamp_at(now);
        if at.wrapping_sub(self.timestamp) as i32 > 0 {
            self.timestamp = at;
        }
    }

    /// The RTP timestamp of a moment, by the last packet.
    #[must_use]
    pub fn timestamp_at(&self, now: Time) -> u32 {
        let Some((at, timestamp)) = self.last else {
            return self.timestamp;
        };
        let ticks = now.since(at).as_micros() as u64 * u64::from(self.clock) / 1_000_000;
        timestamp.wrapping_add(ticks as u32)
    }

    /// The header of the next packet, which lasts so many ticks.
    pub fn next(&mut self, now: Time, payload_type: u8, ticks: u32, octets: usize) -> Header {
        let header = Header {
            marker: std::mem::take(&mut self.marker),
            payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(ticks);
        self.count(now, header.timestamp, octets);
        header
    }

    /// Time passes in which nothing is sent.
    pub fn skip(&mut self, ticks: u32) {
        self.timestamp = self.timestamp.wrapping_add(ticks);
        self.marker = true;
    }

    /// The header of a relayed packet: losses of the source stay gaps, and its reordering stays as it is.
    pub fn relay(
        &mut self,
        now: Time,
        source: Header,
        payload_type: u8,
        ticks: u32,
        octets: usize,
    ) -> Header {
        let mut anchor = match self.anchor {
            Some(anchor) if anchor.ssrc == source.ssrc => anchor,
            before => {
                self.catch_up(now);
                self.marker |= before.is_some();
                Anchor {
                    ssrc: source.ssrc,
                    sequence: self.sequence.wrapping_sub(source.sequence),
                    timestamp: self.timestamp.wrapping_sub(source.timestamp),
                    highest: source.sequence,
                    left_out: 0,
                }
            }
        };
        let later = anchor.place(source.sequence).unwrap_or(0);
        let sequence = source
            .sequence
            .wrapping_add(anchor.sequence)
            .wrapping_add(later as u16);
        let timestamp = source.timestamp.wrapping_add(anchor.timestamp);
        self.anchor = Some(anchor);
        if sequence.wrapping_sub(self.sequence) < 0x8000 {
            self.sequence = sequence.wrapping_add(1);
            self.timestamp = timestamp.wrapping_add(ticks);
        }
        self.count(now, timestamp, octets);
        Header {
            marker: std::mem::take(&mut self.marker) | source.marker,
            payload_type,
            sequence,
            timestamp,
            ssrc: self.ssrc,
        }
    }

    /// Leaves out a packet of a relayed source: it gets no number (RFC 3550 §5.1), so that it does not count
    /// as lost on the way. What the source lost stays a gap. One that comes after others that were relayed
    /// has left its gap.
    pub fn leave_out(&mut self, source: Header) {
        if let Some(anchor) = self.anchor.as_mut().filter(|anchor| anchor.ssrc == source.ssrc)
            && anchor.place(source.sequence).is_none()
        {
            anchor.left_out |= 1;
            anchor.sequence = anchor.sequence.wrapping_sub(1);
        }
    }

    /// The header of a packet of an event: all of one event carry the timestamp `began` (RFC 4733 §2.1).
    pub fn event(&mut self, now: Time, payload_type: u8, marker: bool, began: u32, octets: usize) -> Header {
        let header = Header {
            marker,
            payload_type,
            sequence: self.sequence,
            timestamp: began,
            ssrc: self.ssrc,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.packets += 1;
        self.octets += octets as u64;
        if self.last.is_none() {
            self.last = Some((now, began));
        }
        header
    }

    /// The timestamp that the next packet will carry.
    #[must_use]
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    fn count(&mut self, now: Time, timestamp: u32, octets: usize) {
        self.last = Some((now, timestamp));
        self.packets += 1;
        self.octets += octets as u64;
    }
}
