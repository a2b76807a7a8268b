//! Legs of the call centre: what each is for, and the call that it belongs to.

use std::collections::BTreeMap;

use call_engine::acd::{AssignmentId, CallId};
use session_core::{LegId, SessionId};

use super::call::Call;

/// Purpose of a leg or of an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The caller.
    Caller(CallId),
    /// Phone of an agent whom the engine assigned the call.
    Assignment(AssignmentId),
    /// The agent who has the call.
    Agent(CallId),
    /// New page of the agent whose page is gone.
    Recall(CallId),
    /// Party that the agent consults.
    Consulted(CallId),
    /// Somebody who joined.
    Other(CallId),
    /// Supervisor, by name.
    Supervisor(CallId, String),
    /// Party outside that the caller is forwarded to.
    Forwarded(CallId),
}

/// Index of legs, sessions and assignments by which an event finds its call.
#[derive(Debug, Default)]
pub(super) struct Legs {
    roles: BTreeMap<LegId, Role>,
    sessions: BTreeMap<SessionId, CallId>,
    assignments: BTreeMap<AssignmentId, CallId>,
}

impl Role {
    fn call_mut(&mut self) -> Option<&mut CallId> {
        match self {
            Role::Assignment(_) => None,
            Role::Caller(call)
            | Role::Agent(call)
            | Role::Recall(call)
            | Role::Consulted(call)
            | Role::Other(call)
            | Role::Supervisor(call, _)
            | Role::Forwarded(call) => Some(call),
        }
    }

    /// Call of the leg; an assignment has its own index.
    pub(super) fn call(&self) -> Option<CallId> {
        self.clone().call_mut().copied()
    }
}

impl Legs {
    pub(super) fn role(&self, leg: LegId) -> Option<&Role> {
        self.roles.get(&leg)
    }

    pub(super) fn has(&self, leg: LegId) -> bool {
        self.roles.contains_key(&leg)
    }

    pub(super) fn set(&mut self, leg: LegId, role: Role) {
        self.roles.insert(leg, role);
    }

    pub(super) fn remove(&mut self, leg: LegId) -> Option<Role> {
        self.roles.remove(&leg)
    }

    /// Moves the role of an invitation to the leg that answered it.
    pub(super) fn answered(&mut self, invitation: LegId, leg: LegId) -> Option<Role> {
        let role = self.roles.remove(&invitation)?;
        self.roles.insert(leg, role.clone());
        Some(role)
    }

    pub(super) fn call_of_session(&self, session: SessionId) -> Option<CallId> {
        self.sessions.get(&session).copied()
    }

    pub(super) fn set_session(&mut self, session: SessionId, call: CallId) {
        self.sessions.insert(session, call);
    }

    pub(super) fn remove_session(&mut self, session: SessionId) -> Option<CallId> {
        self.sessions.remove(&session)
    }

    pub(super) fn call_of_assignment(&self, assignment: AssignmentId) -> Option<CallId> {
        self.assignments.get(&assignment).copied()
    }

    /// Records that a phone rings for an assignment.
    pub(super) fn assign(&mut self, assignment: AssignmentId, call: CallId, leg: LegId) {
        self.assignments.insert(assignment, call);
        self.roles.insert(leg, Role::Assignment(assignment));
    }

    pub(super) fn remove_assignment(&mut self, assignment: AssignmentId) -> Option<CallId> {
        self.assignments.remove(&assignment)
    }

    /// Gives everything of a call to its next number.
    pub(super) fn renumber(&mut self, from: CallId, to: CallId) {
        let roles = self.roles.values_mut().filter_map(Role::call_mut);
        for call in roles
            .chain(self.sessions.values_mut())
            .filter(|call| **call == from)
        {
            *call = to;
        }
    }

    /// Forgets the legs of a call that is over.
    pub(super) fn forget(&mut self, call: CallId) {
        self.roles.retain(|_, role| role.call() != Some(call));
    }

    /// The first leg or session of which the index says something else than its call, if any.
    pub(super) fn broken(&self, calls: &BTreeMap<CallId, Call>) -> Option<String> {
        let agrees = |leg: &LegId, role: &Role| {
            let id = match role {
                Role::Assignment(offer) => self.call_of_assignment(*offer),
                role => role.call(),
            };
            let call = id.and_then(|id| calls.get(&id));
            call.is_some_and(|call| call.has_leg(*leg, role))
        };
        let leg = self.roles.iter().find(|(leg, role)| !agrees(leg, role));
        let session = self.sessions.iter().find(|(session, id)| {
            let call = calls.get(id);
            !call.is_some_and(|call| call.has_session(**session))
        });
        let leg = leg.map(|leg| format!("{leg:?}"));
        leg.or_else(|| session.map(|session| format!("{session:?}")))
    }
}
