//! Names of targets and trunks, looked up outside of the signalling task.

use std::collections::BTreeMap;
use std::sync::Arc;

use sans_io::Rng;
use session_core::{Input, Located};
use sip_core::endpoint::QueryId;
use sip_core::uri::Uri;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use crate::dns::{self, Followed, Follower, Target};

/// Names looked up at a time; more wait in their tasks.
const LOOKUPS: usize = 64;

/// Answers of lookups that may wait for the task; their tasks wait when it is full.
const RESOLVED: usize = 64;

/// Names being looked up outside the task.
pub(crate) struct Resolver {
    system: Arc<dns::System>,
    rng: Rng,
    runtime: Handle,
    permits: Arc<Semaphore>,
    sender: mpsc::Sender<(QueryId, Vec<Target>)>,
    pub(super) answers: mpsc::Receiver<(QueryId, Vec<Target>)>,
    follower: Follower,
    pub(super) news: mpsc::Receiver<Followed>,
    /// Last targets of trunks' names, by trunk and URI: calls go there while no name server answers.
    followed: BTreeMap<(String, String), (Uri, Vec<Located>)>,
}

impl Resolver {
    /// A resolver whose lookups run on `runtime`.
    pub(crate) fn new(rng: Rng, runtime: Handle) -> Resolver {
        let (sender, answers) = mpsc::channel(RESOLVED);
        let permits = Arc::new(Semaphore::new(LOOKUPS));
        let (resolved, news) = mpsc::channel(RESOLVED);
        Resolver {
            system: Arc::new(dns::System::new()),
            rng,
            follower: Follower::new(resolved, runtime.clone()),
            runtime,
            permits,
            sender,
            answers,
            news,
            followed: BTreeMap::new(),
        }
    }

    /// Counters of the queries to name servers.
    pub(crate) fn counters(&self) -> Arc<dns::Counters> {
        Arc::clone(self.system.counters())
    }

    /// The name servers of this system.
    pub(crate) fn system(&self) -> Arc<dns::System> {
        Arc::clone(&self.system)
    }

    /// Answers at once where no query is needed.
    pub(super) fn resolve(&mut self, query: QueryId, uri: Uri) -> Option<Vec<Target>> {
        if let Some(targets) = dns::immediate(uri.borrow()) {
            return Some(targets);
        }
        let (system, permits, sender) = (self.system.clone(), self.permits.clone(), self.sender.clone());
        let mut rng = self.rng.fork();
        let mut followed = self.followed.values();
        let last = followed.find(|(name, _)| is_same_place(name, &uri));
        let last = last.map(|(_, targets)| targets.clone()).unwrap_or_default();
        let last = last.into_iter().map(dns::target).collect();
        self.runtime.spawn(async move {
            let _permit = permits.acquire_owned().await;
            let mut targets = dns::resolve(uri.borrow(), &*system, &mut rng).await;
            if targets.is_empty() {
                targets = last;
            }
            tracing::debug!(%uri, ?targets, "resolved");
            let _ = sender.send((query, targets)).await;
        });
        None
    }

    /// Follows the names of these trunks, and of no others.
    pub(super) fn follow(&mut self, names: Vec<(String, Uri)>) {
        self.followed
            .retain(|(trunk, _), (uri, _)| names.iter().any(|(name, to)| name == trunk && to == uri));
        self.follower.follow(names, &self.system, &mut self.rng);
    }

    /// Takes a change of a trunk's name, and passes it on.
    pub(super) fn located(&mut self, news: Followed) -> Input {
        let addresses = news.addresses();
        let name = news.uri.host().map(|host| host.to_string()).unwrap_or_default();
        let Followed { trunk, uri, targets } = news;
        let key = (trunk.clone(), uri.as_str().to_owned());
        let before = self.followed.insert(key, (uri.clone(), targets.clone()));
        let had = before.as_ref().map(|(_, targets)| !targets.is_empty());
        match (had, addresses.is_empty()) {
            (_, true) => tracing::warn!(
                trunk,
                name,
                "the trunk has no address by this name, which does not resolve: no call goes there, and none comes from there"
            ),
            (Some(false), false) => {
                tracing::info!(
                    trunk,
                    name,
                    addresses = addresses.len(),
                    "the trunk has an address again"
                );
            }
            (_, false) => {
                tracing::info!(
                    trunk,
                    name,
                    addresses = addresses.len(),
                    "the trunk's name resolves"
                );
            }
        }
        tracing::debug!(trunk, ?addresses, "addresses of the trunk");
        Input::Located {
            trunk,
            name: uri,
            found: targets,
        }
    }
}

/// True if both resolve in the same way: user parts do not count.
fn is_same_place(a: &Uri, b: &Uri) -> bool {
    let of = |uri: &Uri| {
        let host = uri.host().map(|host| host.to_string().to_ascii_lowercase());
        let transport = uri.transport().map(str::to_ascii_lowercase);
        (host, uri.port(), transport)
    };
    of(a) == of(b)
}
