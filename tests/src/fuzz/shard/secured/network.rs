//! The way between the gateway and the peers, on which time passes: packets, and flights of the handshake with their fates.

use std::net::SocketAddr;
use std::time::Duration;

use media_core::control::Event;
use media_core::shard::{Input, Output};
use sans_io::{Time, earlier};

use super::super::super::browser_leg::{CHECK, octets};
use super::{BROWSER, Bench, CUT, DAMAGED, LATE, LEGS, LOST, TWICE, address, socket};

impl Bench {
    pub(super) fn deliver(&mut self, index: u8, from: SocketAddr, mut wire: Vec<u8>) {
        self.shard
            .handle_datagram(self.now, socket(index, 0), from, &mut wire);
        self.drain();
    }

    /// Lets the browser's checks come, which prove that it is there.
    pub(super) fn check(&mut self) {
        self.checked = self.now;
        self.deliver(BROWSER, address(BROWSER), octets(CHECK));
        let now = self.now;
        self.peer(BROWSER).check(now);
        self.flights();
    }

    /// Lets time pass from deadline to deadline.
    pub(super) fn pass(&mut self, length: Duration) {
        let until = self.now + length;
        let mut looks = 0;
        loop {
            if self.now.since(self.checked) > Duration::from_secs(2) {
                self.check();
            }
            self.flights();
            let due = earlier(
                self.drain(),
                self.peers[usize::from(BROWSER)]
                    .deadline()
                    .map(|at| (at, "the peer's handshake")),
            );
            let Some((at, reason)) = due.filter(|(at, _)| *at <= until) else {
                break;
            };
            self.now = self.now.max(at);
            let now = self.now;
            self.shard.handle_input(now, Input::Timeout);
            self.peer(BROWSER).handle_timeout(now);
            looks += 1;
            assert!(looks < 20_000, "{reason} is due for ever");
        }
        self.now = until;
    }

    /// Takes datagrams of the handshake from the browser to the gateway.
    pub(super) fn flights(&mut self) {
        self.drain();
        while let Some(datagram) = self.peer(BROWSER).poll_transmit() {
            // The answers to checks are none of the handshake.
            if matches!(datagram.first(), Some(20..=63)) {
                self.fly(datagram, true);
            }
        }
    }

    /// A datagram of the handshake has its fate, and comes to the gateway or to the browser.
    pub(super) fn fly(&mut self, mut datagram: Vec<u8>, to_gateway: bool) {
        self.said += datagram.len();
        assert!(self.said < 200_000, "{} octets in one handshake", self.said);
        let [fate, at, how] = self.fates.pop_front().unwrap_or_default();
        let at = usize::from(at) * 7 % datagram.len().max(1);
        let mut times = 1;
        match fate {
            LOST => times = 0,
            TWICE => times = 2 + how % 3,
            DAMAGED => datagram[at] ^= how.max(1),
            CUT => datagram.truncate(at),
            LATE => {
                self.now += Duration::from_millis(u64::from(how));
            }
            _ => {}
        }
        for _ in 0..times {
            if to_gateway {
                self.deliver(BROWSER, address(BROWSER), datagram.clone());
            } else {
                let now = self.now;
                self.peer(BROWSER).take(now, &mut datagram.clone());
            }
        }
    }

    /// Takes what the gateway sends and says, until nothing is left to do.
    pub(super) fn drain(&mut self) -> Option<(Time, &'static str)> {
        let mut sent = 0;
        loop {
            match self.shard.poll_output() {
                Output::Timeout(deadline) => return deadline,
                Output::Transmit { to, data, .. } => {
                    sent += 1;
                    assert!(
                        data.len() <= 1_500 && sent < 2_000,
                        "{sent} of {} octets",
                        data.len()
                    );
                    let Some(index) = (0..LEGS).find(|index| address(*index) == to) else {
                        panic!("{} octets for the stranger {to}", data.len());
                    };
                    let data = data.to_vec();
                    match data.first() {
                        Some(20..=63) if index == BROWSER => self.fly(data, false),
                        _ => {
                            let now = self.now;
                            self.peer(index).take(now, &mut data.clone());
                        }
                    }
                }
                Output::Event(Event::Report { leg, report, .. }) => {
                    let index = leg.0 as usize;
                    self.received[index] = report.packets_received;
                    assert!(
                        report.mos == 0.0 || (1.0..=4.5).contains(&report.mos),
                        "{report:?}"
                    );
                }
                Output::Event(Event::Gone { leg, .. } | Event::Failed { leg, .. }) => {
                    assert_eq!(leg.0, u64::from(BROWSER), "no other leg has a handshake");
                    self.is_lost = true;
                }
                _ => {}
            }
        }
    }
}
