//! Hold and resume, ours and the peer's; and every other re-offer.

use media_core::control::LegId;
use media_core::negotiated::Direction;
use sans_io::Time;
use sip_core::endpoint::{Body, ForkId, UsageId};

use super::inbound::sdp_warning;
use crate::coordinator::Coordinator;
use crate::event::Event;
use crate::leg::{Media, State};

impl Coordinator {
    /// Holds a leg's peer: it hears music, its far side too, until [`resume`](Self::resume).
    pub fn hold(&mut self, now: Time, leg: LegId) {
        self.set_holding(now, leg, true);
    }

    /// Ends [`hold`](Self::hold).
    pub fn resume(&mut self, now: Time, leg: LegId) {
        self.set_holding(now, leg, false);
    }

    fn set_holding(&mut self, now: Time, leg: LegId, holding: bool) {
        let Some(l) = self
            .legs
            .get_mut(&leg)
            .filter(|l| l.state == State::Up && l.holding != holding)
        else {
            return;
        };
        l.holding = holding;
        let (session, usage) = (l.session, l.usage);
        let sdp = self.offer_sdp(
            leg,
            if holding {
                Direction::SendOnly
            } else {
                Direction::SendRecv
            },
        );
        if let (Some(usage), Some(sdp)) = (usage, sdp) {
            self.endpoint.offer(now, usage, Body::sdp(sdp));
        }
        self.wire(session);
    }

    /// Handles the peer's re-INVITE or UPDATE: answered at once, never passed to the other leg. `None`: it
    /// wants our offer. `fork` names the fork that offers, while nobody has answered our INVITE.
    pub(crate) fn reoffered(
        &mut self,
        now: Time,
        leg: LegId,
        usage: UsageId,
        fork: Option<ForkId>,
        offer: Option<Body>,
    ) {
        let Some(l) = self.legs.get_mut(&leg) else {
            return self.endpoint.answer_offer(now, usage, Err(481), Vec::new());
        };
        let want = if l.holding {
            Direction::SendOnly
        } else {
            Direction::SendRecv
        };
        if l.media == Media::Opening {
            // There is no address to answer with yet: it comes again (RFC 3261 §14.2).
            return self.endpoint.answer_offer(now, usage, Err(500), Vec::new());
        }
        let Some(offer) = offer else {
            let sdp = self.offer_sdp(leg, want);
            return self
                .endpoint
                .answer_offer(now, usage, Ok(sdp.map(Body::sdp)), Vec::new());
        };
        if let Some(fork) = fork {
            l.adopt_fork(fork);
        }
        match l.negotiator.handle_offer(&offer.data, want, &mut self.rng) {
            Ok(answer) => {
                let before = l.held;
                if fork.is_some() {
                    l.fork_agreed(fork, &offer.data, &answer.negotiated);
                }
                let body = Body::sdp(answer.sdp);
                self.connect(leg, answer.negotiated);
                self.endpoint.answer_offer(now, usage, Ok(Some(body)), Vec::new());
                self.agreed_to_go_on(now, leg);
                self.renegotiated(leg, before);
            }
            Err(error) => {
                let warning = sdp_warning(&self.config.host, &error);
                self.endpoint.answer_offer(now, usage, Err(error.code()), warning);
            }
        }
    }

    /// The answer to an offer of ours: in the 200 to a re-INVITE, or in the ACK to a 200 that carried our offer.
    pub(crate) fn offer_answered(&mut self, now: Time, leg: LegId, answer: &[u8]) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        let before = l.held;
        match l.negotiator.handle_answer(answer) {
            Ok(negotiated) => {
                self.connect(leg, negotiated);
                self.agreed_to_go_on(now, leg);
                self.renegotiated(leg, before);
            }
            // A first answer that cannot be used leaves a call without media; a later one leaves the previous agreement.
            Err(error) if l.negotiated.is_none() => {
                let session = l.session;
                self.end_session(now, session, crate::Cause::Failed, error.code());
            }
            Err(_) => {}
        }
    }

    fn renegotiated(&mut self, leg: LegId, held_before: bool) {
        let Some(l) = self.legs.get(&leg) else { return };
        let (session, event) = (l.session, l.hold_event(held_before));
        let changed = (l.incoming && l.state == State::Up).then_some(Event::Changed { session, leg });
        for event in event.into_iter().chain(changed) {
            self.event(event);
        }
        self.wire(session);
    }
}
