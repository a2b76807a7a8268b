//! A network of endpoints on one virtual clock: it delays, loses, reorders and duplicates as its seed says.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use sans_io::{Rng, Time};
use sip_core::endpoint::{Advertised, Config, Endpoint, Event, Input, Output};
use sip_core::flow::{Destination, Flow, FlowId, Transport};

/// Behaviour of the network.
#[derive(Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) transport: Transport,
    /// Percent of datagrams that never arrive.
    pub(crate) loss: u64,
    /// Percent that arrive twice.
    pub(crate) duplication: u64,
}

pub(crate) struct Net {
    pub(crate) now: Time,
    pub(crate) endpoints: Vec<Endpoint>,
    weather: Weather,
    rng: Rng,
    flying: BTreeMap<(Time, u64), (usize, Flow, Bytes)>,
    sent: u64,
}

pub(crate) fn address(index: usize) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, index as u8 + 1)), 5060)
}

impl Net {
    pub(crate) fn new(seed: u64, endpoints: usize, weather: Weather) -> Net {
        Net::with(seed, endpoints, weather, &Config::default())
    }

    pub(crate) fn with(seed: u64, endpoints: usize, weather: Weather, config: &Config) -> Net {
        let mut rng = Rng::seeded(seed);
        let endpoints = (0..endpoints)
            .map(|index| {
                let address = address(index).to_string();
                let advertised = vec![Advertised {
                    transport: weather.transport,
                    ipv6: false,
                    address,
                }];
                Endpoint::new(
                    Config {
                        advertised,
                        ..config.clone()
                    },
                    rng.fork(),
                )
            })
            .collect();
        Net {
            now: Time::from_secs(1_000_000),
            endpoints,
            weather,
            rng,
            flying: BTreeMap::new(),
            sent: 0,
        }
    }

    /// Flow of `from` to `to`.
    pub(crate) fn flow(&self, from: usize, to: usize) -> Flow {
        Flow {
            id: FlowId(to as u64),
            transport: self.weather.transport,
            local: address(from),
            remote: address(to),
        }
    }

    /// Runs until nothing is left to happen, or `until`; `on_event` answers for the users of the endpoints.
    pub(crate) fn run(&mut self, until: Time, mut on_event: impl FnMut(&mut Net, usize, Event)) {
        loop {
            let mut deadline: Option<Time> = None;
            for index in 0..self.endpoints.len() {
                loop {
                    match self.endpoints[index].poll_output() {
                        Output::Transmit { to, data, .. } => self.send(index, &to, data),
                        Output::Event(event) => on_event(self, index, event),
                        Output::Resolve { uri, .. } => panic!("{uri:?} needs no resolution"),
                        Output::Timeout(at) => {
                            deadline = deadline.into_iter().chain(at.map(|(at, _)| at)).min();
                            break;
                        }
                    }
                }
            }
            // An answer for the user of an endpoint may have given work to one that was drained before.
            let arrival = self.flying.keys().next().map(|(at, _)| *at);
            let Some(next) = deadline.into_iter().chain(arrival).min() else {
                return;
            };
            if next > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            while let Some(entry) = self.flying.first_entry()
                && entry.key().0 <= self.now
            {
                let (to, flow, data) = entry.remove();
                self.endpoints[to].handle_input(self.now, Input::Message { flow, data });
            }
            for endpoint in &mut self.endpoints {
                endpoint.handle_input(self.now, Input::Timeout);
            }
        }
    }

    fn send(&mut self, from: usize, to: &Destination, data: Bytes) {
        let remote = match to {
            Destination::Flow(flow) => flow.remote,
            Destination::Address { addr, .. } => *addr,
        };
        let Some(to) = (0..self.endpoints.len()).find(|index| address(*index) == remote) else {
            return;
        };
        let flow = self.flow(to, from);
        let copies = if self.weather.transport.is_reliable() {
            1
        } else if self.rng.percent(self.weather.loss) {
            0
        } else {
            1 + u64::from(self.rng.percent(self.weather.duplication))
        };
        for _ in 0..copies {
            self.sent += 1;
            let delay = match self.weather.transport.is_reliable() {
                true => 20, // in order
                false => 5 + self.rng.below(60),
            };
            let at = self.now + Duration::from_millis(delay);
            self.flying.insert((at, self.sent), (to, flow, data.clone()));
        }
    }
}
