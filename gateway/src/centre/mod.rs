//! The call centre of the gateway: callers wait in queues, agents in browser tabs take them.
//!
//! `call-engine`'s [`Acd`](call_engine::acd::Acd) decides; here its decisions become calls, and events of calls become objects that pages
//! see ([`view`]) and numbered events ([`event_stream`]).

mod agents;
mod call;
mod calls;
pub mod command;
pub mod context;
pub mod controller;
pub mod direct;
pub mod directory;
mod engine;
pub mod event_stream;
mod history;
mod ids;
mod invitation;
pub mod journal;
mod journal_writer;
pub mod last_agent;
mod legs;
mod numbers;
mod open_records;
pub mod persistence;
mod projection;
mod publication;
mod publisher;
mod queue_calls;
mod reconfigure;
pub mod recovery;
mod rights;
pub mod signalling;
pub mod start;
pub mod statistics;
mod targets;
mod today;
pub mod view;
