//! The flow that a registration was granted over (RFC 5626): keep-alives, and what follows when it is gone.

use std::time::Duration;

use sans_io::{Rng, Time};
use sip_core::endpoint::{OutgoingRequest, Target};
use sip_core::flow::{Flow, FlowId, Transport};
use sip_core::message::{Address, Method};

use super::pauses::share;
use super::{Entry, Next, Step};
use crate::context::Context;
use crate::event::RegistrationState;
use crate::record::Fault;

/// Time after which a flow counts as having worked: its loss is then no failure (RFC 5626 §4.5).
const FLOW_WORKED: Duration = Duration::from_secs(120);
/// Maximum time between two keep-alives over UDP and over connections (RFC 5626 §4.4).
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(29), Duration::from_secs(120));
/// Time for the answer to a keep-alive (RFC 5626 §4.4).
const PONG: Duration = Duration::from_secs(10);

impl Entry {
    /// The flow is gone: registers again, at once if it had worked (RFC 5626 §4.5).
    pub(in crate::registration) fn flow_lost(&mut self, rng: &mut Rng, now: Time) -> Next {
        let Some(binding) = self.binding.take() else {
            return Next::Stay;
        };
        if self.is_leaving {
            // The binding ended with its flow.
            return match self.step {
                Step::Asking(_) | Step::Leaving(_) => Next::Stay,
                Step::Queued | Step::Resting => self.gone(),
            };
        }
        self.state = RegistrationState::Unanswered(Fault::Unreachable);
        match self.step {
            Step::Asking(_) | Step::Leaving(_) | Step::Queued => Next::Stay,
            Step::Resting if now.since(binding.since) >= FLOW_WORKED => Next::Now,
            Step::Resting => Next::After(self.back_off(rng)),
        }
    }

    /// The next attempt looks for the registrar anew.
    pub(super) fn forget_flow(&mut self) {
        if self.settings.instance.is_some() {
            self.binding = None;
        }
    }

    /// Flow that the registrar granted it over last.
    pub(in crate::registration) fn service_flow(&self) -> Option<Flow> {
        Some(self.binding.as_ref()?.service.flow())
    }

    /// True if it depends on this connection.
    pub(in crate::registration) fn keeps_flow(&self, flow: FlowId) -> bool {
        let binding = self.binding.as_ref().filter(|_| self.settings.instance.is_some());
        binding.is_some_and(|binding| binding.service.flow().id == flow)
    }

    /// Time until the next keep-alive over its flow, if it keeps one.
    pub(in crate::registration) fn keep_alive_after(&self, rng: &mut Rng) -> Option<Duration> {
        let binding = self
            .binding
            .as_ref()
            .filter(|_| self.settings.instance.is_some())?;
        let usual = match binding.service.flow().transport {
            Transport::Udp => KEEP_ALIVE.0,
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => KEEP_ALIVE.1,
        };
        let longest = binding.flow_timer.unwrap_or(usual).max(Duration::from_secs(5));
        Some(share(rng, longest, 80, 100))
    }

    /// Sends a keep-alive: OPTIONS, which unlike CRLF and STUN (RFC 5626 §4.4) shows that the registrar behind the flow is there.
    pub(in crate::registration) fn keep_alive(&mut self, cx: &mut Context, now: Time) {
        let Some(binding) = self
            .binding
            .as_mut()
            .filter(|binding| binding.keep_alive.is_none())
        else {
            return;
        };
        let registrar = self.settings.registrar();
        let request = OutgoingRequest {
            method: Method::Options,
            target: Target::Flow(binding.service.flow()),
            from: Address::new(self.settings.aor.clone()),
            to: Address::new(registrar.clone()),
            request_uri: registrar,
            contact: Some(self.settings.outgoing_contact()),
            call: None,
            body: None,
            extra: Vec::new(),
            answerer: None,
            response_timeout: Some(PONG),
        };
        binding.keep_alive = Some(cx.endpoint.request(now, request));
    }
}
