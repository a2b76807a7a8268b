//! Numbers of calls.

use call_engine::acd::CallId;
use sans_io::Time;

/// The numbers that calls get.
#[derive(Debug, Default)]
pub(super) struct CallNumbers {
    last: u64,
}

impl CallNumbers {
    /// A number of microseconds that was never used for a call.
    pub(super) fn next(&mut self, now: Time) -> CallId {
        self.last = now.as_micros().max(self.last + 1);
        CallId(self.last)
    }
}
