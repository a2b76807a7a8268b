//! Legs with two streams by one transport: each goes its own way, and neither is taken for the other.

use std::time::Duration;

use sans_io::Time;

use super::world::World;
use crate::codec::{Encoder, FRAME, LONGEST, Pool, RATE};
use crate::control::{Command, Event, LegId, Report, Role, StreamIndex};
use crate::negotiated::{Codec, Direction, Mid, Negotiated, OpusParameters};
use crate::rtcp::{Compound, Outgoing, ReportBlock, Rtcp, SenderInfo, write_bye, write_report};
use crate::rtp::{HEADER, Header, Unwrap};
use crate::srtp::Profile;
use crate::stats::{Mode, ntp};
use crate::tone::{Measured, Sine, amplitude, measure};

const TICK: Duration = Duration::from_millis(20);
const SECOND: StreamIndex = StreamIndex(1);
/// Number of the header extension with the MID.
const MID: u8 = 4;

/// One stream of a peer: a tone in a codec, by payload type and source of its own.
struct Voice {
    peer: usize,
    codec: Codec,
    payload_type: u8,
    ssrc: u32,
    /// Sent with each packet.
    mid: Option<&'static str>,
    sequence: u16,
    timestamp: u32,
    encoder: Encoder,
    tone: Sine,
}

impl Voice {
    fn new(peer: usize, codec: Codec, payload_type: u8, hertz: f64) -> Voice {
        Voice {
            peer,
            codec,
            payload_type,
            ssrc: 1_000 * (peer as u32 + 1) + hertz as u32,
            mid: None,
            sequence: 65_500,
            timestamp: 7,
            encoder: Pool::default()
                .encoder(codec, RATE, &OpusParameters::default())
                .unwrap(),
            tone: Sine::new(hertz, amplitude(-20.0)),
        }
    }

    /// The next 20 ms as an RTP packet.
    fn packet(&mut self) -> Vec<u8> {
        let mut pcm = [0; FRAME];
        self.tone.add(&mut pcm);
        let mut payload = [0; 1_400];
        let length = self.encoder.encode(&pcm, &mut payload).unwrap().unwrap();
        let header = Header {
            marker: false,
            payload_type: self.payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(self.codec.clock() / 50);
        let mut packet = vec![0; HEADER];
        header.write(packet.first_chunk_mut().unwrap());
        if let Some(mid) = self.mid {
            packet[0] |= 0x10;
            packet.extend([0xbe, 0xde, 0, 1, MID << 4 | (mid.len() - 1) as u8]);
            packet.extend(mid.bytes());
            packet.resize(HEADER + 8, 0);
        }
        packet.extend_from_slice(&payload[..length]);
        packet
    }
}

/// Lets all voices speak for so many packets.
fn talk(world: &mut World, voices: &mut [Voice], packets: usize) {
    for _ in 0..packets {
        for voice in &mut *voices {
            let packet = voice.packet();
            world.peers[voice.peer].send_packet(packet);
        }
        world.run(TICK);
    }
}

/// Agreement of a peer about its codec and a second one by this payload type.
fn agreed(world: &World, peer: usize, second: (u8, Codec)) -> Negotiated {
    let mut media = world.peers[peer].negotiated(Direction::SendRecv);
    let mut stream = media.streams[0].clone();
    stream.send = second;
    stream.receive = vec![second];
    stream.telephone_event = None;
    media.streams.push(stream);
    media
}

fn connect(world: &mut World, peer: usize, media: Negotiated) {
    let leg = world.leg(peer);
    world.command(Command::Connect {
        leg,
        media: Box::new(media),
    });
}

/// Tone that a peer heard by a payload type since then, and the one source that it came from.
fn heard(world: &World, peer: usize, (payload_type, codec): (u8, Codec), from: Time) -> (Measured, u32) {
    let mut sequences = Unwrap::default();
    let of = |header: &Header| header.payload_type == payload_type;
    let all = world.peers[peer].heard.iter().filter(|(_, header, _)| of(header));
    let mut packets: Vec<_> = all
        .map(|(at, header, payload)| (sequences.sequence(header.sequence), *at, header.ssrc, payload))
        .collect();
    packets.sort();
    packets.dedup_by_key(|packet| packet.0);
    let mut decoder = Pool::default().decoder(codec, RATE).unwrap();
    let (mut sound, mut sources) = (Vec::new(), Vec::new());
    for (_, at, ssrc, payload) in packets {
        let mut pcm = [0; LONGEST];
        let length = decoder.decode(payload, &mut pcm).unwrap();
        if at >= from {
            sound.extend_from_slice(&pcm[..length]);
        }
        sources.push(ssrc);
    }
    sources.dedup();
    assert_eq!(sources.len(), 1, "{sources:?}");
    (measure(&sound, RATE), sources[0])
}

fn reports(world: &mut World, peer: usize) -> [Report; 2] {
    let leg = world.leg(peer);
    let before = world.events.len();
    world.command(Command::Report { leg });
    let mut told = world.events.drain(before..).map(|(_, event)| match event {
        Event::Report {
            leg: of,
            stream,
            report,
            last: false,
        } if of == leg => (stream, *report),
        other => panic!("{other:?}"),
    });
    let (first, second) = (told.next().unwrap(), told.next().unwrap());
    assert_eq!((first.0, second.0), (StreamIndex::FIRST, SECOND));
    [first.1, second.1]
}

const OPUS: (u8, Codec) = (111, Codec::Opus);
const PCMU: (u8, Codec) = (0, Codec::Pcmu);
const PCMA: (u8, Codec) = (8, Codec::Pcma);

#[derive(Clone, Copy, Debug)]
enum Wire {
    Plain,
    Sdes(Profile),
    Dtls,
}

/// Two legs of two streams each: the first is relayed as Opus, the second transcoded between G.711's two laws.
fn two_legs(seed: u64, wire: Wire, shards: u8) -> (World, [usize; 2], Vec<Voice>) {
    let mut world = World::with_shards(seed, shards);
    let a = match wire {
        Wire::Plain => world.phone(Codec::Opus),
        Wire::Sdes(profile) => world.secure_phone(Codec::Opus, profile),
        Wire::Dtls => world.browser(Codec::Opus),
    };
    let b = world.phone(Codec::Opus);
    for (peer, second) in [(a, PCMU), (b, PCMA)] {
        let media = agreed(&world, peer, second);
        connect(&mut world, peer, media);
    }
    world.bridge(a, b);
    let voices = vec![
        Voice::new(a, Codec::Opus, OPUS.0, 440.0),
        Voice::new(a, Codec::Pcmu, PCMU.0, 1_004.0),
        Voice::new(b, Codec::Opus, OPUS.0, 600.0),
        Voice::new(b, Codec::Pcma, PCMA.0, 1_600.0),
    ];
    (world, [a, b], voices)
}

#[test]
fn each_stream_is_heard_by_its_like_relayed_or_transcoded() {
    for (wire, shards) in [
        (Wire::Plain, 1),
        (Wire::Sdes(Profile::Aes128CmSha1_80), 1),
        (Wire::Sdes(Profile::AeadAes256Gcm), 2),
        (Wire::Dtls, 1),
        (Wire::Dtls, 2),
    ] {
        let (mut world, [a, b], mut voices) = two_legs(81, wire, shards);
        let leg = world.leg(a);
        world.command(Command::Tap {
            leg,
            stream: SECOND,
            on: true,
        });
        talk(&mut world, &mut voices, 100);
        let from = world.now;
        world.allocations = 0;
        talk(&mut world, &mut voices, 150);
        assert_eq!(world.allocations, 0, "{wire:?} {shards}");
        let mut sources = Vec::new();
        for (peer, kind, hertz) in [
            (b, OPUS, 440.0),
            (b, PCMA, 1_004.0),
            (a, OPUS, 600.0),
            (a, PCMU, 1_600.0),
        ] {
            let (found, ssrc) = heard(&world, peer, kind, from);
            assert!((found.hertz - hertz).abs() < 1.0, "{wire:?} {shards}: {found:?}");
            assert!((found.dbm0 + 20.0).abs() < 1.0, "{wire:?} {shards}: {found:?}");
            sources.push(ssrc);
        }
        sources.sort_unstable();
        sources.dedup();
        assert_eq!(sources.len(), 4, "a source for each stream");

        let [first, second] = reports(&mut world, b);
        let modes = (first.mode, second.mode);
        assert_eq!(modes, (Mode::Relay, Mode::Transcode), "{wire:?} {shards}");
        assert_eq!(first.codec_received, Some(Codec::Opus));
        assert_eq!(second.codec_received, Some(Codec::Pcma));
        for report in [first, second] {
            assert_eq!((report.lost, report.refused), (0, 0), "{wire:?} {shards}");
            assert!(
                report.packets_received > 240 && report.packets_sent > 240,
                "{report:?}"
            );
        }
        // The tap has one stream, both ways.
        assert!(world.tapped.len() > 480, "{}", world.tapped.len());
        assert!(
            world
                .tapped
                .iter()
                .all(|(_, of, _, codec, _)| (*of, *codec) == (leg, Some(Codec::Pcmu)))
        );
        assert!(world.tapped_streams.iter().all(|stream| *stream == SECOND));
        for peer in [a, b] {
            let leg = world.leg(peer);
            world.command(Command::Close { leg });
            let last =
                |event: &Event| matches!(event, Event::Report { leg: of, last: true, .. } if *of == leg);
            assert_eq!(world.events.iter().filter(|(_, event)| last(event)).count(), 2);
        }
        if matches!(wire, Wire::Dtls) {
            // The peer of a closed leg is over with its timers still due.
            continue;
        }
        world.run(TICK);
        assert!(
            world.shards.iter().all(|shard| shard.legs() == 0),
            "{wire:?} {shards}"
        );
    }
}

#[test]
fn each_stream_has_reports_of_its_own() {
    let (mut world, [_, b], mut voices) = two_legs(82, Wire::Plain, 1);
    talk(&mut world, &mut voices, 400);
    let from = Time::ZERO;
    let ours = [heard(&world, b, OPUS, from).1, heard(&world, b, PCMA, from).1];
    let theirs = [voices[2].ssrc, voices[3].ssrc];
    let mut told = [false; 2];
    for compound in &world.peers[b].rtcp {
        for packet in Compound::parse(compound).flatten() {
            let Rtcp::SenderReport {
                ssrc,
                info,
                mut blocks,
            } = packet
            else {
                continue;
            };
            let at = ours.iter().position(|known| *known == ssrc).expect("a stream");
            let block = blocks.next().expect("a block");
            assert_eq!((block.ssrc, block.cumulative_lost), (theirs[at], 0));
            assert!(info.packets > 0);
            told[at] = true;
        }
    }
    assert_eq!(told, [true; 2]);

    // The peer's report of its second source speaks of our second one.
    let mut data = Vec::new();
    let block = ReportBlock {
        ssrc: ours[1],
        fraction_lost: 26,
        ..ReportBlock::default()
    };
    let sender = SenderInfo {
        ntp: ntp(world.now),
        ..SenderInfo::default()
    };
    write_report(
        &mut data,
        &Outgoing {
            ssrc: theirs[1],
            sender: Some(sender),
            block: Some(block),
            cname: "p",
        },
    );
    world.peers[b].out.push((true, data));
    world.peers[b].rtcp.clear();
    talk(&mut world, &mut voices, 500);
    let [first, second] = reports(&mut world, b);
    assert_eq!((first.remote_fraction_lost, second.remote_fraction_lost), (0, 26));
    // Only the stream of that source is told when its report came.
    for compound in &world.peers[b].rtcp {
        for packet in Compound::parse(compound).flatten() {
            if let Rtcp::SenderReport { blocks, .. } = packet {
                for block in blocks {
                    assert_eq!(block.last_sr != 0, block.ssrc == theirs[1], "{block:?}");
                }
            }
        }
    }
}

/// RFC 8843 §9.2: streams that share their payload types are told apart by MID, or by sources that SDP names.
#[test]
fn streams_of_equal_payload_types_are_told_apart_by_their_labels() {
    for by_mid in [true, false] {
        let mut world = World::new(83);
        let (a, b) = (world.phone(Codec::Pcmu), world.phone(Codec::Pcmu));
        let mut voices = vec![
            Voice::new(a, Codec::Pcmu, PCMU.0, 440.0),
            Voice::new(a, Codec::Pcmu, PCMU.0, 1_004.0),
        ];
        let mut media = agreed(&world, a, PCMU);
        let mids = ["0", "sec"];
        for ((stream, voice), mid) in media.streams.iter_mut().zip(&mut voices).zip(mids) {
            if by_mid {
                voice.mid = Some(mid);
                stream.labels.mid = Some(Mid {
                    extension: MID,
                    value: mid.to_owned(),
                });
            } else {
                stream.labels.sources.push(voice.ssrc);
            }
        }
        connect(&mut world, a, media);
        let media = agreed(&world, b, PCMA);
        connect(&mut world, b, media);
        world.bridge(a, b);
        talk(&mut world, &mut voices, 100);
        for voice in &mut voices {
            // A sender leaves the MID out once it may be known (RFC 8843 §15).
            voice.mid = None;
        }
        let from = world.now;
        talk(&mut world, &mut voices, 100);
        for (kind, hertz) in [(PCMU, 440.0), (PCMA, 1_004.0)] {
            let (found, _) = heard(&world, b, kind, from);
            assert!((found.hertz - hertz).abs() < 1.0, "{by_mid}: {found:?}");
        }
        let received = reports(&mut world, a).map(|report| report.packets_received);
        // A source that nothing is known of, and a MID that nobody has, are nobody's.
        let mut stranger = Voice::new(a, Codec::Pcmu, PCMU.0, 2_000.0);
        stranger.ssrc = 9;
        talk(&mut world, &mut [stranger], 3);
        let mut stranger = Voice::new(a, Codec::Pcmu, PCMU.0, 2_000.0);
        stranger.mid = Some("x");
        talk(&mut world, &mut [stranger], 3);
        let after = reports(&mut world, a);
        assert_eq!(
            after.clone().map(|report| report.packets_received),
            received,
            "{by_mid}"
        );
        assert_eq!(after.map(|report| report.refused), [6, 0], "{by_mid}");
    }
}

#[test]
fn three_legs_of_two_streams_have_two_mixes() {
    let mut world = World::new(84);
    let peers = [
        world.browser(Codec::Opus),
        world.phone(Codec::Pcmu),
        world.phone(Codec::Pcma),
    ];
    let second = [PCMU, PCMA, PCMU];
    let mut voices = Vec::new();
    for (at, peer) in peers.into_iter().enumerate() {
        let media = agreed(&world, peer, second[at]);
        let first = media.streams[0].send;
        connect(&mut world, peer, media);
        voices.push(Voice::new(peer, first.1, first.0, 400.0 + 100.0 * at as f64));
        voices.push(Voice::new(
            peer,
            second[at].1,
            second[at].0,
            1_400.0 + 100.0 * at as f64,
        ));
    }
    // The second phone listens: of two parties each hears the other alone, in both streams.
    world.bridge_as(&[
        (peers[0], Role::Party),
        (peers[1], Role::Party),
        (peers[2], Role::Listener),
    ]);
    talk(&mut world, &mut voices, 100);
    let from = world.now;
    talk(&mut world, &mut voices, 100);
    for (peer, kind, hertz) in [
        (peers[0], OPUS, 500.0),
        (peers[0], PCMU, 1_500.0),
        (peers[1], PCMU, 400.0),
        (peers[1], PCMA, 1_400.0),
    ] {
        let (found, _) = heard(&world, peer, kind, from);
        assert!((found.hertz - hertz).abs() < 2.0, "{hertz}: {found:?}");
    }
    // The listener hears both parties in each stream, and of the other stream nothing.
    for (kind, hertz) in [(PCMA, [400.0, 500.0]), (PCMU, [1_400.0, 1_500.0])] {
        let (found, _) = heard(&world, peers[2], kind, from);
        assert!(
            found.hertz > hertz[0] - 60.0 && found.hertz < hertz[1] + 60.0,
            "{found:?}"
        );
    }
}

#[test]
fn a_stream_ends_without_its_leg_and_begins_anew() {
    let (mut world, [a, b], mut voices) = two_legs(85, Wire::Plain, 1);
    talk(&mut world, &mut voices, 50);
    let gone = heard(&world, a, PCMU, Time::ZERO).1;
    world.peers[a].rtcp.clear();
    world.direct(a, Direction::SendRecv);
    let mut bye = Vec::new();
    write_bye(&mut bye, gone);
    world.run(TICK);
    assert!(
        world.peers[a]
            .rtcp
            .iter()
            .any(|compound| compound.ends_with(&bye))
    );
    let from = world.now + TICK;
    world.peers[a].heard.clear();
    world.peers[b].heard.clear();
    talk(&mut world, &mut voices, 100);
    assert!((heard(&world, b, OPUS, from).0.hertz - 440.0).abs() < 1.0);
    assert!((heard(&world, a, OPUS, from).0.hertz - 600.0).abs() < 1.0);
    let second = |peer: usize, kind: u8| {
        let heard = world.peers[peer].heard.iter();
        heard
            .filter(|(at, header, _)| *at > from && header.payload_type == kind)
            .count()
    };
    assert_eq!(
        (second(a, PCMU.0), second(b, PCMA.0)),
        (0, 0),
        "half of a stream is none"
    );

    let media = agreed(&world, a, PCMU);
    connect(&mut world, a, media);
    world.peers[a].heard.clear();
    world.peers[b].heard.clear();
    let from = world.now + TICK;
    talk(&mut world, &mut voices, 100);
    assert!((heard(&world, b, PCMA, from).0.hertz - 1_004.0).abs() < 1.0);
    let (found, ssrc) = heard(&world, a, PCMU, from);
    assert!((found.hertz - 1_600.0).abs() < 1.0, "{found:?}");
    assert_ne!(ssrc, gone, "a source that said goodbye does not come back");
    assert!(!world.saw(|event| matches!(event, Event::Failed { leg: LegId(_), .. })));
}
