//! The events that one subscriber is sent, in order: a snapshot, or everything since it was cut off, then
//! every change with its number. Changes that it may not see come as numbers alone, so that a gap differs
//! from a secret.
//!
//! Permission is checked when a change is sent: a queue that an agent serves from now on comes whole with its
//! next change.

use serde::Serialize;

use super::super::agent::DirectoryEntry;
use super::super::sign_in::Me;
use crate::auth::Principal;
use crate::centre::event_stream::{Event, EventStream, TooOld, View};
use crate::centre::view::{Agent, Assignment, Call, Change, Moment, Queue};
use crate::service::rights::{
    sees_agent, sees_assignment, sees_call, sees_queue, sees_record, shown_call, shown_record,
};

/// Position of a subscriber. One that has not subscribed, or was told to start again, is sent nothing.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// Number of the last change that was sent.
    at: Option<u64>,
}

/// Everything that a subscriber may see, at one number.
#[derive(Serialize)]
struct Snapshot<'a> {
    r#type: &'static str,
    seq: u64,
    time: Moment,
    data: SnapshotData<'a>,
}

#[derive(Serialize)]
struct SnapshotData<'a> {
    me: &'a Me,
    agents: Vec<AgentSeen>,
    queues: Vec<QueueSeen>,
    calls: Vec<Call>,
    #[serde(rename = "offers")]
    assignments: Vec<Assignment>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AgentSeen {
    Whole(Box<Agent>),
    Entry(DirectoryEntry),
}

#[derive(Serialize)]
#[serde(untagged)]
enum QueueSeen {
    Whole(Box<Queue>),
    Entry(DirectoryEntry),
}

/// A change that comes as what the directory shows.
#[derive(Serialize)]
struct Reduced {
    seq: u64,
    time: Moment,
    r#type: &'static str,
    data: DirectoryEntry,
}

#[derive(Serialize)]
struct Hidden {
    seq: u64,
}

impl Feed {
    /// True if it has subscribed, and was not told to start again since.
    pub(super) fn is_live(&self) -> bool {
        self.at.is_some()
    }

    /// Sent nothing until it subscribes again.
    pub(super) fn stop(&mut self) {
        self.at = None;
    }

    /// Everything now; changes follow from there.
    pub(super) fn snapshot(
        &mut self,
        stream: &EventStream,
        who: &Principal,
        me: &Me,
        time: Moment,
    ) -> String {
        // Copied under the lock, written after it.
        let (seq, data) = stream.read(|view| (view.seq, seen(view, who, me)));
        self.at = Some(seq);
        json(&Snapshot {
            r#type: "snapshot",
            seq,
            time,
            data,
        })
    }

    /// Goes on after `seq`.
    ///
    /// # Errors
    /// [`TooOld`] when that cannot be without a gap.
    pub(super) fn resume(&mut self, stream: &EventStream, seq: u64) -> Result<(), TooOld> {
        stream.since(seq, 1)?;
        self.at = Some(seq);
        Ok(())
    }

    /// The next changes, at most `limit`.
    ///
    /// # Errors
    /// [`TooOld`] when the subscriber reads too slowly: what comes next is not kept any longer.
    pub(super) fn next(
        &mut self,
        stream: &EventStream,
        who: &Principal,
        limit: usize,
    ) -> Result<Vec<String>, TooOld> {
        let Some(at) = self.at else {
            return Ok(Vec::new());
        };
        let events = stream.since(at, limit)?;
        if let Some(last) = events.last() {
            self.at = Some(last.seq);
        }
        if who.sees_all() {
            return Ok(events.iter().map(|event| json(&**event)).collect());
        }
        Ok(stream.read(|view| events.iter().map(|event| as_seen(view, who, event)).collect()))
    }
}

fn seen<'a>(view: &View, who: &Principal, me: &'a Me) -> SnapshotData<'a> {
    let agents = view.agents.values().map(|agent| {
        if sees_agent(who, agent) {
            AgentSeen::Whole(Box::new(agent.clone()))
        } else {
            AgentSeen::Entry(agent.into())
        }
    });
    let queues = view.queues.values().map(|queue| {
        if sees_queue(view, who, &queue.id) {
            QueueSeen::Whole(Box::new(queue.clone()))
        } else {
            QueueSeen::Entry(queue.into())
        }
    });
    SnapshotData {
        me,
        agents: agents.collect(),
        queues: queues.collect(),
        calls: view
            .calls
            .values()
            .filter(|call| sees_call(who, call))
            .map(|call| shown_call(view, who, call))
            .collect(),
        assignments: view
            .assignments
            .values()
            .filter(|assignment| sees_assignment(who, &assignment.agent))
            .cloned()
            .collect(),
    }
}

fn as_seen(view: &View, who: &Principal, event: &Event) -> String {
    let is_seen = match &event.change {
        Change::Agent(agent) if !sees_agent(who, agent) => {
            return reduced(event, "agent.changed", agent.into());
        }
        Change::Queue(queue) if !sees_queue(view, who, &queue.id) => {
            return reduced(event, "queue.changed", queue.into());
        }
        Change::Call(call) if sees_call(who, call) => {
            return json(&Event {
                change: Change::Call(shown_call(view, who, call)),
                ..event.clone()
            });
        }
        Change::Call(_) => false,
        Change::CallEnded { id, record } if sees_record(who, record) => {
            let (id, record) = (id.clone(), shown_record(who, record));
            return json(&Event {
                change: Change::CallEnded { id, record },
                ..event.clone()
            });
        }
        Change::CallEnded { .. }
        | Change::CallJoined { .. }
        | Change::EmergencyCall { .. }
        | Change::Trunk(_) => false,
        Change::RecordingStarted(recording)
        | Change::RecordingPaused(recording)
        | Change::RecordingResumed(recording)
        | Change::RecordingSaved(recording) => {
            let call = recording.call.as_ref().and_then(|id| view.calls.get(id));
            who.sees_all() || call.is_some_and(|call| sees_call(who, call))
        }
        Change::Logged { record } => sees_record(who, record),
        Change::AssignmentMade(assignment) => sees_assignment(who, &assignment.agent),
        Change::AssignmentEnded { agent, .. } => sees_assignment(who, agent),
        Change::Agent(_)
        | Change::Queue(_)
        | Change::AgentRemoved { .. }
        | Change::QueueRemoved { .. }
        | Change::Config { .. } => true,
    };
    if is_seen {
        json(event)
    } else {
        json(&Hidden { seq: event.seq })
    }
}

fn reduced(event: &Event, r#type: &'static str, data: DirectoryEntry) -> String {
    json(&Reduced {
        seq: event.seq,
        time: event.time,
        r#type,
        data,
    })
}

fn json<T: Serialize>(value: &T) -> String {
    // Fails for no value of ours: a time far outside of the calendar would, and its event is then sent as nothing.
    serde_json::to_string(value).unwrap_or_default()
}
