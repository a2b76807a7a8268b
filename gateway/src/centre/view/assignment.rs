//! Offers of calls to agents.

use call_engine::acd;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Call, Moment};

/// A call that rings at an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Offer)]
pub struct Assignment {
    /// Id of the offer.
    pub id: String,
    /// The call.
    pub call: Call,
    /// The agent.
    pub agent: String,
    /// Time at which the offer was made.
    pub made_at: Moment,
    /// Until when it rings.
    pub deadline: Moment,
}

/// End of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = AssignmentEnd)]
pub enum AssignmentEnd {
    /// The agent took the call.
    Accepted,
    /// The agent did not want it.
    Rejected,
    /// Rang until its time was up.
    NoAnswer,
    /// Somebody else took it, the caller left, or the agent stopped taking calls.
    Cancelled,
    /// The agent's page is gone or did not ring.
    Lost,
}

impl From<acd::AssignmentEnd> for AssignmentEnd {
    fn from(how: acd::AssignmentEnd) -> AssignmentEnd {
        match how {
            acd::AssignmentEnd::Accepted => AssignmentEnd::Accepted,
            acd::AssignmentEnd::Rejected => AssignmentEnd::Rejected,
            acd::AssignmentEnd::NoAnswer => AssignmentEnd::NoAnswer,
            acd::AssignmentEnd::Cancelled => AssignmentEnd::Cancelled,
            acd::AssignmentEnd::Lost => AssignmentEnd::Lost,
        }
    }
}
