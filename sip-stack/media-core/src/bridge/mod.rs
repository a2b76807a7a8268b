//! Legs that hear each other. Of two, a packet is relayed where the listener speaks its codec, and transcoded otherwise;
//! which of the two is decided for each packet, so a leg that changes its codec changes the bridge. More than two, and those
//! who only listen, share a [`Mix`].

mod mix;
mod part;

pub(crate) use mix::{Mix, Part};

use sans_io::Time;

use crate::codec::{Pool, RATE};
use crate::negotiated::Codec;
use crate::outbox::Outbox;
use crate::rtp::Packet;
use crate::stats::Mode;
use crate::stream::{Feed, Leg, Sink, direct, last, paced};

/// A packet of sound from `talker` goes to `listener`.
pub(crate) fn on_packet(
    now: Time,
    talker: &mut Leg,
    listener: &mut Leg,
    codec: Codec,
    packet: &Packet<'_>,
    pool: &mut Pool,
    out: &mut Outbox,
) {
    let Some(media) = &listener.media else { return };
    if talker.keys.pressed() {
        // The digit goes on by itself; the sound beside it would be the same digit again.
        listener.egress.interrupt();
        return;
    }
    if media.send.1 == codec {
        listener.count.mode = Mode::Relay;
        if let Some(mut feed) = talker.feed.take() {
            let sent = last(now, &mut feed, packet, listener, out);
            feed.give_back(pool);
            if sent {
                return;
            }
        }
        listener.relay(now, codec, packet.header, packet.payload, out);
        return;
    }
    listener.count.mode = Mode::Transcode;
    listener.prepare_encoder(RATE, pool);
    listener.egress.set_clock(media_clock(listener));
    // A phone's own buffer is shallow if it has one; a browser's is better than ours.
    let pace = talker.transport.buffers() && !listener.transport.buffers();
    if !talker
        .feed
        .as_ref()
        .is_some_and(|feed| feed.fits(codec, pace, RATE))
    {
        let fresh = Feed::new(codec, pace, RATE, pool);
        if let Some(old) = std::mem::replace(&mut talker.feed, fresh) {
            old.give_back(pool);
        }
        listener.egress.interrupt();
    }
    let Some(feed) = &mut talker.feed else { return };
    if pace {
        feed.insert_paced(now, packet);
        paced(now, feed, &mut Sink::Leg(listener, out), &mut talker.count);
    } else if feed.insert_direct(now, packet) {
        direct(now, feed, &mut Sink::Leg(listener, out), &mut talker.count);
    }
}

fn media_clock(leg: &Leg) -> u32 {
    leg.media.as_ref().map_or(8_000, |media| media.send.1.clock())
}
