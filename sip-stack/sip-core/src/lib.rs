//! SIP without I/O: messages, framing, the four transaction machines, dialogs of INVITE, digest, registrar.
//!
//! [`endpoint::Endpoint`] is the machine; everything else is a part of it.

pub mod auth;
pub mod dialog;
pub mod endpoint;
pub mod flow;
pub mod framing;
pub mod message;
pub mod network;
pub mod registrar;
pub mod transaction;
pub mod uri;
