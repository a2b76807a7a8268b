//! Calls of queues, with everything by which an event or a deadline finds one: legs, sessions, assignments, takeovers, and records
//! that wait for legs. Only here do calls and their index change, so that they agree.

use std::collections::BTreeMap;

use call_engine::acd::{AgentId, AssignmentId, CallId, Fact, Phase, QueueId};
use sans_io::{Deadline, Time, Timers};
use session_core::{CallRecord, Coordinator, LegId, SessionId};

use super::call::{self, Call};
use super::directory::Directory;
use super::history;
use super::journal::Ended;
use super::legs::{Legs, Role};
use super::numbers::CallNumbers;
use super::open_records::OpenRecords;
use super::publisher::Publisher;
use super::view::{CallerVerification, RecordLeg};

/// Calls up to which debug builds compare them with the index of their legs after each step.
const CHECKED: usize = 20;

/// Calls of queues and their index.
#[derive(Default)]
pub(super) struct Calls {
    calls: BTreeMap<CallId, Call>,
    legs: Legs,
    /// Records that wait for the last of their legs.
    open_records: OpenRecords,
    numbers: CallNumbers,
    /// Times at which colleagues take calls over, as the calls say.
    takeovers: Timers<CallId>,
}

/// Everything that a call works with besides the calls and their index.
pub(super) struct Surroundings<'a> {
    pub(super) now: Time,
    /// Phase of the call in the engine, before it learns of this step.
    pub(super) phase: Option<Phase>,
    pub(super) coordinator: &'a mut Coordinator,
    pub(super) directory: &'a Directory,
    pub(super) publisher: &'a mut Publisher,
}

impl Calls {
    /// A number that no call has had.
    pub(super) fn next_number(&mut self, now: Time) -> CallId {
        self.numbers.next(now)
    }

    /// Adds a call, whose legs are still to be indexed by an action of it.
    pub(super) fn insert(&mut self, id: CallId, call: Call) {
        self.calls.insert(id, call);
    }

    pub(super) fn get(&self, id: CallId) -> Option<&Call> {
        self.calls.get(&id)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Call> {
        self.calls.values()
    }

    /// Calls that an agent has, or had before a restart.
    pub(super) fn of_agent(&self, agent: AgentId) -> impl Iterator<Item = CallId> {
        let theirs = self.calls.iter();
        let theirs = theirs.filter(move |(_, call)| call.agent() == Some(agent));
        theirs.map(|(id, _)| *id)
    }

    /// Lets a call act; `None`: there is no such call.
    pub(super) fn act<T>(
        &mut self,
        id: CallId,
        around: Surroundings<'_>,
        act: impl FnOnce(&mut Call, &mut call::Context<'_>) -> T,
    ) -> Option<T> {
        let call = self.calls.get_mut(&id)?;
        let mut context = call::Context {
            id,
            now: around.now,
            phase: around.phase,
            coordinator: around.coordinator,
            directory: around.directory,
            legs: &mut self.legs,
            open_records: &mut self.open_records,
            numbers: &mut self.numbers,
            publisher: around.publisher,
        };
        let done = act(call, &mut context);
        match call.takeover() {
            Some(at) => self.takeovers.set(id, at, "a colleague takes over"),
            None => {
                self.takeovers.cancel(id);
            }
        }
        Some(done)
    }

    /// Applies what the engine decided. Returns the queue that a call left, if it went to another one.
    pub(super) fn apply(&mut self, fact: &Fact) -> Option<QueueId> {
        match fact {
            // A call from before a restart may not be here yet.
            Fact::Connected { call } | Fact::Held { call, .. } | Fact::Moved { call, .. } => {
                self.calls.get_mut(call)?.apply(fact)
            }
            _ => None,
        }
    }

    /// Gives a call another number. Returns it, with the facts for the record under the one before.
    pub(super) fn renumber(&mut self, now: Time, from: CallId) -> Option<(CallId, Ended)> {
        let call = self.calls.remove(&from)?;
        let so_far = call.so_far();
        let to = self.numbers.next(now);
        self.takeovers.cancel(from);
        self.legs.renumber(from, to);
        self.open_records.renumber(from, to);
        self.calls.insert(to, call);
        Some((to, so_far))
    }

    /// Forgets a call whose session is over, and all of its legs.
    pub(super) fn remove(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.legs.forget(id);
        self.takeovers.cancel(id);
        Some(call)
    }

    /// Takes the verdict on the caller of a call. True if it is news.
    pub(super) fn set_verification(&mut self, id: CallId, verification: CallerVerification) -> bool {
        let Some(call) = self.calls.get_mut(&id) else {
            return false;
        };
        // The verdict that a call came with is known already.
        let is_new = call.from().verification.as_ref() != Some(&verification);
        if is_new {
            call.set_verification(verification);
        }
        is_new
    }

    /// Checks, in debug builds, that calls and their index agree.
    pub(super) fn check(&self) {
        if cfg!(debug_assertions) && self.calls.len() <= CHECKED {
            let broken = self.legs.broken(&self.calls);
            debug_assert!(broken.is_none(), "calls and their index disagree: {broken:?}");
        }
    }
}

/// The index of legs, sessions and assignments.
impl Calls {
    pub(super) fn legs(&self) -> &Legs {
        &self.legs
    }

    pub(super) fn role(&self, leg: LegId) -> Option<&Role> {
        self.legs.role(leg)
    }

    pub(super) fn has_leg(&self, leg: LegId) -> bool {
        self.legs.has(leg)
    }

    /// Call whose agent has one of these legs.
    pub(super) fn of_agent_leg(&self, legs: &[LegId]) -> Option<CallId> {
        legs.iter().find_map(|leg| match self.legs.role(*leg) {
            Some(Role::Agent(call)) => Some(*call),
            _ => None,
        })
    }

    pub(super) fn of_session(&self, session: SessionId) -> Option<CallId> {
        self.legs.call_of_session(session)
    }

    pub(super) fn of_assignment(&self, assignment: AssignmentId) -> Option<CallId> {
        self.legs.call_of_assignment(assignment)
    }

    /// Moves the role of an invitation to the leg that answered it.
    pub(super) fn answered(&mut self, invitation: LegId, leg: LegId) -> Option<Role> {
        self.legs.answered(invitation, leg)
    }

    /// Removes a leg that is over from the index.
    pub(super) fn remove_leg(&mut self, leg: LegId) -> Option<Role> {
        self.legs.remove(leg)
    }

    /// Removes a session that is over from the index.
    pub(super) fn remove_session(&mut self, session: SessionId) -> Option<CallId> {
        self.legs.remove_session(session)
    }

    /// Removes an assignment that is over from the index.
    pub(super) fn remove_assignment(&mut self, assignment: AssignmentId) -> Option<CallId> {
        self.legs.remove_assignment(assignment)
    }
}

/// Records that wait for the last of their legs.
impl Calls {
    /// True while legs of this session belong to the record of a call.
    pub(super) fn has_record_of(&self, session: SessionId) -> bool {
        self.open_records.has(session)
    }

    /// A session is over in which an agent asked somebody. Returns the call whose record waited for it alone.
    pub(super) fn aside_ended(
        &mut self,
        session: SessionId,
        record: &CallRecord,
        directory: &Directory,
    ) -> Option<(CallId, Ended)> {
        let legs = history::legs(directory, record);
        self.open_records.session_ended(session, legs)
    }

    /// A session went into another one, and its legs are in the record of that. Returns the call whose record waited for it alone.
    pub(super) fn aside_joined(&mut self, session: SessionId) -> Option<(CallId, Ended)> {
        self.open_records.joined(session)
    }

    /// The session of a call that was [removed](Calls::remove) is over. Returns the facts with all legs, unless another session of the
    /// call is not over yet.
    pub(super) fn call_ended(
        &mut self,
        id: CallId,
        call: Call,
        (record, legs): (&CallRecord, Vec<RecordLeg>),
    ) -> Option<Ended> {
        let ended = call.into_ended(record, legs);
        self.open_records.call_ended(id, ended)
    }
}

/// Takeovers: a colleague gets a three-way call whose agent's page does not come back.
impl Calls {
    /// Time at which the next call is to be taken over.
    pub(super) fn deadline(&self) -> Deadline {
        self.takeovers.next()
    }

    /// Next call that a colleague takes over now.
    pub(super) fn pop_takeover(&mut self, now: Time) -> Option<CallId> {
        let id = self.takeovers.pop_due(now)?;
        if let Some(call) = self.calls.get_mut(&id) {
            call.takeover_begins();
        }
        Some(id)
    }
}
