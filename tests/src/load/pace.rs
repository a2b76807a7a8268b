//! The one loop that connects the calls and then speaks and listens for all of them: 50 packets a second each way, the
//! parties' packets spread evenly over the 20 ms.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::dtls::Identity;
use super::party::{Party, now_ns};
use super::speech::Speech;
use super::{Outcome, System};

const FRAME_NS: i64 = 20_000_000;
/// Handshakes begun but not done.
const AT_ONCE: usize = 4;
const CONSENT: Duration = Duration::from_millis(2_500);

/// The moments between which everything is counted.
pub(crate) struct Window {
    /// CPU time of the system under test, nanoseconds.
    pub(crate) cpu_ns: u64,
    pub(crate) seconds: f64,
    pub(crate) from_ns: i64,
    pub(crate) until_ns: i64,
    /// The furthest that a packet was sent behind its time, milliseconds: is the load generator keeping up?
    pub(crate) late_ms: f64,
}

/// The parties of all calls: those of call `n` are `2 * n` (caller) and `2 * n + 1` (phone).
pub(crate) struct Pace<'a> {
    pub(crate) parties: Vec<Party>,
    identity: &'a Identity,
    epoll: Epoll,
    timer: TimerFd,
}

impl<'a> Pace<'a> {
    pub(crate) fn new(parties: Vec<Party>, identity: &'a Identity) -> Outcome<Pace<'a>> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        let readable = |token: usize| EpollEvent::new(EpollFlags::EPOLLIN, token as u64);
        for (index, party) in parties.iter().enumerate() {
            epoll.add(party.socket.as_fd(), readable(2 * index))?;
            epoll.add(party.rtcp.as_fd(), readable(2 * index + 1))?;
        }
        epoll.add(timer.as_fd(), readable(2 * parties.len()))?;
        Ok(Pace {
            parties,
            identity,
            epoll,
            timer,
        })
    }

    /// ICE and DTLS of all calls. Nothing to do where they are plain RTP.
    pub(crate) fn connect(&mut self) -> Outcome<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        self.every(Duration::from_millis(10))?;
        loop {
            let waiting = self
                .parties
                .iter_mut()
                .enumerate()
                .filter(|(_, party)| !party.is_connected());
            let mut some = None;
            for (index, party) in waiting.take(AT_ONCE) {
                party
                    .tick(self.identity)
                    .map_err(|error| format!("call {}: {error}", index / 2))?;
                some = Some(index);
            }
            let Some(index) = some else { return Ok(()) };
            if Instant::now() > deadline {
                return Err(format!("call {} did not connect: ICE or DTLS", index / 2).into());
            }
            let connected = |party: &&Party| party.is_connected();
            let before = self.parties.iter().filter(connected).count();
            while self.parties.iter().filter(connected).count() == before && !self.listen(true, false)? {}
        }
    }

    /// Speaks for `warm`, then for `measured` with everything counted, then listens for packets still on
    /// their way.
    pub(crate) fn run(
        &mut self,
        speech: &Speech,
        system: &mut dyn System,
        [warm, measured]: [Duration; 2],
    ) -> Outcome<Window> {
        let count = self.parties.len() as i64;
        self.every(Duration::from_nanos((FRAME_NS / count).max(200_000) as u64))?;
        let start = now_ns();
        let from = start + warm.as_nanos() as i64;
        let until = from + measured.as_nanos() as i64;
        let mut window = Window {
            cpu_ns: 0,
            seconds: 0.0,
            from_ns: 0,
            until_ns: 0,
            late_ms: 0.0,
        };
        let (mut next, mut consent, mut signalling) = (0, Instant::now(), Instant::now());
        let mut counting = false;
        loop {
            let now = now_ns();
            if !counting && now >= from {
                counting = true;
                window.from_ns = now;
                window.cpu_ns = system.cpu_ns();
            }
            if now >= until {
                window.until_ns = now;
                window.cpu_ns = system.cpu_ns() - window.cpu_ns;
                window.seconds = (now - window.from_ns) as f64 / 1e9;
                break;
            }
            let due = start + next * FRAME_NS / count;
            if now >= due {
                self.parties[(next % count) as usize].speak(speech, counting);
                if counting {
                    window.late_ms = window.late_ms.max((now - due) as f64 / 1e6);
                }
                next += 1;
                if next % 16 == 0 {
                    self.listen(false, counting)?;
                }
                continue;
            }
            if consent.elapsed() > CONSENT {
                consent = Instant::now();
                self.parties.iter_mut().for_each(Party::check);
            }
            if signalling.elapsed() > Duration::from_millis(20) {
                signalling = Instant::now();
                system.attend()?;
            }
            self.listen(true, counting)?;
        }
        let end = Instant::now() + Duration::from_millis(300);
        while Instant::now() < end {
            self.listen(true, false)?;
        }
        Ok(window)
    }

    /// Takes a datagram from each socket that has one; may wait until there is one or the timer is due. Whether the
    /// timer was.
    fn listen(&mut self, wait: bool, counting: bool) -> Outcome<bool> {
        let mut events = [EpollEvent::empty(); 256];
        let timeout = if wait {
            EpollTimeout::from(100_u16)
        } else {
            EpollTimeout::ZERO
        };
        let count = match self.epoll.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let mut due = count == 0;
        for event in &events[..count] {
            let token = event.data() as usize;
            match self.parties.get_mut(token / 2) {
                None => {
                    let _ = self.timer.wait();
                    due = true;
                }
                Some(party) if token % 2 == 1 => party.drain_rtcp(),
                Some(party) => {
                    party
                        .listen(self.identity, counting)
                        .map_err(|error| format!("call {}: {error}", token / 4))?;
                }
            }
        }
        Ok(due)
    }

    fn every(&self, interval: Duration) -> Outcome<()> {
        let interval = Expiration::Interval(TimeSpec::from_duration(interval));
        Ok(self.timer.set(interval, TimerSetTimeFlags::empty())?)
    }
}
