//! Setting of formats that we cannot decode, and pass on between phones and trunks.

use media_core::negotiated::Passed;

/// Formats that a phone or trunk may have though we can neither decode nor encode them: they go as they are to another one that has them too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PassThrough {
    /// All.
    #[default]
    All,
    /// Those that are called so, in any case.
    Only(Vec<String>),
}

impl PassThrough {
    /// None.
    #[must_use]
    pub const fn off() -> PassThrough {
        PassThrough::Only(Vec::new())
    }

    /// True if no format is passed on.
    #[must_use]
    pub const fn is_off(&self) -> bool {
        matches!(self, PassThrough::Only(names) if names.is_empty())
    }

    pub(crate) fn allows(&self, passed: &Passed) -> bool {
        match self {
            PassThrough::All => true,
            PassThrough::Only(names) => names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(passed.format.name())),
        }
    }
}
