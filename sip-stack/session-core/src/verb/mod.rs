//! What can be done with calls, one file a verb.

mod answer;
mod bridge;
mod dial;
mod dtmf;
mod hangup;
mod hold;
mod inbound;
mod redirect;
mod register;

pub use dial::{Caller, Dial, OnFailure, OutgoingCall, Party};
pub(crate) use inbound::{host_of, user_of};
pub(crate) use redirect::Redirect;
pub(crate) use register::Account;
pub use register::Registration;
