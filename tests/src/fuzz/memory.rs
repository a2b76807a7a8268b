//! Memory that is held: an allocator for binaries that run targets, which counts what each thread holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counted for each thread. A target whose memory has bounds is run in a binary that has it.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// Octets that this thread holds more than at the beginning of the count; 0 without [`Counting`].
#[must_use]
pub fn held() -> isize {
    HELD.get()
}

/// Begins to look for the most that this thread holds.
pub fn watch() {
    MOST.set(HELD.get());
}

/// The most octets that this thread held since [`watch`].
#[must_use]
pub fn most() -> isize {
    MOST.get()
}

fn count(more: usize, less: usize) {
    // A thread that ends has no counts any longer.
    let _ = HELD.try_with(|held| {
        let now = held.get() + more as isize - less as isize;
        held.set(now);
        let _ = MOST.try_with(|most| most.set(most.get().max(now)));
    });
}

#[allow(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: every call goes to the system's allocator as it came
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is passed on
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise is passed on
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller's promise is passed on
        unsafe { System.realloc(place, layout, size) }
    }
}
