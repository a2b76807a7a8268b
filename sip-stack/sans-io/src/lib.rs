//! The contract that every core of Cordboard keeps, and the three things a core is handed rather than takes:
//! the time, randomness, and a place for its deadlines.
//!
//! ```text
//! fn handle_input(&mut self, now: Time, input: Input<'_>);   mutate; bad input becomes an answer, a counter or an event
//! fn poll_output(&mut self) -> Output;                       drain until Output::Timeout(Deadline)
//! ```
//!
//! A parent drains its children inside its own call and translates their outputs. A deadline carries its
//! reason, so that a stuck or spinning loop names itself.

mod rng;
mod time;
mod timers;

pub use rng::Rng;
pub use time::Time;
pub use timers::Timers;

/// Time at which a core next wants to be called, and the reason. `None`: only input can wake it.
pub type Deadline = Option<(Time, &'static str)>;

/// The earlier of two deadlines.
#[must_use]
pub fn earlier(a: Deadline, b: Deadline) -> Deadline {
    match (a, b) {
        (Some(x), Some(y)) => Some(if y.0 < x.0 { y } else { x }),
        (x, None) => x,
        (None, y) => y,
    }
}
