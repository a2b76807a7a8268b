//! Calls that are over, and what agents noted of calls.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sans_io::Time;

use crate::centre::hub::Event;
use crate::centre::view::{Change, Record};
use crate::store::Meter;

/// What an archive answers with.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send + 'a>>;

/// Nothing can be kept or looked up just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing can be kept or looked up just now")
    }
}

impl std::error::Error for Unavailable {}

/// Which records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// That this agent had, by id.
    pub agent: Option<String>,
    /// Of this queue, by id.
    pub queue: Option<String>,
    /// Whose caller's number contains this.
    pub caller: Option<String>,
    /// That came then or later.
    pub from: Option<Time>,
    /// That came before.
    pub until: Option<Time>,
    /// That are older than the record with this id: ids of records sort as their calls came.
    pub before: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// What an agent noted of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// What the agent made of it; `None`: as it was.
    pub disposition: Option<String>,
    /// In words; `None`: as it was.
    pub notes: Option<String>,
}

/// Where calls go that are over.
pub trait Archive: Send + Sync {
    /// Records, newest first.
    fn records<'a>(&'a self, wanted: &'a Wanted) -> Answer<'a, Vec<Record>>;

    /// The record with this id.
    fn record<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Record>>;

    /// Keeps what was noted of a call, live or over, before it answers.
    fn note<'a>(&'a self, call: &'a str, note: Note) -> Answer<'a, ()>;

    /// A change that was published. An archive that is told elsewhere passes over it.
    fn take(&self, event: &Event);

    /// How its store fares, if it has one.
    fn meter(&self) -> Option<&Meter> {
        None
    }

    /// Everything can be kept that is to be kept.
    fn is_up(&self) -> bool {
        true
    }
}

impl Wanted {
    /// Whether it is one of those.
    #[must_use]
    pub fn takes(&self, record: &Record) -> bool {
        let entered = record.entered_at.0;
        self.agent
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
            && self.before.as_ref().is_none_or(|id| record.id < *id)
    }
}

impl Note {
    /// Puts it into a record.
    pub fn write(&self, record: &mut Record) {
        if self.disposition.is_some() {
            record.disposition.clone_from(&self.disposition);
        }
        if self.notes.is_some() {
            record.notes.clone_from(&self.notes);
        }
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
    /// By id.
    records: BTreeMap<String, Record>,
    /// By call.
    notes: BTreeMap<String, Note>,
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
        if let Some(note) = self.notes.get(&record.call) {
            note.write(&mut record);
        }
        record
    }
}

impl Archive for Recent {
    fn records<'a>(&'a self, wanted: &'a Wanted) -> Answer<'a, Vec<Record>> {
        let inner = self.lock();
        let newest = inner.records.values().rev().filter(|record| wanted.takes(record));
        let records = newest
            .take(wanted.limit)
            .map(|record| inner.with_note(record))
            .collect();
        drop(inner);
        Box::pin(std::future::ready(Ok(records)))
    }

    fn record<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Record>> {
        let inner = self.lock();
        let record = inner.records.get(id).map(|record| inner.with_note(record));
        drop(inner);
        Box::pin(std::future::ready(Ok(record)))
    }

    fn note<'a>(&'a self, call: &'a str, note: Note) -> Answer<'a, ()> {
        let mut inner = self.lock();
        if !inner.notes.contains_key(call) {
            if inner.order.len() >= MAX_RECORDS
                && let Some(oldest) = inner.order.pop_front()
            {
                inner.notes.remove(&oldest);
            }
            inner.order.push_back(call.to_owned());
        }
        let kept = inner.notes.entry(call.to_owned()).or_default();
        kept.disposition = note.disposition.or(kept.disposition.take());
        kept.notes = note.notes.or(kept.notes.take());
        drop(inner);
        Box::pin(std::future::ready(Ok(())))
    }

    fn take(&self, event: &Event) {
        if let Change::CallEnded { record, .. } = &event.change {
            let mut inner = self.lock();
            if inner.records.len() >= MAX_RECORDS {
                inner.records.pop_first();
            }
            inner.records.insert(record.id.clone(), record.clone());
        }
    }
}
