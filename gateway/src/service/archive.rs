//! Calls that are over, and what agents noted of calls.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sans_io::Time;

use crate::centre::event_stream::Event;
use crate::centre::view::{AgentName, AgentNotes, Change, Record, RecordKind};
use crate::store::Meter;

/// Answer of an archive.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send + 'a>>;

/// Nothing can be kept or looked up just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("records cannot be kept or looked up just now")
    }
}

impl std::error::Error for Unavailable {}

/// Kinds of records to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kinds {
    /// Every call, in a queue or not, once.
    #[default]
    Calls,
    /// Callers of queues.
    Queue,
    /// Calls of queues that agents were assigned and did not take.
    Missed,
    /// Calls that came through no queue.
    Direct,
    /// All of them.
    All,
}

impl Kinds {
    /// First four letters of the ids of these records.
    #[must_use]
    pub const fn prefixes(self) -> &'static [&'static str] {
        match self {
            Kinds::Calls => &["rec_", "dir_"],
            Kinds::Queue => &["rec_"],
            Kinds::Missed => &["mis_"],
            Kinds::Direct => &["dir_"],
            Kinds::All => &["rec_", "dir_", "mis_"],
        }
    }

    fn takes(self, kind: RecordKind) -> bool {
        match self {
            Kinds::Calls => kind != RecordKind::Missed,
            Kinds::Queue => kind == RecordKind::Queue,
            Kinds::Missed => kind == RecordKind::Missed,
            Kinds::Direct => !matches!(kind, RecordKind::Queue | RecordKind::Missed),
            Kinds::All => true,
        }
    }
}

/// Selection of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Kinds of records.
    pub kinds: Kinds,
    /// Only calls that the agent with this id had.
    pub agent: Option<String>,
    /// Only calls of the queue with this id.
    pub queue: Option<String>,
    /// Only calls whose caller's number contains this.
    pub caller: Option<String>,
    /// Only calls that arrived then or later.
    pub from: Option<Time>,
    /// Only calls that arrived before then.
    pub until: Option<Time>,
    /// Only records after the one with this id, in the order of the list.
    pub before: Option<String>,
    /// Maximum number of records.
    pub limit: usize,
}

/// Notes of an agent about a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// Disposition; `None`: unchanged.
    pub disposition: Option<String>,
    /// In words; `None`: as it was.
    pub notes: Option<String>,
}

/// Storage of calls that are over.
pub trait Archive: Send + Sync {
    /// Records, newest first.
    fn records<'a>(&'a self, wanted: &'a Wanted) -> Answer<'a, Vec<Record>>;

    /// The record with this id.
    fn record<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Record>>;

    /// Saves the notes of an agent about a call, live or over, before it answers.
    fn note<'a>(&'a self, call: &'a str, author: &'a AgentName, note: Note) -> Answer<'a, ()>;

    /// A change that was published. An archive that learns of it in another way ignores it.
    fn take(&self, event: &Event);

    /// Meter of its store, if it has one.
    fn meter(&self) -> Option<&Meter> {
        None
    }

    /// Number of entries that wait for its store.
    fn backlog(&self) -> usize {
        0
    }

    /// True if everything can be kept that is to be kept.
    fn is_up(&self) -> bool {
        true
    }
}

impl Wanted {
    /// True if a record is selected.
    #[must_use]
    pub fn takes(&self, record: &Record) -> bool {
        let entered = record.entered_at.0;
        self.kinds.takes(record.kind)
            && self
                .agent
                .as_ref()
                .is_none_or(|id| record.agents.iter().any(|agent| agent.id == *id))
            && self
                .queue
                .as_ref()
                .is_none_or(|id| record.queue.as_ref() == Some(id))
            && self
                .caller
                .as_ref()
                .is_none_or(|number| record.from.number.contains(number.as_str()))
            && self.from.is_none_or(|from| entered >= from)
            && self.until.is_none_or(|until| entered < until)
    }
}

/// Notes of agents about a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
    pub(super) disposition: Option<String>,
    pub(super) notes: Vec<AgentNotes>,
}

impl Noted {
    /// Adds the notes of one agent.
    pub(super) fn take(&mut self, author: &AgentName, note: Note) {
        self.disposition = note.disposition.or(self.disposition.take());
        if let Some(notes) = note.notes {
            AgentNotes::write(&mut self.notes, &author.id, &author.name, notes);
        }
    }

    /// Puts it into a record.
    pub(super) fn write(&self, record: &mut Record) {
        if self.disposition.is_some() {
            record.disposition.clone_from(&self.disposition);
        }
        for one in &self.notes {
            AgentNotes::write(&mut record.notes_by, &one.agent, &one.name, one.notes.clone());
        }
        record.notes = AgentNotes::text(&record.notes_by).or(record.notes.take());
    }
}

/// Records that are kept.
const MAX_RECORDS: usize = 10_000;

/// The last calls, in memory.
#[derive(Debug, Default)]
pub struct Recent {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Records by arrival time and id.
    records: BTreeMap<(Time, String), Record>,
    /// Arrival time of each record, by id.
    came: BTreeMap<String, Time>,
    /// By call.
    notes: BTreeMap<String, Noted>,
    /// Calls in `notes`, oldest first.
    order: VecDeque<String>,
}

impl Recent {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn with_note(&self, record: &Record) -> Record {
        let mut record = record.clone();
        if let Some(note) = self
            .notes
            .get(&record.call)
            .filter(|_| record.kind == RecordKind::Queue)
        {
            note.write(&mut record);
        }
        record
    }
}

impl Archive for Recent {
    fn records<'a>(&'a self, wanted: &'a Wanted) -> Answer<'a, Vec<Record>> {
        let inner = self.lock();
        let before = wanted.before.as_ref().and_then(|id| {
            let came = inner.came.get(id)?;
            Some((*came, id.clone()))
        });
        let records = match &before {
            Some(before) => inner.records.range(..before.clone()),
            None => inner.records.range(..),
        };
        let newest = records.rev().map(|(_, record)| record);
        let records = newest
            .filter(|record| wanted.takes(record))
            .take(wanted.limit)
            .map(|record| inner.with_note(record))
            .collect();
        drop(inner);
        Box::pin(std::future::ready(Ok(records)))
    }

    fn record<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Record>> {
        let inner = self.lock();
        let came = inner.came.get(id).copied();
        let record = came.and_then(|came| inner.records.get(&(came, id.to_owned())));
        let record = record.map(|record| inner.with_note(record));
        drop(inner);
        Box::pin(std::future::ready(Ok(record)))
    }

    fn note<'a>(&'a self, call: &'a str, author: &'a AgentName, note: Note) -> Answer<'a, ()> {
        let mut inner = self.lock();
        if !inner.notes.contains_key(call) {
            if inner.order.len() >= MAX_RECORDS
                && let Some(oldest) = inner.order.pop_front()
            {
                inner.notes.remove(&oldest);
            }
            inner.order.push_back(call.to_owned());
        }
        inner.notes.entry(call.to_owned()).or_default().take(author, note);
        drop(inner);
        Box::pin(std::future::ready(Ok(())))
    }

    fn take(&self, event: &Event) {
        if let Change::CallEnded { record, .. } | Change::Logged { record } = &event.change {
            let mut inner = self.lock();
            if inner.records.len() >= MAX_RECORDS
                && let Some(((_, oldest), _)) = inner.records.pop_first()
            {
                inner.came.remove(&oldest);
            }
            let came = record.entered_at.0;
            inner.came.insert(record.id.clone(), came);
            inner.records.insert((came, record.id.clone()), record.clone());
        }
    }
}
