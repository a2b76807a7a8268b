//! The call centre of the gateway: callers wait in queues, agents in browser tabs take them.
//!
//! `call-engine`'s [`Acd`](call_engine::acd::Acd) decides; here its decisions become calls, and what happens becomes objects that pages
//! see ([`view`]) and numbered events ([`event_stream`]).

mod call_events;
pub mod caller;
pub mod command;
mod commands;
mod consult;
pub mod controller;
pub mod directory;
pub mod event_stream;
mod history;
mod ids;
pub mod journal;
mod journal_writer;
pub mod last_agent;
pub mod persistence;
mod projection;
mod publish;
mod reconfigure;
pub mod recovery;
mod refer;
pub mod start;
pub mod statistics;
mod supervise;
pub mod view;
