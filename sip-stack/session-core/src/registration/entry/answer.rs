//! Answers of the registrar, and what follows from each.

use std::time::Duration;

use sans_io::{Rng, Time};
use sip_core::endpoint::{Exchange, RequestId};
use sip_core::message::{Message, StatusCode};

use super::super::Service;
use super::super::granted::Granted;
use super::pauses::{BACK_OFF, refresh_after, share};
use super::{Binding, Entry, Next, Step, Taken};
use crate::event::RegistrationState;
use crate::record::Fault;

/// Longest pause that a registrar can ask for by `Retry-After`.
const RETRY_AFTER: Duration = Duration::from_secs(3600);

impl Entry {
    /// The request of ours that was answered, if it was one.
    pub(in crate::registration) fn taken(&mut self, request: RequestId) -> Option<Taken> {
        let keep_alive = self.binding.as_mut().map(|binding| &mut binding.keep_alive);
        match (self.step, keep_alive) {
            (Step::Asking(asked) | Step::Leaving(asked), _) if asked == request => Some(Taken::Register),
            (_, Some(keep_alive)) if *keep_alive == Some(request) => {
                *keep_alive = None;
                Some(Taken::KeepAlive)
            }
            _ => None,
        }
    }

    /// Takes in the final response to the REGISTER.
    pub(in crate::registration) fn answered(
        &mut self,
        rng: &mut Rng,
        now: Time,
        response: &Message,
        exchange: &Exchange,
    ) -> Next {
        let left = matches!(self.step, Step::Leaving(_));
        self.step = Step::Resting;
        self.answerer.clone_from(&exchange.answerer);
        if !exchange.security.is_empty() {
            self.security.clone_from(&exchange.security);
        }
        if left {
            self.state = RegistrationState::GivenUp;
            return Next::Gone;
        }
        let next = match response.status() {
            Some(code) if code.is_success() => self.granted(rng, now, response, exchange),
            Some(StatusCode::INTERVAL_TOO_BRIEF) if self.asks_longer(response) => Next::Now,
            Some(code @ (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)) => {
                self.binding = None;
                self.state = RegistrationState::Stopped(code);
                Next::Stay
            }
            Some(code) => {
                self.state = RegistrationState::Refused(code);
                self.forget_flow();
                self.pause(rng, code, response.retry_after())
            }
            None => {
                debug_assert!(false, "what answers a request is a response");
                Next::Stay
            }
        };
        self.unless_leaving(next)
    }

    /// The REGISTER found no answer.
    pub(in crate::registration) fn unanswered(&mut self, rng: &mut Rng, fault: Fault) -> Next {
        let left = matches!(self.step, Step::Leaving(_));
        self.step = Step::Resting;
        if left {
            self.state = RegistrationState::GivenUp;
            return Next::Gone;
        }
        self.state = RegistrationState::Unanswered(fault);
        self.forget_flow();
        let next = Next::After(self.back_off(rng));
        self.unless_leaving(next)
    }

    fn granted(&mut self, rng: &mut Rng, now: Time, response: &Message, exchange: &Exchange) -> Next {
        let granted = Granted::read(response, exchange, &self.settings, self.expires);
        let until = now + granted.expires;
        let service = Service {
            flow: exchange.flow,
            routes: granted.routes,
            is_over_flow: self.settings.instance.is_some(),
            security: self.security.clone(),
        };
        let before = self
            .binding
            .take()
            .filter(|binding| binding.service.flow() == exchange.flow);
        self.binding = Some(Binding {
            since: before.as_ref().map_or(now, |binding| binding.since),
            service,
            flow_timer: granted.flow_timer,
            keep_alive: before.and_then(|binding| binding.keep_alive),
        });
        self.failures = 0;
        self.state = RegistrationState::Registered { until };
        Next::After(refresh_after(rng, granted.expires))
    }

    /// Asks for the time that the registrar grants at least (RFC 3261 §10.2.8); false if that is no more than it was asked for.
    fn asks_longer(&mut self, response: &Message) -> bool {
        let least = response
            .min_expires()
            .map(|seconds| Duration::from_secs(seconds.into()));
        let longer = least.filter(|least| *least > self.expires);
        if let Some(longer) = longer {
            self.expires = longer;
        }
        longer.is_some()
    }

    /// Time until the next attempt after a refusal. Credentials that are refused are not tried often: the registrar may ban us for it.
    fn pause(&mut self, rng: &mut Rng, code: StatusCode, retry_after: Option<u32>) -> Next {
        let own = match code {
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                self.failures += 1;
                BACK_OFF.1
            }
            _ => self.back_off(rng),
        };
        let asked = retry_after.map_or(Duration::ZERO, |seconds| Duration::from_secs(seconds.into()));
        // Those that were sent away together do not come back together.
        let asked = asked.min(RETRY_AFTER);
        Next::After(own.max(asked + share(rng, asked, 0, 25)))
    }

    pub(super) fn back_off(&mut self, rng: &mut Rng) -> Duration {
        let (first, last) = BACK_OFF;
        let pause = first.saturating_mul(1 << self.failures.min(8)).min(last);
        self.failures = self.failures.saturating_add(1);
        share(rng, pause, 50, 100)
    }
}
