//! Invitations that the call centre sends: how long a phone rings, and the headers by which a page knows the call.

use std::time::Duration;

use session_core::{Caller, Invitation, Party};

/// Call that rings, for the agent's page.
pub(super) const CALL_HEADER: &str = "X-Cordboard-Call";
/// Offer of the API, for the agent's page.
pub(super) const ASSIGNMENT_HEADER: &str = "X-Cordboard-Offer";
/// Name of the queue, for the agent's page.
pub(super) const QUEUE_HEADER: &str = "X-Cordboard-Queue";
/// Call that a colleague is consulted about, for the colleague's page.
pub(super) const CONSULT_HEADER: &str = "X-Cordboard-Consult";

/// Time that a consulted party, or the target of a transfer, may ring.
const RING: Duration = Duration::from_secs(45);

/// Invitation of a party outside of the engine's assignments.
pub(super) fn invitation(party: Party, caller: Option<Caller>, headers: Vec<(String, String)>) -> Invitation {
    Invitation {
        party,
        caller,
        ring_timeout: RING,
        headers,
        diverted: Vec::new(),
    }
}

/// Header by which a page knows that it need not ask a person.
pub(super) fn answer_at_once() -> (String, String) {
    ("Call-Info".into(), "<sip:cordboard>;answer-after=0".into())
}
