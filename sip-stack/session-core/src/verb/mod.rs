//! Verbs: operations on calls, one file each.

mod absent;
mod announce;
mod answer;
mod dial;
mod dtmf;
mod hangup;
mod hold;
mod inbound;
mod member;
mod offer;
mod probe;
mod redirect;
mod register;
mod replace;
mod report;
mod restore;
mod silence;
mod transfer;
mod trunks;
mod users;

pub use dial::{Caller, Dial, OnFailure, OutgoingCall, Party};
pub(crate) use inbound::{host_of, user_of};
pub use offer::Offer;
pub(crate) use redirect::Redirect;
pub(crate) use register::Account;
pub use register::Registration;
pub use restore::SavedLeg;
pub(crate) use transfer::Refer;
