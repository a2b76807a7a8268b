//! Incoming calls: each is put to the dial plan, and the decision is carried out.

use call_engine::Decision;
use sans_io::Time;
use session_core::{Coordinator, IncomingCall, LegId, Party, SessionId, Way};
use sip_core::message::StatusCode;

use super::{Switch, Underway, origin};
use crate::call_log::CallLines;
use crate::centre::direct::Arrived;
use crate::centre::view::{self, CallKind};
use crate::routing::Destination;

impl Switch {
    pub(super) fn route(
        &mut self,
        now: Time,
        session: SessionId,
        leg: LegId,
        call: &IncomingCall,
        coordinator: &mut Coordinator,
    ) {
        if let Some(way) = &call.way {
            return self.between(now, session, (call, way), coordinator);
        }
        if self.emergency(now, session, call, coordinator) {
            return;
        }
        if self.feature(now, (session, leg), call, coordinator) {
            return;
        }
        let called_back = self.emergencies.called_back(now, &call.source, &call.to);
        let called_back = called_back.map(str::to_owned);
        let decision = match called_back.clone() {
            Some(name) => Decision::User { name },
            None => self.routing.decide(now, origin(&call.source), &call.to),
        };
        let lines = CallLines::begin(now, session, call, &decision);
        let kind = lines.kind();
        self.lines.insert(session, lines);
        let called = match &decision {
            Decision::User { name } => Some(name.clone()),
            _ => None,
        };
        tracing::debug!(session = session.0, from = %call.from, to = %call.to, call_id = %call.call_id, ?decision, "route");
        match called_back {
            // Whatever the user has set: the emergency services are not forwarded.
            Some(user) => self.dial_elsewhere(now, session, Party::User(user), coordinator),
            None => {
                let to = (call.to.clone(), self.routing.destination(decision));
                self.carry(now, session, Underway::new(leg, call), to, coordinator);
            }
        }
        self.arrived(now, (session, kind), call, called, coordinator);
    }

    /// Carries a call between a PBX and a user of its, who registers through the gateway. The PBX has the dial plan, and shows the call to
    /// whom it will.
    fn between(
        &mut self,
        now: Time,
        session: SessionId,
        (call, way): (&IncomingCall, &Way),
        coordinator: &mut Coordinator,
    ) {
        let decision = match way {
            Way::Out { trunk } => Decision::Trunk {
                trunks: trunk.as_str().into(),
                number: call.to.clone(),
                caller_id: None,
                on_account_of: origin(&call.source),
            },
            Way::In { user } => Decision::User { name: user.clone() },
        };
        self.lines
            .insert(session, CallLines::begin(now, session, call, &decision));
        match way {
            Way::Out { .. } => coordinator.dial_pbx(now, session, self.ring_timeout),
            Way::In { user } => coordinator.dial_client(now, session, user, self.ring_timeout),
        }
    }

    /// Shows a call to pages and programs, unless a queue took it.
    pub(super) fn arrived(
        &mut self,
        now: Time,
        (session, kind): (SessionId, Option<CallKind>),
        call: &IncomingCall,
        called: Option<String>,
        coordinator: &mut Coordinator,
    ) {
        // A call to an application, or one that is refused, is of no kind that anybody watches.
        let (Some((centre, cx)), Some(kind)) = (self.centre(now, coordinator), kind) else {
            return;
        };
        let arrived = Arrived {
            session,
            call,
            kind,
            called,
        };
        centre.arrived(arrived, &cx);
    }

    /// Answers or refuses a caller here: nobody is called.
    pub(super) fn take(
        &mut self,
        now: Time,
        (session, leg): (SessionId, LegId),
        parties: (view::Party, String),
        destination: Destination,
        coordinator: &mut Coordinator,
    ) {
        match destination {
            Destination::Queue { name, priority } => {
                if !self.has_queue(&name) {
                    return coordinator.reject(now, session, StatusCode::SERVICE_UNAVAILABLE);
                }
                if let Some((centre, mut cx)) = self.centre(now, coordinator) {
                    centre.take((session, leg), parties, (&name, priority), &mut cx);
                }
            }
            Destination::Application(sound) => coordinator.answer(now, leg, Some(sound)),
            Destination::Nobody(code) => coordinator.reject_failed(now, session, code),
            Destination::Park(slot) => self.retrieve(now, (session, leg), slot, coordinator),
            Destination::Party(_) | Destination::Group(_) => {}
        }
    }
}
