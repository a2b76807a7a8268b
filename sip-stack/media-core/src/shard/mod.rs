//! All legs of one media thread. One owner, no I/O: datagrams and commands in, datagrams and events out.
//!
//! The packet path is [`Shard::handle_datagram`] -> which leg -> the leg opens and judges it -> `bridge` -> the listener's
//! header and protection. It neither allocates, locks, dispatches dynamically nor touches the timer queue; the exceptions are the
//! first packet after a change (a codec's state is taken from the pool) and recording (a frame is handed over in a `Vec`).

mod command;
mod datagram;
mod hearing;
mod interface;
mod observe;
mod report;
mod tie;
mod timeout;
mod wiring;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sans_io::{Deadline, Rng, Time};
use slab::Slab;

pub use interface::Input;

pub use crate::outbox::Output;

use crate::Clock;
use crate::codec::Pool;
use crate::control::{BridgeId, LegId, Member, SocketId, StreamIndex};
use crate::deadlines::{Armed, Queue, Who};
use crate::dtls;
use crate::leg::{Leg, end_at};
use crate::music::Music;
use crate::outbox::Outbox;
use crate::prompts::Prompts;
use crate::stream::{End, Place};
use wiring::Bridge;

/// Octets and datagrams that the outbox holds without growing: a burst of packets for all legs grows it once.
const OUTBOX: (usize, usize) = (256 << 10, 1_024);

/// Parts that a shard is made from.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// The sockets that all browser legs share, with the address of each as browsers see it: one candidate each.
    pub browser_sockets: Vec<(SocketId, SocketAddr)>,
    /// Its number, as in the user name fragments of its legs.
    pub shard: u8,
    /// Certificate and key of the process.
    pub dtls: Arc<dtls::Identity>,
    /// [`Time`] and `Instant` at one moment, for the DTLS engine.
    pub clock: Clock,
    /// Announcements for waiting callers; empty: they hear the music only.
    pub prompts: Arc<Prompts>,
    /// Time without RTP and RTCP after which a phone's leg that should send counts as silent; `None`: never.
    pub silence: Option<Duration>,
    /// Legs that it may hold; one more is answered by `Failed`.
    pub max_legs: usize,
}

/// The legs of one media thread.
#[derive(Debug)]
pub struct Shard {
    config: ShardConfig,
    rng: Rng,
    legs: Slab<Leg>,
    /// Number of legs ever made.
    generation: u64,
    names: BTreeMap<LegId, usize>,
    bridges: BTreeMap<BridgeId, Bridge>,
    /// Members of bridges whose home this is, where some of them are legs of other shards: those may be still to come.
    expected: BTreeMap<BridgeId, Vec<Member>>,
    /// Legs of this shard in bridges of others.
    ties: BTreeSet<(BridgeId, LegId)>,
    /// Messages of other shards that meant nothing.
    strays: u64,
    /// Browser leg that an address belongs to. Looked up, never iterated.
    paths: HashMap<(SocketId, SocketAddr), usize>,
    /// Phone leg that a socket belongs to, and whether it is the one for RTCP.
    sockets: HashMap<SocketId, (usize, bool)>,
    queue: Queue,
    /// Time before which no leg is looked at again.
    floor: Time,
    out: Outbox,
    pool: Pool,
    music: Music,
    /// RTCP is composed here.
    scratch: Vec<u8>,
    cname: String,
}

impl Shard {
    /// An empty shard. Makes the tune for [`Application::Music`](crate::control::Application::Music), which takes some
    /// 20 ms.
    #[must_use]
    pub fn new(config: ShardConfig, mut rng: Rng) -> Shard {
        let mut music = Music::default();
        music.at(crate::codec::RATE);
        // RFC 7022: random, the same for all of a session's streams, and telling nothing.
        let cname = rng.token(16);
        let room = config.max_legs.min(4_096);
        Shard {
            rng,
            legs: Slab::with_capacity(room),
            generation: 0,
            names: BTreeMap::new(),
            bridges: BTreeMap::new(),
            expected: BTreeMap::new(),
            ties: BTreeSet::new(),
            strays: 0,
            paths: HashMap::with_capacity(room),
            sockets: HashMap::with_capacity(2 * room),
            queue: Queue::with_capacity(2 * room),
            floor: Time::ZERO,
            out: Outbox::with_capacity(OUTBOX.0, OUTBOX.1),
            pool: Pool::default(),
            music,
            scratch: Vec::with_capacity(512),
            cname,
            config,
        }
    }

    /// Takes a command or an answer of the shell, or the time. Drain [`Shard::poll_output`] afterwards.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        match input {
            Input::Command(command) => self.command(now, command),
            Input::Bound { leg, rtp, rtcp } => self.bound(leg, rtp, rtcp),
            Input::BindFailed { leg } => self.bind_failed(leg),
            Input::Timeout => self.timeout(now),
        }
    }

    /// The next thing to do; drain until [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output<'_> {
        if self.out.is_empty() {
            let deadline = self.deadline();
            self.out.pop();
            return Output::Timeout(deadline);
        }
        self.out.pop().unwrap_or(Output::Timeout(None))
    }

    /// Number of legs.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    fn end(&mut self, place: Place) -> Option<End<'_>> {
        end_at(&mut self.legs, place)
    }

    /// Places of all streams of a leg.
    fn places(&self, key: usize) -> impl Iterator<Item = Place> + use<> {
        let indices = self.legs.get(key).map(Leg::indices);
        indices
            .into_iter()
            .flatten()
            .map(move |stream| Place { leg: key, stream })
    }

    /// Sees to it that the timer queue looks at a leg in time.
    fn arm(&mut self, key: usize) {
        if let Some(leg) = self.legs.get_mut(key)
            && let Some((at, _)) = leg.deadline(self.config.silence)
        {
            self.queue.arm(Who::Leg(key), &mut leg.armed, at.max(self.floor));
        }
    }

    /// The same after a packet of a stream, which puts all but a few things off.
    #[inline]
    fn arm_after_packet(&mut self, place: Place) {
        if let Some(leg) = self.legs.get_mut(place.leg)
            && let Some((at, _)) = leg.deadline_after_packet(place.stream, self.config.silence)
        {
            let who = Who::Leg(place.leg);
            self.queue.arm(who, &mut leg.armed, at.max(self.floor));
        }
    }

    /// Sees to it that the next tick of a mix comes.
    fn arm_mix(&mut self, bridge: BridgeId, stream: StreamIndex) {
        if let Some(mix) = self
            .bridges
            .get_mut(&bridge)
            .and_then(|bridge| bridge.mix_mut(stream))
        {
            let at = mix.tick.max(self.floor);
            self.queue.arm(Who::Mix(bridge, stream), &mut mix.armed, at);
        }
    }

    /// Deadline of a leg or a mix, if the entry of the queue is about the one that is there now.
    fn waits(&self, who: Who, generation: u64) -> Deadline {
        let (deadline, armed) = match who {
            Who::Leg(key) => {
                let leg = self.legs.get(key)?;
                (leg.deadline(self.config.silence), &leg.armed)
            }
            Who::Mix(bridge, stream) => {
                let mix = self.bridges.get(&bridge)?.mix(stream)?;
                (Some((mix.tick, "mix")), &mix.armed)
            }
        };
        deadline.filter(|_| armed.generation == generation)
    }

    /// Removes the first entry of the queue; true if the leg or mix that it names must be looked at.
    fn take(&mut self, who: Who) -> bool {
        let armed = armed(&mut self.legs, &mut self.bridges, who);
        self.queue.pop(armed)
    }

    /// The earliest deadline of any leg and any mix. Entries of the queue that are older than the deadline
    /// they stand for are updated on the way.
    fn deadline(&mut self) -> Deadline {
        // Entry that was updated last: it stands for its deadline.
        let mut updated = None;
        loop {
            let (at, who, generation) = self.queue.peek()?;
            if let Some((its, of, why)) = updated
                && (its, of) == (at, who)
            {
                return Some((at, why));
            }
            match self.waits(who, generation) {
                Some((due, why)) if due <= at => return Some((at, why)),
                Some((due, why)) => {
                    let due = due.max(self.floor);
                    if let Some(armed) = armed(&mut self.legs, &mut self.bridges, who) {
                        self.queue.put_off(armed, due);
                        updated = Some((due, who, why));
                    }
                }
                None => {
                    self.take(who);
                }
            }
        }
    }
}

/// Place of a leg or a mix in the queue.
fn armed<'a>(
    legs: &'a mut Slab<Leg>,
    bridges: &'a mut BTreeMap<BridgeId, Bridge>,
    who: Who,
) -> Option<&'a mut Armed> {
    match who {
        Who::Leg(key) => legs.get_mut(key).map(|leg| &mut leg.armed),
        Who::Mix(bridge, stream) => {
            let mix = bridges.get_mut(&bridge)?.mix_mut(stream)?;
            Some(&mut mix.armed)
        }
    }
}

#[cfg(test)]
mod tests;
