//! The message layer against messages that others wrote, and the table of RFCs.

mod callflows;
mod protos;
mod rfcs;
mod rsip;
mod torture;
