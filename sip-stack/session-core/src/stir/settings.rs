//! Settings of signed callers.

use std::sync::Arc;

use super::{Anchors, Numbers};

/// Treatment of the signatures that a trunk's calls come with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// They are not looked at.
    #[default]
    Off,
    /// The verdict is shown; the call goes on whatever it is.
    Show,
    /// Calls without a good signature are refused.
    Required,
}

/// Settings for all trunks.
#[derive(Clone, Debug, Default)]
pub struct StirSettings {
    /// Authorities whose certificates are trusted.
    pub anchors: Arc<Anchors>,
    /// Rules for numbers that are written in the national way.
    pub numbers: Numbers,
}
