//! The name servers and the hosts file of this system.

use std::net::IpAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;

use super::{Naptr, Records, Srv};

/// Asks as `/etc/resolv.conf` says.
#[derive(Clone)]
pub struct System {
    resolver: Option<TokioResolver>,
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
        let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
        if let Err(error) = &resolver {
            tracing::warn!(%error, "no name server: only IP addresses can be called");
        }
        System {
            resolver: resolver.ok(),
        }
    }
}

impl Default for System {
    fn default() -> Self {
        System::new()
    }
}

impl Records for System {
    async fn naptr(&self, name: &str) -> Vec<Naptr> {
        let Some(resolver) = &self.resolver else {
            return Vec::new();
        };
        let Ok(found) = resolver
            .lookup(name, hickory_resolver::proto::rr::RecordType::NAPTR)
            .await
        else {
            return Vec::new();
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let naptr = found.answers().iter().filter_map(|record| match &record.data {
            RData::NAPTR(n) if n.flags.eq_ignore_ascii_case(b"s") => Some(Naptr {
                order: n.order,
                preference: n.preference,
                service: text(&n.services),
                replacement: n.replacement.to_utf8(),
            }),
            _ => None,
        });
        naptr.collect()
    }

    async fn srv(&self, name: &str) -> Vec<Srv> {
        let Some(resolver) = &self.resolver else {
            return Vec::new();
        };
        let Ok(found) = resolver.srv_lookup(name).await else {
            return Vec::new();
        };
        let srv = found.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv.target.to_utf8(),
            }),
            _ => None,
        });
        srv.collect()
    }

    async fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let Some(resolver) = &self.resolver else {
            return Vec::new();
        };
        match resolver.lookup_ip(name).await {
            Ok(found) => found.iter().collect(),
            Err(error) => {
                tracing::debug!(name, %error, "no address");
                Vec::new()
            }
        }
    }
}
