//! The place of a sender's packets on the time line.

/// Distance between a packet's arrival and its place beyond which its timestamps mean nothing: ms.
const LOST: i64 = 400;
/// A sender that is this far ahead of the time line has sent too much: ms.
const AHEAD: i64 = 2_000;
/// Distance up to which a sender is followed by one sample in each packet; further off it is by an eighth of the packet: ms.
const NEAR: i64 = 10;
/// Time over which the packet that was under way for the shortest time tells the sender's clock, twice: ms.
const WINDOW: i64 = 2_500;

/// A packet's place, and the length that it is to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: i64,
    pub(super) length: usize,
}

/// Clock of one sender. The packets that were under way for the shortest time lie where they came in; the others lie by their
/// timestamps, so that jitter is not heard.
#[derive(Debug)]
pub(super) struct Placement {
    /// Samples of a millisecond.
    milli: i64,
    /// Ticks of the sender's clock a sample.
    ticks: i64,
    /// Timestamp that follows the last packet's, and the place that follows it.
    next: (i64, i64),
    /// Least distance from place to arrival, in this window and the one before.
    least: [i64; 2],
    /// End of this window.
    until: i64,
}

impl Placement {
    /// The clock of a sender whose first packet came at `at`.
    pub(super) fn new(rate: u32, clock: u32, at: i64, timestamp: i64) -> Placement {
        let milli = i64::from(rate) / 1_000;
        Placement {
            milli,
            ticks: i64::from(clock),
            next: (timestamp, at),
            least: [i64::MAX; 2],
            until: at + WINDOW * milli,
        }
    }

    /// Place of a packet that came at `at` with so many samples; `None` if there is none.
    pub(super) fn place(&mut self, at: i64, timestamp: i64, length: usize) -> Option<Place> {
        let (expected, cursor) = self.next;
        let rate = self.milli * 1_000;
        let ticks = timestamp - expected;
        let by_timestamp = cursor + ticks * rate / self.ticks;
        let is_lost = (at - by_timestamp).abs() > LOST * self.milli;
        let mut start = if is_lost { at } else { by_timestamp }.max(cursor);
        if start > at + AHEAD * self.milli {
            return None;
        }
        if is_lost {
            self.least = [i64::MAX; 2];
            self.until = at + WINDOW * self.milli;
        }
        self.observe(at, at - start);
        // Silence takes up the whole distance at once.
        let is_pause = start > cursor && !is_lost;
        let off = self.least[0].min(self.least[1]);
        let mut slip = 0;
        if is_pause {
            slip = off.max(cursor - start);
            start += slip;
        }
        let slip_in_sound = match off {
            _ if is_pause || off.abs() * 2 <= self.milli => 0,
            _ if off.abs() <= NEAR * self.milli => off.signum(),
            _ => off.signum() * (length as i64 / 8).min(off.abs()),
        };
        for least in &mut self.least {
            *least = least.saturating_sub(slip + slip_in_sound);
        }
        let long = length as i64 + slip_in_sound;
        self.next = (timestamp + length as i64 * self.ticks / rate, start + long);
        Some(Place {
            at: start,
            length: long.max(1) as usize,
        })
    }

    fn observe(&mut self, at: i64, distance: i64) {
        if at >= self.until {
            self.least = [i64::MAX, self.least[0]];
            self.until = at + WINDOW * self.milli;
        }
        self.least[0] = self.least[0].min(distance);
    }
}

/// Gives `sound` another length: the same sound, a little faster or slower, by cubic interpolation.
pub(super) fn stretch(sound: &[i16], length: usize, out: &mut Vec<i16>) {
    out.clear();
    if length == sound.len() || sound.len() < 2 {
        out.extend_from_slice(sound);
        return;
    }
    let last = sound.len() - 1;
    let sample = |i: usize| f32::from(sound[i.min(last)]);
    let step = sound.len() as f32 / length as f32;
    out.extend((0..length).map(|i| {
        let at = i as f32 * step;
        let whole = at as usize;
        let (x, before) = (at - whole as f32, sample(whole.saturating_sub(1)));
        let (here, after, later) = (sample(whole), sample(whole + 1), sample(whole + 2));
        let slope = after - before;
        let bend = 2.0 * before - 5.0 * here + 4.0 * after - later;
        let turn = 3.0 * (here - after) + later - before;
        (here + 0.5 * x * (slope + x * (bend + x * turn))) as i16
    }));
}
