//! Arrival of messages, and their handling by a node.

use media_core::control::{Command, Event as MediaEvent};
use media_core::lane::Message;
use media_core::shard;
use session_core::{Event, Input, Output};
use sip_core::endpoint;
use sip_core::flow::{Flow, Transport};
use std::time::Duration;

use super::carry::between;
use super::{GATEWAY, UDP, World, address};
use crate::sim::network::{Between, Parcel};
use crate::sim::node::{Media, Real};

/// Time that a message takes from one shard to another.
const LANE: Duration = Duration::from_micros(500);

impl World {
    pub(super) fn deliver(&mut self, parcel: Parcel) {
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
                if let Media::Shards(shards) = &mut self.nodes[node].media {
                    let real = &mut shards[Real::shard_of(socket)];
                    real.shard.handle_datagram(self.now, socket, from, &mut data);
                    self.drain(node);
                }
            }
            Parcel::Between {
                node,
                from,
                to,
                message,
            } => {
                if let Media::Shards(shards) = &mut self.nodes[node].media {
                    let shard = &mut shards[usize::from(to)].shard;
                    match message {
                        Between::Packet(leg, stream, data) => {
                            let data = &data;
                            shard.handle_message(self.now, from, Message::Packet { leg, stream, data });
                        }
                        Between::Notice(notice) => {
                            shard.handle_message(self.now, from, Message::Notice(notice));
                        }
                    }
                    self.drain(node);
                }
            }
            Parcel::Media { node, event } => {
                let about = match &event {
                    MediaEvent::Flow { leg, .. }
                    | MediaEvent::Gone { leg, .. }
                    | MediaEvent::Talking { leg, .. } => Some(*leg),
                    _ => None,
                };
                // A leg that is closed says nothing more of its peer.
                if about.is_none_or(|leg| self.nodes[node].open.contains_key(&leg)) {
                    self.media(node, event);
                }
            }
        }
    }

    pub(super) fn sip(&mut self, node: usize, input: endpoint::Input) {
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
                    Output::Follow { .. } | Output::Fetch { .. } => {}
                    Output::Media { shard, command } => self.command(node, shard, command),
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

    pub(super) fn media_waits(&mut self, node: usize) -> bool {
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

    pub(super) fn drain_media(&mut self, node: usize) -> Vec<MediaEvent> {
        let mut events = Vec::new();
        let shards = match &self.nodes[node].media {
            Media::Shards(shards) => shards.len(),
            Media::Signalling => 0,
        };
        for shard in 0..shards {
            self.drain_shard(node, shard, &mut events);
        }
        events
    }

    fn drain_shard(&mut self, node: usize, number: usize, events: &mut Vec<MediaEvent>) {
        loop {
            let Media::Shards(shards) = &mut self.nodes[node].media else {
                return;
            };
            let real = &mut shards[number];
            match real.shard.poll_output() {
                shard::Output::Timeout(deadline) => {
                    real.deadline = deadline;
                    return;
                }
                shard::Output::Message { to, message } => {
                    let message = match message {
                        Message::Packet { leg, stream, data } => Between::Packet(leg, stream, data.to_vec()),
                        Message::Notice(notice) => Between::Notice(notice),
                    };
                    let parcel = Parcel::Between {
                        node,
                        from: number as u8,
                        to,
                        message,
                    };
                    self.post(self.now + LANE, parcel);
                }
                shard::Output::Tapped(_) | shard::Output::Closed { .. } => panic!("nobody taps or injects"),
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

    pub(super) fn command(&mut self, node: usize, shard: u8, command: Command) {
        if node == GATEWAY {
            self.wire.note(self.now, || ordered(&command));
        }
        let said = self.nodes[node].command(shard, &command);
        if let Media::Shards(shards) = &mut self.nodes[node].media {
            shards[usize::from(shard)]
                .shard
                .handle_input(self.now, shard::Input::Command(command));
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
