//! An account at somebody's registrar, and calls made with it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use session_core::{Caller, OutgoingCall, Party, Registration, RegistrationState};
use sip_core::endpoint::Credentials;
use sip_core::flow::Transport;
use sip_core::uri::Uri;
use tokio::sync::{oneshot, watch};

use super::agent::{Ask, Status};
use super::{Call, ClientError, Sound};
use crate::handle::Handle;

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
            status,
            sender,
        })
    }

    /// The same account by way of `server`, e.g. `sip:192.0.2.1:5070;transport=tcp`, whatever its address says.
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
        let uri = if to.contains(':') {
            Uri::parse(to).ok().filter(Uri::is_sip)
        } else {
            let user = sip_core::uri::escape_user(to);
            self.aor
                .host()
                .and_then(|host| Uri::sip(Some(&user), host, self.aor.port()).ok())
        };
        let outgoing = Outgoing {
            uri: uri.ok_or(ClientError::Uri)?,
            server: self.server.clone(),
            user: self.aor.user().unwrap_or_default().to_owned(),
            credentials: Some((self.username.clone(), self.password.clone())),
            sound,
        };
        dial(&self.handle, outgoing).await
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
    pub(super) uri: Uri,
    pub(super) server: Uri,
    pub(super) user: String,
    pub(super) credentials: Option<(String, String)>,
    pub(super) sound: Sound,
}

pub(super) async fn dial(handle: &Handle<Ask>, outgoing: Outgoing) -> Result<Call, ClientError> {
    let (media, recorder) = outgoing.sound.into_parts();
    let call = Box::new(OutgoingCall {
        party: Party::Uri {
            uri: outgoing.uri,
            proxy: Some(outgoing.server),
            flow: None,
            codecs: Vec::new(),
            credentials: outgoing.credentials,
        },
        caller: Caller {
            user: outgoing.user,
            display: String::new(),
        },
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
