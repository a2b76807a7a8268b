//! Calls: they come, wait or overflow, and leave.

mod with_agent;

use sans_io::Time;

use super::config::{QueueConfig, Target};
use super::fact::{AssignmentEnd, Departure, Fact, Intent, OverflowCause};
use super::ids::{AssignmentId, CallId, QueueId};
use super::input::{Enqueue, Output, Refusal};
use super::state::{Phase, vet};
use super::timeout::Alarm;
use super::{Acd, Call, Caller, Stand};

/// Number of queues that a call may be handed on to at one moment; after that it ends.
const HOPS: usize = 8;

/// The reason of an agent's pause whose page was lost in a call.
pub const LOST: &str = "lost";

impl Acd {
    pub(super) fn enqueue(&mut self, now: Time, new: Enqueue) {
        let Some(queue) = self.queues.get(&new.queue) else {
            return self.refuse(Refusal::UnknownQueue(new.queue));
        };
        if self.state.calls.contains_key(&new.call) {
            return self.refuse(Refusal::CallExists(new.call));
        }
        let came = new.came.map_or(now, |came| came.min(now));
        let vet = vet(came.as_micros(), new.priority, queue.boost);
        // Nobody waits for an agent who is not there.
        let sticky = new.sticky.filter(|agent| {
            self.agents.contains_key(agent) && self.agent_state(*agent).intent != Intent::Offline
        });
        self.record(
            now,
            Fact::Entered {
                call: new.call,
                queue: new.queue,
                priority: new.priority,
                requires: new.requires,
                sticky,
                vet,
            },
        );
        self.calls.insert(new.call, Call::new(now, false));
        self.admit(now, new.call);
    }

    /// A call comes to a queue: it waits there, or goes where the queue sends it.
    fn admit(&mut self, now: Time, id: CallId) {
        for _ in 0..HOPS {
            let Some(queue) = self.queue_of(id) else { return };
            match self.refused_by(now, queue) {
                None => {
                    self.begin_waiting(now, id);
                    return;
                }
                Some(why) => {
                    let closed = queue.closed.as_ref().filter(|_| why == OverflowCause::Closed);
                    let target = closed.unwrap_or(&queue.overflow).clone();
                    if !self.hand_on(now, id, &target, why) {
                        return;
                    }
                }
            }
        }
        self.depart(now, id, Target::HangUp, OverflowCause::Full);
    }

    fn refused_by(&self, now: Time, queue: &QueueConfig) -> Option<OverflowCause> {
        if queue.hours.as_ref().is_some_and(|hours| !hours.is_open(now)) {
            return Some(OverflowCause::Closed);
        }
        let waiting = self.lines.get(&queue.id).map_or(0, |line| line.len());
        if queue.max_length.is_some_and(|max| waiting >= max as usize) {
            return Some(OverflowCause::Full);
        }
        (queue.leave_when_empty && self.index.serving(queue.id) == 0).then_some(OverflowCause::Empty)
    }

    /// True when the call is in another queue now; otherwise it has left.
    fn hand_on(&mut self, now: Time, id: CallId, target: &Target, why: OverflowCause) -> bool {
        if let (Target::Queue(queue), Some(call)) = (target, self.state.calls.get(&id))
            && self.queues.contains_key(queue)
            && call.queue != *queue
        {
            let (priority, vet) = (call.priority, call.vet);
            self.record(
                now,
                Fact::Moved {
                    call: id,
                    queue: *queue,
                    why: Some(why),
                    priority,
                    vet,
                },
            );
            return true;
        }
        // A queue that is not there keeps nobody.
        let target = match target {
            Target::Queue(_) => Target::HangUp,
            other => other.clone(),
        };
        self.depart(now, id, target, why);
        false
    }

    fn depart(&mut self, now: Time, call: CallId, target: Target, why: OverflowCause) {
        self.leave(now, call, Departure::Overflowed(why, target.clone()), None);
        self.out.push_back(Output::Overflow { call, target, why });
    }

    /// A waiting call is kept no longer.
    pub(super) fn overflow(&mut self, now: Time, id: CallId, why: OverflowCause) {
        let Some(target) = self.queue_of(id).map(|queue| queue.overflow.clone()) else {
            return;
        };
        self.cancel_assignments(now, id);
        self.stop_waiting(id);
        if self.hand_on(now, id, &target, why) {
            self.admit(now, id);
        }
    }

    /// The last agent who served some queues signed out.
    pub(super) fn emptied(&mut self, now: Time, class: usize) {
        let empty: Vec<QueueId> = self
            .index
            .queues(class)
            .filter(|id| {
                self.queues.get(id).is_some_and(|queue| queue.leave_when_empty)
                    && self.index.serving(*id) == 0
            })
            .collect();
        for queue in empty {
            let waiting: Vec<CallId> = self.line(queue).collect();
            for call in waiting {
                if self.calls.get(&call).is_some_and(|call| !call.recovering) {
                    self.overflow(now, call, OverflowCause::Empty);
                }
            }
        }
    }

    /// Ends a call. `unanswered`: its departure if the caller talked to nobody.
    pub(super) fn ended(&mut self, now: Time, id: CallId, unanswered: Departure) {
        let (how, wrap_up) = match self.phase(id) {
            None => return self.refuse(Refusal::UnknownCall(id)),
            Some(Phase::Waiting | Phase::Connecting(_)) => (unanswered, None),
            Some(Phase::Connected { .. }) => (Departure::Completed, self.wrap_up(now, id)),
        };
        self.cancel_assignments(now, id);
        self.leave(now, id, how, wrap_up);
    }

    pub(super) fn leave(&mut self, now: Time, id: CallId, how: Departure, wrap_up: Option<Time>) {
        let agent = self.phase(id).and_then(Phase::agent);
        self.stop_waiting(id);
        for alarm in [Alarm::Connect(id), Alarm::CallGrace(id), Alarm::Recover(id)] {
            self.timers.cancel(alarm);
        }
        self.record(
            now,
            Fact::Left {
                call: id,
                how,
                wrap_up,
            },
        );
        self.calls.remove(&id);
        if let Some(agent) = agent {
            self.freed(now, agent);
        }
    }

    pub(super) fn cancel_assignments(&mut self, now: Time, id: CallId) {
        let assignments: Vec<AssignmentId> = self
            .calls
            .get(&id)
            .map(|call| call.assignments.iter().copied().collect())
            .unwrap_or_default();
        for assignment in assignments {
            self.end_assignment(now, assignment, AssignmentEnd::Cancelled, false);
        }
    }

    fn phase(&self, call: CallId) -> Option<Phase> {
        self.state.calls.get(&call).map(|call| call.phase)
    }

    pub(super) fn queue_of(&self, call: CallId) -> Option<&QueueConfig> {
        self.queues.get(&self.state.calls.get(&call)?.queue)
    }
}

impl Call {
    pub(super) fn new(now: Time, recovering: bool) -> Call {
        Call {
            assignments: std::collections::BTreeSet::new(),
            stand: Stand::Nowhere,
            waits_since: now,
            wants_more: false,
            recovering,
            caller: Caller::Heard,
        }
    }
}
