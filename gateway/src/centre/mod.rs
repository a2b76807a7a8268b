//! The call centre of the gateway: callers wait in queues, agents in browser tabs take them.
//!
//! `call-engine`'s [`Acd`](call_engine::acd::Acd) decides; here its decisions become calls, and what happens becomes objects that pages
//! see ([`view`]) and numbered events ([`hub`]).

mod arrange;
pub mod caller;
pub mod command;
mod consult;
pub mod desk;
pub mod directory;
mod happens;
mod history;
pub mod hub;
mod ids;
pub mod keep;
pub mod known;
pub mod ledger;
pub mod open;
mod portrait;
mod refer;
pub mod restored;
mod scribe;
mod supervise;
mod told;
pub mod view;
mod walks;
