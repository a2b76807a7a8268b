//! Events of calls and their consequences: somebody answers, leaves, disappears, comes back.

use call_engine::acd::{CallId, Input};
use session_core::{CallRecord, Cause, Event, LegId, ReferTo, SessionId};
use sip_core::message::StatusCode;

use super::super::call::ConsultEnd;
use super::super::context::Ctx;
use super::super::legs::Role;
use super::QueueCalls;

/// SIP responses by which somebody pressed a button (RFC 3261 §21.4.24, §21.6).
const DECLINED: [StatusCode; 3] = [
    StatusCode::BUSY_HERE,
    StatusCode::BUSY_EVERYWHERE,
    StatusCode::DECLINE,
];

impl QueueCalls {
    /// Acts on what is due.
    pub(in crate::centre) fn handle_timeout(&mut self, cx: &mut Ctx<'_>) {
        self.input(Input::Timeout, cx);
        self.recover_due(cx);
        self.take_over(cx);
    }

    /// True for an event of a leg, an invitation or a session of the call centre's own. Whatever was started elsewhere in the gateway
    /// is none of its business.
    pub(in crate::centre) fn owns(&self, event: &Event) -> bool {
        match event {
            Event::InvitationRings { invitation: leg, .. }
            | Event::InvitationAnswered { invitation: leg, .. }
            | Event::InvitationEnded { invitation: leg, .. }
            | Event::Hold { leg, .. }
            | Event::Away { leg, .. }
            | Event::Left { leg, .. }
            | Event::Silent { leg, .. }
            | Event::Present { leg, .. }
            | Event::Answered { leg, .. }
            | Event::Changed { leg, .. }
            | Event::Restored { leg, .. }
            | Event::Transferred { leg, .. }
            | Event::Replaces { replaced: leg, .. }
            | Event::Joins { joined: leg, .. } => self.calls().has_leg(*leg),
            Event::Refer { leg, to, .. } => {
                self.calls().has_leg(*leg)
                    || matches!(to, ReferTo::Leg(other) if self.calls().has_leg(*other))
            }
            Event::Bridged { legs, .. } => self.calls().of_agent_leg(legs).is_some(),
            Event::Returned { session, .. } | Event::Ended { session, .. } => {
                self.calls().of_session(*session).is_some()
            }
            _ => false,
        }
    }

    /// Acts on an event that it [owns](QueueCalls::owns).
    pub(in crate::centre) fn handle(&mut self, event: &Event, cx: &mut Ctx<'_>) {
        match event {
            Event::InvitationRings { invitation, .. } => {
                if let Some(Role::Assignment(assignment)) = self.calls().role(*invitation) {
                    let assignment = *assignment;
                    self.input(Input::Rung { assignment }, cx);
                }
            }
            Event::InvitationAnswered { invitation, leg, .. } => {
                if let Some(role) = self.move_role(*invitation, *leg) {
                    self.answered(*invitation, *leg, role, cx);
                }
            }
            Event::InvitationEnded { invitation, code, .. } => {
                if let Some(role) = self.remove_leg(*invitation) {
                    self.unanswered(*invitation, role, *code, cx);
                }
            }
            Event::Bridged { legs, .. } => {
                if let Some(call) = self.calls().of_agent_leg(legs) {
                    self.drive(call, cx, |call, cx| call.audio_began(cx));
                }
            }
            Event::Left { leg, cause, .. } => {
                if let Some(role) = self.remove_leg(*leg) {
                    self.left(*leg, role, *cause, cx);
                }
            }
            Event::Returned { session, user, .. } => {
                if let Some(call) = self.calls().of_session(*session) {
                    self.with(call, cx, |call, cx| call.call_agent_back(user, cx));
                }
            }
            Event::Refer { leg, to, .. } => self.refer(*leg, to, cx),
            Event::Replaces {
                session,
                leg,
                replaced,
                ..
            } => self.replaces(*session, (*leg, *replaced), cx),
            // Supervisors join calls of the centre by the API.
            Event::Joins { session, .. } => cx.coordinator.reject(cx.now, *session, StatusCode::FORBIDDEN),
            Event::Transferred { leg, to, .. } => self.replaced(*leg, to, cx),
            Event::Ended { session, record } => self.ended(*session, record, cx),
            Event::Hold { leg, .. }
            | Event::Away { leg, .. }
            | Event::Silent { leg, .. }
            | Event::Present { leg, .. }
            | Event::Answered { leg, .. }
            | Event::Changed { leg, .. }
            | Event::Restored { leg, .. } => {
                if let Some(role) = self.calls().role(*leg).cloned() {
                    self.leg_changed(role, event, cx);
                }
            }
            _ => {}
        }
    }

    /// Takes from an event that it does not own what concerns agents: registrations, signs of life, and consultations that outlast
    /// their calls.
    pub(in crate::centre) fn observe(&mut self, event: &Event, cx: &mut Ctx<'_>) {
        match event {
            Event::Reachable { user, reachable } => self.reachable(user, *reachable, cx),
            Event::Alive { user } => {
                if let Some(agent) = self.directory().agent_of(user) {
                    self.input(Input::Proof { agent }, cx);
                }
            }
            Event::Ended { session, record } if self.calls().has_record_of(*session) => {
                self.aside_ended(*session, record);
            }
            Event::Joined { guest, .. } => self.aside_joined(*guest),
            _ => {}
        }
    }

    /// Counts the lines of agents after an event, and looks at the legs of its call.
    pub(in crate::centre) fn settle(&mut self, event: &Event, cx: &mut Ctx<'_>) {
        let user = leg_of(event).and_then(|leg| cx.coordinator.user_of(leg));
        let user = user.map(str::to_owned);
        self.count_lines(user.as_deref(), cx);
        if let Some(session) = event.session()
            && let Some(call) = self.calls().of_session(session)
        {
            self.with(call, cx, |call, cx| call.look_at_legs(cx));
        }
    }

    /// Something about a leg of a call that goes on.
    fn leg_changed(&mut self, role: Role, event: &Event, cx: &mut Ctx<'_>) {
        match (role, event) {
            (Role::Agent(call), Event::Hold { held, .. }) => {
                self.input(Input::Held { call, held: *held }, cx);
            }
            (Role::Agent(call), Event::Away { away, .. }) => self.agent_away(call, *away, cx),
            (Role::Caller(call), Event::Silent { silent, .. }) => {
                let silent = *silent;
                self.input(Input::CallerSilent { call, silent }, cx);
            }
            (Role::Caller(call), Event::Present { .. }) => {
                self.input(Input::CallerPresent { call }, cx);
            }
            (Role::Caller(call), Event::Answered { .. } | Event::Changed { .. }) => {
                self.with(call, cx, |call, cx| call.save(cx));
            }
            (Role::Caller(call), Event::Restored { .. }) => self.caller_recovered(call, cx),
            _ => {}
        }
    }

    /// A phone rang and was answered: the invitation is a leg now.
    fn answered(&mut self, invitation: LegId, leg: LegId, role: Role, cx: &mut Ctx<'_>) {
        match role {
            Role::Assignment(assignment) => {
                if let Some(call) = self.calls().of_assignment(assignment) {
                    self.with(call, cx, |call, _| call.picked_up(assignment, leg));
                }
                // The engine may have given the call to somebody else meanwhile.
                if self.input(Input::Accept { assignment }, cx).is_some() {
                    self.remove_leg(leg);
                    cx.coordinator.withdraw(cx.now, leg, true);
                }
            }
            Role::Recall(call) => self.new_page_answered(call, (invitation, leg), cx),
            Role::Consulted(call) => {
                self.with(call, cx, |call, cx| call.consulted((invitation, leg), cx));
            }
            Role::Supervisor(call, name) => {
                self.with(call, cx, |call, cx| call.supervisor_joined(&name, leg, cx));
            }
            Role::Forwarded(call) => {
                self.with(call, cx, |call, cx| call.answered_outside(leg, cx));
            }
            // These are legs already.
            Role::Caller(_) | Role::Agent(_) | Role::Other(_) => {}
        }
    }

    /// A phone rang and was not answered.
    fn unanswered(&mut self, leg: LegId, role: Role, code: StatusCode, cx: &mut Ctx<'_>) {
        match role {
            Role::Assignment(assignment) => {
                let input = if DECLINED.contains(&code) {
                    Input::Reject { assignment }
                } else {
                    Input::AssignmentLost { assignment }
                };
                self.input(input, cx);
            }
            Role::Recall(call) => self.with(call, cx, |call, _| call.recall_failed(leg)),
            Role::Consulted(call) => {
                let how = ConsultEnd::Refused(code);
                self.with(call, cx, |call, cx| call.consult_failed(how, cx));
            }
            Role::Supervisor(call, name) => {
                self.with(call, cx, |call, cx| call.supervisor_left(&name, cx));
            }
            Role::Forwarded(call) => self.forwarding_failed(call, cx),
            // These are legs already.
            Role::Caller(_) | Role::Agent(_) | Role::Other(_) => {}
        }
    }

    /// Somebody who had been in a call is out of it.
    fn left(&mut self, leg: LegId, role: Role, cause: Cause, cx: &mut Ctx<'_>) {
        match role {
            Role::Agent(call) => self.agent_left(call, cause, cx),
            Role::Consulted(call) => {
                self.with(call, cx, |call, cx| call.consult_failed(ConsultEnd::Left, cx));
            }
            Role::Other(call) => self.with(call, cx, |call, cx| call.other_left(leg, cx)),
            Role::Supervisor(call, name) => {
                self.with(call, cx, |call, cx| call.supervisor_left(&name, cx));
            }
            Role::Forwarded(call) => self.with(call, cx, |call, cx| call.terminate(cx)),
            Role::Assignment(assignment) => {
                self.input(Input::AssignmentLost { assignment }, cx);
            }
            // The end of the caller's leg is that of the session; a page that is called back has an invitation.
            Role::Recall(_) | Role::Caller(_) => {}
        }
    }

    /// A session is over: that of a caller, or one in which an agent asked somebody.
    fn ended(&mut self, session: SessionId, record: &CallRecord, cx: &mut Ctx<'_>) {
        let Some(id) = self.remove_session(session) else {
            debug_assert!(false, "the event is of a session of ours");
            return;
        };
        if self.calls().get(id).is_none_or(|call| !call.is_of(session)) {
            self.aside_ended(session, record);
            return self.drive(id, cx, |call, cx| call.consult_ended(cx));
        }
        self.drive(id, cx, |call, cx| call.end(cx.id, record.cause));
        self.finish(id, record, cx);
    }

    /// Forgets a call whose session is over, and hands its facts to the journal.
    fn finish(&mut self, id: CallId, record: &CallRecord, cx: &mut Ctx<'_>) {
        if let Some(session) = self.with(id, cx, |call, cx| call.stop_consulting(cx)) {
            cx.coordinator.terminate_session(cx.now, session);
        }
        self.remove(id, record, cx.now);
    }
}

/// The leg that an event is of; of an incoming call, the caller's, of a transfer, the one that came.
fn leg_of(event: &Event) -> Option<LegId> {
    match event {
        Event::Incoming { leg, .. }
        | Event::Replaces { leg, .. }
        | Event::Joins { leg, .. }
        | Event::Progress { leg, .. }
        | Event::Answered { leg, .. }
        | Event::InvitationRings { invitation: leg, .. }
        | Event::InvitationAnswered { leg, .. } => Some(*leg),
        Event::Transferred { to, .. } => to.first().copied(),
        _ => None,
    }
}
