//! An account at somebody's registrar, and calls made with it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use session_core::{Caller, OutgoingCall, Party, Registration, RegistrationState};
use sip_core::endpoint::Credentials;
use sip_core::flow::Transport;
use sip_core::uri::Uri;
use tokio::sync::{oneshot, watch};

use super::ask::{Ask, Status};
use super::{Call, ClientError, Sound};
use crate::handle::Handle;
use crate::instant::plain;

/// Lifetime requested from the registrar; the granted one counts, and is refreshed in time.
const EXPIRES: Duration = Duration::from_secs(600);

/// Time that a party may ring.
const RING: Duration = Duration::from_secs(120);

static NEXT: AtomicU64 = AtomicU64::new(1);

/// An account at somebody's registrar.
#[derive(Debug)]
pub struct Account {
    handle: Handle<Ask>,
    id: u64,
    aor: Uri,
    server: Uri,
    /// Transport if `server` names none.
    transport: Transport,
    username: String,
    password: String,
    /// Name shown to those who are called.
    display: String,
    /// Code of the last answer to REGISTER, 0 once it was given up, and the fault.
    status: watch::Receiver<Status>,
    sender: watch::Sender<Status>,
}

impl Account {
    pub(super) fn new(
        handle: Handle<Ask>,
        aor: &Uri,
        transport: Transport,
        username: &str,
        password: &str,
    ) -> Result<Account, ClientError> {
        let (sender, status) = watch::channel(None);
        Ok(Account {
            handle,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            server: server_of(aor, transport)?,
            transport,
            aor: aor.bare(),
            username: username.to_owned(),
            password: password.to_owned(),
            display: String::new(),
            status,
            sender,
        })
    }

    /// The same account with a name that those who are called see beside its number.
    #[must_use]
    pub fn display(mut self, name: &str) -> Account {
        name.clone_into(&mut self.display);
        self
    }

    /// The same account by way of an outbound proxy, e.g. `sip:192.0.2.1:5070;transport=tcp`, whatever its address says.
    ///
    /// # Errors
    /// `server` is no SIP URI.
    pub fn through(mut self, server: &str) -> Result<Account, ClientError> {
        let server = Uri::parse(server)
            .ok()
            .filter(Uri::is_sip)
            .ok_or(ClientError::Uri)?;
        self.server = server_of(&server, self.transport)?;
        Ok(self)
    }

    /// Registers, and stays registered until [`unregister`](Self::unregister). Returns with the first answer;
    /// a refusal that may pass is tried again in the background.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the code of the answer, or [`ClientError::Failed`] when there was none.
    pub async fn register(&self) -> Result<(), ClientError> {
        let registration = Box::new(Registration {
            aor: self.aor.clone(),
            proxy: Some(self.server.clone()),
            credentials: Some(Credentials {
                username: self.username.clone(),
                password: self.password.clone(),
            }),
            expires: EXPIRES,
            contact: Some(user_part(&self.aor)),
            instance: None,
        });
        self.sender.send_replace(None);
        let mut status = self.status.clone();
        self.handle
            .request(Ask::Register {
                account: self.id,
                registration,
                status: self.sender.clone(),
            })
            .await?;
        match known(&mut status).await? {
            RegistrationState::Registered { .. } | RegistrationState::Registering => Ok(()),
            RegistrationState::Refused(code) | RegistrationState::Stopped(code) => {
                Err(ClientError::Refused(code))
            }
            RegistrationState::Unanswered(fault) => Err(ClientError::Failed(fault)),
            RegistrationState::GivenUp => Err(ClientError::Ended),
        }
    }

    /// Gives the registration up.
    ///
    /// # Errors
    /// The client has been stopped.
    pub async fn unregister(&self) -> Result<(), ClientError> {
        self.sender.send_replace(None);
        let mut status = self.status.clone();
        self.handle.request(Ask::Unregister { account: self.id }).await?;
        known(&mut status).await?;
        Ok(())
    }

    /// Calls a number at the account's server, or any SIP URI by way of it. The call is under way when this comes back;
    /// see [`Call::answered`].
    ///
    /// # Errors
    /// `to` cannot be called at all.
    pub async fn dial(&self, to: &str, sound: Sound) -> Result<Call, ClientError> {
        let outgoing = Outgoing {
            party: self.party(to)?,
            caller: self.caller(),
            sound,
        };
        dial(&self.handle, outgoing).await
    }

    /// Sends an instant message (MESSAGE, RFC 3428) to a number at the account's server, or to any SIP URI by way of it. Comes back
    /// when somebody took it, or the server keeps it.
    ///
    /// # Errors
    /// [`ClientError::Uri`], [`ClientError::Refused`], [`ClientError::Stopped`].
    pub async fn send_message(&self, to: &str, text: &str) -> Result<(), ClientError> {
        send_message(&self.handle, self.caller(), self.party(to)?, text).await
    }

    /// State of the registration; `None` before the first answer.
    #[must_use]
    pub fn registration(&self) -> Option<RegistrationState> {
        *self.status.borrow()
    }

    /// Somebody at the account's server, or anywhere by way of it.
    fn party(&self, to: &str) -> Result<Party, ClientError> {
        let uri = if to.contains(':') {
            Uri::parse(to).ok().filter(Uri::is_sip)
        } else {
            let user = sip_core::uri::escape_user(to);
            self.aor
                .host()
                .and_then(|host| Uri::sip(Some(&user), host, self.aor.port()).ok())
        };
        let credentials = Some((self.username.clone(), self.password.clone()));
        Ok(party(
            uri.ok_or(ClientError::Uri)?,
            self.server.clone(),
            credentials,
        ))
    }

    fn caller(&self) -> Caller {
        Caller {
            user: self.aor.user().unwrap_or_default().to_owned(),
            display: self.display.clone(),
        }
    }
}

/// User part with percent-escapes decoded.
fn user_part(uri: &Uri) -> String {
    uri.user_unescaped()
        .map(|user| user.into_owned())
        .unwrap_or_default()
}

/// A call to be made.
pub(super) struct Outgoing {
    pub(super) party: Party,
    pub(super) caller: Caller,
    pub(super) sound: Sound,
}

/// Whoever is at `uri`, by way of `server`.
pub(super) fn party(uri: Uri, server: Uri, credentials: Option<(String, String)>) -> Party {
    Party::Uri {
        uri,
        proxy: Some(server),
        flow: None,
        codecs: Vec::new(),
        credentials,
    }
}

pub(super) async fn send_message(
    handle: &Handle<Ask>,
    from: Caller,
    to: Party,
    text: &str,
) -> Result<(), ClientError> {
    let (reply, outcome) = oneshot::channel();
    let (to, body) = (Box::new(to), plain(text));
    handle
        .request(Ask::Message {
            from,
            to,
            body,
            reply,
        })
        .await?;
    match outcome.await.map_err(|_| ClientError::Stopped)? {
        code if code.is_success() => Ok(()),
        code => Err(ClientError::Refused(code)),
    }
}

pub(super) async fn dial(handle: &Handle<Ask>, outgoing: Outgoing) -> Result<Call, ClientError> {
    let (media, recorder) = outgoing.sound.into_parts();
    let call = Box::new(OutgoingCall {
        party: outgoing.party,
        caller: outgoing.caller,
        ring_timeout: RING,
        application: Some(media),
    });
    let (reply, made) = oneshot::channel();
    handle.request(Ask::Dial { call, reply }).await?;
    let arrived = made
        .await
        .map_err(|_| ClientError::Stopped)?
        .map_err(ClientError::Refused)?;
    let mut call = Call::new(handle.clone(), arrived);
    call.set_recorder(recorder);
    Ok(call)
}

/// Server for a URI: its host and port, by its own transport or else by the client's.
pub(super) fn server_of(uri: &Uri, default: Transport) -> Result<Uri, ClientError> {
    let transport = uri
        .transport()
        .map_or_else(|| default.name().to_ascii_lowercase(), str::to_ascii_lowercase);
    let host = uri.host().ok_or(ClientError::Uri)?;
    let server = Uri::sip(None, host, uri.port()).map_err(|_| ClientError::Uri)?;
    server
        .with_param("transport", &transport)
        .map_err(|_| ClientError::Uri)
}

async fn known(status: &mut watch::Receiver<Status>) -> Result<RegistrationState, ClientError> {
    let known = status
        .wait_for(Option::is_some)
        .await
        .map_err(|_| ClientError::Stopped)?;
    known.ok_or(ClientError::Stopped)
}
