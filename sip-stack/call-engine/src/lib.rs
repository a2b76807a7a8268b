//! Policy without SIP: calls in, decisions out.
//!
//! [`DialPlan`] decides who is called: a [`CallRequest`] goes in, a [`Decision`] comes out. [`acd`] has
//! callers wait for agents; [`CallHandling`] and [`RingGroup`] say whose phones ring, and where a call goes that
//! nobody answers.

pub mod acd;
mod call_handling;
mod pattern;
mod plan;
mod ring_group;
mod trunks;

pub use call_handling::{
    Broken, CallHandling, Chain, Forwarded, InVain, MOST_FORWARDINGS, NO_ANSWER_AFTER, Treatment,
};
pub use pattern::{Pattern, PatternError};
pub use plan::{Action, Application, CallRequest, CallerId, Decision, DialPlan, Origin, Rule};
pub use ring_group::{RingGroup, RingStrategy};
pub use trunks::{TrunkChoice, Trunks};
