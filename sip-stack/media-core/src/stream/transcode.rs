//! From one codec to another by way of sound at the decoder's rate, which is the encoder's as well. Two chains, each written out in one
//! function: [`direct`] sends what comes when it comes, [`paced`] sends a frame whenever one is due.

use std::time::Duration;

use sans_io::Time;

use super::feed::{Feed, Order, SEAM, Sink, micros};
use super::{Count, End};
use crate::codec::{Decoder, FRAME, LONGEST, RATE, opus};
use crate::jitter::{Step, Stretch, lengthen, shorten};
use crate::negotiated::Codec;
use crate::outbox::Outbox;
use crate::rtp::Packet;

/// Samples of lost sound at 8 kHz that are made up; the rest of a longer loss is a gap for the listener too.
const CONCEALED: i64 = 3 * FRAME as i64;
/// A sender's pause longer than that is a new beginning.
const PAUSE: i64 = 10 * RATE as i64;
/// Times that a decoder hears a packet that it takes for its past.
const PAST: usize = 3;
/// Frames that are late together are left out beyond this.
const BEHIND: Duration = Duration::from_millis(200);

/// Sends everything that is in order: packet, decoder, encoder, packet. Nothing is held that could go; lost
/// audio is made up (or recovered) for up to 60 ms and sent right before the audio that follows it.
pub(crate) fn direct(now: Time, feed: &mut Feed, sink: &mut Sink<'_>, count: &mut Count) {
    if feed.decoder.rate() == RATE {
        send_all(now, feed, sink, count, &mut [0; LONGEST]);
    } else {
        send_all(now, feed, sink, count, &mut [0; 2 * LONGEST]);
    }
}

/// The same, with room for the longest packet at the decoder's rate.
fn send_all(now: Time, feed: &mut Feed, sink: &mut Sink<'_>, count: &mut Count, pcm: &mut [i16]) {
    let (codec, rate) = (feed.decoder.codec(), feed.decoder.rate());
    let clock = i64::from(codec.clock());
    // Samples for each one at 8 kHz.
    let per = i64::from(rate / RATE);
    let frame = sink.frame(rate);
    loop {
        let Order::Direct(reorder) = &mut feed.order else {
            return;
        };
        let Some((lost, timestamp, index)) = reorder.pop(now) else {
            return;
        };
        let payload = reorder.payload(index);
        let gap = feed
            .expected
            .map(|expected| (timestamp - expected) * i64::from(RATE) / clock);
        match gap {
            Some(0) => {}
            Some(gap @ 1..=CONCEALED) if lost > 0 => {
                let made_up = &mut pcm[..(gap * per) as usize];
                if lost == 1 && codec == Codec::Opus && opus::has_fec(payload) {
                    feed.decoder.recover(payload, made_up);
                    count.fec_recovered += 1;
                } else {
                    feed.decoder.conceal(made_up);
                }
                count.concealed += gap as u64;
                feed.waiting.push(made_up);
            }
            Some(gap @ 1..=PAUSE) => {
                let waiting = feed.waiting.len() as i64 / per;
                feed.waiting.consume(usize::MAX);
                sink.silence((waiting + gap) as u32);
            }
            None if std::mem::take(&mut feed.eager) => {}
            _ => {
                feed.waiting.consume(usize::MAX);
                sink.resume(now);
            }
        }
        let Ok(decoded) = feed.decoder.decode(payload, pcm) else {
            count.refused += 1;
            continue;
        };
        if feed.cold || feed.seam.is_some() {
            join(&mut feed.decoder, payload, &mut feed.cold, feed.seam.take(), pcm);
        }
        feed.expected = Some(timestamp + decoded as i64 * clock / i64::from(rate));
        feed.waiting.push(&pcm[..decoded]);
        while feed.waiting.len() >= frame {
            sink.sound(now, feed.waiting.front(frame));
            feed.waiting.consume(frame);
        }
    }
}

/// Sends every frame that is due: what [`play`] makes of the jitter buffer, encoder, packet.
pub(crate) fn paced(now: Time, feed: &mut Feed, sink: &mut Sink<'_>, count: &mut Count) {
    if feed.decoder.rate() == RATE {
        send_due(now, feed, sink, count, &mut [0; LONGEST + FRAME]);
    } else {
        send_due(now, feed, sink, count, &mut [0; 2 * (LONGEST + FRAME)]);
    }
}

/// The same, with room for the longest packet and 20 ms at the decoder's rate.
fn send_due(now: Time, feed: &mut Feed, sink: &mut Sink<'_>, count: &mut Count, pcm: &mut [i16]) {
    let rate = feed.decoder.rate();
    let frame = sink.frame(rate);
    let length = Duration::from_micros(frame as u64 * 1_000_000 / u64::from(rate));
    loop {
        let Order::Paced(buffer) = &mut feed.order else {
            return;
        };
        let Some(due) = buffer.due().filter(|due| *due <= now) else {
            return;
        };
        if now.since(due) > BEHIND {
            buffer.catch_up(now);
            sink.resume(now);
        }
        play(feed, frame, pcm, count);
        sink.sound(now, feed.waiting.front(frame));
        feed.waiting.consume(frame);
        feed.advance(length);
    }
}

/// Makes sure that at least `wanted` samples wait, from the jitter buffer, the decoder (or its redundancy, or
/// concealment, or noise), stretched if the depth is off. `pcm` has room for the longest packet and 20 ms.
pub(super) fn play(feed: &mut Feed, wanted: usize, pcm: &mut [i16], count: &mut Count) {
    let (codec, rate) = (feed.decoder.codec(), feed.decoder.rate());
    let clock = i64::from(codec.clock());
    let of = |ticks: i64| (ticks * i64::from(rate) / clock) as usize;
    let is_opus = codec == Codec::Opus;
    let frame = rate as usize / 50;
    let longest = pcm.len() - frame;
    let Order::Paced(buffer) = &mut feed.order else {
        return;
    };
    while feed.waiting.len() < wanted {
        let waiting = micros(feed.waiting.len(), rate);
        let step = buffer.next(
            waiting,
            |payload| is_opus && opus::is_dtx(payload),
            |payload| is_opus && opus::has_fec(payload),
        );
        let made = match step {
            Step::Packet(index) => match feed.decoder.decode(buffer.payload(index), &mut pcm[..longest]) {
                Ok(decoded) => {
                    if feed.cold || feed.seam.is_some() {
                        join(
                            &mut feed.decoder,
                            buffer.payload(index),
                            &mut feed.cold,
                            feed.seam.take(),
                            &mut pcm[..longest],
                        );
                    }
                    feed.noise.learn(&pcm[..decoded]);
                    feed.hushed = false;
                    let quiet = feed.noise.is_quiet(&pcm[..decoded]);
                    match buffer.stretch(waiting, waiting + micros(decoded, rate)) {
                        Stretch::Shorten(by, may) if may || quiet => {
                            let shorter = shorten(pcm, decoded, rate, samples(by, rate), quiet);
                            if shorter < decoded && !quiet {
                                buffer.stretched();
                            }
                            shorter
                        }
                        Stretch::Lengthen(by, may) if may || quiet => {
                            let longer = lengthen(pcm, decoded, rate, samples(by, rate), quiet);
                            if longer > decoded && !quiet {
                                buffer.stretched();
                            }
                            longer
                        }
                        _ => decoded,
                    }
                }
                Err(_) => {
                    count.refused += 1;
                    feed.decoder.conceal(&mut pcm[..frame]);
                    frame
                }
            },
            Step::Recover(index, lost) => {
                let lost = of(lost).min(longest);
                feed.decoder.recover(buffer.payload(index), &mut pcm[..lost]);
                count.fec_recovered += 1;
                count.concealed += lost as u64 * u64::from(RATE) / u64::from(rate);
                lost
            }
            Step::Conceal(lost) => {
                let lost = of(lost).min(longest);
                feed.decoder.conceal(&mut pcm[..lost]);
                count.concealed += lost as u64 * u64::from(RATE) / u64::from(rate);
                lost
            }
            Step::Noise(silent) => {
                let silent = of(silent).clamp(1, longest);
                feed.noise.fill(&mut pcm[..silent]);
                if !feed.hushed {
                    fade(&mut feed.decoder, &mut pcm[..silent]);
                }
                feed.hushed = true;
                silent
            }
        };
        feed.waiting.push(&pcm[..made]);
    }
}

/// Joins a decoder that did not hear the audio before: it takes its first packet, decoded into `pcm` already,
/// for its past, and blends over from the continuation of the previous decoder.
fn join(decoder: &mut Decoder, payload: &[u8], cold: &mut bool, seam: Option<[i16; SEAM]>, pcm: &mut [i16]) {
    if std::mem::take(cold) {
        for _ in 0..PAST {
            // The packet was decoded before.
            let _ = decoder.decode(payload, pcm);
        }
    }
    if let Some(seam) = seam {
        blend(pcm, &seam);
    }
}

/// Goes over from `old` to `pcm` while `old` lasts.
fn blend(pcm: &mut [i16], old: &[i16]) {
    let len = old.len() as i32;
    for (i, (sample, old)) in pcm.iter_mut().zip(old).enumerate() {
        let (new, old) = (i32::from(*sample), i32::from(*old));
        *sample = (old + (new - old) * (i as i32 + 1) / (len + 1)) as i16;
    }
}

/// The first frame of noise: what the decoder makes up goes out as the noise comes in.
fn fade(decoder: &mut Decoder, noise: &mut [i16]) {
    let mut last = [0; 2 * FRAME];
    let len = noise.len().min(decoder.rate() as usize / 50);
    decoder.conceal(&mut last[..len]);
    for (i, (sample, old)) in noise.iter_mut().zip(&last[..len]).enumerate() {
        let old = i32::from(*old) * (len - i) as i32 / len as i32;
        *sample = (i32::from(*sample) * i as i32 / len as i32 + old) as i16;
    }
}

fn samples(micros: i64, rate: u32) -> usize {
    (micros * i64::from(rate) / 1_000_000) as usize
}

/// The first packet that could be passed on as it is after sound that was decoded: goes out by way of sound once more,
/// blended with what of that sound is left; false when nothing is.
pub(crate) fn last(
    now: Time,
    feed: &mut Feed,
    packet: &Packet<'_>,
    mut listener: End<'_>,
    out: &mut Outbox,
) -> bool {
    let (codec, rate) = (feed.decoder.codec(), feed.decoder.rate());
    let ready = listener
        .stream
        .encoder
        .as_ref()
        .is_some_and(|encoder| encoder.codec() == codec && encoder.rate() == rate);
    let left = feed.waiting.len();
    let mut pcm = [0; 2 * LONGEST];
    if left == 0 || !ready {
        return false;
    }
    let Ok(decoded) = feed.decoder.decode(packet.payload, &mut pcm) else {
        return false;
    };
    if decoded != listener.stream.samples_of_packet(rate) || left > decoded {
        return false;
    }
    blend(&mut pcm, feed.waiting.front(left));
    listener.send_sound(now, &pcm[..decoded], out);
    true
}
