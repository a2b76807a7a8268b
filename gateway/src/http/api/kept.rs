//! Calls that are over, in the store. The ledger puts them there.

use std::collections::BTreeMap;

use super::archive::{Answer, Archive, Note, Unavailable, Wanted};
use crate::centre::hub::Event;
use crate::centre::view::Record;
use crate::store::{
    CallCursor, CallFilter, CallRecord, Calls, Expect, Health, Meter, Put, Store, StoreError, Table,
};

/// Records in the store.
pub struct Kept {
    store: Store,
    calls: Calls,
    /// What was noted of calls that were live then, by the id of their record.
    notes: Table<BTreeMap<String, String>>,
}

const DISPOSITION: &str = "disposition";
const NOTES: &str = "notes";

impl Kept {
    /// Of this store.
    #[must_use]
    pub fn new(store: &Store) -> Kept {
        Kept {
            store: store.clone(),
            calls: store.calls(),
            notes: store.table("note"),
        }
    }

    async fn read(&self, call: CallRecord) -> Result<Record, StoreError> {
        let mut record: Record = serde_json::from_str(&call.body)
            .map_err(|_| StoreError::Corrupt(format!("{} has another shape", call.id)))?;
        if let Some(early) = self.notes.get(&call.id).await? {
            record.disposition = early.body.get(DISPOSITION).cloned();
            record.notes = early.body.get(NOTES).cloned();
        }
        if call.version > 1 {
            record.disposition = call.disposition.or(record.disposition);
            record.notes = Some(call.notes)
                .filter(|notes| !notes.is_empty())
                .or(record.notes);
        }
        Ok(record)
    }

    async fn write(&self, id: &str, note: Note) -> Result<(), StoreError> {
        if let Some(call) = self.calls.get(id).await? {
            let before = self.read(call.clone()).await?;
            let disposition = note.disposition.or(before.disposition);
            let notes = note.notes.or(before.notes).unwrap_or_default();
            return self
                .calls
                .annotate(id, None, disposition.as_deref(), &notes)
                .await
                .map(drop);
        }
        let mut body = self
            .notes
            .get(id)
            .await?
            .map(|early| early.body)
            .unwrap_or_default();
        body.extend(
            note.disposition
                .map(|disposition| (DISPOSITION.to_owned(), disposition)),
        );
        body.extend(note.notes.map(|notes| (NOTES.to_owned(), notes)));
        let put = Put {
            id,
            name: None,
            number: None,
            body: &body,
            now_micros: 0,
        };
        self.notes.put(put, Expect::Anything).await.map(drop)
    }
}

impl Archive for Kept {
    fn records<'a>(&'a self, wanted: &'a Wanted) -> Answer<'a, Vec<Record>> {
        Box::pin(async move {
            let filter = CallFilter {
                from_micros: wanted.from.map(|at| at.as_micros()),
                to_micros: wanted.until.map(|at| at.as_micros()),
                queue: wanted.queue.clone(),
                agent: wanted.agent.clone(),
                caller: wanted.caller.clone(),
                disposition: None,
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

    fn note<'a>(&'a self, call: &'a str, note: Note) -> Answer<'a, ()> {
        Box::pin(async move {
            // A record's id is its call's, but for the prefix.
            let id = format!("rec_{}", call.strip_prefix("call_").unwrap_or(call));
            self.write(&id, note).await.map_err(unavailable)
        })
    }

    fn take(&self, _: &Event) {}

    fn meter(&self) -> Option<&Meter> {
        Some(self.store.meter())
    }

    fn is_up(&self) -> bool {
        *self.store.health().borrow() == Health::Up
    }
}

pub(super) fn unavailable(error: StoreError) -> Unavailable {
    tracing::warn!(%error, "the store cannot be asked");
    Unavailable
}
