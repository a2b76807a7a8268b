//! Sessions from code: a [`SessionCoordinator`] makes, takes, bridges and ends calls; a [`CallHandler`] decides about those that come
//! in.
//!
//! | to | take |
//! |---|---|
//! | decide about a call: answer, refuse, let it ring, connect it with somebody | [`CallHandler::on_incoming_call`], [`CallDecision`] |
//! | have users that register, call, transfer and write | [`SessionManagerBuilder::with_user`] |
//! | serve browsers | [`SessionManagerBuilder::with_websocket`] |
//! | call, end | [`create_outgoing_call`](SessionCoordinator::create_outgoing_call), [`terminate_session`](SessionCoordinator::terminate_session) |
//! | see what there is | [`find_session`](SessionCoordinator::find_session), [`list_active_sessions`](SessionCoordinator::list_active_sessions), [`get_stats`](SessionCoordinator::get_stats) |
//! | bridge calls, two or more | [`bridge_sessions`](SessionCoordinator::bridge_sessions), [`create_bridge`](SessionCoordinator::create_bridge), [`subscribe_to_bridge_events`](SessionCoordinator::subscribe_to_bridge_events) |
//! | hold, transfer | [`hold`](SessionCoordinator::hold), [`transfer`](SessionCoordinator::transfer), [`transfer_attended`](SessionCoordinator::transfer_attended) |
//! | play, record, stream | [`play_wav`](SessionCoordinator::play_wav), [`record_wav`](SessionCoordinator::record_wav), [`send_audio`](SessionCoordinator::send_audio), [`receive_audio`](SessionCoordinator::receive_audio) |
//! | press keys, write | [`send_dtmf`](SessionCoordinator::send_dtmf), [`send_message`](SessionCoordinator::send_message) |
//!
//! A server that answers every call:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use sip_stack::sessions::{
//!     Application, CallDecision, CallHandler, IncomingCall, SessionControl, SessionId, SessionManagerBuilder,
//! };
//!
//! struct Everybody;
//!
//! impl CallHandler for Everybody {
//!     fn on_incoming_call(&self, _: SessionId, _: &IncomingCall) -> CallDecision {
//!         CallDecision::Accept(Some(Application::Echo))
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let builder = SessionManagerBuilder::new().with_sip_port(5060).with_handler(Arc::new(Everybody));
//! let coordinator = builder.build().await?;
//! SessionControl::start(&coordinator).await?;
//! # Ok(())
//! # }
//! ```

mod application;
mod bridges;
mod builder;
mod control;
mod coordinator;
mod error;
mod handler;
mod media;
mod transfer;

pub use builder::SessionManagerBuilder;
pub use control::SessionControl;
pub use coordinator::SessionCoordinator;
pub use error::SessionError;
pub use handler::{CallDecision, CallHandler, MessageDecision};
pub use media::MediaError;

pub use session_core::{
    Application, BridgeError, BridgeEvent, BridgeId, BridgeInfo, CallRecord, CallSession, CallState, Cause,
    IncomingCall, SessionId, Stats,
};
