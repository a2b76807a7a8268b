//! Errors of the start.

use std::fmt;

use crate::config::ConfigError;

/// Why the gateway did not start: one line for people.
#[derive(Debug)]
pub struct ServeError(pub(super) String);

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServeError {}

/// An error of one part of the gateway.
pub(super) fn failed(what: impl fmt::Display, why: impl fmt::Display) -> ServeError {
    ServeError(format!("{what}: {why}"))
}

/// All errors of a configuration, one on each line.
pub(super) fn all(errors: Vec<ConfigError>) -> ServeError {
    ServeError(
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
    )
}
