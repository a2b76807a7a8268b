//! Ringing, answering and refusing a call that came in.

use bytes::Bytes;
use media_core::control::{Application, Command, LegId};
use media_core::negotiated::Direction;
use sans_io::Time;
use sip_core::endpoint::Body;

use crate::coordinator::Coordinator;
use crate::leg::{Leg, Media, OwnMusic, Pending, State};
use crate::{Cause, Event, SessionId};

impl Coordinator {
    /// Tells the caller that it rings (180), or makes progress (183). A browser gets our answer SDP with it and hears a
    /// ringing tone; so its keys are agreed by the time somebody answers. Does nothing once the call is answered.
    pub fn ring(&mut self, now: Time, leg: LegId, code: u16) {
        let Some(l) = self.legs.get_mut(&leg).filter(|l| l.state < State::Up) else {
            return;
        };
        if l.media == Media::Opening {
            l.pending.push(Pending::Ring(code, false));
            return;
        }
        self.ring_now(now, leg, code, false);
    }

    /// Lets the caller hear `application` before anybody answered: 183 with our answer SDP. Does nothing once the call is
    /// answered.
    pub fn progress(&mut self, now: Time, leg: LegId, application: Option<Application>) {
        let Some(l) = self.legs.get_mut(&leg).filter(|l| l.state < State::Up) else {
            return;
        };
        l.application = application;
        if l.media == Media::Opening {
            l.pending.push(Pending::Ring(183, true));
            return;
        }
        self.ring_now(now, leg, 183, true);
    }

    pub(crate) fn ring_now(&mut self, now: Time, leg: LegId, code: u16, early_media: bool) {
        let Some(l) = self.legs.get(&leg).filter(|l| l.state < State::Up) else {
            return;
        };
        let Some(usage) = l.usage else { return };
        let body = if (l.browser || early_media) && l.offer.is_some() {
            match self.answer_sdp(now, leg) {
                Some(sdp) => Some(sdp),
                None => return,
            }
        } else if self.endpoint.offers_first(usage) {
            self.offer_sdp(leg, Direction::SendRecv)
        } else {
            None
        };
        let Some(l) = self.legs.get_mut(&leg) else { return };
        l.state = State::Early;
        let session = l.session;
        self.endpoint
            .ring(now, usage, code, body.map(Body::sdp), Vec::new());
        self.wire(session);
    }

    /// Answers a call that came in: 200, once media is open. Without a bridge the leg hears `application`, or silence.
    pub fn answer(&mut self, now: Time, leg: LegId, application: Option<Application>) {
        let Some(l) = self.legs.get_mut(&leg).filter(|l| l.state < State::Up) else {
            return;
        };
        l.application = application;
        if l.media == Media::Opening {
            l.pending.push(Pending::Answer);
            return;
        }
        self.answer_now(now, leg);
    }

    pub(crate) fn answer_now(&mut self, now: Time, leg: LegId) {
        let Some(l) = self.legs.get(&leg).filter(|l| l.state < State::Up) else {
            return;
        };
        let (Some(usage), session, late) = (l.usage, l.session, l.offer.is_none()) else {
            return;
        };
        if !self.finds_its_place(leg) {
            return self.reject(now, session, 603);
        }
        let interval = self.config.session_timer.filter(|_| !l.browser);
        let sdp = if !late {
            match self.answer_sdp(now, leg) {
                Some(sdp) => Some(sdp),
                None => return,
            }
        } else if self.endpoint.offered_early(usage) {
            None // a reliable response brought it, and the PRACK its answer
        } else {
            self.offer_sdp(leg, Direction::SendRecv)
        };
        if let Some(interval) = interval {
            self.endpoint.want_session_timer(usage, interval);
        }
        let Some(l) = self.legs.get_mut(&leg) else { return };
        l.state = State::Up;
        l.answered = Some(now);
        if let Some(s) = self.sessions.get_mut(&session) {
            s.answered.get_or_insert(now);
        }
        self.endpoint.accept(now, usage, sdp.map(Body::sdp), Vec::new());
        self.vouch(leg);
        self.take_place(now, leg);
        self.wire(session);
    }

    /// Refuses a call that came in with a final code, 300 to 699.
    pub fn reject(&mut self, now: Time, session: SessionId, code: u16) {
        self.end_session(now, session, Cause::Refused, code);
    }

    /// Changes what a leg hears while it is in no bridge.
    pub fn play(&mut self, leg: LegId, application: Option<Application>) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        l.application = application;
        if l.hears == crate::leg::Hears::Application {
            l.hears = crate::leg::Hears::Nothing;
        }
        let session = l.session;
        self.wire(session);
    }

    /// Our answer to the offer of the leg's INVITE, made once; its media is connected with it. `None` when the offer
    /// cannot be answered: the call is refused then.
    fn answer_sdp(&mut self, now: Time, leg: LegId) -> Option<Bytes> {
        let l = self.legs.get_mut(&leg)?;
        if let Some(answer) = &l.answer {
            return Some(answer.clone());
        }
        let offer = l.offer.clone()?;
        match l
            .negotiator
            .handle_offer(&offer, Direction::SendRecv, &mut self.rng)
        {
            Ok(answer) => {
                let sdp = Bytes::from(answer.sdp);
                l.answer = Some(sdp.clone());
                self.connect(leg, answer.negotiated);
                Some(sdp)
            }
            Err(error) => {
                let session = l.session;
                self.end_session(now, session, Cause::Failed, error.code());
                None
            }
        }
    }

    /// Our offer.
    pub(crate) fn offer_sdp(&mut self, leg: LegId, direction: Direction) -> Option<Bytes> {
        Some(Bytes::from(self.legs.get_mut(&leg)?.negotiator.offer(direction)))
    }

    /// Hands a negotiation's outcome to the shard.
    pub(crate) fn connect(&mut self, leg: LegId, negotiated: media_core::negotiated::Negotiated) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        l.held = l.browser && !negotiated.direction.sends() || negotiated.direction == Direction::Inactive;
        l.talked_both_ways |= negotiated.direction == Direction::SendRecv;
        if negotiated.direction != Direction::RecvOnly {
            l.own_music = OwnMusic::None;
        }
        l.negotiated = Some(negotiated.clone());
        self.vouch(leg);
        self.command(
            leg,
            Command::Connect {
                leg,
                media: Box::new(negotiated),
            },
        );
    }
}

impl Leg {
    /// The peer's hold as its last offer or answer says it.
    pub(crate) fn hold_event(&self, before: bool) -> Option<Event> {
        (self.held != before).then_some(Event::Hold {
            session: self.session,
            leg: self.id,
            held: self.held,
        })
    }
}
