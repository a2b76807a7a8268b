//! File descriptors: as many as the system allows, shared out so that connections never take those that calls need.

use rlimit::Resource;

/// Descriptors for the process itself: listeners, database, files, event loops.
const OWN: u64 = 128;

/// Limit to ask for where the system names none.
const PLENTY: u64 = 1 << 20;

/// Maximum number of connections to the HTTP port.
const HTTP: u64 = 10_000;

/// Maximum number of connections that carry SIP; those over the HTTP port count as both.
const SIP: u64 = 20_000;

/// Minimum of either, however few descriptors there are.
const LEAST: u64 = 16;

/// Numbers of connections that are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Descriptors in all.
    pub(crate) descriptors: u64,
    /// Kept for the sockets of calls.
    pub(crate) media: u64,
    /// Connections to the HTTP port.
    pub(crate) http: usize,
    /// Connections that carry SIP.
    pub(crate) sip: usize,
}

impl Budget {
    /// Raises the limit of descriptors as far as the system allows, and shares them out. `phone_ports` is the number of ports that
    /// calls may use.
    #[must_use]
    pub(crate) fn claim(phone_ports: usize) -> Budget {
        let budget = Budget::of(raised(), phone_ports as u64);
        let Budget {
            descriptors,
            media,
            http,
            sip,
        } = budget;
        tracing::info!(descriptors, media, http, sip, "connection limits");
        if media < phone_ports as u64 {
            tracing::warn!(
                "{descriptors} file descriptors are too few for {phone_ports} phone ports: raise the limit (ulimit -Hn, LimitNOFILE)"
            );
        }
        budget
    }

    /// Shares descriptors out: as many as the ports of calls can use go to calls, but no more than half.
    fn of(descriptors: u64, phone_ports: u64) -> Budget {
        let left = descriptors.saturating_sub(OWN);
        let media = phone_ports.min(left / 2);
        let left = left - media;
        let connections = |share: u64, most: u64| {
            let connections = share.clamp(LEAST, most);
            usize::try_from(connections).unwrap_or(usize::MAX)
        };
        Budget {
            descriptors,
            media,
            http: connections(left / 5 * 3, HTTP),
            sip: connections(left / 5 * 2, SIP),
        }
    }
}

/// Raises the soft limit to the hard one where possible, and returns it.
fn raised() -> u64 {
    let Ok((soft, hard)) = Resource::NOFILE.get() else {
        return PLENTY;
    };
    for wanted in [hard, hard.min(PLENTY)] {
        if wanted > soft && Resource::NOFILE.set(wanted, hard).is_ok() {
            return wanted;
        }
    }
    soft
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_calls_what_their_ports_need() {
        let usual = Budget::of(524_288, 1_000);
        assert_eq!((usual.media, usual.http, usual.sip), (1_000, 10_000, 20_000));
        for descriptors in [256, 1_024, 4_096, 65_536] {
            let budget = Budget::of(descriptors, 1_000);
            let connections = (budget.http + budget.sip) as u64;
            assert!(OWN + budget.media + connections <= descriptors, "{budget:?}");
            assert!(budget.media >= 1_000.min((descriptors - OWN) / 2), "{budget:?}");
        }
        assert_eq!(Budget::of(64, 1_000).http, 16);
    }

    #[test]
    fn the_limit_is_raised_to_what_the_system_allows() {
        let raised = raised();
        let (soft, hard) = Resource::NOFILE.get().expect("a limit");
        assert_eq!(raised, soft);
        assert!(soft == hard || soft == PLENTY);
    }
}
