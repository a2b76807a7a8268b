//! Sound of one channel that has its place, but did not come out yet.

use std::collections::VecDeque;

/// Samples from the first that did not come out to the last that is known.
#[derive(Debug)]
pub(super) struct Line {
    start: i64,
    samples: VecDeque<i16>,
    /// Place of the first sound.
    pub(super) first: Option<i64>,
}

impl Line {
    /// A line that begins there.
    pub(super) fn new(start: i64) -> Line {
        Line {
            start,
            samples: VecDeque::new(),
            first: None,
        }
    }

    /// Place after the last sample.
    pub(super) fn end(&self) -> i64 {
        self.start + self.samples.len() as i64
    }

    /// Puts sound at its place: over what is there, after silence where nothing is. What came out already stays as it was.
    pub(super) fn put(&mut self, at: i64, sound: &[i16]) {
        let late = usize::try_from(self.start - at).unwrap_or(0).min(sound.len());
        let sound = &sound[late..];
        if sound.is_empty() {
            return;
        }
        self.first.get_or_insert(at.max(self.start));
        let offset = (at.max(self.start) - self.start) as usize;
        if self.samples.len() < offset {
            self.samples.resize(offset, 0);
        }
        let over = (self.samples.len() - offset).min(sound.len());
        for (to, from) in self.samples.range_mut(offset..offset + over).zip(sound) {
            *to = *from;
        }
        self.samples.extend(&sound[over..]);
    }

    /// Moves the next samples out; silence where nothing is known.
    pub(super) fn take<'a>(&mut self, length: usize, to: impl Iterator<Item = &'a mut i16>) {
        let known = length.min(self.samples.len());
        for (to, from) in to.zip(self.samples.drain(..known)) {
            *to = from;
        }
        self.start += length as i64;
    }
}
