//! Policy without SIP: calls in, decisions out.
//!
//! [`DialPlan`] says who is called. What it knows of a call is a [`CallRequest`]; what it says is a [`Decision`]. [`acd`] has callers
//! wait for agents.

pub mod acd;
mod pattern;
mod plan;

pub use pattern::{Pattern, PatternError};
pub use plan::{Action, Application, CallRequest, Decision, DialPlan, Origin, Rule};
