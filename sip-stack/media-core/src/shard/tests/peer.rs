//! The far ends: a browser or a phone that plays a tone and writes down what it hears.

use std::net::SocketAddr;
use std::time::Duration;

use rtc_crypto::RTCCryptoProvider as _;
use rtc_crypto::providers::RingProvider;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use sans_io::Time;
use smallvec::smallvec;

use super::world::{BROWSERS, FIRST, World};
use crate::codec::{Decoder, Encoder, FRAME, LONGEST, Pool, RATE};
use crate::control::{LegId, SocketId};
use crate::dtmf;
use crate::ice::ufrag;
use crate::negotiated::{
    Codec, Direction, DtlsRole, IceCredentials, Labels, Negotiated, OpusParameters, StreamAgreed,
    TelephoneEvent, Transport,
};
use crate::rtp::{HEADER, Header, Packet, Unwrap};
use crate::srtp::{Keys, MasterKey, Profile};
use crate::tone::{Sine, amplitude};
use crate::transport::tests::peer::{Browser, EVERY};

/// A packet that a peer heard: time, header and payload.
pub(super) type Heard = (Time, Header, Vec<u8>);

pub(super) struct Peer {
    pub(super) leg: LegId,
    pub(super) address: SocketAddr,
    pub(super) codec: Codec,
    /// Number that it gives a foreign format.
    pub(super) number: u8,
    pub(super) browser: Option<Box<Browser>>,
    pub(super) sdes: Option<Box<Sealed>>,
    pub(super) sockets: [SocketId; 2],
    /// Datagrams to send: over the RTCP path or not.
    pub(super) out: Vec<(bool, Vec<u8>)>,
    pub(super) heard: Vec<Heard>,
    pub(super) rtcp: Vec<Vec<u8>>,
    /// Deviation of its clock, parts per million.
    pub(super) drift_ppm: i64,
    pub(super) opus: OpusParameters,
    pub(super) events: bool,
    pub(super) ptime: u8,
    /// Its voice, 20 ms a packet.
    pub(super) voice: Option<Sine>,
    speak_at: Option<Time>,
    began: Time,
    spoken: u64,
    pub(super) ssrc: u32,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    encoder: Encoder,
    ice: IceCredentials,
}

/// SRTP of a phone, made of other people's code.
pub(super) struct Sealed {
    /// As the gateway sees them.
    keys: Keys,
    sender: Context,
    receiver: Context,
}

impl Sealed {
    pub(super) fn new(profile: Profile) -> Sealed {
        let theirs = match profile {
            Profile::Aes128CmSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
            Profile::Aes128CmSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
            Profile::Aes256CmSha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
            Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            Profile::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        };
        let (key, salt) = ([5; 32], [9; 14]);
        let (key, salt) = (&key[..profile.key_len()], &salt[..profile.salt_len()]);
        // Both directions may have one key: their sources differ.
        let master = MasterKey::new(profile, key, salt).unwrap();
        let provider = RingProvider::new();
        let context = || Context::new(key, salt, theirs, None, None, provider.crypto()).unwrap();
        Sealed {
            keys: Keys {
                local: master,
                remote: master,
            },
            sender: context(),
            receiver: context(),
        }
    }
}

/// Encoder of a peer; what it makes of a foreign format is not for us to say.
fn encoder(codec: Codec) -> Encoder {
    let codec = if codec.is_foreign() { Codec::Pcmu } else { codec };
    Pool::default()
        .encoder(codec, RATE, &OpusParameters::default())
        .unwrap()
}

impl Peer {
    pub(super) fn browser(world: &mut World, leg: LegId, codec: Codec) -> Peer {
        let ice = IceCredentials {
            ufrag: ufrag(
                FIRST + world.shard_of(world.peers.len()) as u8,
                leg,
                &mut world.rng,
            ),
            pwd: world.rng.token(24),
        };
        let browser = Browser::new(world.now, world.clock, &ice, DtlsRole::Passive, &EVERY);
        Peer {
            browser: Some(Box::new(browser)),
            ice,
            ..Peer::phone(world, leg, codec)
        }
    }

    pub(super) fn phone(world: &mut World, leg: LegId, codec: Codec) -> Peer {
        Peer {
            leg,
            address: SocketAddr::new([192, 0, 2, leg.0 as u8].into(), 4_000),
            codec,
            browser: None,
            sdes: None,
            sockets: [BROWSERS; 2],
            out: Vec::new(),
            heard: Vec::new(),
            rtcp: Vec::new(),
            drift_ppm: 0,
            opus: OpusParameters::default(),
            events: true,
            ptime: 20,
            voice: None,
            speak_at: None,
            began: world.now,
            spoken: 0,
            ssrc: world.rng.u32(),
            sequence: world.rng.u32() as u16,
            timestamp: world.rng.u32(),
            encoder: encoder(codec),
            number: 97,
            ice: IceCredentials {
                ufrag: String::new(),
                pwd: String::new(),
            },
        }
    }

    /// Speaks SRTP from now on.
    pub(super) fn secure(&mut self, profile: Profile) {
        self.sdes = Some(Box::new(Sealed::new(profile)));
    }

    /// Speaks another codec from now on.
    pub(super) fn set_codec(&mut self, codec: Codec) {
        self.codec = codec;
        self.encoder = encoder(codec);
    }

    pub(super) fn ice(&self) -> IceCredentials {
        self.ice.clone()
    }

    pub(super) fn payload_type(&self) -> u8 {
        match self.codec {
            Codec::Opus => 111,
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
            Codec::Foreign(_) => self.number,
        }
    }

    pub(super) fn negotiated(&self, direction: Direction) -> Negotiated {
        let codec = (self.payload_type(), self.codec);
        let (remote, remote_rtcp) = (
            Some(self.address),
            Some(SocketAddr::new(self.address.ip(), self.address.port() + 1)),
        );
        let transport = match (&self.browser, &self.sdes) {
            (Some(_), _) => Transport::Dtls {
                remote_ice: IceCredentials {
                    ufrag: "browser".into(),
                    pwd: "x".repeat(24),
                },
                local_ice: self.ice.clone(),
                fingerprint: Browser::fingerprint(),
                role: DtlsRole::Passive,
                checks: None,
            },
            (None, Some(sealed)) => Transport::Sdes {
                remote,
                remote_rtcp,
                rtcp_mux: false,
                keys: Box::new(sealed.keys),
            },
            (None, None) => Transport::Rtp {
                remote,
                remote_rtcp,
                rtcp_mux: false,
            },
        };
        let clock = self.codec.clock();
        let stream = StreamAgreed {
            direction,
            send: codec,
            receive: vec![codec],
            telephone_event: self.events.then_some(TelephoneEvent {
                send: 110,
                receive: 101,
                clock,
            }),
            ptime_ms: self.ptime,
            opus: self.opus,
            labels: Labels::default(),
        };
        Negotiated {
            streams: smallvec![stream],
            transport,
        }
    }

    /// Says a tone from now on.
    pub(super) fn speak(&mut self, now: Time, hertz: f64, dbm0: f32) {
        self.voice = Some(Sine::new(hertz, amplitude(dbm0)));
        self.speak_at = Some(now);
        self.began = now;
        self.spoken = 0;
    }

    pub(super) fn hush(&mut self) {
        self.voice = None;
        self.speak_at = None;
    }

    pub(super) fn socket(&self, rtcp: bool) -> SocketId {
        self.sockets[usize::from(rtcp)]
    }

    pub(super) fn next(&self) -> Option<Time> {
        let wire = self.browser.as_ref().and_then(|browser| browser.poll_timeout());
        [self.speak_at, wire].into_iter().flatten().min()
    }

    pub(super) fn tick(&mut self, now: Time) {
        while self.speak_at.is_some_and(|at| at <= now) {
            let mut pcm = [0; FRAME];
            if let Some(sine) = &mut self.voice {
                sine.add(&mut pcm);
            }
            self.say(&pcm);
            self.spoken += 1;
            let nominal = self.spoken as i64 * 20_000;
            let real = nominal - nominal * self.drift_ppm / 1_000_000;
            self.speak_at = Some(self.began + Duration::from_micros(real as u64));
        }
        if let Some(browser) = &mut self.browser {
            browser.handle_timeout(now);
            while let Some(datagram) = browser.poll_transmit() {
                self.out.push((false, datagram));
            }
        }
    }

    /// Sends one packet of sound.
    pub(super) fn say(&mut self, pcm: &[i16]) {
        let mut payload = [0; 1_400];
        let length = self.encoder.encode(pcm, &mut payload).unwrap().unwrap();
        let ticks = pcm.len() as u32 * (self.codec.clock() / RATE);
        self.send(self.payload_type(), false, self.timestamp, &payload[..length]);
        self.timestamp = self.timestamp.wrapping_add(ticks);
    }

    /// Sends one RTP packet.
    pub(super) fn send(&mut self, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) {
        let header = Header {
            marker,
            payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.ssrc,
        };
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = vec![0; HEADER];
        header.write(packet.first_chunk_mut().unwrap());
        packet.extend_from_slice(payload);
        self.send_packet(packet);
    }

    /// Sends an RTP packet that is made already.
    pub(super) fn send_packet(&mut self, mut packet: Vec<u8>) {
        if let Some(browser) = &mut self.browser {
            packet = browser.protect(&packet);
        }
        if let Some(sealed) = &mut self.sdes {
            packet = sealed.sender.encrypt_rtp(&packet).expect("a packet").to_vec();
        }
        self.out.push((false, packet));
    }

    /// Presses a key: five packets, then the end three times, at once; some left out as `lose` says.
    pub(super) fn press(&mut self, digit: u8, lose: &[usize]) {
        let (timestamp, step) = (self.timestamp, self.codec.clock() / 50);
        for i in 0..8u32 {
            let [high, low] = ((i + 1).min(6) as u16 * step as u16).to_be_bytes();
            let payload = [
                dtmf::event(digit).unwrap(),
                if i >= 5 { 0x8a } else { 0x0a },
                high,
                low,
            ];
            if !lose.contains(&(i as usize)) {
                self.send(101, i == 0, timestamp, &payload);
            } else {
                self.sequence = self.sequence.wrapping_add(1);
            }
        }
        self.timestamp = self.timestamp.wrapping_add(8 * step);
    }

    pub(super) fn handle(&mut self, now: Time, socket: SocketId, data: &[u8]) {
        let opened = match &mut self.browser {
            Some(browser) if (128..=191).contains(&data[0]) => {
                if crate::rtp::is_rtcp(data) {
                    self.rtcp.push(data.to_vec());
                    return;
                }
                browser.open(data)
            }
            Some(browser) => {
                browser.handle(now, data);
                while let Some(datagram) = browser.poll_transmit() {
                    self.out.push((false, datagram));
                }
                return;
            }
            None if socket == self.sockets[1] => {
                self.rtcp.push(data.to_vec());
                return;
            }
            None => match &mut self.sdes {
                Some(sealed) => sealed
                    .receiver
                    .decrypt_rtp(data)
                    .ok()
                    .map(|opened| opened.to_vec()),
                None => Some(data.to_vec()),
            },
        };
        // A repeated packet does not open twice.
        let Some(opened) = opened else { return };
        let packet = Packet::parse(&opened).expect("RTP");
        self.heard.push((now, packet.header, packet.payload.to_vec()));
    }

    /// Sound heard since `from`, by the timestamps: put in order, losses made up, pauses as silence.
    pub(super) fn sound(&self, from: Time) -> Vec<i16> {
        self.sound_at(from, RATE)
    }

    /// The same at another rate.
    pub(super) fn sound_at(&self, from: Time, rate: u32) -> Vec<i16> {
        let mut sequences = Unwrap::default();
        let mut timestamps = Unwrap::default();
        let mut packets: Vec<_> = self
            .heard
            .iter()
            .filter(|(_, header, _)| header.payload_type == self.payload_type())
            .map(|(at, header, payload)| {
                (
                    sequences.sequence(header.sequence),
                    timestamps.timestamp(header.timestamp),
                    *at,
                    payload,
                )
            })
            .collect();
        packets.sort();
        packets.dedup_by_key(|packet| packet.0);
        let mut decoder: Decoder = Pool::default().decoder(self.codec, rate).unwrap();
        let mut sound = Vec::new();
        let clock = i64::from(self.codec.clock());
        let Some(first) = packets.first().map(|packet| packet.1) else {
            return sound;
        };
        let mut last = None;
        // The decoder hears all, so that it is warm at `from`.
        let mut skip = None;
        for (sequence, timestamp, heard_at, payload) in packets {
            let at = ((timestamp - first) * i64::from(rate) / clock) as usize;
            if last.is_some_and(|last| sequence != last + 1)
                && at > sound.len()
                && at - sound.len() <= 2 * LONGEST
            {
                let mut made_up = vec![0; at - sound.len()];
                decoder.conceal(&mut made_up);
                sound.extend(made_up);
            }
            assert!(
                at >= sound.len(),
                "timestamps overlap: {at} after {}",
                sound.len()
            );
            sound.resize(at, 0);
            if skip.is_none() && heard_at >= from {
                skip = Some(sound.len());
            }
            let mut pcm = [0; 2 * LONGEST];
            let len = decoder.decode(payload, &mut pcm).unwrap();
            sound.extend_from_slice(&pcm[..len]);
            last = Some(sequence);
        }
        sound.drain(..skip.unwrap_or(sound.len()));
        sound
    }
}
