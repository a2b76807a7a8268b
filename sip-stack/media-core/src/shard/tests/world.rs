//! A shard, its peers, and a network between them that delays, loses, reorders and repeats, the same way for the same
//! seed; all on a virtual clock.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use sans_io::{Rng, Time};

use super::allocation::allocations;
use super::peer::{Peer, Sealed};
use crate::Clock;
use crate::codec::RATE;
use crate::control::{
    Application, BridgeId, Clip, Command, Event, LegId, LegKind, MediaSource, Member, Phrase, Prompts,
    Report, Role, SocketId, StreamIndex,
};
use crate::dtls::Identity;
use crate::lane::{Message, Notice};
use crate::negotiated::{Codec, Direction};
use crate::shard::{Input, Output, Shard, ShardConfig};
use crate::srtp::Profile;
use crate::tap::Way;

/// Made once: a key takes a while.
static IDENTITY: LazyLock<Arc<Identity>> =
    LazyLock::new(|| Arc::new(Identity::generate().expect("a certificate")));

pub(super) static PROMPTS: LazyLock<Arc<Prompts>> = LazyLock::new(|| Arc::new(tones()));

/// Prompts of which each clip is a tone of its own, about as loud as the music.
fn tones() -> Prompts {
    const EDGE: usize = 80;
    let mut prompts = Prompts::default();
    for (n, clip) in Clip::all().enumerate() {
        let length = if matches!(clip, Clip::Number(_)) {
            3_600
        } else {
            7_200
        };
        let step = std::f64::consts::TAU * (300.0 + n as f64) / f64::from(RATE);
        let sample = |i: usize| {
            let edge = i.min(length - 1 - i) as f64 / EDGE as f64;
            ((i as f64 * step).sin() * 2_400.0 * edge.min(1.0)) as i16
        };
        let sound: Vec<i16> = (0..length).map(sample).collect();
        prompts.add(clip, &sound, RATE);
    }
    prompts
}

pub(super) const BROWSERS: SocketId = SocketId(1);

/// Number of the first shard.
pub(super) const FIRST: u8 = 3;

/// Time that a message takes from one shard to another.
const LANE: Duration = Duration::from_micros(700);

/// A datagram on its way: to this shard and socket, from there.
type Datagram = (usize, SocketId, SocketAddr, Vec<u8>);

/// A message on its way.
enum Sent {
    Packet(LegId, StreamIndex, Vec<u8>),
    Notice(Notice),
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conditions {
    pub(super) loss_percent: u64,
    pub(super) repeat_percent: u64,
    /// A datagram takes 5 ms and at most this much more.
    pub(super) spread: Duration,
}

/// A packet that a tap reported: when, of which leg, which way, its codec, and its octets.
pub(super) type Tapped = (Time, LegId, Way, Option<Codec>, Vec<u8>);

pub(super) struct World {
    pub(super) now: Time,
    pub(super) shards: Vec<Shard>,
    pub(super) peers: Vec<Peer>,
    pub(super) events: Vec<(Time, Event)>,
    pub(super) conditions: Conditions,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    sent: u64,
    /// To a shard (socket, from) or to a peer (its index).
    to_shard: BTreeMap<(Time, u64), Datagram>,
    /// From shard to shard.
    between: BTreeMap<(Time, u64), (usize, usize, Sent)>,
    to_peer: BTreeMap<(Time, u64), (usize, SocketId, Vec<u8>)>,
    next_socket: u32,
    /// Shard that does nothing any more.
    pub(super) dead: Option<usize>,
    /// Packets of tapped legs.
    pub(super) tapped: Vec<Tapped>,
    /// Streams of those packets.
    pub(super) tapped_streams: Vec<StreamIndex>,
    /// Legs that were tapped or injected into, and are closed.
    pub(super) closed: Vec<LegId>,
    /// Pairs of sockets that were given back.
    pub(super) released: usize,
    /// Allocations of the shard while it took RTP and produced the result.
    pub(super) allocations: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        World::with_shards(seed, 1)
    }

    /// Each peer's leg is on the shard after that of the one before.
    pub(super) fn with_shards(seed: u64, shards: u8) -> World {
        let now = Time::from_secs(1_800_000_000);
        let clock = Clock::new(now, Instant::now());
        let mut rng = Rng::seeded(seed);
        let config = |shard| ShardConfig {
            browser_sockets: vec![(BROWSERS, "10.0.0.1:10000".parse().unwrap())],
            shard: FIRST + shard,
            dtls: IDENTITY.clone(),
            clock,
            prompts: PROMPTS.clone(),
            silence: Some(Duration::from_secs(10)),
            max_legs: 64,
        };
        World {
            now,
            shards: (0..shards)
                .map(|shard| Shard::new(config(shard), rng.fork()))
                .collect(),
            peers: Vec::new(),
            events: Vec::new(),
            conditions: Conditions::default(),
            clock,
            rng,
            sent: 0,
            to_shard: BTreeMap::new(),
            between: BTreeMap::new(),
            to_peer: BTreeMap::new(),
            next_socket: 100,
            dead: None,
            tapped: Vec::new(),
            tapped_streams: Vec::new(),
            closed: Vec::new(),
            released: 0,
            allocations: 0,
        }
    }

    /// Opens and connects a browser leg whose browser speaks that codec; runs until the keys are agreed.
    pub(super) fn browser(&mut self, codec: Codec) -> usize {
        let leg = LegId(self.peers.len() as u64 + 1);
        let peer = Peer::browser(self, leg, codec);
        let ice = peer.ice();
        self.peers.push(peer);
        self.command(Command::Open {
            leg,
            kind: LegKind::Browser { ice },
        });
        let media = self.peers.last().unwrap().negotiated(Direction::SendRecv);
        self.command(Command::Connect {
            leg,
            media: Box::new(media),
        });
        let connected = |world: &World| world.saw(|event| *event == Event::Connected { leg });
        for _ in 0..200 {
            if connected(self) {
                break;
            }
            self.run(Duration::from_millis(10));
        }
        assert!(connected(self), "{:?}", self.events);
        self.peers.len() - 1
    }

    /// Opens and connects a phone leg.
    pub(super) fn phone(&mut self, codec: Codec) -> usize {
        let leg = LegId(self.peers.len() as u64 + 1);
        let peer = Peer::phone(self, leg, codec);
        self.add(peer)
    }

    /// The same for a phone that speaks SRTP with keys from SDP.
    pub(super) fn secure_phone(&mut self, codec: Codec, profile: Profile) -> usize {
        let leg = LegId(self.peers.len() as u64 + 1);
        let mut peer = Peer::phone(self, leg, codec);
        peer.sdes = Some(Box::new(Sealed::new(profile)));
        self.add(peer)
    }

    fn add(&mut self, peer: Peer) -> usize {
        let leg = peer.leg;
        self.peers.push(peer);
        self.command(Command::Open {
            leg,
            kind: LegKind::Phone {
                local: "10.0.0.1".parse().unwrap(),
                source: MediaSource::Learn,
            },
        });
        let media = self.peers.last().unwrap().negotiated(Direction::SendRecv);
        self.command(Command::Connect {
            leg,
            media: Box::new(media),
        });
        assert!(self.saw(|event| *event == Event::Connected { leg }));
        self.peers.len() - 1
    }

    pub(super) fn leg(&self, peer: usize) -> LegId {
        self.peers[peer].leg
    }

    pub(super) fn bridge(&mut self, a: usize, b: usize) {
        self.bridge_as(&[(a, Role::Party), (b, Role::Party)]);
    }

    pub(super) fn bridge_as(&mut self, members: &[(usize, Role)]) {
        let members: Vec<Member> = members
            .iter()
            .map(|(peer, role)| self.member(*peer, *role))
            .collect();
        self.connect_members(1, members);
    }

    pub(super) fn member(&self, peer: usize, role: Role) -> Member {
        Member {
            leg: self.leg(peer),
            role,
            shard: FIRST + self.shard_of(peer) as u8,
        }
    }

    /// Place of the shard that a peer's leg is on.
    pub(super) fn shard_of(&self, peer: usize) -> usize {
        peer % self.shards.len()
    }

    /// Tells all shards of a bridge; its home is the first one.
    pub(super) fn connect_members(&mut self, bridge: u64, members: Vec<Member>) {
        for shard in 0..self.shards.len() {
            self.arrange_on(shard, bridge, members.clone());
        }
    }

    /// Tells one shard of a bridge.
    pub(super) fn arrange_on(&mut self, shard: usize, bridge: u64, members: Vec<Member>) {
        let command = Command::Bridge {
            bridge: BridgeId(bridge),
            home: FIRST,
            members,
        };
        self.command_to(shard, command);
    }

    pub(super) fn play(&mut self, peer: usize, application: Option<Application>) {
        let leg = self.leg(peer);
        self.command(Command::Play { leg, application });
    }

    pub(super) fn announce(&mut self, peer: usize, phrase: Phrase) {
        let leg = self.leg(peer);
        self.command(Command::Announce { leg, phrase });
    }

    pub(super) fn direct(&mut self, peer: usize, direction: Direction) {
        let (leg, media) = (self.leg(peer), Box::new(self.peers[peer].negotiated(direction)));
        self.command(Command::Connect { leg, media });
    }

    /// A peer and we agree on another codec.
    pub(super) fn recode(&mut self, peer: usize, codec: Codec) {
        self.peers[peer].set_codec(codec);
        self.direct(peer, Direction::SendRecv);
    }

    pub(super) fn report(&mut self, peer: usize) -> Report {
        let leg = self.leg(peer);
        self.command(Command::Report { leg });
        match self.events.pop() {
            Some((
                _,
                Event::Report {
                    report, last: false, ..
                },
            )) => *report,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn saw(&self, what: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(|(_, event)| what(event))
    }

    /// Sends a command to the shard of the leg that it is for, or to all.
    pub(super) fn command(&mut self, command: Command) {
        let leg = match &command {
            Command::Open { leg, .. }
            | Command::Connect { leg, .. }
            | Command::Vouch { leg, .. }
            | Command::Play { leg, .. }
            | Command::Announce { leg, .. }
            | Command::SendDtmf { leg, .. }
            | Command::Tap { leg, .. }
            | Command::Inject { leg, .. }
            | Command::EndInjection { leg, .. }
            | Command::WatchSpeech { leg, .. }
            | Command::Report { leg }
            | Command::Close { leg } => Some(*leg),
            Command::Bridge { .. } | Command::Unbridge { .. } => None,
        };
        let peer = leg.map(|leg| self.shard_of(leg.0 as usize - 1));
        for shard in 0..self.shards.len() {
            if peer.is_none_or(|peer| peer == shard) {
                self.command_to(shard, command.clone());
            }
        }
    }

    pub(super) fn command_to(&mut self, shard: usize, command: Command) {
        if self.dead != Some(shard) {
            self.shards[shard].handle_input(self.now, Input::Command(command));
            self.drain();
        }
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, length: Duration) {
        let until = self.now + length;
        self.collect();
        loop {
            let deadline = self.drain();
            let peers = self.peers.iter().filter_map(|peer| peer.next()).min();
            let network = [
                self.to_shard.keys().next(),
                self.to_peer.keys().next(),
                self.between.keys().next(),
            ];
            let network = network.into_iter().flatten().map(|(at, _)| *at).min();
            let next = [deadline, peers, network].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return;
            };
            assert!(
                next >= self.now || deadline.is_none_or(|at| at >= next),
                "time went back"
            );
            self.now = self.now.max(next);
            let now = self.now;
            while let Some(entry) = self.to_shard.first_entry().filter(|entry| entry.key().0 <= now) {
                let (shard, socket, from, mut data) = entry.remove();
                if self.dead == Some(shard) {
                    continue;
                }
                let before = allocations();
                let rtp = data[0] >> 6 == 2;
                self.shards[shard].handle_datagram(now, socket, from, &mut data);
                self.allocations += if rtp { allocations() - before } else { 0 };
                self.drain();
            }
            while let Some(entry) = self.between.first_entry().filter(|entry| entry.key().0 <= now) {
                let (from, to, sent) = entry.remove();
                if self.dead == Some(to) {
                    continue;
                }
                let from = FIRST + from as u8;
                let before = allocations();
                match sent {
                    Sent::Packet(leg, stream, data) => {
                        let data = &data;
                        let message = Message::Packet { leg, stream, data };
                        self.shards[to].handle_message(now, from, message);
                        self.allocations += allocations() - before;
                    }
                    Sent::Notice(notice) => {
                        self.shards[to].handle_message(now, from, Message::Notice(notice));
                    }
                }
                self.drain();
            }
            while let Some(entry) = self.to_peer.first_entry().filter(|entry| entry.key().0 <= now) {
                let (peer, socket, data) = entry.remove();
                self.peers[peer].handle(now, socket, &data);
            }
            self.collect();
            for shard in 0..self.shards.len() {
                if self.dead != Some(shard) && self.drain_one(shard).is_some_and(|at| at <= now) {
                    let before = allocations();
                    self.shards[shard].handle_input(now, Input::Timeout);
                    self.allocations += allocations() - before;
                }
            }
        }
    }

    /// Hands the shard a datagram from anywhere, for the RTP or RTCP socket of a peer's leg.
    pub(super) fn inject(&mut self, peer: usize, rtcp: bool, from: SocketAddr, data: &[u8]) {
        let (socket, shard) = (self.peers[peer].socket(rtcp), self.shard_of(peer));
        self.shards[shard].handle_datagram(self.now, socket, from, &mut data.to_vec());
        self.drain();
    }

    /// Takes what the peers have to send.
    fn collect(&mut self) {
        let now = self.now;
        for index in 0..self.peers.len() {
            let peer = &mut self.peers[index];
            peer.tick(now);
            let (from, sent) = (peer.address, std::mem::take(&mut peer.out));
            for (rtcp, data) in sent {
                let (socket, shard) = (self.peers[index].socket(rtcp), self.shard_of(index));
                let from = SocketAddr::new(from.ip(), from.port() + u16::from(rtcp));
                self.throw(|world, key| {
                    let datagram = (shard, socket, from, data.clone());
                    world.to_shard.insert(key, datagram);
                });
            }
        }
    }

    /// Into the network: lost, once or twice.
    fn throw(&mut self, put: impl Fn(&mut World, (Time, u64))) {
        let copies = 1 + u64::from(self.rng.percent(self.conditions.repeat_percent));
        for _ in 0..copies {
            self.sent += 1;
            let spread = self.rng.below(self.conditions.spread.as_micros() as u64 + 1);
            if !self.rng.percent(self.conditions.loss_percent) {
                let due = self.now + Duration::from_millis(5) + Duration::from_micros(spread);
                let key = (due, self.sent);
                put(self, key);
            }
        }
    }

    fn drain(&mut self) -> Option<Time> {
        let dead = self.dead;
        (0..self.shards.len())
            .filter(|shard| dead != Some(*shard))
            .filter_map(|shard| self.drain_one(shard))
            .min()
    }

    fn drain_one(&mut self, shard: usize) -> Option<Time> {
        loop {
            let before = allocations();
            let output = self.shards[shard].poll_output();
            self.allocations += allocations() - before;
            match output {
                Output::Timeout(deadline) => return deadline.map(|(at, _)| at),
                Output::Transmit { socket, to, data } => {
                    let data = data.to_vec();
                    let peer = self.peers.iter().position(|peer| {
                        peer.address.ip() == to.ip() && to.port().wrapping_sub(peer.address.port()) < 2
                    });
                    let peer = peer.unwrap_or_else(|| panic!("nobody is at {to}"));
                    self.throw(|world, key| drop(world.to_peer.insert(key, (peer, socket, data.clone()))));
                }
                Output::Bind { leg, local } => {
                    let (rtp, rtcp) = (SocketId(self.next_socket), SocketId(self.next_socket + 1));
                    let port = 20_000 + self.next_socket as u16;
                    self.next_socket += 2;
                    let peer = self
                        .peers
                        .iter_mut()
                        .find(|peer| peer.leg == leg)
                        .expect("its peer");
                    peer.sockets = [rtp, rtcp];
                    let at = |port| SocketAddr::new(local, port);
                    self.shards[shard].handle_input(
                        self.now,
                        Input::Bound {
                            leg,
                            rtp: (rtp, at(port)),
                            rtcp: (rtcp, at(port + 1)),
                        },
                    );
                }
                Output::Release { .. } => self.released += 1,
                Output::Message { to, message } => {
                    let sent = match message {
                        Message::Packet { leg, stream, data } => Sent::Packet(leg, stream, data.to_vec()),
                        Message::Notice(notice) => Sent::Notice(notice),
                    };
                    self.sent += 1;
                    let key = (self.now + LANE, self.sent);
                    self.between.insert(key, (shard, usize::from(to - FIRST), sent));
                }
                Output::Tapped(packet) => {
                    let data = packet.data.to_vec();
                    self.tapped_streams.push(packet.stream);
                    self.tapped
                        .push((self.now, packet.leg, packet.way, packet.codec, data));
                }
                Output::Closed { leg } => self.closed.push(leg),
                Output::Event(event) => self.events.push((self.now, event)),
            }
        }
    }
}
