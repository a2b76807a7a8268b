//! A sieve in the kernel for a UDP socket under a flood: datagrams of familiar hosts pass, of all others only a share.
//!
//! A socket's buffer holds a few hundred datagrams. When strangers send faster than it is read, the kernel drops datagrams of everybody,
//! so the choice has to be made before the buffer. The sieve is a classic BPF program (`SO_ATTACH_FILTER`), which needs no privilege: it
//! looks the source up among the familiar hosts and otherwise draws lots. With more familiar hosts than fit, it compares shorter
//! prefixes of their addresses.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{SockFilter, SockRef};

use super::familiar::Familiar;

/// Time between two adjustments of the sieve.
pub(super) const INTERVAL: Duration = Duration::from_millis(50);

/// Shortest time after which a flood is noticed: as much came in it as may come in [`ALARM`].
const SOON: Duration = Duration::from_millis(2);
const ALARM: Duration = Duration::from_millis(50);

/// Maximum number of sources that a program compares; with more it may exceed `net.core.optmem_max`.
const KEYS: usize = 700;

/// Number of sources that are compared one by one at the end of a search.
const LEAF: usize = 8;

/// Estimated ratio of datagrams that came to those that were read, while the reader does not keep up.
const BEHIND: f64 = 4.0;

/// Number of datagrams in an interval from which that estimate holds.
const ENOUGH: u32 = 100;

/// Factor by which a sieve opens in one adjustment: the flood may still be there.
const OPENING: f64 = 1.25;

/// Smallest share that passes.
const LEAST: f64 = 0.001;

/// Number of lots.
const LOTS: f64 = u32::MAX as f64;

const ACCEPT: u32 = u32::MAX;

/// Offsets at which the kernel shows the network header of a datagram, and random numbers (`SKF_NET_OFF`, `SKF_AD_RANDOM`).
const NETWORK_HEADER: u32 = -0x10_0000_i32 as u32;
const RANDOM: u32 = (-0x1000_i32 + 56) as u32;

/// Instruction: code, jump if true, jump if false, operand.
type Op = (u16, u8, u8, u32);

mod code {
    pub(super) const LOAD: u16 = 0x20;
    pub(super) const AND: u16 = 0x54;
    pub(super) const MULTIPLY: u16 = 0x24;
    pub(super) const TO_X: u16 = 0x07;
    pub(super) const XOR_X: u16 = 0xac;
    pub(super) const GO_ON: u16 = 0x05;
    pub(super) const IF_EQUAL: u16 = 0x15;
    pub(super) const IF_AT_LEAST: u16 = 0x35;
    pub(super) const IF_GREATER: u16 = 0x25;
    pub(super) const RETURN: u16 = 0x06;
}

/// The sieve of one socket.
#[derive(Debug)]
pub(super) struct Sieve {
    is_ipv6: bool,
    /// Datagrams of strangers that are to pass in a second.
    rate: f64,
    /// Share of the datagrams of strangers that passes.
    share: f64,
    /// Version of the familiar hosts that the program contains.
    version: u64,
    since: Instant,
    warned: Option<Instant>,
}

/// Counts of a socket in one interval.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Datagrams of strangers.
    pub(super) strangers: u32,
    /// True if the buffer was empty at some moment.
    pub(super) caught_up: bool,
}

impl Sieve {
    pub(super) fn new(is_ipv6: bool, rate: u32) -> Sieve {
        Sieve {
            is_ipv6,
            rate: f64::from(rate),
            share: 1.0,
            version: 0,
            since: Instant::now(),
            warned: None,
        }
    }

    /// True while datagrams are held back; then it must be adjusted even if nothing comes.
    pub(super) fn is_on(&self) -> bool {
        self.share < 1.0
    }

    /// True if the sieve is to be adjusted: at regular times, and at once when a flood begins.
    pub(super) fn is_due(&self, now: Instant, seen: Seen) -> bool {
        let passed = now.saturating_duration_since(self.since);
        let begins = || {
            !self.is_on()
                && seen.strangers >= ENOUGH
                && f64::from(seen.strangers) > self.rate * ALARM.as_secs_f64()
        };
        passed >= INTERVAL || (passed >= SOON && begins())
    }

    /// Adjusts the sieve of `socket` to what came since the last call. Returns about how many datagrams were held back meanwhile.
    pub(super) fn adjust(
        &mut self,
        now: Instant,
        seen: Seen,
        socket: &UdpSocket,
        familiar: &Familiar,
    ) -> u64 {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.since = now;
        let before = self.share;
        let held_back = f64::from(seen.strangers) * (1.0 / before - 1.0);
        let wanted = self.wanted(seen, passed);
        let version = familiar.version();
        let is_news = self.is_on() && version != self.version;
        if wanted >= 1.0 {
            if self.is_on() {
                let _ = SockRef::from(socket).detach_filter();
            }
            self.share = 1.0;
        } else if is_news || (wanted / before - 1.0).abs() > 0.2 {
            self.share = wanted;
            self.version = version;
            if let Err(error) = self.attach(socket, &familiar.hosts()) {
                tracing::debug!(%error, "datagram filter not attached");
                self.share = 1.0;
            }
        }
        if before >= 1.0 && self.is_on() && self.warned.is_none_or(|at| now - at > Duration::from_secs(60)) {
            self.warned = Some(now);
            tracing::warn!(
                a_second = (f64::from(seen.strangers) / passed.max(0.001)) as u64,
                "flood of datagrams: most of those from unknown hosts are held back"
            );
        }
        held_back as u64
    }

    /// Share of strangers' datagrams that is to pass.
    fn wanted(&self, seen: Seen, passed: f64) -> f64 {
        let mut coming = f64::from(seen.strangers) / passed.max(0.001) / self.share;
        if !seen.caught_up && seen.strangers >= ENOUGH {
            coming *= BEHIND;
        }
        let wanted = (self.rate / coming.max(1.0)).max(LEAST);
        if self.is_on() {
            wanted.min(self.share * OPENING).min(1.0)
        } else if wanted < 0.8 {
            wanted
        } else {
            1.0
        }
    }

    fn attach(&self, socket: &UdpSocket, hosts: &[IpAddr]) -> io::Result<()> {
        let program = program(self.is_ipv6, hosts, (self.share * LOTS) as u32);
        let filters: Vec<SockFilter> = program
            .into_iter()
            .map(|(code, then, otherwise, operand)| SockFilter::new(code, then, otherwise, operand))
            .collect();
        SockRef::from(socket).attach_filter(&filters)
    }
}

/// Program that passes datagrams from `hosts` of this family, and those of the rest that draw a lot up to `lot`.
fn program(is_ipv6: bool, hosts: &[IpAddr], lot: u32) -> Vec<Op> {
    let mut program = Vec::new();
    let of_family: Vec<IpAddr> = hosts
        .iter()
        .copied()
        .filter(|ip| ip.is_ipv6() == is_ipv6)
        .collect();
    let mut keys = sorted(of_family.iter().map(|ip| whole(*ip)));
    if is_ipv6 && keys.len() <= KEYS {
        // Both words of the network in one.
        program.extend([
            (code::LOAD, 0, 0, NETWORK_HEADER + 12),
            (code::MULTIPLY, 0, 0, SPREAD),
            (code::TO_X, 0, 0, 0),
            (code::LOAD, 0, 0, NETWORK_HEADER + 8),
            (code::XOR_X, 0, 0, 0),
        ]);
    } else {
        let source = if is_ipv6 { 8 } else { 12 };
        program.push((code::LOAD, 0, 0, NETWORK_HEADER + source));
        let mut mask = u32::MAX;
        keys = sorted(of_family.iter().map(|ip| first_word(*ip)));
        while keys.len() > KEYS {
            mask <<= 1;
            keys = sorted(keys.into_iter().map(|key| key & mask));
        }
        program.push((code::AND, 0, 0, mask));
    }
    let mut not_found = Vec::new();
    search(&mut program, &keys, &mut not_found);
    for at in not_found {
        let end = program.len();
        if let Some(jump) = program.get_mut(at) {
            jump.3 = far(end - at - 1);
        }
    }
    program.extend([
        (code::LOAD, 0, 0, RANDOM),
        (code::IF_GREATER, 1, 0, lot),
        (code::RETURN, 0, 0, ACCEPT),
        (code::RETURN, 0, 0, 0),
    ]);
    program
}

/// Adds a binary search for the source. Jumps for a source that is not there are listed in `not_found`.
fn search(program: &mut Vec<Op>, keys: &[u32], not_found: &mut Vec<usize>) {
    if keys.len() <= LEAF {
        for key in keys {
            program.push((code::IF_EQUAL, 0, 1, *key));
            program.push((code::RETURN, 0, 0, ACCEPT));
        }
        not_found.push(program.len());
        program.push((code::GO_ON, 0, 0, 0));
        return;
    }
    let (lower, upper) = keys.split_at(keys.len() / 2);
    program.push((code::IF_AT_LEAST, 0, 1, upper[0]));
    let at = program.len();
    program.push((code::GO_ON, 0, 0, 0));
    search(program, lower, not_found);
    program[at].3 = far(program.len() - at - 1);
    search(program, upper, not_found);
}

fn far(steps: usize) -> u32 {
    u32::try_from(steps).unwrap_or(u32::MAX)
}

fn sorted(keys: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut keys: Vec<u32> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Odd factor, so that multiplying loses nothing.
const SPREAD: u32 = 0x9e37_79b1;

/// IPv4 address, or the 64 bits of an IPv6 network folded into 32.
fn whole(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits(),
        IpAddr::V6(ip) => {
            let second = (ip.to_bits() >> 64) as u32;
            first_word(ip.into()) ^ second.wrapping_mul(SPREAD)
        }
    }
}

fn first_word(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits(),
        IpAddr::V6(ip) => (ip.to_bits() >> 96) as u32,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    /// Verdict of the kernel on a datagram of `source` that draws `lot`.
    fn passes(program: &[Op], source: IpAddr, lot: u32) -> bool {
        let (mut a, mut x, mut at) = (0u32, 0u32, 0);
        let word = |offset: u32| match source {
            IpAddr::V4(ip) if offset == 12 => ip.to_bits(),
            IpAddr::V6(ip) if offset == 8 => (ip.to_bits() >> 96) as u32,
            IpAddr::V6(ip) if offset == 12 => (ip.to_bits() >> 64) as u32,
            _ => panic!("nothing of the source is at {offset}"),
        };
        loop {
            let (code, then, otherwise, k) = program[at];
            at += 1;
            let mut branch = |is_so: bool| at += usize::from(if is_so { then } else { otherwise });
            match code {
                code::LOAD if k == RANDOM => a = lot,
                code::LOAD => a = word(k - NETWORK_HEADER),
                code::AND => a &= k,
                code::MULTIPLY => a = a.wrapping_mul(k),
                code::TO_X => x = a,
                code::XOR_X => a ^= x,
                code::GO_ON => at += k as usize,
                code::IF_EQUAL => branch(a == k),
                code::IF_AT_LEAST => branch(a >= k),
                code::IF_GREATER => branch(a > k),
                code::RETURN => return k != 0,
                _ => panic!("{code:#x}"),
            }
        }
    }

    fn v4(n: usize) -> IpAddr {
        let n = u32::try_from(n).expect("small");
        Ipv4Addr::from_bits(0x0a00_0000 + n.wrapping_mul(2_654_435_761) % 0x00ff_ffff * 2).into()
    }

    fn v6(n: usize) -> IpAddr {
        let n = u16::try_from(n).expect("small");
        Ipv6Addr::new(0x2001, 0xdb8 + n % 7, n, n / 3, 0, 0, 0, 1).into()
    }

    fn odd(ip: IpAddr) -> IpAddr {
        match ip {
            IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() ^ 1).into(),
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() ^ (1 << 64)).into(),
        }
    }

    #[test]
    fn familiar_hosts_pass_and_of_others_those_that_draw_a_lot() {
        for count in [0, 1, 7, 8, 9, 100, KEYS] {
            for of in [v4, v6] {
                let mut hosts: Vec<IpAddr> = (0..count).map(of).collect();
                let is_ipv6 = of(0).is_ipv6();
                // Those of the other family are no matter.
                hosts.push(if is_ipv6 { v4(1) } else { v6(1) });
                let program = program(is_ipv6, &hosts, 1_000);
                assert!(program.len() < 2_048, "{}", program.len());
                for ip in &hosts[..count] {
                    assert!(passes(&program, *ip, u32::MAX), "{ip} of {count}");
                    if !is_ipv6 {
                        assert!(!passes(&program, odd(*ip), 1_001), "{ip} of {count}");
                    }
                    assert!(passes(&program, odd(*ip), 1_000), "{ip} of {count}");
                }
            }
        }
    }

    #[test]
    fn with_many_familiar_hosts_their_neighbours_pass_as_well() {
        for of in [v4, v6] {
            let hosts: Vec<IpAddr> = (0..20_000).map(of).collect();
            let program = program(of(0).is_ipv6(), &hosts, 0);
            assert!(program.len() < 2_048);
            assert!(hosts.iter().all(|ip| passes(&program, *ip, 1)));
            let far_away = ["192.0.2.1", "fe80::1"].map(|ip| ip.parse::<IpAddr>().expect("an address"));
            let stranger = far_away.into_iter().find(|ip| ip.is_ipv6() == of(0).is_ipv6());
            assert!(!passes(&program, stranger.expect("one"), 1));
        }
    }

    #[test]
    fn a_flood_is_noticed_before_the_interval_is_over() {
        let mut sieve = Sieve::new(false, 10_000);
        let seen = |strangers| Seen {
            strangers,
            caught_up: true,
        };
        let after = |millis| sieve.since + Duration::from_millis(millis);
        assert!(!sieve.is_due(after(1), seen(10_000)) && sieve.is_due(after(2), seen(501)));
        assert!(!sieve.is_due(after(49), seen(500)) && sieve.is_due(after(50), seen(0)));
        let soon = after(2);
        sieve.share = 0.5;
        assert!(!sieve.is_due(soon, seen(10_000)), "it is held back already");
    }

    #[test]
    fn the_share_follows_what_comes_and_opens_slowly() {
        let mut sieve = Sieve::new(false, 10_000);
        let seen = |strangers, caught_up| Seen { strangers, caught_up };
        assert_eq!(sieve.wanted(seen(500, true), 0.05), 1.0);
        assert_eq!(sieve.wanted(seen(600, true), 0.05), 1.0, "a little more");
        let share = sieve.wanted(seen(5_000, true), 0.05);
        assert!((share - 0.1).abs() < 0.001, "{share}");
        assert!(
            sieve.wanted(seen(400, false), 0.05) < 0.32,
            "and more than was read"
        );
        assert!(sieve.wanted(seen(u32::MAX, false), 0.05) >= LEAST);
        sieve.share = share;
        let steady = sieve.wanted(seen(500, true), 0.05);
        assert!((steady - 0.1).abs() < 0.001, "{steady}");
        assert!((sieve.wanted(seen(0, true), 0.05) - 0.125).abs() < 0.001);
        for _ in 0..11 {
            sieve.share = sieve.wanted(seen(0, true), 0.05);
        }
        assert!(!sieve.is_on());
    }
}
