//! Two legs with keys from SDP that exchange them anew while packets are on their way: an input is a row of steps of four octets.

use std::net::{Ipv4Addr, SocketAddr};

use media_core::control::{MediaSource, SocketId};
use media_core::srtp::{Keys, RTP_OVERHEAD};
use media_core::transport::{Arrival, Received, Rtp, Sdes};
use sans_io::Time;

use super::Target;
use super::srtp::{Expected, Known, key, profile, rtp};

/// See the module.
pub const TARGET: Target = Target {
    name: "sdes",
    seeds,
    words: &[],
    run,
};

const SEND: u8 = 0;
const DELIVER: u8 = 1;
const DAMAGE: u8 = 2;
/// One side's re-INVITE: its own key is another one, or none is.
const OFFER: u8 = 3;
/// One side takes the other's present key.
const TAKE: u8 = 4;

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for suite in 0..5 {
        let mut steps: Vec<[u8; 4]> = vec![
            [OFFER, 0, suite, 1],
            [TAKE, 1, 0, 0],
            [OFFER, 1, suite, 2],
            [TAKE, 0, 0, 0],
        ];
        let talk = |steps: &mut Vec<[u8; 4]>| {
            for _ in 0..20 {
                for side in 0..2 {
                    steps.extend([[SEND, side, 1, 90], [DELIVER, side, 0, 0]]);
                }
            }
        };
        talk(&mut steps);
        // The same keys again; then new ones while old packets are on their way, one side at a time.
        steps.extend([[OFFER, 0, suite, 1], [TAKE, 1, 0, 0], [DELIVER, 0, 3, 0]]);
        talk(&mut steps);
        steps.extend([
            [SEND, 0, 1, 90],
            [OFFER, 0, suite, 3],
            [DELIVER, 0, 0, 0],
            [SEND, 0, 1, 90],
        ]);
        steps.extend([
            [DELIVER, 0, 0, 0],
            [TAKE, 1, 0, 0],
            [DELIVER, 0, 0, 0],
            [DELIVER, 0, 1, 0],
        ]);
        talk(&mut steps);
        steps.extend([[OFFER, 1, suite + 1, 4], [TAKE, 0, 0, 0], [DAMAGE, 1, 9, 1]]);
        talk(&mut steps);
        seeds.push(steps.concat());
    }
    seeds
}

/// Name of a key: its suite and its number.
type Name = (u8, u8);

/// A packet on its way.
struct Sent {
    key: Name,
    index: u64,
    plain: Vec<u8>,
    wire: Vec<u8>,
}

struct Side {
    sdes: Sdes,
    /// Key that it sends by and key that it receives by.
    local: Name,
    remote: Name,
    sequence: u16,
    /// Index of its last packet by the present key.
    index: Option<u64>,
    sent: Vec<Sent>,
    /// Packets that it opened by the present key.
    known: Known,
}

fn keys(local: Name, remote: Name) -> Keys {
    let made = |(suite, number): Name| key(profile(suite), number);
    Keys {
        local: made(local),
        remote: made(remote),
    }
}

/// A packet is opened by the key that it was sent by and no other, once, whatever the other direction's key becomes; the same
/// keys again interrupt nothing.
pub fn run(input: &[u8]) {
    let mut sides = [0_u8, 1].map(|side| {
        let mut path = Rtp::new(MediaSource::Learn);
        path.bind(SocketId(0), SocketId(1));
        let (local, remote) = ((0, side + 1), (0, 2 - side));
        Side {
            sdes: Sdes::new(path, &keys(local, remote)),
            local,
            remote,
            // The first packets are soon turned over.
            sequence: 65_510,
            index: None,
            sent: Vec::new(),
            known: Known::default(),
        }
    });
    for [kind, side, b, c] in input.as_chunks::<4>().0.iter().take(400).copied() {
        let (one, other) = sides.split_at_mut(1);
        let (own, other) = match side & 1 {
            0 => (&mut one[0], &mut other[0]),
            _ => (&mut other[0], &mut one[0]),
        };
        match kind % 5 {
            SEND => own.send(b, c),
            DELIVER => own.deliver(other, b),
            DAMAGE => own.damage(other, b, c),
            OFFER => own.change((b, c), own.remote),
            _ => own.change(own.local, other.local),
        }
    }
}

impl Side {
    fn send(&mut self, step: u8, length: u8) {
        let ahead = 1 + u16::from(step % 4);
        self.sequence = self.sequence.wrapping_add(ahead);
        let index = self
            .index
            .map_or(u64::from(self.sequence), |last| last + u64::from(ahead));
        let plain = rtp(7, self.sequence, length);
        let mut wire = plain.clone();
        wire.resize(plain.len() + RTP_OVERHEAD, 0);
        let protected = self.sdes.protect_rtp(&mut wire, plain.len());
        wire.truncate(protected.expect("a fresh index"));
        self.index = Some(index);
        self.sent.push(Sent {
            key: self.local,
            index,
            plain,
            wire,
        });
    }

    /// Takes keys by an offer and answer. Those that differ begin anew (RFC 4568 §7.1.4).
    fn change(&mut self, local: Name, remote: Name) {
        let before = keys(self.local, self.remote);
        let keys = keys(local, remote);
        self.sdes.set_keys(&keys);
        if keys.local != before.local {
            self.index = None;
        }
        if keys.remote != before.remote {
            self.known = Known::default();
        }
        (self.local, self.remote) = (local, remote);
    }

    fn deliver(&self, other: &mut Side, back: u8) {
        let Some(sent) = self.sent.iter().rev().nth(usize::from(back)) else {
            return;
        };
        let same = keys(sent.key, sent.key).local == keys(other.remote, other.remote).local;
        let expected = if same {
            other.known.expects(sent.index)
        } else {
            Expected::Refused
        };
        match other.take(&mut sent.wire.clone()) {
            Received::Rtp(packet) => {
                assert_ne!(expected, Expected::Refused, "{} by {:?}", sent.index, sent.key);
                assert_eq!(packet, &sent.plain[..]);
                other.known.open(sent.index);
            }
            Received::Refused => assert_ne!(expected, Expected::Opened, "{} by {:?}", sent.index, sent.key),
            received => panic!("{received:?}"),
        }
    }

    fn damage(&self, other: &mut Side, at: u8, change: u8) {
        let Some(sent) = self.sent.last() else { return };
        let mut wire = sent.wire.clone();
        let at = usize::from(at) % wire.len();
        wire[at] ^= change.max(1);
        assert_eq!(other.take(&mut wire), Received::Refused);
    }

    fn take<'a>(&mut self, wire: &'a mut [u8]) -> Received<'a> {
        let at = Arrival {
            socket: SocketId(0),
            rtcp: false,
            from: SocketAddr::new(Ipv4Addr::new(192, 0, 2, 1).into(), 4_000),
        };
        self.sdes.receive(Time(1), at, wire)
    }
}
