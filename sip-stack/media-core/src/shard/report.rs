//! RTCP, and reports of streams to signalling.

use std::time::Duration;

use sans_io::Time;

use super::Shard;
use crate::codec::Encoder;
use crate::control::{Event, Report};
use crate::lane::Tie;
use crate::leg::end_at;
use crate::negotiated::Codec;
use crate::outbox::Outbox;
use crate::rtcp::{Compound, Outgoing, ReportBlock, Rtcp, SenderInfo, write_bye, write_report};
use crate::stats::{Impairment, mos, ntp, round_trip};
use crate::stream::{End, MOST_KNOCKS, Place, Stream};

/// Loss of 256 that the peer must report before it gets FEC: 2%.
const LOSSY: u8 = 5;
/// Time that FEC stays on after the last such report.
const FEC_STAYS: Duration = Duration::from_secs(30);

impl Shard {
    /// An RTCP compound that is this leg's: about any of its streams.
    pub(super) fn rtcp(&mut self, now: Time, key: usize, data: &[u8]) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        for packet in Compound::parse(data) {
            if packet.is_ok() {
                leg.silence.broken(now, leg.id, &mut self.out);
            }
            let blocks = match packet {
                Ok(Rtcp::SenderReport { ssrc, info, blocks }) => {
                    let stream = leg.stream_of_source(ssrc);
                    if let Some(stream) = stream.and_then(|stream| leg.stream_mut(stream)) {
                        stream.source.sender_report(now, ssrc, info.ntp);
                    }
                    blocks
                }
                Ok(Rtcp::ReceiverReport { blocks, .. }) => blocks,
                // A source that says goodbye may come back with another SSRC, or be followed by BYE in SIP.
                Ok(_) => continue,
                Err(_) => return leg.refuse(),
            };
            for block in blocks {
                let tie = leg.tie;
                let mut indices = leg.indices();
                let ours = indices.find(|index| {
                    let stream = leg.stream(*index);
                    stream.is_some_and(|stream| stream.egress.ssrc() == block.ssrc)
                });
                if let Some(mut end) = ours.and_then(|index| leg.end(index)) {
                    end.take_block(now, &block, tie, &mut self.out);
                }
            }
        }
    }

    /// Sends a report of ours about a stream and says when the next one is due.
    pub(super) fn send_report(&mut self, now: Time, place: Place, bye: bool) {
        let Some(leg) = self.legs.get_mut(place.leg) else {
            return;
        };
        if leg.transport.lane().is_some() {
            // The leg has the reports, and its stand-in none.
            return self.send_counts(now, place);
        }
        let tie = leg.tie;
        let Some(mut end) = leg.end(place.stream) else {
            return;
        };
        let stream = &mut *end.stream;
        if bye && stream.is_alone() {
            return;
        }
        // A half less or more by chance (RFC 3550 §6.2, §6.3.1).
        let every = end.transport.report_interval();
        stream.report_at = Some(now + every.mul_f64(0.5 + self.rng.below(1_000) as f64 / 1_000.0));
        let (packets, octets) = stream.egress.sent();
        let sender = (packets > stream.sent_at_report).then(|| SenderInfo {
            ntp: ntp(now),
            rtp: stream.egress.timestamp_at(now),
            packets: packets as u32,
            octets: octets as u32,
        });
        stream.sent_at_report = packets;
        let clock = stream.count.codec_received.map_or(8_000, Codec::clock);
        let block = stream.source.report(now, clock);
        self.scratch.clear();
        let ssrc = stream.egress.ssrc();
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
        end.transport.send_rtcp(&mut self.out, &self.scratch);
        end.end_protection(now, tie, &mut self.out);
    }

    pub(super) fn tell_report(&mut self, place: Place, last: bool) {
        let Some(end) = end_at(&mut self.legs, place) else {
            return;
        };
        let event = Event::Report {
            leg: end.leg,
            stream: end.index,
            report: Box::new(end.stream.report()),
            last,
        };
        end.emit(&mut self.out, event);
    }
}

impl End<'_> {
    /// Takes what the peer says of the packets that we sent.
    fn take_block(&mut self, now: Time, block: &ReportBlock, tie: Option<Tie>, out: &mut Outbox) {
        let stream = &mut *self.stream;
        stream.count.remote_fraction_lost = block.fraction_lost;
        let clock = u64::from(stream.egress.clock().max(1));
        stream.count.remote_jitter_us =
            (u64::from(block.jitter) * 1_000_000 / clock).min(u64::from(u32::MAX)) as u32;
        if let Some(rtt) = round_trip(now, block.last_sr, block.delay_since_last_sr) {
            stream.count.round_trip_us = rtt.as_micros() as u32;
        }
        self.protect_against_loss(now, block.fraction_lost, tie, out);
    }

    /// Switches Opus FEC on while the peer reports loss and takes it.
    fn protect_against_loss(&mut self, now: Time, fraction_lost: u8, tie: Option<Tie>, out: &mut Outbox) {
        let media = self.stream.media.as_ref();
        let allowed = media.is_some_and(|media| media.opus.in_band_fec);
        if fraction_lost >= LOSSY && allowed {
            let percent = ((u32::from(fraction_lost) * 100 / 256) as u8).max(1);
            self.tell_loss(percent, tie, out);
            if let Some(Encoder::Opus(encoder)) = &mut self.stream.encoder {
                encoder.set_loss(percent);
            }
            self.stream.fec_until = Some(now + FEC_STAYS);
        }
    }

    fn end_protection(&mut self, now: Time, tie: Option<Tie>, out: &mut Outbox) {
        if self.stream.fec_until.is_some_and(|until| until <= now) {
            self.stream.fec_until = None;
            self.tell_loss(0, tie, out);
            if let Some(Encoder::Opus(encoder)) = &mut self.stream.encoder {
                encoder.set_loss(0);
            }
        }
    }
}

impl Stream {
    /// True if nothing ever came and no more was sent than opens a path: nobody is there to take leave of.
    fn is_alone(&self) -> bool {
        self.count.received == 0 && self.egress.sent().0 <= MOST_KNOCKS
    }

    /// Counts since the beginning.
    pub(super) fn report(&self) -> Report {
        let (packets_sent, octets_sent) = self.egress.sent();
        let lost = self.source.lost();
        let elsewhere = self.away.counts;
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
