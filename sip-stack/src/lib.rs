//! SIP and its audio for programs: phones that register and call, servers that answer, connect and bridge calls, and whatever is
//! between. It speaks to SIP phones, PBXs, carriers and browsers, over UDP, TCP, TLS and WebSockets; RTP, SRTP, and DTLS-SRTP with
//! ICE.
//!
//! | to write | take |
//! |---|---|
//! | a phone: register, call, be called, hold, transfer, write | [`client::Client`], with [`client::presets`] |
//! | one call, and what was heard in it | [`client::simple`] |
//! | a server: answer, connect, bridge, record | [`sessions::SessionCoordinator`] and a [`sessions::CallHandler`] |
//! | audio from and to code, WAV files | [`audio`]: the same verbs on both |
//! | SIP alone, where another program carries the audio | [`signalling`] |
//! | decisions in the signalling task itself, event by event | [`Stack`] and an [`Application`] |
//!
//! Everything runs on tokio; media has threads of its own, which no callback of yours is called from.
//!
//! # A call
//! Two phones on this machine, without a server. Bob answers with a tone of 440 Hz, and Alice listens to it:
//!
//! ```
//! use sip_stack::client::{Client, Sound, SoundRate};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let alice = Client::builder().start().await?;
//! let mut bob = Client::builder().start().await?;
//! let address = bob.listeners()[0].addr;
//!
//! let mut call = alice.dial(&format!("sip:bob@{address}"), Sound::silence()).await?;
//! let mut taken = bob.next_call().await.ok_or("the client has ended")?;
//! taken.answer(Sound::tone(440, -10)).await?;
//! call.answered().await?;
//!
//! let (frames, mut heard) = tokio::sync::mpsc::unbounded_channel();
//! let listening = call
//!     .receive_audio(SoundRate::Hz8000, move |frame| drop(frames.send(frame.samples.to_vec())))
//!     .await?;
//! let mut samples = Vec::new();
//! while samples.len() < 8_000 {
//!     samples.extend(heard.recv().await.ok_or("the call is over")?);
//! }
//! let tone = media_core::tone::measure(&samples[4_000..], 8_000);
//! assert!((tone.hertz - 440.0).abs() < 2.0);
//!
//! drop(listening);
//! call.hang_up().await?;
//! assert_eq!(taken.ended().await.ok_or("stopped")?.code, 200);
//! # alice.stop().await;
//! # bob.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # A server with users
//! Users register with a name and a password, and reach each other. The handler decides about each call; here it rings whoever is
//! called:
//!
//! ```
//! use std::sync::Arc;
//!
//! use sip_stack::client::{Client, Sound};
//! use sip_stack::sessions::{
//!     CallDecision, CallHandler, IncomingCall, SessionControl, SessionId, SessionManagerBuilder,
//! };
//!
//! struct Exchange;
//!
//! impl CallHandler for Exchange {
//!     fn on_incoming_call(&self, _: SessionId, call: &IncomingCall) -> CallDecision {
//!         CallDecision::Connect(call.to.clone())
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = SessionManagerBuilder::new()
//!     .with_user("1001", "secret of 1001")
//!     .with_user("1002", "secret of 1002")
//!     .with_handler(Arc::new(Exchange))
//!     .build()
//!     .await?;
//! SessionControl::start(&server).await?;
//! let server_address = server.local_address().ok_or("no listener")?;
//!
//! let mut phone = Client::builder().start().await?;
//! let account = phone.account(&format!("sip:1002@{server_address}"), "1002", "secret of 1002")?;
//! account.register().await?;
//!
//! let caller = Client::builder().start().await?;
//! let line = caller.account(&format!("sip:1001@{server_address}"), "1001", "secret of 1001")?;
//! let mut call = line.dial("1002", Sound::silence()).await?;
//! let taken = phone.next_call().await.ok_or("the client has ended")?;
//! assert_eq!(taken.caller().map(|caller| &*caller.from), Some("1001"));
//! call.hang_up().await?;
//! # call.ended().await;
//! # SessionControl::stop(&server).await;
//! # Ok(())
//! # }
//! ```
//!
//! # A bridge
//! A [`SessionCoordinator`](sessions::SessionCoordinator) calls two parties and lets them hear each other. Each call keeps its own end
//! and its own record; a third party would join by
//! [`add_session_to_bridge`](sessions::SessionCoordinator::add_session_to_bridge).
//!
//! ```
//! use sip_stack::client::{Client, Sound};
//! use sip_stack::sessions::{BridgeEvent, SessionControl, SessionManagerBuilder};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = SessionManagerBuilder::new().build().await?;
//! SessionControl::start(&server).await?;
//! let mut changes = server.subscribe_to_bridge_events();
//! let (mut sessions, mut phones) = (Vec::new(), Vec::new());
//! for _ in 0..2 {
//!     let mut phone = Client::builder().start().await?;
//!     let to = format!("sip:phone@{}", phone.listeners()[0].addr);
//!     let session = server.create_outgoing_call("sip:server@127.0.0.1", &to, None).await?;
//!     let mut call = phone.next_call().await.ok_or("the client has ended")?;
//!     call.answer(Sound::tone(440, -10)).await?;
//!     sessions.push(session.id);
//!     phones.push((phone, call));
//! }
//! let bridge = server.bridge_sessions(sessions[0], sessions[1]).await?;
//! assert_eq!(changes.recv().await?, BridgeEvent::Created { bridge });
//! assert_eq!(server.get_session_bridge(sessions[1]).await?, Some(bridge));
//! assert_eq!(server.list_bridges().await?[0].sessions, sessions);
//! server.destroy_bridge(bridge).await?;
//! # SessionControl::stop(&server).await;
//! # Ok(())
//! # }
//! ```
//!
//! # WAV files
//! A call plays one file and records into another; what it heard is measured as it is written:
//!
//! ```
//! use sip_stack::client::{Channels, Client, Sound};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("sip-stack-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let (question, answer) = (folder.join("question.wav"), folder.join("answer.wav"));
//! # let spec = hound::WavSpec {
//! #     channels: 1, sample_rate: 8_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int,
//! # };
//! # let mut writer = hound::WavWriter::create(&question, spec)?;
//! # for i in 0..6_400 {
//! #     writer.write_sample(if i / 8 % 2 == 0 { 5_000_i16 } else { -5_000 })?;
//! # }
//! # writer.finalize()?;
//! let alice = Client::builder().start().await?;
//! let mut echo = Client::builder().start().await?;
//! let to = format!("sip:echo@{}", echo.listeners()[0].addr);
//! let mut call = alice.dial(&to, Sound::silence()).await?;
//! let mut taken = echo.next_call().await.ok_or("the client has ended")?;
//! taken.answer(Sound::echo()).await?;
//! call.answered().await?;
//!
//! let recording = call.record_wav(&answer, Channels::Party).await?;
//! call.play_wav(&question).await?.ended().await;
//! let heard = recording.finish().await?;
//! assert!(heard.is_audible());
//! # call.hang_up().await?;
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Encryption, and WebRTC
//! [`Builder::transport`](client::Builder::transport) and [`tls`](client::Builder::tls) put SIP on TLS;
//! [`srtp`](client::Builder::srtp) encrypts the audio, with keys that only TLS keeps secret.
//! [`webrtc`](client::Builder::webrtc) makes a client what a page in a browser is: SIP over a WebSocket, full ICE, DTLS-SRTP and Opus, with
//! the same verbs as ever. A server takes browsers with
//! [`with_websocket`](sessions::SessionManagerBuilder::with_websocket), and translates between them and phones.
//!
//! ```no_run
//! use sip_stack::client::presets;
//! use sip_stack::transport::tls::ClientTls;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let tls = ClientTls::system()?;
//! let phone = presets::web_phone("192.0.2.7".parse()?, "/ws", tls).start().await?;
//! phone.account("sip:1001@pbx.example;transport=wss", "1001", "secret")?.register().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Errors and ends
//! Each face has an error of its own that says what was wrong: [`client::ClientError`], [`sessions::SessionError`],
//! [`audio::SoundError`]. A refusal carries its SIP [`StatusCode`]. What the network sends never ends a stack or panics in it: it becomes
//! an answer, an event, or the record of a call. [`client::Client::stop`] and
//! [`SessionControl::stop`](sessions::SessionControl::stop) end calls and registrations properly; a stack whose last handle is dropped
//! does the same by itself.
//!
//! # Programs to begin with
//! In `examples/`, each run by a test: `softphone`, `echo_server`, `caller` and `callee` (two peers without a server), `call_in_bot`,
//! `sip_server`, and `wav_recorder`.

pub mod audio;
pub mod client;
mod clock;
mod digits;
pub mod dns;
mod driver;
mod dscp;
mod fetch;
mod handle;
mod instant;
pub mod media;
pub mod probe;
pub mod sessions;
pub mod signalling;
mod spin;
mod stack;
pub mod tap;
mod trace;
pub mod transport;

pub use clock::Clock;
pub use driver::Application;
pub use dscp::Dscp;
pub use fetch::FetchSettings;
pub use handle::{Busy, Gone, Handle};
pub use instant::InstantMessage;
pub use stack::{Stack, StackConfig, StartError};

pub use media_core::negotiated::Codec;
pub use session_core::SrtpPolicy;
pub use sip_core::flow::Transport;
pub use sip_core::message::StatusCode;
