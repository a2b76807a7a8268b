//! Skills, steps of widening, and lists.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::str::FromStr;

use toml::de::DeValue;

use super::super::queue::Widening;
use super::super::reader::text;
use super::{FieldErrors, Number, Setting, Table};

/// Level of a skill.
const LEVEL: Number<u8> = Number::new(1, 100);

/// Skills with their levels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Skills {
    /// Greatest number of skills.
    pub(crate) most: usize,
}

impl Setting for Skills {
    type Value = BTreeMap<String, u8>;

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<BTreeMap<String, u8>> {
        let path = t.s.path(key);
        let mut skills = BTreeMap::new();
        for (name, value, at) in t.r.entries(t.s, key, "{ english = 80 }") {
            match skill_name(name).and_then(|()| LEVEL.of(value)) {
                Ok(level) => {
                    skills.insert(name.to_owned(), level);
                }
                Err(message) => t.r.fail(at, format!("{path}.{name}: {message}")),
            }
        }
        Some(skills)
    }

    fn check(&self, field: &str, value: &BTreeMap<String, u8>, wrong: &mut FieldErrors) {
        at_most(self.most, value.len(), field, wrong);
        for (name, level) in value {
            if let Err(error) = skill_name(name) {
                wrong.push((field.to_owned(), error));
            }
            LEVEL.check(&format!("{field}.{name}"), level, wrong);
        }
    }

    fn values(&self) -> String {
        format!("levels {}: `{{ english = 50 }}`", LEVEL.values())
    }

    fn shown(&self, _: &BTreeMap<String, u8>) -> String {
        "none".to_owned()
    }
}

/// Checks the name of a skill: one word or a few, at most 32 characters.
fn skill_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_alphanumeric() || "-_. +".contains(c);
    if name.trim() != name || name.is_empty() || name.chars().count() > 32 || !name.chars().all(plain) {
        return Err(format!(
            "`{}` is not a skill name, e.g. english: 1 to 32 letters, digits, blanks, -, _, . and +",
            name.escape_debug()
        ));
    }
    Ok(())
}

/// Adds an error if there are more than `most`.
pub(crate) fn at_most(most: usize, there: usize, field: &str, wrong: &mut FieldErrors) {
    if there > most {
        wrong.push((field.to_owned(), format!("at most {most}")));
    }
}

/// Steps of widening, each after the one before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    /// Greatest number of steps.
    pub(crate) most: usize,
}

impl Steps {
    fn ascending(&self, steps: &[Widening]) -> Result<(), String> {
        if steps.len() > self.most {
            return Err(format!("at most {} steps", self.most));
        }
        if steps.windows(2).any(|two| two[0].after >= two[1].after) {
            return Err("each step must come after the one before".into());
        }
        Ok(())
    }
}

impl Setting for Steps {
    type Value = Vec<Widening>;

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<Vec<Widening>> {
        let mut steps = Vec::new();
        for (mut table, at) in t.r.sections(t.s, key) {
            steps.extend(Widening::read(&mut Table::new(t.r, &mut table, &at)));
            t.r.finish(table);
        }
        if let Err(message) = self.ascending(&steps) {
            let at = t.s.span(key).unwrap_or(0..0);
            t.r.fail(at, format!("{}: {message}", t.s.path(key)));
        }
        Some(steps)
    }

    fn check(&self, field: &str, value: &Vec<Widening>, wrong: &mut FieldErrors) {
        if let Err(error) = self.ascending(value) {
            wrong.push((field.to_owned(), error));
        }
        for (n, step) in value.iter().take(self.most).enumerate() {
            step.check(&format!("{field}[{n}]."), wrong);
        }
    }

    fn values(&self) -> String {
        let keys = Widening::described().into_iter().map(|key| {
            let name = key.keys.join(", ");
            let default = match &*key.default {
                "required" => "required".to_owned(),
                default => format!("default {default}"),
            };
            format!("`{name}` ({}, {default}): {}", key.values, key.meaning)
        });
        let keys: Vec<String> = keys.collect();
        format!(
            "up to {}: `[{{ after = 30, max_tier = 2, lower = 20 }}]`. {}",
            self.most,
            keys.join(" ")
        )
    }

    fn shown(&self, _: &Vec<Widening>) -> String {
        "none".to_owned()
    }
}

/// Several values, each written as a text or, for days, as a date.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<T> {
    most: usize,
    kind: PhantomData<T>,
}

impl<T> List<T> {
    pub(crate) const fn new(most: usize) -> List<T> {
        List {
            most,
            kind: PhantomData,
        }
    }
}

impl<T: FromStr<Err = String>> Setting for List<T> {
    type Value = Vec<T>;

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<Vec<T>> {
        t.r.list(t.s, key, |value| match value {
            DeValue::Datetime(day) => day.to_string().parse(),
            _ => text(value)?.parse(),
        })
    }

    fn check(&self, field: &str, value: &Vec<T>, wrong: &mut FieldErrors) {
        at_most(self.most, value.len(), field, wrong);
    }

    fn values(&self) -> String {
        format!("up to {}", self.most)
    }

    fn shown(&self, _: &Vec<T>) -> String {
        "none".to_owned()
    }
}
