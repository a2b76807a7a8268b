//! Rights: what a user or an API key may see and do.

use crate::auth::{Principal, Role, Scope};
use crate::centre::command::By;
use crate::centre::event_stream::View;
use crate::centre::view::{Agent, Call, Mode, Participant, ParticipantKind, Record};

/// True for whoever may act on agents and calls of others.
#[must_use]
pub fn supervises(principal: &Principal) -> bool {
    principal.is(Role::Supervisor) || principal.is(Role::Admin) || principal.has(Scope::Control)
}

/// True for whoever may act on calls: an agent on its own.
#[must_use]
pub fn operates(principal: &Principal) -> bool {
    principal.is(Role::Agent) || supervises(principal)
}

/// True for whoever may see calls: an agent its own.
#[must_use]
pub fn reads_calls(principal: &Principal) -> bool {
    principal.is(Role::Agent) || principal.sees_all()
}

/// True for whoever may configure.
#[must_use]
pub fn configures(principal: &Principal) -> bool {
    principal.is(Role::Admin) || principal.has(Scope::Configure)
}

/// Capacity in which somebody acts on a call: on its own as its agent, on another as a supervisor.
#[must_use]
pub fn acts_as(view: &View, principal: &Principal, call: &str) -> By {
    let call = view.calls.get(call);
    let is_own = call.is_some_and(|call| call.agent.as_deref() == Some(principal.id.as_str()));
    if principal.is(Role::Agent) && (is_own || !supervises(principal)) {
        By::Agent(principal.id.clone())
    } else {
        By::Supervisor(principal.id.clone())
    }
}

/// True for an agent that somebody sees in full: supervisors see all, an agent itself.
#[must_use]
pub fn sees_agent(who: &Principal, agent: &Agent) -> bool {
    who.sees_all() || agent.id == who.id
}

/// True for a queue that somebody sees in full: agents see those that they serve.
#[must_use]
pub fn sees_queue(view: &View, who: &Principal, queue: &str) -> bool {
    let serves = |agent: &Agent| agent.queues.iter().any(|id| id == queue);
    who.sees_all() || view.agents.get(&who.id).is_some_and(serves)
}

/// True for a call that somebody sees: agents see those that they have, are consulted about, or joined.
#[must_use]
pub fn sees_call(who: &Principal, call: &Call) -> bool {
    who.sees_all() || call.agent.as_deref() == Some(who.id.as_str()) || call.joined.contains(&who.id)
}

/// True for an assignment to `agent` that somebody sees.
#[must_use]
pub fn sees_assignment(who: &Principal, agent: &str) -> bool {
    who.sees_all() || agent == who.id
}

/// True for a record that somebody sees: agents see those of calls that they had.
#[must_use]
pub fn sees_record(who: &Principal, record: &Record) -> bool {
    who.sees_all() || record.agents.iter().any(|agent| agent.id == who.id)
}

/// A record as somebody may see it: legs of supervisors who only listened are hidden from agents.
#[must_use]
pub fn shown_record(who: &Principal, record: &Record) -> Record {
    let mut record = record.clone();
    if !who.sees_all() {
        record.legs.retain(|leg| leg.mode != Mode::Listen);
    }
    record
}

/// A call as somebody may see it: supervisors who only listen are hidden from agents of a queue with silent monitoring.
#[must_use]
pub fn shown_call(view: &View, who: &Principal, call: &Call) -> Call {
    let mut call = call.clone();
    let queue = call.queue.as_ref().and_then(|queue| view.queues.get(&queue.id));
    if !who.sees_all() && queue.is_some_and(|queue| queue.silent_monitoring) {
        call.legs.retain(|leg| leg.mode != Mode::Listen);
        let listens =
            |party: &Participant| party.kind == ParticipantKind::Supervisor && party.mode == Mode::Listen;
        call.parties.retain(|party| !listens(party));
    }
    call
}
