//! A table of the file, and whether each of its keys was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Behind, Section};

impl<'t> Section<'t> {
    pub(in crate::config) fn new(name: impl Into<String>, table: &'t DeTable<'t>) -> Section<'t> {
        Section {
            name: name.into(),
            table,
            asked: BTreeSet::new(),
            behind: None,
        }
    }

    /// Lets a table count where this one is silent. `hints` explain the keys that it leaves to this one, and `named` is the place
    /// in the file that names it.
    pub(in crate::config) fn fall_back(
        &mut self,
        table: &'t DeTable<'t>,
        hints: &'t BTreeMap<String, String>,
        named: Range<usize>,
    ) {
        self.behind = Some(Behind { table, named, hints });
    }

    pub(super) fn value(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.asked.insert(key);
        let behind = || self.behind.as_ref()?.table.get(key);
        self.table.get(key).or_else(behind)
    }

    /// Lets a key be there that is read elsewhere.
    pub(in crate::config) fn leave(&mut self, key: &'static str) {
        self.asked.insert(key);
    }

    /// The value of a key is `false`.
    pub(in crate::config) fn is_false(&mut self, key: &'static str) -> bool {
        self.value(key)
            .is_some_and(|value| value.get_ref().as_bool() == Some(false))
    }

    /// Number of these keys that the file has.
    pub(in crate::config) fn written(&self, keys: &[&str]) -> usize {
        keys.iter().filter(|key| self.table.contains_key(**key)).count()
    }

    /// Place of the value of a key.
    pub(in crate::config) fn span(&self, key: &str) -> Option<Range<usize>> {
        let behind = || {
            let behind = self.behind.as_ref()?;
            behind.table.contains_key(key).then(|| behind.named.clone())
        };
        self.table.get(key).map(Spanned::span).or_else(behind)
    }

    pub(in crate::config) fn path(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }
}

impl<'t> Behind<'t> {
    /// The table under a key.
    pub(super) fn under(&self, key: &str) -> Option<Behind<'t>> {
        match self.table.get(key)?.get_ref() {
            DeValue::Table(table) => Some(Behind {
                table,
                named: self.named.clone(),
                hints: self.hints,
            }),
            _ => None,
        }
    }
}
