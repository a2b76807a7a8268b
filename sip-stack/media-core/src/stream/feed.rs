use std::sync::mpsc::SyncSender;
use std::time::Duration;

use sans_io::{Deadline, Time};

use super::transcode::play;
use super::{Count, End};
use crate::codec::{self, Decoder, FRAME, LONGEST, Pool, RATE};
use crate::jitter::{Buffer, Noise, Reorder};
use crate::negotiated::Codec;
use crate::outbox::Outbox;
use crate::resample::Down;
use crate::rtp::Packet;

/// Length of what a mix takes at a time.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// Sound of one peer, on its way from packets to samples.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(super) decoder: Decoder,
    pub(super) order: Order,
    /// Decoded sound that does not fill a packet of the listener's yet.
    pub(super) waiting: Waiting,
    pub(super) noise: Noise,
    /// True if the source of the last sound was comfort noise.
    pub(crate) hushed: bool,
    /// Timestamp that would follow the last decoded packet, unwrapped.
    pub(super) expected: Option<i64>,
    /// True if its next sound continues audio that was heard of the talker in another way, and does not wait.
    pub(super) eager: bool,
    /// True if the decoder missed the audio before: it hears its next packet more than once and finds its
    /// level by it.
    pub(super) cold: bool,
    /// Continuation of the previous decoder: the next packet is blended with it.
    pub(super) seam: Option<[i16; SEAM]>,
}

/// Ordering of packets.
#[derive(Debug)]
pub(super) enum Order {
    /// As they come, reordered only.
    Direct(Reorder),
    /// Evenly.
    Paced(Box<Buffer>),
}

impl Feed {
    pub(crate) fn new(codec: Codec, pace: bool, rate: u32, pool: &mut Pool) -> Option<Box<Feed>> {
        let decoder = pool.decoder(codec, rate).ok()?;
        Some(Box::new(Feed::with(decoder, pace)))
    }

    /// A feed that decodes with this.
    pub(super) fn with(decoder: Decoder, pace: bool) -> Feed {
        let order = if pace {
            Order::Paced(Box::new(Buffer::new(decoder.codec().clock())))
        } else {
            Order::Direct(Reorder::default())
        };
        Feed {
            decoder,
            order,
            waiting: Waiting::default(),
            noise: Noise::default(),
            hushed: false,
            expected: None,
            eager: false,
            cold: false,
            seam: None,
        }
    }

    /// A feed that continues, in a mix, audio that was relayed undecoded so far.
    pub(crate) fn following(codec: Codec, rate: u32, pool: &mut Pool) -> Option<Box<Feed>> {
        let mut feed = Feed::new(codec, true, rate, pool)?;
        feed.eager = true;
        feed.cold = codec.is_wideband();
        Some(feed)
    }

    /// Gives the decoder back to those who come after.
    pub(crate) fn give_back(self: Box<Feed>, pool: &mut Pool) {
        pool.give_decoder(self.decoder);
    }

    pub(crate) fn fits(&self, codec: Codec, pace: bool, rate: u32) -> bool {
        self.decoder.codec() == codec && self.is_paced() == pace && self.decoder.rate() == rate
    }

    /// Samples a second of what comes out.
    pub(crate) fn rate(&self) -> u32 {
        self.decoder.rate()
    }

    pub(crate) fn codec(&self) -> Codec {
        self.decoder.codec()
    }

    /// Puts a packet into the jitter buffer.
    pub(crate) fn insert_paced(&mut self, now: Time, packet: &Packet<'_>) {
        let codec = self.decoder.codec();
        let (Order::Paced(buffer), Some(duration)) =
            (&mut self.order, codec::duration(codec, packet.payload))
        else {
            return;
        };
        let silent = codec == Codec::Opus && codec::opus::is_dtx(packet.payload);
        let header = &packet.header;
        buffer.insert(
            now,
            header.sequence,
            header.timestamp,
            duration,
            silent,
            packet.payload,
        );
    }

    /// Puts a packet in its place; false when it comes too late.
    pub(crate) fn insert_direct(&mut self, now: Time, packet: &Packet<'_>) -> bool {
        match &mut self.order {
            Order::Direct(reorder) => reorder.insert(
                now,
                packet.header.sequence,
                packet.header.timestamp,
                packet.payload,
            ),
            Order::Paced(_) => false,
        }
    }

    pub(crate) fn is_paced(&self) -> bool {
        matches!(self.order, Order::Paced(_))
    }

    /// Time at which sound is due, or a missing packet is given up.
    pub(crate) fn deadline(&self) -> Deadline {
        match &self.order {
            Order::Direct(reorder) => reorder.deadline(),
            Order::Paced(buffer) => buffer.due().map(|at| (at, "playout")),
        }
    }

    /// A frame of that length was taken.
    pub(super) fn advance(&mut self, frame: Duration) {
        if let Order::Paced(buffer) = &mut self.order {
            buffer.advance(frame);
        }
    }

    /// Depth of the jitter buffer as it is, µs.
    pub(crate) fn depth(&self) -> u32 {
        match &self.order {
            Order::Direct(_) => 0,
            Order::Paced(buffer) => {
                u32::try_from(buffer.depth(micros(self.waiting.len(), self.decoder.rate()))).unwrap_or(0)
            }
        }
    }

    /// The next 20 ms for a mix, at the decoder's rate: how many samples. `None` before the first packet is due and after
    /// [`Feed::rest`].
    pub(crate) fn pull(&mut self, at: Time, pcm: &mut [i16; 2 * FRAME], count: &mut Count) -> Option<usize> {
        let rate = self.decoder.rate();
        let Order::Paced(buffer) = &mut self.order else {
            return None;
        };
        if buffer.due()? > at && !self.eager {
            return None;
        }
        self.eager = false;
        // The beat is that of the mix.
        buffer.catch_up(at);
        let mut scratch = [0; 2 * (LONGEST + FRAME)];
        let room = (LONGEST + FRAME) * (rate / RATE) as usize;
        let len = FRAME * (rate / RATE) as usize;
        play(self, len, &mut scratch[..room], count);
        let front = self.waiting.front(len);
        pcm[..front.len()].copy_from_slice(front);
        self.waiting.consume(len);
        self.advance(TICK);
        Some(len)
    }

    /// True if packets wait undecoded, and silence is not what they wait for.
    pub(crate) fn holds(&self) -> bool {
        matches!(&self.order, Order::Paced(buffer) if !self.hushed && buffer.holds())
    }

    /// Forgets the stream until its next packet: the talker is silent.
    pub(crate) fn rest(&mut self) {
        if let Order::Paced(buffer) = &mut self.order {
            buffer.restart();
        }
        self.waiting.consume(usize::MAX);
    }

    /// Goes on in a mix: evenly from now on.
    pub(crate) fn pace(&mut self) {
        if !self.is_paced() {
            self.order = Order::Paced(Box::new(Buffer::new(self.decoder.codec().clock())));
            self.expected = None;
            self.eager = true;
        }
    }

    /// Goes on outside of a mix: what comes is sent when it comes, after what waits.
    pub(crate) fn unpace(&mut self) {
        self.order = Order::Direct(Reorder::default());
        self.expected = None;
        self.eager = true;
    }

    /// Sound to be heard before anything else of this.
    pub(crate) fn precede(&mut self, pcm: &[i16]) {
        let mut waiting = Waiting::default();
        waiting.push(pcm);
        waiting.push(self.waiting.front(usize::MAX));
        self.waiting = waiting;
    }

    /// Lets the codec be decoded to another rate, if it has it. The change is inaudible while the talker is quiet.
    pub(crate) fn retune(&mut self, rate: u32, pool: &mut Pool) {
        let before = self.decoder.rate();
        let Some(old) = self.exchange(rate, pool) else {
            return;
        };
        pool.give_decoder(old);
        let mut waiting = Waiting::default();
        waiting.len = (self.waiting.len() * rate as usize / before as usize).min(ROOM);
        convert(self.waiting.front(usize::MAX), &mut waiting.pcm[..waiting.len]);
        self.waiting = waiting;
    }

    /// Lets a codec that was decoded to 16 kHz and brought to 8 kHz by this filter be decoded to 8 kHz, in the midst of speech.
    pub(crate) fn narrow_down(&mut self, filter: &mut Down, pool: &mut Pool) {
        let Some(mut old) = self.exchange(RATE, pool) else {
            return;
        };
        // The old decoder's continuation pushes out what is in the filter, and leads into the new one.
        let (mut tail, mut narrow) = ([0; FRAME], [0; FRAME / 2]);
        old.conceal(&mut tail);
        pool.give_decoder(old);
        let mut waiting = Waiting::default();
        waiting.len = self.waiting.len() / 2;
        filter.run(self.waiting.front(usize::MAX), &mut waiting.pcm[..waiting.len]);
        filter.run(&tail, &mut narrow);
        waiting.push(&narrow[..Down::LATE]);
        self.waiting = waiting;
        let mut seam = [0; SEAM];
        seam.copy_from_slice(&narrow[Down::LATE..]);
        self.seam = Some(seam);
    }

    /// Another decoder for the same codec; the old one, if it was another.
    fn exchange(&mut self, rate: u32, pool: &mut Pool) -> Option<Decoder> {
        if !self.decoder.codec().is_wideband() || self.decoder.rate() == rate {
            return None;
        }
        let decoder = match self.decoder.at(rate) {
            Some(same) => same,
            None => {
                self.cold = true;
                pool.decoder(self.decoder.codec(), rate).ok()?
            }
        };
        Some(std::mem::replace(&mut self.decoder, decoder))
    }

    /// The peer began its numbers anew.
    pub(crate) fn restart(&mut self) {
        self.expected = None;
        self.order = match &self.order {
            Order::Direct(_) => Order::Direct(Reorder::default()),
            Order::Paced(_) => Order::Paced(Box::new(Buffer::new(self.decoder.codec().clock()))),
        };
    }
}

/// Samples at 8 kHz over which one decoder leads into another: 10 ms, less those in the filter.
pub(super) const SEAM: usize = FRAME / 2 - Down::LATE;

/// To twice or half the rate, the plain way: for the few ms of quiet where two decoders meet.
fn convert(pcm: &[i16], out: &mut [i16]) {
    let len = out.len().max(1);
    for (i, sample) in out.iter_mut().enumerate() {
        *sample = pcm.get(i * pcm.len() / len).copied().unwrap_or(0);
    }
}

/// Samples that wait at most: 240 ms at 16 kHz.
const ROOM: usize = 4 * LONGEST;

/// Duration of so many samples, µs.
pub(super) fn micros(samples: usize, rate: u32) -> i64 {
    samples as i64 * 1_000_000 / i64::from(rate)
}

/// Samples that wait for more, in order.
#[derive(Debug)]
pub(crate) struct Waiting {
    pcm: [i16; ROOM],
    len: usize,
}

impl Default for Waiting {
    fn default() -> Self {
        Waiting {
            pcm: [0; ROOM],
            len: 0,
        }
    }
}

impl Waiting {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Samples that do not fit are dropped; no run of whole packets gets that far.
    pub(crate) fn push(&mut self, pcm: &[i16]) {
        let take = pcm.len().min(self.pcm.len() - self.len);
        self.pcm[self.len..self.len + take].copy_from_slice(&pcm[..take]);
        self.len += take;
    }

    pub(crate) fn front(&self, len: usize) -> &[i16] {
        &self.pcm[..len.min(self.len)]
    }

    pub(crate) fn consume(&mut self, len: usize) {
        let len = len.min(self.len);
        self.pcm.copy_within(len..self.len, 0);
        self.len -= len;
    }
}

/// Destination of decoded sound.
pub(crate) enum Sink<'a> {
    /// To a stream's peer, in its codec.
    Stream(End<'a>, &'a mut Outbox),
    /// Lane of a recorder; samples are dropped when it is full.
    Lane(&'a SyncSender<Vec<i16>>),
}

impl Sink<'_> {
    /// Samples of a packet, at `rate`.
    pub(super) fn frame(&self, rate: u32) -> usize {
        match self {
            Sink::Stream(end, _) => end.stream.samples_of_packet(rate),
            Sink::Lane(_) => FRAME * (rate / RATE) as usize,
        }
    }

    pub(super) fn sound(&mut self, now: Time, pcm: &[i16]) {
        match self {
            Sink::Stream(end, out) => end.send_sound(now, pcm, out),
            // A full lane means that the recorder does not keep up: its gap, not ours.
            Sink::Lane(lane) => drop(lane.try_send(pcm.to_vec())),
        }
    }

    /// Notes that the peer was silent for so many samples at 8 kHz.
    pub(super) fn silence(&mut self, samples: u32) {
        match self {
            Sink::Stream(end, _) => {
                let egress = &mut end.stream.egress;
                egress.skip(samples * (egress.clock() / RATE));
            }
            Sink::Lane(lane) => drop(lane.try_send(vec![0; samples.min(10 * RATE) as usize])),
        }
    }

    /// The peer's clock jumped, or its numbers began anew.
    pub(super) fn resume(&mut self, now: Time) {
        if let Sink::Stream(end, _) = self {
            end.stream.egress.resume(now);
        }
    }
}
