//! The name servers and the hosts file of this system.

use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::TokioResolver;
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::{Answer, Counters, Naptr, Records, Srv};

/// Files that configure name resolution. They change under a running program: the network comes up after it,
/// or moves.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// Interval of checks of these files.
const LOOK: Duration = Duration::from_secs(1);

/// Maximum time for which a name counts as non-existent.
const NEGATIVE: Duration = Duration::from_secs(5);

/// Resolver configured by `/etc/resolv.conf` as it is now.
#[derive(Clone)]
pub struct System {
    state: Arc<Mutex<State>>,
    counters: Arc<Counters>,
}

struct State {
    resolver: Option<TokioResolver>,
    files: [Option<SystemTime>; 2],
    looked: Instant,
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("System").finish_non_exhaustive()
    }
}

impl System {
    /// Reads the configuration of the system. Where it has none, names lead nowhere and IP addresses work.
    #[must_use]
    pub fn new() -> System {
        let state = State {
            files: written(),
            resolver: read(),
            looked: Instant::now(),
        };
        System {
            state: Arc::new(Mutex::new(state)),
            counters: Arc::default(),
        }
    }

    /// Counters of its queries.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    fn counted<T>(&self, answer: Answer<T>) -> Answer<T> {
        self.counters.queries.fetch_add(1, Relaxed);
        self.counters
            .unanswered
            .fetch_add(u64::from(!answer.is_certain), Relaxed);
        answer
    }

    /// Resolver for the files as they are now.
    fn resolver(&self) -> Option<TokioResolver> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK {
            state.looked = Instant::now();
            let files = written();
            if files != state.files {
                state.files = files;
                state.resolver = read();
            }
        }
        state.resolver.clone()
    }

    async fn lookup(&self, name: &str, kind: RecordType) -> Answer<RData> {
        let Some(resolver) = self.resolver() else {
            return self.counted(Answer::none(false));
        };
        self.counted(match resolver.lookup(name, kind).await {
            Ok(found) => Answer {
                ttl: left(found.valid_until()),
                records: records(&found),
                is_certain: true,
            },
            Err(error) => nothing(name, &error),
        })
    }
}

impl Default for System {
    fn default() -> Self {
        System::new()
    }
}

fn read() -> Option<TokioResolver> {
    let built = TokioResolver::builder_tokio().and_then(|mut builder| {
        builder.options_mut().negative_max_ttl = Some(NEGATIVE);
        builder.build()
    });
    if let Err(error) = &built {
        tracing::warn!(%error, "no name server: only IP addresses can be called");
    }
    built.ok()
}

fn written() -> [Option<SystemTime>; 2] {
    FILES.map(|path| std::fs::metadata(path).ok()?.modified().ok())
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

fn records(found: &Lookup) -> Vec<RData> {
    found.answers().iter().map(|record| record.data.clone()).collect()
}

fn nothing<T>(name: &str, error: &NetError) -> Answer<T> {
    tracing::debug!(name, %error, "no records");
    Answer::none(error.is_no_records_found())
}

impl Records for System {
    async fn naptr(&self, name: &str) -> Answer<Naptr> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.lookup(name, RecordType::NAPTR).await.map(|data| match data {
            RData::NAPTR(n) if n.flags.eq_ignore_ascii_case(b"s") => Some(Naptr {
                order: n.order,
                preference: n.preference,
                service: text(&n.services),
                replacement: n.replacement.to_utf8(),
            }),
            _ => None,
        })
    }

    async fn srv(&self, name: &str) -> Answer<Srv> {
        self.lookup(name, RecordType::SRV).await.map(|data| match data {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv.target.to_utf8(),
            }),
            _ => None,
        })
    }

    async fn addresses(&self, name: &str) -> Answer<IpAddr> {
        let Some(resolver) = self.resolver() else {
            return self.counted(Answer::none(false));
        };
        self.counted(match resolver.lookup_ip(name).await {
            Ok(found) => Answer {
                ttl: left(found.valid_until()),
                records: found.iter().collect(),
                is_certain: true,
            },
            Err(error) => nothing(name, &error),
        })
    }
}
