//! The full side of ICE (RFC 8445): checks of our own towards each candidate of the peer, nomination where we control, and consent
//! (RFC 7675). Our one candidate is the leg's own socket; a server that is reached from everywhere needs no more.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use ring::hmac;
use sans_io::{Deadline, Time};
use smallvec::SmallVec;

use super::stun::{Binding, Check, Role, Writer, key};
use crate::control::SocketId;
use crate::negotiated::{IceChecks, IceCredentials};

/// Time between two checks (RFC 8445 §14.2).
const PACE: Duration = Duration::from_millis(50);
/// Time after which a check is sent again at first; it doubles each time (RFC 8489 §6.2.1).
const AGAIN: Duration = Duration::from_millis(250);
/// Number of times that a check is sent.
const TIMES: u32 = 7;
/// Time between two checks of the path in use (RFC 7675 §5.1).
const CONSENT: Duration = Duration::from_secs(4);
/// Number of the peer's addresses that are checked.
const MAX_CANDIDATES: usize = 16;

/// Our checks.
#[derive(Debug)]
pub(crate) struct Checks {
    socket: SocketId,
    /// Our user name fragment.
    ours: String,
    /// Secret that our transaction ids are made of.
    secret: hmac::Key,
    tie_breaker: u64,
    controlling: bool,
    /// User name of our checks, and password of the peer, once known.
    remote: Option<Remote>,
    candidates: SmallVec<[Candidate; 2]>,
    /// The address that we nominated.
    nominated: Option<SocketAddr>,
    /// Checks made so far.
    made: u64,
    /// Time before which none is sent.
    not_before: Time,
}

#[derive(Debug)]
struct Remote {
    username: String,
    password: hmac::Key,
}

#[derive(Debug)]
struct Candidate {
    to: SocketAddr,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be checked, from then on.
    Due(Time),
    /// Checked.
    Sent {
        transaction: [u8; 12],
        nominates: bool,
        /// The role that it claims.
        controlling: bool,
        times: u32,
        again: Time,
    },
    /// Never answered.
    Failed,
}

/// Meaning of an answer to a check of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Not one, or not authentic.
    Refused,
    /// There is something to do later, or nothing.
    Noted,
    /// The peer is reached there; true: that is the path from now on.
    Reached(bool),
}

impl Checks {
    /// Checks from that socket, with our user name fragment; transaction ids are made of a secret.
    pub(crate) fn new(socket: SocketId, ours: &str, secret: hmac::Key) -> Checks {
        let tie_breaker = first(hmac::sign(&secret, b"tie breaker").as_ref());
        Checks {
            socket,
            secret,
            tie_breaker: u64::from_be_bytes(tie_breaker),
            controlling: false,
            ours: ours.to_owned(),
            remote: None,
            candidates: SmallVec::new(),
            nominated: None,
            made: 0,
            not_before: Time::ZERO,
        }
    }

    pub(crate) fn socket(&self) -> SocketId {
        self.socket
    }

    /// Our user name fragment by the latest offer and answer.
    pub(crate) fn set_ours(&mut self, ours: &str) {
        ours.clone_into(&mut self.ours);
    }

    /// Takes the peer's part of an offer and answer. Other credentials begin ICE anew (RFC 8445 §9).
    pub(crate) fn connect(&mut self, now: Time, remote: &IceCredentials, checks: &IceChecks) {
        // RFC 8445 §7.2.2: the recipient's fragment comes first.
        let username = format!("{}:{}", remote.ufrag, self.ours);
        if self
            .remote
            .as_ref()
            .is_none_or(|known| known.username != username)
        {
            // What the peer proved before it was known is tried once more, with its credentials.
            for candidate in &mut self.candidates {
                candidate.state = State::Due(now);
            }
            self.remote = Some(Remote {
                username,
                password: key(&remote.pwd),
            });
            self.controlling = checks.controlling;
            self.nominated = None;
        }
        for to in &checks.candidates {
            self.add(now, *to);
        }
    }

    /// Checks an address of the peer as well.
    pub(crate) fn add(&mut self, now: Time, to: SocketAddr) {
        if self.candidates.len() < MAX_CANDIDATES && !self.candidates.iter().any(|known| known.to == to) {
            self.candidates.push(Candidate {
                to,
                state: State::Due(now),
            });
        }
    }

    /// Judges the role that the peer claims in a check (RFC 8445 §7.3.1.1); false if it has to give way.
    pub(crate) fn suits(&mut self, claimed: Option<Role>) -> bool {
        match claimed {
            Some(Role::Controlling(theirs)) if self.controlling => {
                self.controlling = self.tie_breaker >= theirs;
                !self.controlling
            }
            Some(Role::Controlled(theirs)) if !self.controlling => {
                self.controlling = self.tie_breaker >= theirs;
                self.controlling
            }
            _ => true,
        }
    }

    #[cfg(test)]
    pub(super) fn controls(&self) -> bool {
        self.controlling
    }

    /// Time of the next check.
    pub(crate) fn deadline(&self) -> Deadline {
        self.remote.as_ref()?;
        let due = self.candidates.iter().filter_map(Candidate::due).min()?;
        Some((due.max(self.not_before), "ICE check"))
    }

    /// Writes the check that is due into `out`, and says where it goes.
    pub(crate) fn next(&mut self, now: Time, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let remote = self.remote.as_ref().filter(|_| self.not_before <= now)?;
        let candidates = self.candidates.iter_mut();
        let due = |candidate: &&mut Candidate| candidate.due().is_some_and(|at| at <= now);
        let candidate = candidates.filter(due).min_by_key(|candidate| candidate.due())?;
        let sent = match candidate.state {
            State::Sent { times, .. } if times >= TIMES => {
                candidate.state = State::Failed;
                // The next one has its turn at once.
                return self.next(now, out);
            }
            State::Sent {
                transaction,
                nominates,
                times,
                ..
            } => (transaction, nominates, times + 1),
            State::Due(_) | State::Failed => {
                self.made += 1;
                let made = hmac::sign(&self.secret, &self.made.to_be_bytes());
                let nominates = self.controlling && self.nominated == Some(candidate.to);
                (first(made.as_ref()), nominates, 1)
            }
        };
        let (transaction, nominates, times) = sent;
        candidate.state = State::Sent {
            transaction,
            nominates,
            controlling: self.controlling,
            times,
            again: now + AGAIN * 2_u32.pow(times - 1),
        };
        self.not_before = now + PACE;
        let check = Check {
            transaction,
            username: &remote.username,
            role: match self.controlling {
                true => Role::Controlling(self.tie_breaker),
                false => Role::Controlled(self.tie_breaker),
            },
            nominates,
        };
        let to = candidate.to;
        Writer::check(out, &check, &remote.password);
        Some(to)
    }

    /// Takes an answer that came from there.
    pub(crate) fn answered(&mut self, now: Time, from: SocketAddr, binding: &Binding<'_>) -> Answer {
        let Some(Remote { password, .. }) = &self.remote else {
            return Answer::Refused;
        };
        // RFC 8445 §7.2.5.2.1: the answer comes from where the check went.
        let found = self.candidates.iter_mut().find(|candidate| candidate.to == from);
        let Some(candidate) = found else {
            return Answer::Refused;
        };
        let State::Sent {
            transaction,
            nominates,
            controlling,
            ..
        } = candidate.state
        else {
            return Answer::Refused;
        };
        if binding.transaction_id() != transaction || !binding.is_authentic(password) {
            return Answer::Refused;
        }
        if let Some(code) = binding.error {
            if code == 487 {
                // RFC 8445 §7.2.5.1: it may have changed since.
                self.controlling = !controlling;
            }
            candidate.state = State::Due(now + PACE);
            return Answer::Noted;
        }
        // The first address that answers is the one (RFC 8445 §8.1.1 leaves the choice to who controls).
        let first = self.controlling && self.nominated.is_none();
        if first {
            self.nominated = Some(from);
        }
        candidate.state = State::Due(if first { now } else { now + CONSENT });
        Answer::Reached(nominates || first)
    }
}

impl Candidate {
    fn due(&self) -> Option<Time> {
        match self.state {
            State::Due(at) | State::Sent { again: at, .. } => Some(at),
            State::Failed => None,
        }
    }
}

fn first<const N: usize>(octets: &[u8]) -> [u8; N] {
    let mut found = [0; N];
    found.copy_from_slice(&octets[..N]);
    found
}
