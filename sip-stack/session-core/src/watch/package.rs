//! Event packages that our users can be watched by.

use sip_core::message::{HeaderName, Message};

/// An event package of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Package {
    /// Calls of a user: busy lamps, picking up (RFC 4235).
    Dialog,
    /// Whether a user can be reached, and what the user does (RFC 3856).
    Presence,
    /// Registrations of a user (RFC 3680).
    Reg,
    /// Messages that wait in a user's mailbox (RFC 3842).
    MessageSummary,
}

impl Package {
    /// Every package.
    pub const ALL: [Package; 4] = [
        Package::Dialog,
        Package::Presence,
        Package::Reg,
        Package::MessageSummary,
    ];

    /// Its name in `Event`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Package::Dialog => "dialog",
            Package::Presence => "presence",
            Package::Reg => "reg",
            Package::MessageSummary => "message-summary",
        }
    }

    /// The package of this name, in lower case.
    #[must_use]
    pub fn of(name: &str) -> Option<Package> {
        Package::ALL.into_iter().find(|package| package.name() == name)
    }

    /// Media type of its documents.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Package::Dialog => "application/dialog-info+xml",
            Package::Presence => "application/pidf+xml",
            Package::Reg => "application/reginfo+xml",
            Package::MessageSummary => "application/simple-message-summary",
        }
    }

    /// True if a subscriber understands its documents; one that does not say takes what the package usually sends (RFC 6665 §3.1.3).
    pub(super) fn is_accepted(self, request: &Message) -> bool {
        let mut ranges = request.headers(HeaderName::Accept).peekable();
        ranges.peek().is_none() || ranges.any(|range| covers(range, self.media_type()))
    }
}

/// A media range of `Accept` covers a media type.
fn covers(range: &str, kind: &str) -> bool {
    let range = range.split(';').next().unwrap_or_default().trim();
    let top = kind.split('/').next().unwrap_or_default();
    range == "*/*"
        || range.eq_ignore_ascii_case(kind)
        || range
            .strip_suffix("/*")
            .is_some_and(|range| range.eq_ignore_ascii_case(top))
}

/// Numbers of watches, by package.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchCounts([usize; Package::ALL.len()]);

impl WatchCounts {
    pub(crate) fn of(count: impl Fn(Package) -> usize) -> WatchCounts {
        WatchCounts(Package::ALL.map(count))
    }

    /// Each package, and the number of its watches.
    pub fn each(&self) -> impl Iterator<Item = (Package, usize)> + '_ {
        Package::ALL.into_iter().zip(self.0.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_ranges() {
        for range in ["*/*", "application/*", "Application/Dialog-Info+XML;q=0.5"] {
            assert!(covers(range, Package::Dialog.media_type()), "{range}");
        }
        for range in ["", "text/*", "application/pidf+xml", "application", "*"] {
            assert!(!covers(range, Package::Dialog.media_type()), "{range}");
        }
    }

    #[test]
    fn packages_are_known_by_their_names() {
        for package in Package::ALL {
            assert_eq!(Package::of(package.name()), Some(package));
        }
        assert_eq!(Package::of("dialog.winfo"), None);
    }
}
