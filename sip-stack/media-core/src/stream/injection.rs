//! Sound from outside that one leg hears: over what it hears anyway, or instead of it.
//!
//! Nobody is waited for. What has come by the time at which a frame is due is heard; the rest of the frame is silence.

use std::collections::VecDeque;

use smallvec::SmallVec;

use sans_io::Time;

use super::{Count, Feed, TICK, Waiting, limit};
use crate::codec::{FRAME, LONGEST, Pool, RATE, WIDE};
use crate::control::{InjectionId, SoundRate};
use crate::negotiated::Codec;
use crate::resample::{Down, Third, Up};
use crate::rtp::Packet;

/// Samples at the highest rate of the longest piece that is converted at a time: 20 ms at 48 kHz.
const PIECE: usize = 6 * FRAME;

/// All that is injected into one leg.
#[derive(Debug, Default)]
pub(crate) struct Injected {
    injections: SmallVec<[Injection; 1]>,
    /// Sound of the bridge of another shard, which the leg hears beneath,
    beneath: Option<Box<Feed>>,
    /// and what of it does not fill a frame yet.
    waiting: Waiting,
    /// Brings an application to 16 kHz.
    up: Up,
}

/// Sound that the leg would hear if nothing were injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beneath {
    /// Its application, or silence.
    Application,
    /// The bridge of another shard.
    Lane,
}

/// Sound of one source.
#[derive(Debug)]
struct Injection {
    id: InjectionId,
    rate: SoundRate,
    /// False: the leg hears nothing else.
    over: bool,
    /// Samples that have come, at most 200 ms.
    waiting: VecDeque<i16>,
    third: Third,
    down: Down,
    up: Up,
}

impl Injected {
    /// Adds a source, or changes one.
    pub(crate) fn open(&mut self, id: InjectionId, rate: SoundRate, over: bool) {
        self.close(id);
        self.injections.push(Injection {
            id,
            rate,
            over,
            waiting: VecDeque::with_capacity(rate.hertz() as usize / 5),
            third: Third::default(),
            down: Down::default(),
            up: Up::default(),
        });
    }

    /// Takes a source away.
    pub(crate) fn close(&mut self, id: InjectionId) {
        self.injections.retain(|injection| injection.id != id);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.injections.is_empty()
    }

    /// Takes samples of a source, as many as there is room for; how many that were. `None` if there is no such source.
    pub(crate) fn give(&mut self, id: InjectionId, pcm: &[i16]) -> Option<usize> {
        let injection = self.injections.iter_mut().find(|injection| injection.id == id)?;
        let room = injection.waiting.capacity() - injection.waiting.len();
        let taken = &pcm[..pcm.len().min(room)];
        injection.waiting.extend(taken);
        Some(taken.len())
    }

    /// Changes a frame that the leg is to hear: adds all sources to it, or puts them in its place.
    pub(crate) fn add_to(&mut self, pcm: &mut [i16], rate: u32) {
        if self.injections.iter().any(|injection| !injection.over) {
            pcm.fill(0);
        }
        for injection in &mut self.injections {
            let mut sound = [0; 2 * FRAME];
            for pcm in pcm.chunks_mut(FRAME * (rate / RATE) as usize) {
                let sound = &mut sound[..pcm.len()];
                injection.next(sound, rate);
                for (sample, sound) in pcm.iter_mut().zip(sound) {
                    *sample = limit(i32::from(*sample) + i32::from(*sound));
                }
            }
        }
    }

    /// Takes a packet of the bridge of another shard.
    pub(crate) fn lay_beneath(&mut self, now: Time, codec: Codec, packet: &Packet<'_>, pool: &mut Pool) {
        if self.beneath.as_ref().is_none_or(|feed| feed.codec() != codec) {
            let fresh = Feed::new(codec, true, WIDE, pool);
            if let Some(old) = std::mem::replace(&mut self.beneath, fresh) {
                old.give_back(pool);
            }
        }
        if let Some(feed) = &mut self.beneath {
            feed.insert_paced(now, packet);
        }
    }

    /// Makes the frame of 8 kHz at the beginning of `pcm`, or that of the lane, into what the leg hears at `rate`; how many samples
    /// that are.
    pub(crate) fn play(
        &mut self,
        at: Time,
        beneath: Beneath,
        pcm: &mut [i16; LONGEST],
        frame: usize,
        rate: u32,
        count: &mut Count,
    ) -> usize {
        let length = frame * (rate / RATE) as usize;
        match beneath {
            Beneath::Lane => self.pull(at, &mut pcm[..length], rate, count),
            Beneath::Application if rate == WIDE => {
                let narrow = *pcm;
                self.up.run(&narrow[..frame], &mut pcm[..length]);
            }
            Beneath::Application => {}
        }
        self.add_to(&mut pcm[..length], rate);
        length
    }

    /// Fills `pcm` with what the leg would hear of the lane; silence where nothing came.
    fn pull(&mut self, at: Time, pcm: &mut [i16], rate: u32, count: &mut Count) {
        let mut at = at;
        while self.waiting.len() < pcm.len() {
            let mut sound = [0; 2 * FRAME];
            let feed = self.beneath.as_mut().filter(|feed| feed.rate() == rate);
            let pulled = feed.and_then(|feed| feed.pull(at, &mut sound, count));
            let length = pulled.unwrap_or(FRAME * (rate / RATE) as usize);
            self.waiting.push(&sound[..length]);
            at += TICK;
        }
        pcm.copy_from_slice(self.waiting.front(pcm.len()));
        self.waiting.consume(pcm.len());
    }

    /// Gives back what it took from the pool.
    pub(crate) fn give_back(self: Box<Injected>, pool: &mut Pool) {
        if let Some(feed) = self.beneath {
            feed.give_back(pool);
        }
    }
}

impl Injection {
    /// Fills at most 20 ms at 8 or 16 kHz.
    fn next(&mut self, out: &mut [i16], rate: u32) {
        let (mut given, mut wide) = ([0; PIECE], [0; 2 * FRAME]);
        let length = out.len();
        match (self.rate, rate) {
            (SoundRate::Hz8000, RATE) | (SoundRate::Hz16000, WIDE) => self.take(out),
            (SoundRate::Hz8000, _) => {
                let given = &mut given[..length / 2];
                self.take(given);
                self.up.run(given, out);
            }
            (SoundRate::Hz16000, _) => {
                let given = &mut given[..2 * length];
                self.take(given);
                self.down.run(given, out);
            }
            (SoundRate::Hz48000, WIDE) => {
                let given = &mut given[..3 * length];
                self.take(given);
                self.third.run(given, out);
            }
            (SoundRate::Hz48000, _) => {
                let (given, wide) = (&mut given[..6 * length], &mut wide[..2 * length]);
                self.take(given);
                self.third.run(given, wide);
                self.down.run(wide, out);
            }
        }
    }

    /// Takes what waits; the rest is silence.
    fn take(&mut self, pcm: &mut [i16]) {
        let waits = pcm.len().min(self.waiting.len());
        for (sample, given) in pcm.iter_mut().zip(self.waiting.drain(..waits)) {
            *sample = given;
        }
        pcm[waits..].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{level_dbm0, measure};

    const ID: InjectionId = InjectionId(7);

    fn tone(rate: SoundRate, samples: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * 1_004.0 / f64::from(rate.hertz());
        (0..samples)
            .map(|i| ((i as f64 * step).sin() * 8_000.0) as i16)
            .collect()
    }

    #[test]
    fn a_tone_of_any_rate_is_heard_at_any_rate() {
        for rate in [SoundRate::Hz8000, SoundRate::Hz16000, SoundRate::Hz48000] {
            for heard in [RATE, WIDE] {
                let mut injected = Injected::default();
                injected.open(ID, rate, true);
                let sound = tone(rate, rate.hertz() as usize);
                let (mut given, mut all) = (0, Vec::new());
                for _ in 0..40 {
                    given += injected.give(ID, &sound[given..]).unwrap();
                    let mut pcm = vec![0; heard as usize / 50];
                    injected.add_to(&mut pcm, heard);
                    all.extend(pcm);
                }
                let found = measure(&all[all.len() / 4..], heard);
                assert!((found.hertz - 1_004.0).abs() < 0.5, "{rate:?} {heard}: {found:?}");
                assert!((found.dbm0 + 9.04).abs() < 0.2, "{rate:?} {heard}: {found:?}");
            }
        }
    }

    #[test]
    fn room_is_limited_and_what_is_missing_is_silence() {
        let mut injected = Injected::default();
        injected.open(ID, SoundRate::Hz8000, false);
        assert_eq!(injected.give(ID, &[1_000; 4_000]), Some(1_600));
        assert_eq!(injected.give(ID, &[1_000; 10]), Some(0));
        assert_eq!(injected.give(InjectionId(8), &[1; 10]), None);
        let mut pcm = [-500; FRAME];
        for _ in 0..10 {
            pcm = [-500; FRAME];
            injected.add_to(&mut pcm, RATE);
            assert_eq!(pcm, [1_000; FRAME], "instead of what there was");
        }
        injected.give(ID, &[1_000; 40]);
        injected.add_to(&mut pcm, RATE);
        assert!(pcm[..40].iter().all(|sample| *sample == 1_000));
        assert!(pcm[40..].iter().all(|sample| *sample == 0));
    }

    #[test]
    fn several_sources_are_heard_over_each_other() {
        let mut injected = Injected::default();
        injected.open(ID, SoundRate::Hz8000, true);
        injected.open(InjectionId(8), SoundRate::Hz8000, true);
        injected.give(ID, &[300; FRAME]);
        injected.give(InjectionId(8), &[40; FRAME]);
        let mut pcm = [2; FRAME];
        injected.add_to(&mut pcm, RATE);
        assert_eq!(pcm, [342; FRAME]);
        injected.close(ID);
        assert!(!injected.is_empty());
        assert!(level_dbm0(&pcm) < -30.0);
    }
}
