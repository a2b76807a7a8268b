//! Kinds of settings: how the file gives a value, which values it may have, and how the documentation describes them. What the
//! file and the API both take is described by these, so one description holds for the reader of the file, for the checks of the API
//! and for the tables of `docs/CONFIGURATION.md`.

mod destination;
mod list;
mod number;
mod text;

use std::ops::Range;

use super::queue_ref::QueueRef;
use super::reader::{Reader, Section, boolean};

pub(crate) use destination::Destination;
pub(crate) use list::{List, Skills, Steps, at_most};
pub(crate) use number::{Interval, Number, Seconds};
pub(crate) use text::{Dialled, Line, Name, Strategies, Text};

/// Fields of an object that the API was sent, with the error of each.
pub(crate) type FieldErrors = Vec<(String, String)>;

/// A table of the file that is being read.
pub(crate) struct Table<'r, 't> {
    pub(super) r: &'r mut Reader<'t>,
    pub(super) s: &'r mut Section<'t>,
    /// Place of the table.
    pub(super) at: &'r Range<usize>,
}

impl<'r, 't> Table<'r, 't> {
    pub(super) fn new(r: &'r mut Reader<'t>, s: &'r mut Section<'t>, at: &'r Range<usize>) -> Table<'r, 't> {
        Table { r, s, at }
    }
}

/// A kind of setting.
pub(crate) trait Setting {
    /// Value of such a setting.
    type Value;

    /// Keys in the file of the setting that the API calls `key`.
    fn keys(&self, key: &'static str) -> Vec<&'static str> {
        vec![key]
    }

    /// Value in a table of the file. `None` if it is not there, or wrong, which is reported.
    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<Self::Value>;

    /// Adds what is wrong with a value; `field` is its name in the API.
    fn check(&self, field: &str, value: &Self::Value, wrong: &mut FieldErrors);

    /// Values that it may have, in words.
    fn values(&self) -> String;

    /// A default value, as the documentation gives it.
    fn shown(&self, value: &Self::Value) -> String;

    /// Queue that the value refers to.
    fn queue<'v>(&self, _: &'v Self::Value) -> Option<&'v QueueRef> {
        None
    }
}

/// Description of a setting for the documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    /// Keys in the file.
    pub(crate) keys: Vec<&'static str>,
    /// Default value.
    pub(crate) default: String,
    /// Values that it may have.
    pub(crate) values: String,
    /// Meaning.
    pub(crate) meaning: String,
    /// A value as the file has it.
    pub(crate) example: Option<&'static str>,
}

/// A setting that may be left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maybe<K>(pub(crate) K);

impl<K: Setting> Setting for Maybe<K> {
    type Value = Option<K::Value>;

    fn keys(&self, key: &'static str) -> Vec<&'static str> {
        self.0.keys(key)
    }

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<Option<K::Value>> {
        self.0.read(key, t).map(Some)
    }

    fn check(&self, field: &str, value: &Option<K::Value>, wrong: &mut FieldErrors) {
        if let Some(value) = value {
            self.0.check(field, value, wrong);
        }
    }

    fn values(&self) -> String {
        self.0.values()
    }

    fn shown(&self, value: &Option<K::Value>) -> String {
        value
            .as_ref()
            .map_or_else(|| "none".to_owned(), |value| self.0.shown(value))
    }

    fn queue<'v>(&self, value: &'v Option<K::Value>) -> Option<&'v QueueRef> {
        self.0.queue(value.as_ref()?)
    }
}

/// A setting that must be there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Required<K>(pub(crate) K);

impl<K: Setting> Setting for Required<K> {
    type Value = K::Value;

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<K::Value> {
        t.r.need(t.s, key, t.at, |_| Ok(()))?;
        self.0.read(key, t)
    }

    fn check(&self, field: &str, value: &K::Value, wrong: &mut FieldErrors) {
        self.0.check(field, value, wrong);
    }

    fn values(&self) -> String {
        self.0.values()
    }

    fn shown(&self, _: &K::Value) -> String {
        "required".to_owned()
    }
}

/// True or false.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Switch;

impl Setting for Switch {
    type Value = bool;

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<bool> {
        t.r.get(t.s, key, boolean)
    }

    fn check(&self, _: &str, _: &bool, _: &mut FieldErrors) {}

    fn values(&self) -> String {
        "`true`, `false`".to_owned()
    }

    fn shown(&self, value: &bool) -> String {
        format!("`{value}`")
    }
}
