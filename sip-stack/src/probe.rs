//! Requests outside of calls, one after the other, to one address at a time: whether a peer is there, and its answer word by word.

use sans_io::{Rng, Time};
use sip_core::endpoint::{
    Config, Endpoint, Event, Input, OutgoingRequest, Output, RequestId, Silence, Target,
};
use sip_core::flow::Transport;
use sip_core::message::{Message, Method, StatusCode};
use sip_core::uri::Uri;
use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;
use crate::dns;
use crate::stack::{self, StartError};
use crate::trace;
use crate::transport::{self, Inbox, Limits, Listen, Outbound, Transports};

/// A SIP client that asks and listens, and takes no calls.
#[derive(Debug)]
pub struct Probe {
    endpoint: Endpoint,
    transports: Transports,
    inbox: Inbox,
    clock: Clock,
}

/// Outcome of a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The final response.
    Response(Box<Message>),
    /// There was none.
    None(Silence),
}

impl Probe {
    /// Binds its sockets. `config` describes the client to its peers. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// A socket cannot be bound, or there is no randomness.
    pub async fn start(listen: &[Listen], outbound: Outbound, config: Config) -> Result<Probe, StartError> {
        let clock = Clock::start();
        let rng = Rng::from_entropy(stack::entropy()?);
        let (transports, inbox) = Transports::bind(listen, outbound, Limits::default(), clock).await?;
        let config = Config {
            advertised: stack::advertised(transports.listeners(), None, None),
            allow: vec![Method::Options],
            ..config
        };
        Ok(Probe {
            endpoint: Endpoint::new(config, rng),
            transports,
            inbox,
            clock,
        })
    }

    /// Opens the way to an address: the connection, TLS included. Over UDP there is nothing to open.
    ///
    /// # Errors
    /// The reason, for people.
    pub async fn open(&mut self, to: &dns::Target) -> Result<Target, String> {
        let (transport, addr, name) = to;
        if *transport == Transport::Udp {
            let proxy = Uri::sip(None, addr.ip(), Some(addr.port())).map_err(|error| error.to_string())?;
            return Ok(Target::Uri { proxy: Some(proxy) });
        }
        let flow = self.transports.open(*transport, *addr, name.clone()).await?;
        Ok(Target::Flow(flow))
    }

    /// Sends a request and waits for its outcome, which comes within the time that the request gives its peer.
    pub async fn ask(&mut self, request: OutgoingRequest) -> Reply {
        let asked = self.endpoint.request(self.clock.now(), request);
        loop {
            let now = self.clock.now();
            let (reply, deadline) = self.drain(now, asked);
            if let Some(reply) = reply {
                return reply;
            }
            let Some(deadline) = deadline else {
                debug_assert!(false, "a request without an outcome has a deadline");
                return Reply::None(Silence::Timeout);
            };
            tokio::select! {
                event = self.inbox.recv() => match event {
                    Some(event) => self.on_network(event),
                    None => return Reply::None(Silence::Transport),
                },
                () = sleep_until(Instant::from_std(self.clock.instant(deadline))) => {
                    self.endpoint.handle_input(self.clock.now(), Input::Timeout);
                }
            }
        }
    }

    /// What a request came to, if that is known, or until when to wait.
    fn drain(&mut self, now: Time, asked: RequestId) -> (Option<Reply>, Option<Time>) {
        let mut reply = None;
        loop {
            match self.endpoint.poll_output() {
                Output::Transmit { to, data, token } => {
                    if trace::is_on() {
                        trace::sent(&to, self.transports.local_of(&to), &data);
                    }
                    if !self.transports.send(&to, data, token) {
                        trace::not_sent(&to);
                        self.endpoint.handle_input(now, Input::TransmitFailed { token });
                    }
                }
                // Everything goes to addresses.
                Output::Resolve { query, uri } => {
                    let targets = dns::immediate(uri.borrow()).unwrap_or_default();
                    self.endpoint
                        .handle_input(now, Input::Resolved { query, targets });
                }
                Output::Event(Event::Response {
                    request, response, ..
                }) if request == asked => {
                    reply = Some(Reply::Response(Box::new(response)));
                }
                Output::Event(Event::RequestFailed { request, silence }) if request == asked => {
                    reply = Some(Reply::None(silence));
                }
                // A peer that asks whether we are there is told.
                Output::Event(Event::Request { tx, .. }) => {
                    self.endpoint.reply_once(tx, StatusCode::OK, &Vec::new());
                }
                Output::Event(_) => {}
                Output::Timeout(deadline) => return (reply, deadline.map(|(at, _)| at)),
            }
        }
    }

    fn on_network(&mut self, event: transport::Event) {
        let now = self.clock.now();
        match self.transports.handle_event(event) {
            Some(transport::Event::Message { flow, data, receipt }) => {
                trace::received(flow, &data);
                self.endpoint.handle_input(now, Input::Message { flow, data });
                drop(receipt);
            }
            Some(transport::Event::TransmitFailed { token }) => {
                self.endpoint.handle_input(now, Input::TransmitFailed { token });
            }
            Some(transport::Event::Closed { flow }) => {
                self.endpoint.handle_input(now, Input::FlowClosed { flow });
            }
            Some(transport::Event::Unreachable { addr }) => {
                self.endpoint.handle_input(now, Input::Unreachable { addr });
            }
            Some(
                transport::Event::Opened { .. }
                | transport::Event::Identified { .. }
                | transport::Event::Refused { .. },
            )
            | None => {}
        }
    }
}
