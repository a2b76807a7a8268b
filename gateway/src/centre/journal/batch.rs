//! Batches on their way to the journal: everything that one step of the signalling task leads to.

use std::collections::BTreeMap;
use std::sync::Arc;

use call_engine::acd::metrics::Finished;
use call_engine::acd::{self, CallId};
use sans_io::Time;
use session_core::{CallRecord, SavedLeg};
use tokio::sync::oneshot;

use super::super::command::Refused;
use super::super::directory::Directory;
use super::super::view::{AgentNotes, Change, HungUpBy, Party, RecordForwarding, RecordLeg};
use crate::call_log::{hung_up_by, reason};

/// Events of one step of the signalling task.
#[derive(Debug, Default)]
pub struct Batch {
    /// Records of the engine's log.
    pub records: Vec<acd::Record>,
    /// Changes to publish, in order.
    pub changes: Vec<(Time, Change)>,
    /// Calls that the engine let go of.
    pub finished: Vec<Finished>,
    /// Calls whose session is over: what the log does not know of them.
    pub ended: BTreeMap<CallId, Ended>,
    /// Legs of callers to be kept; `None`: removed.
    pub legs: BTreeMap<CallId, Option<SavedLeg>>,
    /// Replies to send once all that is durable.
    pub answers: Vec<Answer>,
    /// Staff and queues from this batch on, if they changed.
    pub directory: Option<Arc<Directory>>,
}

/// Reply to a command.
#[derive(Debug)]
pub struct Answer {
    /// Waiting for the reply.
    pub reply: oneshot::Sender<Result<(), Refused>>,
    /// Result of the command.
    pub result: Result<(), Refused>,
}

/// Facts about a call that the log does not have.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// The caller.
    pub from: Party,
    /// Number or name that was dialled.
    pub to: String,
    /// Forwardings on its way, in order.
    pub forwarded: Vec<RecordForwarding>,
    /// Final SIP status of the caller's session.
    pub code: Option<u16>,
    /// Reason of the end, in words.
    pub reason: Option<String>,
    /// Side that hung up.
    pub hung_up_by: Option<HungUpBy>,
    /// Legs in the order in which they began.
    pub legs: Vec<RecordLeg>,
    /// Notes of agents.
    pub notes: Vec<AgentNotes>,
    /// Disposition that the last of them chose.
    pub disposition: Option<String>,
}

impl Ended {
    /// Facts of a call whose session is over, and its legs.
    #[must_use]
    pub fn new(from: Party, to: String, record: &CallRecord, legs: Vec<RecordLeg>) -> Ended {
        Ended {
            from,
            to,
            forwarded: record.forwarded.iter().map(RecordForwarding::from).collect(),
            code: Some(record.code.get()),
            reason: Some(reason(record)),
            hung_up_by: hung_up_by(record),
            legs,
            ..Ended::default()
        }
    }

    /// Adds legs of other sessions that belong to the call.
    pub(in crate::centre) fn add_legs(&mut self, legs: Vec<RecordLeg>) {
        if legs.is_empty() {
            return;
        }
        self.legs.extend(legs);
        self.legs
            .sort_by_key(|leg| (leg.began_at.is_none(), leg.began_at.map(|at| at.0)));
    }
}

impl Batch {
    /// Adds a change to be published.
    pub fn change(&mut self, now: Time, change: Change) {
        self.changes.push((now, change));
    }

    /// Somebody waits for an answer, or a caller of a queue would lose the place if the gateway ended now.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        !self.answers.is_empty() || !self.legs.is_empty() || !self.records.is_empty()
    }

    /// Nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.changes.is_empty()
            && self.finished.is_empty()
            && self.ended.is_empty()
            && self.legs.is_empty()
            && self.answers.is_empty()
            && self.directory.is_none()
    }
}
