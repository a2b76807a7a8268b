//! Streams: what a leg and its peer send each other. `source` takes the peer's packets, `feed` makes sound of them (by way of the
//! jitter buffer, [`crate::jitter`]) and `transcode` sends it on; `egress` numbers, encodes and sends what the peer is to hear, which
//! may be an application's (`application`, `player`, `announcement`) or come from outside (`injection`); `count` keeps the numbers of the report. A stream knows
//! neither bridges nor shards: it is told whom it hears.

mod announcement;
mod application;
mod count;
mod egress;
mod feed;
mod injection;
mod knock;
mod limit;
mod player;
mod playout;
mod silence;
mod source;
mod transcode;

use std::time::Duration;

use sans_io::{Deadline, Rng, Time};

pub(crate) use announcement::Announcement;
pub(crate) use count::Count;
pub(crate) use feed::{Feed, Sink, TICK, Waiting};
pub(crate) use injection::{Beneath, Injected};
pub(crate) use limit::limit;
pub(crate) use player::Player;
pub use playout::Playout;
pub(crate) use source::Arrived;
pub(crate) use transcode::{direct, last, paced};

use crate::codec::Encoder;
use crate::control::{BridgeId, Event, LegId};
use crate::deadlines::{Armed, Earliest};
use crate::dtmf;
use crate::lane::Tie;
use crate::negotiated::StreamAgreed;
use crate::outbox::Outbox;
use crate::rtp::Egress;
use crate::stats::Source;
use crate::transport::Transport;
use egress::Digit;
use knock::Knocks;
use silence::Silence;

/// Source that a leg hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Hears {
    #[default]
    Nobody,
    /// The leg at this place in the slab; itself for an echo.
    Leg(usize),
    /// The members of its bridge, paced by our clock.
    Mix,
    /// Its stand-in in the bridge of another shard.
    Lane,
    /// Its application, paced by our clock.
    Application,
}

/// One leg: both directions of one peer.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) transport: Transport,
    /// Agreement about the stream, and whether the peer named an address for it.
    pub(crate) media: Option<StreamAgreed>,
    pub(crate) addressed: bool,
    pub(crate) announced: bool,

    // From the peer.
    pub(crate) source: Source,
    pub(crate) keys: dtmf::Receiver,
    /// Decoded sound of the peer; only while somebody needs it.
    pub(crate) feed: Option<Box<Feed>>,
    /// Leg that hears it.
    pub(crate) listener: Option<usize>,
    /// Best rate for it in a mix, if it is heard in one.
    pub(crate) mixed: Option<u32>,
    /// True if its next sound in the mix continues audio that was heard of it in another way.
    pub(crate) follows: bool,
    pub(crate) heard: Option<Time>,
    flowing: bool,
    in_dtx: bool,
    pub(crate) silence: Silence,

    // To the peer.
    pub(crate) hears: Hears,
    pub(crate) egress: Egress,
    pub(crate) encoder: Option<Encoder>,
    /// The encoder heard nothing of what the peer heard last.
    pub(crate) stale: bool,
    pub(crate) digits: dtmf::Sender,
    digit: Option<Digit>,
    knocks: Option<Knocks>,
    pub(crate) player: Option<Player>,
    /// Announcement in the application's place.
    pub(crate) announcement: Option<Announcement>,
    /// Sound from outside that the peer hears, over the rest or instead of it.
    pub(crate) injected: Option<Box<Injected>>,
    /// Time at which the application's next frame is due.
    pub(crate) tick: Option<Time>,

    /// Bridge that it takes part in,
    pub(crate) bridge: Option<BridgeId>,
    /// and, where two parties do and nobody else, the other.
    pub(crate) peer: Option<usize>,
    /// Part in a bridge of another shard.
    pub(crate) tie: Option<Tie>,
    /// Time at which the next RTCP report is due.
    pub(crate) report_at: Option<Time>,
    pub(crate) sent_at_report: u64,
    /// FEC goes off then unless loss is reported again.
    pub(crate) fec_until: Option<Time>,
    pub(crate) count: Count,
    pub(crate) armed: Armed,
}

impl Leg {
    pub(crate) fn new(id: LegId, transport: Transport, rng: &mut Rng, generation: u64) -> Leg {
        Leg {
            id,
            transport,
            media: None,
            addressed: false,
            announced: false,
            source: Source::default(),
            keys: dtmf::Receiver::default(),
            feed: None,
            listener: None,
            mixed: None,
            follows: false,
            heard: None,
            flowing: false,
            in_dtx: false,
            silence: Silence::default(),
            hears: Hears::Nobody,
            egress: Egress::new(rng),
            encoder: None,
            stale: false,
            digits: dtmf::Sender::default(),
            digit: None,
            knocks: None,
            player: None,
            announcement: None,
            injected: None,
            tick: None,
            bridge: None,
            peer: None,
            tie: None,
            report_at: None,
            sent_at_report: 0,
            fec_until: None,
            count: Count::default(),
            armed: Armed::new(generation),
        }
    }

    /// Tells signalling of an event; a stand-in has none to tell of, for its leg does.
    pub(crate) fn emit(&self, out: &mut Outbox, event: Event) {
        if self.transport.lane().is_none() {
            out.event(event);
        }
    }

    /// Time at which the leg must be looked at; after `silence` without a sign of its peer it is silent.
    pub(crate) fn deadline(&self, silence: Option<Duration>) -> Deadline {
        let mut next = Earliest::default();
        next.or(self.transport.deadline());
        next.or(self.tick.map(|at| (at, "application")));
        next.or(self.feed_deadline());
        next.or(self.keys.deadline());
        next.or(self.digits.deadline());
        next.or(self.knocks.as_ref().map(|knocks| (knocks.at, "knocks")));
        next.or(self.report_at.map(|at| (at, "RTCP report")));
        next.or(self.silence_deadline(silence));
        next.or(self.flow_deadline());
        next.deadline()
    }
}
