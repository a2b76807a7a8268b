//! Packets that open the way to a phone behind a NAT.

use std::time::Duration;

use sans_io::Time;

use super::End;
use crate::codec::{Pool, RATE};
use crate::outbox::Outbox;

/// Time after an offer or answer until a peer that was sent nothing is sent some silence: so many packets, and again. Two in a row are
/// what a source must send before it counts (RFC 3550 appendix A.1), and one may be lost.
const KNOCK_AFTER: Duration = Duration::from_millis(100);
const KNOCKS: u8 = 3;
const ROUNDS: u8 = 3;
/// Packets that a path is opened with, in all.
pub(crate) const MOST_KNOCKS: u64 = KNOCKS as u64 * ROUNDS as u64;
const NEXT_ROUND: Duration = Duration::from_secs(1);

/// Silence that is still to be sent to a peer that may wait for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Knocks {
    pub(super) at: Time,
    left: u8,
    /// Packets that had gone out: if others do, knocking is not needed.
    sent: u64,
}

impl End<'_> {
    /// Prepares to knock at a phone's address from which nothing ever came.
    pub(crate) fn open_path(&mut self, now: Time) {
        self.stream.knocks = (self.transport.awaits_peer() && self.stream.may_send()).then(|| Knocks {
            at: now + KNOCK_AFTER,
            left: KNOCKS * ROUNDS,
            sent: self.stream.egress.sent().0,
        });
    }

    /// Sends a little silence to a peer that was sent nothing yet and from which nothing came: it may wait
    /// for our first packet, as we wait for its, and a NAT on its side may wait for both (RFC 6263).
    pub(crate) fn knock(&mut self, now: Time, pool: &mut Pool, out: &mut Outbox) {
        let Some(mut knocks) = self.stream.knocks.take_if(|knocks| knocks.at <= now) else {
            return;
        };
        if knocks.left == 0 || !self.transport.awaits_peer() {
            return;
        }
        knocks.at = now + NEXT_ROUND;
        if self.stream.egress.sent().0 != knocks.sent || self.stream.digits.active() {
            // Something else is being sent. Should that end, a round begins afresh.
            knocks.left -= knocks.left % KNOCKS;
        } else {
            if knocks.left % KNOCKS == 0 {
                self.stream.egress.resume(now);
            }
            self.stream.prepare_encoder(RATE, pool);
            let frame = self.stream.frame();
            self.encode(now, &[0; crate::codec::LONGEST][..frame], out);
            knocks.left -= 1;
            if knocks.left % KNOCKS == 0 {
                self.stream.egress.interrupt();
            } else {
                knocks.at = now + Duration::from_micros(frame as u64 * 1_000_000 / u64::from(RATE));
            }
        }
        knocks.sent = self.stream.egress.sent().0;
        self.stream.knocks = Some(knocks);
    }
}
