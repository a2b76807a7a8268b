//! The one authority on live calls, from outside the signalling task.

use std::net::SocketAddr;
use std::time::Duration;

use sans_io::Time;
use session_core::{
    Application, BridgeEvent, CallSession, Caller, Coordinator, Invitation, LegId, OutgoingCall, Party,
    SessionId, Stats,
};
use sip_core::message::StatusCode;
use sip_core::uri::Uri;
use tokio::sync::{broadcast, oneshot};

use super::application::{Act, Sessions};
use super::error::SessionError;
use crate::digits::{DIGIT_MS, steps};
use crate::handle::Handle;
use crate::tap::Tap;
use crate::transport::Listener;

/// Time that a called party may ring.
pub(super) const RING: Duration = Duration::from_secs(60);

/// The one authority on live calls.
#[derive(Debug)]
pub struct SessionCoordinator {
    handle: Handle<Act>,
    bridges: broadcast::Sender<BridgeEvent>,
}

impl SessionCoordinator {
    pub(super) fn new(handle: Handle<Act>, bridges: broadcast::Sender<BridgeEvent>) -> SessionCoordinator {
        SessionCoordinator { handle, bridges }
    }

    pub(super) fn handle(&self) -> &Handle<Act> {
        &self.handle
    }

    pub(super) fn bridges(&self) -> &broadcast::Sender<BridgeEvent> {
        &self.bridges
    }

    /// Addresses on which SIP is spoken.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        self.handle.listeners()
    }

    /// Address on which SIP is spoken.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.handle.listeners().first().map(|listener| listener.addr)
    }

    /// Starts a call from one SIP URI to another. Its audio is ours: the party hears `sound` once it has answered, until the call is
    /// bridged. A call whose audio another program carries, with a description (SDP) of that program, is made by
    /// [`signalling`](crate::signalling).
    ///
    /// # Errors
    /// [`SessionError::Uri`], [`SessionError::Refused`], [`SessionError::Stopped`].
    pub async fn create_outgoing_call(
        &self,
        from: &str,
        to: &str,
        sound: Option<Application>,
    ) -> Result<CallSession, SessionError> {
        let from = uri(from)?;
        let call = OutgoingCall {
            party: party(uri(to)?),
            caller: Caller {
                user: from
                    .subscriber()
                    .map(|user| user.into_owned())
                    .unwrap_or_default(),
                display: String::new(),
            },
            ring_timeout: RING,
            application: sound,
        };
        self.act(move |_, calls, now| {
            let session = calls
                .create_outgoing_call(now, call)
                .map_err(SessionError::Refused)?;
            calls.find_session(session).ok_or(SessionError::NoSession)
        })
        .await?
    }

    /// Answers a call that came in; its caller hears `sound` until it is bridged.
    ///
    /// # Errors
    /// [`SessionError::NoSession`], [`SessionError::Stopped`].
    pub async fn accept_incoming_call(
        &self,
        session: SessionId,
        sound: Option<Application>,
    ) -> Result<(), SessionError> {
        self.on_party(session, move |calls, leg, now| calls.answer(now, leg, sound))
            .await
    }

    /// Refuses a call that came in, with a status of 300 to 699.
    ///
    /// # Errors
    /// [`SessionError::NoSession`], [`SessionError::Stopped`].
    pub async fn reject_incoming_call(
        &self,
        session: SessionId,
        code: StatusCode,
    ) -> Result<(), SessionError> {
        self.on_session(session, move |calls, now| {
            calls.reject(now, session, code.max(StatusCode::MULTIPLE_CHOICES));
        })
        .await
    }

    /// Ends a call, whatever its state.
    ///
    /// # Errors
    /// [`SessionError::NoSession`], [`SessionError::Stopped`].
    pub async fn terminate_session(&self, session: SessionId) -> Result<(), SessionError> {
        self.on_session(session, move |calls, now| calls.terminate_session(now, session))
            .await
    }

    /// A live call.
    ///
    /// # Errors
    /// [`SessionError::Stopped`].
    pub async fn find_session(&self, session: SessionId) -> Result<Option<CallSession>, SessionError> {
        self.act(move |_, calls, _| calls.find_session(session)).await
    }

    /// Live calls, oldest first.
    ///
    /// # Errors
    /// [`SessionError::Stopped`].
    pub async fn list_active_sessions(&self) -> Result<Vec<CallSession>, SessionError> {
        self.act(|_, calls, _| calls.list_active_sessions().collect())
            .await
    }

    /// Counts of live objects.
    ///
    /// # Errors
    /// [`SessionError::Stopped`].
    pub async fn get_stats(&self) -> Result<Stats, SessionError> {
        Ok(self.handle.stats().await?)
    }

    /// Listens to every SIP message that comes or goes from now on; up to `waiting` of them wait for the listener.
    ///
    /// # Errors
    /// [`SessionError::Stopped`].
    pub async fn tap(&self, waiting: usize) -> Result<Tap, SessionError> {
        Ok(self.handle.tap(waiting).await?)
    }

    /// Sends digits to the party of a call, one after the other; a comma is a pause of a second. Comes back when all are sent.
    ///
    /// # Errors
    /// [`SessionError::Digit`], before any is sent; [`SessionError::NoSession`], [`SessionError::Stopped`].
    pub async fn send_dtmf(&self, session: SessionId, digits: &str) -> Result<(), SessionError> {
        for (key, wait) in steps(digits).map_err(SessionError::Digit)? {
            if let Some(digit) = key {
                self.on_party(session, move |calls, leg, now| {
                    calls.send_dtmf(now, leg, digit, DIGIT_MS);
                })
                .await?;
            }
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Our description of the party's media, as an offer would be now; nothing is sent.
    ///
    /// # Errors
    /// [`SessionError::NoSession`], [`SessionError::Stopped`].
    pub async fn generate_sdp_offer(&self, session: SessionId) -> Result<String, SessionError> {
        self.act(move |_, calls, _| calls.generate_sdp_offer(session))
            .await?
            .ok_or(SessionError::NoSession)
    }

    /// Changes what the party of a call hears while it is not bridged.
    ///
    /// # Errors
    /// [`SessionError::NoSession`], [`SessionError::Stopped`].
    pub async fn play(&self, session: SessionId, sound: Option<Application>) -> Result<(), SessionError> {
        self.on_party(session, move |calls, leg, _| calls.play(leg, sound))
            .await
    }

    /// Holds the party of a call: it hears music.
    ///
    /// # Errors
    /// [`SessionError::NoSession`], [`SessionError::Stopped`].
    pub async fn hold(&self, session: SessionId) -> Result<(), SessionError> {
        self.on_party(session, |calls, leg, now| calls.hold(now, leg))
            .await
    }

    /// Ends [`hold`](Self::hold).
    ///
    /// # Errors
    /// [`SessionError::NoSession`], [`SessionError::Stopped`].
    pub async fn resume(&self, session: SessionId) -> Result<(), SessionError> {
        self.on_party(session, |calls, leg, now| calls.resume(now, leg))
            .await
    }

    /// Calls a SIP URI for the party of a call; as soon as it is answered the two hear each other in that call. Of several attempts
    /// at a time each rings by itself.
    ///
    /// # Errors
    /// [`SessionError::Uri`], [`SessionError::NoSession`], [`SessionError::Refused`], [`SessionError::Stopped`].
    pub async fn invite(&self, session: SessionId, to: &str) -> Result<(), SessionError> {
        let invitation = invitation(party(uri(to)?));
        self.act(move |sessions, calls, now| {
            let invitation = calls
                .invite(now, session, invitation)
                .map_err(SessionError::Refused)?;
            sessions.await_answer(invitation);
            Ok(())
        })
        .await?
    }

    pub(super) async fn on_session(
        &self,
        session: SessionId,
        act: impl FnOnce(&mut Coordinator, Time) + Send + 'static,
    ) -> Result<(), SessionError> {
        self.act(move |_, calls, now| {
            calls.find_session(session).ok_or(SessionError::NoSession)?;
            act(calls, now);
            Ok(())
        })
        .await?
    }

    /// Does something with the first party of a call.
    pub(super) async fn on_party(
        &self,
        session: SessionId,
        act: impl FnOnce(&mut Coordinator, LegId, Time) + Send + 'static,
    ) -> Result<(), SessionError> {
        self.act(move |_, calls, now| {
            act(
                calls,
                party_of(calls, session).ok_or(SessionError::NoSession)?,
                now,
            );
            Ok(())
        })
        .await?
    }

    /// Does something in the signalling task, and waits for its outcome.
    pub(super) async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Sessions, &mut Coordinator, Time) -> T + Send + 'static,
    ) -> Result<T, SessionError> {
        let (reply, outcome) = oneshot::channel();
        let act = Act::new(move |sessions, calls, now| drop(reply.send(act(sessions, calls, now))));
        self.handle.request(act).await?;
        outcome.await.map_err(|_| SessionError::Stopped)
    }
}

/// Leg of a call's first party.
pub(super) fn party_of(calls: &Coordinator, session: SessionId) -> Option<LegId> {
    calls.legs(session).into_iter().flatten().next()
}

/// A SIP URI.
pub(super) fn uri(text: &str) -> Result<Uri, SessionError> {
    Uri::parse(text).ok().filter(Uri::is_sip).ok_or(SessionError::Uri)
}

/// Somebody at a URI.
pub(super) fn party(uri: Uri) -> Party {
    Party::Uri {
        uri,
        proxy: None,
        flow: None,
        codecs: Vec::new(),
        credentials: None,
    }
}

/// A party that is called for others.
pub(super) fn invitation(party: Party) -> Invitation {
    Invitation {
        party,
        caller: None,
        ring_timeout: RING,
        headers: Vec::new(),
        diverted: Vec::new(),
    }
}
