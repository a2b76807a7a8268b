//! The signalling task's part: asks the handler, and carries out what the coordinator's users want.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use sans_io::Time;
use session_core::{BridgeEvent, Coordinator, Event, LegId, SessionId};
use sip_core::message::StatusCode;
use tokio::sync::broadcast;

use super::handler::{CallDecision, CallHandler};
use crate::driver::Application;

/// Something to do with live calls.
pub(crate) struct Act(Box<dyn Do>);

trait Do: FnOnce(&mut Sessions, &mut Coordinator, Time) + Send {}

impl<F: FnOnce(&mut Sessions, &mut Coordinator, Time) + Send> Do for F {}

impl Act {
    pub(super) fn new(act: impl FnOnce(&mut Sessions, &mut Coordinator, Time) + Send + 'static) -> Act {
        Act(Box::new(act))
    }
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Act")
    }
}

/// The application of a sessions's stack.
pub(crate) struct Sessions {
    handler: Arc<dyn CallHandler>,
    bridges: broadcast::Sender<BridgeEvent>,
    accepts: bool,
    /// Invitations of ours that ring.
    invitations: BTreeSet<LegId>,
}

impl Sessions {
    pub(super) fn new(handler: Arc<dyn CallHandler>, bridges: broadcast::Sender<BridgeEvent>) -> Sessions {
        Sessions {
            handler,
            bridges,
            accepts: false,
            invitations: BTreeSet::new(),
        }
    }

    /// Takes calls, or refuses them with 503.
    pub(super) fn accept_calls(&mut self, accepts: bool) {
        self.accepts = accepts;
    }

    /// Whoever answers that invitation takes part in its call.
    pub(super) fn await_answer(&mut self, invitation: LegId) {
        self.invitations.insert(invitation);
    }

    fn changed(&self, calls: &Coordinator, session: SessionId) {
        if let Some(call) = calls.find_session(session) {
            self.handler.on_call_state_changed(&call);
        }
    }
}

impl Application for Sessions {
    type Request = Act;

    fn handle(&mut self, now: Time, event: Event, calls: &mut Coordinator) {
        match event {
            Event::Incoming { session, .. } if !self.accepts => {
                calls.reject(now, session, StatusCode::SERVICE_UNAVAILABLE)
            }
            Event::Incoming { session, leg, call } => match self.handler.on_incoming_call(session, &call) {
                CallDecision::Accept(sound) => calls.answer(now, leg, sound),
                CallDecision::Reject(code) => {
                    calls.reject(now, session, code.max(StatusCode::MULTIPLE_CHOICES))
                }
                CallDecision::Defer => calls.ring(now, leg, StatusCode::RINGING),
            },
            // Nobody's call is taken over by somebody else's INVITE.
            Event::Replaces { session, .. } => calls.reject(now, session, StatusCode::DECLINE),
            // A call is transferred by the coordinator's users alone.
            Event::Refer { leg, .. } => calls.refuse_refer(now, leg, StatusCode::DECLINE),
            Event::Answered { session, .. } => {
                if let Some(call) = calls.find_session(session) {
                    self.handler.on_call_established(&call);
                }
            }
            Event::Progress { session, .. } | Event::Hold { session, .. } => self.changed(calls, session),
            Event::InvitationAnswered {
                session,
                invitation,
                leg,
            } if self.invitations.remove(&invitation) => {
                calls.admit_leg(now, session, leg);
            }
            Event::InvitationEnded { invitation, .. } => {
                self.invitations.remove(&invitation);
            }
            Event::Dtmf { session, digit, .. } => self.handler.on_dtmf(session, digit),
            // Nobody listens, or somebody listens too slowly and is told so.
            Event::Bridge(change) => drop(self.bridges.send(change)),
            Event::Ended { record, .. } => self.handler.on_call_ended(&record),
            _ => {}
        }
    }

    fn handle_request(&mut self, now: Time, request: Act, calls: &mut Coordinator) {
        (request.0)(self, calls, now);
    }
}
