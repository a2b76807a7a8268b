//! Silence of phone legs that should send: their peer may be gone. A browser's leg has the consent checks of
//! ICE for that.

use std::time::Duration;

use sans_io::{Deadline, Time};

use super::Leg;
use crate::control::{Event, LegId};
use crate::outbox::Outbox;
use crate::stream::Stream;

/// Silence of a leg.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    /// Time at which it was heard last, or something began to be due from it.
    since: Time,
    /// The silence was reported.
    silent: bool,
}

impl Silence {
    /// Notes a valid packet of the leg's peer.
    pub(crate) fn broken(&mut self, now: Time, leg: LegId, out: &mut Outbox) {
        self.since = now;
        if std::mem::take(&mut self.silent) {
            out.event(Event::Silent { leg, silent: false });
        }
    }
}

impl Leg {
    /// True if something should come from the peer.
    #[inline]
    fn is_due(&self) -> bool {
        let receives = |stream: &Stream| {
            stream
                .media
                .as_ref()
                .is_some_and(|media| media.direction.receives())
        };
        // `c=0.0.0.0` is hold as well (RFC 2543).
        self.addressed && !self.transport.checks_peer() && self.streams.iter().any(receives)
    }

    /// Reports that the leg has been silent for `limit`.
    pub(crate) fn check_silence(&mut self, now: Time, limit: Option<Duration>, out: &mut Outbox) {
        if self.silence_deadline(limit).is_some_and(|(at, _)| at <= now) {
            self.silence.silent = true;
            out.event(Event::Silent {
                leg: self.id,
                silent: true,
            });
        }
    }

    #[inline]
    pub(crate) fn silence_deadline(&self, limit: Option<Duration>) -> Deadline {
        let limit = limit.filter(|_| !self.silence.silent && self.is_due())?;
        Some((self.silence.since + limit, "silence of a leg"))
    }
}
