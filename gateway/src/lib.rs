//! The gateway: configuration, HTTP, and the switch where signalling and policy meet.

pub mod cli;
pub mod config;
