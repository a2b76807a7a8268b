//! Assignments of the call: phones of agents ring, and one of them has the call.

use std::time::Duration;

use call_engine::acd::{AgentId, AssignmentId};
use sans_io::Time;
use session_core::{Invitation, Party};

use super::super::ids;
use super::super::invitation::{ASSIGNMENT_HEADER, CALL_HEADER, QUEUE_HEADER};
use super::super::legs::Role;
use super::{Assignment, Call, Context};

/// Time for which a phone rings longer than the engine lets it, whose deadline comes first.
const SPARE: Duration = Duration::from_secs(5);

impl Call {
    /// Lets the phone of an agent ring. False if no phone can ring for the call, or none of the agent's is there.
    pub(in crate::centre) fn assign(
        &mut self,
        (id, agent): (AssignmentId, AgentId),
        deadline: Time,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(person) = cx.directory.agent(agent).filter(|_| self.can_ring()) else {
            return false;
        };
        let queue = cx.directory.queue(self.queue);
        let invitation = Invitation {
            party: Party::User(person.name.clone()),
            caller: None,
            ring_timeout: deadline.since(cx.now) + SPARE,
            headers: vec![
                (CALL_HEADER.into(), ids::call(cx.id)),
                (ASSIGNMENT_HEADER.into(), ids::assignment(id)),
                (
                    QUEUE_HEADER.into(),
                    queue.map(|queue| queue.display.clone()).unwrap_or_default(),
                ),
            ],
            diverted: Vec::new(),
        };
        let Ok(leg) = cx.coordinator.invite(cx.now, self.session, invitation) else {
            return false;
        };
        let made = cx.now;
        self.ring(id, Assignment { leg, made, deadline });
        cx.legs.assign(id, cx.id, leg);
        true
    }

    /// Stops the phone of an assignment that is over.
    pub(in crate::centre) fn rescind(
        &mut self,
        assignment: AssignmentId,
        elsewhere: bool,
        cx: &mut Context<'_>,
    ) {
        if let Some(Assignment { leg, .. }) = self.stop_ringing(assignment) {
            cx.legs.remove(leg);
            cx.coordinator.withdraw(cx.now, leg, elsewhere);
        }
    }

    /// Lets the agent whose phone was answered talk with the caller. False if the phone of the assignment does not ring.
    pub(in crate::centre) fn take(
        &mut self,
        assignment: AssignmentId,
        agent: AgentId,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(agent) = self.connect(cx.now, assignment, agent) else {
            return false;
        };
        cx.legs.set(agent.leg, Role::Agent(cx.id));
        cx.coordinator.admit_leg(cx.now, self.session, agent.leg);
        true
    }
}
