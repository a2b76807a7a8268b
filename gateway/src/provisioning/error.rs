//! Version that a change is meant for, and reasons why it was not made.

use crate::auth::NoEntropy;
use crate::auth::password::Overloaded;
use crate::centre::command::Refused;
use crate::config::setting::FieldErrors;
use crate::store::StoreError;

/// Reason why something was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvisioningError {
    /// The object does not exist.
    Unknown,
    /// The file says so.
    FromFile,
    /// The object exists in another version.
    Changed,
    /// Another one has the name.
    Taken,
    /// There are as many as there may be.
    TooMany,
    /// These fields are wrong.
    Invalid(FieldErrors),
    /// Nobody could configure anything then.
    LastAdmin,
    /// This queue sends calls there.
    InUse(String),
    /// The call centre says no.
    Refused(Refused),
    /// The change cannot be stored now.
    Unavailable,
}

impl From<NoEntropy> for ProvisioningError {
    fn from(_: NoEntropy) -> ProvisioningError {
        ProvisioningError::Unavailable
    }
}

impl From<Overloaded> for ProvisioningError {
    fn from(_: Overloaded) -> ProvisioningError {
        ProvisioningError::Refused(Refused::Busy)
    }
}

impl From<StoreError> for ProvisioningError {
    fn from(error: StoreError) -> ProvisioningError {
        match error {
            StoreError::Conflict | StoreError::NotFound => ProvisioningError::Changed,
            StoreError::Taken => ProvisioningError::Taken,
            error => {
                tracing::error!(%error, "a change of the configuration cannot be stored");
                ProvisioningError::Unavailable
            }
        }
    }
}

/// Version of an object that a change is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Whichever it is.
    Any,
    /// Settings of the file.
    File,
    /// None that there ever was.
    Never,
    /// This one.
    Version(u64),
}

impl Match {
    pub(super) fn check(self, version: u64) -> Result<(), ProvisioningError> {
        match self {
            Match::Any => Ok(()),
            Match::Version(wanted) if wanted == version => Ok(()),
            Match::Version(_) | Match::File | Match::Never => Err(ProvisioningError::Changed),
        }
    }
}
