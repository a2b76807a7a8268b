//! The gateway: configuration, HTTP, and the switch where signalling and policy meet.

pub mod auth;
mod budget;
pub mod centre;
pub mod cli;
pub mod config;
pub mod http;
pub mod phone;
pub mod roster;
pub mod serve;
pub mod store;
pub mod switch;
