//! Rows of configured objects in the store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use sans_io::Time;
use serde::Serialize;
use serde_json::Value;

use super::{Kind, ProvisioningError};
use crate::store::{Expect, Object, Put, Store, StoreError, Table};

/// Rows read at a time.
const PAGE: u32 = 1_000;

/// Storage of rows.
pub(super) enum Tables {
    /// In the store.
    Stored(BTreeMap<Kind, Table<Value>>),
    /// Nowhere; the last number that was given.
    Memory(AtomicU32),
}

/// Change of a row.
pub(super) struct Write<'a> {
    pub(super) kind: Kind,
    pub(super) id: &'a str,
    pub(super) row: Row<'a>,
}

/// State of a row after a change.
pub(super) enum Row<'a> {
    /// The row is removed if it has this version.
    Removed { version: u64 },
    /// The row has this content.
    Put {
        /// Version that it has before; `None`: the row is new.
        version: Option<u64>,
        body: Value,
        /// Name that no other row of the kind may have.
        name: Option<&'a str>,
        /// Number in the log.
        number: Option<u32>,
    },
}

impl Row<'_> {
    /// Version that the row has before the change.
    fn version(&self) -> Option<u64> {
        match self {
            Row::Removed { version } => Some(*version),
            Row::Put { version, .. } => *version,
        }
    }
}

impl Tables {
    pub(super) fn new(store: Option<&Store>) -> Tables {
        match store {
            Some(store) => {
                let table = |kind: Kind| (kind, store.table(kind.table()));
                Tables::Stored(Kind::ALL.map(table).into_iter().collect())
            }
            None => Tables::Memory(AtomicU32::new(0)),
        }
    }

    /// All rows of a kind, page by page.
    pub(super) async fn read(
        &self,
        kind: Kind,
        mut take: impl FnMut(Object<Value>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Tables::Stored(tables) = self else {
            return Ok(());
        };
        let Some(table) = tables.get(&kind) else {
            return Ok(());
        };
        let mut after: Option<String> = None;
        loop {
            let rows = table.list(after.as_deref(), PAGE).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.id.clone());
            for row in rows {
                take(row)?;
            }
        }
    }

    /// Makes a change durable. The version that the row has then, 0 if it is removed.
    pub(super) async fn write(&self, now: Time, write: &Write<'_>) -> Result<u64, ProvisioningError> {
        let Tables::Stored(tables) = self else {
            return Ok(write.row.version().unwrap_or(0) + 1);
        };
        let table = tables.get(&write.kind).ok_or(ProvisioningError::Unavailable)?;
        match &write.row {
            Row::Removed { version } => {
                table.delete(write.id, Some(*version)).await?;
                Ok(0)
            }
            Row::Put {
                version,
                body,
                name,
                number,
            } => {
                let put = Put {
                    id: write.id,
                    name: *name,
                    number: *number,
                    body,
                    now_micros: now.as_micros(),
                };
                let expect = version.map_or(Expect::Absent, Expect::Version);
                Ok(table.put(put, expect).await?)
            }
        }
    }

    /// A number that no object of this kind ever had.
    pub(super) async fn next_number(&self, kind: Kind) -> Result<u32, ProvisioningError> {
        match self {
            Tables::Stored(tables) => {
                let table = tables.get(&kind).ok_or(ProvisioningError::Unavailable)?;
                Ok(table.next_number().await?)
            }
            Tables::Memory(last) => Ok(last.fetch_add(1, Ordering::Relaxed) + 1),
        }
    }
}

/// An object as it is stored.
pub(super) fn json<T: Serialize>(body: &T) -> Result<Value, ProvisioningError> {
    serde_json::to_value(body).map_err(|_| ProvisioningError::Unavailable)
}
