//! Offers: a call rings at an agent until one of five things ends it.

use sans_io::Time;

use super::config::Strategy;
use super::fact::{Fact, Intent, OfferEnd};
use super::ids::{AgentId, CallId, OfferId};
use super::input::{Output, Refusal};
use super::timeout::Alarm;
use super::{Acd, Offer};

/// The reason of an agent's pause after offers that it did not answer.
pub const NO_ANSWER: &str = "no-answer";

impl Acd {
    pub(super) fn offer(&mut self, now: Time, call: CallId, agent: AgentId) {
        self.offers_made += 1;
        let offer = OfferId {
            epoch: self.epoch,
            number: self.offers_made,
        };
        let Some(queue) = self
            .state
            .calls
            .get(&call)
            .and_then(|call| self.queues.get(&call.queue))
        else {
            return;
        };
        let (deadline, progressive, progress) = (
            now + queue.ring,
            queue.strategy == Strategy::RingProgressive,
            queue.progress,
        );
        let Some(ringing) = self.calls.get_mut(&call) else {
            return;
        };
        let alone = ringing.offers.is_empty();
        for other in &ringing.offers {
            if let Some(other) = self.offers.get_mut(other) {
                other.alone = false;
            }
        }
        ringing.offers.insert(offer);
        ringing.wants_more = false;
        self.offers.insert(offer, Offer { call, agent, alone });
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.offer = Some(offer);
        }
        self.record(now, Fact::Offered { offer, call, agent });
        self.arm(Alarm::Ring(offer), deadline);
        self.arm(Alarm::Alert(offer), now + self.settings.alert_timeout);
        if progressive {
            self.arm(Alarm::Progress(call), now + progress);
        }
        self.out.push_back(Output::Offer {
            offer,
            call,
            agent,
            deadline,
        });
        self.refresh(now, agent);
        self.place(call);
    }

    pub(super) fn rung(&mut self, now: Time, id: OfferId) {
        match self.offers.get(&id) {
            Some(offer) => {
                let agent = offer.agent;
                self.timers.cancel(Alarm::Alert(id));
                // A page that rings has its program running.
                self.proved(now, agent);
            }
            None => self.refuse(Refusal::OfferGone(id)),
        }
    }

    pub(super) fn accept(&mut self, now: Time, id: OfferId) {
        let Some(offer) = self.offers.get(&id) else {
            return self.refuse(Refusal::OfferGone(id));
        };
        let (call, agent) = (offer.call, offer.agent);
        let others: Vec<OfferId> = self
            .calls
            .get(&call)
            .map(|call| call.offers.iter().copied().filter(|other| *other != id).collect())
            .unwrap_or_default();
        self.close_offer(now, id, OfferEnd::Accepted, false);
        self.record(now, Fact::Accepted { call, agent });
        for other in others {
            self.end_offer(now, other, OfferEnd::Cancelled, true);
        }
        self.stop_waiting(call);
        self.arm(Alarm::Connect(call), now + self.settings.connect_timeout);
        self.out.push_back(Output::Connect {
            offer: id,
            call,
            agent,
        });
        self.proved(now, agent);
        self.refresh(now, agent);
    }

    pub(super) fn reject(&mut self, now: Time, id: OfferId) {
        let Some(offer) = self.offers.get(&id) else {
            return self.refuse(Refusal::OfferGone(id));
        };
        let (call, agent) = (offer.call, offer.agent);
        self.cool_down(now, agent);
        self.exclude(now, agent, call);
        self.end_offer(now, id, OfferEnd::Rejected, false);
        self.unstick(now, call, agent);
    }

    /// The agent's phone cannot be reached.
    pub(super) fn offer_lost(&mut self, now: Time, id: OfferId) {
        if self.offers.contains_key(&id) {
            self.lose_offer(now, id);
        } else {
            self.refuse(Refusal::OfferGone(id));
        }
    }

    /// The agent's page is gone or does not ring. That does not count against the agent.
    pub(super) fn lose_offer(&mut self, now: Time, id: OfferId) {
        let Some(offer) = self.offers.get(&id) else { return };
        let (call, agent) = (offer.call, offer.agent);
        self.cool_down(now, agent);
        self.end_offer(now, id, OfferEnd::Lost, false);
        self.unstick(now, call, agent);
    }

    /// The agent's phone rang to the end.
    pub(super) fn unanswered(&mut self, now: Time, id: OfferId) {
        let Some(offer) = self.offers.get(&id) else { return };
        let (call, agent, alone) = (offer.call, offer.agent, offer.alone);
        let max = self
            .state
            .calls
            .get(&call)
            .and_then(|call| self.queues.get(&call.queue))
            .map_or(0, |queue| queue.max_no_answer);
        if alone {
            self.exclude(now, agent, call);
        }
        self.cool_down(now, agent);
        self.close_offer(now, id, OfferEnd::NoAnswer, alone);
        if max > 0 && self.agent_state(agent).unanswered >= max {
            self.set_intent(now, agent, Intent::Paused(NO_ANSWER.into()));
        }
        self.refresh(now, agent);
        self.place(call);
        self.unstick(now, call, agent);
    }

    /// Ends an offer, whatever way but by acceptance: the call stands where it can be offered again.
    pub(super) fn end_offer(&mut self, now: Time, id: OfferId, how: OfferEnd, elsewhere: bool) {
        if let Some(offer) = self.close_offer(now, id, how, elsewhere) {
            self.refresh(now, offer.agent);
            self.place(offer.call);
        }
    }

    /// Takes an offer away. `flag`: of one not answered, that it counts; of one cancelled, that the call is elsewhere.
    fn close_offer(&mut self, now: Time, id: OfferId, how: OfferEnd, flag: bool) -> Option<Offer> {
        let offer = self.offers.remove(&id)?;
        self.timers.cancel(Alarm::Ring(id));
        self.timers.cancel(Alarm::Alert(id));
        if let Some(agent) = self.agents.get_mut(&offer.agent) {
            agent.offer = None;
        }
        if let Some(call) = self.calls.get_mut(&offer.call) {
            call.offers.remove(&id);
            if call.offers.is_empty() {
                call.wants_more = false;
                self.timers.cancel(Alarm::Progress(offer.call));
            }
        }
        self.record(
            now,
            Fact::OfferEnded {
                offer: id,
                call: offer.call,
                agent: offer.agent,
                how,
                counts: flag && how == OfferEnd::NoAnswer,
            },
        );
        if how != OfferEnd::Accepted {
            self.out.push_back(Output::Rescind {
                offer: id,
                agent: offer.agent,
                how,
                elsewhere: flag && how == OfferEnd::Cancelled,
            });
        }
        Some(offer)
    }

    /// Ring-progressive: it is time for one more.
    pub(super) fn ring_one_more(&mut self, call: CallId) {
        if let Some(ringing) = self.calls.get_mut(&call).filter(|call| !call.offers.is_empty()) {
            ringing.wants_more = true;
            self.place(call);
        }
    }
}
