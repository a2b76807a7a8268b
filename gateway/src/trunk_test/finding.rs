//! Findings of the steps, each as a line for people.

use std::fmt;

/// Outcome of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grade {
    /// As it should be.
    Good,
    /// Works, and is perhaps not as it should be.
    Doubtful,
    /// Does not work.
    Wrong,
}

/// Finding of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The step, in one word.
    pub(super) step: &'static str,
    pub(super) grade: Grade,
    /// The fact.
    pub(super) what: String,
    /// Remedy; empty if nothing is to be done.
    pub(super) right: String,
}

impl Finding {
    pub(super) fn good(step: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(step, Grade::Good, what, "")
    }

    pub(super) fn new(
        step: &'static str,
        grade: Grade,
        what: impl Into<String>,
        right: impl Into<String>,
    ) -> Finding {
        Finding {
            step,
            grade,
            what: what.into(),
            right: right.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grade = match self.grade {
            Grade::Good => "good",
            Grade::Doubtful => "note",
            Grade::Wrong => "WRONG",
        };
        write!(f, "{grade:5}  {:12}  {}", self.step, self.what)?;
        if !self.right.is_empty() {
            write!(f, "\n{:21}-> {}", "", self.right)?;
        }
        Ok(())
    }
}
