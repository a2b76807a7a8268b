//! A leg: one party of a session, its SIP dialog and its media.

use bytes::Bytes;
use media_core::control::{Application, LegId, Report, Role};
use media_core::negotiated::{Direction, Negotiated};
use media_core::sdp::Negotiator;
use sans_io::Time;
use sip_core::endpoint::{OutgoingInvite, UsageId};
use sip_core::flow::{Flow, FlowId};

use crate::SessionId;
use crate::event::Fault;
use crate::forks::Forks;
use crate::verb::{Redirect, Refer};

/// State of a leg.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) session: SessionId,
    pub(crate) shard: u8,
    /// True if it called us.
    pub(crate) incoming: bool,
    pub(crate) browser: bool,
    /// User part shown in records.
    pub(crate) party: String,
    /// The user of the directory that this leg belongs to.
    pub(crate) user: Option<String>,
    /// The trunk that it came from, or was called through.
    pub(crate) trunk: Option<String>,
    pub(crate) call_id: String,
    /// The SIP side; `None` before its INVITE is sent and after its end.
    pub(crate) usage: Option<UsageId>,
    pub(crate) flow: Option<Flow>,
    /// The connection that it was called over, or called us over.
    pub(crate) registered: Option<FlowId>,
    /// The offer that it is, or was, a branch of.
    pub(crate) offered: Option<LegId>,
    /// A branch to somebody outside of the directory.
    pub(crate) redirect: Option<Redirect>,
    /// Its role in the session's bridge.
    pub(crate) role: Role,
    pub(crate) state: State,
    pub(crate) media: Media,
    pub(crate) negotiator: Negotiator,
    pub(crate) negotiated: Option<Negotiated>,
    /// Forks that answered its INVITE so far; empty once one has the call.
    pub(crate) forks: Forks,
    /// Actions for when media is open.
    pub(crate) pending: Vec<Pending>,
    /// Our answer to the INVITE's offer: one and the same in every 183 and in the 200.
    pub(crate) answer: Option<Bytes>,
    /// The peer's offer in its INVITE, until it is answered; `None`: it wants ours.
    pub(crate) offer: Option<Bytes>,
    pub(crate) answered: Option<Time>,
    /// True if proxies stand between its peer and us.
    pub(crate) proxied: bool,
    /// True if its peer acknowledged a response of ours: the 200, or a reliable provisional one.
    pub(crate) acknowledged: bool,
    /// The peer holds us.
    pub(crate) held: bool,
    /// True if both sides were to talk at some time.
    pub(crate) talked_both_ways: bool,
    /// We hold the peer.
    pub(crate) holding: bool,
    /// Music of its peer while that holds us.
    pub(crate) own_music: OwnMusic,
    /// Leg whose place this one takes as soon as it is answered.
    pub(crate) replaces: Option<LegId>,
    /// Request of its peer for a transfer.
    pub(crate) refer: Option<Refer>,
    /// We asked its peer to replace us.
    pub(crate) asks: bool,
    /// Neither hears nor is heard while this offer rings to replace it.
    pub(crate) aside: Option<LegId>,
    pub(crate) presence: Presence,
    /// Time since when it is silent although something should come; `None`: it is not.
    pub(crate) silent: Option<Time>,
    /// Application that the leg hears outside a bridge.
    pub(crate) application: Option<Application>,
    pub(crate) hears: Hears,
    /// True for a leg from before a restart whose peer has not answered our offer to go on.
    pub(crate) restoring: bool,
    pub(crate) report: Report,
    /// Fault that ended it, if any.
    pub(crate) fault: Option<Fault>,
}

/// The signalling of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Called us, or is about to be called.
    New,
    /// A provisional response went over it.
    Early,
    /// A 200 went over it.
    Up,
    /// BYE, CANCEL or a refusal is on its way.
    Ending,
    /// Its dialog is gone.
    Ended,
}

/// The media of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Opening,
    Open,
    Closing,
    Closed,
}

/// Waits for [`Media::Open`].
#[derive(Debug)]
pub(crate) enum Pending {
    Invite(Box<OutgoingInvite>),
    /// A provisional response: its code, and whether it brings early media.
    Ring(u16, bool),
    Answer,
    /// The offer to go on after a restart.
    Restore,
}

/// Presence of the person behind a browser leg.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Presence {
    /// Its WebSocket closed and no other took its place.
    pub(crate) flow_lost: bool,
    /// Authentic RTP flows.
    pub(crate) flowing: bool,
    /// The shard saw it leave.
    pub(crate) gone: bool,
    /// True once its far side was told.
    pub(crate) away: bool,
}

/// Sound that a phone sends while it holds us and may send: music of its own, or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OwnMusic {
    /// The peer does not hold us, or has sent nothing since it does.
    #[default]
    None,
    /// The peer began to send at this time.
    Since(Time),
    /// The peer has sent long enough to be believed when it pauses.
    Pausing,
}

/// Sound that a leg was last set to hear: commands are sent on change only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hears {
    Nothing,
    Bridge,
    Ringback,
    Music,
    Application,
}

impl Leg {
    /// Nothing of it is left.
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Ended && self.media == Media::Closed
    }

    /// True if its peer is a phone that holds us by wanting to hear nothing, and sends nothing either.
    pub(crate) fn holds_in_silence(&self) -> bool {
        self.hears_nothing()
            && self.talked_both_ways
            && !self.presence.flowing
            && self.own_music != OwnMusic::Pausing
    }

    /// True if its peer is a phone that sends and does not want to hear.
    pub(crate) fn hears_nothing(&self) -> bool {
        let direction = self.negotiated.as_ref().map(|media| media.direction);
        !self.browser && direction == Some(Direction::RecvOnly)
    }

    /// Its peer may hear us now.
    pub(crate) fn is_connected(&self) -> bool {
        self.negotiated.is_some() && self.state < State::Ending && self.media == Media::Open
    }
}
