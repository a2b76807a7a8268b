//! Errors of a store.

use std::fmt;

/// Error of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The URL names no store that we know.
    Url(String),
    /// The database was written by a newer gateway.
    Newer {
        /// Version found in the database.
        found: u64,
        /// The highest that we know.
        known: u64,
    },
    /// The schema of the database is no version of ours.
    Schema(String),
    /// The database is down or full, or refuses. The request may be repeated.
    Unavailable(String),
    /// Another gateway has this database open.
    InUse(String),
    /// Somebody else has begun a newer epoch of the stream.
    Fenced {
        /// The stream.
        stream: &'static str,
    },
    /// An entry does not follow the last one of its stream; it was not written.
    OutOfOrder {
        /// The stream.
        stream: &'static str,
        /// The number that the stream needs next.
        expected: u64,
    },
    /// Too many entries wait for the database. The entry was not taken and may be appended again.
    Full,
    /// The row has changed since it was read, or the row to be created exists.
    Conflict,
    /// A unique name is taken.
    Taken,
    /// There is no such row.
    NotFound,
    /// A value that the store cannot hold.
    Invalid(&'static str),
    /// A stored row cannot be read.
    Corrupt(String),
    /// The store was closed before this was durable.
    Closed,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Url(why) => write!(f, "store: {why}"),
            StoreError::Newer { found, known } => write!(
                f,
                "the database has schema {found}, this gateway knows {known}: start the newer gateway"
            ),
            StoreError::Schema(why) => write!(f, "the database has a schema that is not ours: {why}"),
            StoreError::Unavailable(why) => write!(f, "the database is unavailable: {why}"),
            StoreError::InUse(path) => write!(
                f,
                "{path} is in use by another gateway: give this one a folder of its own, by --state or CORDBOARD_STATE"
            ),
            StoreError::Fenced { stream } => write!(f, "somebody else owns the stream {stream} now"),
            StoreError::OutOfOrder { stream, expected } => {
                write!(f, "stream {stream}: the next entry must be {expected}")
            }
            StoreError::Full => write!(f, "too many entries wait for the database"),
            StoreError::Conflict => write!(f, "the row has changed"),
            StoreError::Taken => write!(f, "the name is taken"),
            StoreError::NotFound => write!(f, "there is no such row"),
            StoreError::Invalid(why) => write!(f, "cannot be stored: {why}"),
            StoreError::Corrupt(why) => write!(f, "a stored row cannot be read: {why}"),
            StoreError::Closed => write!(f, "the store is closed"),
        }
    }
}

impl std::error::Error for StoreError {}
