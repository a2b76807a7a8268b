//! Sines: made, and measured.

mod generate;
mod measure;

pub use generate::{Cadence, Dual, Sine, amplitude, digit_frequencies};
pub use measure::{Measured, level_dbm0, measure, power_at};
