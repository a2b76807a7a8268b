//! Telephone numbers in canonical form (RFC 8224 §8.3).

use std::sync::Arc;

use crate::numbers::Numbering;

/// Rules that make a number international which is written in the national way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Way in which numbers are dialled here; `None`: numbers are understood with their country code alone.
    pub at: Option<Arc<Numbering>>,
}

/// Digits of the longest number (ITU-T E.164).
const LONGEST: usize = 15;

impl Numbers {
    /// A number in canonical form: digits with the country code in front, and no `+`. `None`: it is no telephone number.
    ///
    /// Visual separators are left out. A number without `+` that is not one of the place has its country code already.
    #[must_use]
    pub fn canonical(&self, number: &str) -> Option<String> {
        let number = number.trim();
        let (is_full, rest) = match number.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, number),
        };
        let mut digits = String::with_capacity(rest.len());
        for c in rest.chars() {
            match c {
                '0'..='9' | '*' | '#' => digits.push(c),
                ' ' | '-' | '.' | '(' | ')' | '/' => {}
                _ => return None,
            }
        }
        let known = self
            .at
            .as_ref()
            .filter(|_| !is_full)
            .and_then(|at| at.e164(&digits));
        let digits = known.map_or(digits, |known| known.trim_start_matches('+').to_owned());
        (!digits.is_empty() && digits.len() <= LONGEST).then_some(digits)
    }
}
