//! Recording of a call: the packets of its far side, both ways, become two channels of one time line.
//!
//! The time line is that of the machine: a packet lies where it came in, a sender's clock that runs fast or slow is followed by the
//! sample, and where nothing comes there is silence. So both channels stay aligned however long the call is, and whatever becomes of
//! its other legs: the far side hears the call as it goes on over transfers, holds and conferences. Sound comes out [`LAG`] later, so
//! that packets that arrive out of order find their place, and so that a digit is silenced from its beginning.

mod line;
mod placement;
mod silences;
mod track;

#[cfg(test)]
mod tests;

use std::time::Duration;

use sans_io::Time;

pub use self::silences::Span;

use self::silences::{Silences, is_event};
use self::track::{EARLY, Track};
use crate::codec::{RATE, WIDE};
use crate::negotiated::Codec;

/// Time by which sound comes out after it came in.
pub const LAG: Duration = Duration::from_millis(600);

/// Channels of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The left one: the far side's voice.
    Far,
    /// The right one: our side, all that the far side hears.
    Ours,
}

/// Settings of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderSettings {
    /// Samples a second: 8,000 or 16,000, whichever is nearer below.
    pub rate: u32,
    /// Digits of both sides are replaced by silence, on both channels.
    pub silences_digits: bool,
}

/// A recorder of one call: packets in as they come, stereo sound out, 20 ms at a time. It is told the time.
#[derive(Debug)]
pub struct Recorder {
    rate: u32,
    silences_digits: bool,
    /// Time of the first packet, at which the time line begins.
    origin: Option<Time>,
    tracks: [Track; 2],
    silences: Silences,
    /// Place of the first sound, and of the first that did not come out.
    start: i64,
    done: i64,
    /// Length of the time line, once the recording is over.
    end: Option<i64>,
    frame: Vec<i16>,
}

impl Recorder {
    /// A recorder that has heard nothing yet.
    #[must_use]
    pub fn new(settings: RecorderSettings) -> Recorder {
        let rate = if settings.rate >= WIDE { WIDE } else { RATE };
        let track = || Track::new(rate, settings.silences_digits);
        Recorder {
            rate,
            silences_digits: settings.silences_digits,
            origin: None,
            tracks: [track(), track()],
            silences: Silences::new(rate),
            start: 0,
            done: -EARLY * i64::from(rate) / 1_000,
            end: None,
            frame: Vec::new(),
        }
    }

    /// Samples a second of each channel.
    #[must_use]
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// Time of the first sound; `None` before it.
    #[must_use]
    pub const fn began(&self) -> Option<Time> {
        self.origin
    }

    /// Length of what came out.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.duration(self.done - self.start)
    }

    /// Takes a tapped RTP packet. `codec` is `None` for a telephone event, and for what is ignored.
    pub fn insert(&mut self, at: Time, channel: Channel, codec: Option<Codec>, data: &[u8]) {
        if self.end.is_some() {
            return;
        }
        let Some(codec) = codec else {
            if self.silences_digits && is_event(data) {
                let at = self.position(at);
                self.silences.event(at, data);
            }
            return;
        };
        self.origin.get_or_insert(at);
        let position = self.position(at);
        let heard = self.tracks[channel as usize].insert(position, codec, data);
        self.silences.add(heard);
    }

    /// Records silence from now on, instead of what is said.
    pub fn pause(&mut self, at: Time) {
        let at = self.position(at);
        self.silences.pause(at);
    }

    /// Records what is said again.
    pub fn resume(&mut self, at: Time) {
        let at = self.position(at);
        self.silences.resume(at);
    }

    /// True between [`Recorder::pause`] and [`Recorder::resume`].
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.silences.is_paused()
    }

    /// Pauses so far, by their place in the recording; one that lasts ends with what came out.
    #[must_use]
    pub fn pauses(&self) -> Vec<Span> {
        self.silences.pauses(self.start, self.done)
    }

    /// The next 20 ms that are due, to be asked for until there are none: samples of both channels in turn, the far side's first.
    /// The last frame of a recording that is over may be shorter.
    pub fn pull(&mut self, now: Time) -> Option<&[i16]> {
        self.origin?;
        let (frame, position) = (i64::from(self.rate / 50), self.position(now));
        let due = position - self.samples(LAG);
        if self.end.is_none() {
            if self.done + frame > due {
                return None;
            }
            self.release(position, false);
        }
        self.begin();
        let length = match self.end {
            Some(end) => frame.min(end - self.done),
            None if self.done + frame <= due => frame,
            None => return None,
        };
        if length <= 0 {
            return None;
        }
        let length = length as usize;
        self.frame.clear();
        self.frame.resize(2 * length, 0);
        let [far, ours] = &mut self.tracks;
        far.line.take(length, self.frame.iter_mut().step_by(2));
        ours.line.take(length, self.frame.iter_mut().skip(1).step_by(2));
        self.silences.apply(self.done, &mut self.frame);
        self.done += length as i64;
        Some(&self.frame)
    }

    /// Ends the recording with the last sound that came: what is left is due at once.
    pub fn finish(&mut self) {
        if self.end.is_some() {
            return;
        }
        self.release(i64::MAX, true);
        let [far, ours] = &self.tracks;
        self.end = Some(far.line.end().max(ours.line.end()).max(self.done));
    }

    /// Leaves out what lies before the first sound of all.
    fn begin(&mut self) {
        let early = -EARLY * i64::from(self.rate) / 1_000;
        if self.done > early || self.start != 0 {
            return;
        }
        let first = self.tracks.iter().filter_map(|track| track.line.first).min();
        self.start = first.unwrap_or(0).clamp(early, 0);
        let before = (self.start - self.done) as usize;
        for track in &mut self.tracks {
            track.line.take(before, std::iter::empty());
        }
        self.done = self.start;
    }

    /// Plays packets that waited for others for too long.
    fn release(&mut self, now: i64, all: bool) {
        for track in &mut self.tracks {
            let heard = track.release(now, all);
            self.silences.add(heard);
        }
    }

    /// Place of a time on the time line.
    fn position(&self, at: Time) -> i64 {
        let Some(origin) = self.origin else { return 0 };
        let micros = at.as_micros() as i64 - origin.as_micros() as i64;
        // Hours fit by far.
        micros * i64::from(self.rate) / 1_000_000
    }

    fn samples(&self, time: Duration) -> i64 {
        time.as_millis() as i64 * i64::from(self.rate) / 1_000
    }

    fn duration(&self, samples: i64) -> Duration {
        Duration::from_micros(samples.max(0) as u64 * 1_000_000 / u64::from(self.rate))
    }
}
