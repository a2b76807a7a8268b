//! Ids of agents, queues, calls, assignments and skills.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($kind:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $kind);
    };
}

id!(
    /// An agent, as the configuration numbers them.
    AgentId(u32)
);
id!(
    /// A queue, as the configuration numbers them.
    QueueId(u32)
);
id!(
    /// A skill, as the configuration numbers them.
    SkillId(u32)
);
id!(
    /// A call, as the gateway numbers them; never used twice.
    CallId(u64)
);
id!(
    /// A connection of an agent's page; a newer one is greater.
    ConnId(u64)
);

/// An assignment of a call to an agent. It names the engine's epoch, so that an answer to an assignment made before a restart is
/// recognised as late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AssignmentId {
    /// The epoch of the engine that made it.
    pub epoch: u64,
    /// Its number within the epoch, from 1.
    pub number: u64,
}
