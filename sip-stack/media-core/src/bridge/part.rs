//! Two parties who are left of a mix go on without it, and hear no gap.

use sans_io::Time;

use super::mix::{Mix, Needs, Seat, ear};
use crate::codec::{FRAME, Pool, RATE, WIDE};
use crate::negotiated::StreamAgreed;
use crate::outbox::Outbox;
use crate::resample::Up;
use crate::stream::{End, Feed, Place, Stream, TICK};

/// Frames that a jitter buffer may hold at most when a mix ends: more than its greatest depth.
const MOST_HELD: usize = 20;

impl Mix {
    /// Lets `listener` go on with the sound of `talker` when nothing is mixed any more. Sound that is
    /// relayed, or sent when it comes, no longer waits in a jitter buffer: packets that wait there are sent
    /// at once. Paced sound stays paced.
    pub(crate) fn part(
        &mut self,
        now: Time,
        talker: (Place, End<'_>),
        listener: (Place, End<'_>),
        pool: &mut Pool,
        out: &mut Outbox,
    ) {
        let ((from, talker), (to, mut listener)) = (talker, listener);
        let from = self.seats.iter().position(|seat| seat.place == from);
        let to = self.seats.iter().position(|seat| seat.place == to);
        let media = listener.stream.media.as_ref();
        let codec = media.map(|media| media.send.1);
        let wide = media.is_some_and(StreamAgreed::hears_wideband);
        let heard = ear(listener.stream);
        let (Some(from), Some(to), Some(rate), Some(codec)) = (from, to, heard, codec) else {
            talker.stream.be_mixed_no_more(pool);
            return;
        };
        let relay = talker
            .stream
            .feed
            .as_ref()
            .is_some_and(|feed| feed.codec() == codec);
        let pace = talker.transport.buffers() && !listener.transport.buffers();
        if relay || !pace {
            self.drain(
                now,
                (from, talker.stream),
                (to, listener.reborrow()),
                rate,
                pool,
                out,
            );
        }
        talker.stream.mixed = None;
        talker.stream.follows = false;
        let Some(feed) = &mut talker.stream.feed else {
            return;
        };
        if relay || !pace {
            feed.unpace();
        }
        if !relay && wide && feed.codec().is_wideband() {
            self.seats[from].widen(feed, listener.stream, rate, pool);
        } else if !relay {
            self.seats[from].narrow_down(feed, listener.stream, rate, pool);
        }
        // Its packets are longer than ours, and one of them was begun.
        let begun = &self.seats[to].waiting;
        if begun.len() > 0 && feed.rate() == rate {
            feed.precede(begun.front(usize::MAX));
        }
    }

    /// Sends all that waits in whole frames.
    fn drain(
        &mut self,
        now: Time,
        (from, talker): (usize, &mut Stream),
        (to, mut listener): (usize, End<'_>),
        rate: u32,
        pool: &mut Pool,
        out: &mut Outbox,
    ) {
        let needs = Needs {
            narrow: rate == RATE,
            broad: rate == WIDE,
        };
        let mut at = self.tick;
        for _ in 0..MOST_HELD {
            if !talker.feed.as_ref().is_some_and(|feed| feed.holds()) {
                return;
            }
            self.seats[from].listen(at, talker, needs, pool);
            at += TICK;
            let said = &self.seats[from];
            if said.spoke {
                let (narrow, broad) = (said.narrow, said.broad);
                let pcm = if rate == WIDE { &broad[..] } else { &narrow[..] };
                self.seats[to].hear(now, &mut listener, pcm, out);
            }
        }
    }
}

impl Seat {
    /// Brings the member's sound, and the encoder by which it is heard at `rate`, to 16 kHz, where they mostly are.
    fn widen(&mut self, feed: &mut Feed, listener: &mut Stream, rate: u32, pool: &mut Pool) {
        if feed.rate() == RATE && rate == WIDE {
            feed.precede(&std::mem::take::<Up>(&mut self.up).pending());
        }
        feed.retune(WIDE, pool);
        if rate != WIDE {
            listener.prepare_encoder(WIDE, pool);
            listener.stale = true;
        }
    }

    /// Brings the member's sound, and the encoder by which it is heard, from `rate` to 8 kHz, without
    /// dropping samples in the filters.
    fn narrow_down(&mut self, feed: &mut Feed, listener: &mut Stream, rate: u32, pool: &mut Pool) {
        if rate == RATE {
            feed.narrow_down(&mut self.down, pool);
            return;
        }
        feed.retune(RATE, pool);
        let pending = std::mem::take::<Up>(&mut self.up).pending();
        feed.precede(&pending);
        listener.prepare_encoder(RATE, pool);
        if let Some(encoder) = &mut listener.encoder {
            // Its past is the sound before.
            let mut past = [0; FRAME];
            past[pending.len()..].copy_from_slice(&self.narrow[..FRAME - pending.len()]);
            let _ = encoder.encode(&past, &mut [0; 2 * FRAME]);
        }
    }
}
