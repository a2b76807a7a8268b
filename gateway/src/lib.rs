//! The gateway: configuration, HTTP, and the switch where signalling and policy meet.

pub mod auth;
mod budget;
pub mod call_counts;
mod call_log;
pub mod centre;
pub mod check;
pub mod cli;
pub mod config;
pub mod control;
pub mod demo;
mod first_admin;
pub mod http;
pub mod logging;
pub mod phone;
pub mod prompts;
pub mod provisioning;
pub mod quality;
mod ready;
mod reload;
pub mod routing;
pub mod serve;
pub mod service;
mod signals;
pub mod store;
pub mod switch;
mod tidy;
mod watch;
