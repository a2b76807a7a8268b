//! Errors and warnings of a configuration: problem, place and correction.

use std::fmt;
use std::path::PathBuf;

/// Severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The gateway does not start with it.
    Error,
    /// Legal, and surely not meant.
    Warning,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Severity.
    pub severity: Severity,
    /// The file; empty without one.
    pub file: PathBuf,
    /// Line and column, from 1; `None` when the file as a whole is meant.
    pub at: Option<(usize, usize)>,
    /// The problem and its correction.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.as_os_str().is_empty() {
            write!(f, "{}", self.file.display())?;
            if let Some((line, column)) = self.at {
                write!(f, ":{line}:{column}")?;
            }
            f.write_str(": ")?;
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}
