//! Three coordinators and the network between them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use media_core::control::{Application, Command, Event as MediaEvent, Failure, Report, StreamIndex};
use media_core::negotiated::{Codec, Fingerprint, Hash};
use sans_io::{Deadline, Rng, Time};
use session_core::{
    Access, Adjustment, CallRecord, Caller, Config, Coordinator, Dial, Event, Input, Invitation, LegId,
    OnFailure, OutgoingCall, Output, Package, Party, PeerMedia, ReferTo, Registration, SessionId, Stats,
    Trunk, User,
};
use sip_core::auth::Algorithm;
use sip_core::endpoint;
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{HeaderName, Message, Method, NameAddr, StatusCode};
use sip_core::uri::Uri;

pub(crate) const CALLER: usize = 0;
pub(crate) const GATEWAY: usize = 1;
pub(crate) const CALLEE: usize = 2;

/// Behaviour of the network: per cent of datagrams, and the maximum delay.
#[derive(Clone, Copy)]
pub(crate) struct Network {
    pub(crate) loss: u64,
    pub(crate) duplicate: u64,
    pub(crate) jitter: Duration,
}

impl Network {
    pub(crate) fn perfect() -> Network {
        Network {
            loss: 0,
            duplicate: 0,
            jitter: Duration::ZERO,
        }
    }
}

/// As its two ends know it.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    /// Nodes that answered the INVITE, and that sent it.
    pub(crate) between: (usize, usize),
    pub(crate) call_id: String,
    pub(crate) from_tag: String,
    pub(crate) to_tag: String,
}

struct Node {
    coordinator: Coordinator,
    deadline: Deadline,
    events: Vec<Event>,
    commands: Vec<Command>,
}

pub(crate) struct World {
    nodes: Vec<Node>,
    network: Network,
    rng: Rng,
    flying: BTreeMap<(Time, u64), (usize, usize, Bytes)>,
    pub(crate) now: Time,
    pub(crate) packets: u64,
    /// Digest of everything that was sent, with times.
    pub(crate) digest: u64,
    pub(crate) callee_answers: bool,
    pub(crate) callee_rejects: Option<StatusCode>,
    /// How the gateway dials; `None`: the callee.
    pub(crate) dials: Option<Dial>,
    pub(crate) no_ports: bool,
    /// The gateway answers callers and keeps them, rather than dial for them.
    pub(crate) centre: bool,
    /// The caller is a user of the gateway, not a trunk.
    pub(crate) user: bool,
    /// NOTIFYs of the gateway that will not arrive.
    pub(crate) lost_notifies: u32,
    /// Nothing reaches this node, and nothing comes from it.
    pub(crate) cut_off: Option<usize>,
    /// Those that were answered, in order.
    pub(crate) dialogs: Vec<Dialog>,
    /// Dialog that the caller's REFERs name in place of their `Replaces`.
    pub(crate) forged: Option<Dialog>,
    pub(crate) answered: usize,
    pub(crate) rings: usize,
    /// Codecs that the caller offers, best first.
    pub(crate) caller_codecs: Vec<Codec>,
    /// Payload types that the last INVITE to each node offered.
    offered: [Vec<u8>; 3],
    /// `Reason` of the last BYE to each node.
    reasons: [Option<String>; 3],
}

fn address(node: usize) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10 + node as u8)), 5060)
}

fn trunk(node: usize) -> Trunk {
    Trunk {
        sources: vec![address(node).ip().into()],
        hold: session_core::HoldPolicy::Music,
        ..Trunk::new(address(node).ip().to_string())
    }
}

/// Configuration of a node. With `user`, the caller is a user of the gateway, and no trunk is known by its address.
fn config(node: usize, user: bool) -> Config {
    let access = match node {
        GATEWAY => Access::Directory {
            users: [("agent".to_owned(), User::new("secret"))].into(),
            trunks: [
                (
                    "left".to_owned(),
                    Trunk {
                        sources: if user {
                            Vec::new()
                        } else {
                            vec![address(CALLER).ip().into()]
                        },
                        ..trunk(CALLER)
                    },
                ),
                ("right".to_owned(), trunk(CALLEE)),
            ]
            .into(),
        },
        _ => Access::Anyone(PeerMedia::default()),
    };
    let mut endpoint = endpoint::Config::default();
    if node == GATEWAY {
        endpoint.allow.extend([Method::Message, Method::Publish]);
        endpoint.event_packages = Package::ALL.map(|package| package.name().to_owned()).to_vec();
    }
    Config {
        endpoint,
        access,
        realm: "test".into(),
        algorithms: vec![Algorithm::Md5],
        phone_ips: vec![address(node).ip()],
        browser_codecs: vec![Codec::Opus, Codec::Pcmu],
        phone_codecs: vec![Codec::Pcmu],
        max_sessions: 100,
        session_timer: (node == GATEWAY).then(|| Duration::from_secs(1_800)),
        inactivity: (node == GATEWAY).then(|| Duration::from_secs(60)),
        max_contacts: 5,
        secret: [7; 32],
        ..Config::new(
            address(node).ip().to_string(),
            Fingerprint {
                hash: Hash::Sha256,
                value: vec![7; 32],
            },
        )
    }
}

/// Payload types of the first audio section of a description.
fn payload_types(sdp: &[u8]) -> Vec<u8> {
    let sdp = String::from_utf8_lossy(sdp);
    let line = sdp.lines().find(|line| line.starts_with("m=audio"));
    let numbers = line.into_iter().flat_map(|line| line.split(' ').skip(3));
    numbers.filter_map(|number| number.trim().parse().ok()).collect()
}

/// The configuration of the gateway, for worlds of other shapes.
pub(crate) fn gateway() -> Config {
    config(GATEWAY, false)
}

impl World {
    pub(crate) fn new(seed: u64, network: Network) -> World {
        World::of(seed, network, false)
    }

    /// A world whose caller is a user of the gateway.
    pub(crate) fn with_user(seed: u64, network: Network) -> World {
        World::of(seed, network, true)
    }

    fn of(seed: u64, network: Network, user: bool) -> World {
        let mut rng = Rng::seeded(seed);
        let node = |n: usize, rng: &mut Rng| Node {
            coordinator: Coordinator::new(config(n, user), rng.fork()),
            deadline: None,
            events: Vec::new(),
            commands: Vec::new(),
        };
        let nodes = (0..3).map(|n| node(n, &mut rng)).collect();
        World {
            nodes,
            network,
            rng,
            flying: BTreeMap::new(),
            now: Time::from_secs(1_000),
            packets: 0,
            digest: 0xcbf2_9ce4_8422_2325,
            callee_answers: true,
            callee_rejects: None,
            dials: None,
            no_ports: false,
            centre: false,
            user,
            lost_notifies: 0,
            cut_off: None,
            dialogs: Vec::new(),
            forged: None,
            answered: 0,
            rings: 0,
            caller_codecs: Vec::new(),
            offered: Default::default(),
            reasons: [None, None, None],
        }
    }

    /// Hands a node a datagram from elsewhere; returns what it sends at once.
    pub(crate) fn exchange(&mut self, node: usize, remote: SocketAddr, data: impl Into<Bytes>) -> Vec<Bytes> {
        let flow = Flow {
            id: FlowId(1),
            transport: Transport::Udp,
            local: address(node),
            remote,
        };
        let data = data.into();
        let coordinator = &mut self.nodes[node].coordinator;
        coordinator.handle_input(self.now, Input::Sip(endpoint::Input::Message { flow, data }));
        let mut sent = Vec::new();
        loop {
            match coordinator.poll_output(self.now) {
                Output::Transmit { data, .. } => sent.push(data),
                Output::Timeout(deadline) => {
                    self.nodes[node].deadline = deadline;
                    return sent;
                }
                // The operator is informed.
                Output::Event(Event::Refused(_)) => {}
                other => panic!("a stranger caused {other:?}"),
            }
        }
    }

    /// Hands a node a datagram that another one did not send itself; returns what it sends back at once.
    pub(crate) fn deliver(&mut self, to: usize, from: usize, data: impl Into<Bytes>) -> Vec<Bytes> {
        let before = self.packets;
        let flow = Flow {
            id: FlowId(1),
            transport: Transport::Udp,
            local: address(to),
            remote: address(from),
        };
        let data = data.into();
        let input = Input::Sip(endpoint::Input::Message { flow, data });
        self.nodes[to].coordinator.handle_input(self.now, input);
        self.drain(to);
        let sent = self
            .flying
            .iter()
            .filter(|((_, number), (_, back, _))| *number > before && *back == from);
        sent.map(|(_, (_, _, data))| data.clone()).collect()
    }

    /// The caller calls the callee by way of the gateway.
    pub(crate) fn call(&mut self) {
        let uri = Uri::sip(Some("5551234"), address(GATEWAY).ip(), Some(5060)).expect("uri");
        let call = OutgoingCall {
            party: Party::Uri {
                uri,
                proxy: None,
                flow: None,
                codecs: self.caller_codecs.clone(),
                credentials: self.user.then(|| ("agent".to_owned(), "secret".to_owned())),
            },
            caller: Caller {
                user: if self.user { "agent" } else { "alice" }.into(),
                display: "Alice".into(),
            },
            ring_timeout: Duration::from_secs(90),
            application: Some(Application::Echo),
        };
        let now = self.now;
        self.nodes[CALLER]
            .coordinator
            .create_outgoing_call(now, call)
            .expect("a party");
        self.drain(CALLER);
    }

    /// The gateway's INVITEs to the callee bring no offer from now on.
    pub(crate) fn offer_late(&mut self) {
        self.change_trunk("right", |trunk| trunk.late_offer = true);
    }

    /// Media of a trunk of the gateway are encrypted like that from now on.
    pub(crate) fn encrypt(&mut self, trunk: &str, srtp: session_core::SrtpPolicy) {
        self.change_trunk(trunk, |trunk| trunk.srtp = srtp);
    }

    /// The gateway speaks these codecs with phones and trunks from now on, best first.
    pub(crate) fn speak(&mut self, codecs: &[Codec]) {
        let settings = config(GATEWAY, self.user);
        if let Access::Directory { trunks, .. } = settings.access.clone() {
            self.adjust(settings, trunks, codecs.to_vec());
        }
    }

    /// The callee's trunk of the gateway has these codecs of its own from now on.
    pub(crate) fn speak_with_callee(&mut self, codecs: &[Codec]) {
        self.change_trunk("right", |trunk| trunk.codecs = codecs.to_vec());
    }

    /// A trunk of the gateway may transfer its calls from now on.
    pub(crate) fn let_transfer(&mut self, trunk: &str) {
        self.change_trunk(trunk, |trunk| trunk.transfers = true);
    }

    /// Both trunks of the gateway are told of holds from now on.
    pub(crate) fn tell_of_holds(&mut self) {
        self.change_trunks(|_, trunk| trunk.hold = session_core::HoldPolicy::Pass);
    }

    fn change_trunk(&mut self, name: &str, change: impl Fn(&mut Trunk)) {
        self.change_trunks(|of, trunk| {
            if of == name {
                change(trunk);
            }
        });
    }

    fn change_trunks(&mut self, change: impl Fn(&str, &mut Trunk)) {
        let settings = config(GATEWAY, self.user);
        let Access::Directory { mut trunks, .. } = settings.access.clone() else {
            return;
        };
        for (name, trunk) in &mut trunks {
            change(name, trunk);
        }
        let codecs = settings.phone_codecs.clone();
        self.adjust(settings, trunks, codecs);
    }

    fn adjust(&mut self, settings: Config, trunks: BTreeMap<String, Trunk>, phone_codecs: Vec<Codec>) {
        let adjustment = Adjustment {
            trunks,
            browser_codecs: settings.browser_codecs,
            phone_codecs,
            pass_through: settings.pass_through,
            domains: settings.domains,
            grace: settings.grace,
            stir: Default::default(),
            emergency: Default::default(),
            caps: Vec::new(),
            quotas: Default::default(),
        };
        self.verb(GATEWAY, |c, _| c.adjust(adjustment));
    }

    /// The network is another one from now on.
    pub(crate) fn degrade(&mut self, seed: u64, network: Network) {
        self.network = network;
        self.rng = Rng::seeded(seed);
    }

    /// The node registers a contact of the gateway's one user.
    pub(crate) fn register(&mut self, node: usize) {
        let aor = Uri::sip(Some("agent"), address(GATEWAY).ip(), Some(5060)).expect("uri");
        let registration = Registration {
            aor,
            proxy: None,
            credentials: Some(endpoint::Credentials {
                username: "agent".into(),
                password: "secret".into(),
            }),
            expires: Duration::from_secs(3_600),
            contact: Some("agent".into()),
            instance: None,
        };
        self.verb(node, |c, now| c.register(now, 1, registration));
    }

    /// The application of a node does something by itself.
    pub(crate) fn verb<T>(&mut self, node: usize, verb: impl FnOnce(&mut Coordinator, Time) -> T) -> T {
        let outcome = verb(&mut self.nodes[node].coordinator, self.now);
        self.drain(node);
        outcome
    }

    /// A node dies, with everything on its way to it, and another one takes its place, which knows nothing.
    pub(crate) fn crash(&mut self, node: usize) {
        self.flying.retain(|_, (_, to, _)| *to != node);
        let dead = &mut self.nodes[node];
        dead.coordinator = Coordinator::new(config(node, self.user), self.rng.fork());
        dead.deadline = None;
        dead.events.clear();
        dead.commands.clear();
    }

    pub(crate) fn events(&self, node: usize) -> &[Event] {
        &self.nodes[node].events
    }

    pub(crate) fn hangup(&mut self, node: usize) {
        let now = self.now;
        for session in self.sessions(node) {
            self.nodes[node].coordinator.terminate_session(now, session);
        }
        self.drain(node);
    }

    /// A client's own hold.
    pub(crate) fn hold(&mut self, node: usize, hold: bool) {
        let now = self.now;
        let leg = self.legs(node).into_iter().flatten().next().expect("a leg");
        let coordinator = &mut self.nodes[node].coordinator;
        if hold {
            coordinator.hold(now, leg)
        } else {
            coordinator.resume(now, leg)
        }
        self.drain(node);
    }

    /// The gateway holds the callee.
    pub(crate) fn gateway_hold(&mut self, hold: bool) {
        let now = self.now;
        let leg = self.legs(GATEWAY)[1].expect("a callee");
        let coordinator = &mut self.nodes[GATEWAY].coordinator;
        if hold {
            coordinator.hold(now, leg)
        } else {
            coordinator.resume(now, leg)
        }
        self.drain(GATEWAY);
    }

    pub(crate) fn media(&mut self, node: usize, event: MediaEvent) {
        let now = self.now;
        self.nodes[node]
            .coordinator
            .handle_input(now, Input::Media { shard: 0, event });
        self.drain(node);
    }

    pub(crate) fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    pub(crate) fn run_until(&mut self, time: Duration, done: impl Fn(&World) -> bool) {
        let end = self.now + time;
        while !done(self) {
            let packet = self.flying.keys().next().map(|(at, _)| *at);
            let timer = self
                .nodes
                .iter()
                .filter_map(|n| n.deadline)
                .map(|(at, _)| at)
                .min();
            let Some(next) = [packet, timer]
                .into_iter()
                .flatten()
                .min()
                .filter(|at| *at <= end)
            else {
                break;
            };
            self.now = self.now.max(next);
            if packet == Some(next) {
                let Some((_, (from, to, data))) = self.flying.pop_first() else {
                    break;
                };
                let flow = Flow {
                    id: FlowId(1),
                    transport: Transport::Udp,
                    local: address(to),
                    remote: address(from),
                };
                let input = Input::Sip(endpoint::Input::Message { flow, data });
                self.nodes[to].coordinator.handle_input(self.now, input);
                self.drain(to);
            }
            for node in 0..3 {
                if self.nodes[node].deadline.is_some_and(|(at, _)| at <= self.now) {
                    self.nodes[node]
                        .coordinator
                        .handle_input(self.now, Input::Timeout);
                    self.drain(node);
                }
            }
        }
        if !done(self) {
            self.now = self.now.max(end);
        }
    }

    fn drain(&mut self, node: usize) {
        loop {
            match self.nodes[node].coordinator.poll_output(self.now) {
                Output::Transmit { to, data, .. } => self.send(node, &to, data),
                Output::Resolve { query, .. } => {
                    let input = Input::Sip(endpoint::Input::Resolved {
                        query,
                        targets: Vec::new(),
                    });
                    self.nodes[node].coordinator.handle_input(self.now, input);
                }
                Output::Follow { .. } | Output::Fetch { .. } => {}
                Output::Media { command, .. } => self.shard(node, command),
                Output::Event(event) => self.decide(node, event),
                Output::Timeout(deadline) => {
                    self.nodes[node].deadline = deadline;
                    return;
                }
            }
        }
    }

    fn send(&mut self, from: usize, to: &Destination, data: Bytes) {
        let addr = match to {
            Destination::Flow(flow) => flow.remote,
            Destination::Address { addr, .. } => *addr,
        };
        let Some(to) = (0..3).find(|n| address(*n) == addr) else {
            panic!("sent to {addr}")
        };
        for byte in self.now.0.to_be_bytes().iter().chain(data.iter()) {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut data = data;
        if let Ok(message) = Message::parse(data.clone()) {
            if message.status() == Some(StatusCode::OK) && message.cseq().method == Method::Invite {
                let tag = |address: NameAddr<'_>| address.tag().unwrap_or_default().to_owned();
                self.dialogs.push(Dialog {
                    between: (from, to),
                    call_id: message.call_id().to_owned(),
                    from_tag: tag(message.from()),
                    to_tag: tag(message.to()),
                });
            }
            if message.is(&Method::Bye) {
                self.reasons[to] = message.header(HeaderName::Reason).map(str::to_owned);
            }
            if message.is(&Method::Invite) {
                self.offered[to] = payload_types(message.body());
            }
            if message.is(&Method::Notify) && self.lost_notifies > 0 {
                self.lost_notifies -= 1;
                return;
            }
            if let Some(Dialog {
                call_id,
                from_tag,
                to_tag,
                ..
            }) = self.forged.as_ref().filter(|_| message.is(&Method::Refer))
            {
                let value =
                    format!("<sip:x@y?Replaces={call_id}%3Bto-tag%3D{to_tag}%3Bfrom-tag%3D{from_tag}>");
                let mut message = message;
                message.set(HeaderName::ReferTo, value).expect("a value");
                data = message.to_bytes();
            }
        }
        if self.cut_off.is_some_and(|node| node == from || node == to) {
            return;
        }
        let copies = if self.rng.percent(self.network.loss) {
            0
        } else {
            1 + usize::from(self.rng.percent(self.network.duplicate))
        };
        for _ in 0..copies {
            self.packets += 1;
            let jitter = Duration::from_micros(self.rng.below(1 + self.network.jitter.as_micros() as u64));
            let at = self.now + Duration::from_millis(5) + jitter;
            self.flying.insert((at, self.packets), (from, to, data.clone()));
        }
    }

    /// Answers as a shard does.
    fn shard(&mut self, node: usize, command: Command) {
        let event = match &command {
            Command::Open { leg, .. } if self.no_ports && node == GATEWAY => Some(MediaEvent::Failed {
                leg: *leg,
                reason: Failure::NoPort,
            }),
            Command::Open { leg, .. } => {
                let port = 20_000 + 2 * leg.0 as u16;
                let at = |port| SocketAddr::new(address(node).ip(), port);
                Some(MediaEvent::Opened {
                    leg: *leg,
                    addresses: vec![at(port), at(port + 1)],
                })
            }
            Command::Announce { leg, .. } => Some(MediaEvent::Announced {
                leg: *leg,
                whole: true,
            }),
            Command::Close { leg } => Some(MediaEvent::Report {
                leg: *leg,
                stream: StreamIndex::FIRST,
                report: Box::new(Report::default()),
                last: true,
            }),
            _ => None,
        };
        self.nodes[node].commands.push(command);
        if let Some(event) = event {
            self.nodes[node]
                .coordinator
                .handle_input(self.now, Input::Media { shard: 0, event });
        }
    }

    /// Decision of a node's application.
    fn decide(&mut self, node: usize, event: Event) {
        let now = self.now;
        let coordinator = &mut self.nodes[node].coordinator;
        match (&event, node) {
            (Event::Incoming { session, leg, .. }, GATEWAY) if self.centre => {
                coordinator.answer(now, *leg, Some(Application::Music));
                coordinator.keep(*session, true);
            }
            (Event::Incoming { session, .. }, GATEWAY) => {
                let callee = || {
                    let party = Party::Trunk {
                        name: "right".into(),
                        number: "777".into(),
                    };
                    Dial::together(vec![party], Duration::from_secs(30), OnFailure::Reject)
                };
                let dial = self.dials.clone().unwrap_or_else(callee);
                coordinator.dial(now, *session, dial);
            }
            (Event::Incoming { session, leg, .. }, _) => {
                coordinator.ring(now, *leg, StatusCode::RINGING);
                match self.callee_rejects {
                    Some(code) => coordinator.reject(now, *session, code),
                    None if self.callee_answers => coordinator.answer(now, *leg, Some(Application::Echo)),
                    None => {}
                }
            }
            (Event::Refer { leg, to, .. }, GATEWAY) => match to {
                ReferTo::Leg(other) => coordinator.transfer_attended(now, *leg, *other),
                ReferTo::Number(number) => {
                    let party = match &**number {
                        "nobody" => Party::User("nobody".into()),
                        "absent" => Party::User("agent".into()),
                        _ => Party::Trunk {
                            name: "right".into(),
                            number: number.clone(),
                        },
                    };
                    let invitation = Invitation {
                        party,
                        caller: None,
                        ring_timeout: Duration::from_secs(30),
                        headers: Vec::new(),
                        diverted: Vec::new(),
                    };
                    coordinator.transfer(now, *leg, invitation);
                }
            },
            (Event::Progress { .. }, CALLER) => self.rings += 1,
            (Event::Answered { .. }, CALLER) => self.answered += 1,
            _ => {}
        }
        self.nodes[node].events.push(event);
    }

    /// Payload types that the last INVITE to a node offered, in order.
    pub(crate) fn offered(&self, node: usize) -> &[u8] {
        &self.offered[node]
    }

    /// Reason of the last BYE to a node.
    pub(crate) fn reason(&self, node: usize) -> Option<String> {
        self.reasons[node].clone()
    }

    pub(crate) fn stats(&self, node: usize) -> Stats {
        self.nodes[node].coordinator.stats()
    }

    /// Every leg that was ever opened, in order.
    pub(crate) fn opened(&self, node: usize) -> Vec<LegId> {
        let legs = self.nodes[node].commands.iter().filter_map(|c| match c {
            Command::Open { leg, .. } => Some(*leg),
            _ => None,
        });
        legs.collect()
    }

    pub(crate) fn sessions(&self, node: usize) -> Vec<SessionId> {
        self.nodes[node].coordinator.sessions().collect()
    }

    pub(crate) fn legs(&self, node: usize) -> [Option<LegId>; 2] {
        self.nodes[node].coordinator.legs(self.sessions(node)[0])
    }

    pub(crate) fn count(&self, node: usize, which: impl Fn(&Event) -> bool) -> usize {
        self.nodes[node].events.iter().filter(|e| which(e)).count()
    }

    pub(crate) fn commands(&self, node: usize) -> &[Command] {
        &self.nodes[node].commands
    }

    pub(crate) fn bridges(&self, node: usize) -> usize {
        self.count(node, |e| matches!(e, Event::Bridged { .. }))
    }

    pub(crate) fn incoming(&self, node: usize) -> usize {
        self.count(node, |e| matches!(e, Event::Incoming { .. }))
    }

    pub(crate) fn ended(&self, node: usize) -> Vec<&CallRecord> {
        let records = self.nodes[node].events.iter().filter_map(|e| match e {
            Event::Ended { record, .. } => Some(&**record),
            _ => None,
        });
        records.collect()
    }

    pub(crate) fn last_command(&self, node: usize, which: impl Fn(&Command) -> bool) -> Option<&Command> {
        self.nodes[node].commands.iter().rev().find(|c| which(c))
    }

    /// No session, leg, dialog or transaction is left anywhere.
    pub(crate) fn assert_empty(&self) {
        for (n, node) in self.nodes.iter().enumerate() {
            let stats = node.coordinator.stats();
            assert_eq!((stats.sessions, stats.legs), (0, 0), "node {n}: {stats:?}");
            assert_eq!(stats.endpoint, endpoint::Counts::default(), "node {n}");
        }
    }
}
