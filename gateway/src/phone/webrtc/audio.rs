//! The task of a call's sound: a frame out and a frame in every 20 ms.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use bytes::Bytes;
use media_core::codec::{Encoder, FRAME, Pool, RATE};
use media_core::dtmf;
use media_core::negotiated::{Codec, OpusParameters};
use media_core::rtp::Header;
use rtc::rtp;
use sip_stack::Clock;
use sip_stack::client::{Heard, Recorder, SoundError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::description::Terms;
use super::peer::{Peer, Progress};
use super::playout::{Playout, Received};
use super::sound::Sound;

/// Length of a frame.
const LENGTH: Duration = Duration::from_millis(20);
/// Length of a key.
const KEY: Duration = Duration::from_millis(160);
/// Pause for a comma.
const PAUSE: Duration = Duration::from_secs(1);
/// Octets of the longest packet that an encoder makes.
const PACKET: usize = 1_000;
/// Events that may wait for the call, which looks at them all the time; more are dropped.
const EVENTS: usize = 64;

/// Order to the task.
#[derive(Debug)]
pub(super) enum Command {
    /// Sound flows on these terms from now on.
    Terms(Terms),
    /// Send these keys; a comma is a pause of a second.
    Keys(String),
}

/// News of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AudioEvent {
    /// The first packet came.
    Talking(Instant),
    /// The other side pressed a key.
    Key(char),
    /// Keys cannot be sent: the other side takes none.
    NoKeys,
}

/// Counts at the end.
#[derive(Debug)]
pub(super) struct Totals {
    /// The receiving side.
    pub(super) received: Received,
    /// Codec sent last.
    pub(super) codec_sent: Option<Codec>,
    /// Packets sent.
    pub(super) packets_sent: u64,
    /// Octets of their payloads.
    pub(super) octets_sent: u64,
    /// Sound that was heard.
    pub(super) heard: Heard,
}

/// The sound of a call.
pub(super) struct Audio {
    commands: mpsc::Sender<Command>,
    pub(super) events: mpsc::Receiver<AudioEvent>,
    task: JoinHandle<Totals>,
    recording: Option<JoinHandle<Result<Heard, SoundError>>>,
}

impl Audio {
    /// Starts as soon as terms come.
    pub(super) fn start(peer: &mut Peer, sound: Sound, record: Option<&Path>) -> Audio {
        let (commands, orders) = mpsc::channel(4);
        let (news, events) = mpsc::channel(EVENTS);
        let (lane, recording) = match record {
            None => (None, None),
            Some(path) => {
                let (lane, recorder) = Recorder::pair();
                let path = path.to_owned();
                let writing = tokio::task::spawn_blocking(move || recorder.run(Some(&path)));
                (Some(lane), Some(writing))
            }
        };
        let task = Task {
            clock: Clock::start(),
            track: peer.track(),
            progress: peer.progress(),
            ssrc: peer.ssrc(),
            sequence: (peer.ssrc() >> 8) as u16,
            timestamp: peer.ssrc().rotate_left(16),
            sound,
            terms: None,
            encoder: None,
            keys: VecDeque::new(),
            next_key: None,
            sender: dtmf::Sender::default(),
            key_timestamp: 0,
            playout: Playout::default(),
            heard: Heard::default(),
            lane,
            news,
            talking: false,
            packets: 0,
            octets: 0,
        };
        Audio {
            commands,
            events,
            task: tokio::spawn(task.run(orders, peer.tracks())),
            recording,
        }
    }

    /// Hands an order on.
    pub(super) async fn order(&self, command: Command) {
        // The task lives as long as this.
        let _ = self.commands.send(command).await;
    }

    /// Ends the sound. `None` if a recording was wanted and cannot be written.
    pub(super) async fn end(self) -> Option<Totals> {
        drop(self.commands);
        let totals = self.task.await.ok()?;
        if let Some(recording) = self.recording {
            recording.await.ok()?.ok()?;
        }
        Some(totals)
    }
}

struct Task {
    clock: Clock,
    track: Arc<dyn TrackLocal>,
    /// Nothing is sent before DTLS has made the keys.
    progress: watch::Receiver<Progress>,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    sound: Sound,
    terms: Option<Terms>,
    encoder: Option<Encoder>,
    /// Keys that wait, with commas for pauses.
    keys: VecDeque<char>,
    /// Time before which no key is sent.
    next_key: Option<Instant>,
    sender: dtmf::Sender,
    /// Timestamp of the key that is being sent.
    key_timestamp: u32,
    playout: Playout,
    heard: Heard,
    lane: Option<SyncSender<Vec<i16>>>,
    news: mpsc::Sender<AudioEvent>,
    talking: bool,
    packets: u64,
    octets: u64,
}

impl Task {
    async fn run(
        mut self,
        mut orders: mpsc::Receiver<Command>,
        mut tracks: mpsc::Receiver<Arc<dyn TrackRemote>>,
    ) -> Totals {
        let mut ticks = tokio::time::interval(LENGTH);
        let mut track: Option<Arc<dyn TrackRemote>> = None;
        loop {
            let packet = async {
                match &track {
                    Some(track) => track.poll().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Command::Terms(terms)) => self.agreed(terms),
                    Some(Command::Keys(keys)) => self.dial(&keys),
                    None => break,
                },
                Some(new) = tracks.recv() => track = Some(new),
                event = packet => match event {
                    Some(TrackRemoteEvent::OnRtpPacket(packet)) => self.received(&packet),
                    Some(_) => {}
                    None => track = None,
                },
                _ = ticks.tick() => self.tick().await,
            }
        }
        Totals {
            received: self.playout.received(),
            codec_sent: self.encoder.as_ref().map(Encoder::codec),
            packets_sent: self.packets,
            octets_sent: self.octets,
            heard: self.heard,
        }
    }

    fn agreed(&mut self, terms: Terms) {
        let codec = terms.send.1;
        if self.encoder.as_ref().map(Encoder::codec) != Some(codec) {
            self.encoder = Pool::default()
                .encoder(codec, RATE, &OpusParameters::default())
                .ok();
        }
        self.terms = Some(terms);
    }

    fn dial(&mut self, keys: &str) {
        if self.terms.as_ref().is_some_and(|terms| terms.event.is_none()) {
            let _ = self.news.try_send(AudioEvent::NoKeys);
        } else {
            self.keys.extend(keys.chars());
        }
    }

    fn received(&mut self, packet: &rtp::Packet) {
        let Some(terms) = &self.terms else { return };
        let header = Header {
            marker: packet.header.marker,
            payload_type: packet.header.payload_type,
            sequence: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            ssrc: packet.header.ssrc,
        };
        let now = self.clock.now();
        for key in self.playout.packet(now, &header, &packet.payload, terms) {
            let _ = self.news.try_send(AudioEvent::Key(key));
        }
        if !self.talking {
            self.talking = true;
            let _ = self.news.try_send(AudioEvent::Talking(Instant::now()));
        }
    }

    async fn tick(&mut self) {
        let now = self.clock.now();
        let (heard, lane, sound) = (&mut self.heard, &self.lane, &mut self.sound);
        self.playout.frames(now, |frame| {
            heard.add(frame);
            sound.take(frame);
            if let Some(lane) = lane {
                // When the disk is that slow, the recording has a gap.
                let _ = lane.try_send(frame.to_vec());
            }
        });
        let Some(terms) = self.terms.clone() else { return };
        let mut pcm = [0; FRAME];
        self.sound.fill(&mut pcm);
        self.press_next();
        let may_send = terms.direction.sends() && self.progress.borrow().dtls.is_some();
        if may_send && !self.send_key(&terms).await {
            self.send_sound(&terms, &pcm).await;
        }
        self.timestamp = self.timestamp.wrapping_add(terms.send.1.clock() / 50);
    }

    /// Begins the next key when the one before it is over.
    fn press_next(&mut self) {
        let now = Instant::now();
        if self.sender.deadline().is_some() || self.next_key.is_some_and(|at| now < at) {
            return;
        }
        match self.keys.pop_front() {
            Some(',') => self.next_key = Some(now + PAUSE),
            Some(key) => {
                self.sender.send(self.clock.now(), key as u8, KEY);
            }
            None => {}
        }
    }

    /// Sends what is due of a key; false if there is none, so that sound may be sent.
    async fn send_key(&mut self, terms: &Terms) -> bool {
        let Some(event) = terms.event else { return false };
        let Some(packet) = self.sender.poll(self.clock.now()) else {
            return self.sender.active();
        };
        if packet.first {
            self.key_timestamp = self.timestamp;
        }
        let payload = Bytes::copy_from_slice(&packet.payload(event.clock));
        self.send(event.send, self.key_timestamp, packet.first, payload)
            .await;
        true
    }

    async fn send_sound(&mut self, terms: &Terms, pcm: &[i16]) {
        let mut out = [0; PACKET];
        let Some(Ok(Some(length))) = self.encoder.as_mut().map(|encoder| encoder.encode(pcm, &mut out))
        else {
            return;
        };
        let payload = Bytes::copy_from_slice(&out[..length]);
        let marker = self.packets == 0;
        self.send(terms.send.0, self.timestamp, marker, payload).await;
    }

    async fn send(&mut self, payload_type: u8, timestamp: u32, marker: bool, payload: Bytes) {
        let octets = payload.len() as u64;
        let packet = rtp::Packet {
            header: rtp::Header {
                version: 2,
                marker,
                payload_type,
                sequence_number: self.sequence,
                timestamp,
                ssrc: self.ssrc,
                ..Default::default()
            },
            payload,
        };
        self.sequence = self.sequence.wrapping_add(1);
        if self.track.write_rtp(packet).await.is_ok() {
            self.packets += 1;
            self.octets += octets;
        }
    }
}
