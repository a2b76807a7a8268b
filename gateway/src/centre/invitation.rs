//! Invitations that the call centre sends: how long a phone rings, and what its INVITE tells a page.

use std::time::Duration;

use session_core::{Caller, Invitation, Party};

/// Header that tells an agent's page which call rings.
pub(super) const CALL_HEADER: &str = "X-Cordboard-Call";
/// Header that tells it which assignment, an offer in the API.
pub(super) const ASSIGNMENT_HEADER: &str = "X-Cordboard-Offer";
/// Header that tells it which queue.
pub(super) const QUEUE_HEADER: &str = "X-Cordboard-Queue";
/// Header that names, to a colleague's page, the call it is consulted about.
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
    }
}

/// Header by which a page knows that it need not ask a person.
pub(super) fn answer_at_once() -> (String, String) {
    ("Call-Info".into(), "<sip:cordboard>;answer-after=0".into())
}
