//! The call centre as pages and programs see it: the objects of the API and of its events.

mod agent;
mod call;
mod change;
mod moment;
mod offer;
mod queue;
mod record;

pub use agent::{Agent, AgentDay, AgentName, Intent, IntentKind, Reach, Status};
pub use call::{Call, CallPhase, Consult, ConsultState, Mode, Participant, ParticipantKind, Party};
pub use change::Change;
pub use moment::Moment;
pub use offer::{Offer, OfferEnd};
pub(crate) use queue::queue_numbers;
pub use queue::{Queue, QueueAlarms, QueueDay, QueueLive, QueueName};
pub use record::{AgentNotes, Mos, Outcome, Record, RecordKind};

#[cfg(test)]
mod tests {
    use super::*;

    /// Records that the store returns after a restart are published again.
    #[test]
    fn numbers_that_were_written_down_are_read_back_to_the_last_digit() -> serde_json::Result<()> {
        for n in 1..1_000_u32 {
            let day = QueueDay {
                service_level: Some(f64::from(n - 1) / f64::from(n)),
                asa_s: f64::from(n) / 74.0,
                ..QueueDay::default()
            };
            let text = serde_json::to_string(&day)?;
            assert_eq!(serde_json::from_str::<QueueDay>(&text)?, day, "{text}");
        }
        Ok(())
    }
}
