//! The call centre as pages and programs see it: the objects of the API and of its events.

mod agent;
mod assignment;
mod call;
mod change;
mod leg;
mod moment;
mod queue;
mod record;
mod trunk;

pub use agent::{Agent, AgentDay, AgentName, Intent, IntentKind, Reach, Status};
pub use assignment::{Assignment, AssignmentEnd};
pub use call::{
    Call, CallKind, CallPhase, Consult, ConsultState, Mode, Parking, Participant, ParticipantKind, Party,
};
pub use change::Change;
pub use leg::{CallLeg, LegDirection, LegEnd, LegEndedBy, LegMedia, LegState, RecordLeg, SipReason};
pub use moment::Moment;
pub(crate) use queue::queue_numbers;
pub use queue::{Queue, QueueAlarms, QueueDay, QueueLive, QueueName};
pub use record::{AgentNotes, HungUpBy, Mos, Outcome, Record, RecordForwarding, RecordKind};
pub use trunk::{Trunk, TrunkRegistration, TrunkRegistrationState, TrunkTarget, TrunkTargetState};
pub(crate) use trunk::{silence, trouble};

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
