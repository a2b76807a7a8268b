//! Taps of legs, sound that is injected into them, and whether their peers speak.

use sans_io::Time;

use super::Shard;
use crate::control::{InjectionId, LegId, SoundRate};

impl Shard {
    /// Takes samples of a source that was announced by [`Command::Inject`](crate::control::Command::Inject): 16-bit mono at its
    /// rate, as many as there is room for, which is 200 ms. Returns how many it took; `None` if there is no such source any more.
    pub fn handle_sound(&mut self, leg: LegId, injection: InjectionId, pcm: &[i16]) -> Option<usize> {
        let leg = self.legs.get_mut(*self.names.get(&leg)?)?;
        leg.injected.as_mut()?.give(injection, pcm)
    }

    pub(super) fn tap(&mut self, id: LegId, on: bool) {
        match self.key_of(id).and_then(|key| self.legs.get_mut(key)) {
            Some(leg) => leg.transport.tap(id, leg.media.as_ref(), on),
            None if on => self.out.closed(id),
            None => {}
        }
    }

    pub(super) fn watch_speech(&mut self, id: LegId, on: bool) {
        if let Some(key) = self.key_of(id)
            && let Some(leg) = self.legs.get_mut(key)
        {
            leg.transport.listen_for_speech(id, leg.media.as_ref(), on);
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
        let found = self
            .key_of(id)
            .and_then(|key| Some((key, self.legs.get_mut(key)?)));
        let Some((key, leg)) = found else {
            return self.out.closed(id);
        };
        leg.injected.get_or_insert_default().open(injection, rate, over);
        self.rewire_with(now, key);
    }

    pub(super) fn end_injection(&mut self, now: Time, id: LegId, injection: InjectionId) {
        let Some(key) = self.key_of(id) else { return };
        let Some(leg) = self.legs.get_mut(key) else { return };
        let Some(injected) = &mut leg.injected else { return };
        injected.close(injection);
        if injected.is_empty() {
            if let Some(injected) = leg.injected.take() {
                injected.give_back(&mut self.pool);
            }
            self.rewire_with(now, key);
        }
    }
}
