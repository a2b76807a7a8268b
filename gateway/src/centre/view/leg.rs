//! Legs of calls as pages and programs see them: live, and in records.

use media_core::negotiated::Codec;
use serde::{Deserialize, Serialize};
use session_core as core;
use utoipa::ToSchema;

use super::{AgentName, Mode, Moment};

/// Direction of a leg, seen from the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LegDirection {
    /// Its peer called the gateway.
    Incoming,
    /// The gateway called its peer.
    Outgoing,
}

/// State of a live leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LegState {
    /// No response yet.
    Calling,
    /// Rings, or makes progress.
    Ringing,
    /// Answered.
    Up,
    /// Answered, and on hold by either side.
    Held,
    /// Answered, and its browser lost the connection.
    Away,
}

/// A live leg: one party's dialog and media.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallLeg {
    /// Id of the leg, unique.
    pub id: String,
    /// Number or name of the party.
    pub number: String,
    /// User that the leg belongs to.
    pub user: Option<AgentName>,
    /// Name of the trunk that the leg came from, or goes through.
    pub trunk: Option<String>,
    /// Direction of the leg.
    pub direction: LegDirection,
    /// True if the party's phone is a browser.
    pub browser: bool,
    /// Mode of taking part; `party` talks with everybody.
    pub mode: Mode,
    /// State now.
    pub state: LegState,
    /// Time of its INVITE.
    pub began_at: Option<Moment>,
    /// Time at which it was answered.
    pub answered_at: Option<Moment>,
}

/// Whoever ended a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LegEndedBy {
    /// The party of the leg.
    Peer,
    /// The gateway, because the call or the party's part in it was over.
    Gateway,
    /// Nobody: no response, or no connection.
    Failure,
}

/// `Reason` of a BYE or CANCEL (RFC 3326).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SipReason {
    /// `SIP`, `Q.850` or another protocol.
    pub protocol: String,
    /// Code of that protocol.
    pub cause: Option<u16>,
    /// Explanation by whoever sent it.
    pub text: Option<String>,
}

/// End of a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LegEnd {
    /// Time of the first message about it.
    pub at: Moment,
    /// Whoever ended it.
    pub by: LegEndedBy,
    /// SIP status: that of the refusal, 200 after a BYE, 487 after a CANCEL, 408 where nobody answered.
    pub code: u16,
    /// Reason that was given.
    pub reason: Option<SipReason>,
}

/// Sound of a leg, from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LegMedia {
    /// Codec received last; empty if nothing was.
    pub codec_received: String,
    /// Codec sent last; empty if nothing was.
    pub codec_sent: String,
    /// RTP packets received.
    pub packets_received: u64,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// RTP packets that never came.
    pub lost: u64,
    /// Share of packets that never came, percent.
    pub loss_percent: f32,
    /// Loss that the party reported last for what we sent, percent; 0 if it reported nothing.
    pub remote_loss_percent: f32,
    /// Interarrival jitter at the end (RFC 3550), milliseconds.
    pub jitter_ms: f32,
    /// Round trip by RTCP, milliseconds; 0 if it was never measured.
    pub round_trip_ms: f32,
    /// Estimated sound quality (MOS) of what we received, 1.0 to 4.5.
    pub mos: Option<f32>,
}

/// A leg that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordLeg {
    /// Number or name of the party.
    pub number: String,
    /// User that the leg belonged to.
    pub user: Option<AgentName>,
    /// Name of the trunk that the leg came from, or went through.
    pub trunk: Option<String>,
    /// Direction of the leg.
    pub direction: LegDirection,
    /// True if the party's phone was a browser.
    pub browser: bool,
    /// Mode of taking part, at the end.
    pub mode: Mode,
    /// SIP Call-ID of the leg; empty if no INVITE was sent.
    pub call_id: String,
    /// Time of its INVITE.
    pub began_at: Option<Moment>,
    /// Time at which it was answered.
    pub answered_at: Option<Moment>,
    /// Its end; none if the gateway stopped before.
    pub end: Option<LegEnd>,
    /// Its sound; none if there never was any.
    pub media: Option<LegMedia>,
}

impl LegDirection {
    const fn of(incoming: bool) -> LegDirection {
        match incoming {
            true => LegDirection::Incoming,
            false => LegDirection::Outgoing,
        }
    }
}

impl From<core::LegState> for LegState {
    fn from(state: core::LegState) -> LegState {
        match state {
            core::LegState::Calling => LegState::Calling,
            core::LegState::Ringing => LegState::Ringing,
            core::LegState::Up => LegState::Up,
            core::LegState::Held => LegState::Held,
            core::LegState::Away => LegState::Away,
        }
    }
}

impl From<core::Role> for Mode {
    fn from(role: core::Role) -> Mode {
        match role {
            core::Role::Party => Mode::Party,
            core::Role::Listener => Mode::Listen,
            core::Role::Coach(_) => Mode::Whisper,
        }
    }
}

impl From<core::EndedBy> for LegEndedBy {
    fn from(by: core::EndedBy) -> LegEndedBy {
        match by {
            core::EndedBy::Peer => LegEndedBy::Peer,
            core::EndedBy::Us => LegEndedBy::Gateway,
            core::EndedBy::Failure => LegEndedBy::Failure,
        }
    }
}

impl From<&core::LegEnd> for LegEnd {
    fn from(end: &core::LegEnd) -> LegEnd {
        LegEnd {
            at: Moment(end.at),
            by: end.by.into(),
            code: end.code.get(),
            reason: end.reason.as_ref().map(|reason| SipReason {
                protocol: reason.protocol.clone(),
                cause: reason.cause,
                text: reason.text.clone(),
            }),
        }
    }
}

impl LegMedia {
    /// Counts of a leg; none if no packet ever came or went.
    fn of(report: &media_core::control::Report) -> Option<LegMedia> {
        if report.packets_received == 0 && report.packets_sent == 0 {
            return None;
        }
        let ms = |us: u32| us as f32 / 1_000.0;
        let name = |codec: Option<Codec>| codec.as_ref().map_or("", Codec::name).to_owned();
        let expected = report.packets_received + report.lost;
        Some(LegMedia {
            codec_received: name(report.codec_received),
            codec_sent: name(report.codec_sent),
            packets_received: report.packets_received,
            packets_sent: report.packets_sent,
            lost: report.lost,
            loss_percent: match expected {
                0 => 0.0,
                _ => report.lost as f32 * 100.0 / expected as f32,
            },
            remote_loss_percent: f32::from(report.remote_fraction_lost) * 100.0 / 256.0,
            jitter_ms: ms(report.jitter_us),
            round_trip_ms: ms(report.round_trip_us),
            mos: Some(report.mos).filter(|mos| *mos > 0.0),
        })
    }
}

impl CallLeg {
    /// A live leg; `user` is the person of its user.
    #[must_use]
    pub fn new(leg: &core::LegInfo, user: Option<AgentName>) -> CallLeg {
        CallLeg {
            id: format!("leg_{:016x}", leg.id.0),
            number: leg.party.clone(),
            user,
            trunk: leg.trunk.clone(),
            direction: LegDirection::of(leg.incoming),
            browser: leg.browser,
            mode: leg.role.into(),
            state: leg.state.into(),
            began_at: leg.began.map(Moment),
            answered_at: leg.answered.map(Moment),
        }
    }
}

impl RecordLeg {
    /// A leg that is over; `user` is the person of its user.
    #[must_use]
    pub fn new(leg: &core::LegRecord, user: Option<AgentName>) -> RecordLeg {
        RecordLeg {
            number: leg.party.clone(),
            user,
            trunk: leg.trunk.clone(),
            direction: LegDirection::of(leg.incoming),
            browser: leg.browser,
            mode: leg.role.into(),
            call_id: leg.call_id.clone(),
            began_at: leg.began.map(Moment),
            answered_at: leg.answered.map(Moment),
            end: leg.end.as_ref().map(LegEnd::from),
            media: LegMedia::of(&leg.report),
        }
    }

    /// A leg whose end nobody saw.
    #[must_use]
    pub fn lost(leg: CallLeg) -> RecordLeg {
        RecordLeg {
            number: leg.number,
            user: leg.user,
            trunk: leg.trunk,
            direction: leg.direction,
            browser: leg.browser,
            mode: leg.mode,
            call_id: String::new(),
            began_at: leg.began_at,
            answered_at: leg.answered_at,
            end: None,
            media: None,
        }
    }
}
