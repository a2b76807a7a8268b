//! Sound quality of live calls, leg by leg, as the gateway receives it: inquiries wait until each leg has reported.

use std::collections::BTreeMap;

use media_core::control::Report;
use media_core::negotiated::Codec;
use serde::Serialize;
use session_core::{Coordinator, LegId, SessionId};
use tokio::sync::oneshot;
use utoipa::ToSchema;

/// Inquiry about a live call, answered with `None` when there is no such call.
#[derive(Debug)]
pub struct Inquiry {
    /// SIP Call-ID of a leg.
    pub call_id: String,
    /// Our tag of its dialog, which only the peer of the leg knows.
    pub tag: String,
    /// Reply.
    pub reply: oneshot::Sender<Option<CallQuality>>,
}

/// Sound quality of a live call.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallQuality {
    /// Legs of the call, the caller's first.
    pub legs: Vec<LegQuality>,
}

/// Sound quality of a leg, as the gateway receives it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LegQuality {
    /// `"caller"` or `"callee"`.
    pub role: &'static str,
    /// Codec that the gateway hears.
    pub codec_received: String,
    /// Codec that the gateway sends.
    pub codec_sent: String,
    /// `"relay"`, `"transcode"`, `"application"` or `"none"`.
    pub mode: &'static str,
    /// Packets received.
    pub packets_received: u64,
    /// Packets lost.
    pub lost: u64,
    /// Milliseconds.
    pub jitter_ms: f32,
    /// Milliseconds; 0 while unknown.
    pub round_trip_ms: f32,
    /// Depth of the jitter buffer, milliseconds.
    pub buffer_ms: f32,
    /// Packet loss that the leg's peer reported last (RTCP), percent; 0 while unknown.
    pub loss_reported: f32,
    /// 1.0 to 4.5; 0.0 while unknown.
    pub mos: f32,
    /// The leg's peer has put the call on hold.
    pub held: bool,
    /// The leg's browser lost its connection, and may come back.
    pub away: bool,
}

/// Inquiries that wait for reports of legs.
#[derive(Debug, Default)]
pub struct Inquiries {
    waiting: BTreeMap<SessionId, Vec<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    /// Legs yet to report.
    waits_for: Vec<LegId>,
    legs: Vec<LegQuality>,
    reply: oneshot::Sender<Option<CallQuality>>,
}

impl Inquiries {
    /// Asks each leg of a call for a report.
    pub fn ask(&mut self, inquiry: Inquiry, coordinator: &mut Coordinator) {
        let Inquiry { call_id, tag, reply } = inquiry;
        let session = coordinator.session_of(&call_id, &tag);
        let waits_for: Vec<LegId> = session
            .map(|session| coordinator.legs(session).into_iter().flatten().collect())
            .unwrap_or_default();
        let Some(session) = session.filter(|_| !waits_for.is_empty()) else {
            // Whoever asked may have gone away, here and below.
            let _ = reply.send(None);
            return;
        };
        for leg in &waits_for {
            coordinator.report(*leg);
        }
        self.waiting.entry(session).or_default().push(Waiting {
            waits_for,
            legs: Vec::new(),
            reply,
        });
    }

    /// Takes the report of a leg, and answers those who waited for it alone.
    pub fn reported(&mut self, session: SessionId, leg: LegId, report: &Report, coordinator: &Coordinator) {
        let Some(waiting) = self.waiting.get_mut(&session) else {
            return;
        };
        let role = if coordinator.legs(session)[0] == Some(leg) {
            "caller"
        } else {
            "callee"
        };
        for inquiry in waiting.iter_mut() {
            if inquiry.waits_for.contains(&leg) {
                inquiry.waits_for.retain(|other| *other != leg);
                inquiry.legs.push(LegQuality {
                    held: coordinator.is_held(leg),
                    away: coordinator.is_away(leg),
                    ..LegQuality::new(role, report)
                });
            }
        }
        for done in waiting.extract_if(.., |inquiry| inquiry.waits_for.is_empty()) {
            let _ = done.reply.send(Some(CallQuality { legs: done.legs }));
        }
        if waiting.is_empty() {
            self.waiting.remove(&session);
        }
    }

    /// Forgets the inquiries about a call that is over.
    pub fn forget(&mut self, session: SessionId) {
        self.waiting.remove(&session);
    }
}

impl LegQuality {
    fn new(role: &'static str, report: &Report) -> LegQuality {
        let ms = |us: u32| us as f32 / 1_000.0;
        let name = |codec: Option<Codec>| codec.as_ref().map_or("", Codec::name).to_owned();
        LegQuality {
            role,
            codec_received: name(report.codec_received),
            codec_sent: name(report.codec_sent),
            mode: report.mode.name(),
            packets_received: report.packets_received,
            lost: report.lost,
            jitter_ms: ms(report.jitter_us),
            round_trip_ms: ms(report.round_trip_us),
            buffer_ms: ms(report.buffer_us),
            loss_reported: f32::from(report.remote_fraction_lost) * 100.0 / 256.0,
            mos: report.mos,
            held: false,
            away: false,
        }
    }
}
