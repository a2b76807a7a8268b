//! Sound that is injected into legs: from whoever makes it, on whichever thread, by way of a ring that is made at the start.

use std::time::Duration;

use media_core::control::{InjectionId, LegId, SoundRate};
use media_core::shard::Shard;
use rtrb::{Consumer, Producer, RingBuffer};

/// Source of sound for a leg. When it is dropped, what waits is still heard.
#[derive(Debug)]
pub struct MediaInjection {
    ring: Producer<i16>,
}

impl MediaInjection {
    /// Takes 16-bit mono samples, as many as there is room for; how many that were. They are heard one after the other, as fast as they
    /// are to be played: what is missing by then is silence.
    pub fn write(&mut self, pcm: &[i16]) -> usize {
        let taken = &pcm[..pcm.len().min(self.ring.slots())];
        if self.ring.push_entire_slice(taken).is_ok() {
            taken.len()
        } else {
            0
        }
    }

    /// Samples for which there is room.
    #[must_use]
    pub fn room(&self) -> usize {
        self.ring.slots()
    }

    /// True once the leg is over: nobody hears any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ring.is_abandoned()
    }
}

/// The media thread's end of an injection.
#[derive(Debug)]
pub struct Source {
    pub(super) leg: LegId,
    pub(super) id: InjectionId,
    pub(super) rate: SoundRate,
    pub(super) over: bool,
    ring: Consumer<i16>,
}

/// An injection into a leg: over what it hears or instead of it. Samples of up to `waiting` may wait.
#[must_use]
pub fn injection(
    leg: LegId,
    id: InjectionId,
    rate: SoundRate,
    over: bool,
    waiting: Duration,
) -> (Source, MediaInjection) {
    let samples = u128::from(rate.hertz()) * waiting.as_millis() / 1_000;
    let (producer, ring) = RingBuffer::new(usize::try_from(samples).unwrap_or(0).max(1));
    let source = Source {
        leg,
        id,
        rate,
        over,
        ring,
    };
    (source, MediaInjection { ring: producer })
}

/// Progress of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// There may be more.
    GoesOn,
    /// Whoever made it has ended, and all of it was given.
    Ended,
    /// The leg is over.
    Closed,
}

impl Source {
    /// The leg that hears it.
    #[must_use]
    pub fn leg(&self) -> LegId {
        self.leg
    }

    /// Gives the shard what waits, as far as it has room.
    pub(super) fn give(&mut self, shard: &mut Shard) -> Given {
        let ends = self.ring.is_abandoned();
        while let Ok(chunk) = self.ring.read_chunk(self.ring.slots()) {
            let (front, back) = chunk.as_slices();
            let part = if front.is_empty() { back } else { front };
            if part.is_empty() {
                return if ends { Given::Ended } else { Given::GoesOn };
            }
            match shard.handle_sound(self.leg, self.id, part) {
                None => return Given::Closed,
                Some(0) => return Given::GoesOn,
                Some(taken) => chunk.commit(taken),
            }
        }
        Given::GoesOn
    }
}
