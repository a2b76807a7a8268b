//! The message layer against messages that others wrote.

mod callflows;
mod protos;
mod rsip;
mod torture;
