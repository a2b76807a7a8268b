//! Everybody in the simulation, and the loop over the next event.

mod carry;
mod deliver;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use cordboard::centre::command::{By, Command, Refused};
use media_core::control::{Event as MediaEvent, LegId, StreamIndex};
use media_core::negotiated::Codec;
use media_core::shard;
use sans_io::{Rng, Time};
use session_core::{Access, Caller, Input, OutgoingCall, Party, PeerMedia, SessionId, Trunk, User};
use sip_core::endpoint;
use sip_core::flow::{Flow, FlowId, Transport};
use sip_core::uri::Uri;

use crate::sim::agent::{Agent, Heard, Link};
use crate::sim::network::{Conditions, Parcel};
use crate::sim::node::{self, Media, Node};
use crate::sim::phone::Phone;
use crate::sim::switch::Switch;
use crate::sim::wire::Wire;

/// The node that all others call.
pub const GATEWAY: usize = 0;

/// The UDP socket of every node.
const UDP: FlowId = FlowId(1);

type Act = Box<dyn FnOnce(&mut World)>;

/// Everything there is in one run.
pub struct World {
    /// The time.
    pub now: Time,
    /// Randomness for everything outside of nodes and agents.
    pub rng: Rng,
    /// Conditions of the network.
    pub conditions: Conditions,
    /// The gateway, then two trunks: `left` and `right`.
    pub nodes: Vec<Node>,
    /// Behaviour of nodes other than the gateway; with the same index.
    pub phones: Vec<Phone>,
    /// Browsers, and trunks written by hand.
    pub agents: Vec<Agent>,
    /// Messages that were sent.
    pub wire: Wire,
    /// Reaction to what agents hear.
    pub on_heard: fn(&mut World, usize, Heard),
    /// Events at agents.
    pub log: Vec<(usize, Heard)>,
    /// Decisions of the gateway.
    pub switch: Switch,
    flying: BTreeMap<(Time, u64), Parcel>,
    acts: BTreeMap<(Time, u64), Act>,
    count: u64,
    /// Last arrival on each reliable path, so that nothing overtakes there.
    last: BTreeMap<(u64, bool), Time>,
    next_flow: u64,
    /// Legs of the gateway by agent and call, as their user name fragments tell.
    legs: BTreeMap<(usize, String), LegId>,
    /// Maximum delay of a shard that only answers, in milliseconds.
    pub media_delay: u64,
    /// Messages name addresses where nobody is.
    pub strangers: bool,
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
        sources: vec![at.ip().into()],
        watches: true,
        hold: session_core::HoldPolicy::Auto,
        ..Trunk::new(at.ip().to_string())
    }
}

impl World {
    /// A gateway with two trunks and the users 1001 to 1004, who have no browser yet. With `codecs` each trunk has a real
    /// shard and speaks only that codec; else nobody has media.
    #[must_use]
    pub fn new(seed: u64, conditions: Conditions, codecs: Option<[Codec; 2]>) -> World {
        World::with_shards(seed, conditions, codecs, 1)
    }

    /// The same with so many shards at the gateway.
    #[must_use]
    pub fn with_shards(seed: u64, conditions: Conditions, codecs: Option<[Codec; 2]>, shards: u8) -> World {
        let mut rng = Rng::seeded(seed);
        let now = Time::from_secs(1_000);
        let users = (1_001..=1_004).map(|user: u32| {
            let known = User::new("cordboard");
            (user.to_string(), known)
        });
        let trunks = [("left", address(1)), ("right", address(2)), ("hand", hand())];
        let access = Access::Directory {
            users: users.collect(),
            trunks: trunks.map(|(name, at)| (name.to_owned(), trunk(at))).into(),
        };
        let real = codecs.is_some();
        let [left, right] = codecs.unwrap_or([Codec::Pcmu; 2]);
        let all = [Codec::Pcmu, Codec::Pcma, Codec::Opus, Codec::G722];
        let mut config = node::config(address(GATEWAY), access, &all);
        config.shards = shards;
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
            let config = node::config(at, Access::Anyone(PeerMedia::default()), &[codec]);
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
            switch: Switch::new(now),
            flying: BTreeMap::new(),
            acts: BTreeMap::new(),
            count: 0,
            last: BTreeMap::new(),
            next_flow: 100,
            legs: BTreeMap::new(),
            media_delay: 0,
            strangers: false,
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
            let flow = MediaEvent::Flow {
                leg,
                stream: StreamIndex::FIRST,
                flowing: false,
            };
            self.post(
                self.now + Duration::from_millis(200),
                Parcel::Media {
                    node: GATEWAY,
                    event: flow,
                },
            );
            let (reason, after) = match says_so {
                true => (media_core::control::Failure::Closed, 20),
                false => (media_core::control::Failure::Consent, 15_000),
            };
            let gone = MediaEvent::Gone { leg, reason };
            let at = self.now + Duration::from_millis(after);
            self.post(
                at,
                Parcel::Media {
                    node: GATEWAY,
                    event: gone,
                },
            );
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

    /// Somebody asks the call centre for something.
    ///
    /// # Errors
    /// The refusal of the call centre.
    pub fn ask(&mut self, by: By, command: Command) -> Result<(), Refused> {
        let calls = &mut self.nodes[GATEWAY].coordinator;
        let answer = self.switch.ask(self.now, by, command, calls);
        self.drain(GATEWAY);
        answer
    }

    /// Does something in so many milliseconds.
    pub fn after(&mut self, ms: u64, act: impl FnOnce(&mut World) + 'static) {
        self.count += 1;
        let at = self.now + Duration::from_millis(ms);
        self.acts.insert((at, self.count), Box::new(act));
    }

    /// Lets an agent act, and sends its messages.
    pub fn agent<T>(&mut self, agent: usize, act: impl FnOnce(&mut Agent) -> T) -> T {
        let result = act(&mut self.agents[agent]);
        self.flush(agent);
        result
    }

    /// Any octets arrive at the gateway as from an agent.
    pub fn throw(&mut self, agent: usize, data: &[u8]) {
        let data = Bytes::copy_from_slice(data);
        let at = self.agents[agent].address;
        let flow = match self.agents[agent].link {
            Link::WebSocket(Some(flow)) => self.websocket(agent, flow),
            Link::WebSocket(None) => return,
            Link::Udp => Flow {
                id: UDP,
                transport: Transport::Udp,
                local: address(GATEWAY),
                remote: at,
            },
        };
        self.sip(GATEWAY, endpoint::Input::Message { flow, data });
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
            let node = self
                .nodes
                .iter()
                .filter_map(Node::next)
                .chain(self.switch.next())
                .min();
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
                if self.switch.next().is_some_and(|at| at <= self.now) {
                    self.switch
                        .timeout(self.now, &mut self.nodes[GATEWAY].coordinator);
                    self.drain(GATEWAY);
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
        if let Media::Shards(shards) = &mut n.media {
            for real in shards {
                if real.deadline.is_some_and(|(at, _)| at <= self.now) {
                    real.shard.handle_input(self.now, shard::Input::Timeout);
                    woken = true;
                }
            }
        }
        if woken {
            self.drain(node);
        }
    }

    /// Checks that nothing is left anywhere, and that every INVITE had its one final response. Returns their number.
    ///
    /// # Panics
    /// Something is wrong.
    pub fn assert_over(&self) -> usize {
        for node in &self.nodes {
            node.assert_empty();
        }
        for agent in &self.agents {
            for (id, call) in &agent.calls {
                assert!(
                    matches!(call.state, crate::sim::agent::State::Over),
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
