//! Gathering of packets: how long a busy thread lets them come together before it looks.

use std::time::Duration;

use sans_io::Time;

/// Number of packets that a busy thread lets gather before it looks again; it waits no longer than this for
/// them: the longest delay that gathering adds.
const GATHERED: u32 = 16;
const GATHER: Duration = Duration::from_millis(2);

/// The span over which packets are counted, and how many in it make a thread busy (20 calls).
const SPAN: Duration = Duration::from_millis(10);
const BUSY: u32 = 20;

/// Density of packets.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    since: Time,
    /// Packets since then.
    pub(super) packets: u32,
    pause: Duration,
}

impl Traffic {
    /// Time to let packets gather: until there are about [`GATHERED`] at the rate of the last span; none if
    /// they come thinly.
    pub(super) fn pause(&mut self, now: Time) -> Duration {
        let passed = now - self.since;
        if passed >= SPAN {
            let busy = passed * BUSY <= SPAN * self.packets;
            self.pause = if busy {
                GATHER.min(passed * GATHERED / self.packets.max(1))
            } else {
                Duration::ZERO
            };
            self.since = now;
            self.packets = 0;
        }
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pause that a thread makes after `packets` came within `span`.
    fn pause_after(packets: u32, span: Duration) -> Duration {
        let mut traffic = Traffic::default();
        assert_eq!(traffic.pause(Time(1_000_000)), Duration::ZERO, "nothing came yet");
        traffic.packets = packets;
        traffic.pause(Time(1_000_000) + span)
    }

    #[test]
    fn a_thread_with_few_calls_takes_each_packet_at_once() {
        assert_eq!(pause_after(0, SPAN), Duration::ZERO);
        assert_eq!(pause_after(BUSY - 1, SPAN), Duration::ZERO);
        assert_eq!(
            pause_after(5 * BUSY, 10 * SPAN),
            Duration::ZERO,
            "many, but over a long while"
        );
    }

    #[test]
    fn a_busy_thread_gathers_the_shorter_the_busier() {
        assert_eq!(pause_after(BUSY, SPAN), GATHER);
        assert_eq!(pause_after(160, SPAN), Duration::from_millis(1));
        assert_eq!(pause_after(1_600, SPAN), Duration::from_micros(100));
    }
}
