//! Demands of a carrier, as its profile writes them.

use regex::Regex;
use toml::Table;

use super::message::Seen;

/// One demand.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The demand as a sentence.
    pub name: String,
    /// The story that leads to the message.
    pub run: String,
    /// Place in the message.
    pub place: String,
    /// Demand on that place.
    pub check: Check,
}

/// Demand on a place of a message.
#[derive(Clone, Debug)]
pub enum Check {
    /// It is there and looks like this.
    Matches(Regex),
    /// It is there and does not look like this; the text is an example of what does.
    Lacks(Regex, String),
    /// It is not there.
    Absent,
}

impl Scenario {
    /// The message does what the carrier demands.
    #[must_use]
    pub fn holds(&self, seen: &Seen) -> bool {
        let text = seen.text(&self.place);
        match (&self.check, text) {
            (Check::Matches(wanted), Some(text)) => wanted.is_match(&text),
            (Check::Lacks(unwanted, _), Some(text)) => !unwanted.is_match(&text),
            (Check::Absent, text) => text.is_none(),
            (_, None) => false,
        }
    }

    /// The message with one change, at the place of this demand, after which it does not hold any more.
    #[must_use]
    pub fn broken(&self, seen: &Seen) -> Seen {
        match &self.check {
            // Of a whole body only the lines that the demand is about.
            Check::Matches(wanted) => seen.with(&self.place, None, |line| wanted.is_match(line)),
            Check::Lacks(_, example) => seen.with(&self.place, Some(example), |_| false),
            Check::Absent => seen.with(&self.place, Some("x"), |_| false),
        }
    }

    fn read(table: &Table) -> Result<Scenario, String> {
        let text = |key: &str| table.get(key).and_then(|value| value.as_str());
        let need = |key: &str| {
            text(key)
                .map(str::to_owned)
                .ok_or(format!("{key} is missing: {table}"))
        };
        let regex = |text: &str| Regex::new(text).map_err(|error| error.to_string());
        let absent = table.get("absent").and_then(toml::Value::as_bool);
        let check = match (text("matches"), text("lacks"), absent) {
            (Some(wanted), None, None) => Check::Matches(regex(wanted)?),
            (None, Some(unwanted), None) => Check::Lacks(regex(unwanted)?, need("example")?),
            (None, None, Some(true)) => Check::Absent,
            _ => {
                return Err(format!(
                    "one of matches, lacks and absent = true is needed: {table}"
                ));
            }
        };
        Ok(Scenario {
            name: need("name")?,
            run: need("run")?,
            place: need("check")?,
            check,
        })
    }
}

/// All demands of the text of a profile.
///
/// # Errors
/// Something in it is wrong.
pub fn scenarios(profile: &str) -> Result<Vec<Scenario>, String> {
    let table: Table = profile
        .parse()
        .map_err(|error: toml::de::Error| error.to_string())?;
    let all = table.get("scenarios").and_then(toml::Value::as_array);
    let tables = all.into_iter().flatten().filter_map(toml::Value::as_table);
    tables.map(Scenario::read).collect()
}
