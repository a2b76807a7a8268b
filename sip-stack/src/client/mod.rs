//! A SIP phone in code: [`Client`] owns the sockets, an [`Account`] registers, a [`Call`] is made or answered.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sip_stack::client::{Client, Sound};
//!
//! let client = Client::builder().start().await?;
//! let account = client.account("sip:1001@127.0.0.1:5060", "1001", "cordboard")?;
//! account.register().await?;
//! let mut call = account.dial("9196", Sound::tone(1_000, -10)).await?;
//! call.answered().await?;
//! call.send_dtmf("123#").await?;
//! call.hang_up().await?;
//! println!("{:?}", call.ended().await);
//! # Ok(())
//! # }
//! ```

mod account;
mod agent;
mod builder;
mod call;
mod demo;
mod sound;

use std::fmt;
use std::time::Duration;

use session_core::Fault;
use sip_core::flow::Transport;
use sip_core::message::StatusCode;
use sip_core::uri::Uri;
use tokio::sync::mpsc;

use crate::handle::{Gone, Handle};
use crate::transport::Listener;

pub use account::Account;
use account::Outgoing;
use agent::{Arrived, Ask};
pub use builder::{BuildError, Builder};
pub use call::{Call, CallEvent, State};
pub use demo::DemoPhone;
pub use sound::{Heard, Play, Recorder, Sound, SoundError, read_pcm, read_wav};

/// Given to calls and registrations to end in [`Client::stop`].
const FAREWELL: Duration = Duration::from_secs(3);

/// A phone's sockets and its signalling.
#[derive(Debug)]
pub struct Client {
    handle: Handle<Ask>,
    transport: Transport,
    incoming: mpsc::Receiver<Arrived>,
}

impl Client {
    /// UDP on any port of the loopback interface, unless told otherwise.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Address that it listens on.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        self.handle.listeners()
    }

    /// An account elsewhere: `aor` is its address, e.g. `sip:1001@example.com` or `sip:1001@192.0.2.1:5070;transport=tcp`.
    /// Nothing is sent before [`Account::register`] or [`Account::dial`].
    ///
    /// # Errors
    /// `aor` is no SIP URI with a user part.
    pub fn account(&self, aor: &str, username: &str, password: &str) -> Result<Account, ClientError> {
        let aor = Uri::parse(aor)
            .ok()
            .filter(|uri| uri.is_sip() && uri.user().is_some());
        let aor = aor.ok_or(ClientError::Uri)?;
        Account::new(self.handle.clone(), &aor, self.transport, username, password)
    }

    /// Calls a URI as nobody in particular.
    ///
    /// # Errors
    /// See [`Account::dial`].
    pub async fn dial(&self, uri: &str, sound: Sound) -> Result<Call, ClientError> {
        let uri = Uri::parse(uri).ok().filter(Uri::is_sip).ok_or(ClientError::Uri)?;
        let server = account::server_of(&uri, self.transport)?;
        account::dial(
            &self.handle,
            Outgoing {
                uri: uri.bare(),
                server,
                user: "anonymous".into(),
                credentials: None,
                sound,
            },
        )
        .await
    }

    /// The next call that comes in; its caller hears it ring already. Calls are refused as busy while 16 wait here. `None` once the
    /// client has ended.
    pub async fn next_call(&mut self) -> Option<Call> {
        Some(Call::new(self.handle.clone(), self.incoming.recv().await?))
    }

    /// Ends all calls and the client.
    pub async fn stop(self) {
        self.handle.shutdown(FAREWELL).await;
    }
}

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// Not a SIP URI, or not one that can be called.
    Uri,
    /// Refused by the peer with this SIP code.
    Refused(StatusCode),
    /// Failed on the way, or here.
    Failed(Fault),
    /// The call is over.
    Ended,
    /// The client has been stopped.
    Stopped,
    /// Not a digit of DTMF.
    Digit(char),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Uri => f.write_str("not a SIP URI such as sip:1001@example.com"),
            ClientError::Refused(code) => {
                write!(f, "{code} {}", code.reason())
            }
            ClientError::Failed(fault) => fault.fmt(f),
            ClientError::Ended => f.write_str("the call is over"),
            ClientError::Stopped => f.write_str("the client has been stopped"),
            ClientError::Digit(digit) => write!(f, "{digit:?} is not one of 0-9, *, #, A-D"),
        }
    }
}

impl std::error::Error for ClientError {}

/// Error of a call or a registration.
fn refused(code: StatusCode, fault: Option<Fault>) -> ClientError {
    match fault {
        None | Some(Fault::Rejected) => ClientError::Refused(code),
        Some(fault) => ClientError::Failed(fault),
    }
}

impl From<Gone> for ClientError {
    fn from(_: Gone) -> Self {
        ClientError::Stopped
    }
}
