//! The browser leg as a shard sees it, against a whole WebRTC stack of other people (`str0m`: full ICE, DTLS, SRTP, RTP) on a
//! virtual clock, over a network that loses a quarter of all datagrams.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use media_core::Clock;
use media_core::control::{LegId, SocketId};
use media_core::dtls::Identity;
use media_core::ice::ufrag;
use media_core::negotiated::{DtlsRole, Fingerprint, Hash, IceCredentials};
use media_core::srtp::RTP_OVERHEAD;
use media_core::transport::{DtlsSrtp, Event, Received};
use sans_io::{Rng, Time};
use str0m::format::PayloadParams;
use str0m::ice::IceCreds;
use str0m::media::{MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpWrite, Ssrc};
use str0m::{Candidate, Input, Output, Rtc, RtcConfig};

const SOCKET: SocketId = SocketId(0);
const START: Time = Time::from_secs(1_000_000);
const OURS: u32 = 0x0c0d_b0a2;
const THEIRS: u32 = 0xb0b0_b0b0;

static IDENTITY: LazyLock<Arc<Identity>> =
    LazyLock::new(|| Arc::new(Identity::seeded(1).expect("an identity")));

struct World {
    now: Time,
    clock: Clock,
    rng: Rng,
    loss_percent: u64,
    leg: DtlsSrtp,
    events: Vec<Event>,
    rtc: Rtc,
    rtc_due: Time,
    addresses: [SocketAddr; 2],
    /// Towards the leg, or towards the other.
    under_way: BTreeMap<(Time, u64), (bool, Vec<u8>)>,
    sent: u64,
    /// The other stack did.
    gave_up: bool,
    heard: Vec<Vec<u8>>,
    heard_there: Vec<Vec<u8>>,
}

impl World {
    fn new(seed: u64, loss_percent: u64, role: DtlsRole) -> World {
        let clock = Clock::new(START, Instant::now());
        let mut rng = Rng::seeded(seed);
        let ice = IceCredentials {
            ufrag: ufrag(0, LegId(seed), &mut rng),
            pwd: rng.token(24),
        };
        let addresses = ["127.0.0.1:10000", "127.0.0.1:40000"].map(|text| text.parse().expect("an address"));
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let config = RtcConfig::new().set_crypto_provider(crypto).set_rtp_mode(true);
        let mut rtc = config.build(clock.instant(START));
        rtc.add_local_candidate(Candidate::host(addresses[1], "udp").expect("a candidate"));
        rtc.add_remote_candidate(Candidate::host(addresses[0], "udp").expect("a candidate"));
        let mut direct = rtc.direct_api();
        direct.set_ice_controlling(true);
        direct.set_remote_ice_credentials(IceCreds {
            ufrag: ice.ufrag.clone(),
            pass: ice.pwd.clone(),
        });
        direct.set_remote_fingerprint(str0m::config::Fingerprint {
            hash_func: "sha-256".into(),
            bytes: IDENTITY.fingerprint().value.clone(),
        });
        direct.start_dtls(role == DtlsRole::Passive).expect("DTLS");
        let mid = Mid::from("0");
        direct.declare_media(mid, MediaKind::Audio);
        direct.declare_stream_tx(Ssrc::from(THEIRS), None, mid, None);
        direct.expect_stream_rx(Ssrc::from(OURS), None, mid, None);
        let theirs = Fingerprint {
            hash: Hash::Sha256,
            value: direct.local_dtls_fingerprint().bytes.clone(),
        };
        let mut leg = DtlsSrtp::new(START, &ice, &IDENTITY, clock);
        leg.connect(START, &ice, &theirs, role);
        World {
            now: START,
            clock,
            rng,
            loss_percent,
            leg,
            events: Vec::new(),
            rtc,
            rtc_due: START,
            addresses,
            under_way: BTreeMap::new(),
            sent: 0,
            gave_up: false,
            heard: Vec::new(),
            heard_there: Vec::new(),
        }
    }

    fn send(&mut self, to_leg: bool, datagram: &[u8]) {
        self.sent += 1;
        let spread = if self.loss_percent == 0 { 0 } else { 40_000 };
        let due = self.now + Duration::from_micros(5_000 + self.rng.below(spread));
        if !self.rng.percent(self.loss_percent) {
            self.under_way
                .insert((due, self.sent), (to_leg, datagram.to_vec()));
        }
    }

    fn drain(&mut self) {
        let mut out: Vec<Vec<u8>> = Vec::new();
        while let Some(transmit) = self.leg.poll_transmit() {
            assert_eq!((transmit.socket, transmit.to), (SOCKET, self.addresses[1]));
            out.push(transmit.data.to_vec());
        }
        out.iter().for_each(|datagram| self.send(false, datagram));
        self.events.extend(std::iter::from_fn(|| self.leg.poll_event()));
        loop {
            let Ok(output) = self.rtc.poll_output() else {
                self.gave_up = true;
                self.rtc_due = Time(u64::MAX);
                break;
            };
            match output {
                Output::Transmit(transmit) => self.send(true, &transmit.contents),
                Output::Event(str0m::Event::RtpPacket(packet)) => {
                    self.heard_there.push(packet.payload.to_vec())
                }
                Output::Event(_) => {}
                Output::Timeout(at) => {
                    self.rtc_due = self.clock.time(at);
                    break;
                }
            }
        }
    }

    fn run_until(&mut self, limit: Duration, done: impl Fn(&World) -> bool) {
        let end = self.now + limit;
        self.drain();
        while !done(self) {
            let arrival = self.under_way.first_key_value().map(|((at, _), _)| *at);
            let leg = self.leg.poll_timeout().map(|(at, _)| at);
            let next = [arrival, leg, Some(self.rtc_due)]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(end);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            let instant = self.clock.instant(self.now);
            if self.gave_up {
                return;
            }
            if arrival == Some(next) {
                let Some((_, (to_leg, mut datagram))) = self.under_way.pop_first() else {
                    continue;
                };
                if to_leg {
                    let received =
                        self.leg
                            .handle_datagram(self.now, SOCKET, self.addresses[1], &mut datagram);
                    if let Received::Rtp(packet) = received {
                        self.heard.push(packet.to_vec());
                    }
                } else {
                    let [source, destination] = self.addresses;
                    let receive =
                        Receive::new(Protocol::Udp, source, destination, &datagram).expect("a datagram");
                    self.rtc
                        .handle_input(Input::Receive(instant, receive))
                        .expect("input");
                }
            } else {
                self.leg.handle_timeout(self.now);
                self.rtc.handle_input(Input::Timeout(instant)).expect("a timeout");
            }
            self.drain();
        }
    }

    /// Fifty packets each way, twenty milliseconds apart.
    fn talk(&mut self) {
        let pt = self
            .rtc
            .codec_config()
            .find(|params: &PayloadParams| params.spec().clock_rate.get() == 48_000);
        let pt = pt.expect("Opus").pt();
        for n in 0..50_u16 {
            let instant = self.clock.instant(self.now);
            let time = u32::from(n) * 960;
            let mut direct = self.rtc.direct_api();
            let stream = direct.stream_tx(&Ssrc::from(THEIRS)).expect("a stream");
            stream.write_rtp(RtpWrite::new(
                pt,
                (100 + u64::from(n)).into(),
                time,
                instant,
                vec![n as u8; 80],
            ));
            self.rtc.handle_input(Input::Timeout(instant)).expect("a timeout");
            let mut packet = vec![0x80, *pt];
            packet.extend_from_slice(&(200 + n).to_be_bytes());
            packet.extend_from_slice(&time.to_be_bytes());
            packet.extend_from_slice(&OURS.to_be_bytes());
            packet.resize(12 + 80, n as u8);
            let length = packet.len();
            packet.resize(length + RTP_OVERHEAD, 0);
            let length = self.leg.protect_rtp(&mut packet, length).expect("keys");
            self.send(false, &packet[..length]);
            self.run_until(Duration::from_millis(20), |_| false);
        }
        self.run_until(Duration::from_millis(300), |_| false);
    }
}

#[test]
fn talks_with_another_stack_in_both_roles() {
    for role in [DtlsRole::Active, DtlsRole::Passive] {
        let mut world = World::new(1, 0, role);
        world.run_until(Duration::from_secs(5), |world| world.leg.is_connected());
        assert_eq!(world.events, [Event::Connected], "{role:?}");
        world.run_until(Duration::from_millis(200), |_| false);
        world.talk();
        assert_eq!((world.heard.len(), world.heard_there.len()), (50, 50), "{role:?}");
        assert!(world.heard_there.iter().all(|payload| payload.len() == 80));
        world.run_until(Duration::from_secs(60), |_| false);
        assert_eq!(world.events, [Event::Connected], "its checks are consent");
    }
}

#[test]
fn connects_though_a_quarter_of_all_datagrams_is_lost() {
    for role in [DtlsRole::Active, DtlsRole::Passive] {
        let (mut took, mut gave_up) = (Vec::new(), 0);
        for seed in 0..200 {
            let mut world = World::new(seed, 25, role);
            world.run_until(Duration::from_secs(60), |world| world.leg.is_connected());
            if world.leg.is_connected() {
                took.push((world.now - START).as_millis());
            } else {
                // The other stack ended it: after four repeats of a flight, on either side's request.
                gave_up += 1;
            }
        }
        took.sort_unstable();
        let at = |percent: usize| took[(took.len() - 1) * percent / 100];
        let (median, p95, worst) = (at(50), at(95), at(100));
        println!(
            "{role:?}: median {median} ms, 95 % in {p95} ms, worst {worst} ms, {gave_up} given up by the other"
        );
        assert!(gave_up <= 10, "{role:?}: {gave_up}");
    }
}
