//! Policy without SIP: calls in, decisions out.
//!
//! [`DialPlan`] decides who is called: a [`CallRequest`] goes in, a [`Decision`] comes out. [`acd`] has
//! callers wait for agents.

pub mod acd;
mod pattern;
mod plan;
mod trunks;

pub use pattern::{Pattern, PatternError};
pub use plan::{Action, Application, CallRequest, CallerId, Decision, DialPlan, Origin, Rule};
pub use trunks::{TrunkChoice, Trunks};
