//! The meeting point of signalling and policy: each incoming call is put to the dial plan, and its decision
//! is carried out.

use std::collections::BTreeMap;
use std::time::Duration;

use call_engine::{Decision, DialPlan, Origin};
use sans_io::{Deadline, Time};
use session_core::{
    CallRecord, Coordinator, Dial, Event, IncomingCall, Invitation, LegId, OnFailure, ReferTo, SessionId,
    Source,
};
use sip_core::message::StatusCode;
use sip_stack::{Application, Handle};

use crate::auth::sentry::{Order, Sentry};
use crate::call_counts::CallCounts;
use crate::call_log::CallLines;
use crate::centre::command::{Asked, Command, Refused, Settings};
use crate::centre::context::Ctx;
use crate::centre::controller::Controller;
use crate::centre::direct::Arrived;
use crate::centre::signalling::{Gone, Sent, Signalling};
use crate::centre::view::{self, CallKind};
use crate::quality::{Inquiries, Inquiry};
use crate::routing::{Destination, Routing};

/// The application of the gateway's signalling task.
pub struct Switch {
    routing: Routing,
    ring_timeout: Duration,
    /// The log of live calls.
    lines: BTreeMap<SessionId, CallLines>,
    inquiries: Inquiries,
    centre: Option<Controller>,
    sentry: Option<Sentry>,
    counts: CallCounts,
}

/// Request of HTTP to the switch.
#[derive(Debug)]
pub enum Request {
    /// Sound quality of a live call.
    Quality(Inquiry),
    /// Something for the call centre.
    Centre(Asked),
    /// Order of the sentry.
    Sentry(Order),
    /// A sign-in ended: registrations that came from it end as well.
    SignedOut,
}

impl Switch {
    /// A switch that routes calls, with a call centre.
    #[must_use]
    pub fn new(routing: Routing, ring_timeout: Duration, centre: Option<Controller>) -> Switch {
        Switch {
            routing,
            ring_timeout,
            lines: BTreeMap::new(),
            inquiries: Inquiries::default(),
            centre,
            sentry: None,
            counts: CallCounts::default(),
        }
    }

    /// Counts of the calls that are over.
    #[must_use]
    pub fn counts(&self) -> CallCounts {
        self.counts.clone()
    }

    /// Reports refusals and bans to `sentry`.
    #[must_use]
    pub fn watched_by(self, sentry: Sentry) -> Switch {
        Switch {
            sentry: Some(sentry),
            ..self
        }
    }

    fn route(
        &mut self,
        now: Time,
        session: SessionId,
        leg: LegId,
        call: &IncomingCall,
        coordinator: &mut Coordinator,
    ) {
        let origin = match &call.source {
            Source::User(user) => Origin::User(user.clone()),
            Source::Trunk(name) => Origin::Trunk(name.clone()),
            Source::Anyone => Origin::Anonymous,
        };
        let decision = self.routing.decide(origin, &call.to);
        let lines = CallLines::begin(now, session, call, &decision);
        let kind = lines.kind();
        self.lines.insert(session, lines);
        let called = match &decision {
            Decision::User { name } => Some(name.clone()),
            _ => None,
        };
        tracing::debug!(session = session.0, from = %call.from, to = %call.to, call_id = %call.call_id, ?decision, "route");
        match self.routing.destination(decision) {
            Destination::Party(party) => {
                let dial = Dial::together(vec![*party], self.ring_timeout, OnFailure::Reject);
                coordinator.dial(now, session, dial);
            }
            destination => {
                let from = view::Party {
                    number: call.from.clone(),
                    display: call.display.clone(),
                };
                self.take(
                    now,
                    (session, leg),
                    (from, call.to.clone()),
                    destination,
                    coordinator,
                );
            }
        }
        self.arrived(now, (session, kind), call, called, coordinator);
    }

    /// Shows a call to pages and programs, unless a queue took it.
    fn arrived(
        &mut self,
        now: Time,
        (session, kind): (SessionId, Option<CallKind>),
        call: &IncomingCall,
        called: Option<String>,
        coordinator: &mut Coordinator,
    ) {
        let (Some(centre), Some(kind)) = (&mut self.centre, kind) else {
            return;
        };
        let arrived = Arrived {
            session,
            call,
            kind,
            called,
        };
        let cx = Ctx {
            now,
            coordinator,
            routing: &self.routing,
        };
        centre.arrived(arrived, &cx);
    }

    /// Answers or refuses a caller here: nobody is called.
    fn take(
        &mut self,
        now: Time,
        (session, leg): (SessionId, LegId),
        parties: (view::Party, String),
        destination: Destination,
        coordinator: &mut Coordinator,
    ) {
        match destination {
            Destination::Queue { name, priority } => {
                let Some(centre) = self.centre.as_mut().filter(|centre| centre.takes(&name)) else {
                    return coordinator.reject(now, session, StatusCode::SERVICE_UNAVAILABLE);
                };
                let mut cx = Ctx {
                    now,
                    coordinator,
                    routing: &self.routing,
                };
                centre.take((session, leg), parties, (&name, priority), &mut cx);
            }
            Destination::Application(sound) => coordinator.answer(now, leg, Some(sound)),
            Destination::Nobody(code) => coordinator.reject(now, session, code),
            Destination::Party(_) => {}
        }
    }

    /// A phone forwards the calls of its user: to any number that the dial plan lets that user call.
    fn diverted(
        &mut self,
        now: Time,
        (session, leg): (SessionId, LegId),
        user: &str,
        numbers: Vec<String>,
        coordinator: &mut Coordinator,
    ) {
        let mut parties = Vec::new();
        let mut here = None;
        for number in numbers {
            let decision = self.routing.decide(Origin::User(user.to_owned()), &number);
            tracing::info!(
                session = session.0,
                decision = decision.kind(),
                "forwarded by a phone"
            );
            match self.routing.destination(decision) {
                Destination::Party(party) => parties.push(*party),
                Destination::Nobody(_) => {}
                destination => here = here.or(Some((number, destination))),
            }
        }
        match here {
            Some((number, destination)) if parties.is_empty() => {
                if let Some((leg, caller)) = coordinator.undial(now, session, leg) {
                    let from = view::Party {
                        number: caller.user,
                        display: caller.display,
                    };
                    self.take(now, (session, leg), (from, number), destination, coordinator);
                }
            }
            _ => coordinator.follow(now, session, leg, &parties),
        }
    }

    /// A user's phone asks for a transfer: to any number that the dial plan lets that user call, or to the
    /// other party of another call of that user.
    fn refer(&mut self, now: Time, leg: LegId, to: ReferTo, coordinator: &mut Coordinator) {
        let number = match to {
            ReferTo::Leg(other) => return coordinator.transfer_attended(now, leg, other),
            ReferTo::Number(number) => number,
        };
        let Some(user) = coordinator.user_of(leg).map(str::to_owned) else {
            return coordinator.refuse_refer(now, leg, StatusCode::FORBIDDEN);
        };
        let decision = self.routing.decide(Origin::User(user), &number);
        tracing::info!(leg = leg.0, decision = decision.kind(), "transfer");
        match self.routing.destination(decision) {
            Destination::Party(party) => {
                let invitation = Invitation {
                    party: *party,
                    caller: None,
                    ring_timeout: self.ring_timeout,
                    headers: Vec::new(),
                    diverted: None,
                };
                coordinator.transfer(now, leg, invitation);
            }
            Destination::Queue { name, priority } => {
                self.refer_to_queue(now, leg, number, (name, priority), coordinator);
            }
            Destination::Application(sound) => {
                if let Some((session, other, _)) = coordinator.leave(now, leg) {
                    coordinator.play(other, Some(sound));
                    tracing::debug!(session = session.0, "transferred to an application");
                }
            }
            Destination::Nobody(code) => {
                coordinator.accept_refer(now, leg);
                coordinator.refer_progress(now, leg, code);
            }
        }
    }

    /// The other party of the user's call waits for an agent from now on.
    fn refer_to_queue(
        &mut self,
        now: Time,
        leg: LegId,
        number: String,
        (name, priority): (String, Option<u8>),
        coordinator: &mut Coordinator,
    ) {
        if !self.centre.as_ref().is_some_and(|centre| centre.takes(&name)) {
            coordinator.accept_refer(now, leg);
            return coordinator.refer_progress(now, leg, StatusCode::SERVICE_UNAVAILABLE);
        }
        if let Some((session, other, caller)) = coordinator.leave(now, leg) {
            let from = view::Party {
                number: caller.user,
                display: caller.display,
            };
            let queue = Destination::Queue { name, priority };
            self.take(now, (session, other), (from, number), queue, coordinator);
        }
    }

    /// Passes a command to the call centre. A configuration that it takes is the switch's as well.
    fn command(&mut self, now: Time, asked: Asked, coordinator: &mut Coordinator) {
        let Some(centre) = &mut self.centre else {
            // The client may have gone away.
            let _ = asked.reply.send(Err(Refused::Busy));
            return;
        };
        let configured = match &asked.command {
            Command::Reconfigure(new) => Some((new.plan.clone(), new.settings.clone())),
            _ => None,
        };
        let mut cx = Ctx {
            now,
            coordinator,
            routing: &self.routing,
        };
        let done = centre.command(asked, &mut cx);
        if let Some((plan, settings)) = configured.filter(|_| done) {
            self.configure(plan, settings, coordinator);
        }
    }

    fn configure(&mut self, plan: DialPlan, settings: Option<Box<Settings>>, coordinator: &mut Coordinator) {
        if let Some(settings) = settings {
            coordinator.adjust(settings.adjustment);
            self.ring_timeout = settings.ring_timeout;
        }
        self.routing.set_plan(plan);
    }

    fn ended(&mut self, session: SessionId, record: &CallRecord) {
        self.inquiries.forget(session);
        let lines = self.lines.remove(&session).unwrap_or_default();
        self.counts.count(lines.direction(), record);
        lines.end(record);
        tracing::debug!(?record, "call record");
    }

    /// Lets the call centre act on an event of its own, or see one that is not. True for its own.
    fn tell_centre(&mut self, now: Time, event: &Event, coordinator: &mut Coordinator) -> bool {
        let Some(centre) = &mut self.centre else {
            return false;
        };
        let mut cx = Ctx {
            now,
            coordinator,
            routing: &self.routing,
        };
        let is_own = centre.owns(event);
        if is_own {
            centre.handle(event, &mut cx);
        } else {
            centre.observe(event, &mut cx);
        }
        is_own
    }

    /// Acts on an event of a call that is none of the call centre's.
    fn act(&mut self, now: Time, event: Event, coordinator: &mut Coordinator) {
        match event {
            Event::Incoming { session, leg, call } => self.route(now, session, leg, &call, coordinator),
            Event::Diverted {
                session,
                leg,
                user,
                numbers,
            } => self.diverted(now, (session, leg), &user, numbers, coordinator),
            Event::Refer { leg, to, .. } => self.refer(now, leg, to, coordinator),
            Event::Replaces { leg, replaced, .. } => coordinator.replace(now, leg, replaced),
            // Those who were called in it are found by their other session.
            Event::Joined { session, guest } => {
                tracing::info!(session = session.0, guest = guest.0, "calls joined");
                self.lines.remove(&guest);
            }
            Event::Away { session, leg, away } => {
                tracing::info!(session = session.0, leg = leg.0, away, "browser presence");
            }
            Event::Refused(refusal) => {
                if let Some(sentry) = &self.sentry {
                    sentry.refused_sip(&refusal);
                }
            }
            Event::Banned(ban) => {
                if let Some(sentry) = &self.sentry {
                    sentry.adopt(&ban);
                }
            }
            Event::Reachable { user, reachable } => tracing::debug!(user, reachable, "reachable"),
            other => tracing::debug!(event = ?other, "session"),
        }
    }
}

impl Application for Switch {
    type Request = Request;

    fn handle(&mut self, now: Time, event: Event, coordinator: &mut Coordinator) {
        if let Event::Answered { session, .. } = &event
            && let Some(lines) = self.lines.get_mut(session)
        {
            lines.answered(now, *session);
        }
        if let Event::Replaces { session, call, .. } = &event {
            let lines = CallLines::replacing(now, *session, call);
            let kind = lines.kind();
            self.lines.insert(*session, lines);
            self.arrived(now, (*session, kind), call, None, coordinator);
        }
        let is_centres = self.tell_centre(now, &event, coordinator);
        match event {
            // The log and the inquiries are about every call.
            Event::Ended { session, record } => self.ended(session, &record),
            Event::Report { session, leg, report } => {
                self.inquiries.reported(session, leg, &report, coordinator);
            }
            event if !is_centres => self.act(now, event, coordinator),
            _ => {}
        }
    }

    fn deadline(&self) -> Deadline {
        self.centre.as_ref().and_then(Controller::deadline)
    }

    fn handle_timeout(&mut self, now: Time, coordinator: &mut Coordinator) {
        if let Some(centre) = &mut self.centre {
            let mut cx = Ctx {
                now,
                coordinator,
                routing: &self.routing,
            };
            centre.handle_timeout(&mut cx);
        }
    }

    fn handle_request(&mut self, now: Time, request: Request, coordinator: &mut Coordinator) {
        match request {
            Request::Sentry(Order::Ban(ban)) => coordinator.ban(now, ban),
            Request::Sentry(Order::Lift(address)) => {
                coordinator.lift_ban(now, address);
            }
            Request::SignedOut => coordinator.end_registrations(now),
            Request::Centre(asked) => self.command(now, asked, coordinator),
            Request::Quality(inquiry) => self.inquiries.ask(inquiry, coordinator),
        }
    }
}

impl Signalling for Handle<Request> {
    fn try_send(&self, asked: Asked) -> Result<(), Gone> {
        self.try_request(Request::Centre(asked)).map_err(|_| Gone)
    }

    fn send(&self, asked: Asked) -> Sent<'_> {
        Box::pin(async move { self.request(Request::Centre(asked)).await.map_err(|_| Gone) })
    }

    fn is_ready(&self) -> bool {
        self.has_room()
    }
}
