//! Sound that is made for the peer, 20 ms at a time by our clock.

use std::time::Duration;

use sans_io::Time;

use super::announcement::Announcement;
use super::{Beneath, End, Stream};
use crate::codec::{Encoder, RATE};
use crate::control::{Event, LegId};
use crate::outbox::Outbox;

impl End<'_> {
    /// Makes and sends what the application says up to now, or what is injected over that or over the sound `beneath`.
    pub(crate) fn play(&mut self, now: Time, beneath: Beneath, out: &mut Outbox) {
        let Some(mut tick) = self.stream.tick else { return };
        let frame = self.stream.frame();
        let length = Duration::from_micros(frame as u64 * 1_000_000 / u64::from(RATE));
        if now.since(tick) > length * 5 {
            // We were held up: missed frames stay missed.
            tick = now;
            self.stream.egress.resume(now);
        }
        while tick <= now {
            let mut pcm = [0; crate::codec::LONGEST];
            let stream = &mut *self.stream;
            match (&mut stream.player, &mut stream.announcement) {
                _ if beneath == Beneath::Lane => {}
                (Some(player), Some(announcement)) => announcement.fill(player, &mut pcm[..frame]),
                (Some(player), None) => player.fill(&mut pcm[..frame]),
                (None, _) => {}
            }
            let rate = stream.encoder.as_ref().map_or(RATE, Encoder::rate);
            let samples = match &mut stream.injected {
                Some(injected) => injected.play(tick, beneath, &mut pcm, frame, rate, &mut stream.count),
                None => frame,
            };
            self.send_sound(now, &pcm[..samples], out);
            if self
                .stream
                .announcement
                .as_ref()
                .is_some_and(Announcement::is_over)
            {
                self.stream.end_announcement(self.leg, true, out);
            }
            tick += length;
        }
        self.stream.tick = Some(tick);
    }
}

impl Stream {
    /// Ends the announcement under way, if there is one.
    pub(crate) fn end_announcement(&mut self, leg: LegId, whole: bool, out: &mut Outbox) {
        if self.announcement.take().is_some() {
            out.event(Event::Announced { leg, whole });
        }
    }
}
