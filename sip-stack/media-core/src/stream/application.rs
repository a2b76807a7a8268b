//! Sound that is made for the peer, 20 ms at a time by our clock.

use std::time::Duration;

use sans_io::Time;

use super::announcement::Announcement;
use super::{Beneath, Leg};
use crate::codec::{Encoder, RATE};
use crate::control::Event;
use crate::outbox::Outbox;

impl Leg {
    /// Makes and sends what the application says up to now.
    pub(crate) fn play(&mut self, now: Time, out: &mut Outbox) {
        let Some(mut tick) = self.tick else { return };
        let frame = self.frame();
        let beneath = match self.hears_by_lane() {
            Some(true) => Beneath::Lane,
            _ => Beneath::Application,
        };
        let length = Duration::from_micros(frame as u64 * 1_000_000 / u64::from(RATE));
        if now.since(tick) > length * 5 {
            // We were held up: missed frames stay missed.
            tick = now;
            self.egress.resume(now);
        }
        while tick <= now {
            let mut pcm = [0; crate::codec::LONGEST];
            match (&mut self.player, &mut self.announcement) {
                _ if beneath == Beneath::Lane => {}
                (Some(player), Some(announcement)) => announcement.fill(player, &mut pcm[..frame]),
                (Some(player), None) => player.fill(&mut pcm[..frame]),
                (None, _) => {}
            }
            let rate = self.encoder.as_ref().map_or(RATE, Encoder::rate);
            let samples = match &mut self.injected {
                Some(injected) => injected.play(tick, beneath, &mut pcm, frame, rate, &mut self.count),
                None => frame,
            };
            self.send_sound(now, &pcm[..samples], out);
            if self.announcement.as_ref().is_some_and(Announcement::is_over) {
                self.end_announcement(true, out);
            }
            tick += length;
        }
        self.tick = Some(tick);
    }

    /// Ends the announcement under way, if there is one.
    pub(crate) fn end_announcement(&mut self, whole: bool, out: &mut Outbox) {
        if self.announcement.take().is_some() {
            out.event(Event::Announced { leg: self.id, whole });
        }
    }
}
