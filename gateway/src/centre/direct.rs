//! Direct calls, which came through no queue: live for pages and programs, and recorded when they are over.

mod project;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use call_engine::acd::CallId;
use sans_io::{Deadline, Time};
use session_core::{CallRecord, CallState, Coordinator, IncomingCall, SessionId, Source};

use super::command::By;
use super::directory::Directory;
use super::ids;
use super::publisher::Publisher;
use super::view::{Call, CallKind, CallerVerification, Change, Moment, Parking, Party};
pub(super) use record::{lost, mos};

/// Time for which changes of direct calls are gathered: a call that rings, is answered and bridged at once is published once.
const GATHER: Duration = Duration::from_millis(30);

/// Direct calls that are live.
#[derive(Debug, Default)]
pub(super) struct DirectCalls {
    calls: BTreeMap<SessionId, DirectCall>,
    /// Calls about which something may be new.
    changed: BTreeSet<SessionId>,
    /// Time at which they are published.
    due: Option<Time>,
}

/// Facts about a call as it arrived.
#[derive(Debug)]
struct DirectCall {
    id: CallId,
    kind: CallKind,
    from: Party,
    /// User, number or name that was dialled.
    to: String,
    /// Users of the gateway at both ends.
    users: Ends,
    entered: Time,
    /// Slot in which it is parked.
    parked: Option<Parking>,
    /// The call as it was published last.
    published: Option<Call>,
}

/// Users who call and are called.
#[derive(Clone, Debug, Default)]
struct Ends {
    caller: Option<String>,
    called: Option<String>,
}

/// Everything that direct calls work with, and own none of.
pub(super) struct Context<'a> {
    pub(super) now: Time,
    pub(super) coordinator: &'a Coordinator,
    pub(super) directory: &'a Directory,
    pub(super) publisher: &'a mut Publisher,
}

/// A call that the dial plan leads to no queue.
#[derive(Debug)]
pub struct Arrived<'a> {
    /// Its session.
    pub session: SessionId,
    /// Caller and number.
    pub call: &'a IncomingCall,
    /// Kind of call.
    pub kind: CallKind,
    /// User that it is for.
    pub called: Option<String>,
}

impl DirectCalls {
    /// Time at which changes are published.
    pub(super) fn deadline(&self) -> Deadline {
        self.due.map(|due| (due, "direct calls"))
    }

    /// Marks a call as one about which something may be new.
    pub(super) fn changed(&mut self, now: Time, session: SessionId) {
        if self.calls.contains_key(&session) && self.changed.insert(session) {
            self.due.get_or_insert(now + GATHER);
        }
    }

    /// Calls to look at now.
    fn take_due(&mut self, now: Time) -> BTreeSet<SessionId> {
        match self.due {
            Some(due) if due <= now => {
                self.due = None;
                std::mem::take(&mut self.changed)
            }
            _ => BTreeSet::new(),
        }
    }

    /// Forgets a call that a queue takes; returns its id, which the queue's call keeps.
    pub(super) fn hand_over(&mut self, session: SessionId) -> Option<CallId> {
        self.calls.remove(&session).map(|call| call.id)
    }

    /// The session of the call with this id, if the sender may end it: agents hang up in their phones.
    pub(super) fn to_hang_up(&self, by: &By, id: &str) -> Option<SessionId> {
        let id = match by {
            By::Gateway | By::Supervisor(_) => ids::read_call(id)?,
            By::Agent(_) => return None,
        };
        let mut calls = self.calls.iter();
        calls.find(|(_, call)| call.id == id).map(|(session, _)| *session)
    }

    /// Id of the call in this session.
    pub(super) fn id_of(&self, session: SessionId) -> Option<CallId> {
        self.calls.get(&session).map(|call| call.id)
    }

    /// Takes note of a call that came through no queue, under this id.
    pub(super) fn arrived(&mut self, id: CallId, arrived: Arrived<'_>, cx: &Context<'_>) {
        let Arrived {
            session,
            call,
            kind,
            called,
        } = arrived;
        let caller = match &call.source {
            Source::User(user) => Some(user.clone()),
            Source::Trunk(_) | Source::Anyone => None,
        };
        let person = caller.as_ref().and_then(|name| cx.directory.person(name));
        let from = Party {
            number: caller.clone().unwrap_or_else(|| call.from.clone()),
            display: person.map_or_else(|| call.display.clone(), |person| person.display.clone()),
            ..Party::calling(call)
        };
        let direct = DirectCall {
            id,
            kind,
            from,
            to: called.clone().unwrap_or_else(|| call.to.clone()),
            users: Ends { caller, called },
            entered: cx.now,
            parked: None,
            published: None,
        };
        self.calls.insert(session, direct);
        self.changed(cx.now, session);
    }

    /// Notes the verdict on the caller of a call.
    pub(super) fn verified(&mut self, now: Time, session: SessionId, verification: CallerVerification) {
        if let Some(call) = self.calls.get_mut(&session) {
            call.from.verification = Some(verification);
            self.changed(now, session);
        }
    }

    /// Takes note of where a call is parked; `None`: it is no longer.
    pub(super) fn park(&mut self, now: Time, session: SessionId, parking: Option<Parking>) {
        if let Some(call) = self.calls.get_mut(&session) {
            call.parked = parking;
            self.changed(now, session);
        }
    }

    /// Publishes that a user calls the emergency services: user, number, and the number that is shown to them.
    pub(super) fn emergency(
        &self,
        session: SessionId,
        (user, number, shown): (&str, &str, &str),
        cx: &mut Context<'_>,
    ) {
        let Some(id) = self.id_of(session) else {
            debug_assert!(false, "an emergency call is a direct call");
            return;
        };
        let person = cx.directory.person(user);
        let call = Change::EmergencyCall {
            call: ids::call(id),
            user: person.map_or_else(|| user.to_owned(), |person| person.name.clone()),
            number: number.to_owned(),
            shown: shown.to_owned(),
            at: Moment(cx.now),
        };
        cx.publisher.change(cx.now, call);
    }

    /// Publishes the calls that changed, once it is time.
    pub(super) fn publish(&mut self, cx: &mut Context<'_>) {
        for session in self.take_due(cx.now) {
            // One that is over since is in its record.
            if let Some(call) = self.calls.get_mut(&session) {
                call.publish(session, cx);
            }
        }
    }

    /// Records a call that is over.
    pub(super) fn ended(&mut self, session: SessionId, call: &CallRecord, cx: &mut Context<'_>) {
        // Every other call that ends is a queue's.
        let Some(direct) = self.calls.remove(&session) else {
            return;
        };
        let ended = Change::CallEnded {
            id: ids::call(direct.id),
            record: direct.into_record(call, cx.directory),
        };
        cx.publisher.change(cx.now, ended);
    }

    /// A call went on in another one, which may be `queued`: it is no more, and its legs are in the other's record.
    pub(super) fn joined(
        &mut self,
        guest: SessionId,
        (into, queued): (SessionId, Option<CallId>),
        cx: &mut Context<'_>,
    ) {
        // The session of a consultation is no call of its own.
        let Some(direct) = self.calls.remove(&guest) else {
            return;
        };
        let host = self.id_of(into).or(queued);
        let joined = Change::CallJoined {
            id: ids::call(direct.id),
            into: host.map(ids::call),
        };
        cx.publisher.change(cx.now, joined);
        self.changed(cx.now, into);
    }
}

impl DirectCall {
    /// Publishes the call if anything about it or its legs is new.
    fn publish(&mut self, session: SessionId, cx: &mut Context<'_>) {
        let live = cx.coordinator.find_session(session);
        // One that ends is published with its record.
        let Some(live) = live.filter(|live| live.state != CallState::Ending) else {
            return;
        };
        let legs = cx.coordinator.legs_in(session);
        let call = self.project(cx.now, &live, &legs, cx.directory);
        if self.published.as_ref() != Some(&call) {
            cx.publisher.change(cx.now, Change::Call(call.clone()));
            self.published = Some(call);
        }
    }
}
