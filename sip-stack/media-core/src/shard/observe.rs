//! Taps of legs, sound that is injected into them, and whether their peers speak.

use sans_io::Time;

use super::Shard;
use crate::control::{InjectionId, LegId, SoundRate, StreamIndex};
use crate::leg::end_at;
use crate::stream::{End, Place};

impl Shard {
    /// Takes samples of a source that was announced by [`Command::Inject`](crate::control::Command::Inject): 16-bit mono at its
    /// rate, as many as there is room for, which is 200 ms. Returns how many it took; `None` if there is no such source any more.
    pub fn handle_sound(&mut self, leg: LegId, injection: InjectionId, pcm: &[i16]) -> Option<usize> {
        let key = *self.names.get(&leg)?;
        self.end(Place::first(key))?
            .stream
            .injected
            .as_mut()?
            .give(injection, pcm)
    }

    pub(super) fn tap(&mut self, id: LegId, stream: StreamIndex, on: bool) {
        match self.key_of(id).and_then(|key| self.legs.get_mut(key)) {
            Some(leg) => {
                let streams = leg.streams.iter().map(|stream| stream.media.as_ref());
                leg.transport.tap(id, streams, stream, on);
            }
            None if on => self.out.closed(id),
            None => {}
        }
    }

    pub(super) fn watch_speech(&mut self, id: LegId, on: bool) {
        if let Some(key) = self.key_of(id)
            && let Some(leg) = self.legs.get_mut(key)
        {
            let streams = leg.streams.iter().map(|stream| stream.media.as_ref());
            leg.transport.listen_for_speech(id, streams, on);
            self.arm(key);
        }
    }

    pub(super) fn inject(
        &mut self,
        now: Time,
        id: LegId,
        injection: InjectionId,
        rate: SoundRate,
        over: bool,
    ) {
        let key = self.key_of(id);
        let found = key.and_then(|key| Some((key, self.end(Place::first(key))?)));
        let Some((key, End { stream, .. })) = found else {
            return self.out.closed(id);
        };
        stream
            .injected
            .get_or_insert_default()
            .open(injection, rate, over);
        self.rewire_with(now, key);
    }

    pub(super) fn end_injection(&mut self, now: Time, id: LegId, injection: InjectionId) {
        let Some(key) = self.key_of(id) else { return };
        let Some(End { stream, .. }) = end_at(&mut self.legs, Place::first(key)) else {
            return;
        };
        let Some(injected) = &mut stream.injected else {
            return;
        };
        injected.close(injection);
        if injected.is_empty() {
            if let Some(injected) = stream.injected.take() {
                injected.give_back(&mut self.pool);
            }
            self.rewire_with(now, key);
        }
    }
}
