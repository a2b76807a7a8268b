//! Streams of legs that hear each other. Of two, a packet is relayed where the listener speaks its codec, and transcoded otherwise;
//! which of the two is decided for each packet, so a leg that changes its codec changes the bridge. A foreign format is relayed or
//! not heard. More than two, and those
//! who only listen, share a [`Mix`].

mod mix;
mod part;

pub(crate) use mix::{Mix, Part};

use sans_io::Time;

use crate::codec::{Pool, RATE, WIDE};
use crate::negotiated::{Codec, StreamAgreed};
use crate::outbox::Outbox;
use crate::rtp::Packet;
use crate::stats::Mode;
use crate::stream::{End, Feed, Sink, Stream, direct, last, paced};

/// Sends a packet of sound from `talker` to `listener`.
pub(crate) fn on_packet(
    now: Time,
    talker: End<'_>,
    mut listener: End<'_>,
    codec: Codec,
    packet: &Packet<'_>,
    pool: &mut Pool,
    out: &mut Outbox,
) {
    let Some(media) = &listener.stream.media else {
        return;
    };
    if talker.stream.keys.pressed() {
        // The digit goes on by itself; the sound beside it would be the same digit again.
        listener.stream.egress.interrupt();
        return;
    }
    if media.send.1 == codec {
        listener.stream.count.mode = Mode::Relay;
        if let Some(mut feed) = talker.stream.feed.take() {
            let sent = last(now, &mut feed, packet, listener.reborrow(), out);
            feed.give_back(pool);
            if sent {
                return;
            }
        }
        listener.relay(now, codec, packet.header, packet.payload, out);
        return;
    }
    if codec.is_foreign() || media.send.1.is_foreign() {
        // Silence until signalling has brought the two together.
        listener.stream.egress.interrupt();
        return;
    }
    listener.stream.count.mode = Mode::Transcode;
    let rate = rate_between(codec, media);
    if !listener.stream.sends_tones() {
        listener.stream.prepare_encoder(rate, pool);
    }
    let clock = media_clock(listener.stream);
    listener.stream.egress.set_clock(clock);
    // A phone's own buffer is shallow if it has one; a browser's is better than ours.
    let pace = talker.transport.buffers() && !listener.transport.buffers();
    if !talker
        .stream
        .feed
        .as_ref()
        .is_some_and(|feed| feed.fits(codec, pace, rate))
    {
        let fresh = Feed::new(codec, pace, rate, pool);
        if let Some(old) = std::mem::replace(&mut talker.stream.feed, fresh) {
            old.give_back(pool);
        }
        listener.stream.egress.interrupt();
    }
    let Stream { feed, count, .. } = talker.stream;
    let Some(feed) = feed else { return };
    if pace {
        feed.insert_paced(now, packet);
        paced(now, feed, &mut Sink::Stream(listener, out), count);
    } else if feed.insert_direct(now, packet) {
        direct(now, feed, &mut Sink::Stream(listener, out), count);
    }
}

/// Rate of the sound by which a codec is brought to this listener.
fn rate_between(codec: Codec, listener: &StreamAgreed) -> u32 {
    if codec.is_wideband() && listener.hears_wideband() {
        WIDE
    } else {
        RATE
    }
}

fn media_clock(stream: &Stream) -> u32 {
    stream.media.as_ref().map_or(8_000, |media| media.send.1.clock())
}
