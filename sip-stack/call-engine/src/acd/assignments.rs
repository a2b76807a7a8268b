//! Assignments: a call rings at an agent until one of five things ends it.

use sans_io::Time;

use super::config::Strategy;
use super::fact::{AssignmentEnd, Fact, Intent};
use super::ids::{AgentId, AssignmentId, CallId};
use super::input::{Output, Refusal};
use super::timeout::Alarm;
use super::{Acd, Assignment};

/// The reason of an agent's pause after assignments that it did not answer.
pub const NO_ANSWER: &str = "no-answer";

impl Acd {
    pub(super) fn assign(&mut self, now: Time, call: CallId, agent: AgentId) {
        self.assignments_made += 1;
        let assignment = AssignmentId {
            epoch: self.epoch,
            number: self.assignments_made,
        };
        let Some(queue) = self
            .state
            .calls
            .get(&call)
            .and_then(|call| self.queues.get(&call.queue))
        else {
            return;
        };
        let (deadline, progressive, progress) = (
            now + queue.ring,
            queue.strategy == Strategy::RingProgressive,
            queue.progress,
        );
        let Some(ringing) = self.calls.get_mut(&call) else {
            return;
        };
        let alone = ringing.assignments.is_empty();
        for other in &ringing.assignments {
            if let Some(other) = self.assignments.get_mut(other) {
                other.alone = false;
            }
        }
        ringing.assignments.insert(assignment);
        ringing.wants_more = false;
        self.assignments
            .insert(assignment, Assignment { call, agent, alone });
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.assignment = Some(assignment);
        }
        self.record(
            now,
            Fact::Assigned {
                assignment,
                call,
                agent,
            },
        );
        self.arm(Alarm::Ring(assignment), deadline);
        self.arm(Alarm::Alert(assignment), now + self.settings.alert_timeout);
        if progressive {
            self.arm(Alarm::Progress(call), now + progress);
        }
        self.out.push_back(Output::Assign {
            assignment,
            call,
            agent,
            deadline,
        });
        self.refresh(now, agent);
        self.place(call);
    }

    pub(super) fn rung(&mut self, now: Time, id: AssignmentId) {
        match self.assignments.get(&id) {
            Some(assignment) => {
                let agent = assignment.agent;
                self.timers.cancel(Alarm::Alert(id));
                // A page that rings has its program running.
                self.proved(now, agent);
            }
            None => self.refuse(Refusal::AssignmentGone(id)),
        }
    }

    pub(super) fn accept(&mut self, now: Time, id: AssignmentId) {
        let Some(assignment) = self.assignments.get(&id) else {
            return self.refuse(Refusal::AssignmentGone(id));
        };
        let (call, agent) = (assignment.call, assignment.agent);
        let others: Vec<AssignmentId> = self
            .calls
            .get(&call)
            .map(|call| {
                call.assignments
                    .iter()
                    .copied()
                    .filter(|other| *other != id)
                    .collect()
            })
            .unwrap_or_default();
        self.close_assignment(now, id, AssignmentEnd::Accepted, false);
        self.record(now, Fact::Accepted { call, agent });
        for other in others {
            self.end_assignment(now, other, AssignmentEnd::Cancelled, true);
        }
        self.stop_waiting(call);
        self.arm(Alarm::Connect(call), now + self.settings.connect_timeout);
        self.out.push_back(Output::Connect {
            assignment: id,
            call,
            agent,
        });
        self.proved(now, agent);
        self.refresh(now, agent);
    }

    pub(super) fn reject(&mut self, now: Time, id: AssignmentId) {
        let Some(assignment) = self.assignments.get(&id) else {
            return self.refuse(Refusal::AssignmentGone(id));
        };
        let (call, agent) = (assignment.call, assignment.agent);
        self.cool_down(now, agent);
        self.exclude(now, agent, call);
        self.end_assignment(now, id, AssignmentEnd::Rejected, false);
        self.unstick(now, call, agent);
    }

    /// The agent's phone cannot be reached.
    pub(super) fn assignment_lost(&mut self, now: Time, id: AssignmentId) {
        if self.assignments.contains_key(&id) {
            self.lose_assignment(now, id);
        } else {
            self.refuse(Refusal::AssignmentGone(id));
        }
    }

    /// The agent's page is gone or does not ring. That does not count against the agent.
    pub(super) fn lose_assignment(&mut self, now: Time, id: AssignmentId) {
        let Some(assignment) = self.assignments.get(&id) else {
            return;
        };
        let (call, agent) = (assignment.call, assignment.agent);
        self.cool_down(now, agent);
        self.end_assignment(now, id, AssignmentEnd::Lost, false);
        self.unstick(now, call, agent);
    }

    /// The agent's phone rang to the end.
    pub(super) fn unanswered(&mut self, now: Time, id: AssignmentId) {
        let Some(assignment) = self.assignments.get(&id) else {
            return;
        };
        let (call, agent, alone) = (assignment.call, assignment.agent, assignment.alone);
        let max = self
            .state
            .calls
            .get(&call)
            .and_then(|call| self.queues.get(&call.queue))
            .map_or(0, |queue| queue.max_no_answer);
        if alone {
            self.exclude(now, agent, call);
        }
        self.cool_down(now, agent);
        self.close_assignment(now, id, AssignmentEnd::NoAnswer, alone);
        if max > 0 && self.agent_state(agent).unanswered >= max {
            self.set_intent(now, agent, Intent::Paused(NO_ANSWER.into()));
        }
        self.refresh(now, agent);
        self.place(call);
        self.unstick(now, call, agent);
    }

    /// Ends an assignment, whatever way but by acceptance: the call stands where it can be assigned again.
    pub(super) fn end_assignment(
        &mut self,
        now: Time,
        id: AssignmentId,
        how: AssignmentEnd,
        elsewhere: bool,
    ) {
        if let Some(assignment) = self.close_assignment(now, id, how, elsewhere) {
            self.refresh(now, assignment.agent);
            self.place(assignment.call);
        }
    }

    /// Takes an assignment away. `flag`: of one not answered, that it counts; of one cancelled, that the call is elsewhere.
    fn close_assignment(
        &mut self,
        now: Time,
        id: AssignmentId,
        how: AssignmentEnd,
        flag: bool,
    ) -> Option<Assignment> {
        let assignment = self.assignments.remove(&id)?;
        self.timers.cancel(Alarm::Ring(id));
        self.timers.cancel(Alarm::Alert(id));
        if let Some(agent) = self.agents.get_mut(&assignment.agent) {
            agent.assignment = None;
        }
        if let Some(call) = self.calls.get_mut(&assignment.call) {
            call.assignments.remove(&id);
            if call.assignments.is_empty() {
                call.wants_more = false;
                self.timers.cancel(Alarm::Progress(assignment.call));
            }
        }
        self.record(
            now,
            Fact::AssignmentEnded {
                assignment: id,
                call: assignment.call,
                agent: assignment.agent,
                how,
                counts: flag && how == AssignmentEnd::NoAnswer,
            },
        );
        if how != AssignmentEnd::Accepted {
            self.out.push_back(Output::Rescind {
                assignment: id,
                agent: assignment.agent,
                how,
                elsewhere: flag && how == AssignmentEnd::Cancelled,
            });
        }
        Some(assignment)
    }

    /// Ring-progressive: it is time for one more.
    pub(super) fn ring_one_more(&mut self, call: CallId) {
        if let Some(ringing) = self
            .calls
            .get_mut(&call)
            .filter(|call| !call.assignments.is_empty())
        {
            ringing.wants_more = true;
            self.place(call);
        }
    }
}
