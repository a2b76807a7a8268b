//! Takeovers: a colleague gets a three-way call whose agent's page does not come back.

use std::time::Duration;

use call_engine::acd::CallId;
use sans_io::{Deadline, Time, Timers};

use super::call::Call;

/// Time that an agent whose page is gone may be away from a three-way call before a colleague in it takes it
/// over: longer than a reload takes, and shorter than the 30 s after which the engine would send the caller
/// back to the queue.
const TAKEOVER: Duration = Duration::from_secs(20);

/// Times at which colleagues take calls over.
#[derive(Default)]
pub(super) struct Takeovers(Timers<CallId>);

impl Takeovers {
    /// The page of a call's agent is gone: a colleague in the call may take it over some time from now.
    pub(super) fn expect(&mut self, id: CallId, call: &Call, now: Time) {
        if call.colleagues().next().is_some() && self.0.get(id).is_none() {
            self.0.set(id, now + TAKEOVER, "a colleague takes over");
        }
    }

    /// The call has its agent, or another one, or is over.
    pub(super) fn cancel(&mut self, call: CallId) {
        self.0.cancel(call);
    }

    /// Next call to be taken over now.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<CallId> {
        self.0.pop_due(now)
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.0.next()
    }
}
