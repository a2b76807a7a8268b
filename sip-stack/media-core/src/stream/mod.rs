//! Streams: sound that a leg and its peer send each other. `source` takes the peer's packets, `feed` makes sound of them (by way of the
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
mod source;
mod transcode;

use sans_io::{Rng, Time};

pub(crate) use announcement::Announcement;
pub(crate) use count::Count;
pub(crate) use feed::{Feed, Sink, TICK, Waiting};
pub(crate) use injection::{Beneath, Injected};
pub(crate) use knock::MOST_KNOCKS;
pub(crate) use limit::limit;
pub(crate) use player::Player;
pub use playout::Playout;
pub(crate) use source::Arrived;
pub(crate) use transcode::{direct, last, paced};

use crate::codec::Encoder;
use crate::control::{Event, LegId, StreamIndex};
use crate::deadlines::Earliest;
use crate::dtmf;
use crate::lane::Away;
use crate::negotiated::StreamAgreed;
use crate::outbox::Outbox;
use crate::rtp::Egress;
use crate::stats::Source;
use crate::transport::Transport;
use egress::Digit;
use knock::Knocks;

/// Place of a stream in a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Place of its leg in the slab.
    pub(crate) leg: usize,
    pub(crate) stream: StreamIndex,
}

impl Place {
    /// Place of the leg's voice.
    pub(crate) fn first(leg: usize) -> Place {
        let stream = StreamIndex::FIRST;
        Place { leg, stream }
    }
}

/// Source that a stream's peer hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Hears {
    #[default]
    Nobody,
    /// The stream at this place; itself for an echo.
    Stream(Place),
    /// The members of its bridge, paced by our clock.
    Mix,
    /// Its stand-in in the bridge of another shard.
    Lane,
    /// Its application, paced by our clock.
    Application,
}

/// One stream: both directions of it.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Agreement with the peer.
    pub(crate) media: Option<StreamAgreed>,

    // From the peer.
    pub(crate) source: Source,
    pub(crate) keys: dtmf::Receiver,
    /// Decoded sound of the peer; only while somebody needs it.
    pub(crate) feed: Option<Box<Feed>>,
    /// Stream whose peer hears it.
    pub(crate) listener: Option<Place>,
    /// Best rate for it in a mix, if it is heard in one.
    pub(crate) mixed: Option<u32>,
    /// True if its next sound in the mix continues audio that was heard of it in another way.
    pub(crate) follows: bool,
    pub(crate) heard: Option<Time>,
    flowing: bool,
    in_dtx: bool,

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

    /// Stream that it is joined to, where two parties are in a bridge and nobody else.
    pub(crate) peer: Option<Place>,
    /// Messages of the home of its leg's bridge, if that is another shard.
    pub(crate) away: Away,
    /// True if the leg that this stream's leg stands in for was told last that it hears the bridge.
    pub(crate) told_bridged: bool,
    /// Time at which the next RTCP report is due.
    pub(crate) report_at: Option<Time>,
    pub(crate) sent_at_report: u64,
    /// FEC goes off then unless loss is reported again.
    pub(crate) fec_until: Option<Time>,
    pub(crate) count: Count,
}

impl Stream {
    pub(crate) fn new(rng: &mut Rng) -> Stream {
        Stream {
            media: None,
            source: Source::default(),
            keys: dtmf::Receiver::default(),
            feed: None,
            listener: None,
            mixed: None,
            follows: false,
            heard: None,
            flowing: false,
            in_dtx: false,
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
            peer: None,
            away: Away::default(),
            told_bridged: false,
            report_at: None,
            sent_at_report: 0,
            fec_until: None,
            count: Count::default(),
        }
    }

    /// Adds the times at which the stream must be looked at.
    #[inline(always)]
    pub(crate) fn deadline(&self, next: &mut Earliest) {
        next.or(self.tick.map(|at| (at, "application")));
        next.or(self.feed_deadline());
        next.or(self.keys.deadline());
        next.or(self.digits.deadline());
        next.or(self.knocks.as_ref().map(|knocks| (knocks.at, "knocks")));
        next.or(self.report_at.map(|at| (at, "RTCP report")));
        next.or(self.flow_deadline());
    }

    /// The same of what a packet of the peer may have begun: its sound, a key, its flow.
    #[inline(always)]
    pub(crate) fn deadline_after_packet(&self, next: &mut Earliest) {
        next.or(self.feed_deadline());
        next.or(self.keys.deadline());
        next.or(self.flow_deadline());
    }
}

/// A stream with what it needs of its leg: the transport to the peer, and its name.
#[derive(Debug)]
pub(crate) struct End<'a> {
    pub(crate) leg: LegId,
    pub(crate) index: StreamIndex,
    pub(crate) transport: &'a mut Transport,
    pub(crate) stream: &'a mut Stream,
}

impl End<'_> {
    #[inline]
    pub(crate) fn reborrow(&mut self) -> End<'_> {
        End {
            leg: self.leg,
            index: self.index,
            transport: self.transport,
            stream: self.stream,
        }
    }

    /// Tells signalling of an event; a stand-in has none to tell of, for its leg does.
    pub(crate) fn emit(&self, out: &mut Outbox, event: Event) {
        if self.transport.lane().is_none() {
            out.event(event);
        }
    }
}
