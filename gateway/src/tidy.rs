//! Gives back to the system what a flood left behind. The C library keeps what was freed in its heaps, for good where something small
//! lies above it: after 5,000 connections the process would stay three times as large as before.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked at, at most.
const INTERVAL: Duration = Duration::from_secs(20);

/// Of all time, one part in so many may go into it: whoever needs memory meanwhile waits.
const SELDOM: u32 = 1_000;

/// So much more than the least there was is worth looking for something to give back.
const GROWTH: usize = 4 << 20;

/// Looks after memory from now on, in a thread of its own.
pub(crate) fn start() -> io::Result<()> {
    let run = || {
        let mut least = usize::MAX;
        let mut interval = INTERVAL;
        loop {
            thread::sleep(interval);
            let Some(resident) = resident() else { return };
            // What is held now may be free when it is looked at again, and nothing grows then.
            if resident > least.saturating_add(GROWTH) {
                let began = Instant::now();
                give_back();
                interval = INTERVAL.max(began.elapsed() * SELDOM);
                tracing::trace!(before = resident, after = self::resident(), "memory given back");
            }
            least = least.min(self::resident().unwrap_or(resident));
        }
    };
    thread::Builder::new().name("tidy".into()).spawn(run)?;
    Ok(())
}

/// Octets of memory that the process takes up; none where the system does not say.
fn resident() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

/// What `statm` counts in, where it is not larger: then less is given back.
const PAGE: usize = 4096;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the C library has no other way")]
fn give_back() {
    // SAFETY: it touches memory alone that nobody holds, and may be called by any thread at any time.
    let _ = unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn what_was_freed_below_something_small_is_given_back() {
        const BLOCKS: usize = 60_000;
        let mut blocks: Vec<Option<Box<[u8; 2_000]>>> =
            (0..BLOCKS).map(|n| Some(Box::new([n as u8; 2_000]))).collect();
        let most = resident().expect("Linux");
        // One in a hundred stays, and keeps its heap from shrinking.
        for (n, block) in blocks.iter_mut().enumerate() {
            if n % 100 != 99 {
                *block = None;
            }
        }
        let kept = resident().expect("Linux");
        give_back();
        let left = resident().expect("Linux");
        assert!(left + (60 << 20) < most, "{most} {kept} {left}");
        assert_eq!(blocks.iter().flatten().count(), BLOCKS / 100);
    }
}
