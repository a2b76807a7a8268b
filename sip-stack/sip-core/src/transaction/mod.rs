//! The four transaction machines of RFC 3261 §17 as RFC 6026 corrects them.
//!
//! A machine here is its state, its timers and nothing else: it gets each message and the time, and returns
//! the next action. Bytes, destinations and the transaction table belong to [`crate::endpoint`].

mod client;
mod client_invite;
mod key;
mod server;
mod server_invite;

use std::time::Duration;

pub use client::Client;
pub use client_invite::{ClientInvite, OnResponse};
pub use key::Key;
pub use server::Server;
pub use server_invite::{OnAck, ServerInvite};

/// The three intervals from which all timers are derived (RFC 3261 §17.1.1.1 and its table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Estimate of the round trip; first retransmission.
    pub t1: Duration,
    /// Longest interval between retransmissions of anything but an INVITE request.
    pub t2: Duration,
    /// Longest time a message stays in the network.
    pub t4: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
        }
    }
}

impl Timing {
    /// 64·T1: timers B, D, F, H, J, L, M, and how long a 2xx is retransmitted.
    #[must_use]
    pub fn timeout(self) -> Duration {
        self.t1 * 64
    }

    /// Time until a client repeats a request other than INVITE every T2 (timer E): one that is not answered by then gets a 100
    /// (RFC 4320 §4.1).
    #[must_use]
    pub fn slow(self) -> Duration {
        let mut interval = self.t1;
        let mut slow = Duration::ZERO;
        while !interval.is_zero() && interval < self.t2 {
            slow += interval;
            interval *= 2;
        }
        slow
    }
}

/// Action of a transaction that woke at its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// Not due.
    Nothing,
    /// Send the last message again.
    Resend,
    /// Send 100: the user takes its time.
    Trying,
    /// The peer stayed silent (timers B, F, H): tell the user, then forget the transaction.
    TimedOut,
    /// All strays are absorbed (timers D, I, J, K, L, M): forget the transaction.
    Finished,
}
