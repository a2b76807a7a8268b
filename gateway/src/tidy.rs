//! Returns memory that a flood left behind to the system. The C library keeps freed memory in its heaps, for good where something
//! small lies above it: after 5,000 connections the process would stay three times as large as before.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// Shortest time between two checks.
const INTERVAL: Duration = Duration::from_secs(20);

/// Share of all time that trimming may take, as its inverse: threads that need memory wait meanwhile.
const SELDOM: u32 = 1_000;

/// Growth beyond the smallest size so far from which trimming is worth the time.
const GROWTH: usize = 4 << 20;

/// Keeps the memory of all threads in one heap. The C library would give each thread one of its own, which grows and shrinks by pages, at
/// two or three system calls for each SIP message, and hands little back. To be called before there are other threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the C library has no other way")]
pub fn keep_together() {
    // SAFETY: it sets a limit, and nothing else runs yet.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Keeps the memory of all threads in one heap, where the C library can.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_together() {}

/// Starts a thread that trims memory while the process runs.
pub(crate) fn start() -> io::Result<()> {
    let run = || {
        let mut least = usize::MAX;
        let mut interval = INTERVAL;
        loop {
            thread::sleep(interval);
            let Some(resident) = resident() else { return };
            // Memory in use now may be free at the next check, although nothing has grown by then.
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

/// Resident memory of the process, octets; `None` where the system does not say.
fn resident() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

/// Unit of `statm`, octets. With larger pages the growth is underestimated.
const PAGE: usize = 4096;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the C library has no other way")]
fn give_back() {
    // SAFETY: it touches only memory that is not in use, and any thread may call it at any time.
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
