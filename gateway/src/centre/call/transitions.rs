//! Transitions of a call, each with what is left over by it.

use std::collections::BTreeMap;
use std::time::Duration;

use call_engine::acd::{AgentId, AssignmentId, Phase, QueueId};
use sans_io::Time;
use session_core::LegId;

use super::super::legs::Role;
use super::super::view::{self, AgentNotes};
use super::{AgentLeg, Assignment, Call, CallState, Consult, Other, Released};

/// Time that an agent whose page is gone may be away from a three-way call before a colleague in it takes it
/// over: longer than a reload takes, and shorter than the 30 s after which the engine would send the caller
/// back to the queue.
const TAKEOVER: Duration = Duration::from_secs(20);

impl Call {
    /// A phone rings for an assignment of this call, which must be one that [`Call::can_ring`].
    pub(in crate::centre) fn ring(&mut self, id: AssignmentId, assignment: Assignment) {
        match &mut self.state {
            CallState::Ringing { assignments } => {
                assignments.insert(id, assignment);
            }
            state => {
                debug_assert_eq!(*state, CallState::Waiting, "only a call that waits rings");
                let assignments = BTreeMap::from([(id, assignment)]);
                *state = CallState::Ringing { assignments };
            }
        }
    }

    /// The phone of an assignment was answered by this leg.
    pub(in crate::centre) fn picked_up(&mut self, assignment: AssignmentId, leg: LegId) {
        if let CallState::Ringing { assignments } = &mut self.state
            && let Some(assignment) = assignments.get_mut(&assignment)
        {
            assignment.leg = leg;
        }
    }

    /// The assignment is over.
    pub(in crate::centre) fn stop_ringing(&mut self, assignment: AssignmentId) -> Option<Assignment> {
        let CallState::Ringing { assignments } = &mut self.state else {
            return None;
        };
        let assignment = assignments.remove(&assignment);
        if assignments.is_empty() {
            self.state = CallState::Waiting;
        }
        assignment
    }

    /// The engine gives the call to the agent who took the assignment.
    pub(in crate::centre) fn connect(
        &mut self,
        now: Time,
        assignment: AssignmentId,
        agent: AgentId,
    ) -> Option<AgentLeg> {
        let leg = self.stop_ringing(assignment)?.leg;
        let agent = AgentLeg { agent, leg };
        self.since = now;
        self.agents.push(agent.agent);
        self.state = CallState::Connecting { agent };
        Some(agent)
    }

    /// Caller and agent hear each other.
    pub(in crate::centre) fn bridged(&mut self, now: Time) {
        self.answered.get_or_insert(now);
        self.since = now;
    }

    /// The engine says that caller and agent talk.
    pub(in crate::centre) fn connected(&mut self) {
        if let CallState::Connecting { agent } = self.state {
            self.state = CallState::Talking { agent, held: false };
        }
    }

    /// The engine says that the caller is on hold, or no longer.
    pub(in crate::centre) fn set_held(&mut self, now_held: bool) {
        if let CallState::Talking { held, .. } = &mut self.state {
            *held = now_held;
        }
    }

    /// The agent begins to ask somebody.
    pub(in crate::centre) fn begin_consult(&mut self, now: Time, consult: Consult) {
        if let CallState::Talking { agent, .. } = self.state {
            self.since = now;
            self.state = CallState::Consulting { agent, consult };
        }
    }

    /// The agent asks nobody any longer, and has the caller as the engine says.
    pub(in crate::centre) fn end_consult(&mut self, now: Time, phase: Option<Phase>) -> Option<Consult> {
        match std::mem::replace(&mut self.state, CallState::WithOthers) {
            CallState::Consulting { agent, consult } => {
                self.since = now;
                self.state = with(agent, phase);
                Some(consult)
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    /// The agent's page is gone. Returns the consultation that ended so, and false if it was gone before.
    pub(in crate::centre) fn lose_agent(&mut self, now: Time) -> (bool, Option<Consult>) {
        let Some(AgentLeg { agent, leg }) = self.agent_leg() else {
            return (false, None);
        };
        if matches!(self.state, CallState::AgentAway { .. }) {
            return (false, None);
        }
        self.since = now;
        let takeover = self.colleagues().next().map(|_| now + TAKEOVER);
        let away = CallState::AgentAway {
            agent,
            leg: Some(leg),
            recall: None,
            takeover,
        };
        match std::mem::replace(&mut self.state, away) {
            CallState::Consulting { consult, .. } => (true, Some(consult)),
            _ => (true, None),
        }
    }

    /// A colleague takes the call over, or could if one were still there.
    pub(in crate::centre) fn takeover_begins(&mut self) {
        if let CallState::AgentAway { takeover, .. } = &mut self.state {
            *takeover = None;
        }
    }

    /// The agent's page is back by itself. Returns the invitation of another one, which is needed no longer.
    pub(in crate::centre) fn agent_is_back(&mut self, now: Time, phase: Option<Phase>) -> Option<LegId> {
        self.since = now;
        let CallState::AgentAway {
            agent,
            leg: Some(leg),
            recall,
            ..
        } = self.state
        else {
            return None;
        };
        self.state = with(AgentLeg { agent, leg }, phase);
        recall
    }

    /// The agent's new page is called.
    pub(in crate::centre) fn recall(&mut self, invitation: LegId) {
        if let CallState::AgentAway { recall, .. } = &mut self.state {
            *recall = Some(invitation);
        }
    }

    /// The agent's new page did not answer.
    pub(in crate::centre) fn recall_failed(&mut self, invitation: LegId) {
        if let CallState::AgentAway { recall, .. } = &mut self.state
            && *recall == Some(invitation)
        {
            *recall = None;
        }
    }

    /// The agent's new page answered. Returns the leg of the old one, if there is one; `None` if nobody called the new page.
    pub(in crate::centre) fn recalled(
        &mut self,
        now: Time,
        invitation: LegId,
        new: LegId,
        phase: Option<Phase>,
    ) -> Option<Option<LegId>> {
        let CallState::AgentAway {
            agent, leg, recall, ..
        } = self.state
        else {
            return None;
        };
        if recall != Some(invitation) {
            return None;
        }
        self.since = now;
        self.state = with(AgentLeg { agent, leg: new }, phase);
        Some(leg)
    }

    /// The call waits in its queue again, without its agent. One whose caller has not gone on since a restart goes on recovering.
    pub(in crate::centre) fn wait_again(&mut self, now: Time) -> Released {
        self.since = now;
        let next = match self.state {
            CallState::Recovering { .. } => CallState::Recovering { agent: None },
            _ => CallState::Waiting,
        };
        self.leave_agent(next)
    }

    /// The caller's session goes on without the agent and without the engine.
    pub(in crate::centre) fn release(&mut self, now: Time) -> Released {
        self.since = now;
        self.leave_agent(CallState::WithOthers)
    }

    /// A phone outside rings for the caller.
    pub(in crate::centre) fn forward(&mut self, to: String, leg: LegId, fallback: Option<QueueId>) {
        self.state = CallState::Forwarding { to, leg, fallback };
    }

    /// Somebody outside answered: the leg takes part from now on.
    pub(in crate::centre) fn forwarded(&mut self, now: Time, leg: LegId) {
        match std::mem::replace(&mut self.state, CallState::WithOthers) {
            CallState::Forwarding { to: name, .. } => {
                self.since = now;
                self.others.insert(leg, Other { name, agent: None });
            }
            other => self.state = other,
        }
    }

    /// The caller comes back to a queue from outside. Returns the legs of those who were in the call besides.
    pub(in crate::centre) fn enter_again(&mut self, now: Time) -> Vec<LegId> {
        self.since = now;
        self.state = CallState::Waiting;
        std::mem::take(&mut self.others).into_keys().collect()
    }

    /// Somebody takes part besides caller and agent.
    pub(in crate::centre) fn add_other(&mut self, leg: LegId, other: Other) {
        self.others.insert(leg, other);
    }

    /// Somebody takes no longer part.
    pub(in crate::centre) fn remove_other(&mut self, leg: LegId) {
        self.others.remove(&leg);
    }

    /// An agent transfers the call, or does not after all. Returns the agent who did before.
    pub(in crate::centre) fn set_transferred_by(&mut self, agent: Option<AgentId>) -> Option<AgentId> {
        std::mem::replace(&mut self.transferred_by, agent)
    }

    /// An agent notes the result of the call, or writes notes; what is not given stays.
    pub(in crate::centre) fn note(
        &mut self,
        (id, name): (&str, &str),
        disposition: Option<String>,
        notes: Option<String>,
    ) {
        if let Some(notes) = notes {
            AgentNotes::write(&mut self.notes, id, name, notes);
        }
        self.disposition = disposition.or(self.disposition.take());
    }

    /// The call goes on as it was published before a restart.
    pub(in crate::centre) fn restore(
        &mut self,
        published: view::Call,
        agents: Vec<AgentId>,
        transferred_by: Option<AgentId>,
    ) {
        self.agents = agents;
        self.transferred_by = transferred_by;
        self.answered = published.answered_at.map(|moment| moment.0);
        self.from = published.from;
        self.to = published.to;
        self.notes = published.notes;
        self.disposition = published.disposition;
    }

    /// Another leg has the place of one that has this role; `other` is who is there now.
    pub(in crate::centre) fn replace_leg(&mut self, role: &Role, old: LegId, new: LegId, other: Other) {
        match role {
            Role::Caller(_) => self.caller = new,
            Role::Agent(_) => self.replace_agent_leg(new),
            Role::Other(_) if self.others.contains_key(&old) => {
                self.others.remove(&old);
                self.others.insert(new, other);
            }
            _ => {}
        }
    }

    /// A colleague in the call has it from now on.
    pub(in crate::centre) fn hand_over(&mut self, from: AgentId, to: AgentLeg) {
        self.others.remove(&to.leg);
        self.agents.push(to.agent);
        self.transferred_by = Some(from);
        self.state = CallState::Talking {
            agent: to,
            held: false,
        };
    }

    /// The caller has gone on after a restart. An agent who had the call is away from it.
    pub(in crate::centre) fn go_on(&mut self) {
        if let CallState::Recovering { agent } = self.state {
            self.state = match agent {
                Some(agent) => CallState::AgentAway {
                    agent,
                    leg: None,
                    recall: None,
                    takeover: None,
                },
                None => CallState::Waiting,
            };
        }
    }

    /// Another leg has the agent's place.
    fn replace_agent_leg(&mut self, new: LegId) {
        match &mut self.state {
            CallState::Connecting { agent }
            | CallState::Talking { agent, .. }
            | CallState::Consulting { agent, .. } => agent.leg = new,
            CallState::AgentAway { leg, .. } => *leg = Some(new),
            _ => {}
        }
    }

    fn leave_agent(&mut self, next: CallState) -> Released {
        match std::mem::replace(&mut self.state, next) {
            CallState::Connecting { agent }
            | CallState::Talking { agent, .. }
            | CallState::Consulting { agent, .. } => Released {
                leg: Some(agent.leg),
                recall: None,
            },
            CallState::AgentAway { leg, recall, .. } => Released { leg, recall },
            CallState::Recovering { .. }
            | CallState::Waiting
            | CallState::Ringing { .. }
            | CallState::Forwarding { .. }
            | CallState::WithOthers => Released::default(),
        }
    }
}

/// State of a call whose agent is there, in the engine's phase of it.
fn with(agent: AgentLeg, phase: Option<Phase>) -> CallState {
    match phase {
        Some(Phase::Connected { held, .. }) => CallState::Talking { agent, held },
        _ => CallState::Connecting { agent },
    }
}
