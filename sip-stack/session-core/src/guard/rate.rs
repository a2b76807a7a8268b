//! How much is let pass: attempts that may fail, times that are remembered, and bounds of the tables.

use std::time::Duration;

/// Attempts that may fail in a row, and the time in which one becomes available again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) burst: u32,
    pub(super) refill: Duration,
}

pub(super) const SOURCE: Rate = Rate::new(20, 1);
pub(super) const USER: Rate = Rate::new(20, 1);
pub(super) const KNOWN: Rate = Rate::new(20, 1);
pub(super) const PAIR: Rate = Rate::new(10, 6);
/// Attempts that may fail or come too fast before their source is banned.
pub(super) const PATIENCE: Rate = Rate::new(60, 10);

/// Attempts of one user from one source that are further apart do not count towards a ban.
pub(super) const APART: Duration = Duration::from_secs(1);
/// Time for which a pair's last failure is remembered.
pub(super) const REMEMBERED: Duration = Duration::from_secs(600);
/// Time for which a source where a user got in is known.
pub(super) const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Unknown names, within [`REMEMBERED`], before their source is banned.
pub(super) const NAMES: usize = 30;
/// Time within which another ban of a source is longer.
pub(super) const REPEATED: Duration = Duration::from_secs(24 * 3600);
/// The longest ban.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 3600);

pub(super) const BUCKETS: usize = 16_384;
pub(super) const PAIRS: usize = 16_384;
pub(super) const SCANNERS: usize = 1_024;
pub(super) const BANS: usize = 4_096;

impl Rate {
    const fn new(burst: u32, seconds: u64) -> Rate {
        Rate {
            burst,
            refill: Duration::from_secs(seconds),
        }
    }
}
