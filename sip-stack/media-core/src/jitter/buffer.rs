use std::time::Duration;

use sans_io::Time;

use super::delay::{CEILING, Delay};
use super::slots::Slots;
use crate::rtp::Unwrap;

/// Packets that are held at most: 640 ms of 10 ms packets, over a second of 20 ms ones.
const SLOTS: usize = 64;
/// Duration that is made up in one go, µs.
const PIECE: i64 = 20_000;
/// Time for which sound is made up, µs; then comes noise.
const CONCEAL: i64 = 100_000;
/// A jump of the sender's clock by more than that is a new beginning, µs.
const JUMP: i64 = 5_000_000;
/// The depth may be off by so much before sound is stretched, µs.
const SLACK: i64 = 4_000;
/// And is brought back in any case beyond that.
const URGENT: i64 = 40_000;
/// Frames between two stretches in speech.
const PAUSE: u32 = 5;
/// Packets for which a loss keeps the buffer deep enough to find the redundancy in the packet after: 10 s.
const MEMORY: u32 = 500;

/// Fate of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The packet waits.
    Stored,
    /// Its time is over.
    Late,
    /// The packet is there already.
    Duplicate,
    /// The stream began anew with it.
    Restarted,
}

/// Origin of the next piece of sound. Lengths are in ticks of the stream's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Decode this packet ([`Buffer::payload`]).
    Packet(usize),
    /// The packet before this one is lost and this one may carry it.
    Recover(usize, i64),
    /// Make it up.
    Conceal(i64),
    /// Noise: the sender is silent, or too much was made up already.
    Noise(i64),
}

/// Change to a decoded frame that brings the depth nearer to the target. Lengths in µs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// Nothing.
    Keep,
    /// Take out up to that much; `now` even where it may be heard.
    Shorten(i64, bool),
    /// Put in up to that much.
    Lengthen(i64, bool),
}

/// A jitter buffer: packets in as they come, sound out at even times. Told the time, it neither decodes nor waits; who
/// owns it asks for the next piece at each frame's time.
#[derive(Clone, Debug)]
pub struct Buffer {
    clock: i64,
    slots: Slots,
    sequences: Unwrap,
    timestamps: Unwrap,
    delay: Delay,
    playing: Option<Playing>,
    lossy: u32,
}

#[derive(Clone, Copy, Debug)]
struct Playing {
    /// The packet that comes next.
    sequence: i64,
    highest: i64,
    /// The first tick that has no sound yet.
    timestamp: i64,
    /// Time at which the next frame is due.
    due: Time,
    /// Ticks made up without knowing yet whether they stand for something lost.
    invented: i64,
    /// Ticks made up since the last packet.
    run: i64,
    /// The sender said that it falls silent.
    silent: bool,
    since_stretch: u32,
}

impl Buffer {
    /// For a stream of this clock, hertz.
    #[must_use]
    pub fn new(clock: u32) -> Buffer {
        Buffer {
            clock: i64::from(clock.max(1)),
            slots: Slots::new(SLOTS),
            sequences: Unwrap::default(),
            timestamps: Unwrap::default(),
            delay: Delay::default(),
            playing: None,
            lossy: 0,
        }
    }

    /// Takes a packet that lasts `duration` ticks. `silent`: it says that no more will come for a while (DTX).
    pub fn insert(
        &mut self,
        now: Time,
        sequence: u16,
        timestamp: u32,
        duration: u32,
        silent: bool,
        payload: &[u8],
    ) -> Inserted {
        let sequence = self.sequences.sequence(sequence);
        let timestamp = self.timestamps.timestamp(timestamp);
        let duration = i64::from(duration);
        let mut result = Inserted::Stored;
        if let Some(playing) = self.playing {
            let jump = self.micros(timestamp - playing.timestamp - playing.invented);
            if jump.abs() > JUMP || sequence >= playing.sequence + 8 * self.slots.len() {
                self.restart();
                result = Inserted::Restarted;
            } else if playing.run > self.ticks(CONCEAL)
                && self.slots.first(playing.sequence, playing.highest).is_none()
            {
                // After a silence the sender's clock may not be where it would be had it gone on.
                let late = now.as_micros() as i64 - self.micros(timestamp) - self.delay.base();
                if late > CEILING {
                    self.delay.rebase();
                }
            }
        }
        let least = if self.lossy > 0 {
            self.micros(duration) + 10_000
        } else {
            0
        };
        self.lossy = self.lossy.saturating_sub(1);
        self.delay.arrived(now, self.micros(timestamp), least);
        let Some(playing) = &mut self.playing else {
            let due = now + Duration::from_micros(self.delay.target() as u64);
            self.playing = Some(Playing {
                sequence,
                highest: sequence,
                timestamp,
                due,
                invented: 0,
                run: 0,
                silent,
                since_stretch: 0,
            });
            self.slots.put(sequence, timestamp, duration, payload);
            return result;
        };
        if sequence < playing.sequence {
            self.lossy = MEMORY;
            return Inserted::Late;
        }
        if self.slots.find(sequence).is_some() {
            return Inserted::Duplicate;
        }
        playing.highest = playing.highest.max(sequence);
        // A burst longer than the ring: the oldest give way.
        playing.sequence = playing.sequence.max(playing.highest + 1 - self.slots.len());
        self.slots.put(sequence, timestamp, duration, payload);
        result
    }

    /// Time at which the next frame is due; `None` before the first packet.
    #[must_use]
    pub fn due(&self) -> Option<Time> {
        self.playing.map(|playing| playing.due)
    }

    /// A frame of that length went out.
    pub fn advance(&mut self, frame: Duration) {
        if let Some(playing) = &mut self.playing {
            playing.due += frame;
        }
    }

    /// Starts pacing anew at `now`: nobody asked for frames for a while.
    pub fn catch_up(&mut self, now: Time) {
        if let Some(playing) = &mut self.playing {
            playing.due = now;
        }
    }

    /// The next piece of sound, after `backlog` µs of decoded sound that wait. `silent` tests a packet's
    /// payload for DTX, `carries` for a repetition of the previous packet.
    pub fn next(
        &mut self,
        backlog: i64,
        silent: impl Fn(&[u8]) -> bool,
        carries: impl Fn(&[u8]) -> bool,
    ) -> Step {
        let (piece, conceal) = (self.ticks(PIECE), self.ticks(CONCEAL));
        let Some(mut playing) = self.playing else {
            return Step::Noise(piece);
        };
        let at = playing.due.as_micros() as i64 + backlog;
        let step = loop {
            let Some(index) = self.slots.first(playing.sequence, playing.highest) else {
                playing.invented += piece;
                playing.run += piece;
                break if playing.silent || playing.run > conceal {
                    Step::Noise(piece)
                } else {
                    Step::Conceal(piece)
                };
            };
            let slot = self.slots.at(index);
            let sequence = slot.sequence.unwrap_or(playing.sequence);
            let gap = slot.timestamp - playing.timestamp;
            let depth = at - self.delay.base() - self.micros(slot.timestamp);
            if gap < 0
                || (depth > CEILING + URGENT && self.slots.first(sequence + 1, playing.highest).is_some())
            {
                // The packet overlaps played sound, or is older than allowed: the next one is nearer to now.
                self.slots.free(index);
                playing.sequence = sequence + 1;
                continue;
            }
            let pause = playing.silent || sequence == playing.sequence && gap > 0 || playing.run > conceal;
            if pause && depth < self.delay.target() {
                // After a pause sound begins when it is due, at the depth that is wanted.
                let wait = self.ticks(self.delay.target() - depth).clamp(1, piece);
                playing.invented += wait;
                playing.run += wait;
                break Step::Noise(wait);
            }
            let missing = gap - playing.invented;
            if !pause && missing > 0 {
                let length = missing.min(piece);
                let last = missing == length || missing <= slot.duration;
                playing.timestamp = slot.timestamp - (missing - length);
                playing.invented = 0;
                playing.run += length;
                self.lossy = MEMORY;
                if last && missing <= slot.duration && carries(&slot.payload) {
                    playing.timestamp = slot.timestamp;
                    break Step::Recover(index, missing);
                }
                break if playing.run > conceal {
                    Step::Noise(length)
                } else {
                    Step::Conceal(length)
                };
            }
            playing.sequence = sequence + 1;
            playing.timestamp = slot.timestamp + slot.duration;
            playing.invented = 0;
            playing.run = 0;
            playing.silent = silent(&slot.payload);
            self.slots.free(index);
            break Step::Packet(index);
        };
        self.playing = Some(playing);
        step
    }

    /// Payload of a packet that [`Buffer::next`] named, until the next insert.
    #[must_use]
    pub fn payload(&self, index: usize) -> &[u8] {
        &self.slots.at(index).payload
    }

    /// Decides whether to stretch the sound of the packet decoded last: so many µs of decoded sound wait
    /// `before` it and, with it, `after`.
    ///
    /// Sound put in waits until it makes a frame; only then is the next packet asked for later. So what counts for putting
    /// in is how early the packet was asked for, and for taking out how late its sound goes out; the two thresholds are
    /// more than a frame apart.
    pub fn stretch(&mut self, before: i64, after: i64) -> Stretch {
        let depth = self.depth(after) - self.delay.target();
        let Some(playing) = &mut self.playing else {
            return Stretch::Keep;
        };
        playing.since_stretch += 1;
        let early = depth - before;
        let off = match (early + SLACK, depth - PIECE - 2 * SLACK) {
            (short @ ..0, _) => short,
            (_, long @ 1..) => long,
            _ => return Stretch::Keep,
        };
        let may = playing.since_stretch >= PAUSE || off.abs() > URGENT;
        if off > 0 {
            Stretch::Shorten(off + SLACK, may)
        } else {
            Stretch::Lengthen(SLACK - off, may)
        }
    }

    /// Sound was stretched in speech: the next time not at once.
    pub fn stretched(&mut self) {
        if let Some(playing) = &mut self.playing {
            playing.since_stretch = 0;
        }
    }

    /// Delay of the sound at the front of `backlog` µs of decoded sound, from its earliest possible arrival.
    #[must_use]
    pub fn depth(&self, backlog: i64) -> i64 {
        let Some(playing) = &self.playing else { return 0 };
        let front = self.micros(playing.timestamp + playing.invented) - backlog;
        playing.due.as_micros() as i64 - self.delay.base() - front
    }

    /// The depth that is aimed at, µs: 97% of the packets come within it, never under 20 ms nor over 200.
    #[must_use]
    pub fn target(&self) -> i64 {
        self.delay.target()
    }

    /// True if packets wait.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.playing
            .is_some_and(|playing| self.slots.first(playing.sequence, playing.highest).is_some())
    }

    /// Forgets the stream, as if nothing had come yet.
    pub fn restart(&mut self) {
        self.slots.clear();
        self.delay.rebase();
        self.playing = None;
    }

    fn micros(&self, ticks: i64) -> i64 {
        ticks * 1_000_000 / self.clock
    }

    fn ticks(&self, micros: i64) -> i64 {
        micros * self.clock / 1_000_000
    }
}
