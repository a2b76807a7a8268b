//! A coordinator with its media.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use media_core::Clock;
use media_core::control::Prompts;
use media_core::control::{Command, Event as MediaEvent, LegId, Report, SocketId, StreamIndex};
use media_core::dtls::Identity;
use media_core::negotiated::{Codec, Fingerprint, Hash};
use media_core::shard::{self, Shard, ShardConfig};
use sans_io::{Deadline, Rng, Time};
use session_core::{Access, CallRecord, Cause, Config, Coordinator, Event, Package, SessionId};
use sip_core::auth::Algorithm;
use sip_core::endpoint;
use sip_core::message::Method;

/// Media that the coordinator's commands go to.
#[derive(Debug)]
pub enum Media {
    /// Answers as a shard does, and does nothing.
    Signalling,
    /// Real ones.
    Shards(Vec<Real>),
}

/// A shard and the sockets that it has.
#[derive(Debug)]
pub struct Real {
    pub(super) shard: Shard,
    pub(super) deadline: Deadline,
    pub(super) sockets: BTreeMap<SocketId, SocketAddr>,
    pub(super) next: u32,
}

/// Sockets of a shard are numbered from its number times this on; the first one is for browsers.
const SOCKETS: u32 = 10_000;

static IDENTITY: LazyLock<Arc<Identity>> =
    LazyLock::new(|| Arc::new(Identity::seeded(7).expect("a certificate")));
static PROMPTS: LazyLock<Arc<Prompts>> = LazyLock::new(|| Arc::new(crate::prompts::tones()));
static ANCHOR: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A node: the gateway, a phone or a trunk.
#[derive(Debug)]
pub struct Node {
    /// For ladders.
    pub name: String,
    /// Its address.
    pub address: SocketAddr,
    /// Its signalling.
    pub coordinator: Coordinator,
    /// Its media.
    pub media: Media,
    /// Records of its calls.
    pub records: Vec<CallRecord>,
    /// Events of its coordinator, counted.
    pub reported: BTreeMap<&'static str, usize>,
    pub(super) deadline: Deadline,
    /// Legs that are open, each with its shard.
    pub(super) open: BTreeMap<LegId, u8>,
    pub(super) bridges: BTreeMap<u64, Vec<LegId>>,
    ended: BTreeSet<SessionId>,
    live: BTreeSet<SessionId>,
}

/// The configuration that all nodes share.
#[must_use]
pub fn config(address: SocketAddr, access: Access, codecs: &[Codec]) -> Config {
    Config {
        endpoint: endpoint_config(),
        access,
        credentials: session_core::Credentials::default(),
        guard: session_core::guard::Config::default(),
        domains: Vec::new(),
        realm: "gateway.test".into(),
        algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
        host: address.ip().to_string(),
        advertise: None,
        phone_ips: vec![address.ip()],
        fingerprint: Fingerprint {
            hash: Hash::Sha256,
            value: vec![7; 32],
        },
        shards: 1,
        first_id: 0,
        browser_codecs: vec![Codec::Opus, Codec::Pcmu, Codec::Pcma],
        phone_codecs: codecs.to_vec(),
        pass_through: Default::default(),
        grace: Duration::from_secs(15),
        max_sessions: 100,
        session_timer: None,
        inactivity: None,
        limits: session_core::Limits::default(),
        register_rate: 50,
        upstream: None,
        upstream_rate: 200,
        stir: Default::default(),
        emergency: Default::default(),
        saved_messages: None,
        secret: [0; 32],
        // Within the time after which nothing may be left.
        messages: session_core::MessageSettings {
            keep: Duration::from_secs(600),
            ..session_core::MessageSettings::default()
        },
        max_contacts: 5,
    }
}

/// Users are watched and written to, as at a gateway.
fn endpoint_config() -> endpoint::Config {
    let mut config = endpoint::Config::default();
    config.allow.extend([Method::Message, Method::Publish]);
    config.event_packages = Package::ALL.map(|package| package.name().to_owned()).to_vec();
    config
}

impl Node {
    pub(super) fn new(
        name: &str,
        config: Config,
        address: SocketAddr,
        now: Time,
        real: bool,
        rng: &mut Rng,
    ) -> Node {
        let media = if real {
            let shards = 0..config.shards;
            Media::Shards(
                shards
                    .map(|shard| Real::new(shard, address.ip(), now, rng))
                    .collect(),
            )
        } else {
            Media::Signalling
        };
        Node {
            name: name.to_owned(),
            address,
            coordinator: Coordinator::new(config, rng.fork()),
            media,
            records: Vec::new(),
            reported: BTreeMap::new(),
            deadline: None,
            open: BTreeMap::new(),
            bridges: BTreeMap::new(),
            ended: BTreeSet::new(),
            live: BTreeSet::new(),
        }
    }

    /// Time at which it must be woken.
    pub(super) fn next(&self) -> Option<Time> {
        let shards = match &self.media {
            Media::Shards(shards) => &shards[..],
            Media::Signalling => &[],
        };
        std::iter::once(self.deadline)
            .chain(shards.iter().map(|real| real.deadline))
            .flatten()
            .map(|(at, _)| at)
            .min()
    }

    /// Number of legs on each real shard; a leg that is heard on another shard than its own counts on both.
    #[must_use]
    pub fn legs_on_shards(&self) -> Vec<usize> {
        match &self.media {
            Media::Shards(shards) => shards.iter().map(|real| real.shard.legs()).collect(),
            Media::Signalling => Vec::new(),
        }
    }

    /// The legs of each bridge.
    pub fn bridged(&self) -> impl Iterator<Item = &Vec<LegId>> {
        self.bridges.values()
    }

    /// Keeps the books of legs and bridges; what a shard that only answers says at once.
    pub(super) fn command(&mut self, shard: u8, command: &Command) -> Option<MediaEvent> {
        let real = matches!(self.media, Media::Shards(_));
        match command {
            Command::Open { leg, kind } => {
                let browser = matches!(kind, media_core::control::LegKind::Browser { .. });
                assert!(self.open.insert(*leg, shard).is_none(), "{leg:?} opened twice");
                let port = if browser {
                    10_000
                } else {
                    20_000 + 2 * leg.0 as u16
                };
                let at = |port| SocketAddr::new(self.address.ip(), port);
                let addresses = if browser {
                    vec![at(port)]
                } else {
                    vec![at(port), at(port + 1)]
                };
                (!real).then_some(MediaEvent::Opened { leg: *leg, addresses })
            }
            Command::Close { leg } => {
                assert_eq!(
                    self.open.remove(leg),
                    Some(shard),
                    "{leg:?} closed, and was not open"
                );
                self.bridges.retain(|_, legs| {
                    legs.retain(|member| member != leg);
                    legs.len() >= 2
                });
                (!real).then(|| MediaEvent::Report {
                    leg: *leg,
                    stream: StreamIndex::FIRST,
                    report: Box::new(Report::default()),
                    last: true,
                })
            }
            Command::Bridge { bridge, members, .. } => {
                let legs: Vec<LegId> = members.iter().map(|member| member.leg).collect();
                for member in members {
                    let leg = &member.leg;
                    assert_eq!(
                        self.open.get(leg),
                        Some(&member.shard),
                        "{leg:?} bridged, and is not open"
                    );
                    let other = self
                        .bridges
                        .iter()
                        .find(|(id, legs)| **id != bridge.0 && legs.contains(leg));
                    assert!(other.is_none(), "{leg:?} is in two bridges");
                }
                self.bridges.insert(bridge.0, legs);
                None
            }
            Command::Unbridge { bridge } => {
                self.bridges.remove(&bridge.0);
                None
            }
            _ => None,
        }
    }

    /// Holds an event against what must hold for every session, and counts it.
    pub(super) fn heard(&mut self, event: &Event) {
        let (name, session) = match event {
            Event::Incoming { session, .. } => ("incoming", Some(*session)),
            Event::Progress { session, .. } => ("progress", Some(*session)),
            Event::Answered { session, .. } => ("answered", Some(*session)),
            Event::Changed { session, .. } => ("changed", Some(*session)),
            Event::Restored { session, .. } => ("restored", Some(*session)),
            Event::Bridged { session, .. } => ("bridged", Some(*session)),
            Event::InvitationRings { session, .. } => ("invitation rings", Some(*session)),
            Event::InvitationAnswered { session, .. } => ("invitation answered", Some(*session)),
            Event::InvitationEnded { session, .. } => ("invitation ended", Some(*session)),
            Event::Left { session, .. } => ("left", Some(*session)),
            Event::Returned { session, .. } => ("returned", Some(*session)),
            Event::Joined { session, .. } => ("joined", Some(*session)),
            Event::Refer { session, .. } => ("refer", Some(*session)),
            Event::Transferred { session, .. } => ("transferred", Some(*session)),
            Event::TransferFailed { session, .. } => ("transfer failed", Some(*session)),
            Event::ReferProgress { session, .. } => ("refer progress", Some(*session)),
            Event::Alive { .. } => ("alive", None),
            Event::Diverted { session, .. } => ("diverted", Some(*session)),
            Event::DialFailed { session, .. } => ("dial failed", Some(*session)),
            Event::Dtmf { session, .. } => ("digit", Some(*session)),
            Event::Hold { session, .. } => ("hold", Some(*session)),
            Event::Away { session, .. } => ("away", Some(*session)),
            Event::Announced { session, .. } => ("announced", Some(*session)),
            Event::Silent { session, .. } => ("silent", Some(*session)),
            Event::Present { session, .. } => ("present", Some(*session)),
            Event::Talking { session, .. } => ("talking", Some(*session)),
            Event::Report { session, .. } => ("report", Some(*session)),
            Event::Ended { session, .. } => ("ended", Some(*session)),
            Event::Reachable { .. } => ("reachable", None),
            Event::Registration { .. } => ("registration", None),
            Event::Verdict { .. } => ("verdict", None),
            Event::Target { .. } => ("target", None),
            Event::CapReached { .. } => ("cap reached", None),
            Event::Refused(_) => ("refused", None),
            Event::Replaces { session, .. } => ("replaces", Some(*session)),
            Event::Joins { session, .. } => ("joins", Some(*session)),
            Event::Bridge(_) => ("bridge", None),
            Event::Banned(_) => ("banned", None),
            Event::Watch { .. } => ("watch", None),
            Event::Message { .. } => ("message", None),
            Event::MessageSent { .. } => ("message sent", None),
            Event::MessageKept { .. } => ("message kept", None),
            Event::MessageOver { .. } => ("message over", None),
            Event::Mailbox { .. } => ("mailbox", None),
        };
        *self.reported.entry(name).or_default() += 1;
        let Some(session) = session else { return };
        assert!(
            !self.ended.contains(&session),
            "{}: {name} after the end of {session:?}",
            self.name
        );
        self.live.insert(session);
        if let Event::Joined { guest, .. } = event {
            self.live.remove(guest);
            self.ended.insert(*guest);
        }
        if let Event::Ended { record, .. } = event {
            self.live.remove(&session);
            self.ended.insert(session);
            assert_eq!(record.session, session);
            assert!(record.began <= record.ended, "{record:?}");
            let fine = if record.answered.is_some() {
                record.code == 200 || matches!(record.cause, Cause::Failed | Cause::Lost)
            } else {
                record.code.is_refusal()
            };
            assert!(fine, "{}: {record:?}", self.name);
            self.records.push((**record).clone());
        }
    }

    /// Number of events of a kind.
    #[must_use]
    pub fn count(&self, what: &str) -> usize {
        self.reported.get(what).copied().unwrap_or(0)
    }

    /// No session, leg, dialog, transaction, timer, contact, socket or bridge is left.
    ///
    /// # Panics
    /// Something is left.
    pub fn assert_empty(&self) {
        let stats = self.coordinator.stats();
        let name = &self.name;
        assert_eq!(
            (stats.sessions, stats.legs, stats.contacts),
            (0, 0, 0),
            "{name}: {stats:?}"
        );
        assert_eq!(stats.endpoint, endpoint::Counts::default(), "{name}");
        assert!(self.live.is_empty(), "{name}: no record of {:?}", self.live);
        assert!(self.open.is_empty(), "{name}: open legs {:?}", self.open);
        assert!(self.bridges.is_empty(), "{name}: bridges {:?}", self.bridges);
        assert_eq!(self.deadline, None, "{name}");
        if let Media::Shards(shards) = &self.media {
            for real in shards {
                assert_eq!(real.shard.legs(), 0, "{name}: legs in the shard");
                assert_eq!(real.sockets.len(), 1, "{name}: sockets {:?}", real.sockets);
            }
        }
    }
}

impl Real {
    fn new(number: u8, ip: IpAddr, now: Time, rng: &mut Rng) -> Real {
        let first = u32::from(number) * SOCKETS;
        let browsers = (SocketId(first), SocketAddr::new(ip, 10_000 + u16::from(number)));
        let shard = ShardConfig {
            browser_sockets: vec![browsers],
            shard: number,
            dtls: IDENTITY.clone(),
            clock: Clock::new(now, *ANCHOR),
            prompts: PROMPTS.clone(),
            silence: None,
            max_legs: 64,
        };
        Real {
            shard: Shard::new(shard, rng.fork()),
            deadline: None,
            sockets: BTreeMap::from([browsers]),
            next: first + 1,
        }
    }

    /// True for the socket that all browsers of a shard share.
    pub(super) fn is_for_browsers(socket: SocketId) -> bool {
        socket.0.is_multiple_of(SOCKETS)
    }

    /// Number of the shard that a socket belongs to.
    pub(super) fn shard_of(socket: SocketId) -> usize {
        (socket.0 / SOCKETS) as usize
    }

    /// Two ports on `local`.
    pub(super) fn bind(&mut self, leg: LegId, local: IpAddr) -> shard::Input {
        let (rtp, rtcp) = (SocketId(self.next), SocketId(self.next + 1));
        let port = 20_000 + self.next as u16;
        self.next += 2;
        let at = |port| SocketAddr::new(local, port);
        self.sockets.insert(rtp, at(port));
        self.sockets.insert(rtcp, at(port + 1));
        shard::Input::Bound {
            leg,
            rtp: (rtp, at(port)),
            rtcp: (rtcp, at(port + 1)),
        }
    }
}
