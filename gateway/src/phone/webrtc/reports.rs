//! Reports of the peer about what it receives (RFC 3550 §6.4), read as they pass through the chain of the `webrtc` crate: its
//! own statistics leave out those in sender reports, and the round trip.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

/// Reports of ours that an answer may refer to.
const SENT: usize = 8;

/// The last report of the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reported {
    /// Lost packets of 256 since the report before.
    pub(super) fraction_lost: u8,
    /// Interarrival jitter, in ticks of the codec's clock.
    pub(super) jitter: u32,
    /// The time to the peer and back, once it answered a report of ours.
    pub(super) round_trip: Option<Duration>,
}

/// Reports of the peer about one stream. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Reports(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    last: Reported,
    /// Sender reports of ours: the middle of their NTP time, as the peer will repeat it, and when they went out.
    sent: VecDeque<(u32, Instant)>,
}

impl Reports {
    /// The last one; zeros before the first.
    pub(super) fn last(&self) -> Reported {
        self.lock().last
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A sender report of ours goes out.
    fn sent(&self, now: Instant, ntp: u64) {
        let mut state = self.lock();
        state.sent.truncate(SENT - 1);
        state.sent.push_front(((ntp >> 16) as u32, now));
    }

    /// A report block about our stream came in.
    fn came(&self, now: Instant, block: &ReceptionReport) {
        let mut state = self.lock();
        state.last.fraction_lost = block.fraction_lost;
        state.last.jitter = block.jitter;
        let sent = state
            .sent
            .iter()
            .find(|(middle, _)| *middle == block.last_sender_report);
        if let Some((_, at)) = sent.filter(|_| block.last_sender_report != 0) {
            // The peer counts its delay in 1/65,536 s.
            let delay = Duration::from_micros((u64::from(block.delay) * 1_000_000) >> 16);
            let round_trip = now.saturating_duration_since(*at).saturating_sub(delay);
            state.last.round_trip = Some(round_trip.max(Duration::from_micros(1)));
        }
    }
}

/// Place in the chain from which the reports are read.
pub(super) struct ReportReader {
    reports: Reports,
    ssrc: u32,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

impl ReportReader {
    /// Reads what is said of `ssrc`, which is ours.
    pub(super) fn new(ssrc: u32, reports: Reports) -> ReportReader {
        ReportReader {
            reports,
            ssrc,
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for ReportReader {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            for packet in packets {
                let packet = packet.as_any();
                let of_sender = packet
                    .downcast_ref::<SenderReport>()
                    .map(|report| &report.reports);
                let of_receiver = || {
                    packet
                        .downcast_ref::<ReceiverReport>()
                        .map(|report| &report.reports)
                };
                let blocks = of_sender.or_else(of_receiver).into_iter().flatten();
                for block in blocks.filter(|block| block.ssrc == self.ssrc) {
                    self.reports.came(message.now, block);
                }
            }
        }
        self.inbound.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            let reports = packets.iter().filter_map(|packet| packet.as_any().downcast_ref());
            for report in reports.filter(|report: &&SenderReport| report.ssrc == self.ssrc) {
                self.reports.sent(message.now, report.ntp_time);
            }
        }
        self.outbound.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }
}

impl Interceptor for ReportReader {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use rtc::interceptor::AttributedPacket;
    use rtc::shared::TransportContext;

    use super::*;

    const OURS: u32 = 7;

    fn tagged(now: Instant, packet: Box<dyn rtc::rtcp::Packet>) -> TaggedPacket {
        TaggedPacket {
            now,
            transport: TransportContext::default(),
            message: AttributedPacket::from(Packet::Rtcp(vec![packet])),
        }
    }

    fn block(ssrc: u32, last_sender_report: u32, delay: u32) -> ReceptionReport {
        ReceptionReport {
            ssrc,
            fraction_lost: 64,
            jitter: 480,
            last_sender_report,
            delay,
            ..Default::default()
        }
    }

    #[test]
    fn blocks_of_sender_and_receiver_reports_count_and_give_the_round_trip() {
        let reports = Reports::default();
        let mut reader = ReportReader::new(OURS, reports.clone());
        let began = Instant::now();
        let ours = SenderReport {
            ssrc: OURS,
            ntp_time: 0x1234_5678_9abc_def0,
            ..Default::default()
        };
        reader
            .handle_write(tagged(began, Box::new(ours)))
            .expect("passed");
        assert!(reader.poll_write().is_some(), "it goes on");
        // The peer kept it for two seconds.
        let theirs = SenderReport {
            ssrc: 9,
            reports: vec![block(8, 0x5678_9abc, 0), block(OURS, 0x5678_9abc, 2 << 16)],
            ..Default::default()
        };
        let later = began + Duration::from_millis(2_040);
        reader
            .handle_read(tagged(later, Box::new(theirs)))
            .expect("passed");
        assert!(reader.poll_read().is_some(), "it goes on");
        let last = Reported {
            fraction_lost: 64,
            jitter: 480,
            round_trip: Some(Duration::from_millis(40)),
        };
        assert_eq!(reports.last(), last);
        let receiver = ReceiverReport {
            ssrc: 9,
            reports: vec![block(OURS, 0, 0)],
            ..Default::default()
        };
        reader
            .handle_read(tagged(later, Box::new(receiver)))
            .expect("passed");
        assert_eq!(
            reports.last(),
            last,
            "an unknown report of ours changes no round trip"
        );
    }
}
