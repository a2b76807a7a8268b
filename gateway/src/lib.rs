//! The gateway: configuration, HTTP, and the switch where signalling and policy meet.

pub mod auth;
mod budget;
mod call_log;
pub mod centre;
pub mod check;
pub mod cli;
pub mod config;
pub mod control;
mod first_admin;
pub mod http;
pub mod logging;
pub mod phone;
pub mod provisioning;
mod ready;
mod reload;
pub mod serve;
mod signals;
pub mod store;
pub mod switch;
mod tidy;
mod watch;
