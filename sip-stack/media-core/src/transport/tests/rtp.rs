//! Sources that are accepted: an honest peer always, a stranger never.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sans_io::{Rng, Time};

use crate::control::{MediaSource, SocketId};
use crate::rtp::Header;
use crate::transport::rtp::{Rtp, UNPROVEN};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A stream of packets, 20 ms each, from one address.
#[derive(Clone, Copy)]
struct Stream {
    from: SocketAddr,
    header: Header,
}

impl Stream {
    fn new(from: &str, ssrc: u32) -> Stream {
        Stream {
            from: at(from),
            header: Header {
                marker: false,
                payload_type: 0,
                sequence: 65_530,
                timestamp: u32::MAX - 400,
                ssrc,
            },
        }
    }

    fn next(&mut self) -> Header {
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(160);
        self.header
    }
}

struct Scene {
    leg: Rtp,
    now: Time,
}

impl Scene {
    /// A leg whose SDP names `remote`, with signalling from `host`.
    fn new(remote: &str, host: Option<&str>) -> Scene {
        let mut leg = Rtp::new(MediaSource::Learn);
        leg.bind(SocketId(4), SocketId(5));
        leg.vouch(host.map(|host| host.parse().unwrap()), true);
        let mut scene = Scene {
            leg,
            now: Time::from_secs(100),
        };
        scene.connect(remote);
        scene
    }

    fn connect(&mut self, remote: &str) {
        let rtcp = at(remote);
        let rtcp = SocketAddr::new(rtcp.ip(), rtcp.port() + 1);
        self.leg.connect(self.now, Some(at(remote)), Some(rtcp), false);
    }

    /// Sends so many packets of a stream; returns how many were accepted.
    fn hear(&mut self, stream: &mut Stream, packets: usize) -> usize {
        let mut taken = 0;
        for _ in 0..packets {
            self.now += Duration::from_millis(20);
            let header = stream.next();
            taken += usize::from(self.leg.admit(self.now, stream.from, &header));
        }
        taken
    }

    fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    fn to(&self) -> SocketAddr {
        self.leg.remote().unwrap().1
    }
}

#[test]
fn nobody_is_heard_before_signalling() {
    let mut leg = Rtp::new(MediaSource::Learn);
    leg.bind(SocketId(4), SocketId(5));
    let mut stream = Stream::new("192.0.2.1:4000", 1);
    for ms in 0..50 {
        assert!(!leg.admit(Time(20_000 * ms), stream.from, &stream.next()));
    }
    assert!(!leg.admit_rtcp(stream.from, 1));
    assert_eq!(leg.remote(), None);
}

#[test]
fn the_address_in_sdp_is_heard_at_once_and_keeps_the_audio_while_it_is_silent() {
    let mut scene = Scene::new("192.0.2.1:4000", Some("192.0.2.1"));
    assert_eq!(scene.to(), at("192.0.2.1:4000"));
    assert_eq!(scene.hear(&mut Stream::new("192.0.2.1:4000", 1), 5), 5);
    scene.wait(60_000);
    assert_eq!(scene.hear(&mut Stream::new("203.0.113.66:9", 2), 500), 0);
    assert_eq!(scene.to(), at("192.0.2.1:4000"));
}

#[test]
fn a_phone_behind_a_nat_is_learnt_by_the_host_of_its_signalling_and_nobody_else_is() {
    let mut scene = Scene::new("10.1.33.103:14264", Some("192.0.2.7"));
    let mut stranger = Stream::new("203.0.113.66:9", 2);
    assert_eq!(scene.hear(&mut stranger, 100), 0, "before its first packet");
    let mut phone = Stream::new("192.0.2.7:31000", 1);
    assert_eq!(scene.hear(&mut phone, 2), 0, "two packets prove nothing");
    assert_eq!(scene.hear(&mut phone, 5), 5);
    assert_eq!(scene.to(), at("192.0.2.7:31000"));
    scene.wait(5_000);
    assert_eq!(scene.hear(&mut stranger, 100), 0, "while it is silent");
    scene.connect("10.1.33.103:14264");
    assert_eq!(scene.hear(&mut stranger, 100), 0, "after a hold or a resume");
    assert_eq!(scene.to(), at("192.0.2.7:31000"));
}

#[test]
fn a_nat_that_gives_another_port_is_followed_at_once_when_the_stream_goes_on() {
    let mut scene = Scene::new("10.1.33.103:14264", Some("192.0.2.7"));
    let mut phone = Stream::new("192.0.2.7:31000", 1);
    scene.hear(&mut phone, 10);
    phone.from = at("192.0.2.7:31999");
    assert_eq!(scene.hear(&mut phone, 10), 8);
    assert_eq!(scene.to(), at("192.0.2.7:31999"));
    // Another stream of that host must wait until this one is silent.
    let mut other = Stream::new("192.0.2.7:40000", 2);
    for _ in 0..20 {
        assert_eq!(scene.hear(&mut other, 1), 0);
        assert_eq!(scene.hear(&mut phone, 1), 1);
    }
    scene.wait(200);
    assert_eq!(scene.hear(&mut other, 10), 8);
    assert_eq!(scene.to(), at("192.0.2.7:40000"));
}

#[test]
fn behind_proxies_and_a_nat_any_host_serves_for_a_while_and_that_of_the_sdp_is_preferred() {
    let phone = |from| Stream::new(from, 1);
    let mut scene = Scene::new("10.1.33.103:14264", None);
    assert_eq!(scene.hear(&mut phone("203.0.113.5:31000"), 10), 8);
    assert_eq!(scene.to(), at("203.0.113.5:31000"));
    assert_eq!(scene.hear(&mut Stream::new("203.0.113.66:9", 2), 20), 0);
    assert_eq!(
        scene.hear(&mut Stream::new("10.1.33.103:14264", 3), 10),
        8,
        "the host that SDP names"
    );
    let mut late = Scene::new("10.1.33.103:14264", None);
    late.wait(5_000);
    assert_eq!(
        late.hear(&mut phone("203.0.113.5:31000"), 100),
        0,
        "the time is over"
    );
    let mut public = Scene::new("198.51.100.1:4000", None);
    assert_eq!(
        public.hear(&mut phone("203.0.113.5:31000"), 100),
        0,
        "SDP can be reached"
    );
}

#[test]
fn another_address_in_sdp_is_sent_to_at_once_and_the_source_of_before_is_not_taken_again() {
    for (host, new) in [("192.0.2.1", "192.0.2.1:5000"), ("192.0.2.1", "192.0.2.2:4000")] {
        let mut scene = Scene::new("192.0.2.1:4000", Some(host));
        let mut old = Stream::new("192.0.2.1:4000", 1);
        scene.hear(&mut old, 10);
        scene.connect(new);
        assert_eq!(scene.to(), at(new));
        assert_eq!(scene.hear(&mut old, 200), 0);
        assert_eq!(scene.to(), at(new));
        assert_eq!(scene.hear(&mut Stream::new(new, 2), 3), 3);
        scene.wait(500);
        assert_eq!(scene.hear(&mut old, 20), 0);
        scene.connect("192.0.2.1:4000");
        assert_eq!(scene.hear(&mut old, 20), 20, "SDP names it again");
    }
}

#[test]
fn hold_without_an_address_changes_nothing() {
    let mut scene = Scene::new("192.0.2.1:4000", Some("192.0.2.1"));
    scene.hear(&mut Stream::new("192.0.2.1:4000", 1), 3);
    scene.leg.connect(scene.now, None, None, false);
    assert_eq!(scene.to(), at("192.0.2.1:4000"));
    assert_eq!(scene.hear(&mut Stream::new("203.0.113.66:9", 2), 50), 0);
}

#[test]
fn strictly_the_address_in_sdp_alone_is_the_peer() {
    let mut leg = Rtp::new(MediaSource::Strict);
    leg.bind(SocketId(4), SocketId(5));
    leg.vouch(Some("192.0.2.1".parse().unwrap()), true);
    let mut scene = Scene { leg, now: Time(1) };
    scene.connect("192.0.2.1:4000");
    assert_eq!(scene.hear(&mut Stream::new("192.0.2.1:4002", 1), 50), 0);
    assert!(!scene.leg.admit_rtcp(at("192.0.2.1:4003"), 1));
    assert_eq!(scene.hear(&mut Stream::new("192.0.2.1:4000", 1), 5), 5);
    assert!(scene.leg.admit_rtcp(at("192.0.2.1:4001"), 1));
}

#[test]
fn rtcp_is_answered_where_the_peer_sends_it_from_and_no_stranger_moves_that() {
    let mut scene = Scene::new("192.0.2.1:4000", Some("192.0.2.1"));
    let rtcp = |scene: &Scene| scene.leg.remote_rtcp().unwrap().1;
    scene.hear(&mut Stream::new("192.0.2.1:4000", 1), 3);
    assert_eq!(rtcp(&scene), at("192.0.2.1:4001"));
    assert!(!scene.leg.admit_rtcp(at("203.0.113.66:9"), 1));
    assert!(scene.leg.admit_rtcp(at("192.0.2.1:4555"), 99));
    assert_eq!(rtcp(&scene), at("192.0.2.1:4001"), "of another source");
    assert!(scene.leg.admit_rtcp(at("192.0.2.1:4555"), 1));
    assert_eq!(rtcp(&scene), at("192.0.2.1:4555"));
    scene.connect("192.0.2.2:5000");
    assert_eq!(rtcp(&scene), at("192.0.2.2:5001"));
    assert!(!scene.leg.admit_rtcp(at("192.0.2.1:4555"), 1), "of before");
}

#[test]
fn an_unproven_address_gets_a_few_packets() {
    let mut scene = Scene::new("192.0.2.1:4000", Some("192.0.2.1"));
    scene.leg.vouch(None, false);
    let spent = (0..1_000).filter(|_| scene.leg.spend()).count();
    assert_eq!(spent, usize::from(UNPROVEN));
    scene.connect("192.0.2.2:4000");
    assert!(!scene.leg.spend(), "another address is no new start");
    scene.hear(&mut Stream::new("192.0.2.2:4000", 1), 1);
    assert!(scene.leg.spend());
}

/// An honest peer talks, falls silent, is given another port by its NAT, is held, and moves, at random. A
/// stranger who knows everything but the stream itself sends whatever it likes from its own hosts, at any time.
#[test]
fn no_stranger_ever_takes_a_call_and_no_peer_loses_it() {
    for seed in 0..300 {
        let mut rng = Rng::seeded(seed);
        let nat = rng.percent(50);
        let port = |rng: &mut Rng| 2_000 + rng.below(30_000) as u16 * 2;
        let home: IpAddr = "192.0.2.7".parse().unwrap();
        let said: IpAddr = if nat { "10.0.0.5".parse().unwrap() } else { home };
        let mut signalled = SocketAddr::new(said, port(&mut rng));
        let mut scene = Scene::new(&signalled.to_string(), Some("192.0.2.7"));
        let mut phone = Stream::new("192.0.2.7:1", rng.u32());
        phone.from = if nat {
            SocketAddr::new(home, port(&mut rng))
        } else {
            signalled
        };
        let mut strangers: Vec<Stream> = (0..3)
            .map(|i| Stream::new(&format!("203.0.113.{}:{}", 60 + i, port(&mut rng)), rng.u32()))
            .collect();
        let (mut talks, mut unheard) = (rng.percent(70), 0);
        for _ in 0..2_000 {
            scene.wait(20);
            match rng.below(400) {
                0..8 => talks = !talks,
                8 if nat => phone.from = SocketAddr::new(home, port(&mut rng)),
                9 => scene.connect(&signalled.to_string()),
                10 => scene.leg.connect(scene.now, None, None, false),
                11 => {
                    signalled = SocketAddr::new(said, port(&mut rng));
                    phone.from = if nat {
                        SocketAddr::new(home, port(&mut rng))
                    } else {
                        signalled
                    };
                    scene.connect(&signalled.to_string());
                    assert_eq!(scene.to(), signalled, "seed {seed}");
                }
                _ => {}
            }
            for stranger in &mut strangers {
                for _ in 0..rng.below(4) {
                    let mut header = stranger.next();
                    match rng.below(10) {
                        0 => header.ssrc = rng.u32(),
                        1 => header.sequence = rng.u32() as u16,
                        2 => header.ssrc = phone.header.ssrc,
                        3 => stranger.from.set_port(port(&mut rng)),
                        _ => {}
                    }
                    let from = stranger.from;
                    assert!(!scene.leg.admit(scene.now, from, &header), "seed {seed}");
                    assert!(!scene.leg.admit_rtcp(from, header.ssrc), "seed {seed}");
                }
            }
            let to = scene.to();
            assert!(to.ip() == home || to.ip() == said, "seed {seed}: sends to {to}");
            if talks {
                let header = phone.next();
                unheard = if scene.leg.admit(scene.now, phone.from, &header) {
                    assert_eq!(scene.to(), phone.from, "seed {seed}");
                    0
                } else {
                    unheard + 1
                };
                assert!(unheard < 50, "seed {seed}: unheard for a second");
            }
        }
    }
}
