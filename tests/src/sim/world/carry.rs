//! Sending, and the way of each message.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use media_core::control::{Event as MediaEvent, StreamIndex};
use media_core::ice::parse_ufrag;
use sans_io::Time;
use sip_core::flow::{Destination, Flow, FlowId, Transport};

use super::{GATEWAY, World, address};
use crate::sim::agent::{Heard, Link};
use crate::sim::network::Parcel;
use crate::sim::node::{Media, Real};
use crate::sim::sdp;

impl World {
    pub(super) fn rtp(&mut self, from: SocketAddr, to: SocketAddr, data: Vec<u8>) {
        self.packets += 1;
        let Some(node) = (0..self.nodes.len()).find(|n| self.nodes[*n].address.ip() == to.ip()) else {
            return;
        };
        for late in self.conditions.copies(&mut self.rng) {
            let at = self.now + late;
            let socket = match &self.nodes[node].media {
                Media::Shards(shards) => shards
                    .iter()
                    .flat_map(|real| &real.sockets)
                    .find(|(_, a)| **a == to)
                    .map(|(s, _)| *s),
                Media::Signalling => None,
            };
            // A socket that was closed meanwhile swallows what comes.
            if let Some(socket) = socket.filter(|s| !Real::is_for_browsers(*s)) {
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

    pub(super) fn send(&mut self, from: usize, to: &Destination, data: Bytes) {
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
        let Some(node) = node else {
            assert!(self.strangers, "sent to {addr}");
            return;
        };
        self.carry(node, source, transport.is_reliable(), data);
    }

    pub(super) fn carry(&mut self, node: usize, from: SocketAddr, reliable: bool, data: Bytes) {
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

    /// Sends an agent's messages and acts on those it received.
    pub(super) fn flush(&mut self, agent: usize) {
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
                        event: MediaEvent::Talking {
                            leg,
                            stream: StreamIndex::FIRST,
                        },
                    },
                );
            }
            (self.on_heard)(self, agent, heard);
        }
    }

    pub(super) fn in_order(&mut self, path: u64, up: bool) -> Time {
        let at = self.now + self.conditions.delay(&mut self.rng);
        let last = self.last.entry((path, up)).or_default();
        *last = at.max(*last);
        *last
    }

    pub(super) fn post(&mut self, at: Time, parcel: Parcel) {
        self.count += 1;
        self.flying.insert((at, self.count), parcel);
    }

    pub(super) fn agent_on(&self, flow: FlowId) -> Option<usize> {
        self.agents
            .iter()
            .position(|a| a.link == Link::WebSocket(Some(flow)))
    }

    pub(super) fn websocket(&self, agent: usize, id: FlowId) -> Flow {
        Flow {
            id,
            transport: Transport::Ws,
            local: SocketAddr::new(address(GATEWAY).ip(), 8080),
            remote: SocketAddr::new(self.agents[agent].address.ip(), id.0 as u16),
        }
    }

    pub(super) fn name_of(&self, at: SocketAddr) -> String {
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
}

/// The connection between two nodes.
pub(super) fn between(a: SocketAddr, b: SocketAddr) -> FlowId {
    let last = |at: SocketAddr| match at.ip() {
        IpAddr::V4(ip) => u64::from(ip.octets()[3]),
        IpAddr::V6(_) => 0,
    };
    FlowId(10_000 + 256 * last(a).min(last(b)) + last(a).max(last(b)))
}
