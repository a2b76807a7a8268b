//! A SIP phone in code: [`Client`] owns the sockets, an [`Account`] registers, a [`Call`] is made or answered.
//!
//! | to | take |
//! |---|---|
//! | choose sockets, transport, codecs and encryption | [`Client::builder`], or one of the [`presets`] |
//! | register, by way of an outbound proxy if need be | [`Account::register`], [`Account::through`] |
//! | call, be called | [`Account::dial`], [`Client::dial`]; [`Client::next_call`] |
//! | answer, ring, refuse, hang up | [`Call::answer`], [`Call::ring`], [`Call::reject`], [`Call::hang_up`] |
//! | hold, transfer | [`Call::hold`], [`Call::resume`]; [`Call::transfer`], [`Call::transfer_attended`] |
//! | press keys, and hear of them | [`Call::send_dtmf`], [`CallEvent::Dtmf`] |
//! | write, and read | [`Account::send_message`], [`Client::inbox`] |
//! | play and record, by file or callback | [`Call::play_wav`], [`Call::record_wav`], [`Call::send_audio`], [`Call::receive_audio`] |
//! | hear of every change | [`Call::change`] |
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
mod ask;
mod audio;
mod builder;
mod call;
mod demo;
pub mod presets;
pub mod simple;
mod sound;

use std::fmt;
use std::time::Duration;

use session_core::{Caller, Fault};
use sip_core::flow::Transport;
use sip_core::message::StatusCode;
use sip_core::uri::Uri;
use tokio::sync::{mpsc, oneshot};

use crate::handle::{Gone, Handle};
use crate::transport::Listener;

pub use crate::audio::{
    AudioFrame, AudioStream, Channels, Heard, SoundError, SoundRate, WavRecording, read_pcm,
};
pub use crate::instant::InstantMessage;
pub use account::Account;
use account::Outgoing;
use ask::{Arrived, Ask};
pub use audio::PlayError;
pub(crate) use builder::Server;
pub use builder::{BuildError, Builder};
pub use call::{Call, CallEvent, Change, State};
pub use demo::DemoPhone;
pub use sound::{Play, Recorder, Sound, read_wav};

/// Messages that may wait for [`Inbox::next`]; more are refused with 480.
const MESSAGES: usize = 16;

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
        let outgoing = Outgoing {
            party: self.party(uri)?,
            caller: anonymous(),
            sound,
        };
        account::dial(&self.handle, outgoing).await
    }

    /// Sends an instant message to a URI as nobody in particular.
    ///
    /// # Errors
    /// See [`Account::send_message`].
    pub async fn send_message(&self, uri: &str, text: &str) -> Result<(), ClientError> {
        account::send_message(&self.handle, anonymous(), self.party(uri)?, text).await
    }

    fn party(&self, uri: &str) -> Result<session_core::Party, ClientError> {
        let uri = Uri::parse(uri).ok().filter(Uri::is_sip).ok_or(ClientError::Uri)?;
        let server = account::server_of(&uri, self.transport)?;
        Ok(account::party(uri.bare(), server, None))
    }

    /// Takes instant messages from now on: each is answered 200 once it waits in the inbox. Before, and while 16 wait there, they are
    /// refused with 480. A later inbox takes the place of the one before.
    ///
    /// # Errors
    /// [`ClientError::Stopped`].
    pub async fn inbox(&self) -> Result<Inbox, ClientError> {
        let (sender, messages) = mpsc::channel(MESSAGES);
        let (done, taken) = oneshot::channel();
        self.handle.request(Ask::Inbox(sender, done)).await?;
        taken.await.map_err(|_| ClientError::Stopped)?;
        Ok(Inbox(messages))
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

/// Instant messages that came in.
#[derive(Debug)]
pub struct Inbox(mpsc::Receiver<InstantMessage>);

impl Inbox {
    /// The next message; `None` once the client has ended.
    pub async fn next(&mut self) -> Option<InstantMessage> {
        self.0.recv().await
    }
}

fn anonymous() -> Caller {
    Caller {
        user: "anonymous".into(),
        display: String::new(),
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
    /// The call is not answered yet.
    NotAnswered,
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
            ClientError::NotAnswered => f.write_str("the call is not answered yet"),
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
