use sans_io::Time;

use crate::rtcp::ReportBlock;

/// Sequence numbers may jump this far ahead (RFC 3550 A.1).
const MAX_DROPOUT: u16 = 3_000;
/// And fall this far back.
const MAX_MISORDER: u16 = 100;

/// Relation of a packet to the stream it arrived in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Belongs to it.
    Good,
    /// Begins a new one: the first packet, another SSRC, or the peer started its numbers anew.
    Restarted,
    /// Not credible yet: another SSRC, or a jump, seen once. A second packet in sequence makes it [`Verdict::Restarted`].
    Doubtful,
}

/// The one source that a leg listens to, with its statistics (RFC 3550 A.1, A.3, A.8).
#[derive(Clone, Debug, Default)]
pub struct Source {
    ssrc: Option<u32>,
    base: u32,
    highest: u16,
    cycles: u32,
    received: u64,
    /// Lost of sources that were before this one.
    lost_before: u64,
    expected_prior: u64,
    received_prior: u64,
    transit: Option<(u32, i64)>,
    /// In 1/16 µs, smoothed by 1/16.
    jitter: i64,
    /// The SSRC and sequence number that would make a doubtful stream credible.
    doubt: Option<(u32, u16)>,
    last_sr: Option<(u32, Time)>,
}

impl Source {
    /// Judges and counts a packet. The first source is believed at once; another SSRC or a jump of its numbers only when
    /// a second packet follows in sequence (MIN_SEQUENTIAL of A.1).
    pub fn receive(&mut self, ssrc: u32, sequence: u16) -> Verdict {
        if self.ssrc.is_none() {
            self.restart(ssrc, sequence);
            return Verdict::Restarted;
        }
        let ahead = sequence.wrapping_sub(self.highest);
        if self.ssrc == Some(ssrc) && !(MAX_DROPOUT..=u16::MAX - MAX_MISORDER).contains(&ahead) {
            if ahead < MAX_DROPOUT {
                if sequence < self.highest {
                    self.cycles = self.cycles.wrapping_add(1 << 16);
                }
                self.highest = sequence;
            }
            self.doubt = None;
            self.received += 1;
            return Verdict::Good;
        }
        if self.doubt == Some((ssrc, sequence)) {
            self.restart(ssrc, sequence);
            return Verdict::Restarted;
        }
        self.doubt = Some((ssrc, sequence.wrapping_add(1)));
        Verdict::Doubtful
    }

    fn restart(&mut self, ssrc: u32, sequence: u16) {
        let lost_before = self.lost();
        let last_sr = if self.ssrc == Some(ssrc) {
            self.last_sr
        } else {
            None
        };
        *self = Source {
            ssrc: Some(ssrc),
            base: u32::from(sequence),
            highest: sequence,
            received: 1,
            lost_before,
            jitter: self.jitter,
            last_sr,
            ..Source::default()
        };
    }

    /// Counts the interarrival jitter. Not for packets that repeat a timestamp on purpose (telephone events).
    pub fn arrived(&mut self, now: Time, timestamp: u32, clock: u32) {
        let arrival = now.as_micros() as i64;
        if let Some((last, last_arrival)) = self.transit.replace((timestamp, arrival)) {
            let sent = i64::from(timestamp.wrapping_sub(last) as i32) * 1_000_000 / i64::from(clock.max(1));
            let d = (arrival - last_arrival - sent).abs();
            // A pause of the sender is not jitter.
            if d < 5_000_000 {
                self.jitter += d - ((self.jitter + 8) >> 4);
            }
        }
    }

    /// A sender report of this source came (for LSR and DLSR).
    pub fn sender_report(&mut self, now: Time, ssrc: u32, ntp: u64) {
        if self.ssrc == Some(ssrc) || self.ssrc.is_none() {
            self.last_sr = Some(((ntp >> 16) as u32, now));
        }
    }

    /// The source, once a packet came.
    #[must_use]
    pub fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    /// Packets that never came, of all sources so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost_before + self.expected().saturating_sub(self.received)
    }

    /// Packets that should have come from the present source.
    #[must_use]
    pub fn expected(&self) -> u64 {
        match self.ssrc {
            Some(_) => u64::from(self.extended().wrapping_sub(self.base)) + 1,
            None => 0,
        }
    }

    /// Interarrival jitter, µs.
    #[must_use]
    pub fn jitter_us(&self) -> u32 {
        u32::try_from(self.jitter >> 4).unwrap_or(0)
    }

    /// A reception report block, and the beginning of the next interval. `clock` is that of the payload.
    pub fn report(&mut self, now: Time, clock: u32) -> Option<ReportBlock> {
        let ssrc = self.ssrc?;
        let expected = self.expected();
        let expected_now = expected.saturating_sub(self.expected_prior);
        let received_now = self.received.saturating_sub(self.received_prior);
        self.expected_prior = expected;
        self.received_prior = self.received;
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction_lost = (lost_now << 8)
            .checked_div(expected_now)
            .map_or(0, |f| f.min(255) as u8);
        let cumulative = expected as i64 - self.received as i64;
        let (last_sr, delay_since_last_sr) = self.last_sr.map_or((0, 0), |(lsr, at)| {
            (
                lsr,
                u32::try_from(now.since(at).as_micros() * 65_536 / 1_000_000).unwrap_or(u32::MAX),
            )
        });
        Some(ReportBlock {
            ssrc,
            fraction_lost,
            cumulative_lost: cumulative.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: self.extended(),
            jitter: (u64::from(self.jitter_us()) * u64::from(clock) / 1_000_000) as u32,
            last_sr,
            delay_since_last_sr,
        })
    }

    fn extended(&self) -> u32 {
        self.cycles.wrapping_add(u32::from(self.highest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_loss_over_the_wrap() {
        let mut source = Source::default();
        let mut sequence: u16 = 65_000;
        for i in 0..70_000u32 {
            if i % 10 != 3 {
                source.receive(1, sequence);
            }
            sequence = sequence.wrapping_add(1);
        }
        assert_eq!(source.expected(), 70_000);
        assert_eq!(source.lost(), 7_000);
        let block = source.report(Time(0), 8_000).unwrap();
        assert_eq!(block.cumulative_lost, 7_000);
        assert_eq!(block.fraction_lost, 25);
        assert_eq!(block.highest_sequence, 65_000 + 69_999);
        assert_eq!(source.report(Time(0), 8_000).unwrap().fraction_lost, 0);
    }

    #[test]
    fn another_ssrc_needs_two_packets_in_sequence() {
        let mut source = Source::default();
        assert_eq!(source.receive(1, 100), Verdict::Restarted);
        assert_eq!(source.receive(1, 103), Verdict::Good);
        assert_eq!(source.receive(2, 7), Verdict::Doubtful);
        assert_eq!(source.receive(1, 104), Verdict::Good);
        assert_eq!(source.receive(2, 8), Verdict::Doubtful, "the first came between");
        assert_eq!(source.receive(2, 9), Verdict::Restarted);
        assert_eq!((source.ssrc(), source.lost()), (Some(2), 2));
    }

    #[test]
    fn a_jump_of_the_same_ssrc_is_a_restart() {
        let mut source = Source::default();
        source.receive(1, 100);
        assert_eq!(source.receive(1, 40_000), Verdict::Doubtful);
        assert_eq!(source.receive(1, 40_001), Verdict::Restarted);
        assert_eq!(source.receive(1, 40_000), Verdict::Good, "late");
        assert_eq!(source.lost(), 0);
    }

    #[test]
    fn jitter_is_that_of_a_8() {
        let mut source = Source::default();
        for i in 0..2_000u32 {
            let wobble = if i % 2 == 0 { 0 } else { 5_000 };
            source.arrived(
                Time(1_000_000 + u64::from(i) * 20_000 + wobble),
                i.wrapping_mul(160),
                8_000,
            );
        }
        assert!(
            (4_800..=5_100).contains(&source.jitter_us()),
            "{}",
            source.jitter_us()
        );
        source.receive(1, 1);
        assert_eq!(
            source.report(Time(0), 8_000).unwrap().jitter,
            source.jitter_us() * 8 / 1_000
        );
    }
}
