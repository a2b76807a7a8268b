//! Counts of queues and agents by stretches of time, as rows of the store.

use call_engine::acd::metrics::Slot;
use call_engine::acd::{AgentId, QueueId};

use super::{parse, text};
use crate::store::{Log, SlotRow, StoreError};

/// Slots of queues.
const QUEUE: &str = "queue";
/// Slots of agents.
const AGENT: &str = "agent";

/// Every slot in the store.
pub(super) async fn read(log: &Log) -> Result<Vec<Slot>, StoreError> {
    let mut slots = Vec::new();
    for (id, slot, body) in log.slots(QUEUE).await? {
        let (queue, counts) = (QueueId(id), parse(QUEUE, &body)?);
        slots.push(Slot::Queue { queue, slot, counts });
    }
    for (id, slot, body) in log.slots(AGENT).await? {
        let (agent, counts) = (AgentId(id), parse(AGENT, &body)?);
        slots.push(Slot::Agent { agent, slot, counts });
    }
    Ok(slots)
}

const fn slot_of(slot: &Slot) -> u64 {
    match slot {
        Slot::Queue { slot, .. } | Slot::Agent { slot, .. } => *slot,
    }
}

/// Row of a slot.
pub(super) fn row_of(slot: &Slot) -> Result<SlotRow, StoreError> {
    let (kind, id, body) = match slot {
        Slot::Queue { queue, counts, .. } => (QUEUE, queue.0, text(counts)?),
        Slot::Agent { agent, counts, .. } => (AGENT, agent.0, text(counts)?),
    };
    Ok(SlotRow {
        kind,
        id,
        slot: slot_of(slot),
        body,
    })
}
