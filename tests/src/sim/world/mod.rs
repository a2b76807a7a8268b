//! Who there is, and the loop over the next thing to happen.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use media_core::control::{Command, Event as MediaEvent, LegId};
use media_core::leg::browser::parse_ufrag;
use media_core::negotiated::Codec;
use media_core::shard;
use sans_io::{Rng, Time};
use session_core::{Access, Caller, Event, Input, OutgoingCall, Output, Party, SessionId, Trunk, User};
use sip_core::endpoint;
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::uri::Uri;

use super::agent::{Agent, Heard, Link};
use super::network::{Conditions, Parcel};
use super::node::{self, BROWSERS, Media, Node};
use super::phone::Phone;
use super::sdp;
use super::switch::Switch;
use super::wire::Wire;

/// The node that all others call.
pub const GATEWAY: usize = 0;

/// The UDP socket of every node.
const UDP: FlowId = FlowId(1);

type Act = Box<dyn FnOnce(&mut World)>;

/// Everything there is in one run.
pub struct World {
    /// The time.
    pub now: Time,
    /// Of all that is left to chance outside of nodes and agents.
    pub rng: Rng,
    /// Of the network.
    pub conditions: Conditions,
    /// The gateway, then two trunks: `left` and `right`.
    pub nodes: Vec<Node>,
    /// What nodes other than the gateway do; of the same index.
    pub phones: Vec<Phone>,
    /// Browsers, and trunks written by hand.
    pub agents: Vec<Agent>,
    /// What was sent.
    pub wire: Wire,
    /// What becomes of what agents hear.
    pub on_heard: fn(&mut World, usize, Heard),
    /// What happened at agents.
    pub log: Vec<(usize, Heard)>,
    switch: Switch,
    flying: BTreeMap<(Time, u64), Parcel>,
    acts: BTreeMap<(Time, u64), Act>,
    count: u64,
    /// Last arrival on each reliable path, so that nothing overtakes there.
    last: BTreeMap<(u64, bool), Time>,
    next_flow: u64,
    /// Legs of the gateway by agent and call, as their user name fragments tell.
    legs: BTreeMap<(usize, String), LegId>,
    /// How long a shard that only answers takes for it at most, in milliseconds.
    pub media_delay: u64,
    /// Calls that people began.
    pub begun: usize,
    /// Packets of media sent.
    pub packets: u64,
}

fn address(node: usize) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10 + node as u8)), 5060)
}

fn trunk(at: SocketAddr) -> Trunk {
    Trunk {
        host: at.ip().to_string(),
        port: None,
        transport: Transport::Udp,
        sources: vec![at.ip()],
        username: None,
        password: None,
        codecs: Vec::new(),
    }
}

impl World {
    /// A gateway with two trunks and the users 1001 to 1004, who have no browser yet. With `codecs` each trunk has a real
    /// shard and speaks only that codec; else nobody has media.
    #[must_use]
    pub fn new(seed: u64, conditions: Conditions, codecs: Option<[Codec; 2]>) -> World {
        let mut rng = Rng::seeded(seed);
        let now = Time::from_secs(1_000);
        let users = (1_001..=1_004).map(|user: u32| {
            let known = User {
                password: "cordboard".into(),
                display: String::new(),
            };
            (user.to_string(), known)
        });
        let trunks = [("left", address(1)), ("right", address(2)), ("hand", hand())];
        let access = Access::Directory {
            users: users.collect(),
            trunks: trunks.map(|(name, at)| (name.to_owned(), trunk(at))).into(),
        };
        let real = codecs.is_some();
        let [left, right] = codecs.unwrap_or([Codec::Pcmu; 2]);
        let all = [Codec::Pcmu, Codec::Pcma, Codec::Opus];
        let mut config = node::config(address(GATEWAY), access, &all);
        if real {
            for (name, codec) in [("left", left), ("right", right)] {
                if let Access::Directory { trunks, .. } = &mut config.access
                    && let Some(trunk) = trunks.get_mut(name)
                {
                    trunk.codecs = vec![codec];
                }
            }
        }
        let mut nodes = vec![Node::new("gateway", config, address(0), now, real, &mut rng)];
        for (n, (name, codec)) in [("left", left), ("right", right)].into_iter().enumerate() {
            let at = address(n + 1);
            let config = node::config(at, Access::Anyone, &[codec]);
            nodes.push(Node::new(name, config, at, now, real, &mut rng));
        }
        World {
            now,
            rng,
            conditions,
            nodes,
            phones: (0..3).map(|_| Phone::default()).collect(),
            agents: Vec::new(),
            wire: Wire::new(now),
            on_heard: |_, _, _| {},
            log: Vec::new(),
            switch: Switch::default(),
            flying: BTreeMap::new(),
            acts: BTreeMap::new(),
            count: 0,
            last: BTreeMap::new(),
            next_flow: 100,
            legs: BTreeMap::new(),
            media_delay: 0,
            begun: 0,
            packets: 0,
        }
    }

    /// A tab of a user opens and registers.
    pub fn browser(&mut self, user: &str) -> usize {
        let index = self.agents.len();
        let at = SocketAddr::new([198, 51, 100, 1 + index as u8].into(), 50_000 + index as u16);
        let domain = address(GATEWAY).ip().to_string();
        let agent = Agent::browser(user, "cordboard", at, &domain, self.rng.fork());
        self.agents.push(agent);
        self.connect(index);
        index
    }

    /// A trunk written by hand, known to the gateway as `hand`.
    pub fn hand(&mut self) -> usize {
        let domain = address(GATEWAY).ip().to_string();
        self.agents
            .push(Agent::trunk("trunk", hand(), &domain, self.rng.fork()));
        self.agents.len() - 1
    }

    /// An agent opens a WebSocket.
    pub fn connect(&mut self, agent: usize) {
        self.next_flow += 1;
        self.agents[agent].connected(FlowId(self.next_flow));
        self.flush(agent);
    }

    /// The WebSocket of an agent breaks; the gateway notices within two seconds.
    pub fn cut(&mut self, agent: usize) {
        let Link::WebSocket(Some(flow)) = self.agents[agent].link else {
            return;
        };
        self.agents[agent].disconnected();
        self.flush(agent);
        self.lose(flow);
    }

    /// A tab is closed, or killed (`says_so` false: nobody hears a close_notify).
    pub fn vanish(&mut self, agent: usize, says_so: bool) {
        let link = self.agents[agent].link;
        self.agents[agent].vanish();
        self.flush(agent);
        if let Link::WebSocket(Some(flow)) = link {
            self.lose(flow);
        }
        let legs: Vec<LegId> = self
            .legs
            .iter()
            .filter(|((a, _), _)| *a == agent)
            .map(|(_, leg)| *leg)
            .collect();
        for leg in legs {
            let flow = MediaEvent::Flow { leg, flowing: false };
            self.post(
                self.now + Duration::from_millis(200),
                Parcel::Media { node: GATEWAY, event: flow },
            );
            let (reason, after) = match says_so {
                true => (media_core::control::Failure::Closed, 20),
                false => (media_core::control::Failure::Consent, 15_000),
            };
            let gone = MediaEvent::Gone { leg, reason };
            let at = self.now + Duration::from_millis(after);
            self.post(at, Parcel::Media { node: GATEWAY, event: gone });
        }
    }

    fn lose(&mut self, flow: FlowId) {
        self.flying.retain(|_, parcel| {
            !matches!(parcel, Parcel::Up { flow: f, .. } | Parcel::Down { flow: f, .. } if *f == flow)
        });
        self.wire.closed(flow);
        let noticed = self.now + Duration::from_millis(self.rng.below(2_000));
        self.post(noticed, Parcel::Closed { flow });
    }

    /// A node calls a number of the gateway.
    pub fn node_calls(&mut self, node: usize, number: &str) -> Option<SessionId> {
        let uri = Uri::sip(Some(number), address(GATEWAY).ip(), Some(5060)).ok()?;
        let application = self.phones[node].voice.as_ref().map(|voice| voice.application());
        let call = OutgoingCall {
            party: Party::Uri {
                uri,
                proxy: None,
                flow: None,
                codecs: Vec::new(),
                credentials: None,
            },
            caller: Caller {
                user: format!("49{node}"),
                display: "Somebody".into(),
            },
            ring_timeout: Duration::from_secs(60),
            application,
        };
        let session = self.nodes[node]
            .coordinator
            .create_outgoing_call(self.now, call)
            .ok();
        self.drain(node);
        session
    }

    /// Does something in so many milliseconds.
    pub fn after(&mut self, ms: u64, act: impl FnOnce(&mut World) + 'static) {
        self.count += 1;
        let at = self.now + Duration::from_millis(ms);
        self.acts.insert((at, self.count), Box::new(act));
    }

    /// Lets an agent do something, and sends what it says.
    pub fn agent<T>(&mut self, agent: usize, act: impl FnOnce(&mut Agent) -> T) -> T {
        let result = act(&mut self.agents[agent]);
        self.flush(agent);
        result
    }

    /// Runs for some time.
    pub fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Runs until something is so, at most for some time. Says whether it is.
    pub fn run_until(&mut self, time: Duration, done: impl Fn(&World) -> bool) -> bool {
        let end = self.now + time;
        while !done(self) {
            let parcel = self.flying.keys().next().map(|(at, _)| *at);
            let act = self.acts.keys().next().map(|(at, _)| *at);
            let node = self.nodes.iter().filter_map(Node::next).min();
            let next = [parcel, act, node].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= end) else {
                self.now = self.now.max(end);
                return done(self);
            };
            self.now = self.now.max(next);
            if parcel == Some(next) {
                if let Some((_, parcel)) = self.flying.pop_first() {
                    self.deliver(parcel);
                }
            } else if act == Some(next) {
                if let Some((_, act)) = self.acts.pop_first() {
                    act(self);
                }
            } else {
                for node in 0..self.nodes.len() {
                    self.wake(node);
                }
            }
        }
        true
    }

    fn wake(&mut self, node: usize) {
        let n = &mut self.nodes[node];
        let mut woken = false;
        if n.deadline.is_some_and(|(at, _)| at <= self.now) {
            n.coordinator.handle_input(self.now, Input::Timeout);
            woken = true;
        }
        if let Media::Shard(real) = &mut n.media
            && real.deadline.is_some_and(|(at, _)| at <= self.now)
        {
            real.shard.handle_input(self.now, shard::Input::Timeout);
            woken = true;
        }
        if woken {
            self.drain(node);
        }
    }

    fn deliver(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::ToNode {
                node,
                from,
                reliable,
                data,
            } => {
                self.wire.arrived(&data, None);
                let flow = Flow {
                    id: if reliable {
                        between(from, address(node))
                    } else {
                        UDP
                    },
                    transport: if reliable { Transport::Tcp } else { Transport::Udp },
                    local: address(node),
                    remote: from,
                };
                self.sip(node, endpoint::Input::Message { flow, data });
            }
            Parcel::ToAgent { agent, data } => {
                self.wire.arrived(&data, None);
                self.agents[agent].receive(data);
                self.flush(agent);
            }
            Parcel::Up { flow, data } => {
                self.wire.arrived(&data, Some(flow));
                let Some(agent) = self.agent_on(flow) else { return };
                let flow = self.websocket(agent, flow);
                self.sip(GATEWAY, endpoint::Input::Message { flow, data });
            }
            Parcel::Down { flow, data } => {
                self.wire.arrived(&data, Some(flow));
                let Some(agent) = self.agent_on(flow) else { return };
                self.agents[agent].receive(data);
                self.flush(agent);
            }
            Parcel::Closed { flow } => {
                self.sip(GATEWAY, endpoint::Input::FlowClosed { flow });
            }
            Parcel::Rtp {
                node,
                socket,
                from,
                mut data,
            } => {
                if let Media::Shard(real) = &mut self.nodes[node].media {
                    real.shard.handle_datagram(self.now, socket, from, &mut data);
                    self.drain(node);
                }
            }
            Parcel::Media { node, event } => {
                let about = match &event {
                    MediaEvent::Flow { leg, .. } | MediaEvent::Gone { leg, .. } | MediaEvent::Talking { leg } => Some(*leg),
                    _ => None,
                };
                // A leg that is closed says nothing more of its peer.
                if about.is_none_or(|leg| self.nodes[node].open.contains_key(&leg)) {
                    self.media(node, event);
                }
            }
        }
    }

    fn sip(&mut self, node: usize, input: endpoint::Input) {
        self.nodes[node]
            .coordinator
            .handle_input(self.now, Input::Sip(input));
        self.drain(node);
    }

    /// A shard says something to its coordinator.
    pub fn media(&mut self, node: usize, event: MediaEvent) {
        self.nodes[node]
            .coordinator
            .handle_input(self.now, Input::Media { shard: 0, event });
        self.drain(node);
    }

    /// Does everything that a node wants done.
    pub fn drain(&mut self, node: usize) {
        loop {
            let events = self.drain_media(node);
            for event in events {
                self.nodes[node]
                    .coordinator
                    .handle_input(self.now, Input::Media { shard: 0, event });
            }
            loop {
                match self.nodes[node].coordinator.poll_output(self.now) {
                    Output::Transmit { to, data, .. } => self.send(node, &to, data),
                    Output::Resolve { query, .. } => {
                        let targets = Vec::new();
                        let input = endpoint::Input::Resolved { query, targets };
                        self.nodes[node]
                            .coordinator
                            .handle_input(self.now, Input::Sip(input));
                    }
                    Output::Media { command, .. } => self.command(node, command),
                    Output::Event(event) => {
                        self.nodes[node].heard(&event);
                        let name = node;
                        self.wire.note(self.now, || describe(name, &event));
                        match node {
                            GATEWAY => {
                                let calls = &mut self.nodes[GATEWAY].coordinator;
                                self.switch.handle(self.now, &event, calls);
                            }
                            _ => self.phone(node, &event),
                        }
                    }
                    Output::Timeout(deadline) => {
                        self.nodes[node].deadline = deadline;
                        break;
                    }
                }
            }
            if !self.media_waits(node) {
                return;
            }
        }
    }

    fn media_waits(&mut self, node: usize) -> bool {
        // A command may have made the shard speak: drain it once more, which sets its deadline.
        let events = self.drain_media(node);
        let any = !events.is_empty();
        for event in events {
            self.nodes[node]
                .coordinator
                .handle_input(self.now, Input::Media { shard: 0, event });
        }
        any
    }

    fn drain_media(&mut self, node: usize) -> Vec<MediaEvent> {
        let mut events = Vec::new();
        loop {
            let Media::Shard(real) = &mut self.nodes[node].media else {
                return events;
            };
            match real.shard.poll_output() {
                shard::Output::Timeout(deadline) => {
                    real.deadline = deadline;
                    return events;
                }
                shard::Output::Transmit { socket, to, data } => {
                    let data = data.to_vec();
                    let Some(from) = real.sockets.get(&socket).copied() else {
                        panic!("sent from a socket that was released");
                    };
                    self.rtp(from, to, data);
                }
                shard::Output::Bind { leg, local } => {
                    let bound = real.bind(leg, local);
                    real.shard.handle_input(self.now, bound);
                }
                shard::Output::Release { sockets } => {
                    for socket in sockets {
                        assert!(real.sockets.remove(&socket).is_some(), "released twice");
                    }
                }
                shard::Output::Event(event) => events.push(event),
            }
        }
    }

    fn command(&mut self, node: usize, command: Command) {
        if node == GATEWAY {
            self.wire.note(self.now, || ordered(&command));
        }
        let said = self.nodes[node].command(&command);
        if let Media::Shard(real) = &mut self.nodes[node].media {
            real.shard.handle_input(self.now, shard::Input::Command(command));
        }
        let Some(event) = said else { return };
        if self.media_delay == 0 {
            let input = Input::Media { shard: 0, event };
            return self.nodes[node].coordinator.handle_input(self.now, input);
        }
        let late = Duration::from_millis(self.rng.below(self.media_delay));
        let last = self.last.entry((3_000 + node as u64, false)).or_default();
        *last = (self.now + late).max(*last);
        let at = *last;
        self.post(at, Parcel::Media { node, event });
    }

    fn rtp(&mut self, from: SocketAddr, to: SocketAddr, data: Vec<u8>) {
        self.packets += 1;
        let Some(node) = (0..self.nodes.len()).find(|n| self.nodes[*n].address.ip() == to.ip()) else {
            return;
        };
        for late in self.conditions.copies(&mut self.rng) {
            let at = self.now + late;
            let socket = match &self.nodes[node].media {
                Media::Shard(real) => real.sockets.iter().find(|(_, a)| **a == to).map(|(s, _)| *s),
                Media::Signalling => None,
            };
            // A socket that was closed meanwhile swallows what comes.
            if let Some(socket) = socket.filter(|s| *s != BROWSERS) {
                let data = data.clone();
                self.post(
                    at,
                    Parcel::Rtp {
                        node,
                        socket,
                        from,
                        data,
                    },
                );
            }
        }
    }

    fn send(&mut self, from: usize, to: &Destination, data: Bytes) {
        let (transport, addr, flow) = match to {
            Destination::Flow(flow) => (flow.transport, flow.remote, Some(flow.id)),
            Destination::Address { transport, addr, .. } => (*transport, *addr, None),
        };
        let name = self.name_of(addr);
        self.wire.sent(self.now, &self.nodes[from].name, &name, &data);
        if let (Transport::Ws, Some(flow)) = (transport, flow) {
            if self.agent_on(flow).is_some() {
                let at = self.in_order(flow.0, false);
                self.post(at, Parcel::Down { flow, data });
            }
            return;
        }
        let source = self.nodes[from].address;
        if let Some(agent) = self.agents.iter().position(|a| a.address == addr) {
            let at = self.in_order(2_000 + agent as u64, false);
            return self.post(at, Parcel::ToAgent { agent, data });
        }
        let node = (0..self.nodes.len()).find(|n| address(*n) == addr);
        let node = node.unwrap_or_else(|| panic!("sent to {addr}"));
        self.carry(node, source, transport.is_reliable(), data);
    }

    fn carry(&mut self, node: usize, from: SocketAddr, reliable: bool, data: Bytes) {
        if reliable {
            let at = self.in_order(between(from, address(node)).0, true);
            return self.post(
                at,
                Parcel::ToNode {
                    node,
                    from,
                    reliable,
                    data,
                },
            );
        }
        for late in self.conditions.copies(&mut self.rng) {
            let data = data.clone();
            self.post(
                self.now + late,
                Parcel::ToNode {
                    node,
                    from,
                    reliable,
                    data,
                },
            );
        }
    }

    /// Sends what an agent wants to say and acts on what it heard.
    fn flush(&mut self, agent: usize) {
        for text in std::mem::take(&mut self.agents[agent].out) {
            let data = Bytes::from(text);
            let from = self.agents[agent].user.clone();
            match self.agents[agent].link {
                Link::Udp => {
                    self.wire.sent(self.now, &from, "gateway", &data);
                    let at = self.agents[agent].address;
                    // Its network is perfect: it repeats nothing.
                    let when = self.now + Duration::from_millis(5);
                    let reliable = false;
                    self.post(
                        when,
                        Parcel::ToNode {
                            node: GATEWAY,
                            from: at,
                            reliable,
                            data,
                        },
                    );
                }
                Link::WebSocket(Some(flow)) => {
                    self.wire.sent(self.now, &from, "gateway", &data);
                    let at = self.in_order(flow.0, true);
                    self.post(at, Parcel::Up { flow, data });
                }
                Link::WebSocket(None) => {}
            }
        }
        for heard in std::mem::take(&mut self.agents[agent].heard) {
            self.log.push((agent, heard.clone()));
            if let Heard::Media(call, sdp) = &heard
                && let Some((_, leg)) = sdp::value(sdp, "a=ice-ufrag:").and_then(|u| parse_ufrag(&u))
            {
                self.legs.insert((agent, call.clone()), leg);
                let at = self.now + Duration::from_millis(30);
                self.post(
                    at,
                    Parcel::Media {
                        node: GATEWAY,
                        event: MediaEvent::Talking { leg },
                    },
                );
            }
            (self.on_heard)(self, agent, heard);
        }
    }

    fn in_order(&mut self, path: u64, up: bool) -> Time {
        let at = self.now + self.conditions.delay(&mut self.rng);
        let last = self.last.entry((path, up)).or_default();
        *last = at.max(*last);
        *last
    }

    fn post(&mut self, at: Time, parcel: Parcel) {
        self.count += 1;
        self.flying.insert((at, self.count), parcel);
    }

    fn agent_on(&self, flow: FlowId) -> Option<usize> {
        self.agents
            .iter()
            .position(|a| a.link == Link::WebSocket(Some(flow)))
    }

    fn websocket(&self, agent: usize, id: FlowId) -> Flow {
        Flow {
            id,
            transport: Transport::Ws,
            local: SocketAddr::new(address(GATEWAY).ip(), 8080),
            remote: SocketAddr::new(self.agents[agent].address.ip(), id.0 as u16),
        }
    }

    fn name_of(&self, at: SocketAddr) -> String {
        let node = self
            .nodes
            .iter()
            .find(|n| n.address == at)
            .map(|n| n.name.clone());
        node.or_else(|| {
            let agent = self.agents.iter().find(|a| a.address.ip() == at.ip());
            agent.map(|a| a.user.clone())
        })
        .unwrap_or_else(|| at.to_string())
    }

    /// Nothing is left anywhere, and every INVITE had its one final response. How many there were.
    ///
    /// # Panics
    /// When something is wrong.
    pub fn assert_over(&self) -> usize {
        for node in &self.nodes {
            node.assert_empty();
        }
        for agent in &self.agents {
            for (id, call) in &agent.calls {
                assert!(
                    matches!(call.state, super::agent::State::Over),
                    "{}: {id} is {:?}",
                    agent.user,
                    call.state
                );
            }
        }
        self.wire.check()
    }
}

fn hand() -> SocketAddr {
    SocketAddr::new([192, 0, 2, 99].into(), 5060)
}

/// The connection between two nodes.
fn between(a: SocketAddr, b: SocketAddr) -> FlowId {
    let last = |at: SocketAddr| match at.ip() {
        IpAddr::V4(ip) => u64::from(ip.octets()[3]),
        IpAddr::V6(_) => 0,
    };
    FlowId(10_000 + 256 * last(a).min(last(b)) + last(a).max(last(b)))
}

/// An event of the gateway in a ladder.
fn describe(node: usize, event: &Event) -> Option<String> {
    if node != GATEWAY {
        return None;
    }
    Some(match event {
        Event::Away { away, .. } => format!("away: {away}"),
        Event::Hold { held, .. } => format!("held: {held}"),
        Event::Dtmf { digit, .. } => format!("digit {digit}"),
        Event::DialFailed { code, .. } => format!("dial failed: {code}"),
        Event::Ended { record, .. } => format!(
            "record: {:?} {}, {} legs",
            record.cause,
            record.code,
            record.legs.len()
        ),
        _ => return None,
    })
}

/// A command to the gateway's shard in a ladder.
fn ordered(command: &Command) -> Option<String> {
    Some(match command {
        Command::Bridge { .. } => "bridge".to_owned(),
        Command::Unbridge { .. } => "no bridge".to_owned(),
        Command::Play { application, .. } => match application {
            Some(application) => {
                let name = format!("{application:?}");
                format!("play {}", name.split([' ', '{', '(']).next().unwrap_or_default())
            }
            None => "play nothing".to_owned(),
        },
        Command::SendDtmf { digit, .. } => format!("send digit {}", char::from(*digit)),
        _ => return None,
    })
}
