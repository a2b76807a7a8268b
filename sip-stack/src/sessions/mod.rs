//! Sessions from code: a [`SessionCoordinator`] makes, takes, bridges and ends calls; a [`CallHandler`] decides about those that come
//! in.
//!
//! A server that answers every call:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use session_core::{Application, IncomingCall, SessionId};
//! use sip_stack::sessions::{CallDecision, CallHandler, SessionControl, SessionManagerBuilder};
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
mod builder;
mod coordinator;
mod handler;
mod media;

pub use builder::SessionManagerBuilder;
pub use coordinator::{SessionControl, SessionCoordinator, SessionError};
pub use handler::{CallDecision, CallHandler};
