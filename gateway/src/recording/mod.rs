//! Recordings of calls: which calls are recorded, the thread that writes them, and the folder that keeps them.
//!
//! The switch sees calls come together and decides by the rules ([`control`]); a task taps the far side's leg and hands the tap to the
//! writer ([`task`], [`writer`]); the sound is made by [`media_core::recording`], and the files by [`file`] and [`library`].

pub mod control;
mod entry;
mod file;
pub mod library;
pub mod rules;
mod seal;
pub(crate) mod task;
mod wav;
mod writer;

pub use entry::{Recording, RecordingPause, RecordingState};
pub use library::{Library, Shelf};
pub use rules::{Rule, Share};
pub use seal::MasterKey;

pub(crate) use file::Content;
pub(crate) use library::Deed;

/// Settings of recordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingSettings {
    /// The folder.
    pub shelf: Shelf,
    /// Samples a second: 8,000 or 16,000.
    pub rate: u32,
    /// Digits are replaced by silence.
    pub silences_digits: bool,
    /// Rules; the first that fits a call decides.
    pub rules: Vec<Rule>,
}
