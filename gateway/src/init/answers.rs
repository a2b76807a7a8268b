//! Answers to the questions of `cordboard init`: those of the command line, and those of whoever sits at the terminal.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};

use super::InitError;

/// Answers, and whether more can be asked for.
pub(super) struct Answers {
    given: BTreeMap<String, String>,
    is_terminal: bool,
}

impl Answers {
    /// Takes the answers of the command line, `KEY=VALUE`.
    pub(super) fn new(given: Vec<String>) -> Answers {
        let pair = |pair: String| {
            let (key, value) = pair.split_once('=').unwrap_or((&pair, ""));
            (key.trim().to_owned(), value.trim().to_owned())
        };
        Answers {
            given: given.into_iter().map(pair).collect(),
            is_terminal: std::io::stdin().is_terminal(),
        }
    }

    /// The answer to a question; `default` where there is none. Without a default the question must be answered.
    ///
    /// # Errors
    /// The question was not answered, and nobody can be asked.
    pub(super) fn ask(&mut self, key: &str, what: &str, default: Option<&str>) -> Result<String, InitError> {
        if let Some(value) = self.given.remove(key) {
            return Ok(value);
        }
        let asked = match self.is_terminal {
            true => read(key, what, default).map_err(|error| error.to_string())?,
            false => None,
        };
        asked
            .or_else(|| default.map(str::to_owned))
            .ok_or_else(|| format!("{key} is needed: {what}. Give it with --set {key}=VALUE"))
    }

    /// Says which answers were given to no question.
    ///
    /// # Errors
    /// There are some.
    pub(super) fn finish(self) -> Result<(), InitError> {
        match self.given.keys().next() {
            Some(key) => Err(format!("--set {key}: nobody asks for it")),
            None => Ok(()),
        }
    }
}

/// Asks at the terminal, again and again where an answer is needed. `None` at the end of the input.
fn read(key: &str, what: &str, default: Option<&str>) -> std::io::Result<Option<String>> {
    let shown = default.filter(|default| !default.is_empty());
    let shown = shown.map(|default| format!(" [{default}]")).unwrap_or_default();
    loop {
        print!("\n{what}\n{key}{shown}: ");
        std::io::stdout().flush()?;
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match (line.trim(), default) {
            ("", None) => println!("This one is needed."),
            ("", Some(default)) => return Ok(Some(default.to_owned())),
            (value, _) => return Ok(Some(value.to_owned())),
        }
    }
}
