//! The DTLS association of a leg (RFC 6347, RFC 5763, RFC 5764): DTLS 1.2 by `dimpl`, whose types and clock end here. It
//! knows no addresses, so a peer that moves changes nothing in it.

mod certificate;
mod identity;
mod provider;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dimpl::{Dtls, Output};
use sans_io::{Deadline, Time};

pub use identity::{Identity, IdentityError};

use crate::Clock;
use crate::negotiated::{DtlsRole, Fingerprint};
use crate::srtp::{self, Keys};

/// Deadline that `dimpl` reports although nothing is due: ten years.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// A datagram of ours; `dimpl` fragments handshake messages to 1,150 octets.
const DATAGRAM: usize = 1_500;

/// One association, from the first flight to close_notify.
pub(crate) struct Handshake {
    dtls: Dtls,
    clock: Clock,
    /// DER, once the peer has shown it.
    certificate: Vec<u8>,
    keys: Option<(srtp::Profile, dimpl::crypto::KeyingMaterial)>,
    timeout: Deadline,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its role may still change: nothing was sent or received.
    Idle,
    Shaking,
    /// Agreed; the keys are still to be handed over.
    Agreed,
    Connected,
    Over,
}

/// Outcome of an association; each at most once.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Keys for both directions, and a peer whose certificate [`Handshake::peer_is`] can tell.
    Complete(Box<Keys>),
    /// The peer's close_notify.
    Closed,
    /// A fatal alert, a peer that speaks no suite or SRTP profile of ours, or no answer in time.
    Failed,
}

impl Handshake {
    pub(crate) fn new(now: Time, identity: &Arc<Identity>, clock: Clock) -> Handshake {
        let dtls = Dtls::new_12(
            identity.config.clone(),
            identity.certificate.clone(),
            clock.instant(now),
        );
        Handshake {
            dtls,
            clock,
            certificate: Vec::new(),
            keys: None,
            timeout: None,
            state: State::Idle,
        }
    }

    /// Nothing was sent or received yet.
    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Takes a role, once: as the client it says hello. Datagrams go to `send`.
    pub(crate) fn start(&mut self, now: Time, role: DtlsRole, send: impl FnMut(&[u8])) -> Option<Progress> {
        if self.state != State::Idle {
            return None;
        }
        self.state = State::Shaking;
        self.dtls.set_active(role == DtlsRole::Active);
        self.advance(now, None, send)
    }

    /// A datagram of the peer. Without [`Handshake::start`] before it we are the server.
    pub(crate) fn handle(&mut self, now: Time, datagram: &[u8], send: impl FnMut(&[u8])) -> Option<Progress> {
        if self.state == State::Idle {
            self.state = State::Shaking;
        }
        self.advance(now, Some(datagram), send)
    }

    /// Time at which [`Handshake::handle_timeout`] is due.
    pub(crate) fn poll_timeout(&self) -> Deadline {
        self.timeout
    }

    pub(crate) fn handle_timeout(&mut self, now: Time, send: impl FnMut(&[u8])) -> Option<Progress> {
        if self.timeout.is_none_or(|(at, _)| at > now) {
            return None;
        }
        self.advance(now, None, send)
    }

    /// Says close_notify, if there is somebody to hear it.
    pub(crate) fn close(&mut self, now: Time, send: impl FnMut(&[u8])) {
        if self.state == State::Connected && self.dtls.handle_timeout(self.clock.instant(now)).is_ok() {
            let _ = self.dtls.close(); // fails when the association is broken: then there is nobody to tell
            let _ = self.drain(now, send);
        }
        self.end();
    }

    /// The peer's certificate has this hash.
    pub(crate) fn peer_is(&self, fingerprint: &Fingerprint) -> bool {
        !self.certificate.is_empty()
            && identity::fingerprint(fingerprint.hash, &self.certificate) == *fingerprint
    }

    fn advance(&mut self, now: Time, datagram: Option<&[u8]>, send: impl FnMut(&[u8])) -> Option<Progress> {
        if self.state == State::Over {
            return None;
        }
        // `dimpl` gets the time before anything else, and every error of it is final.
        let done = self.dtls.handle_timeout(self.clock.instant(now));
        let result =
            done.and_then(|()| datagram.map_or(Ok(()), |datagram| self.dtls.handle_packet(datagram)));
        let progress = self.drain(now, send);
        match (result, progress) {
            (Err(_), Some(Progress::Closed)) => Some(Progress::Closed),
            (Err(_), _) => {
                self.end();
                Some(Progress::Failed)
            }
            (Ok(()), progress) => progress,
        }
    }

    fn drain(&mut self, now: Time, mut send: impl FnMut(&[u8])) -> Option<Progress> {
        let mut progress = None;
        let mut buffer = [0; DATAGRAM];
        let due = loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => send(packet),
                Output::PeerCert(der) => self.certificate = der.to_vec(),
                Output::KeyingMaterial(material, profile) => {
                    self.keys = srtp::Profile::of(profile).map(|p| (p, material))
                }
                Output::Connected => self.state = State::Agreed,
                Output::CloseNotify => progress = Some(Progress::Closed),
                Output::Timeout(at) => break at,
                // Application data is nothing a peer of ours sends; a larger buffer is nothing a handshake needs.
                Output::ApplicationData(_) => {}
                Output::BufferTooSmall { .. } => progress = Some(Progress::Failed),
                _ => {}
            }
            if matches!(progress, Some(Progress::Failed)) {
                self.end();
                return progress;
            }
        };
        let idle = due.saturating_duration_since(self.clock.instant(now)) > NEVER;
        self.timeout = (!idle).then(|| (self.clock.time(due), "DTLS flight"));
        if matches!(progress, Some(Progress::Closed)) {
            self.end();
        } else if self.state == State::Agreed {
            self.state = State::Connected;
            let keys = self.keys.take().filter(|_| !self.certificate.is_empty());
            let keys = keys
                .and_then(|(profile, material)| Keys::from_dtls(profile, &material, self.dtls.is_active()));
            progress = match keys {
                Some(keys) => Some(Progress::Complete(Box::new(keys))),
                None => Some(Progress::Failed), // no SRTP profile in common (RFC 5764 §4.1)
            };
        }
        progress
    }

    fn end(&mut self) {
        (self.state, self.timeout) = (State::Over, None);
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
