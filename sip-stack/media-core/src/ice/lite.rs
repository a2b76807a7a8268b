//! The lite side of ICE (RFC 8445 §2.5): it answers checks, learns from them where the peer is, and lets the peer
//! choose. It has no candidates but the shard's sockets, and sends no check of its own unless it is given [`Checks`].

use std::net::SocketAddr;
use std::time::Duration;

use ring::hmac;
use sans_io::{Deadline, Time};
use smallvec::SmallVec;

use super::full::{Answer, Checks};
use super::stun::{Binding, Kind, Role, Writer, key};
use crate::control::SocketId;
use crate::negotiated::{IceChecks, IceCredentials};

/// Without an authentic check for this long the peer is gone. RFC 7675 §5.1 says 30 s; browsers check every 2.5 to 6 s.
const CONSENT: Duration = Duration::from_secs(15);
/// Number of a peer's addresses that are remembered; a browser has a few for each of its networks.
const MAX_PAIRS: usize = 8;

/// One of our sockets and an address of the peer.
pub type Path = (SocketId, SocketAddr);

/// Effect of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Not authentic, or no binding request: nothing was sent, nothing changed.
    Refused,
    /// Authentic, answered with an error.
    Rejected,
    /// Authentic, answered, from an address known already.
    Known,
    /// Authentic, answered, from an address that is the leg's from now on, perhaps in place of another one.
    New { forgotten: Option<Path> },
}

/// The lite agent of one leg.
#[derive(Debug)]
pub(crate) struct Agent {
    credentials: Credentials,
    /// Those before an ICE restart, until the first check with the new ones.
    previous: Option<Credentials>,
    pairs: SmallVec<[Pair; 2]>,
    selected: Option<Path>,
    checked: Option<Time>,
    /// Checks of our own: none of a lite agent.
    checks: Option<Checks>,
}

#[derive(Debug)]
struct Credentials {
    ufrag: String,
    key: hmac::Key,
}

#[derive(Debug)]
struct Pair {
    path: Path,
    /// PRIORITY of the peer's latest check.
    priority: u32,
    nominated: bool,
    /// Checks with USE-CANDIDATE since one came for the selected pair.
    insisted: u8,
    checked: Time,
}

impl Agent {
    pub(crate) fn new(credentials: &IceCredentials) -> Agent {
        Agent {
            credentials: Credentials::new(credentials),
            previous: None,
            pairs: SmallVec::new(),
            selected: None,
            checked: None,
            checks: None,
        }
    }

    /// Makes it a full agent, whose checks go out from this socket.
    pub(crate) fn check_from(&mut self, socket: SocketId) {
        let Credentials { ufrag, key } = &self.credentials;
        self.checks = Some(Checks::new(socket, ufrag, key.clone()));
    }

    /// Takes what the peer's description says of where it is, for a full agent.
    pub(crate) fn connect(&mut self, now: Time, remote: &IceCredentials, checks: &IceChecks) {
        if let Some(ours) = &mut self.checks {
            ours.connect(now, remote, checks);
        }
    }

    #[cfg(test)]
    pub(super) fn controls(&self) -> bool {
        self.checks.as_ref().is_some_and(Checks::controls)
    }

    /// Time of the next check of ours.
    pub(crate) fn check_due(&self) -> Deadline {
        self.checks.as_ref()?.deadline()
    }

    /// Writes the check of ours that is due into `out`, and says which way it goes.
    pub(crate) fn next_check(&mut self, now: Time, out: &mut Vec<u8>) -> Option<Path> {
        let checks = self.checks.as_mut()?;
        let to = checks.next(now, out)?;
        Some((checks.socket(), to))
    }

    /// Takes an answer to a check of ours.
    pub(crate) fn answered(&mut self, now: Time, path: Path, datagram: &[u8]) -> Checked {
        let binding = Binding::parse(datagram).filter(|binding| binding.kind != Kind::Request);
        let (Some(binding), Some(checks)) = (binding, &mut self.checks) else {
            return Checked::Refused;
        };
        match checks.answered(now, path.1, &binding) {
            Answer::Refused => Checked::Refused,
            Answer::Noted => Checked::Known,
            Answer::Reached(is_it) => {
                self.checked = Some(now);
                let checked = match self.pairs.iter().any(|pair| pair.path == path) {
                    true => Checked::Known,
                    false => self.learn(now, path, 0, false),
                };
                if is_it {
                    self.select(path);
                }
                checked
            }
        }
    }

    /// Our credentials by the latest offer and answer. New ones are an ICE restart (RFC 8445 §9): media goes on as
    /// before, and checks with the old ones are good until the peer has used the new.
    pub(crate) fn set_credentials(&mut self, credentials: &IceCredentials) {
        if credentials.ufrag != self.credentials.ufrag {
            let old = std::mem::replace(&mut self.credentials, Credentials::new(credentials));
            self.previous = Some(old);
            if let Some(checks) = &mut self.checks {
                checks.set_ours(&credentials.ufrag);
            }
        }
    }

    /// Path to the peer: the pair it nominated, before that the first one it checked.
    pub(crate) fn selected(&self) -> Option<Path> {
        self.selected
    }

    /// Every address that proved itself the peer's.
    pub(crate) fn paths(&self) -> impl Iterator<Item = Path> + '_ {
        self.pairs.iter().map(|pair| pair.path)
    }

    pub(crate) fn knows(&self, path: Path) -> bool {
        self.selected == Some(path) || self.pairs.iter().any(|pair| pair.path == path)
    }

    /// Time at which consent ends unless another check comes.
    pub(crate) fn consent_until(&self) -> Option<Time> {
        self.checked.map(|checked| checked + CONSENT)
    }

    /// Extends consent to at least this long from now.
    pub(crate) fn wait_again(&mut self, now: Time, patience: Duration) {
        self.checked = self.checked.map(|_| now + patience - CONSENT);
    }

    /// Answers a check into `out`, from and to the path it came by. The peer's user name fragment is not
    /// checked: it may be unknown still, and RFC 8445 §7.3 asks for ours alone.
    pub(crate) fn check(&mut self, now: Time, path: Path, datagram: &[u8], out: &mut Vec<u8>) -> Checked {
        let Some(binding) = Binding::parse(datagram).filter(|binding| binding.kind == Kind::Request) else {
            return Checked::Refused;
        };
        let Some(ufrag) = binding.local_ufrag() else {
            return Checked::Refused;
        };
        let current = ufrag == self.credentials.ufrag;
        let credentials = match &self.previous {
            _ if current => &self.credentials,
            Some(previous) if ufrag == previous.ufrag => previous,
            _ => return Checked::Refused,
        };
        if !binding.is_authentic(&credentials.key) {
            return Checked::Refused;
        }
        if let Some(attribute) = binding.unknown {
            let response = Writer::response(out, Kind::Error, &binding).error(420, "Unknown Attribute");
            response.unknown(attribute).finish(&credentials.key);
            return Checked::Rejected;
        }
        let suits = match &mut self.checks {
            Some(checks) => checks.suits(binding.role),
            // Two sides that both want to be controlled: a lite one never controls (RFC 8445 §6.1.1, §7.3.1.1).
            None => !matches!(binding.role, Some(Role::Controlled(_))),
        };
        if !suits {
            Writer::response(out, Kind::Error, &binding)
                .error(487, "Role Conflict")
                .finish(&credentials.key);
            return Checked::Rejected;
        }
        Writer::response(out, Kind::Success, &binding)
            .mapped(path.1)
            .finish(&credentials.key);
        if current && self.previous.take().is_some() {
            // The restarted session chooses anew; what the old one chose serves until then.
            for pair in &mut self.pairs {
                (pair.priority, pair.nominated) = (0, false);
            }
        }
        self.checked = Some(now);
        if let Some(checks) = &mut self.checks {
            // RFC 8445 §7.3.1.4: what the peer reaches us from is checked as well.
            checks.add(now, path.1);
        }
        self.learn(now, path, binding.priority, binding.use_candidate)
    }

    /// An authentic packet, newer than any before, came by `path`: a peer that nominated several pairs sends by the one
    /// it chose.
    pub(crate) fn heard(&mut self, path: Path) {
        if self.selected != Some(path) && self.pairs.iter().any(|pair| pair.nominated && pair.path == path) {
            self.select(path);
        }
    }

    fn learn(&mut self, now: Time, path: Path, priority: u32, nominated: bool) -> Checked {
        let index = self.pairs.iter().position(|pair| pair.path == path);
        let (index, checked) = match index {
            Some(index) => (index, Checked::Known),
            None => {
                let forgotten = self.make_room();
                self.pairs.push(Pair {
                    path,
                    priority,
                    nominated: false,
                    insisted: 0,
                    checked: now,
                });
                (self.pairs.len() - 1, Checked::New { forgotten })
            }
        };
        let pair = &mut self.pairs[index];
        (pair.priority, pair.checked) = (priority, now);
        if nominated {
            pair.nominated = true;
            pair.insisted = pair.insisted.saturating_add(1);
            let insists = pair.insisted > 1;
            match self.selected {
                Some(selected) if selected == path => {
                    self.pairs.iter_mut().for_each(|pair| pair.insisted = 0)
                }
                Some(selected) if !insists && self.outranks(selected, priority) => {}
                _ => self.select(path),
            }
        } else if self.selected.is_none() {
            self.select(path);
        }
        checked
    }

    /// A peer may nominate every pair as it checks it; then the pair of highest priority counts (RFC 5245 §8.1.1.2).
    fn outranks(&self, selected: Path, priority: u32) -> bool {
        self.pairs
            .iter()
            .any(|pair| pair.path == selected && pair.nominated && pair.priority > priority)
    }

    fn select(&mut self, path: Path) {
        self.selected = Some(path);
        self.pairs.iter_mut().for_each(|pair| pair.insisted = 0);
    }

    fn make_room(&mut self) -> Option<Path> {
        if self.pairs.len() < MAX_PAIRS {
            return None;
        }
        let candidates = self
            .pairs
            .iter()
            .enumerate()
            .filter(|(_, pair)| Some(pair.path) != self.selected);
        let (oldest, _) = candidates.min_by_key(|(_, pair)| pair.checked)?;
        Some(self.pairs.swap_remove(oldest).path)
    }
}

impl Credentials {
    fn new(credentials: &IceCredentials) -> Credentials {
        Credentials {
            ufrag: credentials.ufrag.clone(),
            key: key(&credentials.pwd),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stun::tests::{Check, error_code, mapped_address};
    use super::*;

    const PASSWORD: &str = "a password of ours, long";

    fn agent() -> Agent {
        Agent::new(&IceCredentials {
            ufrag: "ours".into(),
            pwd: PASSWORD.into(),
        })
    }

    fn path(port: u16) -> Path {
        (SocketId(0), SocketAddr::from(([192, 0, 2, 1], port)))
    }

    fn check(username: &str, password: &str, priority: u32, nominate: bool) -> Vec<u8> {
        Check {
            username,
            password,
            priority,
            nominate,
            extra: &[],
        }
        .write([9; 12])
    }

    fn nominate(agent: &mut Agent, secs: u64, port: u16, priority: u32) {
        let datagram = check("ours:theirs", PASSWORD, priority, true);
        let checked = agent.check(Time::from_secs(secs), path(port), &datagram, &mut Vec::new());
        assert!(matches!(checked, Checked::Known | Checked::New { .. }));
    }

    #[test]
    fn binds_and_answers_only_what_is_authentic() {
        let mut agent = agent();
        let mut out = Vec::new();
        for (username, password) in [
            ("ours:theirs", "wrong"),
            ("other:theirs", PASSWORD),
            ("ours", PASSWORD),
        ] {
            let datagram = check(username, password, 1, true);
            assert_eq!(
                agent.check(Time(1), path(1), &datagram, &mut out),
                Checked::Refused,
                "{username}"
            );
        }
        assert!(out.is_empty() && agent.selected().is_none() && agent.consent_until().is_none());
        assert!(!agent.knows(path(1)));
        let datagram = check("ours:not known yet", PASSWORD, 1, false);
        let checked = agent.check(Time(1), path(1), &datagram, &mut out);
        assert_eq!(checked, Checked::New { forgotten: None });
        assert_eq!(mapped_address(&out, PASSWORD), Some(path(1).1));
        assert_eq!(
            (agent.selected(), agent.consent_until()),
            (Some(path(1)), Some(Time(15_000_001)))
        );
        assert_eq!(agent.check(Time(2), path(1), &datagram, &mut out), Checked::Known);
    }

    #[test]
    fn a_nominated_check_moves_the_leg() {
        let mut agent = agent();
        nominate(&mut agent, 1, 1, 100);
        nominate(&mut agent, 2, 2, 100);
        assert_eq!(agent.selected(), Some(path(2)));
    }

    #[test]
    fn of_many_nominated_pairs_the_best_one_stays() {
        let mut agent = agent();
        nominate(&mut agent, 1, 1, 100);
        nominate(&mut agent, 1, 2, 50);
        assert_eq!(agent.selected(), Some(path(1)));
        nominate(&mut agent, 3, 1, 100);
        nominate(&mut agent, 3, 2, 50);
        assert_eq!(agent.selected(), Some(path(1)), "nominated in turns");
        agent.heard(path(3));
        assert_eq!(
            agent.selected(),
            Some(path(1)),
            "heard where nothing was nominated"
        );
        agent.heard(path(2));
        assert_eq!(agent.selected(), Some(path(2)), "the peer sends by what it chose");
    }

    #[test]
    fn a_peer_that_insists_moves_to_a_lesser_pair() {
        let mut agent = agent();
        nominate(&mut agent, 1, 1, 100);
        nominate(&mut agent, 2, 2, 50);
        nominate(&mut agent, 3, 2, 50);
        assert_eq!(agent.selected(), Some(path(2)));
    }

    #[test]
    fn a_restart_takes_both_credentials_until_the_new_are_used() {
        let mut agent = agent();
        nominate(&mut agent, 1, 1, 100);
        agent.set_credentials(&IceCredentials {
            ufrag: "newer".into(),
            pwd: "another password, as long".into(),
        });
        nominate(&mut agent, 2, 1, 100);
        let newer = check("newer:theirs", "another password, as long", 10, true);
        let mut out = Vec::new();
        assert_eq!(
            agent.check(Time(3), path(2), &newer, &mut out),
            Checked::New { forgotten: None }
        );
        assert_eq!(
            agent.selected(),
            Some(path(2)),
            "whatever the old session's priorities were"
        );
        let old = check("ours:theirs", PASSWORD, 100, true);
        assert_eq!(agent.check(Time(4), path(1), &old, &mut out), Checked::Refused);
        assert_eq!(agent.check(Time(4), path(1), &newer, &mut out), Checked::Known);
    }

    #[test]
    fn answers_errors_that_the_peer_can_act_on() {
        for (extra, code) in [((0x8029, &[0u8; 8][..]), 487), ((0x0077, &[][..]), 420)] {
            let mut agent = agent();
            let check = Check {
                username: "ours:b",
                password: PASSWORD,
                priority: 1,
                nominate: true,
                extra: &[extra],
            };
            let mut out = Vec::new();
            assert_eq!(
                agent.check(Time(1), path(1), &check.write([1; 12]), &mut out),
                Checked::Rejected
            );
            assert_eq!(error_code(&out, PASSWORD), Some(code));
            assert!(agent.selected().is_none());
        }
    }

    #[test]
    fn remembers_a_few_addresses_and_never_forgets_the_selected() {
        let mut agent = agent();
        nominate(&mut agent, 1, 1, 100);
        for port in 2..100 {
            let datagram = check("ours:theirs", PASSWORD, 1, false);
            let now = Time::from_secs(u64::from(port));
            let checked = agent.check(now, path(port), &datagram, &mut Vec::new());
            let forgotten = (port > 8).then(|| path(port - 7));
            assert_eq!(checked, Checked::New { forgotten });
        }
        assert_eq!(
            (agent.paths().count(), agent.selected()),
            (MAX_PAIRS, Some(path(1)))
        );
    }
}
