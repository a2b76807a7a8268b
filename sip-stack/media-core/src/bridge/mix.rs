//! More than two members, or not all of them parties. Every 20 ms the sound of each talker is taken from its
//! jitter buffer and added up, and each ear gets the sum without its own sound.
//!
//! There are two sums, at 8 kHz and at 16 kHz, so that sound changes its rate once for each talker and not at all between
//! legs of one kind. The wide one is made where more than one member speaks a wideband codec.

use std::time::Duration;

use sans_io::Time;
use slab::Slab;

use crate::codec::{FRAME, Pool, RATE, WIDE};
use crate::deadlines::Armed;
use crate::leg::{Leg, end_at};
use crate::negotiated::{Codec, OpusParameters, StreamAgreed};
use crate::outbox::Outbox;
use crate::resample::{Down, Up};
use crate::stats::Mode;
use crate::stream::{End, Hears, Place, Stream, TICK, Waiting, limit};

/// Time without packets after which a talker is left out until something comes.
const REST: Duration = Duration::from_secs(1);
/// No sample of a quiet frame is over this (-48 dBFS): a codec may be exchanged then.
const QUIET: u16 = 128;
/// Octets of a frame that several listeners share: G.711 or G.722, or Opus at more than twice the rate that we send.
const SHARED: usize = FRAME;
/// Kinds of listeners that share.
const KINDS: usize = 4;

/// Part of a stream in a mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Party,
    Listener,
    /// To the stream at this place, if it is there.
    Coach(Option<Place>),
}

impl Part {
    fn speaks(self) -> bool {
        matches!(self, Part::Party | Part::Coach(Some(_)))
    }
}

/// Those who hear each other in one bridge.
#[derive(Debug)]
pub(crate) struct Mix {
    pub(super) seats: Vec<Seat>,
    /// More than one member speaks a wideband codec.
    wide: bool,
    /// Time at which the next 20 ms are due.
    pub(crate) tick: Time,
    pub(crate) armed: Armed,
    shared: Vec<Shared>,
}

/// One member.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) place: Place,
    part: Part,
    /// True if it said something in this tick, which is then in one of these:
    pub(super) spoke: bool,
    pub(super) narrow: [i16; FRAME],
    pub(super) broad: [i16; 2 * FRAME],
    pub(super) up: Up,
    pub(super) down: Down,
    /// Samples that it is to hear and that do not fill a packet yet.
    pub(super) waiting: Waiting,
}

/// A frame of everybody for listeners of one kind.
#[derive(Debug)]
struct Shared {
    kind: (Codec, u32, OpusParameters),
    /// `None`: it need not be sent.
    payload: Option<([u8; SHARED], usize)>,
}

impl Mix {
    pub(crate) fn new(tick: Time, generation: u64) -> Mix {
        Mix {
            seats: Vec::new(),
            wide: false,
            tick,
            armed: Armed::new(generation),
            shared: Vec::with_capacity(KINDS),
        }
    }

    /// Lets these take part, and sets the rate at which each one's sound is wanted. Nothing changes for those
    /// who took part before.
    pub(crate) fn set_members(&mut self, members: &[(Place, Part)], legs: &mut Slab<Leg>, pool: &mut Pool) {
        let mut before = std::mem::take(&mut self.seats);
        for (place, part) in members {
            let seat = before.iter().position(|seat| seat.place == *place);
            let mut seat = seat.map_or_else(|| Seat::new(*place), |at| before.swap_remove(at));
            seat.part = *part;
            self.seats.push(seat);
        }
        let wideband = |place: Place| {
            let stream = legs.get(place.leg).and_then(|leg| leg.stream(place.stream));
            stream
                .and_then(|stream| stream.media.as_ref())
                .is_some_and(StreamAgreed::hears_wideband)
        };
        self.wide = members.iter().filter(|(place, _)| wideband(*place)).count() > 1;
        for (place, part) in members {
            let Some(End { stream, .. }) = end_at(legs, *place) else {
                continue;
            };
            stream.mixed = part.speaks().then_some(if self.wide { WIDE } else { RATE });
            if !part.speaks()
                && stream.listener.is_none()
                && let Some(feed) = stream.feed.take()
            {
                feed.give_back(pool);
            }
        }
    }

    /// The rate at which a stream's peer hears best.
    pub(crate) fn rate_for(&self, stream: &Stream) -> u32 {
        match &stream.media {
            Some(media) if self.wide && media.hears_wideband() => WIDE,
            _ => RATE,
        }
    }

    /// The 20 ms that are due: taken from everybody, sent to everybody.
    pub(crate) fn play(&mut self, now: Time, legs: &mut Slab<Leg>, pool: &mut Pool, out: &mut Outbox) {
        let (at, wide) = (self.tick, self.wide);
        self.tick += TICK;
        let mut needs = Needs::default();
        for seat in &self.seats {
            let stream = legs
                .get(seat.place.leg)
                .and_then(|leg| leg.stream(seat.place.stream));
            if let Some(rate) = stream.and_then(ear) {
                needs.broad |= rate == WIDE;
                needs.narrow |= rate == RATE;
            }
        }
        let (mut narrow, mut broad) = ([0; FRAME], [0; 2 * FRAME]);
        for seat in &mut self.seats {
            let Some(end) = end_at(legs, seat.place) else {
                continue;
            };
            seat.listen(at, end.stream, needs, pool);
            if seat.spoke && seat.part == Part::Party {
                add(&mut narrow, &seat.narrow);
                add(&mut broad, &seat.broad);
            }
        }
        self.shared.clear();
        let others = self.seats.iter().filter(|seat| seat.part != Part::Party).count();
        for index in 0..self.seats.len() {
            let (place, part) = (self.seats[index].place, self.seats[index].part);
            // Listeners and coaches hear the same, unless somebody coaches them.
            let shares = part != Part::Party && others > 1 && !self.is_coached(place);
            let Some(mut end) = end_at(legs, place) else {
                continue;
            };
            let Some(rate) = ear(end.stream) else { continue };
            let mut pcm = [0; 2 * FRAME];
            let pcm = if rate == WIDE {
                self.sum(index, &broad, |seat| &seat.broad, &mut pcm);
                &mut pcm[..]
            } else {
                self.sum(index, &narrow, |seat| &seat.narrow, &mut pcm[..FRAME]);
                &mut pcm[..FRAME]
            };
            end.stream.count.mode = Mode::Mix;
            if let Some(injected) = &mut end.stream.injected {
                injected.add_to(pcm, rate);
            } else if shares && self.share(now, &mut end, pcm, out) {
                continue;
            }
            self.seats[index].hear(now, &mut end, pcm, out);
            let best = if wide { self.rate_for(end.stream) } else { RATE };
            if best != rate && is_quiet(pcm) {
                end.stream.prepare_encoder(best, pool);
            }
        }
    }

    fn is_coached(&self, place: Place) -> bool {
        self.seats
            .iter()
            .any(|seat| seat.part == Part::Coach(Some(place)))
    }

    /// Sum that a seat hears: all parties but itself, and the one who coaches it.
    fn sum<'a, const N: usize>(
        &'a self,
        index: usize,
        all: &[i32; N],
        of: impl Fn(&'a Seat) -> &'a [i16; N],
        pcm: &mut [i16],
    ) {
        let seat = &self.seats[index];
        let mut sum = *all;
        if seat.part == Part::Party && seat.spoke {
            for (sum, own) in sum.iter_mut().zip(of(seat)) {
                *sum -= i32::from(*own);
            }
        }
        for coach in &self.seats {
            if coach.spoke && coach.part == Part::Coach(Some(seat.place)) {
                add(&mut sum, of(coach));
            }
        }
        for (sample, sum) in pcm.iter_mut().zip(&sum) {
            *sample = limit(*sum);
        }
    }

    /// Sends a listener the frame that one of its kind got already, or makes that one; false when it must have its own.
    fn share(&mut self, now: Time, end: &mut End<'_>, pcm: &[i16], out: &mut Outbox) -> bool {
        let rate = if pcm.len() == FRAME { RATE } else { WIDE };
        // Redundancy against loss is added for one peer.
        let stream = &mut *end.stream;
        if stream.fec_until.is_some() || stream.digits.active() || stream.samples_of_packet(rate) != pcm.len()
        {
            return false;
        }
        let (Some(media), Some(encoder)) = (&stream.media, &mut stream.encoder) else {
            return false;
        };
        let kind = (encoder.codec(), encoder.rate(), media.opus);
        let at = match self.shared.iter().position(|shared| shared.kind == kind) {
            Some(at) => {
                // Its own encoder heard nothing of this.
                stream.stale = true;
                at
            }
            None if self.shared.len() < KINDS => {
                let mut payload = [0; SHARED];
                if std::mem::take(&mut stream.stale) {
                    let _ = encoder.encode(pcm, &mut payload);
                }
                let Ok(length) = encoder.encode(pcm, &mut payload) else {
                    return false;
                };
                self.shared.push(Shared {
                    kind,
                    payload: length.map(|length| (payload, length)),
                });
                self.shared.len() - 1
            }
            None => return false,
        };
        match &self.shared[at].payload {
            Some((payload, length)) => end.send_encoded(now, pcm.len(), &payload[..*length], out),
            None => end.stream.pass(pcm.len()),
        }
        true
    }
}

/// Sums that somebody hears.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    pub(super) narrow: bool,
    pub(super) broad: bool,
}

impl Seat {
    fn new(place: Place) -> Seat {
        Seat {
            place,
            part: Part::Listener,
            spoke: false,
            narrow: [0; FRAME],
            broad: [0; 2 * FRAME],
            up: Up::default(),
            down: Down::default(),
            waiting: Waiting::default(),
        }
    }

    /// Takes what the member says next.
    pub(super) fn listen(&mut self, at: Time, stream: &mut Stream, needs: Needs, pool: &mut Pool) {
        self.spoke = false;
        let (Some(rate), Some(feed)) = (stream.mixed, &mut stream.feed) else {
            return;
        };
        let mut pcm = [0; 2 * FRAME];
        let Some(len) = feed.pull(at, &mut pcm, &mut stream.count) else {
            return;
        };
        let pcm = &pcm[..len];
        // A digit goes on by itself; the sound beside it would be the same digit again.
        self.spoke = !stream.keys.pressed();
        if len == FRAME {
            self.narrow.copy_from_slice(pcm);
            if needs.broad {
                self.up.run(pcm, &mut self.broad);
            }
        } else {
            self.broad.copy_from_slice(pcm);
            if needs.narrow {
                self.down.run(pcm, &mut self.narrow);
            }
        }
        if feed.hushed && stream.heard.is_none_or(|heard| at.since(heard) > REST) {
            feed.rest();
        } else if is_quiet(pcm) {
            feed.retune(rate, pool);
        }
    }

    /// Lets the member hear a frame, in packets of the length that it wants.
    pub(super) fn hear(&mut self, now: Time, end: &mut End<'_>, pcm: &[i16], out: &mut Outbox) {
        let rate = if pcm.len() == FRAME { RATE } else { WIDE };
        let packet = end.stream.samples_of_packet(rate);
        if self.waiting.len() == 0 && packet == pcm.len() {
            end.send_sound(now, pcm, out);
            return;
        }
        self.waiting.push(pcm);
        while self.waiting.len() >= packet {
            end.send_sound(now, self.waiting.front(packet), out);
            self.waiting.consume(packet);
        }
    }
}

/// The rate at which a stream's peer hears the mix, if it does.
pub(super) fn ear(stream: &Stream) -> Option<u32> {
    let encoder = stream.encoder.as_ref().filter(|_| stream.hears == Hears::Mix)?;
    Some(encoder.rate())
}

fn is_quiet(pcm: &[i16]) -> bool {
    pcm.iter().all(|sample| sample.unsigned_abs() <= QUIET)
}

fn add(sum: &mut [i32], pcm: &[i16]) {
    for (sum, sample) in sum.iter_mut().zip(pcm) {
        *sum += i32::from(*sample);
    }
}
