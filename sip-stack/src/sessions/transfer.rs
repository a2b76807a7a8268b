//! Transfers that we ask parties for, and instant messages of ours.

use session_core::{CallState, Caller, Coordinator, LegId, SessionId};
use sip_core::message::StatusCode;
use sip_core::uri::Uri;
use tokio::sync::oneshot;

use super::coordinator::{SessionCoordinator, party, party_of, uri};
use super::error::SessionError;
use crate::instant::plain;

impl SessionCoordinator {
    /// Asks the party of a call to call a SIP URI in our place (REFER, RFC 3515). Comes back when that is answered, and the call is over
    /// then; or with the refusal, and the call goes on. Where the party refuses, [`invite`](Self::invite) calls for it.
    ///
    /// # Errors
    /// [`SessionError::Uri`], [`SessionError::NoSession`], [`SessionError::NotAnswered`], [`SessionError::Refused`],
    /// [`SessionError::Ended`], [`SessionError::Stopped`].
    pub async fn transfer(&self, session: SessionId, to: &str) -> Result<(), SessionError> {
        let target = uri(to)?;
        self.refer(session, move |_| Ok((target, None))).await
    }

    /// Asks the party of a call to take our place in another one (REFER with `Replaces`, RFC 5589 §7): the two parties talk with each
    /// other, and both calls are over for us.
    ///
    /// # Errors
    /// As [`transfer`](Self::transfer).
    pub async fn transfer_attended(&self, session: SessionId, other: SessionId) -> Result<(), SessionError> {
        self.refer(session, move |calls| {
            let leg = party_of(calls, other).ok_or(SessionError::NoSession)?;
            let there = calls.peer_contact(leg).ok_or(SessionError::NotAnswered)?;
            Ok((there, Some(leg)))
        })
        .await?;
        match self.terminate_session(other).await {
            // Its party has hung up already.
            Err(SessionError::NoSession) => Ok(()),
            outcome => outcome,
        }
    }

    /// Sends an instant message (MESSAGE, RFC 3428) from one SIP URI to another. Comes back when somebody took it.
    ///
    /// # Errors
    /// [`SessionError::Uri`], [`SessionError::Refused`], [`SessionError::Stopped`].
    pub async fn send_message(&self, from: &str, to: &str, text: &str) -> Result<(), SessionError> {
        let sender = uri(from)?.subscriber().map(|user| user.into_owned());
        let from = Caller {
            user: sender.unwrap_or_default(),
            display: String::new(),
        };
        let (to, body) = (party(uri(to)?), plain(text));
        let (reply, outcome) = oneshot::channel();
        self.act(move |sessions, calls, now| {
            let sent = calls.send_message(now, from, &to, body);
            sent.map(|message| sessions.await_message(message, reply))
        })
        .await?
        .map_err(SessionError::Refused)?;
        success(outcome.await.map_err(|_| SessionError::Stopped)?)
    }

    /// Sends a REFER to the party of a call, and waits for its outcome.
    async fn refer(
        &self,
        session: SessionId,
        target: impl FnOnce(&Coordinator) -> Result<(Uri, Option<LegId>), SessionError> + Send + 'static,
    ) -> Result<(), SessionError> {
        let (reply, outcome) = oneshot::channel();
        self.act(move |sessions, calls, now| {
            let call = calls.find_session(session).ok_or(SessionError::NoSession)?;
            if !matches!(call.state, CallState::Active | CallState::OnHold) {
                return Err(SessionError::NotAnswered);
            }
            let leg = party_of(calls, session).ok_or(SessionError::NoSession)?;
            let (target, replaces) = target(calls)?;
            sessions.await_transfer(leg, reply);
            calls.refer(now, leg, &target, replaces);
            Ok(())
        })
        .await??;
        success(outcome.await.map_err(|_| SessionError::Ended)?)
    }
}

fn success(code: StatusCode) -> Result<(), SessionError> {
    match code.is_success() {
        true => Ok(()),
        false => Err(SessionError::Refused(code)),
    }
}
