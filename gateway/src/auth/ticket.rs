//! Tickets that open the event stream: one use, half a minute. A browser cannot send a token with a WebSocket's handshake, and what
//! stands in a URL ends up in logs.

use std::collections::BTreeMap;
use std::time::Duration;

use sans_io::Time;

use super::{NoEntropy, Principal};

/// Lifetime of a ticket.
pub(super) const LIFETIME: Duration = Duration::from_secs(30);

/// Tickets that are kept; beyond, the oldest is void.
const MAX_TICKETS: usize = 4096;

/// Tickets that nobody used yet.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    /// By digest.
    open: BTreeMap<[u8; 32], (Time, Principal)>,
}

impl Tickets {
    /// A new ticket.
    pub(super) fn issue(&mut self, now: Time, principal: Principal) -> Result<String, NoEntropy> {
        let ticket = super::secret()?;
        if self.open.len() >= MAX_TICKETS {
            self.open.retain(|_, (until, _)| *until > now);
        }
        if self.open.len() >= MAX_TICKETS {
            let oldest = self.open.iter().min_by_key(|(_, (until, _))| *until);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                self.open.remove(&key);
            }
        }
        self.open
            .insert(super::digest(&ticket), (now + LIFETIME, principal));
        Ok(ticket)
    }

    /// Redeems a ticket for its principal; from now on it is void.
    pub(super) fn redeem(&mut self, now: Time, ticket: &str) -> Option<Principal> {
        let (until, principal) = self.open.remove(&super::digest(ticket))?;
        (now < until).then_some(principal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Rights;

    fn anna() -> Principal {
        Principal {
            id: "usr_1".into(),
            name: "anna".into(),
            rights: Rights::Key(Vec::new()),
        }
    }

    #[test]
    fn a_ticket_opens_once_and_not_for_long() {
        let now = Time::from_secs(1_000);
        let mut tickets = Tickets::default();
        let ticket = tickets.issue(now, anna()).expect("a ticket");
        assert_eq!(tickets.redeem(now, "another"), None);
        assert_eq!(tickets.redeem(now, &ticket), Some(anna()));
        assert_eq!(tickets.redeem(now, &ticket), None);
        let ticket = tickets.issue(now, anna()).expect("a ticket");
        assert_eq!(tickets.redeem(now + LIFETIME, &ticket), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut tickets = Tickets::default();
        for n in 0..MAX_TICKETS as u64 + 10 {
            tickets.issue(Time(n), anna()).expect("a ticket");
        }
        assert_eq!(tickets.open.len(), MAX_TICKETS);
    }
}
