//! The signalling task's part: asks the handler, and carries out what the coordinator's users want.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use sans_io::Time;
use session_core::{
    BridgeEvent, CallRecord, Coordinator, Dial, Event, IncomingCall, IncomingMessage, LegId, MessageId,
    OnFailure, Party, ReferTo, SessionId,
};
use sip_core::message::StatusCode;
use tokio::sync::{broadcast, oneshot};

use super::coordinator::{RING, invitation, party, uri};
use super::handler::{CallDecision, CallHandler, MessageDecision};
use crate::driver::Application;
use crate::instant::InstantMessage;

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

/// The application of a stack whose calls are managed from code.
pub(crate) struct Sessions {
    handler: Arc<dyn CallHandler>,
    bridges: broadcast::Sender<BridgeEvent>,
    accepts: bool,
    /// Invitations of ours that ring.
    invitations: BTreeSet<LegId>,
    /// Legs whose parties we asked for a transfer.
    transfers: BTreeMap<LegId, oneshot::Sender<StatusCode>>,
    /// Messages of ours that are on their way.
    messages: BTreeMap<MessageId, oneshot::Sender<StatusCode>>,
}

impl Sessions {
    pub(super) fn new(handler: Arc<dyn CallHandler>, bridges: broadcast::Sender<BridgeEvent>) -> Sessions {
        Sessions {
            handler,
            bridges,
            accepts: false,
            invitations: BTreeSet::new(),
            transfers: BTreeMap::new(),
            messages: BTreeMap::new(),
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

    /// The outcome of the transfer of that leg goes there.
    pub(super) fn await_transfer(&mut self, leg: LegId, reply: oneshot::Sender<StatusCode>) {
        self.transfers.insert(leg, reply);
    }

    /// The outcome of that message goes there.
    pub(super) fn await_message(&mut self, message: MessageId, reply: oneshot::Sender<StatusCode>) {
        self.messages.insert(message, reply);
    }

    fn changed(&self, calls: &Coordinator, session: SessionId) {
        if let Some(call) = calls.find_session(session) {
            self.handler.on_call_state_changed(&call);
        }
    }

    fn incoming(
        &self,
        now: Time,
        session: SessionId,
        leg: LegId,
        call: &IncomingCall,
        calls: &mut Coordinator,
    ) {
        match self.handler.on_incoming_call(session, call) {
            CallDecision::Accept(sound) => calls.answer(now, leg, sound),
            CallDecision::Reject(code) => calls.reject(now, session, code.max(StatusCode::MULTIPLE_CHOICES)),
            CallDecision::Defer => calls.ring(now, leg, StatusCode::RINGING),
            CallDecision::Connect(to) => match somebody(&to) {
                Some(party) => calls.dial(now, session, Dial::together(vec![party], RING, OnFailure::Reject)),
                None => calls.reject(now, session, StatusCode::NOT_FOUND),
            },
        }
    }

    /// A registered user transfers a call.
    fn refer(&self, now: Time, session: SessionId, leg: LegId, to: ReferTo, calls: &mut Coordinator) {
        let number = match to {
            ReferTo::Leg(other) => return calls.transfer_attended(now, leg, other),
            ReferTo::Number(number) => number,
        };
        let to = self.handler.on_transfer(session, &number);
        match to.as_deref().and_then(somebody) {
            Some(party) => calls.transfer(now, leg, invitation(party)),
            None => calls.refuse_refer(now, leg, StatusCode::DECLINE),
        }
    }

    fn written(&self, now: Time, message: MessageId, about: IncomingMessage, calls: &mut Coordinator) {
        let read = InstantMessage::waiting(calls, message, about);
        match self.handler.on_message(&read) {
            MessageDecision::Take => calls.take_message(now, message),
            MessageDecision::Reject(code) => calls.refuse_message(now, message, code),
            MessageDecision::Deliver(to) => match somebody(&to) {
                Some(party) => calls.deliver_message(now, message, &party),
                None => calls.refuse_message(now, message, StatusCode::NOT_FOUND),
            },
        }
    }

    /// A transfer that we asked for makes progress. Once its target has answered, the call is over for us.
    fn referred(
        &mut self,
        now: Time,
        session: SessionId,
        (leg, code): (LegId, StatusCode),
        calls: &mut Coordinator,
    ) {
        if code.is_final()
            && let Some(reply) = self.transfers.remove(&leg)
        {
            let _ = reply.send(code);
            if code.is_success() {
                calls.terminate_session(now, session);
            }
        }
    }

    /// A call is over, and with it what somebody waits for.
    fn ended(&mut self, record: &CallRecord) {
        for leg in &record.legs {
            self.transfers.remove(&leg.leg);
        }
        self.handler.on_call_ended(record);
    }
}

/// The user of a name, or whoever is at a SIP URI.
fn somebody(to: &str) -> Option<Party> {
    match to.contains(':') {
        true => Some(party(uri(to).ok()?)),
        false => Some(Party::User(to.to_owned())),
    }
}

impl Application for Sessions {
    type Request = Act;

    fn handle(&mut self, now: Time, event: Event, calls: &mut Coordinator) {
        match event {
            Event::Incoming { session, .. } if !self.accepts => {
                calls.reject(now, session, StatusCode::SERVICE_UNAVAILABLE)
            }
            Event::Incoming { session, leg, call } => self.incoming(now, session, leg, &call, calls),
            // Nobody's call is taken over or joined by somebody else's INVITE.
            Event::Replaces { session, .. } | Event::Joins { session, .. } => {
                calls.reject(now, session, StatusCode::DECLINE)
            }
            Event::Refer { session, leg, to } => self.refer(now, session, leg, to, calls),
            Event::ReferProgress { session, leg, code } => self.referred(now, session, (leg, code), calls),
            Event::Message { message, about } => self.written(now, message, about, calls),
            Event::MessageSent { message, code } => {
                // Whoever sent it may not wait for the outcome.
                let _ = self.messages.remove(&message).map(|reply| reply.send(code));
            }
            // A user's phone forwards its calls.
            Event::Diverted {
                session,
                leg,
                numbers,
                ..
            } => {
                let parties: Vec<Party> = numbers.iter().filter_map(|number| somebody(number)).collect();
                calls.follow(now, session, leg, &parties);
            }
            // Nobody is watched here, and nobody has a mailbox.
            Event::Watch { subscription, .. } => calls.refuse_watch(subscription, StatusCode::NOT_FOUND),
            Event::Mailbox { notice, .. } => calls.refuse_notice(now, notice, StatusCode::NOT_FOUND),
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
            Event::Reachable { user, reachable } => self.handler.on_registration_changed(&user, reachable),
            Event::Ended { record, .. } => self.ended(&record),
            _ => {}
        }
    }

    fn handle_request(&mut self, now: Time, request: Act, calls: &mut Coordinator) {
        (request.0)(self, calls, now);
    }
}
