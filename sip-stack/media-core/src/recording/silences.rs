//! Stretches of the time line that are recorded as silence: pauses, and digits.

use std::collections::VecDeque;
use std::time::Duration;

use crate::rtp::Packet;

/// Silence before the beginning of a digit, which is heard in the sound before it is reported: ms.
const BEFORE: i64 = 120;
/// Silence after the last report of a digit, until the next one is surely there: ms.
const AFTER: i64 = 200;
/// Time before a report for which a digit is silenced at most: ms.
const LONGEST: i64 = 400;

/// A stretch of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Distance of its beginning from that of the recording.
    pub from: Duration,
    /// Distance of its end.
    pub to: Duration,
}

/// Silence on both channels.
#[derive(Debug)]
pub(super) struct Silences {
    milli: i64,
    /// Digits that did not come out yet, by their places.
    digits: VecDeque<(i64, i64)>,
    /// Pauses; the end of the last is missing while it lasts.
    pauses: Vec<(i64, Option<i64>)>,
}

/// True for a packet with a digit's telephone event (RFC 4733 §2.3).
pub(super) fn is_event(data: &[u8]) -> bool {
    event(data).is_some()
}

/// Duration that an event's packet tells, in ticks.
fn event(data: &[u8]) -> Option<u16> {
    let packet = Packet::parse(data).ok()?;
    let &[event, _, high, low] = packet.payload.first_chunk::<4>()?;
    // Comfort noise (RFC 3389) has another length, or a first octet above.
    (packet.payload.len() % 4 == 0 && event <= 15).then_some(u16::from_be_bytes([high, low]))
}

impl Silences {
    pub(super) const fn new(rate: u32) -> Silences {
        Silences {
            milli: rate as i64 / 1_000,
            digits: VecDeque::new(),
            pauses: Vec::new(),
        }
    }

    /// An event's packet came.
    pub(super) fn event(&mut self, at: i64, data: &[u8]) {
        let Some(ticks) = event(data) else { return };
        // An event's clock is 8 kHz or faster: a fast one only makes this too long.
        let lasts = (i64::from(ticks) / 8).min(LONGEST);
        let (from, to) = (at - (lasts + BEFORE) * self.milli, at + AFTER * self.milli);
        self.add(Some((from, to)));
    }

    /// A digit was heard from one place to another.
    pub(super) fn add(&mut self, digit: Option<(i64, i64)>) {
        let Some((from, to)) = digit else { return };
        match self.digits.back_mut() {
            // One after the other, or over each other.
            Some(last) if from <= last.1 && to >= last.0 => {
                *last = (last.0.min(from), last.1.max(to));
            }
            _ => self.digits.push_back((from, to)),
        }
    }

    pub(super) fn pause(&mut self, at: i64) {
        if !self.is_paused() {
            self.pauses.push((at, None));
        }
    }

    pub(super) fn resume(&mut self, at: i64) {
        if let Some((_, end @ None)) = self.pauses.last_mut() {
            *end = Some(at);
        }
    }

    pub(super) const fn is_paused(&self) -> bool {
        matches!(self.pauses.as_slice(), [.., (_, None)])
    }

    pub(super) fn pauses(&self, start: i64, done: i64) -> Vec<Span> {
        let time = |place: i64| Duration::from_millis(((place - start).max(0) / self.milli) as u64);
        let spans = self.pauses.iter().map(|(from, to)| Span {
            from: time(*from),
            to: time(to.unwrap_or(done).max(*from)),
        });
        spans.collect()
    }

    /// Silences what lies in these stereo samples, which begin at `start`.
    pub(super) fn apply(&mut self, start: i64, frame: &mut [i16]) {
        let end = start + frame.len() as i64 / 2;
        for (from, to) in &self.digits {
            silence(start, frame, *from, *to);
        }
        // The pauses are in order; no more than the last few lie so late.
        for (from, to) in self.pauses.iter().rev() {
            let to = to.unwrap_or(i64::MAX);
            if to <= start {
                break;
            }
            silence(start, frame, *from, to);
        }
        self.digits.retain(|(_, to)| *to > end);
    }
}

fn silence(start: i64, frame: &mut [i16], from: i64, to: i64) {
    let length = frame.len() as i64 / 2;
    let first = (from - start).clamp(0, length) as usize;
    let last = to.saturating_sub(start).clamp(0, length) as usize;
    if first < last {
        frame[2 * first..2 * last].fill(0);
    }
}
