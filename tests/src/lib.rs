//! Code that tests of more than one crate share.

pub mod carrier;
pub mod corpora;
pub mod fuzz;
pub mod load;
pub mod messages;
pub mod postgres;
pub mod prompts;
pub mod sim;
