//! All legs of one media thread.

mod interface;

pub use interface::{Input, Output};
