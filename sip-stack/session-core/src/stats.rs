//! Counts of the coordinator, for whoever watches over it.

use sip_core::endpoint;

use crate::admission::Excess;
use crate::coordinator::Coordinator;
use crate::instant::MessageCounts;
use crate::watch::WatchCounts;

/// Counts of live objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sessions.
    pub sessions: usize,
    /// Legs.
    pub legs: usize,
    /// Legs of browsers among them.
    pub browser_legs: usize,
    /// Contacts registered.
    pub contacts: usize,
    /// SIP transactions and dialogs.
    pub endpoint: endpoint::Counts,
    /// Messages of banned sources that got no answer, since the start.
    pub silenced: u64,
    /// Requests refused or left unanswered since the start.
    pub totals: endpoint::Totals,
    /// Calls refused since the start.
    pub excess: Excess,
    /// Watches, by package.
    pub watches: WatchCounts,
    /// Instant messages.
    pub messages: MessageCounts,
}

impl Coordinator {
    /// Counts of live objects.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let cx = self.context();
        Stats {
            sessions: self.call_count(),
            legs: cx.index.legs(),
            browser_legs: cx.index.legs() - cx.index.phones(),
            contacts: cx.directory.len(),
            endpoint: cx.endpoint.counts(),
            silenced: self.admission().silenced(),
            totals: cx.endpoint.totals(),
            excess: Excess {
                capped: cx.caps.refused(),
                ..self.admission().excess()
            },
            messages: self.messages().counts(),
            watches: WatchCounts::of(|package| self.watches().count(package)),
        }
    }
}
