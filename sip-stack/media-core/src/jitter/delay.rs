use sans_io::Time;

/// A bin of the histogram, µs.
const BIN: i64 = 4_000;
/// Bins: up to 256 ms.
const BINS: usize = 64;
/// A window of the search for the fastest packet, µs, and how many are remembered: 10 s.
const WINDOW: i64 = 2_500_000;
const WINDOWS: usize = 4;
/// Each packet weighs so much more than the one before: half of the histogram is the last 7 s of packets of 20 ms.
const GROWTH: f32 = 1.002;
/// Share of the packets that must come in time.
const QUANTILE: f32 = 0.97;
/// The depth never falls below that, µs,
pub(super) const FLOOR: i64 = 20_000;
/// nor rises over this.
pub(super) const CEILING: i64 = 200_000;
/// The depth falls in steps of that, µs, and not before the network was so good for a while.
const STEP: i64 = 5_000;
/// Packets between two steps down: a second.
const PATIENCE: u32 = 50;

/// Delay of packets against the fastest ones, and the depth that the buffer needs for it.
#[derive(Clone, Debug)]
pub struct Delay {
    histogram: [f32; BINS],
    weight: f32,
    total: f32,
    /// Least transit time (arrival less timestamp, µs) in each of the last windows, the present one first.
    fastest: [i64; WINDOWS],
    window_ends: i64,
    target: i64,
    calm: u32,
}

impl Default for Delay {
    fn default() -> Self {
        Delay {
            histogram: [0.0; BINS],
            weight: 1.0,
            total: 0.0,
            fastest: [i64::MAX; WINDOWS],
            window_ends: i64::MIN,
            target: FLOOR,
            calm: 0,
        }
    }
}

impl Delay {
    /// A packet came whose first sample belongs to `timestamp` µs on the sender's clock. `least` is the depth that is
    /// wanted for other reasons than jitter, µs.
    pub fn arrived(&mut self, now: Time, timestamp: i64, least: i64) {
        let arrival = now.as_micros() as i64;
        let transit = arrival - timestamp;
        if arrival >= self.window_ends {
            if self.window_ends != i64::MIN {
                self.fastest.copy_within(..WINDOWS - 1, 1);
                self.fastest[0] = i64::MAX;
            }
            self.window_ends = arrival + WINDOW;
        }
        self.fastest[0] = self.fastest[0].min(transit);
        let late = transit - self.base();
        let bin = (late / BIN).clamp(0, BINS as i64 - 1) as usize;
        self.histogram[bin] += self.weight;
        self.total += self.weight;
        self.weight *= GROWTH;
        if self.weight > 1e6 {
            self.histogram.iter_mut().for_each(|bin| *bin /= self.weight);
            self.total /= self.weight;
            self.weight = 1.0;
        }
        let wanted = self.quantile().max(least).clamp(FLOOR, CEILING);
        if wanted > self.target {
            self.target = wanted;
            self.calm = 0;
        } else if wanted < self.target {
            self.calm += 1;
            if self.calm >= PATIENCE {
                self.target = (self.target - STEP).max(wanted);
                self.calm = 0;
            }
        } else {
            self.calm = 0;
        }
    }

    /// Forgets the fastest packet: the sender's clock jumped.
    pub fn rebase(&mut self) {
        self.fastest = [i64::MAX; WINDOWS];
        self.window_ends = i64::MIN;
    }

    /// Transit time of the fastest packet lately, µs; the clocks at the two ends have nothing in common.
    #[must_use]
    pub fn base(&self) -> i64 {
        self.fastest.iter().copied().min().unwrap_or(i64::MAX)
    }

    /// Time from the fastest possible arrival until sound is due, µs: 97% of the packets arrive before.
    #[must_use]
    pub fn target(&self) -> i64 {
        self.target
    }

    fn quantile(&self) -> i64 {
        let mut left = self.total * QUANTILE;
        for (bin, weight) in self.histogram.iter().enumerate() {
            left -= weight;
            if left <= 0.0 {
                // The first bin is no lateness at all.
                return if bin == 0 { 0 } else { (bin as i64 + 1) * BIN };
            }
        }
        CEILING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_network_up_at_once_and_down_slowly() {
        let mut rng = sans_io::Rng::seeded(1);
        let mut delay = Delay::default();
        let mut at = |delay: &mut Delay, i: u64, jitter: u64| {
            let late = rng.below(jitter + 1);
            delay.arrived(Time(50_000_000 + i * 20_000 + late), i as i64 * 20_000, 0);
            delay.target()
        };
        for i in 0..500 {
            assert_eq!(at(&mut delay, i, 2_000), FLOOR);
        }
        for i in 500..1_000 {
            at(&mut delay, i, 80_000);
        }
        assert!((68_000..=88_000).contains(&delay.target()), "{}", delay.target());
        for i in 1_000..6_000 {
            at(&mut delay, i, 2_000);
        }
        assert_eq!(delay.target(), FLOOR);
        for i in 6_000..7_000 {
            at(&mut delay, i, 600_000);
        }
        assert_eq!(delay.target(), CEILING);
    }

    #[test]
    fn a_clock_that_drifts_moves_the_base() {
        for drift in [-200i64, 200] {
            let mut delay = Delay::default();
            let mut expected = 0;
            for i in 0..180_000i64 {
                let timestamp = i * 20_000 + i * 20_000 * drift / 1_000_000;
                let arrival = 90_000_000 + i * 20_000;
                delay.arrived(Time(arrival as u64), timestamp, 0);
                expected = arrival - timestamp;
            }
            assert!((delay.base() - expected).abs() < 3_000, "{drift} ppm");
            assert_eq!(delay.target(), FLOOR);
        }
    }
}
