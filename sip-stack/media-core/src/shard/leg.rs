use std::time::Duration;

use sans_io::{Deadline, Rng, Time, earlier};

use super::announcement::Announcement;
use super::lane::Tie;
use super::outbox::Outbox;
use super::player::Player;
use super::queue::Armed;
use super::silence::Silence;
use crate::bridge::Feed;
use crate::codec::{Encoder, Pool, RATE};
use crate::control::{BridgeId, Event, LegId};
use crate::dtmf;
use crate::negotiated::{Codec, Negotiated};
use crate::rtp::{Egress, HEADER, Header, Packet};
use crate::stats::{Source, Verdict};
use crate::tone::Dual;
use crate::transport::Transport;

/// Time without RTP after which it has stopped.
const STOPPED: Duration = Duration::from_millis(200);
/// A peer that says it is silent (DTX) sends something at least every 400 ms.
const STOPPED_IN_DTX: Duration = Duration::from_millis(1_000);
/// Time after an offer or answer until a peer that was sent nothing is sent some silence: so many packets,
/// and again.
const KNOCK_AFTER: Duration = Duration::from_millis(100);
const KNOCKS: u8 = 5;
const ROUNDS: u8 = 3;
const NEXT_ROUND: Duration = Duration::from_secs(1);
/// Octets of the largest payload we write.
const ROOM: usize = 1_400;

/// Source that a leg hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Hears {
    #[default]
    Nobody,
    /// The leg at this place in the slab; itself for an echo.
    Leg(usize),
    /// The members of its bridge, paced by our clock.
    Mix,
    /// Its stand-in in the bridge of another shard.
    Lane,
    /// Its application, paced by our clock.
    Application,
}

/// Counts of a leg that nothing else keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    pub(crate) received: u64,
    pub(crate) octets: u64,
    pub(crate) refused: u64,
    pub(crate) codec_received: Option<Codec>,
    pub(crate) codec_sent: Option<Codec>,
    pub(crate) concealed: u64,
    pub(crate) fec_recovered: u64,
    pub(crate) remote_fraction_lost: u8,
    pub(crate) remote_jitter_us: u32,
    pub(crate) round_trip_us: u32,
    pub(crate) mode: Mode,
}

/// Service of a leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    None,
    Relay,
    Transcode,
    Mix,
    Application,
}

/// Content of a datagram.
pub(crate) enum Arrived<'a> {
    /// Nothing that counts.
    Nothing,
    /// A packet that is not relayed.
    Silence(Header),
    /// Sound; `restarted` when the peer began its numbers anew.
    Sound {
        codec: Codec,
        packet: Packet<'a>,
        restarted: bool,
    },
    /// A packet of a telephone event, with the clock of its stream.
    Key { packet: Packet<'a>, clock: u32 },
}

/// Silence that is still to be sent to a peer that may wait for it.
#[derive(Clone, Copy, Debug)]
struct Knocks {
    at: Time,
    left: u8,
    /// Packets that had gone out: if others do, knocking is not needed.
    sent: u64,
}

/// One leg: both directions of one peer.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) transport: Transport,
    pub(crate) media: Option<Negotiated>,
    pub(crate) announced: bool,

    // From the peer.
    pub(crate) source: Source,
    pub(crate) keys: dtmf::Receiver,
    /// Decoded sound of the peer; only while somebody needs it.
    pub(crate) feed: Option<Box<Feed>>,
    /// Leg that hears it.
    pub(crate) listener: Option<usize>,
    /// Best rate for it in a mix, if it is heard in one.
    pub(crate) mixed: Option<u32>,
    /// True if its next sound in the mix continues audio that was heard of it in another way.
    pub(crate) follows: bool,
    pub(crate) heard: Option<Time>,
    flowing: bool,
    in_dtx: bool,
    pub(super) silence: Silence,

    // To the peer.
    pub(crate) hears: Hears,
    pub(crate) egress: Egress,
    pub(crate) encoder: Option<Encoder>,
    /// The encoder heard nothing of what the peer heard last.
    pub(crate) stale: bool,
    pub(crate) digits: dtmf::Sender,
    digit: Option<Digit>,
    knocks: Option<Knocks>,
    pub(crate) player: Option<Player>,
    /// Announcement in the application's place.
    pub(crate) announcement: Option<Announcement>,
    /// Time at which the application's next frame is due.
    pub(crate) tick: Option<Time>,

    /// Bridge that it takes part in,
    pub(crate) bridge: Option<BridgeId>,
    /// and, where two parties do and nobody else, the other.
    pub(crate) peer: Option<usize>,
    /// Part in a bridge of another shard.
    pub(crate) tie: Option<Tie>,
    /// Time at which the next RTCP report is due.
    pub(crate) report_at: Option<Time>,
    pub(crate) sent_at_report: u64,
    /// FEC goes off then unless loss is reported again.
    pub(crate) fec_until: Option<Time>,
    pub(crate) count: Count,
    pub(crate) armed: Armed,
}

/// A digit on its way out.
#[derive(Debug)]
enum Digit {
    /// An event that began at this timestamp.
    Event(u32),
    /// Sound, for a peer that knows no events.
    Sound(Dual),
}

impl Leg {
    pub(crate) fn new(id: LegId, transport: Transport, rng: &mut Rng, generation: u64) -> Leg {
        Leg {
            id,
            transport,
            media: None,
            announced: false,
            source: Source::default(),
            keys: dtmf::Receiver::default(),
            feed: None,
            listener: None,
            mixed: None,
            follows: false,
            heard: None,
            flowing: false,
            in_dtx: false,
            silence: Silence::default(),
            hears: Hears::Nobody,
            egress: Egress::new(rng),
            encoder: None,
            stale: false,
            digits: dtmf::Sender::default(),
            digit: None,
            knocks: None,
            player: None,
            announcement: None,
            tick: None,
            bridge: None,
            peer: None,
            tie: None,
            report_at: None,
            sent_at_report: 0,
            fec_until: None,
            count: Count::default(),
            armed: Armed::new(generation),
        }
    }

    /// Classifies and counts an RTP packet of the peer.
    pub(crate) fn receive<'a>(&mut self, now: Time, data: &'a [u8], out: &mut Outbox) -> Arrived<'a> {
        let Some(media) = &self.media else {
            return Arrived::Nothing;
        };
        let Ok(packet) = Packet::parse(data) else {
            self.count.refused += 1;
            return Arrived::Nothing;
        };
        let kind = packet.header.payload_type;
        let codec = media
            .receive
            .iter()
            .find(|(number, _)| *number == kind)
            .map(|(_, codec)| *codec);
        let event = media.event(kind);
        if codec.is_none() && event.is_none() && kind != COMFORT_NOISE {
            self.count.refused += 1;
            return Arrived::Nothing;
        }
        let verdict = self.source.receive(packet.header.ssrc, packet.header.sequence);
        if verdict == Verdict::Doubtful {
            self.count.refused += 1;
            return Arrived::Nothing;
        }
        self.count.received += 1;
        self.count.octets += packet.payload.len() as u64;
        let first = self.heard.replace(now).is_none();
        if first {
            self.tell(out, Event::Talking { leg: self.id });
        } else if !self.flowing {
            let leg = self.id;
            self.tell(out, Event::Flow { leg, flowing: true });
        }
        self.flowing = true;
        self.silence.broken(now, self.id, out);
        if let Some(event) = event {
            return Arrived::Key {
                packet,
                clock: event.clock,
            };
        }
        let Some(codec) = codec else {
            return Arrived::Silence(packet.header);
        };
        self.source.arrived(now, packet.header.timestamp, codec.clock());
        self.count.codec_received = Some(codec);
        self.in_dtx = codec == Codec::Opus && crate::codec::opus::is_dtx(packet.payload);
        if packet.payload.is_empty() || !media.direction.receives() {
            return Arrived::Silence(packet.header);
        }
        Arrived::Sound {
            codec,
            packet,
            restarted: verdict == Verdict::Restarted && !first,
        }
    }

    /// Tells signalling of an event; a stand-in has none to tell of, for its leg does.
    pub(crate) fn tell(&self, out: &mut Outbox, event: Event) {
        if self.transport.lane().is_none() {
            out.event(event);
        }
    }

    /// Payload type for sending this codec: that of the agreement, or, for a codec that the peer sends
    /// itself, the one that it uses.
    pub(crate) fn payload_type(&self, codec: Codec) -> Option<u8> {
        let media = self.media.as_ref()?;
        if media.send.1 == codec {
            return Some(media.send.0);
        }
        media
            .receive
            .iter()
            .find(|(_, known)| *known == codec)
            .map(|(number, _)| *number)
    }

    /// True if sound may go to the peer now.
    pub(crate) fn may_send(&self) -> bool {
        self.media.as_ref().is_some_and(|media| media.direction.sends())
    }

    /// Samples of a packet that we make, at `rate`.
    pub(crate) fn samples_of_packet(&self, rate: u32) -> usize {
        self.frame() * (rate / RATE) as usize
    }

    /// Samples of a packet that we make, at 8 kHz.
    pub(crate) fn frame(&self) -> usize {
        let ptime = self.media.as_ref().map_or(20, |media| media.ptime_ms);
        let ptime = match (self.media.as_ref().map(|media| media.send.1), ptime) {
            // Opus has frames of these lengths.
            (Some(Codec::Opus), 0..20) => 10,
            (Some(Codec::Opus), 20..40) => 20,
            (Some(Codec::Opus), 40..60) => 40,
            (Some(Codec::Opus), _) => 60,
            (_, ptime) => ptime.clamp(10, 60),
        };
        usize::from(ptime) * RATE as usize / 1_000
    }

    /// Sees to it that sound at `rate`, if the codec has it, can be encoded for the peer.
    pub(crate) fn prepare_encoder(&mut self, rate: u32, pool: &mut Pool) {
        let Some(media) = &self.media else { return };
        let codec = media.send.1;
        let rate = if codec == Codec::Opus { rate } else { RATE };
        if self
            .encoder
            .as_ref()
            .is_some_and(|encoder| encoder.codec() == codec && encoder.rate() == rate)
        {
            return;
        }
        let made = pool.encoder(codec, rate, &media.opus).ok();
        if let Some(old) = std::mem::replace(&mut self.encoder, made) {
            pool.give_encoder(old);
        }
    }

    /// Puts a packet of the peer into the jitter buffer from which its mix takes it.
    pub(crate) fn speak(&mut self, now: Time, codec: Codec, packet: &Packet<'_>, rate: u32, pool: &mut Pool) {
        if self.keys.pressed() {
            return;
        }
        let follows = std::mem::take(&mut self.follows);
        if !self
            .feed
            .as_ref()
            .is_some_and(|feed| feed.is_paced() && feed.codec() == codec)
        {
            let fresh = if follows {
                Feed::following(codec, rate, pool)
            } else {
                Feed::new(codec, true, rate, pool)
            };
            if let Some(old) = std::mem::replace(&mut self.feed, fresh) {
                old.give_back(pool);
            }
        }
        if let Some(feed) = &mut self.feed {
            feed.insert_paced(now, packet);
        }
    }

    /// Sends the next frame of sound, unless a digit is being sent or the peer is not to hear anything: then time passes.
    pub(crate) fn send_sound(&mut self, now: Time, pcm: &[i16], out: &mut Outbox) {
        if self.digits.active() || !self.may_send() {
            self.pass(pcm.len());
        } else {
            self.encode(now, pcm, out);
        }
    }

    /// Notes that nothing is sent for so many samples.
    pub(crate) fn pass(&mut self, samples: usize) {
        self.egress.skip(self.ticks(samples));
    }

    /// Converts samples of the encoder to ticks of the outgoing stream.
    fn ticks(&self, samples: usize) -> u32 {
        let rate = self.encoder.as_ref().map_or(RATE, Encoder::rate);
        samples as u32 * (self.egress.clock() / rate)
    }

    /// Sends a frame of so many samples that is encoded already.
    pub(crate) fn send_encoded(&mut self, now: Time, samples: usize, payload: &[u8], out: &mut Outbox) {
        let ticks = self.ticks(samples);
        let Some((number, codec)) = self.media.as_ref().map(|media| media.send) else {
            return;
        };
        let (may, egress) = (self.may_send(), &mut self.egress);
        let sent = may
            && self.transport.send(out, HEADER + payload.len(), |buffer| {
                let (head, body) = buffer.split_first_chunk_mut::<HEADER>()?;
                egress.next(now, number, ticks, payload.len()).write(head);
                body.copy_from_slice(payload);
                Some(buffer.len())
            });
        if sent {
            self.count.codec_sent = Some(codec);
        } else {
            self.egress.skip(ticks);
        }
    }

    fn encode(&mut self, now: Time, pcm: &[i16], out: &mut Outbox) {
        let ticks = self.ticks(pcm.len());
        let (Some(media), Some(encoder)) = (&self.media, &mut self.encoder) else {
            return;
        };
        let (number, codec) = media.send;
        let (egress, stale) = (&mut self.egress, &mut self.stale);
        let sent = encoder.codec() == codec
            && self.transport.send(out, HEADER + ROOM, |buffer| {
                let (head, payload) = buffer.split_first_chunk_mut::<HEADER>()?;
                if std::mem::take(stale) {
                    // The encoder takes this frame for its past: no gap where its delay was empty.
                    let _ = encoder.encode(pcm, payload);
                }
                let length = encoder.encode(pcm, payload).ok().flatten()?;
                egress.next(now, number, ticks, length).write(head);
                Some(HEADER + length)
            });
        if sent {
            self.count.codec_sent = Some(codec);
        } else {
            self.egress.skip(ticks);
        }
    }

    /// Passes a packet on: another header, the same payload.
    pub(crate) fn relay(
        &mut self,
        now: Time,
        codec: Codec,
        header: Header,
        payload: &[u8],
        out: &mut Outbox,
    ) {
        let Some(number) = self.payload_type(codec) else {
            self.egress.leave_out(header);
            return;
        };
        if self.digits.active() || !self.may_send() {
            self.egress.interrupt();
            return;
        }
        self.egress.set_clock(codec.clock());
        let ticks = crate::codec::duration(codec, payload).unwrap_or(codec.clock() / 50);
        let egress = &mut self.egress;
        let sent = self.transport.send(out, HEADER + payload.len(), |buffer| {
            let (head, body) = buffer.split_first_chunk_mut::<HEADER>()?;
            egress
                .relay(now, header, number, ticks, payload.len())
                .write(head);
            body.copy_from_slice(payload);
            Some(buffer.len())
        });
        if sent {
            self.count.codec_sent = Some(codec);
        }
    }

    /// Passes on a packet of a telephone event, which advances no clock.
    pub(crate) fn relay_event(&mut self, now: Time, header: Header, payload: &[u8], out: &mut Outbox) {
        if self.digits.active() || !self.may_send() {
            self.egress.interrupt();
            return;
        }
        let (kind, egress) = (header.payload_type, &mut self.egress);
        self.transport.send(out, HEADER + payload.len(), |buffer| {
            let (head, body) = buffer.split_first_chunk_mut::<HEADER>()?;
            egress.relay(now, header, kind, 0, payload.len()).write(head);
            body.copy_from_slice(payload);
            Some(buffer.len())
        });
    }

    /// Sends the due packet of a digit.
    pub(crate) fn send_digit(&mut self, now: Time, pool: &mut Pool, out: &mut Outbox) {
        while let Some(packet) = self.digits.poll(now) {
            let event = self.media.as_ref().and_then(|media| media.telephone_event);
            if packet.first {
                self.egress.resume(now);
                self.digit = match (event, crate::tone::digit_frequencies(packet.digit)) {
                    (None, Some(frequencies)) => {
                        self.prepare_encoder(RATE, pool);
                        Some(Digit::Sound(Dual::new(frequencies, -9.0)))
                    }
                    _ => Some(Digit::Event(self.egress.timestamp())),
                };
            }
            match (&mut self.digit, event) {
                (Some(Digit::Event(began)), Some(event)) if self.transport.is_open() => {
                    let (began, egress) = (*began, &mut self.egress);
                    self.transport.send(out, HEADER + 4, |buffer| {
                        let (head, body) = buffer.split_first_chunk_mut::<HEADER>()?;
                        egress.event(now, event.send, packet.first, began, 4).write(head);
                        body.copy_from_slice(&packet.payload(event.clock));
                        Some(buffer.len())
                    });
                }
                (Some(Digit::Sound(dual)), _) => {
                    let mut pcm = [0; crate::codec::FRAME];
                    if !packet.end {
                        dual.add(&mut pcm);
                    }
                    self.encode(now, &pcm, out);
                }
                _ => {}
            }
            if packet.last {
                self.digit = None;
                self.egress.resume(now);
            }
        }
    }

    /// Prepares to knock at a phone's address from which nothing ever came.
    pub(crate) fn open_path(&mut self, now: Time) {
        self.knocks = (self.transport.awaits_peer() && self.may_send()).then(|| Knocks {
            at: now + KNOCK_AFTER,
            left: KNOCKS * ROUNDS,
            sent: self.egress.sent().0,
        });
    }

    /// Sends a little silence to a peer that was sent nothing yet and from which nothing came: it may wait
    /// for our first packet, as we wait for its, and a NAT on its side may wait for both (RFC 6263).
    pub(crate) fn knock(&mut self, now: Time, pool: &mut Pool, out: &mut Outbox) {
        let Some(mut knocks) = self.knocks.take_if(|knocks| knocks.at <= now) else {
            return;
        };
        if knocks.left == 0 || !self.transport.awaits_peer() {
            return;
        }
        knocks.at = now + NEXT_ROUND;
        if self.egress.sent().0 != knocks.sent || self.digits.active() {
            // Something else is being sent. Should that end, a round begins afresh.
            knocks.left -= knocks.left % KNOCKS;
        } else {
            if knocks.left % KNOCKS == 0 {
                self.egress.resume(now);
            }
            self.prepare_encoder(RATE, pool);
            let frame = self.frame();
            self.encode(now, &[0; crate::codec::LONGEST][..frame], out);
            knocks.left -= 1;
            if knocks.left % KNOCKS == 0 {
                self.egress.interrupt();
            } else {
                knocks.at = now + Duration::from_micros(frame as u64 * 1_000_000 / u64::from(RATE));
            }
        }
        knocks.sent = self.egress.sent().0;
        self.knocks = Some(knocks);
    }

    /// Makes and sends what the application says up to now.
    pub(crate) fn play(&mut self, now: Time, out: &mut Outbox) {
        let Some(mut tick) = self.tick else { return };
        let frame = self.frame();
        let length = Duration::from_micros(frame as u64 * 1_000_000 / u64::from(RATE));
        if now.since(tick) > length * 5 {
            // We were held up: missed frames stay missed.
            tick = now;
            self.egress.resume(now);
        }
        while tick <= now {
            let mut pcm = [0; crate::codec::LONGEST];
            match (&mut self.player, &mut self.announcement) {
                (Some(player), Some(announcement)) => announcement.fill(player, &mut pcm[..frame]),
                (Some(player), None) => player.fill(&mut pcm[..frame]),
                (None, _) => {}
            }
            self.send_sound(now, &pcm[..frame], out);
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

    /// Is not heard in a mix any more.
    pub(crate) fn be_mixed_no_more(&mut self, pool: &mut Pool) {
        self.follows = false;
        if self.mixed.take().is_some()
            && self.listener.is_none()
            && let Some(feed) = self.feed.take()
        {
            feed.give_back(pool);
        }
    }

    /// Says when the peer's packets stopped.
    pub(crate) fn check_flow(&mut self, now: Time, out: &mut Outbox) {
        if self.flowing && self.flow_deadline().is_some_and(|(at, _)| at <= now) {
            self.flowing = false;
            let leg = self.id;
            self.tell(out, Event::Flow { leg, flowing: false });
        }
    }

    fn flow_deadline(&self) -> Deadline {
        let limit = if self.in_dtx { STOPPED_IN_DTX } else { STOPPED };
        self.heard
            .filter(|_| self.flowing)
            .map(|heard| (heard + limit, "flow of a leg"))
    }

    /// Time at which the peer's sound is due; in a mix it is the mix that asks.
    pub(crate) fn feed_deadline(&self) -> Deadline {
        let feed = self.feed.as_ref().filter(|_| self.mixed.is_none())?;
        feed.deadline()
    }

    /// Time at which the leg must be looked at; after `silence` without a sign of its peer it is silent.
    pub(crate) fn deadline(&self, silence: Option<Duration>) -> Deadline {
        let mut next = earlier(self.transport.deadline(), self.tick.map(|at| (at, "application")));
        next = earlier(next, self.feed_deadline());
        next = earlier(next, self.keys.deadline());
        next = earlier(next, self.digits.deadline());
        next = earlier(next, self.knocks.as_ref().map(|knocks| (knocks.at, "knocks")));
        next = earlier(next, self.report_at.map(|at| (at, "RTCP report")));
        next = earlier(next, self.silence_deadline(silence));
        earlier(next, self.flow_deadline())
    }
}

/// RFC 3389; says only that there is nothing to say.
const COMFORT_NOISE: u8 = 13;
