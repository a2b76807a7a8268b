use std::time::Duration;

use super::world::World;
use crate::control::{Application, Command, Event, Failure, LegId, LegKind, MediaSource, SocketId};
use crate::negotiated::{Codec, OpusParameters};
use crate::rtcp::{Compound, Outgoing, ReportBlock, Rtcp, SenderInfo, write_report};
use crate::shard::{Input, Output};
use crate::stats::{ntp, ntp_middle};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn reports_go_both_ways_and_tell_the_round_trip() {
    let mut world = World::new(51);
    let phone = world.phone(Codec::Pcmu);
    world.play(phone, Some(Application::Echo));
    let now = world.now;
    world.peers[phone].speak(now, 440.0, -14.0);
    world.run(SECOND);
    let packets: Vec<_> = world.peers[phone]
        .rtcp
        .iter()
        .flat_map(|data| Compound::parse(data))
        .collect();
    let [
        Ok(Rtcp::SenderReport { ssrc, info, blocks }),
        Ok(Rtcp::SourceDescription(_)),
        ..,
    ] = packets[..]
    else {
        panic!("{packets:?}")
    };
    let theirs = blocks.clone().next().unwrap();
    assert_eq!((theirs.ssrc, theirs.fraction_lost), (world.peers[phone].ssrc, 0));
    assert_eq!(ssrc, world.peers[phone].heard[0].1.ssrc);
    assert!(info.packets > 20 && info.octets == info.packets * 160);
    // 5 ms there, some time with the peer, 5 ms back.
    world.run(Duration::from_millis(100));
    let last_sr = (info.ntp >> 16) as u32;
    let block = ReportBlock {
        ssrc,
        fraction_lost: 26,
        jitter: 80,
        last_sr,
        delay_since_last_sr: ntp_middle(world.now) - last_sr - 65_536 * 5 / 1_000,
        ..ReportBlock::default()
    };
    let mut data = Vec::new();
    let sender = SenderInfo {
        ntp: ntp(world.now),
        ..SenderInfo::default()
    };
    let ours = world.peers[phone].ssrc;
    write_report(
        &mut data,
        &Outgoing {
            ssrc: ours,
            sender: Some(sender),
            block: Some(block),
            cname: "p",
        },
    );
    world.peers[phone].out.push((true, data));
    world.run(Duration::from_millis(40));
    let report = world.report(phone);
    assert!(
        report.round_trip_us.abs_diff(10_000) < 100,
        "{}",
        report.round_trip_us
    );
    assert_eq!(
        (report.remote_fraction_lost, report.remote_jitter_us),
        (26, 10_000)
    );
    assert!(report.mos > 4.0, "{}", report.mos);
    // Our next report tells how long theirs was with us.
    world.peers[phone].rtcp.clear();
    world.run(8 * SECOND);
    let next = world.peers[phone]
        .rtcp
        .iter()
        .flat_map(|data| Compound::parse(data))
        .find_map(|packet| match packet {
            Ok(Rtcp::SenderReport { mut blocks, .. }) => blocks.next(),
            _ => None,
        });
    let block = next.unwrap();
    assert_eq!(block.last_sr, (sender.ntp >> 16) as u32);
    assert!(block.delay_since_last_sr > 0);
}

#[test]
fn opus_gets_redundancy_while_its_peer_loses_and_only_if_it_wants_it() {
    for (wants, shards) in [(true, 1), (false, 1), (true, 2)] {
        let mut world = World::with_shards(52, shards);
        if shards > 1 {
            // Takes the place on the home of the bridge: the encoder is not on the shard that hears of the loss.
            world.phone(Codec::Pcmu);
        }
        let (opus, phone) = (world.phone(Codec::Opus), world.phone(Codec::Pcmu));
        world.peers[opus].opus = OpusParameters {
            in_band_fec: wants,
            ..OpusParameters::default()
        };
        world.direct(opus, crate::negotiated::Direction::SendRecv);
        world.bridge(opus, phone);
        let speak = |world: &mut World, frames: usize| {
            for i in 0..frames {
                let pcm: Vec<i16> = (0..160)
                    .map(|n| {
                        let t = (i * 160 + n) as f64 / 8_000.0 * std::f64::consts::TAU;
                        let voice: f64 = (1..16)
                            .map(|h| (t * 150.0 * f64::from(h)).sin() / f64::from(h))
                            .sum();
                        (voice * (0.6 + 0.4 * (t * 4.0).sin()) * 5_000.0) as i16
                    })
                    .collect();
                world.peers[phone].say(&pcm);
                world.run(Duration::from_millis(20));
            }
        };
        speak(&mut world, 50);
        let redundant = |world: &World, from: usize| {
            world.peers[opus].heard[from..]
                .iter()
                .filter(|(_, _, p)| crate::codec::opus::has_fec(p))
                .count()
        };
        assert_eq!(redundant(&world, 0), 0);
        let before = world.peers[opus].heard.len();
        let block = ReportBlock {
            ssrc: world.peers[opus].heard[0].1.ssrc,
            fraction_lost: 20,
            ..ReportBlock::default()
        };
        let mut data = Vec::new();
        let ssrc = world.peers[opus].ssrc;
        write_report(
            &mut data,
            &Outgoing {
                ssrc,
                sender: None,
                block: Some(block),
                cname: "p",
            },
        );
        world.peers[opus].out.push((true, data));
        speak(&mut world, 100);
        let redundant = redundant(&world, before);
        assert_eq!(redundant > 30, wants, "{redundant}");
        assert!(wants || redundant == 0);
    }
}

#[test]
fn a_leg_ends_with_a_goodbye_a_report_and_its_sockets() {
    let mut world = World::new(53);
    let (phone, browser) = (world.phone(Codec::Pcmu), world.browser(Codec::Opus));
    world.bridge(phone, browser);
    let now = world.now;
    world.peers[phone].speak(now, 440.0, -14.0);
    world.run(SECOND);
    for peer in [phone, browser] {
        let leg = world.leg(peer);
        world.peers[peer].rtcp.clear();
        world.command(Command::Close { leg });
        world.run(Duration::from_millis(50));
        let last = |event: &Event| matches!(event, Event::Report { leg: of, last: true, .. } if *of == leg);
        assert!(world.saw(last));
        if peer == phone {
            let goodbye = |packet| matches!(packet, Ok(Rtcp::Bye(_)));
            assert!(
                world.peers[phone]
                    .rtcp
                    .iter()
                    .flat_map(|data| Compound::parse(data))
                    .any(goodbye)
            );
        } else {
            assert!(
                world.peers[browser].browser.as_ref().unwrap().closed,
                "close_notify"
            );
        }
    }
    assert_eq!(world.shards[0].legs(), 0);
    assert_eq!(world.released, 1);
    world.run(SECOND);
    assert!(matches!(world.shards[0].poll_output(), Output::Timeout(None)));
}

#[test]
fn nobody_is_told_goodbye_where_nobody_ever_was() {
    let mut world = World::new(53);
    let (silent, other) = (world.phone(Codec::Pcmu), world.phone(Codec::Pcmu));
    world.bridge(silent, other);
    world.run(4 * SECOND);
    assert!(!world.peers[silent].heard.is_empty(), "its path was opened");
    for leg in [silent, other].map(|peer| world.leg(peer)) {
        world.command(Command::Close { leg });
    }
    world.run(SECOND);
    let goodbye = |data: &Vec<u8>| Compound::parse(data).any(|packet| matches!(packet, Ok(Rtcp::Bye(_))));
    assert!(!world.peers[silent].rtcp.iter().any(goodbye));
}

#[test]
fn a_full_shard_a_failed_bind_and_a_late_bind_are_answered() {
    let mut world = World::new(54);
    let local = "10.0.0.1".parse().unwrap();
    let open = |leg| {
        Input::Command(Command::Open {
            leg: LegId(leg),
            kind: LegKind::Phone {
                local,
                source: MediaSource::Learn,
            },
        })
    };
    for leg in 0..64 {
        world.shards[0].handle_input(world.now, open(leg));
    }
    world.shards[0].handle_input(world.now, open(64));
    world.shards[0].handle_input(world.now, Input::BindFailed { leg: LegId(0) });
    world.shards[0].handle_input(world.now, Input::Command(Command::Close { leg: LegId(1) }));
    let at = |port| std::net::SocketAddr::new(local, port);
    let (rtp, rtcp) = ((SocketId(8), at(8)), (SocketId(9), at(9)));
    world.shards[0].handle_input(
        world.now,
        Input::Bound {
            leg: LegId(1),
            rtp,
            rtcp,
        },
    );
    let (mut failed, mut released) = (Vec::new(), 0);
    loop {
        match world.shards[0].poll_output() {
            Output::Event(Event::Failed { leg, reason }) => failed.push((leg.0, reason)),
            Output::Release { sockets } => released += usize::from(sockets == [SocketId(8), SocketId(9)]),
            Output::Timeout(_) => break,
            _ => {}
        }
    }
    assert_eq!(failed, [(64, Failure::Full), (0, Failure::NoPort)]);
    assert_eq!(released, 1);
}

#[test]
fn what_a_caller_says_is_recorded_while_the_clip_plays() {
    let mut world = World::new(55);
    let browser = world.browser(Codec::Opus);
    let (lane, recorded) = std::sync::mpsc::sync_channel(1_000);
    let clip: Vec<i16> = (0..16_000)
        .map(|i| ((f64::from(i) * 0.3).sin() * 6_000.0) as i16)
        .collect();
    let application = Application::Clip {
        samples: clip.into(),
        rate: 16_000,
        repeat: false,
        record: Some(lane),
    };
    world.play(browser, Some(application));
    let now = world.now;
    world.peers[browser].speak(now, 1_004.0, -10.0);
    world.run(3 * SECOND);
    let sound: Vec<i16> = recorded.try_iter().flatten().collect();
    let found = crate::tone::measure(&sound[8_000..], 8_000);
    assert!(
        (found.hertz - 1_004.0).abs() < 0.5 && (found.dbm0 + 10.0).abs() < 0.5,
        "{found:?}"
    );
    assert!(sound.len() > 23_000);
    // 0.3 rad at 16 kHz for a second, then silence.
    let heard = world.peers[browser].sound(now);
    let played = crate::tone::measure(&heard[1_600..6_400], 8_000);
    assert!((played.hertz - 763.9).abs() < 1.0, "{played:?}");
    assert!(crate::tone::level_dbm0(&heard[9_600..16_000]) < -60.0);
}
