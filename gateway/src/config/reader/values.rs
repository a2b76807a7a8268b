//! Values of keys: their types, their ranges, and names that were meant where another was written.

use toml::de::DeValue;

/// A TOML type with its article.
pub(in crate::config) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

pub(in crate::config) fn text<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("is {}, but must be a string", kind(value)))
}

pub(in crate::config) fn filled(value: &DeValue<'_>) -> Result<String, String> {
    match text(value)?.trim() {
        "" => Err("is empty".into()),
        filled => Ok(filled.to_owned()),
    }
}

pub(in crate::config) fn boolean(value: &DeValue<'_>) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("is {}, but must be true or false", kind(value)))
}

pub(in crate::config) fn number(
    value: &DeValue<'_>,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, String> {
    let wanted = || format!("must be an integer from {} to {}", range.start(), range.end());
    let read = value
        .as_integer()
        .ok_or_else(|| format!("is {}, but {}", kind(value), wanted()))?;
    let plain = read.as_str().replace('_', "");
    match u64::from_str_radix(&plain, read.radix()) {
        Ok(n) if range.contains(&n) => Ok(n),
        _ => Err(wanted()),
    }
}

/// Message about a name of something that is not there.
pub(in crate::config) fn unknown<'n>(
    key: &str,
    what: &str,
    name: &str,
    there: impl Iterator<Item = &'n String>,
) -> String {
    let there: Vec<&str> = there.map(String::as_str).collect();
    let there = if there.is_empty() {
        format!("no {what} is configured")
    } else {
        format!("known: {}", there.join(", "))
    };
    format!("{key}: there is no {what} `{name}`; {there}")
}

/// Puts a value in its place if the file has one.
pub(in crate::config) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// The key nearest to the written one, if it is near.
pub(super) fn closest<'k>(written: &str, keys: &[&'k str]) -> Option<&'k str> {
    let near = keys.iter().map(|k| (distance(written, k), *k)).min()?;
    (near.0 <= (written.chars().count() / 3).max(1)).then_some(near.1)
}

/// Edits from one word to another (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
