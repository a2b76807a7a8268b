use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sans_io::{Deadline, Time, earlier};

use super::{Event, Received};
use crate::Clock;
use crate::control::{Failure, SocketId};
use crate::dtls::{Handshake, Identity, Progress};
use crate::ice::{Agent, Checked, Path};
use crate::negotiated::{DtlsRole, Fingerprint, IceChecks, IceCredentials};
use crate::outbox;
use crate::srtp::{Keys, RTP_OVERHEAD, Receiver, Sender};

/// A browser's leg of a call: datagrams of the shard's sockets on one side, plain RTP and RTCP on the other. It exists before
/// the peer is known, for a browser that we call may check and shake hands before its answer has come by way of SIP.
///
/// After each call that takes `now`: drain [`DtlsSrtp::poll_transmit`] and [`DtlsSrtp::poll_event`], then ask [`DtlsSrtp::poll_timeout`].
/// RTP and RTCP change neither, so after those nothing needs asking.
#[derive(Debug)]
pub struct DtlsSrtp {
    identity: Arc<Identity>,
    clock: Clock,
    /// Sockets of the leg alone; a browser's leg has none.
    sockets: Option<[SocketId; 2]>,
    ice: Agent,
    dtls: Handshake,
    /// The peer as its last SDP describes it; before that its media is held.
    peer: Option<Peer>,
    /// Agreed by DTLS with somebody whose certificate is not compared yet.
    unproven: Option<Box<Keys>>,
    srtp: Option<Box<(Sender, Receiver)>>,
    out: Outbox,
    events: VecDeque<Event>,
    over: bool,
}

#[derive(Clone, Debug)]
struct Peer {
    fingerprint: Fingerprint,
    role: DtlsRole,
}

/// Delay of a timeout beyond which we did not run for a while (the process was stopped, the machine paused):
/// we missed what the peer sent then, and did not answer its checks.
const SUSPENDED: Duration = Duration::from_secs(2);
/// Time within which a peer that is still there checks again.
const AFTER_SUSPENSION: Duration = Duration::from_secs(8);

/// A datagram to send.
#[derive(Debug, PartialEq, Eq)]
pub struct Transmit<'a> {
    /// From this socket.
    pub socket: SocketId,
    /// To this address.
    pub to: std::net::SocketAddr,
    /// This.
    pub data: &'a [u8],
}

impl DtlsSrtp {
    /// A leg that answers to `ice`, shows `identity` and awaits its peer.
    #[must_use]
    pub fn new(now: Time, ice: &IceCredentials, identity: &Arc<Identity>, clock: Clock) -> DtlsSrtp {
        DtlsSrtp {
            identity: identity.clone(),
            clock,
            sockets: None,
            ice: Agent::new(ice),
            dtls: Handshake::new(now, identity, clock),
            peer: None,
            unproven: None,
            srtp: None,
            out: Outbox::default(),
            events: VecDeque::new(),
            over: false,
        }
    }

    /// Takes sockets of the leg's own: it is the full side of ICE from now on. False if it has some already.
    pub(super) fn bind(&mut self, first: SocketId, second: SocketId) -> bool {
        let free = self.sockets.is_none();
        if free {
            self.sockets = Some([first, second]);
            self.ice.check_from(first);
        }
        free
    }

    /// Sockets of the leg alone.
    pub(super) fn sockets(&self) -> Option<[SocketId; 2]> {
        self.sockets
    }

    /// Takes the peer's part of an offer and answer, for checks of our own. [`DtlsSrtp::connect`] follows.
    pub fn check(&mut self, now: Time, remote: &IceCredentials, checks: &IceChecks) {
        if !self.over {
            self.ice.connect(now, remote, checks);
        }
    }

    /// Applies the result of an offer and answer, the first one or a later one. After an ICE restart our
    /// credentials differ from the previous ones (RFC 8839 §4.4.1.1.1). A fingerprint that differs from the
    /// previous one asks for a new DTLS association (RFC 8842 §4); otherwise the association, its role and
    /// its keys stay.
    pub fn connect(&mut self, now: Time, ice: &IceCredentials, fingerprint: &Fingerprint, role: DtlsRole) {
        if self.over {
            return;
        }
        self.ice.set_credentials(ice);
        let known = self.peer.as_ref().map(|peer| peer.fingerprint == *fingerprint);
        if known == Some(false) {
            self.dtls = Handshake::new(now, &self.identity, self.clock);
            self.unproven = None;
        }
        if known != Some(true) {
            self.peer = Some(Peer {
                fingerprint: fingerprint.clone(),
                role,
            });
        }
        self.prove();
        self.begin(now);
    }

    /// A datagram that came to `socket` from `from`: of an address that is bound to this leg, or a STUN request that names it.
    /// RTP and RTCP are opened in place.
    pub fn handle_datagram<'a>(
        &mut self,
        now: Time,
        socket: SocketId,
        from: std::net::SocketAddr,
        data: &'a mut [u8],
    ) -> Received<'a> {
        let path = (socket, from);
        match data {
            _ if self.over => Received::Nothing,
            // RFC 7983 §7, and RFC 5761 §4 for the second octet.
            [128..=191, 192..=223, ..] => self.open_rtcp(data),
            [128..=191, ..] => self.open_rtp(path, data),
            [0..=3, ..] => self.checked(now, path, data),
            [20..=63, ..] if self.ice.knows(path) => {
                let progress = self
                    .dtls
                    .handle(now, data, |datagram| self.out.push(self.ice.selected(), datagram));
                self.progress(progress);
                Received::Nothing
            }
            _ => Received::Refused,
        }
    }

    /// Protects the RTP packet in the first `length` octets of `buffer`, which has room for
    /// [`RTP_OVERHEAD`](crate::srtp::RTP_OVERHEAD) more, and says how long it is then. `None` while there are no keys, and
    /// for a packet that may not be sent ([`Sender::protect_rtp`]). It goes to [`DtlsSrtp::remote`].
    pub fn protect_rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        self.srtp.as_mut()?.0.protect_rtp(buffer, length)
    }

    /// Sends the RTP packet that `write` makes of at most `room` octets; `None` if it could not go.
    #[inline]
    pub(super) fn send(
        &mut self,
        out: &mut outbox::Outbox,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        let (socket, to) = self.remote().filter(|_| self.is_connected())?;
        out.compose(socket, to, room + RTP_OVERHEAD, |buffer| {
            let length = write(&mut buffer[..room])?;
            self.protect_rtp(buffer, length)
        })
    }

    /// The same for RTCP, with [`RTCP_OVERHEAD`](crate::srtp::RTCP_OVERHEAD).
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        self.srtp.as_mut()?.0.protect_rtcp(buffer, length)
    }

    /// Path to the peer: our socket that it reaches, and its address.
    #[must_use]
    pub fn remote(&self) -> Option<Path> {
        self.ice.selected()
    }

    /// Every path that is bound to this leg.
    pub fn paths(&self) -> impl Iterator<Item = Path> + '_ {
        self.ice.paths()
    }

    /// Keys are there, agreed with the right peer.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.srtp.is_some()
    }

    /// The next datagram of ICE or DTLS to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        self.out.pop()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Time at which [`DtlsSrtp::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Deadline {
        if self.over {
            return None;
        }
        let consent = self.ice.consent_until().map(|at| (at, "ICE consent"));
        earlier(earlier(consent, self.ice.check_due()), self.dtls.poll_timeout())
    }

    /// Something is due, or nothing: a call too early does no harm.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.over {
            return;
        }
        let progress = self
            .dtls
            .handle_timeout(now, |datagram| self.out.push(self.ice.selected(), datagram));
        self.progress(progress);
        self.send_checks(now);
        if let Some(until) = self
            .ice
            .consent_until()
            .filter(|until| !self.over && *until <= now)
        {
            if now.since(until) < SUSPENDED {
                self.end(Event::Gone(Failure::Consent));
            } else {
                self.ice.wait_again(now, AFTER_SUSPENSION);
            }
        }
    }

    /// Ends the leg: a close_notify remains to be sent, no event follows.
    pub fn close(&mut self, now: Time) {
        if !self.over {
            self.dtls
                .close(now, |datagram| self.out.push(self.ice.selected(), datagram));
            self.over = true;
        }
    }

    /// Sends the checks of ours that are due.
    fn send_checks(&mut self, now: Time) {
        while !self.over {
            let start = self.out.data.len();
            let Some(path) = self.ice.next_check(now, &mut self.out.data) else {
                return;
            };
            self.out.queue(Some(path), start);
        }
    }

    /// A check of the peer, or its answer to one of ours.
    fn checked(&mut self, now: Time, path: Path, data: &[u8]) -> Received<'static> {
        let start = self.out.data.len();
        let checked = match data {
            [0, ..] => self.ice.check(now, path, data, &mut self.out.data),
            _ => self.ice.answered(now, path, data),
        };
        self.out.queue(Some(path), start);
        match checked {
            Checked::Refused => Received::Refused,
            Checked::Rejected => Received::Nothing,
            Checked::Known => {
                self.begin(now);
                Received::Nothing
            }
            Checked::New { forgotten } => {
                self.begin(now);
                Received::Bound { forgotten }
            }
        }
    }

    fn open_rtp<'a>(&mut self, path: Path, data: &'a mut [u8]) -> Received<'a> {
        let Some(srtp) = &mut self.srtp else {
            return Received::Nothing;
        };
        match srtp.1.open_rtp(data) {
            Ok((packet, newest)) => {
                if newest {
                    self.ice.heard(path);
                }
                Received::Rtp(packet)
            }
            Err(_) => Received::Refused,
        }
    }

    fn open_rtcp<'a>(&mut self, data: &'a mut [u8]) -> Received<'a> {
        let Some(srtp) = &mut self.srtp else {
            return Received::Nothing;
        };
        srtp.1.open_rtcp(data).map_or(Received::Refused, Received::Rtcp)
    }

    /// Says hello, if that is ours to do and there is somebody to say it to.
    fn begin(&mut self, now: Time) {
        let active = self
            .peer
            .as_ref()
            .is_some_and(|peer| peer.role == DtlsRole::Active);
        if active && self.dtls.is_idle() && self.ice.selected().is_some() {
            let send = |datagram: &[u8]| self.out.push(self.ice.selected(), datagram);
            let progress = self.dtls.start(now, DtlsRole::Active, send);
            self.progress(progress);
        }
    }

    fn progress(&mut self, progress: Option<Progress>) {
        match progress {
            None => {}
            Some(Progress::Complete(keys)) => {
                self.unproven = Some(keys);
                self.prove();
            }
            Some(Progress::Closed) => self.end(Event::Gone(Failure::Closed)),
            Some(Progress::Failed) => self.end(Event::Failed(Failure::Dtls)),
        }
    }

    /// Uses the keys if the peer's certificate is the one its SDP named (RFC 5763 §5).
    fn prove(&mut self) {
        let Some(peer) = &self.peer else { return };
        let Some(keys) = self.unproven.take() else { return };
        if !self.dtls.peer_is(&peer.fingerprint) {
            self.end(Event::Failed(Failure::Fingerprint));
            return;
        }
        let first = self.srtp.is_none();
        self.srtp = Some(Box::new((Sender::new(&keys.local), Receiver::new(&keys.remote))));
        if first {
            self.events.push_back(Event::Connected);
        }
    }

    fn end(&mut self, event: Event) {
        self.over = true;
        self.srtp = None;
        self.events.push_back(event);
    }
}

/// Datagrams to send, one after the other in one buffer that is kept.
#[derive(Debug, Default)]
struct Outbox {
    data: Vec<u8>,
    queue: VecDeque<(Path, usize, usize)>,
}

impl Outbox {
    fn push(&mut self, path: Option<Path>, datagram: &[u8]) {
        let start = self.data.len();
        self.data.extend_from_slice(datagram);
        self.queue(path, start);
    }

    /// Queues the octets of `data` from `start` on, if there are any.
    fn queue(&mut self, path: Option<Path>, start: usize) {
        match path {
            Some(path) if start < self.data.len() => self.queue.push_back((path, start, self.data.len())),
            _ => self.data.truncate(start),
        }
    }

    fn pop(&mut self) -> Option<Transmit<'_>> {
        let Some(((socket, to), start, end)) = self.queue.pop_front() else {
            // A leg has little to say once it is connected: what a handshake needed is given back.
            if self.data.capacity() > 1_024 {
                self.data = Vec::new()
            } else {
                self.data.clear()
            }
            return None;
        };
        Some(Transmit {
            socket,
            to,
            data: &self.data[start..end],
        })
    }
}
