//! Events of calls and their consequences: somebody answers, leaves, disappears, comes back.

use call_engine::acd::{CallId, Input};
use session_core::{CallRecord, Cause, Event, LegId, ReferTo, Registrant, SessionId};
use sip_core::message::StatusCode;

use super::super::call::ConsultEnd;
use super::super::context::Ctx;
use super::super::history;
use super::super::legs::Role;
use super::super::view::Change;
use super::Controller;

/// SIP responses by which somebody pressed a button (RFC 3261 §21.4.24, §21.6).
const DECLINED: [StatusCode; 3] = [
    StatusCode::BUSY_HERE,
    StatusCode::BUSY_EVERYWHERE,
    StatusCode::DECLINE,
];

impl Controller {
    /// True for an event of a leg, an invitation or a session of the call centre's own. Whatever was started elsewhere in the gateway
    /// is none of its business.
    #[must_use]
    pub fn owns(&self, event: &Event) -> bool {
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
            | Event::Joins { joined: leg, .. } => self.legs.has(*leg),
            Event::Refer { leg, to, .. } => {
                self.legs.has(*leg) || matches!(to, ReferTo::Leg(other) if self.legs.has(*other))
            }
            Event::Bridged { legs, .. } => self.agent_call(legs).is_some(),
            Event::Returned { session, .. } | Event::Ended { session, .. } => {
                self.legs.call_of_session(*session).is_some()
            }
            _ => false,
        }
    }

    /// Acts on an event that it [owns](Controller::owns).
    pub fn handle(&mut self, event: &Event, cx: &mut Ctx<'_>) {
        match event {
            Event::InvitationRings { invitation, .. } => {
                if let Some(Role::Assignment(assignment)) = self.legs.role(*invitation) {
                    let assignment = *assignment;
                    self.input(Input::Rung { assignment }, cx);
                }
            }
            Event::InvitationAnswered { invitation, leg, .. } => {
                if let Some(role) = self.legs.answered(*invitation, *leg) {
                    self.answered(*invitation, *leg, role, cx);
                }
            }
            Event::InvitationEnded { invitation, code, .. } => {
                if let Some(role) = self.legs.remove(*invitation) {
                    self.unanswered(*invitation, role, *code, cx);
                }
            }
            Event::Bridged { legs, .. } => {
                if let Some(call) = self.agent_call(legs) {
                    self.drive(call, cx, |call, cx| call.audio_began(cx));
                }
            }
            Event::Left { leg, cause, .. } => {
                if let Some(role) = self.legs.remove(*leg) {
                    self.left(*leg, role, *cause, cx);
                }
            }
            Event::Returned { session, user, .. } => {
                if let Some(call) = self.legs.call_of_session(*session) {
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
                if let Some(role) = self.legs.role(*leg).cloned() {
                    self.leg_changed(role, event, cx);
                }
            }
            _ => {}
        }
        self.settle(event, cx);
    }

    /// Takes from an event that it does not own what concerns agents: registrations, signs of life, and calls of their own.
    pub fn observe(&mut self, event: &Event, cx: &mut Ctx<'_>) {
        match event {
            Event::Reachable { user, reachable } => self.reachable(user, *reachable, cx),
            Event::Alive { user } => {
                if let Some(agent) = self.directory.agent_of(user) {
                    self.input(Input::Proof { agent }, cx);
                }
            }
            Event::Ended { session, record } if self.open_records.has(*session) => {
                self.aside_ended(*session, record);
            }
            Event::Ended { session, record } => self.direct_ended(*session, record, cx),
            Event::Joined { session, guest } => {
                if let Some((call, ended)) = self.open_records.joined(*guest) {
                    self.publisher.over(call, ended);
                }
                self.direct_joined(*guest, *session, cx);
            }
            Event::Verdict { session, verdict, .. } => self.verified(*session, verdict, cx),
            Event::Target { trunk, .. }
            | Event::Registration {
                registrant: Registrant::Trunk(trunk),
                ..
            } => self.trunk_changed(trunk, cx),
            _ => {}
        }
        self.settle(event, cx);
    }

    /// Publishes a trunk as it is now.
    fn trunk_changed(&mut self, name: &str, cx: &Ctx<'_>) {
        let trunks = cx.coordinator.trunks();
        if let Some(status) = trunks.into_iter().find(|trunk| trunk.name == name) {
            self.publisher.change(cx.now, Change::Trunk(status.into()));
        }
    }

    /// Counts the lines of agents after an event, and publishes what followed from it.
    fn settle(&mut self, event: &Event, cx: &mut Ctx<'_>) {
        let user = leg_of(event).and_then(|leg| cx.coordinator.user_of(leg));
        let user = user.map(str::to_owned);
        self.count_lines(user.as_deref(), cx);
        if let Some(session) = event.session() {
            self.direct.changed(cx.now, session);
            if let Some(call) = self.legs.call_of_session(session) {
                self.with(call, cx, |call, cx| call.look_at_legs(cx));
            }
        }
        self.publish(cx.now);
    }

    /// Call whose agent has one of these legs.
    fn agent_call(&self, legs: &[LegId]) -> Option<CallId> {
        legs.iter().find_map(|leg| match self.legs.role(*leg) {
            Some(Role::Agent(call)) => Some(*call),
            _ => None,
        })
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
                let call = self.legs.call_of_assignment(assignment);
                if let Some(call) = call.and_then(|call| self.calls.get_mut(&call)) {
                    call.picked_up(assignment, leg);
                }
                // The engine may have given the call to somebody else meanwhile.
                if self.input(Input::Accept { assignment }, cx).is_some() {
                    self.legs.remove(leg);
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
        let Some(id) = self.legs.remove_session(session) else {
            debug_assert!(false, "the event is of a session of ours");
            return;
        };
        if self.calls.get(&id).is_none_or(|call| !call.is_of(session)) {
            self.aside_ended(session, record);
            return self.drive(id, cx, |call, cx| call.consult_ended(cx));
        }
        self.drive(id, cx, |call, cx| call.end(cx.id, record.cause));
        self.finish(id, record, cx);
    }

    /// A session is over in which an agent asked somebody: its legs are the call's.
    fn aside_ended(&mut self, session: SessionId, record: &CallRecord) {
        let legs = history::legs(&self.directory, record);
        if let Some((call, ended)) = self.open_records.session_ended(session, legs) {
            self.publisher.over(call, ended);
        }
    }

    /// Forgets a call whose session is over, and hands its facts to the journal.
    fn finish(&mut self, id: CallId, record: &CallRecord, cx: &mut Ctx<'_>) {
        if let Some(session) = self.with(id, cx, |call, cx| call.stop_consulting(cx)) {
            cx.coordinator.terminate_session(cx.now, session);
        }
        let Some(call) = self.calls.remove(&id) else {
            debug_assert!(false, "no call {id:?} that is over");
            return;
        };
        self.legs.forget(id);
        self.publisher.leg(id, None);
        let queue = self.directory.queue(call.queue());
        if let (Some(queue), Some(agent), Some(_)) = (queue, call.agents().last(), call.answered()) {
            self.last_agents
                .talked(cx.now, queue, &call.from().number, *agent);
        }
        self.takeovers.cancel(id);
        let ended = call.into_ended(record, history::legs(&self.directory, record));
        self.publisher.no_more(id);
        if let Some(ended) = self.open_records.call_ended(id, ended) {
            self.publisher.over(id, ended);
        }
    }

    /// An agent's phone registered, or is registered no longer.
    pub(super) fn reachable(&mut self, user: &str, reachable: bool, cx: &mut Ctx<'_>) {
        // Users who are no agents register as well.
        let Some(agent) = self.directory.agent_of(user) else {
            return;
        };
        if reachable {
            let conn = self.agents.register(agent);
            self.input(Input::Attached { agent, conn }, cx);
            self.call_back(agent, cx);
        } else if let Some(conn) = self.agents.unregister(agent) {
            self.input(Input::Detached { agent, conn }, cx);
        }
        self.publisher.agent(agent);
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
