//! Properties of a leg, and counts of an endpoint.

use crate::flow::Flow;
use crate::message::Method;

/// Properties of a leg.
#[derive(Clone, Debug)]
pub struct UsageInfo {
    /// Call-ID of the dialog.
    pub call_id: String,
    /// `From` of our requests, without its tag.
    pub local: String,
    /// Our tag.
    pub local_tag: String,
    /// `To` of our requests, without its tag.
    pub remote: String,
    /// The peer's tag, once known.
    pub remote_tag: Option<String>,
    /// The peer's `Contact`; the Request-URI of our INVITE until it is known.
    pub remote_target: String,
    /// The last flow over which the peer was heard, or the one given for it.
    pub flow: Option<Flow>,
    /// The peer's `Allow`; empty when it never said.
    pub remote_allow: Vec<Method>,
    /// The peer's `User-Agent` or `Server`.
    pub user_agent: Option<String>,
    /// The dialog is confirmed.
    pub confirmed: bool,
}

/// Counts of an endpoint since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests refused without a transaction.
    pub refused: u64,
    /// Requests without an answer, because any answer would have been out of proportion to them.
    pub unanswered: u64,
    /// Requests refused because all transactions or calls were in use.
    pub too_many: u64,
    /// Requests and responses sent again because no answer came (timers A, E and G of RFC 3261, and 2xx of §13.3.1.4).
    pub retransmissions: u64,
}

/// Objects that live in an endpoint at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// INVITE usages.
    pub usages: usize,
    /// Client transactions.
    pub client_transactions: usize,
    /// Server transactions.
    pub server_transactions: usize,
    /// Deadlines.
    pub timers: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Requests of ours outside any usage.
    pub requests: usize,
    /// Names being resolved.
    pub queries: usize,
}
