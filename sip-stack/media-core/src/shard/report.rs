//! RTCP, and reports of a leg to signalling.

use std::time::Duration;

use sans_io::Time;

use super::Shard;
use crate::codec::Encoder;
use crate::control::{Event, Report};
use crate::negotiated::Codec;
use crate::outbox::Outbox;
use crate::rtcp::{Compound, Outgoing, Rtcp, SenderInfo, write_bye, write_report};
use crate::stats::{Impairment, mos, ntp, round_trip};
use crate::stream::Leg;

/// Loss of 256 that the peer must report before it gets FEC: 2%.
const LOSSY: u8 = 5;
/// Time that FEC stays on after the last such report.
const FEC_STAYS: Duration = Duration::from_secs(30);

impl Shard {
    /// An RTCP compound that is this leg's.
    pub(super) fn rtcp(&mut self, now: Time, key: usize, data: &[u8]) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        for packet in Compound::parse(data) {
            if packet.is_ok() {
                leg.silence.broken(now, leg.id, &mut self.out);
            }
            let blocks = match packet {
                Ok(Rtcp::SenderReport { ssrc, info, blocks }) => {
                    leg.source.sender_report(now, ssrc, info.ntp);
                    blocks
                }
                Ok(Rtcp::ReceiverReport { blocks, .. }) => blocks,
                // A source that says goodbye may come back with another SSRC, or be followed by BYE in SIP.
                Ok(_) => continue,
                Err(_) => {
                    leg.count.refused += 1;
                    return;
                }
            };
            let ours = leg.egress.ssrc();
            for block in blocks.filter(|block| block.ssrc == ours) {
                leg.count.remote_fraction_lost = block.fraction_lost;
                let clock = u64::from(leg.egress.clock().max(1));
                leg.count.remote_jitter_us =
                    (u64::from(block.jitter) * 1_000_000 / clock).min(u64::from(u32::MAX)) as u32;
                if let Some(rtt) = round_trip(now, block.last_sr, block.delay_since_last_sr) {
                    leg.count.round_trip_us = rtt.as_micros() as u32;
                }
                leg.protect_against_loss(now, block.fraction_lost, &mut self.out);
            }
        }
    }

    /// Sends a report of ours and says when the next one is due.
    pub(super) fn send_report(&mut self, now: Time, key: usize, bye: bool) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        if leg.transport.lane().is_some() {
            // The leg has the reports, and its stand-in none.
            return self.send_counts(now, key);
        }
        // A half less or more by chance (RFC 3550 §6.2, §6.3.1).
        let every = leg.transport.report_interval();
        leg.report_at = Some(now + every.mul_f64(0.5 + self.rng.below(1_000) as f64 / 1_000.0));
        let (packets, octets) = leg.egress.sent();
        let sender = (packets > leg.sent_at_report).then(|| SenderInfo {
            ntp: ntp(now),
            rtp: leg.egress.timestamp_at(now),
            packets: packets as u32,
            octets: octets as u32,
        });
        leg.sent_at_report = packets;
        let clock = leg.count.codec_received.map_or(8_000, Codec::clock);
        let block = leg.source.report(now, clock);
        self.scratch.clear();
        let ssrc = leg.egress.ssrc();
        write_report(
            &mut self.scratch,
            &Outgoing {
                ssrc,
                sender,
                block,
                cname: &self.cname,
            },
        );
        if bye {
            write_bye(&mut self.scratch, ssrc);
        }
        leg.transport.send_rtcp(&mut self.out, &self.scratch);
        leg.end_protection(now, &mut self.out);
    }

    pub(super) fn tell_report(&mut self, key: usize, last: bool) {
        let Some(leg) = self.legs.get(key) else { return };
        let event = Event::Report {
            leg: leg.id,
            report: Box::new(leg.report()),
            last,
        };
        leg.emit(&mut self.out, event);
    }
}

impl Leg {
    /// Switches Opus FEC on while the peer reports loss and takes it.
    fn protect_against_loss(&mut self, now: Time, fraction_lost: u8, out: &mut Outbox) {
        let allowed = self.media.as_ref().is_some_and(|media| media.opus.in_band_fec);
        if fraction_lost >= LOSSY && allowed {
            let percent = ((u32::from(fraction_lost) * 100 / 256) as u8).max(1);
            self.tell_loss(percent, out);
            if let Some(Encoder::Opus(encoder)) = &mut self.encoder {
                encoder.set_loss(percent);
            }
            self.fec_until = Some(now + FEC_STAYS);
        }
    }

    fn end_protection(&mut self, now: Time, out: &mut Outbox) {
        if self.fec_until.is_some_and(|until| until <= now) {
            self.fec_until = None;
            self.tell_loss(0, out);
            if let Some(Encoder::Opus(encoder)) = &mut self.encoder {
                encoder.set_loss(0);
            }
        }
    }

    /// Counts since the beginning.
    pub(super) fn report(&self) -> Report {
        let (packets_sent, octets_sent) = self.egress.sent();
        let lost = self.source.lost();
        let elsewhere = self.counts_elsewhere();
        let buffer_us = self
            .feed
            .as_ref()
            .map_or(elsewhere.buffer_us, |feed| feed.depth());
        let expected = self.count.received + lost;
        let mos = self.count.codec_received.map_or(0.0, |codec| {
            mos(&Impairment {
                codec,
                loss_percent: lost as f32 * 100.0 / expected.max(1) as f32,
                // Half of the way and back, the packet itself, and the buffer.
                delay_ms: self.count.round_trip_us as f32 / 2_000.0 + 20.0 + buffer_us as f32 / 1_000.0,
            })
        });
        Report {
            codec_received: self.count.codec_received,
            codec_sent: self.count.codec_sent,
            packets_received: self.count.received,
            octets_received: self.count.octets,
            packets_sent,
            octets_sent,
            lost,
            refused: self.count.refused,
            jitter_us: self.source.jitter_us(),
            remote_fraction_lost: self.count.remote_fraction_lost,
            remote_jitter_us: self.count.remote_jitter_us,
            round_trip_us: self.count.round_trip_us,
            buffer_us,
            concealed: self.count.concealed + elsewhere.concealed,
            fec_recovered: self.count.fec_recovered + elsewhere.fec_recovered,
            mos,
            mode: self.count.mode,
        }
    }
}
