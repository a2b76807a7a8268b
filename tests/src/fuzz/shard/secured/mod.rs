//! Legs with keys in a media shard: a browser after a real handshake, a phone with keys from SDP, and one without any, all in one
//! bridge. An input is a row of steps of four octets. Their peers have the right keys and send what they like; the network damages,
//! repeats and forges; strangers try to be heard. Afterwards everybody is honest, and is heard.

mod agreements;
mod network;
mod peer;
mod seeds;

use std::cell::Cell;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use media_core::Clock;
use media_core::control::{Command, LegId, SocketId};
use media_core::dtls::Identity;
use media_core::rtp::{HEADER, Header};
use media_core::shard::{Input, Shard, ShardConfig};
use sans_io::{Rng, Time};

use super::super::Target;
use super::super::memory;
use super::packets::report;
use agreements::ice;
use peer::{Agreed, Peer, gateway};

/// See the module.
pub const TARGET: Target = Target {
    name: "shard_secured",
    seeds: seeds::seeds,
    words: &[],
    run,
};

/// Steps of one input at most.
const MOST_STEPS: usize = 60;
/// Peers speak for a while, 20 ms a packet.
const TALK: u8 = 0;
/// A packet is damaged on its way.
const DAMAGE: u8 = 1;
/// A peer protects what is not sound: one octet of the packet is another one.
const CRAFT: u8 = 2;
/// A peer sends a report, with keys, if it has some.
const REPORT: u8 = 3;
/// A packet comes again, perhaps from elsewhere.
const REPLAY: u8 = 4;
/// Another offer and answer with other keys, or the same ones.
const REKEY: u8 = 5;
/// Somebody else sends a stream.
const STRANGER: u8 = 6;
/// A datagram of the handshake has a fate: all of an input's, in their order.
const FLIGHT: u8 = 7;
/// Time passes without a word.
const WAIT: u8 = 8;
/// The browser's page is opened anew.
const RELOAD: u8 = 9;
const KINDS: u8 = 10;

const BROWSER: u8 = 0;
const SEALED: u8 = 1;
const PLAIN: u8 = 2;
const LEGS: u8 = 3;

/// Fates of a datagram of the handshake.
const LOST: u8 = 1;
const TWICE: u8 = 2;
const DAMAGED: u8 = 3;
const CUT: u8 = 4;
const LATE: u8 = 5;

/// Packets of each peer at the end: those that may be lost, and those that must be heard.
const SETTLE: u32 = 20;
const HEARD: u32 = 25;

/// Memory that one input may need, octets, and what may be left of all.
const MOST: isize = 3 << 20;
const LEFT: isize = 256 << 10;

const BEGAN: Time = Time::from_secs(1_800_000_000);

static CLOCK: LazyLock<Clock> = LazyLock::new(|| Clock::new(BEGAN, Instant::now()));

static IDENTITIES: LazyLock<[Arc<Identity>; 2]> = LazyLock::new(|| {
    [3, 4].map(|seed| Arc::new(Identity::seeded(seed).expect("randomness for a certificate")))
});

struct Bench {
    shard: Shard,
    now: Time,
    peers: [Peer; LEGS as usize],
    agreed: Agreed,
    /// Keys that the phone takes when it has sent some more packets by the old ones.
    late: Option<Agreed>,
    fates: VecDeque<[u8; 3]>,
    /// Octets of the handshake so far.
    said: usize,
    checked: Time,
    is_lost: bool,
    received: [u64; LEGS as usize],
    /// Sequence numbers of strangers.
    strange: u16,
}

/// A shard without legs.
struct Idle {
    shard: Shard,
    now: Time,
    /// Memory that was held when it was made.
    made: isize,
}

thread_local! {
    /// The shard of all inputs: making one composes music.
    static SHARD: Cell<Option<Idle>> = const { Cell::new(None) };
}

/// Nothing panics or is due for ever, memory has bounds, no handshake is answered without end, nothing damaged counts as received,
/// and everybody who is honest at the end is heard by all.
pub fn run(input: &[u8]) {
    let Idle { shard, now, made } = SHARD.take().unwrap_or_else(idle);
    let before = memory::held();
    memory::watch();
    let mut bench = Bench::new(shard, now);
    let steps = input.as_chunks::<4>().0.iter().take(MOST_STEPS);
    for [kind, fate, at, how] in steps.clone().copied() {
        if kind % KINDS == FLIGHT {
            bench.fates.push_back([fate, at, how]);
        }
    }
    bench.begin();
    for step in steps {
        bench.step(*step);
    }
    bench.everybody_is_heard();
    bench.end();
    let most = memory::most() - before;
    assert!(most <= MOST, "{most} octets are more than three calls need");
    let (shard, now) = bench.into_shard();
    let left = memory::held() - made;
    assert!(left <= LEFT, "{left} octets are left of inputs that are over");
    SHARD.set(Some(Idle { shard, now, made }));
}

fn idle() -> Idle {
    let config = ShardConfig {
        browser_sockets: vec![(SocketId(0), gateway())],
        shard: 0,
        dtls: Arc::clone(&IDENTITIES[0]),
        clock: *CLOCK,
        prompts: Arc::default(),
        silence: None,
        max_legs: usize::from(LEGS),
    };
    Idle {
        shard: Shard::new(config, Rng::seeded(1)),
        now: BEGAN,
        made: memory::held(),
    }
}

impl Bench {
    fn new(shard: Shard, now: Time) -> Bench {
        let agreed = Agreed {
            suite: 0,
            local: 1,
            remote: 2,
        };
        Bench {
            shard,
            now,
            peers: [browser(now), Peer::sealed(agreed), Peer::plain()],
            agreed,
            late: None,
            fates: VecDeque::new(),
            said: 0,
            checked: now,
            is_lost: false,
            received: [0; LEGS as usize],
            strange: 0,
        }
    }

    /// The shard, without everything that the input brought.
    fn into_shard(self) -> (Shard, Time) {
        (self.shard, self.now)
    }

    fn step(&mut self, [kind, a, b, c]: [u8; 4]) {
        let index = a % LEGS;
        match kind % KINDS {
            TALK => self.talk(1 + u32::from(a % 8)),
            DAMAGE => {
                let packet = self.peer(index).speak();
                if let Some(mut wire) = self.peer(index).protect(packet, false) {
                    let at = usize::from(b) % wire.len();
                    wire[at] ^= c.max(1);
                    let more = self.received_by(index, address(index), wire);
                    assert!(index == PLAIN || more == 0, "what is damaged is refused");
                }
            }
            CRAFT => {
                let mut packet = self.peer(index).speak();
                // A peer that skips sequence numbers asks for the refusal of those that follow.
                let at = usize::from(b) % packet.len();
                if !(2..4).contains(&at) {
                    packet[at] = c;
                }
                self.send(index, packet, false);
            }
            REPORT => {
                let packet = report(self.now, None, b, c);
                self.send(index, packet, true);
            }
            REPLAY => {
                if let Some(wire) = self.peer(index).past(b) {
                    let from = if c & 1 == 0 { address(index) } else { stranger(c) };
                    self.deliver(index, from, wire);
                }
            }
            REKEY => self.rekey(a, b, c),
            STRANGER => self.strange(index, b, c),
            WAIT => self.pass(Duration::from_millis(u64::from(a) + 10 * u64::from(b))),
            RELOAD => self.reload(),
            // The fates are known from the beginning.
            _ => {}
        }
    }

    /// Other keys for the phone. It takes them at once, or sends by the old ones meanwhile.
    fn rekey(&mut self, suite: u8, local: u8, remote: u8) {
        let agreed = Agreed {
            suite: suite & 0x7f,
            local,
            remote,
        };
        self.agreed = agreed;
        if suite & 0x80 == 0 {
            self.late = None;
            self.peer(SEALED).set_keys(agreed);
        } else {
            self.late = Some(agreed);
        }
        self.agree(SEALED);
    }

    /// A stream of somebody who is none of the peers, 20 ms a packet, while the peers are silent.
    fn strange(&mut self, index: u8, host: u8, count: u8) {
        for _ in 0..count % 16 {
            self.strange = self.strange.wrapping_add(1);
            let header = Header {
                marker: false,
                payload_type: 0,
                sequence: self.strange,
                timestamp: u32::from(self.strange) * 160,
                ssrc: 900 + u32::from(host),
            };
            let mut packet = vec![host; HEADER + 160];
            header.write(packet.first_chunk_mut().expect("12 octets"));
            let more = self.received_by(index, stranger(host), packet);
            assert_eq!(more, 0, "a stranger was heard");
            self.pass(Duration::from_millis(20));
        }
    }

    /// All peers speak, `rounds` times 20 ms.
    fn talk(&mut self, rounds: u32) {
        for round in 0..rounds {
            for index in 0..LEGS {
                let packet = self.peer(index).speak();
                self.send(index, packet, false);
            }
            if round == 1
                && let Some(agreed) = self.late.take()
            {
                self.peer(SEALED).set_keys(agreed);
            }
            self.pass(Duration::from_millis(20));
        }
    }

    /// A peer sends a packet as it should be sent.
    fn send(&mut self, index: u8, packet: Vec<u8>, rtcp: bool) {
        if let Some(wire) = self.peer(index).protect(packet, rtcp) {
            self.deliver(index, address(index), wire);
        }
    }

    /// Delivers a packet; returns how many more the leg has received then.
    fn received_by(&mut self, index: u8, from: SocketAddr, wire: Vec<u8>) -> u64 {
        self.look();
        let before = self.received[usize::from(index)];
        self.deliver(index, from, wire);
        self.look();
        self.received[usize::from(index)] - before
    }

    /// The numbers of all legs.
    fn look(&mut self) {
        for index in 0..LEGS {
            self.command(Command::Report { leg: leg(index) });
        }
    }

    /// Everybody speaks for a while to begin with, and is then heard by everybody else.
    fn everybody_is_heard(&mut self) {
        self.fates.clear();
        if let Some(agreed) = self.late.take() {
            self.peer(SEALED).set_keys(agreed);
        }
        self.pass(Duration::from_millis(500));
        if self.is_lost || !self.peer(BROWSER).is_connected() {
            self.reload();
            self.pass(Duration::from_secs(1));
        }
        assert!(
            !self.is_lost && self.peer(BROWSER).is_connected(),
            "a network without faults ends in a connection"
        );
        self.talk(SETTLE);
        self.look();
        let before = self.received;
        self.peers.iter_mut().for_each(|peer| peer.heard = 0);
        self.talk(HEARD);
        self.look();
        for (index, peer) in self.peers.iter().enumerate() {
            let received = self.received[index] - before[index];
            assert!(
                received + 1 >= u64::from(HEARD),
                "{received} of {HEARD} packets of leg {index} were received"
            );
            assert!(
                peer.heard + 3 >= HEARD,
                "the peer of leg {index} heard {} packets",
                peer.heard
            );
        }
    }

    fn end(&mut self) {
        for index in 0..LEGS {
            self.command(Command::Close { leg: leg(index) });
        }
        assert_eq!(self.shard.legs(), 0);
        self.pass(Duration::from_millis(50));
    }

    fn peer(&mut self, index: u8) -> &mut Peer {
        &mut self.peers[usize::from(index)]
    }

    fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    fn input(&mut self, input: Input) {
        self.shard.handle_input(self.now, input);
        self.drain();
    }
}

/// A browser that opens a page.
fn browser(now: Time) -> Peer {
    let gateway = IDENTITIES[0].fingerprint();
    let parts = (&IDENTITIES[1], *CLOCK);
    Peer::browser(now, (&ice(), gateway), parts)
}

fn leg(index: u8) -> LegId {
    LegId(u64::from(index))
}

/// The browser's socket is the shard's; a phone has two.
fn socket(index: u8, offset: u8) -> SocketId {
    match index {
        BROWSER => SocketId(0),
        _ => SocketId(10 + 2 * u32::from(index) + u32::from(offset)),
    }
}

fn address(index: u8) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::new(192, 0, 2, index + 1).into(), 4_000)
}

/// Somebody on another host than any peer, be it private or not.
fn stranger(number: u8) -> SocketAddr {
    let host = match number % 4 {
        0 => [10, 0, 0, number],
        1 => [198, 51, 100, number],
        2 => [127, 0, 0, number],
        _ => [203, 0, 113, number],
    };
    SocketAddr::new(Ipv4Addr::from(host).into(), 4_000 + u16::from(number))
}
