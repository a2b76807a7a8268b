//! The sentry at every door: it limits guesses, bans sources, and reports refusals to operators.
//!
//! Each refusal leaves one line under the target `cordboard::refused`, which a program such as fail2ban can
//! read, and a count in `/metrics`. A flood of refusals does not flood the log: beyond [`LINES`] in a second
//! only their number is logged.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use sans_io::Time;
use session_core::guard::{self, Ban, Denied, Guard, Network, Try};
use session_core::{MAX_USER, Refusal};
use sip_core::message::StatusCode;
use sip_stack::Clock;
use sip_stack::transport::Seats;
use tokio::sync::mpsc;

/// Refusals in a second that get a line each.
const LINES: u32 = 20;
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
    counts: BTreeMap<(&'static str, Option<u16>), u64>,
    bans: u64,
    /// The second in which lines are counted, with the counts of lines and of refusals without a line.
    second: u64,
    lines: u32,
    untold: u64,
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

/// A refusal at an HTTP door, or of a connection before anything was said over it.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// Source of the request.
    pub peer: SocketAddr,
    /// Method of the request.
    pub method: &'a str,
    /// User name of the request; may be empty.
    pub user: &'a str,
    /// Status code of the answer, of HTTP or SIP; `None` where there was none.
    pub code: Option<u16>,
    /// Reason of the refusal.
    pub reason: &'static str,
}

impl<'a> Refused<'a> {
    /// A refusal before any request.
    #[must_use]
    pub fn handshake(peer: SocketAddr, reason: &'static str) -> Refused<'a> {
        Refused {
            peer,
            method: "TLS",
            user: "",
            code: None,
            reason,
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
        self.tell_bans(&mut state);
        let taken = taken?;
        if taken.is_strangers() {
            let missing = state.looks_full_at.since(now);
            if let Some(wait) = missing
                .checked_sub(LOOK * (LOOKS - 1))
                .filter(|wait| !wait.is_zero())
            {
                state.guard.failed(now, address, taken);
                self.tell_bans(&mut state);
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
        self.tell_bans(&mut state);
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
        tell_ban(ban);
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
        let second = self.now().as_secs();
        let mut state = self.lock();
        *state.counts.entry((refused.reason, refused.code)).or_default() += 1;
        if state.second != second {
            if state.untold > 0 {
                tracing::info!(target: "cordboard::refused", more = state.untold, "refused, not logged one by one");
            }
            (state.second, state.lines, state.untold) = (second, 0, 0);
        }
        if state.lines >= LINES {
            state.untold += 1;
            return;
        }
        state.lines += 1;
        drop(state);
        let end = (0..=refused.user.len().min(MAX_USER))
            .rev()
            .find(|end| refused.user.is_char_boundary(*end))
            .unwrap_or_default();
        // Quoted, so that text from strangers cannot look like another line or field.
        tracing::info!(
            target: "cordboard::refused",
            peer = %refused.peer,
            method = refused.method,
            user = ?&refused.user[..end],
            code = refused.code.unwrap_or_default(),
            reason = refused.reason,
            "refused"
        );
    }

    /// Refusals since the start, by reason and code.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<(&'static str, Option<u16>), u64> {
        self.lock().counts.clone()
    }

    /// Number of bans since the start, and of those in force.
    #[must_use]
    pub fn ban_counts(&self) -> (u64, usize) {
        let now = self.now();
        let state = self.lock();
        (state.bans, state.guard.bans(now).len())
    }

    fn tell_bans(&self, state: &mut State) {
        while let Some(ban) = state.guard.poll_ban() {
            state.bans += 1;
            tell_ban(&ban);
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

fn tell_ban(ban: &Ban) {
    tracing::warn!(
        target: "cordboard::refused",
        peer = %ban.address,
        reason = ban.reason.name(),
        seconds = ban.until.since(ban.since).as_secs(),
        times = ban.times,
        "banned; a proxy that speaks for others is to be named in trusted_proxies"
    );
}

/// The addresses that proxies wrote down, the nearest last; `None`: not an address.
fn forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let values = |name: &str| -> Vec<String> {
        let values = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .map(|value| value.trim().to_owned())
            .collect()
    };
    let plain = values("x-forwarded-for");
    if !plain.is_empty() {
        return plain.iter().map(|value| address(value)).collect();
    }
    let nodes = values("forwarded");
    nodes
        .iter()
        .map(|element| {
            let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
            let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
            address(node.trim().trim_matches('"'))
        })
        .collect()
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(ip);
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use sip_stack::transport::Crowd;

    use super::*;

    fn peer(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().expect("a value"));
        }
        headers
    }

    fn behind_proxies() -> Sentry {
        Sentry::new(Settings {
            trusted_proxies: vec![
                "127.0.0.1".parse().expect("one"),
                "10.0.0.0/8".parse().expect("one"),
            ],
            ..Settings::default()
        })
    }

    #[test]
    fn a_proxy_that_is_trusted_has_as_many_connections_as_it_needs() {
        let settings = Settings {
            trusted_proxies: vec!["10.0.0.0/8".parse().expect("one")],
            ..Settings::default()
        };
        for (host, held) in [("10.1.2.3", 8), ("::ffff:10.1.2.3", 8), ("192.0.2.7", 2)] {
            let crowd = Crowd::new(settings.seats(8));
            let places: Vec<_> = (0..8).filter_map(|_| crowd.admit(Some(ip(host)))).collect();
            // Those of others make room for each other: they are idle.
            assert_eq!((places.len(), crowd.taken()), (8, held), "{host}");
        }
    }

    #[test]
    fn only_proxies_that_are_trusted_speak_for_others() {
        let forged = headers(&[("x-forwarded-for", "192.0.2.1")]);
        let client =
            |peer_text: &str, headers: &HeaderMap| behind_proxies().client(peer(peer_text), headers).ip();
        assert_eq!(client("192.0.2.66:9", &forged), ip("192.0.2.66"));
        assert_eq!(
            Sentry::default().client(peer("127.0.0.1:9"), &forged).ip(),
            ip("127.0.0.1")
        );
        assert_eq!(client("127.0.0.1:9", &forged), ip("192.0.2.1"));
        assert_eq!(client("127.0.0.1:9", &HeaderMap::new()), ip("127.0.0.1"));
    }

    #[test]
    fn what_a_client_wrote_itself_does_not_count() {
        let client = |pairs: &[(&'static str, &'static str)]| {
            behind_proxies().client(peer("127.0.0.1:9"), &headers(pairs)).ip()
        };
        assert_eq!(
            client(&[("x-forwarded-for", "1.1.1.1, 192.0.2.7")]),
            ip("192.0.2.7")
        );
        assert_eq!(
            client(&[
                ("x-forwarded-for", "1.1.1.1"),
                ("x-forwarded-for", "192.0.2.7, 10.1.1.1")
            ]),
            ip("192.0.2.7")
        );
        assert_eq!(
            client(&[("x-forwarded-for", "nonsense, 10.1.1.1")]),
            ip("10.1.1.1")
        );
        assert_eq!(
            client(&[("forwarded", "for=1.1.1.1, for=\"[2001:db8::7]:1234\";proto=https")]),
            ip("2001:db8::7")
        );
        assert_eq!(client(&[("forwarded", "for=_hidden")]), ip("127.0.0.1"));
        assert_eq!(client(&[("x-forwarded-for", "192.0.2.7:5555")]), ip("192.0.2.7"));
    }

    #[test]
    fn a_flood_of_refusals_is_counted_and_told_in_few_lines() {
        let clock = Arc::new(AtomicU64::new(5_000_000));
        let of = Arc::clone(&clock);
        let sentry = Sentry::with_clock(Settings::default(), move || Time(of.load(Relaxed)));
        for _ in 0..1_000 {
            sentry.refused(Refused {
                peer: peer("192.0.2.1:5060"),
                method: "REGISTER",
                user: "é".repeat(100).as_str(),
                code: Some(403),
                reason: "wrong-credentials",
            });
        }
        assert_eq!(sentry.counts()[&("wrong-credentials", Some(403))], 1_000);
        let state = sentry.lock();
        assert_eq!((state.lines, state.untold), (LINES, 1_000 - u64::from(LINES)));
    }

    #[test]
    fn strangers_share_the_time_that_passwords_take() {
        let sentry = Sentry::with_clock(Settings::default(), || Time::from_secs(1_000));
        let take = |n: u32| sentry.take(&format!("user{n}"), Some(IpAddr::V4(Ipv4Addr::from_bits(n))));
        sentry.succeeded(take(0).expect("a try"));
        for n in 1..=LOOKS {
            sentry.failed(take(n).expect("a try"));
        }
        assert!(matches!(take(999), Err(Denied::TooFast(_))));
        sentry.succeeded(take(0).expect("whoever is known is no stranger"));
    }

    #[test]
    fn a_ban_goes_to_the_other_door_and_is_lifted_at_both() {
        let sentry = Sentry::with_clock(Settings::default(), || Time::from_secs(1_000));
        let mut orders = sentry.orders().expect("they are there once");
        assert!(sentry.orders().is_none());
        let at = ip("192.0.2.1");
        for n in 0..100 {
            if let Ok(taken) = sentry.take(&format!("user{n}"), Some(at)) {
                sentry.failed(taken);
            }
        }
        assert!(sentry.is_silenced(at));
        assert!(matches!(orders.try_recv(), Ok(Order::Ban(ban)) if ban.address == at));
        let (ban, since, left) = sentry.bans().pop().expect("a ban");
        assert_eq!(
            (ban.address, since, left),
            (at, Duration::ZERO, Duration::from_secs(600))
        );
        assert!(sentry.lift(at) && !sentry.lift(at) && !sentry.is_silenced(at));
        assert_eq!(orders.try_recv(), Ok(Order::Lift(at)));
        assert_eq!(sentry.ban_counts(), (1, 0));
    }
}
