//! The leg against a browser made of other people's code, over a network that loses a quarter of everything.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use sans_io::{Rng, Time};

use super::network::{AWFUL, Conditions, Network, PERFECT, To};
use super::peer::{Browser, CM, EVERY, Offered};
use crate::Clock;
use crate::control::{Failure, LegId, SocketId};
use crate::dtls::Identity;
use crate::ice::{Path, ufrag};
use crate::negotiated::{DtlsRole, Fingerprint, Hash, IceCredentials};
use crate::srtp::RTP_OVERHEAD;
use crate::transport::{DtlsSrtp, Event, Received};

const ROLES: [DtlsRole; 2] = [DtlsRole::Active, DtlsRole::Passive];
const SOCKET: SocketId = SocketId(3);

static IDENTITY: LazyLock<Arc<Identity>> =
    LazyLock::new(|| Arc::new(Identity::seeded(1).expect("an identity")));

struct World {
    now: Time,
    start: Time,
    network: Network,
    leg: DtlsSrtp,
    browser: Browser,
    from: SocketAddr,
    role: DtlsRole,
    events: Vec<Event>,
    bound: Vec<Option<Path>>,
    heard: Vec<Vec<u8>>,
    refused: u32,
}

impl World {
    fn new(seed: u64, conditions: Conditions, role: DtlsRole, profiles: &[Offered]) -> World {
        let start = Time::from_secs(1_000_000);
        let clock = Clock::new(start, Instant::now());
        let mut rng = Rng::seeded(seed);
        let ice = IceCredentials {
            ufrag: ufrag(0, LegId(seed), &mut rng),
            pwd: rng.token(24),
        };
        World {
            now: start,
            start,
            network: Network::new(seed, conditions),
            leg: DtlsSrtp::new(start, &ice, &IDENTITY, clock),
            browser: Browser::new(start, clock, &ice, role, profiles),
            from: "192.0.2.7:40000".parse().expect("an address"),
            role,
            events: Vec::new(),
            bound: Vec::new(),
            heard: Vec::new(),
            refused: 0,
        }
    }

    fn connected(seed: u64, role: DtlsRole) -> World {
        let mut world = World::new(seed, PERFECT, role, &EVERY);
        world.connect(&Browser::fingerprint());
        world.run_until(Duration::from_secs(2), |world| world.both_connected());
        assert!(world.both_connected());
        world
    }

    fn connect(&mut self, fingerprint: &Fingerprint) {
        let ice = self.browser.ice.clone();
        self.leg.connect(self.now, &ice, fingerprint, self.role);
        self.drain();
    }

    fn both_connected(&self) -> bool {
        self.leg.is_connected() && self.browser.srtp.is_some()
    }

    /// Lets time pass until `done`, at most for `limit`.
    fn run_until(&mut self, limit: Duration, done: impl Fn(&World) -> bool) {
        let end = self.now + limit;
        self.drain();
        while !done(self) {
            let due = self.leg.poll_timeout().map(|(at, _)| at);
            let next = [due, self.browser.poll_timeout(), self.network.next()]
                .into_iter()
                .flatten()
                .min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            while let Some((to, mut datagram)) = self.network.arrive(self.now) {
                match to {
                    To::Leg => self.receive(&mut datagram),
                    To::Browser => self.browser.handle(self.now, &datagram),
                }
                self.drain();
            }
            self.leg.handle_timeout(self.now);
            self.browser.handle_timeout(self.now);
            self.drain();
        }
    }

    fn receive(&mut self, datagram: &mut [u8]) {
        match self.leg.handle_datagram(self.now, SOCKET, self.from, datagram) {
            Received::Nothing => {}
            Received::Refused => self.refused += 1,
            Received::Bound { forgotten } => self.bound.push(forgotten),
            Received::Rtp(packet)
            | Received::Observed(packet)
            | Received::Rtcp(packet)
            | Received::Fax(packet) => self.heard.push(packet.to_vec()),
        }
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.leg.poll_transmit() {
            assert_eq!((transmit.socket, transmit.to), (SOCKET, self.from));
            self.network.send(self.now, To::Browser, transmit.data);
        }
        while let Some(event) = self.leg.poll_event() {
            self.events.push(event);
        }
        while let Some(datagram) = self.browser.poll_transmit() {
            self.network.send(self.now, To::Leg, &datagram);
        }
    }

    /// A packet each way, and the leg's to where the browser is.
    fn talk(&mut self, sequence: u16) -> bool {
        let mut packet = vec![0x80, 111, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8];
        packet[2..4].copy_from_slice(&sequence.to_be_bytes());
        let mut sealed = self.browser.protect(&packet);
        self.heard.clear();
        self.receive(&mut sealed);
        let mut buffer = packet.clone();
        buffer.resize(packet.len() + RTP_OVERHEAD, 0);
        let length = self.leg.protect_rtp(&mut buffer, packet.len()).expect("keys");
        let there = self.browser.open(&buffer[..length]);
        self.heard == [packet.clone()]
            && there == Some(packet)
            && self.leg.remote() == Some((SOCKET, self.from))
    }
}

#[test]
fn shakes_hands_in_both_roles_with_each_profile_at_once() {
    for role in ROLES {
        for (profiles, agreed) in [(&EVERY[..], EVERY[0]), (&CM[..], CM[0])] {
            let mut world = World::new(1, PERFECT, role, profiles);
            world.connect(&Browser::fingerprint());
            world.run_until(Duration::from_secs(5), World::both_connected);
            assert_eq!(world.events, [Event::Connected], "{role:?}");
            assert_eq!(world.browser.profile, Some(agreed));
            assert!(
                world.now - world.start < Duration::from_millis(50),
                "{role:?}: {:?}",
                world.now - world.start
            );
            let shown = world.browser.certificate.take().expect("a certificate");
            let hash = ring::digest::digest(&ring::digest::SHA256, &shown);
            assert_eq!(hash.as_ref(), IDENTITY.fingerprint().value);
            assert_eq!(world.bound, [None]);
            assert!((0..50).all(|sequence| world.talk(sequence)));
        }
    }
}

#[test]
fn reordered_and_repeated_datagrams_do_no_harm() {
    let conditions = Conditions {
        loss_percent: 0,
        ..AWFUL
    };
    for role in ROLES {
        for seed in 0..50 {
            let mut world = World::new(seed, conditions, role, &EVERY);
            world.connect(&Browser::fingerprint());
            world.run_until(Duration::from_secs(10), World::both_connected);
            assert!(
                world.both_connected(),
                "{role:?}, seed {seed}: {:?}",
                world.events
            );
            assert!(world.talk(1), "{role:?}, seed {seed}");
        }
    }
}

/// The peer's DTLS loses its timer when a flight comes in part (`rtc-dtls` 0.21.1, `handshaker.rs`, `wait`), so that some
/// handshakes end in silence; the others must be whole.
#[test]
fn a_peer_that_forgets_to_retransmit_is_met_half_way() {
    for role in ROLES {
        let mut whole = 0;
        for seed in 0..50 {
            let mut world = World::new(seed, AWFUL, role, &EVERY);
            world.connect(&Browser::fingerprint());
            world.run_until(Duration::from_secs(40), World::both_connected);
            if world.both_connected() {
                assert!(world.talk(1), "{role:?}, seed {seed}");
                whole += 1;
            }
        }
        println!("{role:?}: {whole} of 50");
        assert!(whole >= 25, "{role:?}: {whole} of 50");
    }
}

#[test]
fn a_client_hello_in_two_pieces_is_one() {
    for (seed, reversed) in [(1, false), (2, true)] {
        let mut world = World::new(seed, PERFECT, DtlsRole::Passive, &EVERY);
        world.connect(&Browser::fingerprint());
        world.run_until(Duration::from_secs(1), |world| world.browser.answered);
        let (to, hello) = world
            .network
            .arrive(world.now + Duration::from_secs(1))
            .expect("a ClientHello");
        assert_eq!((to, hello[0]), (To::Leg, 22));
        let mut pieces = fragment(&hello, 61);
        if reversed {
            pieces.reverse();
        }
        for piece in &mut pieces {
            world.receive(piece);
        }
        world.run_until(Duration::from_millis(100), World::both_connected);
        assert!(world.both_connected(), "reversed: {reversed}");
    }
}

/// A datagram with one handshake message as two, cut after `at` octets of the message (RFC 6347 §4.2.3).
fn fragment(datagram: &[u8], at: usize) -> [Vec<u8>; 2] {
    let (record, message) = datagram.split_at(13);
    let (head, body) = message.split_at(12);
    let piece = |number: u8, offset: usize, part: &[u8]| {
        let mut piece = record.to_vec();
        piece[10] += number;
        piece[11..13].copy_from_slice(&(12 + part.len() as u16).to_be_bytes());
        piece.extend_from_slice(&head[..6]);
        piece.extend_from_slice(&(offset as u32).to_be_bytes()[1..]);
        piece.extend_from_slice(&(part.len() as u32).to_be_bytes()[1..]);
        piece.extend_from_slice(part);
        piece
    };
    [piece(0, 0, &body[..at]), piece(1, at, &body[at..])]
}

#[test]
fn a_browser_may_shake_hands_before_its_answer_has_come() {
    let mut world = World::new(1, PERFECT, DtlsRole::Passive, &EVERY);
    world.run_until(Duration::from_secs(3), |_| false);
    assert!(world.browser.srtp.is_some() && !world.leg.is_connected());
    assert!(world.events.is_empty());
    let mut early = world
        .browser
        .protect(&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 42]);
    world.receive(&mut early);
    assert!(
        world.heard.is_empty(),
        "media is held until the certificate is known to be right"
    );
    world.connect(&Browser::fingerprint());
    assert_eq!(world.events, [Event::Connected]);
    assert!(world.talk(2));
}

#[test]
fn another_certificate_than_that_of_the_sdp_is_refused() {
    let wrong = Fingerprint {
        hash: Hash::Sha256,
        value: vec![7; 32],
    };
    for role in ROLES {
        let mut world = World::new(1, PERFECT, role, &EVERY);
        world.connect(&wrong);
        world.run_until(Duration::from_secs(3), |world| !world.events.is_empty());
        assert_eq!(world.events, [Event::Failed(Failure::Fingerprint)]);
        assert!(!world.leg.is_connected() && world.leg.poll_timeout().is_none());
    }
    let mut world = World::new(1, PERFECT, DtlsRole::Passive, &EVERY);
    world.run_until(Duration::from_secs(3), |_| false);
    world.connect(&wrong);
    assert_eq!(world.events, [Event::Failed(Failure::Fingerprint)]);
}

#[test]
fn a_later_offer_and_answer_changes_neither_role_nor_keys() {
    for role in ROLES {
        let mut world = World::connected(1, role);
        assert!(world.talk(1));
        world.role = if role == DtlsRole::Active {
            DtlsRole::Passive
        } else {
            DtlsRole::Active
        };
        world.connect(&Browser::fingerprint());
        world.run_until(Duration::from_secs(1), |_| false);
        assert_eq!(world.events, [Event::Connected]);
        assert!(world.talk(2));
    }
}

#[test]
fn a_new_fingerprint_is_a_new_association() {
    let mut world = World::connected(1, DtlsRole::Passive);
    assert!(world.talk(1));
    let old = world.browser.ice.clone();
    let clock = Clock::new(world.start, Instant::now());
    world.browser = Browser::with_certificate(world.now, clock, &old, DtlsRole::Passive, &EVERY);
    let fingerprint = world.browser.own_fingerprint();
    world.connect(&fingerprint);
    world.run_until(Duration::from_secs(2), World::both_connected);
    assert!(world.browser.srtp.is_some());
    assert_eq!(world.events, [Event::Connected], "once");
    assert!(world.talk(1), "new keys, so the same number again");
}

#[test]
fn close_notify_goes_both_ways() {
    for role in ROLES {
        let mut world = World::connected(1, role);
        world.browser.close(world.now);
        world.run_until(Duration::from_millis(100), |world| world.events.len() > 1);
        assert_eq!(world.events, [Event::Connected, Event::Gone(Failure::Closed)]);

        let mut world = World::connected(1, role);
        world.leg.close(world.now);
        world.run_until(Duration::from_millis(100), |world| world.browser.closed);
        assert!(world.browser.closed);
        assert_eq!((world.events.len(), world.leg.poll_timeout()), (1, None));
    }
}

#[test]
fn a_silent_network_is_noticed_after_15_seconds() {
    let mut world = World::connected(1, DtlsRole::Passive);
    world.run_until(Duration::from_secs(60), |world| world.events.len() > 1);
    assert_eq!(world.events, [Event::Connected], "checks every 2.5 s keep it");
    let end = world.now;
    world.browser.stop_checks();
    world.run_until(Duration::from_secs(60), |world| world.events.len() > 1);
    assert_eq!(world.events, [Event::Connected, Event::Gone(Failure::Consent)]);
    let waited = world.now - end;
    assert!(
        waited > Duration::from_secs(12) && waited <= Duration::from_secs(15),
        "{waited:?}"
    );
}

#[test]
fn a_peer_that_checks_again_after_we_were_suspended_is_not_gone_and_one_that_does_not_is() {
    for (checks, events) in [
        (true, &[Event::Connected][..]),
        (false, &[Event::Connected, Event::Gone(Failure::Consent)]),
    ] {
        let mut world = World::connected(1, DtlsRole::Passive);
        world.run_until(Duration::from_secs(5), |_| false);
        if !checks {
            world.browser.stop_checks();
        }
        world.now += Duration::from_secs(24);
        world.leg.handle_timeout(world.now);
        let back = world.now;
        world.run_until(Duration::from_secs(60), |world| world.events.len() > 1);
        assert_eq!(world.events, events);
        assert!(checks || world.now - back <= Duration::from_secs(8));
    }
}

#[test]
fn a_peer_that_never_answers_fails() {
    let mut world = World::new(1, PERFECT, DtlsRole::Active, &EVERY);
    world.browser.deaf = true;
    world.connect(&Browser::fingerprint());
    world.run_until(Duration::from_secs(60), |world| !world.events.is_empty());
    assert_eq!(world.events, [Event::Failed(Failure::Dtls)]);
}

#[test]
fn the_leg_follows_its_browser_to_another_network() {
    for role in ROLES {
        let mut world = World::connected(1, role);
        assert!(world.talk(1));
        world.from = "[2001:db8::7]:555".parse().expect("an address");
        world.run_until(Duration::from_secs(3), |world| world.bound.len() == 2);
        assert_eq!(world.bound, [None, None]);
        assert!(world.talk(2), "same keys, same association");
        world.browser.close(world.now);
        world.run_until(Duration::from_millis(100), |world| world.events.len() > 1);
        assert_eq!(
            world.events,
            [Event::Connected, Event::Gone(Failure::Closed)],
            "DTLS from the new address"
        );
    }
}

#[test]
fn an_ice_restart_interrupts_nothing() {
    let mut world = World::connected(1, DtlsRole::Passive);
    assert!(world.talk(1));
    let restarted = IceCredentials {
        ufrag: "restarted".into(),
        pwd: "a password after the restart".into(),
    };
    world
        .leg
        .connect(world.now, &restarted, &Browser::fingerprint(), DtlsRole::Passive);
    world.run_until(Duration::from_secs(3), |_| false);
    assert!(world.talk(2), "checked with the old credentials meanwhile");
    world.browser.ice = restarted;
    world.run_until(Duration::from_secs(20), |_| false);
    assert!(world.talk(3));
    assert_eq!((world.events, world.refused), (vec![Event::Connected], 0));
}

#[test]
fn what_anybody_else_sends_changes_nothing() {
    let mut world = World::connected(1, DtlsRole::Passive);
    assert!(world.talk(1));
    let mut rng = Rng::seeded(4);
    let stranger: SocketAddr = "198.51.100.9:9".parse().expect("an address");
    let (own, remote, timeout) = (world.from, world.leg.remote(), world.leg.poll_timeout());
    for n in 0..200_000_u32 {
        let mut datagram = vec![0; 1 + rng.below(200) as usize];
        rng.fill(&mut datagram);
        datagram[0] = [0, 1, 20, 21, 22, 23, 63, 128, 144, 191, 64, 255][n as usize % 12];
        // Half of it with the browser's address on it.
        let from = if n % 2 == 0 { own } else { stranger };
        let received = world.leg.handle_datagram(world.now, SOCKET, from, &mut datagram);
        assert!(matches!(received, Received::Refused | Received::Nothing));
    }
    world.drain();
    assert_eq!((world.leg.remote(), world.leg.poll_timeout()), (remote, timeout));
    assert_eq!(world.leg.paths().count(), 1);
    assert_eq!(world.events, [Event::Connected]);
    assert!(world.talk(2));
}
