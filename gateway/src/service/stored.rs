//! Calls that are over, in the store. The journal puts them there.

use std::collections::BTreeMap;

use super::archive::{Answer, Archive, Note, Noted, Unavailable, Wanted};
use crate::centre::event_stream::Event;
use crate::centre::view::{AgentName, AgentNotes, Record};
use crate::store::{
    CallCursor, CallFilter, CallRecord, Calls, Expect, Health, Meter, Put, Store, StoreError, Table,
};

/// Records in the store.
pub struct Stored {
    store: Store,
    calls: Calls,
    /// Notes about calls, by the id of their record.
    notes: Table<BTreeMap<String, String>>,
}

const DISPOSITION: &str = "disposition";
/// Field with the notes of all agents as one text.
const NOTES: &str = "notes";
/// Field with the notes agent by agent, as JSON.
const AGENTS: &str = "agents";
/// Attempts when several agents write at the same moment.
const TRIES: usize = 5;

impl Stored {
    /// Archive in this store.
    #[must_use]
    pub fn new(store: &Store) -> Stored {
        Stored {
            store: store.clone(),
            calls: store.calls(),
            notes: store.table("note"),
        }
    }

    async fn read(&self, call: CallRecord) -> Result<Record, StoreError> {
        let mut record: Record = serde_json::from_str(&call.body)
            .map_err(|_| StoreError::Corrupt(format!("{} has another shape", call.id)))?;
        if let Some(row) = self.notes.get(&call.id).await? {
            record.notes = row.body.get(NOTES).cloned().or(record.notes);
            noted(&row.body).write(&mut record);
        }
        if call.version > 1 {
            record.disposition = call.disposition.or(record.disposition);
            record.notes = Some(call.notes)
                .filter(|notes| !notes.is_empty())
                .or(record.notes);
        }
        Ok(record)
    }

    async fn write(&self, id: &str, author: &AgentName, note: Note) -> Result<(), StoreError> {
        let mut tries = 0;
        let all = loop {
            match self.write_once(id, author, note.clone()).await {
                // Another agent wrote in between.
                Err(StoreError::Conflict) if tries < TRIES => tries += 1,
                done => break done?,
            }
        };
        if self.calls.get(id).await?.is_none() {
            return Ok(());
        }
        let text = AgentNotes::text(&all.notes).unwrap_or_default();
        self.calls
            .annotate(id, None, all.disposition.as_deref(), &text)
            .await
            .map(drop)
    }

    async fn write_once(&self, id: &str, author: &AgentName, note: Note) -> Result<Noted, StoreError> {
        let row = self.notes.get(id).await?;
        let expect = match &row {
            Some(row) => Expect::Version(row.version),
            None => Expect::Absent,
        };
        let mut all = row.map(|row| noted(&row.body)).unwrap_or_default();
        all.take(author, note);
        let mut body = BTreeMap::new();
        body.extend(all.disposition.clone().map(|code| (DISPOSITION.to_owned(), code)));
        body.extend(AgentNotes::text(&all.notes).map(|text| (NOTES.to_owned(), text)));
        let agents = serde_json::to_string(&all.notes).map_err(|_| StoreError::Invalid("notes"))?;
        body.insert(AGENTS.to_owned(), agents);
        let put = Put {
            id,
            name: None,
            number: None,
            body: &body,
            now_micros: 0,
        };
        self.notes.put(put, expect).await?;
        Ok(all)
    }
}

impl Archive for Stored {
    fn records<'a>(&'a self, wanted: &'a Wanted) -> Answer<'a, Vec<Record>> {
        Box::pin(async move {
            let filter = CallFilter {
                from_micros: wanted.from.map(|at| at.as_micros()),
                to_micros: wanted.until.map(|at| at.as_micros()),
                queue: wanted.queue.clone(),
                agent: wanted.agent.clone(),
                caller: wanted.caller.clone(),
                disposition: None,
                prefixes: wanted.kinds.prefixes(),
            };
            let after = match &wanted.before {
                Some(id) => {
                    let before = self.calls.get(id).await.map_err(unavailable)?;
                    before.map(|call| CallCursor {
                        started_micros: call.started_micros,
                        id: call.id,
                    })
                }
                None => None,
            };
            let limit = u32::try_from(wanted.limit).unwrap_or(u32::MAX);
            let found = self
                .calls
                .list(&filter, after.as_ref(), limit)
                .await
                .map_err(unavailable)?;
            let mut records = Vec::with_capacity(found.len());
            for call in found {
                records.push(self.read(call).await.map_err(unavailable)?);
            }
            Ok(records)
        })
    }

    fn record<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Record>> {
        Box::pin(async move {
            match self.calls.get(id).await.map_err(unavailable)? {
                Some(call) => self.read(call).await.map(Some).map_err(unavailable),
                None => Ok(None),
            }
        })
    }

    fn note<'a>(&'a self, call: &'a str, author: &'a AgentName, note: Note) -> Answer<'a, ()> {
        Box::pin(async move {
            // A record's id is its call's, but for the prefix.
            let id = format!("rec_{}", call.strip_prefix("call_").unwrap_or(call));
            self.write(&id, author, note).await.map_err(unavailable)
        })
    }

    fn take(&self, _: &Event) {}

    fn meter(&self) -> Option<&Meter> {
        Some(self.store.meter())
    }

    fn backlog(&self) -> usize {
        self.store.backlog()
    }

    fn is_up(&self) -> bool {
        *self.store.health().borrow() == Health::Up
    }
}

fn noted(row: &BTreeMap<String, String>) -> Noted {
    let notes = row.get(AGENTS).and_then(|text| serde_json::from_str(text).ok());
    Noted {
        disposition: row.get(DISPOSITION).cloned(),
        notes: notes.unwrap_or_default(),
    }
}

pub(crate) fn unavailable(error: StoreError) -> Unavailable {
    tracing::warn!(%error, "the store cannot be read");
    Unavailable
}
