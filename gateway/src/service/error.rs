//! Reasons why a service was not given.

use std::fmt;

use super::archive::Unavailable;
use crate::centre::command::Refused;

/// Why a service was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceError {
    /// The call centre refused a command.
    Refused(Refused),
    /// There is no such object, or whoever asks may not see it.
    Missing(Missing),
    /// A page was asked for after a record that is not there.
    BadCursor,
    /// This gateway is not a demonstration.
    NoDemo,
    /// The store is away.
    StoreAway,
}

/// Kind of an object that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// An agent.
    Agent,
    /// A live call.
    Call,
    /// A queue.
    Queue,
    /// A record.
    Record,
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServiceError::Refused(refused) => refused.fmt(f),
            ServiceError::Missing(Missing::Agent) => f.write_str("there is no such agent"),
            ServiceError::Missing(Missing::Call) => f.write_str("there is no such call"),
            ServiceError::Missing(Missing::Queue) => f.write_str("there is no such queue"),
            ServiceError::Missing(Missing::Record) => f.write_str("there is no such record"),
            ServiceError::BadCursor => f.write_str("the cursor is of another list"),
            ServiceError::NoDemo => f.write_str("this gateway is not a demonstration"),
            ServiceError::StoreAway => f.write_str("the database cannot be reached"),
        }
    }
}

impl std::error::Error for ServiceError {}

impl From<Refused> for ServiceError {
    fn from(refused: Refused) -> ServiceError {
        ServiceError::Refused(refused)
    }
}

impl From<Missing> for ServiceError {
    fn from(missing: Missing) -> ServiceError {
        ServiceError::Missing(missing)
    }
}

impl From<Unavailable> for ServiceError {
    fn from(_: Unavailable) -> ServiceError {
        ServiceError::StoreAway
    }
}
