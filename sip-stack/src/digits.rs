//! Digits that are sent one after the other: keys, and commas for pauses of a second.

use std::time::Duration;

/// Length of a key.
pub(crate) const DIGIT_MS: u16 = 160;
const PAUSE_MS: u16 = 100;

/// The keys of a text, each with the time until the next one; a pause has no key.
///
/// # Errors
/// The first character that is neither a key (`0`-`9`, `*`, `#`, `A`-`D`) nor a comma.
pub(crate) fn steps(digits: &str) -> Result<Vec<(Option<char>, Duration)>, char> {
    let after_key = Duration::from_millis(u64::from(DIGIT_MS + PAUSE_MS));
    digits
        .chars()
        .map(|digit| match digit {
            ',' => Ok((None, Duration::from_secs(1))),
            '0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d' => Ok((Some(digit), after_key)),
            other => Err(other),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_pauses_are_told_apart_and_anything_else_is_named() {
        let keys = |text| steps(text).map(|all| all.into_iter().map(|(key, _)| key).collect::<Vec<_>>());
        assert_eq!(keys("1,#d"), Ok(vec![Some('1'), None, Some('#'), Some('d')]));
        assert_eq!(keys("12x4y"), Err('x'));
        assert_eq!(keys(""), Ok(Vec::new()));
    }
}
