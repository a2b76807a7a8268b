//! Following the names of trunks: each is resolved again when its records expire, and soon if it does not resolve.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sans_io::Rng;
use session_core::Located;
use sip_core::uri::Uri;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Records, Resolution, locate};

/// Minimum time between two queries for a name, however short its records live.
const OFTEN: Duration = Duration::from_secs(5);
/// Maximum time between two queries for a name, however long its records live.
const SELDOM: Duration = Duration::from_secs(3600);
/// Pauses while a name does not resolve: the first, doubling up to the last.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

/// A change of a name's targets.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    /// Trunk that the name belongs to.
    pub(crate) trunk: String,
    /// The URI that was resolved.
    pub(crate) uri: Uri,
    /// Its targets now; empty: it does not resolve.
    pub(crate) targets: Vec<Located>,
}

impl Followed {
    /// Addresses without their ports.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = self.targets.iter().map(|target| target.address.ip()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The names that are followed, each by a task.
#[derive(Debug)]
pub(crate) struct Follower {
    /// By trunk and URI.
    tasks: BTreeMap<(String, String), JoinHandle<()>>,
    news: mpsc::Sender<Followed>,
    runtime: Handle,
}

impl Follower {
    /// A follower of no names, whose tasks run on `runtime`. `news` receives every change.
    pub(crate) fn new(news: mpsc::Sender<Followed>, runtime: Handle) -> Follower {
        Follower {
            tasks: BTreeMap::new(),
            news,
            runtime,
        }
    }

    /// Follows these names from now on, of whichever trunks, and no others.
    pub(crate) fn follow<R: Records + Send + Sync + 'static>(
        &mut self,
        names: Vec<(String, Uri)>,
        records: &Arc<R>,
        rng: &mut Rng,
    ) {
        let mut before = std::mem::take(&mut self.tasks);
        for (trunk, uri) in names {
            let key = (trunk.clone(), uri.as_str().to_owned());
            let task = before.remove(&key).unwrap_or_else(|| {
                let records = Arc::clone(records);
                self.runtime
                    .spawn(run((trunk, uri), records, rng.fork(), self.news.clone()))
            });
            self.tasks.insert(key, task);
        }
        for task in before.into_values() {
            task.abort();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        for task in self.tasks.values() {
            task.abort();
        }
    }
}

/// Reports changes of a name until nobody listens.
async fn run<R: Records + Sync>(
    (trunk, uri): (String, Uri),
    records: Arc<R>,
    mut rng: Rng,
    news: mpsc::Sender<Followed>,
) {
    let mut name = Name::default();
    loop {
        let found = locate(uri.borrow(), &*records, &mut rng).await;
        let (changed, pause) = name.resolved(found);
        if let Some(targets) = changed {
            let (trunk, uri) = (trunk.clone(), uri.clone());
            if news.send(Followed { trunk, uri, targets }).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// State of a name.
#[derive(Debug, Default)]
struct Name {
    /// Its last targets; `None` before the first answer.
    known: Option<Vec<Located>>,
    /// Times in a row that it did not resolve.
    failures: u32,
}

impl Name {
    /// Takes an answer: the name's targets if they have changed, and the time to wait before asking again.
    /// While no name server answers, the last answer stands.
    fn resolved(&mut self, found: Resolution) -> (Option<Vec<Located>>, Duration) {
        let mut targets = found.targets;
        targets.sort();
        let nowhere = targets.is_empty();
        let pause = if nowhere {
            let (first, last) = RETRY;
            let pause = first.saturating_mul(1 << self.failures.min(16)).min(last);
            self.failures = self.failures.saturating_add(1);
            pause
        } else {
            self.failures = 0;
            found.ttl.clamp(OFTEN, SELDOM)
        };
        let stands =
            nowhere && !found.is_certain && self.known.as_ref().is_some_and(|known| !known.is_empty());
        if stands || self.known.as_ref() == Some(&targets) {
            return (None, pause);
        }
        self.known = Some(targets.clone());
        (Some(targets), pause)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::{Mutex, PoisonError};

    use sip_core::flow::Transport;

    use super::super::{Answer, Naptr, Srv};
    use super::*;

    /// A zone that changes: one address, none, or a name server that does not answer.
    #[derive(Default)]
    struct Zone {
        now: Mutex<(Option<&'static str>, bool)>,
    }

    impl Zone {
        fn say(&self, address: Option<&'static str>, answers: bool) {
            *self.now.lock().unwrap_or_else(PoisonError::into_inner) = (address, answers);
        }
    }

    impl Records for Zone {
        async fn naptr(&self, _: &str) -> Answer<Naptr> {
            Answer::none(true)
        }

        async fn srv(&self, _: &str) -> Answer<Srv> {
            Answer::none(true)
        }

        async fn addresses(&self, _: &str) -> Answer<IpAddr> {
            let (address, answers) = *self.now.lock().unwrap_or_else(PoisonError::into_inner);
            match address {
                Some(address) if answers => Answer {
                    records: vec![address.parse().expect("IP")],
                    ttl: Duration::from_secs(60),
                    is_certain: true,
                },
                _ => Answer::none(answers),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_found_when_the_name_server_is_and_moves_with_its_records() {
        let (news, mut heard) = mpsc::channel(8);
        let mut follower = Follower::new(news, Handle::current());
        let zone = Arc::new(Zone::default());
        let uri = Uri::parse("sip:carrier.example").expect("URI");
        let mut rng = Rng::seeded(1);
        follower.follow(vec![("carrier".into(), uri.clone())], &zone, &mut rng);
        let began = tokio::time::Instant::now();
        let nowhere = heard.recv().await.expect("news");
        assert!(nowhere.addresses().is_empty() && nowhere.trunk == "carrier");
        // The name server comes back.
        tokio::time::sleep(Duration::from_secs(100)).await;
        zone.say(Some("192.0.2.1"), true);
        let found = heard.recv().await.expect("news");
        assert_eq!(found.addresses(), ["192.0.2.1".parse::<IpAddr>().expect("IP")]);
        assert!(began.elapsed() <= Duration::from_secs(100) + RETRY.1, "soon");
        // The same answer again is no change, and neither is a name server that is away.
        zone.say(None, false);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(heard.try_recv().is_err());
        // The carrier moves.
        zone.say(Some("192.0.2.2"), true);
        let moved = heard.recv().await.expect("news");
        assert_eq!(moved.addresses(), ["192.0.2.2".parse::<IpAddr>().expect("IP")]);
        // The name is removed.
        zone.say(None, true);
        assert!(heard.recv().await.expect("news").targets.is_empty());
        // The trunk is removed: nothing more is reported.
        follower.follow(Vec::new(), &zone, &mut rng);
        zone.say(Some("192.0.2.3"), true);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(heard.try_recv().is_err());
    }

    #[test]
    fn records_are_asked_for_when_they_expire_within_bounds() {
        let target = |ip: &str| {
            let addr: SocketAddr = format!("{ip}:5060").parse().expect("address");
            Located {
                priority: 0,
                weight: 1,
                transport: Transport::Udp,
                address: addr,
                server_name: None,
            }
        };
        let mut name = Name::default();
        for (ttl, pause) in [(0, 5), (60, 60), (1_000_000, 3600)] {
            let found = Resolution {
                targets: vec![target("192.0.2.1")],
                ttl: Duration::from_secs(ttl),
                is_certain: true,
            };
            assert_eq!(name.resolved(found).1, Duration::from_secs(pause));
        }
        let pauses: Vec<u64> = (0..6)
            .map(|_| {
                let nowhere = Resolution {
                    targets: Vec::new(),
                    ttl: Duration::MAX,
                    is_certain: true,
                };
                name.resolved(nowhere).1.as_secs()
            })
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 8, 8]);
    }
}
