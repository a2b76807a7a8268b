//! A DTLS handshake of two legs of ours over a network that loses, repeats, reorders and damages its records: an input says
//! what becomes of each datagram, one octet pair for each.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use media_core::Clock;
use media_core::control::{Failure, SocketId};
use media_core::dtls::Identity;
use media_core::negotiated::{DtlsRole, IceCredentials};
use media_core::srtp::RTP_OVERHEAD;
use media_core::transport::{DtlsSrtp, Event, Received};
use sans_io::Time;

use super::Target;
use super::browser_leg::{CHECK, PASSWORD, UFRAG, octets};
use super::srtp::rtp;

/// See the module.
pub const TARGET: Target = Target {
    name: "dtls",
    seeds,
    words: &[],
    run,
};

const LOSE: u8 = 1;
const REPEAT: u8 = 2;
const DELAY: u8 = 3;
const DAMAGE: u8 = 4;
const CUT: u8 = 5;
const REPLAY: u8 = 6;
const LENGTHEN: u8 = 7;
/// The kinds of fates; all that are left are delivery.
const KINDS: u8 = 16;

/// Losses that a handshake survives for certain, one after the other as well: the next attempt is twice as far away each time.
const FEW: usize = 6;
/// Datagrams of one input at most.
const MOST: usize = 80;

static IDENTITIES: LazyLock<[Arc<Identity>; 2]> = LazyLock::new(|| {
    [1, 2].map(|seed| Arc::new(Identity::seeded(seed).expect("randomness for a certificate")))
});

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![0; 40]];
    for kind in [LOSE, REPEAT, DELAY, REPLAY] {
        // Every datagram once, and every second one.
        for at in 0..8 {
            let mut fates = vec![0; 40];
            fates[2 * at] = kind;
            fates[2 * at + 1] = 1;
            seeds.push(fates);
        }
        seeds.push([0, 0, kind, 2].repeat(12));
    }
    for kind in [DAMAGE, CUT, LENGTHEN] {
        for (at, what) in (0..8).flat_map(|at| [3, 30, 200].map(|what| (at, what))) {
            let mut fates = vec![0; 40];
            fates[2 * at] = kind;
            fates[2 * at + 1] = what;
            seeds.push(fates);
        }
    }
    seeds
}

/// A datagram, and whether it is as its sender made it.
#[derive(Clone)]
struct Datagram {
    data: Vec<u8>,
    whole: bool,
}

struct Side {
    leg: DtlsSrtp,
    connected: bool,
    ended: Option<Failure>,
}

/// Neither side connects without the other's certificate, both have the same keys if both connect, what they say has bounds, and a
/// network that only loses, repeats and reorders ends in a connection.
pub fn run(input: &[u8]) {
    let mut now = Time::from_secs(1_000_000);
    let clock = Clock::new(now, Instant::now());
    let ice = IceCredentials {
        ufrag: UFRAG.to_string(),
        pwd: PASSWORD.to_string(),
    };
    let mut sides = [0, 1].map(|side: usize| Side {
        leg: DtlsSrtp::new(now, &ice, &IDENTITIES[side], clock),
        connected: false,
        ended: None,
    });
    let roles = [DtlsRole::Active, DtlsRole::Passive];
    for (side, role) in roles.into_iter().enumerate() {
        let Side { leg, .. } = &mut sides[side];
        leg.connect(now, &ice, IDENTITIES[1 - side].fingerprint(), role);
        let mut check = octets(CHECK);
        let bound = leg.handle_datagram(now, SocketId(0), address(), &mut check);
        assert_eq!(bound, Received::Bound { forgotten: None });
        // The answer to the check.
        assert!(leg.poll_transmit().is_some());
    }
    let mut fates = input.as_chunks::<2>().0.iter().copied();
    let mut way: [VecDeque<Datagram>; 2] = Default::default();
    // What each side said so far: what comes back to its sender is not a repetition, but forged.
    let mut past: [Vec<Datagram>; 2] = Default::default();
    let (mut passed, mut lost, mut honest, mut said) = (0, 0, true, 0);
    let mut checked = now;
    let until = now + Duration::from_secs(35);
    loop {
        for (from, side) in sides.iter_mut().enumerate() {
            while let Some(transmit) = side.leg.poll_transmit() {
                let data = transmit.data.to_vec();
                said += data.len();
                assert!(data.len() <= 1_500, "{} octets in one datagram", data.len());
                let sent = Datagram { data, whole: true };
                let what = fates.next().unwrap_or_default();
                lost += usize::from(what[0] % KINDS == LOSE);
                honest &= fate(what, sent, &mut way[1 - from], &mut past[from]);
            }
            side.listen();
        }
        // Thirty seconds of repetitions, each at least twice as far from the last, and answers to what is damaged.
        assert!(said < 400_000, "{said} octets in one handshake");
        if now.since(checked) > Duration::from_secs(4) {
            checked = now;
            for side in &mut sides {
                let mut check = octets(CHECK);
                side.leg.handle_datagram(now, SocketId(0), address(), &mut check);
                while side
                    .leg
                    .poll_transmit()
                    .is_some_and(|answer| answer.data.first() != Some(&1))
                {}
            }
        }
        let next = (0..2).find_map(|to| Some((to, way[to].pop_front()?)));
        if let Some((to, mut datagram)) = next.filter(|_| passed < MOST) {
            passed += 1;
            now += Duration::from_millis(1);
            let received = sides[to]
                .leg
                .handle_datagram(now, SocketId(0), address(), &mut datagram.data);
            assert!(!matches!(
                received,
                Received::Rtp(_) | Received::Rtcp(_) | Received::Observed(_)
            ));
            continue;
        }
        if passed >= MOST || sides.iter().all(|side| side.connected || side.ended.is_some()) {
            break;
        }
        let due = sides.iter().filter_map(|side| side.leg.poll_timeout()).min();
        let Some((at, reason)) = due.filter(|(at, _)| *at <= until) else {
            break;
        };
        now = now.max(at) + Duration::from_millis(1);
        for side in &mut sides {
            side.leg.handle_timeout(now);
            assert!(
                side.leg.poll_timeout().is_none_or(|(next, _)| next > now),
                "{reason} is due for ever"
            );
        }
    }
    let connected = sides.each_ref().map(|side| side.connected);
    if honest && lost <= FEW && passed < MOST {
        assert_eq!(
            connected,
            [true, true],
            "{:?}",
            sides.each_ref().map(|side| side.ended)
        );
    }
    if connected == [true, true] && sides.iter().all(|side| side.ended.is_none()) {
        let [one, other] = &mut sides;
        one.speaks_to(other, now);
        other.speaks_to(one, now);
    }
}

/// What the network does with a datagram: false if it makes another one of it.
fn fate(
    [kind, what]: [u8; 2],
    mut datagram: Datagram,
    way: &mut VecDeque<Datagram>,
    past: &mut Vec<Datagram>,
) -> bool {
    let length = datagram.data.len().max(1);
    past.push(datagram.clone());
    match kind % KINDS {
        LOSE => return true,
        REPEAT => (0..what % 4).for_each(|_| way.push_back(datagram.clone())),
        DELAY => {
            let at = way.len().saturating_sub(usize::from(what % 4));
            way.insert(at, datagram);
            return true;
        }
        DAMAGE => {
            let at = usize::from(what) * 7 % length;
            datagram.data[at] ^= 1 << (what % 8);
            datagram.whole = false;
        }
        CUT => {
            datagram.data.truncate(usize::from(what) * 7 % length);
            datagram.whole = false;
        }
        REPLAY => {
            let old = past.iter().rev().nth(usize::from(what) % past.len()).cloned();
            way.extend(old);
        }
        LENGTHEN => {
            datagram.data.resize(length + usize::from(what), what);
            datagram.whole = false;
        }
        _ => {}
    }
    let whole = datagram.whole;
    way.push_back(datagram);
    whole
}

const fn address() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 1_000)
}

impl Side {
    fn listen(&mut self) {
        while let Some(event) = self.leg.poll_event() {
            assert!(self.ended.is_none(), "{event:?} after the end");
            match event {
                Event::Connected => assert!(!std::mem::replace(&mut self.connected, true), "connected twice"),
                Event::Gone(reason) | Event::Failed(reason) => {
                    assert_ne!(reason, Failure::Fingerprint, "there are two certificates only");
                    self.ended = Some(reason);
                }
                Event::Speaking(_) => panic!("nobody listens"),
            }
        }
    }

    /// Sends a packet that the other side must open.
    fn speaks_to(&mut self, other: &mut Side, now: Time) {
        let plain = rtp(9, 7, 160);
        let mut wire = plain.clone();
        wire.resize(plain.len() + RTP_OVERHEAD, 0);
        let length = self.leg.protect_rtp(&mut wire, plain.len()).expect("keys");
        wire.truncate(length);
        match other.leg.handle_datagram(now, SocketId(0), address(), &mut wire) {
            Received::Rtp(packet) => assert_eq!(packet, &plain[..]),
            received => panic!("{received:?}"),
        }
    }
}
