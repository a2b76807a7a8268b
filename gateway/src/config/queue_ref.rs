//! References to queues: a queue is named by its name in the file and by its id in the API, and both become one reference here.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Ids of the file's queues begin with this.
const OF_FILE: &str = "que_";

/// A queue that another setting refers to, by the queue's id in the API. [`super::EngineIds`] knows whether it exists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct QueueRef(String);

impl QueueRef {
    /// The queue that a file defines under this name.
    #[must_use]
    pub fn named(name: &str) -> QueueRef {
        QueueRef(format!("{OF_FILE}{name}"))
    }

    /// Id in the API.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0
    }

    /// Name of a queue of the file; the id of any other.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.strip_prefix(OF_FILE).unwrap_or(&self.0)
    }
}

impl From<&str> for QueueRef {
    fn from(id: &str) -> QueueRef {
        QueueRef(id.to_owned())
    }
}

/// Destination of calls that a queue does not keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Overflow {
    /// Another queue, by id.
    #[schema(value_type = String)]
    Queue(QueueRef),
    /// A number, resolved by the dial plan.
    Number(String),
    /// No destination: the call ends.
    #[default]
    HangUp,
}
