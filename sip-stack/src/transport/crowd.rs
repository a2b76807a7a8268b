//! Places for connections: their number, the share of one source, and the choice of a connection to close
//! when they are used up.
//!
//! A connection whose peer waits, or has not yet proved to be worth its place, is *idle*: the oldest idle one
//! is closed when somebody else needs a place, so that silent connections keep nobody out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Limits on the number of connections.
#[derive(Clone)]
pub struct Seats {
    /// Limit in all.
    pub all: usize,
    /// Limit for one source: an IPv4 address, or a /64 of IPv6.
    pub per_source: usize,
    /// True for sources that speak for many others (proxies) and have no limit of their own.
    pub is_proxy: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl Seats {
    /// Limits for `all` connections, of which one source may hold a quarter.
    #[must_use]
    pub fn new(all: usize) -> Seats {
        Seats {
            all,
            per_source: (all / 4).max(1),
            is_proxy: Arc::new(|_| false),
        }
    }
}

impl fmt::Debug for Seats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seats { all, per_source, .. } = self;
        write!(f, "Seats {{ all: {all}, per_source: {per_source} }}")
    }
}

/// The places of one kind of connection.
#[derive(Debug)]
pub struct Crowd {
    seats: Seats,
    places: Mutex<Places>,
    refused: AtomicU64,
    evicted: AtomicU64,
}

#[derive(Debug, Default)]
struct Places {
    /// Places taken.
    taken: usize,
    /// Places of each source that has a limit.
    sources: BTreeMap<IpAddr, Source>,
    /// Connections that may be closed, the oldest first.
    idle: BTreeMap<u64, (Option<IpAddr>, Arc<Ticket>)>,
    /// Next number in that order.
    next: u64,
}

#[derive(Debug, Default)]
struct Source {
    taken: usize,
    idle: BTreeSet<u64>,
}

#[derive(Debug, Default)]
struct Ticket {
    evicted: Notify,
    /// True once it has lost its place to somebody else. Set and read under the lock of the places.
    gone: AtomicBool,
}

/// A place for one connection, until it is dropped. Idle at first.
#[derive(Debug)]
pub struct Place {
    crowd: Arc<Crowd>,
    source: Option<IpAddr>,
    idle: Option<u64>,
    ticket: Arc<Ticket>,
}

impl Crowd {
    /// A crowd with all places free.
    #[must_use]
    pub fn new(seats: Seats) -> Arc<Crowd> {
        Arc::new(Crowd {
            seats,
            places: Mutex::default(),
            refused: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
        })
    }

    /// Takes a place for a connection from `source`; `None`: a connection without a source that has a limit. If
    /// the source's or all places are taken, the oldest idle connection of the source, or of all, is closed.
    /// Returns `None` if no connection is idle.
    pub fn admit(self: &Arc<Crowd>, source: Option<IpAddr>) -> Option<Place> {
        let source = source
            .map(|ip| ip.to_canonical())
            .filter(|ip| !(self.seats.is_proxy)(*ip))
            .map(network);
        let mut places = self.lock();
        if let Some(ip) = source
            && let Some(held) = places.sources.get(&ip)
            && held.taken >= self.seats.per_source
        {
            let oldest = held.idle.first().copied();
            self.evict(&mut places, oldest)?;
        } else if places.taken >= self.seats.all {
            let oldest = places.idle.first_key_value().map(|(number, _)| *number);
            self.evict(&mut places, oldest)?;
        }
        places.taken += 1;
        if let Some(ip) = source {
            places.sources.entry(ip).or_default().taken += 1;
        }
        let mut place = Place {
            crowd: Arc::clone(self),
            source,
            idle: None,
            ticket: Arc::default(),
        };
        places.queue(&mut place);
        Some(place)
    }

    fn evict(&self, places: &mut Places, number: Option<u64>) -> Option<()> {
        let Some((source, ticket)) = number.and_then(|number| places.unqueue(number)) else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        self.evicted.fetch_add(1, Ordering::Relaxed);
        places.free(source);
        ticket.gone.store(true, Ordering::Relaxed);
        ticket.evicted.notify_one();
        Some(())
    }

    /// Number of places.
    #[must_use]
    pub fn seats(&self) -> &Seats {
        &self.seats
    }

    /// Places taken now.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.lock().taken
    }

    /// Number of connections refused for lack of a place.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Number of idle connections that were closed to make room.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn queue(&mut self, place: &mut Place) {
        let number = self.next;
        self.next += 1;
        place.idle = Some(number);
        self.idle
            .insert(number, (place.source, Arc::clone(&place.ticket)));
        if let Some(held) = place.source.and_then(|ip| self.sources.get_mut(&ip)) {
            held.idle.insert(number);
        }
    }

    fn unqueue(&mut self, number: u64) -> Option<(Option<IpAddr>, Arc<Ticket>)> {
        let (source, ticket) = self.idle.remove(&number)?;
        if let Some(held) = source.and_then(|ip| self.sources.get_mut(&ip)) {
            held.idle.remove(&number);
        }
        Some((source, ticket))
    }

    fn free(&mut self, source: Option<IpAddr>) {
        self.taken -= 1;
        if let Some(ip) = source
            && let Some(held) = self.sources.get_mut(&ip)
        {
            held.taken -= 1;
            if held.taken == 0 {
                self.sources.remove(&ip);
            }
        }
    }
}

impl Place {
    /// Sets whether the connection may be closed when somebody else needs a place. Becoming idle again makes
    /// it the youngest.
    pub fn set_idle(&mut self, idle: bool) {
        let crowd = Arc::clone(&self.crowd);
        let mut places = crowd.lock();
        if self.ticket.gone.load(Ordering::Relaxed) {
            return;
        }
        if let Some(number) = self.idle.take() {
            places.unqueue(number);
        }
        if idle {
            places.queue(self);
        }
    }

    /// Completes when the connection must be closed.
    pub fn evicted(&self) -> impl Future<Output = ()> + Send + use<> {
        let ticket = Arc::clone(&self.ticket);
        async move { ticket.evicted.notified().await }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.crowd.lock();
        if self.ticket.gone.load(Ordering::Relaxed) {
            return;
        }
        if let Some(number) = self.idle.take() {
            places.unqueue(number);
        }
        places.free(self.source);
    }
}

/// Network of one peer: an address, or a /64 of IPv6.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let network = u128::from(ip) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    fn crowd(all: usize, per_source: usize) -> Arc<Crowd> {
        Crowd::new(Seats {
            all,
            per_source,
            ..Seats::new(all)
        })
    }

    async fn is_evicted(place: &Place) -> bool {
        let now = std::time::Duration::ZERO;
        tokio::time::timeout(now, place.evicted()).await.is_ok()
    }

    #[tokio::test]
    async fn the_oldest_idle_one_of_a_source_goes_when_its_share_is_taken() {
        let crowd = crowd(10, 2);
        let other = crowd.admit(ip(1)).unwrap();
        let (first, second) = (crowd.admit(ip(2)).unwrap(), crowd.admit(ip(2)).unwrap());
        let third = crowd.admit(ip(2)).unwrap();
        assert!(is_evicted(&first).await && !is_evicted(&second).await && !is_evicted(&other).await);
        assert_eq!((crowd.taken(), crowd.evicted(), crowd.refused()), (3, 1, 0));
        drop((first, second, third, other));
        assert_eq!(crowd.taken(), 0, "a place is given back once");
        assert!(crowd.lock().sources.is_empty() && crowd.lock().idle.is_empty());
    }

    #[tokio::test]
    async fn who_is_busy_stays_and_who_has_no_place_is_refused() {
        let crowd = crowd(2, 2);
        let mut first = crowd.admit(ip(1)).unwrap();
        let mut second = crowd.admit(ip(2)).unwrap();
        first.set_idle(false);
        second.set_idle(false);
        assert!(crowd.admit(ip(3)).is_none());
        assert_eq!(crowd.refused(), 1);
        second.set_idle(true);
        first.set_idle(true);
        let third = crowd.admit(ip(3)).unwrap();
        assert!(is_evicted(&second).await, "it was idle for longer");
        assert!(!is_evicted(&first).await);
        second.set_idle(true);
        drop(second);
        assert_eq!(crowd.taken(), 2);
        drop(third);
        assert_eq!(crowd.taken(), 1);
    }

    #[tokio::test]
    async fn proxies_have_no_share_and_neighbours_in_a_64_share_theirs() {
        let proxy: IpAddr = ip(9).unwrap();
        let crowd = Crowd::new(Seats {
            all: 8,
            per_source: 1,
            is_proxy: Arc::new(move |ip| ip == proxy),
        });
        let places: Vec<Place> = (0..4).map(|_| crowd.admit(ip(9)).unwrap()).collect();
        for place in &places {
            assert!(!is_evicted(place).await);
        }
        let first = crowd.admit(Some("2001:db8::1".parse().unwrap())).unwrap();
        let _second = crowd.admit(Some("2001:db8::2".parse().unwrap())).unwrap();
        assert!(is_evicted(&first).await);
        let first = crowd.admit(Some("::ffff:192.0.2.1".parse().unwrap())).unwrap();
        let _second = crowd.admit(ip(1)).unwrap();
        assert!(is_evicted(&first).await);
    }
}
