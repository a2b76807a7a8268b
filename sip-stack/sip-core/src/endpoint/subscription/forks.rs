//! State of a subscription of ours: the notifiers that our SUBSCRIBE reached, and when each is asked again.

use std::time::Duration;

use sans_io::Time;

use crate::auth::Answerer;
use crate::dialog::Dialog;
use crate::message::{HeaderName, Message};

use super::SubscriptionState;
use super::expires_line;

/// Forks of one SUBSCRIBE that are followed at a time.
const MAX_FORKS: usize = 8;

/// The side that is told.
#[derive(Debug)]
pub(in crate::endpoint) struct Subscriber {
    pub(super) request_uri: String,
    /// Seconds to ask for.
    pub(super) expires: u32,
    /// Whole lines that go with each SUBSCRIBE, without `Expires`.
    pub(super) lines: String,
    /// True if somebody else refreshes it.
    pub(super) is_relayed: bool,
    /// Time that a peer may stay silent; `None`: that of a transaction.
    pub(in crate::endpoint) response_timeout: Option<Duration>,
    pub(in crate::endpoint) answerer: Option<Answerer>,
    /// CSeq of the last SUBSCRIBE that was granted.
    pub(super) seq: u32,
    pub(super) stage: Stage,
    /// Until then a NOTIFY may come from a notifier that is not known yet (timer N, RFC 6665 §4.1.2.4).
    pub(super) open_until: Time,
    pub(super) forks: Vec<Fork>,
    /// Number of forks that there were.
    pub(super) numbered: usize,
}

/// Stage of a subscription of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No notifier told anything; one must before timer N is over.
    Asking,
    /// At least one notifier told something.
    Active,
    /// We want no more; the last NOTIFYs may come until then.
    Leaving { until: Time },
}

/// A notifier.
#[derive(Debug)]
pub(super) struct Fork {
    /// Place among all that there were; names it.
    pub(super) number: usize,
    pub(super) dialog: Dialog,
    refresh: Time,
    until: Time,
}

impl Subscriber {
    /// `Expires` and the other lines of a SUBSCRIBE.
    pub(super) fn lines(&self, expires: u32) -> String {
        format!("{}{}", expires_line(expires.into()), self.lines)
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.stage, Stage::Leaving { .. })
    }

    pub(super) fn fork(&mut self, tag: Option<&str>) -> Option<&mut Fork> {
        self.forks.iter_mut().find(|fork| fork.dialog.is_with(tag))
    }

    /// The notifier of a NOTIFY; a new one for as long as such may come (RFC 6665 §4.1.4).
    pub(super) fn fork_of(&mut self, now: Time, request: &Message) -> Option<&mut Fork> {
        let from = request.from();
        if self.fork(from.tag()).is_none() {
            if self.is_leaving() || now >= self.open_until || self.forks.len() >= MAX_FORKS {
                return None;
            }
            let mut dialog = Dialog::uas(request, self.seq);
            dialog.remote_seq = None;
            self.add_fork(now, dialog);
        }
        self.fork(from.tag())
    }

    /// Takes the 2xx to a SUBSCRIBE. Gives the number of its fork if that is new and we want no more of it.
    pub(super) fn granted(&mut self, now: Time, response: &Message) -> Option<usize> {
        let seq = response.cseq().number;
        let left = response.expires().unwrap_or(self.expires);
        self.seq = self.seq.max(seq);
        // Credentials may have raised the number after a fork was known by its NOTIFY.
        for fork in &mut self.forks {
            fork.dialog.local_seq = fork.dialog.local_seq.max(seq);
        }
        let to = response.to();
        let is_new = self.fork(to.tag()).is_none();
        if is_new {
            if left == 0 || self.forks.len() >= MAX_FORKS {
                return None;
            }
            let dialog = Dialog::uac(response, seq, &self.request_uri);
            self.add_fork(now, dialog);
        }
        let is_unwanted = is_new && self.is_leaving();
        let fork = self.fork(to.tag())?;
        fork.dialog.refresh_target(response);
        fork.expires_in(now, Duration::from_secs(left.into()));
        is_unwanted.then_some(fork.number)
    }

    fn add_fork(&mut self, now: Time, dialog: Dialog) {
        let mut fork = Fork {
            number: self.numbered,
            dialog,
            refresh: now,
            until: now,
        };
        fork.expires_in(now, Duration::from_secs(self.expires.into()));
        self.numbered += 1;
        self.forks.push(fork);
    }

    /// Forgets the forks that expired. Gives those that are to be refreshed, none of them twice before its next answer.
    pub(super) fn take_due(&mut self, now: Time) -> Vec<usize> {
        self.forks.retain(|fork| fork.until > now);
        let mut due = Vec::new();
        if self.is_relayed {
            return due;
        }
        for fork in self.forks.iter_mut().filter(|fork| fork.refresh <= now) {
            fork.refresh = fork.until;
            due.push(fork.number);
        }
        due
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let forks = self.forks.iter().map(|fork| match self.is_relayed {
            true => fork.until,
            false => fork.refresh.min(fork.until),
        });
        match self.stage {
            Stage::Asking => forks.chain([self.open_until]).min(),
            Stage::Active => forks.min(),
            Stage::Leaving { until } => Some(until),
        }
    }
}

impl Fork {
    /// Sets the time that is left; half of it later the subscription is refreshed.
    pub(super) fn expires_in(&mut self, now: Time, left: Duration) {
        self.until = now + left;
        self.refresh = now + left / 2;
    }
}

impl SubscriptionState {
    /// `Subscription-State` of a NOTIFY (RFC 6665 §4.1.3). A state that we do not know counts as active: the subscription goes on.
    pub(super) fn of(request: &Message) -> Option<SubscriptionState> {
        let state = request.token(HeaderName::SubscriptionState)?;
        let seconds = |name: &str| {
            let value: u32 = state.param(name)?.parse().ok()?;
            Some(Duration::from_secs(value.into()))
        };
        let expires = seconds("expires");
        Some(match state.value.to_ascii_lowercase().as_str() {
            "terminated" => SubscriptionState::Terminated {
                reason: state.param("reason").map(str::to_ascii_lowercase),
                retry_after: seconds("retry-after"),
            },
            "pending" => SubscriptionState::Pending { expires },
            _ => SubscriptionState::Active { expires },
        })
    }
}
