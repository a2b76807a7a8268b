//! One registration at the PBX: how long it lasts, and what of that a client may have.

use std::time::Duration;

use sans_io::Time;

/// Maximum part of the granted time that is left for a refresh to come through.
const ROOM: Duration = Duration::from_secs(30);

/// Registration of an address of record at the PBX.
#[derive(Clone, Debug)]
pub(super) struct Line {
    granted: Duration,
    until: Time,
    /// `Service-Route` (RFC 3608).
    routes: Vec<String>,
    /// Time at which its last client went away without a word.
    lost: Option<Time>,
}

impl Line {
    /// One that was granted now.
    pub(super) fn new(now: Time, granted: Duration, routes: Vec<String>) -> Line {
        Line {
            granted,
            until: now + granted,
            routes,
            lost: None,
        }
    }

    pub(super) fn until(&self) -> Time {
        self.until
    }

    pub(super) fn routes(&self) -> &[String] {
        &self.routes
    }

    /// True while more than half of the granted time is left: the PBX need not be asked.
    pub(super) fn is_fresh(&self, now: Time) -> bool {
        self.until.since(now) > self.granted / 2
    }

    /// Time that a client may be granted: what is left, less a tenth of it or 30 s for a refresh to come through.
    pub(super) fn lease(&self, now: Time) -> Duration {
        let left = self.until.since(now);
        left - (left / 10).min(ROOM)
    }

    pub(super) fn lost(&mut self, now: Time) {
        self.lost = Some(now);
    }

    /// Time at which its last client went away without a word.
    pub(super) fn lost_at(&self) -> Option<Time> {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_fresh_for_half_its_time_and_a_client_never_outlasts_it() {
        let start = Time::from_secs(100);
        for granted in [1, 30, 60, 600, 3_600] {
            let granted = Duration::from_secs(granted);
            let line = Line::new(start, granted, Vec::new());
            assert!(line.is_fresh(start) && !line.is_fresh(start + granted / 2));
            for part in 0..=10 {
                let now = start + granted * part / 10;
                assert!(now + line.lease(now) <= line.until(), "{granted:?} {part}");
            }
            assert!(line.lease(start) >= granted * 9 / 10);
            assert_eq!(line.lease(line.until() + granted), Duration::ZERO);
        }
    }
}
