//! Reading TOML so that all errors are reported at once, each with its place.

mod section;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, Severity};
use values::closest;
pub(super) use values::{boolean, filled, kind, number, set, text, unknown};

/// Collects mistakes in one file.
pub(crate) struct Reader<'t> {
    file: &'t Path,
    text: &'t str,
    pub(super) errors: Vec<ConfigError>,
    pub(super) warnings: Vec<ConfigError>,
}

/// A table, and which of its keys were asked for.
pub(crate) struct Section<'t> {
    name: String,
    table: &'t DeTable<'t>,
    asked: BTreeSet<&'static str>,
    /// Table that counts where this one is silent.
    behind: Option<Behind<'t>>,
}

/// A table of another file, behind one of this file.
#[derive(Clone)]
struct Behind<'t> {
    table: &'t DeTable<'t>,
    /// Place in this file that names it.
    named: Range<usize>,
    /// Explanations of keys that it leaves to this file.
    hints: &'t BTreeMap<String, String>,
}

/// A table, or anything else, with its place.
pub(super) enum Mixed<'t> {
    Table(Section<'t>, Range<usize>),
    Value(&'t DeValue<'t>, Range<usize>),
}

impl<'t> Reader<'t> {
    pub(super) fn new(file: &'t Path, text: &'t str) -> Reader<'t> {
        Reader {
            file,
            text,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn fail(&mut self, span: Range<usize>, message: impl Into<String>) {
        let error = self.at(Severity::Error, span, message.into());
        self.errors.push(error);
    }

    /// Adds a warning: a setting that is legal and surely not meant.
    pub(super) fn warn(&mut self, span: Range<usize>, message: impl Into<String>) {
        let warning = self.at(Severity::Warning, span, message.into());
        self.warnings.push(warning);
    }

    /// Adds an error about the file as a whole.
    pub(super) fn refuse(&mut self, message: String) {
        self.errors.push(ConfigError {
            severity: Severity::Error,
            file: self.file.to_owned(),
            at: None,
            message,
        });
    }

    fn at(&self, severity: Severity, span: Range<usize>, message: String) -> ConfigError {
        ConfigError {
            severity,
            file: self.file.to_owned(),
            at: Some(self.place(&span)),
            message,
        }
    }

    /// Line and column, counted from 1.
    pub(super) fn place(&self, span: &Range<usize>) -> (usize, usize) {
        let before = &self.text[..span.start.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// Values of a key that takes one value or an array, each with its place.
    pub(super) fn values(
        &self,
        section: &mut Section<'t>,
        key: &'static str,
    ) -> Vec<(&'t DeValue<'t>, Range<usize>)> {
        let Some(value) = section.value(key) else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| (item.get_ref(), item.span())).collect(),
            one => vec![(one, value.span())],
        }
    }

    /// Reports what is wrong with a value, at its place or where the table behind is named.
    fn fail_value(&mut self, section: &Section<'t>, key: &str, span: Range<usize>, message: String) {
        let own = section.table.contains_key(key);
        let at = section.span(key).filter(|_| !own).unwrap_or(span);
        self.fail(at, format!("{}: {message}", section.path(key)));
    }

    /// The value of a key, read by `convert`, which describes the error and its correction.
    pub(super) fn get<T>(
        &mut self,
        section: &mut Section<'t>,
        key: &'static str,
        convert: impl FnOnce(&DeValue<'t>) -> Result<T, String>,
    ) -> Option<T> {
        let value = section.value(key)?;
        match convert(value.get_ref()) {
            Ok(read) => Some(read),
            Err(message) => {
                self.fail_value(section, key, value.span(), message);
                None
            }
        }
    }

    /// The values of a key that takes one or an array of them; each wrong one is reported at its own place.
    pub(super) fn list<T>(
        &mut self,
        section: &mut Section<'t>,
        key: &'static str,
        convert: impl Fn(&DeValue<'t>) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let value = section.value(key)?;
        let items = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        let mut read = Some(Vec::with_capacity(items.len()));
        for item in items {
            match (convert(item.get_ref()), &mut read) {
                (Ok(one), Some(all)) => all.push(one),
                (Ok(_), None) => {}
                (Err(message), _) => {
                    self.fail_value(section, key, item.span(), message);
                    read = None;
                }
            }
        }
        read
    }

    /// The value of a key that must be there.
    pub(super) fn need<T>(
        &mut self,
        section: &mut Section<'t>,
        key: &'static str,
        span: &Range<usize>,
        convert: impl FnOnce(&DeValue<'t>) -> Result<T, String>,
    ) -> Option<T> {
        if section.span(key).is_none() {
            section.asked.insert(key);
            self.missing(section, key, span);
            return None;
        }
        self.get(section, key, convert)
    }

    /// Reports that a key must be there, and what belongs there if that is known.
    pub(super) fn missing(&mut self, section: &Section<'t>, key: &str, span: &Range<usize>) {
        let hint = section.behind.as_ref().and_then(|behind| behind.hints.get(key));
        let hint = hint.map(|hint| format!(": {hint}")).unwrap_or_default();
        self.fail(span.clone(), format!("{} is missing{hint}", section.path(key)));
    }

    /// A table under a key, if there is one.
    pub(super) fn section(&mut self, parent: &mut Section<'t>, key: &'static str) -> Option<Section<'t>> {
        let value = parent.value(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Section::new(parent.path(key), table)),
            other => {
                let message = format!(
                    "{} is {}, but must be a table: [{key}]",
                    parent.path(key),
                    kind(other)
                );
                self.fail(value.span(), message);
                None
            }
        }
    }

    /// Whatever names stand in a table under a key, with their values and places.
    pub(super) fn entries(
        &mut self,
        parent: &mut Section<'t>,
        key: &'static str,
        example: &str,
    ) -> Vec<(&'t str, &'t DeValue<'t>, Range<usize>)> {
        let Some(value) = parent.value(key) else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::Table(table) => table
                .iter()
                .map(|(name, value)| (name.get_ref().as_ref(), value.get_ref(), value.span()))
                .collect(),
            other => {
                let message = format!(
                    "{} is {}, but must be a table, e.g. {example}",
                    parent.path(key),
                    kind(other)
                );
                self.fail(value.span(), message);
                Vec::new()
            }
        }
    }

    /// The values of a key that takes one or an array of them: tables, or anything else.
    pub(super) fn mixed(&mut self, parent: &mut Section<'t>, key: &'static str) -> Option<Vec<Mixed<'t>>> {
        let value = parent.value(key)?;
        let items: Vec<&'t Spanned<DeValue<'t>>> = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        let behind = parent.behind.as_ref().and_then(|behind| behind.under(key));
        let at = |item: &Spanned<DeValue<'t>>| match parent.table.contains_key(key) {
            true => item.span(),
            false => parent.span(key).unwrap_or_else(|| item.span()),
        };
        let mixed = items.into_iter().map(|item| match (item.get_ref(), &behind) {
            (DeValue::Table(table), _) => {
                let section = Section::new(parent.path(key), table);
                Mixed::Table(
                    Section {
                        behind: behind.clone(),
                        ..section
                    },
                    at(item),
                )
            }
            // Wanted as the table behind says.
            (DeValue::Boolean(true), Some(behind)) => {
                let section = Section::new(parent.path(key), behind.table);
                Mixed::Table(section, at(item))
            }
            (other, _) => Mixed::Value(other, at(item)),
        });
        Some(mixed.collect())
    }

    /// The tables of an array under a key, each with its place.
    pub(super) fn sections(
        &mut self,
        parent: &mut Section<'t>,
        key: &'static str,
    ) -> Vec<(Section<'t>, Range<usize>)> {
        let Some(value) = parent.value(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            let message = format!(
                "{key} is {}, but must be tables: [[{key}]]",
                kind(value.get_ref())
            );
            self.fail(value.span(), message);
            return Vec::new();
        };
        let mut found = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(table) => found.push((Section::new(parent.path(key), table), item.span())),
                other => self.fail(
                    item.span(),
                    format!("{key}: is {}, but must be a table", kind(other)),
                ),
            }
        }
        found
    }

    /// Complains of keys that nobody asked for, in this table and in the one behind it.
    pub(super) fn finish(&mut self, section: Section<'t>) {
        let behind = section.behind.iter().flat_map(|behind| {
            let keys = behind.table.iter().map(|(key, _)| key.get_ref().as_ref());
            keys.map(|key: &str| (key, behind.named.clone()))
        });
        for (key, named) in behind.filter(|(key, _)| !section.asked.contains(key)) {
            self.fail(named, format!("unknown key `{key}` behind [{}]", section.name));
        }
        for (key, _) in section.table.iter() {
            let name = key.get_ref().as_ref();
            if section.asked.contains(name) {
                continue;
            }
            let asked: Vec<&str> = section.asked.iter().copied().collect();
            let hint = match closest(name, &asked) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", asked.join(", ")),
            };
            let place = if section.name.is_empty() {
                String::new()
            } else {
                format!(" in [{}]", section.name)
            };
            self.fail(key.span(), format!("unknown key `{name}`{place}; {hint}"));
        }
    }
}
