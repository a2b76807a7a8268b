//! The sentry at every door: it limits guesses, bans sources, and reports refusals to operators.
//!
//! Each refusal leaves one line under the target `cordboard::refused`, which a program such as fail2ban can
//! read, and a count in `/metrics`. A flood of refusals does not flood the log: beyond some in a second
//! only their number is logged ([`Refusals`]).

mod forwarded;
mod refusals;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use sans_io::Time;
use session_core::Refusal;
use session_core::guard::{self, Ban, Denied, Guard, Network, Try};
use sip_core::message::StatusCode;
use sip_stack::Clock;
use sip_stack::transport::Seats;
use tokio::sync::mpsc;

use forwarded::forwarded_for;
pub use refusals::Refused;
use refusals::{Refusals, log_ban};

/// Wrong passwords of strangers that are checked in a row, and the time in which one more becomes available:
/// a fifth of a core at most.
const LOOKS: u32 = 100;
const LOOK: Duration = Duration::from_millis(250);
/// Orders that may wait for the signalling task.
const ORDERS: usize = 256;

/// Settings of the sentry.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Settings of each door's guard.
    pub guard: guard::Config,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<Network>,
}

impl Settings {
    /// Seats for `all` connections. A trusted proxy may hold as many as it needs, since it speaks for many clients.
    #[must_use]
    pub fn seats(&self, all: usize) -> Seats {
        let proxies = self.trusted_proxies.clone();
        Seats {
            is_proxy: Arc::new(move |ip| proxies.iter().any(|proxy| proxy.contains(ip))),
            ..Seats::new(all)
        }
    }
}

/// Order to the signalling task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ban a source that was banned at another door.
    Ban(Ban),
    /// Lift the ban of a source.
    Lift(IpAddr),
}

/// The sentry. Clones are handles of one sentry.
#[derive(Clone)]
pub struct Sentry(Arc<Shared>);

struct Shared {
    clock: Box<dyn Fn() -> Time + Send + Sync>,
    trusted_proxies: Vec<Network>,
    state: Mutex<State>,
    orders: mpsc::Sender<Order>,
    /// Queue of orders, taken by the task that passes them on.
    waiting: Mutex<Option<mpsc::Receiver<Order>>>,
}

#[derive(Default)]
struct State {
    guard: Guard,
    refusals: Refusals,
    bans: u64,
    /// Time at which strangers may again use their whole share of password checks.
    looks_full_at: Time,
}

/// A sign-in attempt that is being checked.
#[derive(Debug)]
#[must_use]
pub(super) struct Attempt {
    taken: Try,
    address: IpAddr,
}

impl State {
    fn give_look_back(&mut self, taken: &Try) {
        if taken.is_strangers() {
            self.looks_full_at = self.looks_full_at - LOOK;
        }
    }
}

impl fmt::Debug for Sentry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sentry").finish_non_exhaustive()
    }
}

impl Default for Sentry {
    fn default() -> Sentry {
        Sentry::new(Settings::default())
    }
}

impl Sentry {
    /// A sentry whose time never steps back, whatever the wall clock does.
    #[must_use]
    pub fn new(settings: Settings) -> Sentry {
        let clock = Clock::start();
        Sentry::with_clock(settings, move || clock.now())
    }

    /// A sentry that reads the time from `clock`.
    pub(crate) fn with_clock(settings: Settings, clock: impl Fn() -> Time + Send + Sync + 'static) -> Sentry {
        let (orders, waiting) = mpsc::channel(ORDERS);
        // A trusted proxy speaks for many.
        let mut guard = settings.guard;
        guard.spare.extend(&settings.trusted_proxies);
        Sentry(Arc::new(Shared {
            clock: Box::new(clock),
            trusted_proxies: settings.trusted_proxies,
            state: Mutex::new(State {
                guard: Guard::new(guard),
                ..State::default()
            }),
            orders,
            waiting: Mutex::new(Some(waiting)),
        }))
    }

    /// Orders to the signalling task, for the one task that passes them on.
    #[must_use]
    pub fn orders(&self) -> Option<mpsc::Receiver<Order>> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Source of a request: the peer of its connection, or the client that a trusted proxy names
    /// (`X-Forwarded-For`, else `Forwarded`, RFC 7239 §5.2): the last address that is not a trusted proxy
    /// itself. The port is the connection's.
    #[must_use]
    pub fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        let believed = |ip: IpAddr| self.0.trusted_proxies.iter().any(|proxy| proxy.contains(ip));
        if !believed(peer.ip()) {
            return peer;
        }
        let mut client = peer.ip();
        for hop in forwarded_for(headers).into_iter().rev() {
            // A hop that an honest proxy does not know ends the search: nothing before it counts.
            let Some(hop) = hop else { break };
            client = hop;
            if !believed(hop) {
                break;
            }
        }
        SocketAddr::new(client.to_canonical(), peer.port())
    }

    /// Admits a sign-in attempt, before its password is checked.
    pub(super) fn take(&self, name: &str, address: Option<IpAddr>) -> Result<Attempt, Denied> {
        let now = self.now();
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let mut state = self.lock();
        let taken = state.guard.take(now, address, name);
        self.report_bans(&mut state);
        let taken = taken?;
        if taken.is_strangers() {
            let missing = state.looks_full_at.since(now);
            if let Some(wait) = missing
                .checked_sub(LOOK * (LOOKS - 1))
                .filter(|wait| !wait.is_zero())
            {
                state.guard.failed(now, address, taken);
                self.report_bans(&mut state);
                return Err(Denied::TooFast(wait));
            }
            state.looks_full_at = state.looks_full_at.max(now) + LOOK;
        }
        Ok(Attempt { taken, address })
    }

    pub(super) fn failed(&self, attempt: Attempt) {
        let now = self.now();
        let mut state = self.lock();
        state.guard.failed(now, attempt.address, attempt.taken);
        self.report_bans(&mut state);
    }

    pub(super) fn succeeded(&self, attempt: Attempt) {
        let now = self.now();
        let mut state = self.lock();
        state.give_look_back(&attempt.taken);
        state.guard.succeeded(now, attempt.taken);
    }

    /// Returns an attempt whose password could not be checked.
    pub(super) fn give_back(&self, attempt: Attempt) {
        let mut state = self.lock();
        state.give_look_back(&attempt.taken);
        state.guard.give_back(attempt.taken);
    }

    /// Time left until then.
    pub(super) fn left(&self, until: Time) -> Duration {
        until.since(self.now())
    }

    /// True if nobody at this address is let in: it is banned, and nobody has ever signed in from there.
    #[must_use]
    pub fn is_silenced(&self, address: IpAddr) -> bool {
        let now = self.now();
        self.lock().guard.is_silenced(now, address)
    }

    /// Bans here a source that the signalling task has banned.
    pub fn adopt(&self, ban: &Ban) {
        let now = self.now();
        let mut state = self.lock();
        state.bans += 1;
        log_ban(ban);
        state.guard.adopt(now, ban.clone());
    }

    /// Bans in force, by address, with the time left.
    #[must_use]
    pub fn bans(&self) -> Vec<(Ban, Duration, Duration)> {
        let now = self.now();
        let bans = self.lock().guard.bans(now);
        bans.into_iter()
            .map(|ban| {
                let (since, left) = (now.since(ban.since), ban.until.since(now));
                (ban, since, left)
            })
            .collect()
    }

    /// Lifts the ban of a source at every door; false if there is none.
    pub fn lift(&self, address: IpAddr) -> bool {
        let now = self.now();
        let was_banned = self.lock().guard.lift(now, address);
        if self.0.orders.try_send(Order::Lift(address)).is_err() {
            tracing::warn!(%address, "the signalling task is too busy to lift the ban there; it ends by itself");
        }
        was_banned
    }

    /// Reports a refusal by the signalling task.
    pub fn refused_sip(&self, refusal: &Refusal) {
        self.refused(Refused {
            peer: refusal.peer,
            method: &refusal.method,
            user: &refusal.user,
            code: refusal.code.map(StatusCode::get),
            reason: refusal.reason.name(),
        });
    }

    /// Reports a refusal.
    pub fn refused(&self, refused: Refused<'_>) {
        let now = self.now();
        let is_logged = self.lock().refusals.count(now, &refused);
        if is_logged {
            refused.log();
        }
    }

    /// Refusals since the start, by reason and code.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<(&'static str, Option<u16>), u64> {
        self.lock().refusals.counts().clone()
    }

    /// Number of bans since the start, and of those in force.
    #[must_use]
    pub fn ban_counts(&self) -> (u64, usize) {
        let now = self.now();
        let state = self.lock();
        (state.bans, state.guard.bans(now).len())
    }

    fn report_bans(&self, state: &mut State) {
        while let Some(ban) = state.guard.poll_ban() {
            state.bans += 1;
            log_ban(&ban);
            if self.0.orders.try_send(Order::Ban(ban)).is_err() {
                tracing::warn!("the signalling task is too busy to take a ban");
            }
        }
    }

    fn now(&self) -> Time {
        (self.0.clock)()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
