//! Refusals: their counts, and their lines in the log.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sans_io::Time;
use session_core::MAX_USER;
use session_core::guard::Ban;

/// Refusals in a second that get a line each.
const LINES: u32 = 20;

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

impl Refused<'_> {
    /// Writes the line of the refusal.
    pub(super) fn log(&self) {
        let end = (0..=self.user.len().min(MAX_USER))
            .rev()
            .find(|end| self.user.is_char_boundary(*end))
            .unwrap_or_default();
        // Quoted, so that text from strangers cannot look like another line or field.
        tracing::info!(
            target: "cordboard::refused",
            peer = %self.peer,
            method = self.method,
            user = ?&self.user[..end],
            code = self.code.unwrap_or_default(),
            reason = self.reason,
            "refused"
        );
    }
}

/// Counts of refusals, which also say which of them get a line in the log.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    counts: BTreeMap<(&'static str, Option<u16>), u64>,
    /// Second in which lines are counted.
    second: u64,
    /// Refusals of this second with a line.
    lines: u32,
    /// Refusals without a line since the last line about them.
    unlogged: u64,
}

impl Refusals {
    /// Counts a refusal; true if it gets a line.
    pub(super) fn count(&mut self, now: Time, refused: &Refused<'_>) -> bool {
        let second = now.as_secs();
        *self.counts.entry((refused.reason, refused.code)).or_default() += 1;
        if self.second != second {
            if self.unlogged > 0 {
                tracing::info!(target: "cordboard::refused", more = self.unlogged, "refused, not logged one by one");
            }
            (self.second, self.lines, self.unlogged) = (second, 0, 0);
        }
        if self.lines >= LINES {
            self.unlogged += 1;
            return false;
        }
        self.lines += 1;
        true
    }

    /// Refusals since the start, by reason and code.
    pub(super) fn counts(&self) -> &BTreeMap<(&'static str, Option<u16>), u64> {
        &self.counts
    }
}

/// Writes the line of a ban.
pub(super) fn log_ban(ban: &Ban) {
    tracing::warn!(
        target: "cordboard::refused",
        peer = %ban.address,
        reason = ban.reason.name(),
        seconds = ban.until.since(ban.since).as_secs(),
        times = ban.times,
        "banned; a proxy that speaks for others is to be named in trusted_proxies"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_counted_and_told_in_few_lines() {
        let user = "é".repeat(100);
        let refused = Refused {
            peer: "192.0.2.1:5060".parse().expect("an address"),
            method: "REGISTER",
            user: &user,
            code: Some(403),
            reason: "wrong-credentials",
        };
        refused.log();
        let mut refusals = Refusals::default();
        let now = Time::from_secs(5);
        let lines = (0..1_000).filter(|_| refusals.count(now, &refused)).count();
        assert_eq!(refusals.counts()[&("wrong-credentials", Some(403))], 1_000);
        assert_eq!(
            (lines, refusals.unlogged),
            (LINES as usize, 1_000 - u64::from(LINES))
        );
        assert!(refusals.count(Time::from_secs(6), &refused), "another second");
        assert_eq!(refusals.unlogged, 0);
    }
}
