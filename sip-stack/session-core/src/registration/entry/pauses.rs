//! Times between two attempts, none of which many registrations have in common.

use std::time::Duration;

use sans_io::Rng;

/// Pauses after attempts that failed: the first, doubling up to the last; a random half of each is left out (RFC 5626 §4.5).
pub(super) const BACK_OFF: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(300));
/// Room for retransmissions before a registration expires: timer F, and a second attempt.
const ROOM: Duration = Duration::from_secs(40);

/// Time until the refresh: between 45 % of what was granted and 70 %, or what leaves room for retransmissions, if that is less and
/// still more than half.
pub(super) fn refresh_after(rng: &mut Rng, granted: Duration) -> Duration {
    let granted = granted.max(Duration::from_secs(2));
    let early = granted * 45 / 100;
    let late = (granted * 70 / 100)
        .min(granted.saturating_sub(ROOM))
        .max(granted / 2);
    early + Duration::from_micros(rng.below(micros(late - early).max(1)))
}

/// A random share of a time: between these percentages of it.
pub(super) fn share(rng: &mut Rng, time: Duration, least: u64, most: u64) -> Duration {
    let micros = micros(time);
    let (least, most) = (micros / 100 * least, micros / 100 * most);
    Duration::from_micros(least + rng.below((most - least).max(1)))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_comes_in_time_and_never_at_the_same_time() {
        let mut rng = Rng::seeded(5);
        for granted in [1, 2, 30, 60, 80, 100, 133, 134, 600, 3_600, u64::from(u32::MAX)] {
            let granted = Duration::from_secs(granted);
            let times: Vec<Duration> = (0..500).map(|_| refresh_after(&mut rng, granted)).collect();
            let (first, last) = (
                *times.iter().min().expect("times"),
                *times.iter().max().expect("times"),
            );
            assert!(
                last <= granted.max(Duration::from_secs(2)) * 7 / 10,
                "{granted:?}: {last:?}"
            );
            if granted >= ROOM * 2 {
                assert!(granted - last >= ROOM, "{granted:?}: {last:?} leaves no room");
            }
            assert!(
                (last - first) * 25 >= granted,
                "{granted:?}: from {first:?} to {last:?}"
            );
        }
    }
}
