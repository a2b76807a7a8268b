//! Names, texts for people, numbers that can be dialled, and values that are written as a text.

use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use call_engine::acd::Strategy;

use super::super::reader::{filled, text};
use super::super::values::strategy;
use super::{FieldErrors, Setting, Table};
use crate::auth::user::is_name;

/// A name that can stand in a SIP address and in a path ([`is_name`]); it must be there. The file may have any, with a warning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name;

impl Setting for Name {
    type Value = String;

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<String> {
        t.r.need(t.s, key, t.at, filled)
    }

    fn check(&self, field: &str, value: &String, wrong: &mut FieldErrors) {
        if !is_name(value) {
            wrong.push((field.to_owned(), self.values()));
        }
    }

    fn values(&self) -> String {
        "1 to 32 of a-z, 0-9, ., - and _, a letter or digit first".to_owned()
    }

    fn shown(&self, _: &String) -> String {
        "required".to_owned()
    }
}

/// One line of text for people. The file may have any, with a warning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// Least number of characters.
    pub(crate) least: usize,
    /// Greatest number of characters.
    pub(crate) greatest: usize,
}

impl Setting for Line {
    type Value = String;

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<String> {
        t.r.get(t.s, key, |value| text(value).map(str::to_owned))
    }

    fn check(&self, field: &str, value: &String, wrong: &mut FieldErrors) {
        if value.chars().any(char::is_control) {
            wrong.push((field.to_owned(), "no control characters".to_owned()));
        } else if !(self.least..=self.greatest).contains(&value.chars().count()) {
            wrong.push((
                field.to_owned(),
                format!("{} to {} characters", self.least, self.greatest),
            ));
        }
    }

    fn values(&self) -> String {
        format!("up to {} characters", self.greatest)
    }

    fn shown(&self, value: &String) -> String {
        match value.is_empty() {
            true => "none".to_owned(),
            false => format!("`{value:?}`"),
        }
    }
}

/// A number that can be dialled for a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialled;

impl Dialled {
    /// Checks it.
    ///
    /// # Errors
    /// Its description, with an example.
    pub(crate) fn checked(number: &str) -> Result<(), String> {
        let plain = |byte: u8| byte.is_ascii_digit() || b"+*#".contains(&byte);
        if number.is_empty() || number.len() > 32 || !number.bytes().all(plain) {
            return Err(format!(
                "`{}` is not a valid number, e.g. \"9001\": {}",
                number.escape_debug(),
                Dialled.values()
            ));
        }
        Ok(())
    }
}

impl Setting for Dialled {
    type Value = String;

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<String> {
        t.r.get(t.s, key, |value| {
            let number = filled(value)?;
            Dialled::checked(&number).map(|()| number)
        })
    }

    fn check(&self, field: &str, value: &String, wrong: &mut FieldErrors) {
        if let Err(error) = Dialled::checked(value) {
            wrong.push((field.to_owned(), error));
        }
    }

    fn values(&self) -> String {
        "1 to 32 digits, +, * and #".to_owned()
    }

    fn shown(&self, value: &String) -> String {
        format!("`{value:?}`")
    }
}

/// A strategy for choosing among agents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strategies;

impl Setting for Strategies {
    type Value = Strategy;

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<Strategy> {
        t.r.get(t.s, key, strategy)
    }

    fn check(&self, _: &str, _: &Strategy, _: &mut FieldErrors) {}

    fn values(&self) -> String {
        Strategy::ALL
            .map(|strategy| format!("`{}`", strategy.name()))
            .join(", ")
    }

    fn shown(&self, value: &Strategy) -> String {
        format!("`{:?}`", value.name())
    }
}

/// A value that is written as a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<T>(pub(crate) PhantomData<T>);

impl<T: FromStr<Err = String> + Display> Setting for Text<T> {
    type Value = T;

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<T> {
        t.r.get(t.s, key, |value| text(value)?.parse())
    }

    fn check(&self, _: &str, _: &T, _: &mut FieldErrors) {}

    fn values(&self) -> String {
        "a text".to_owned()
    }

    fn shown(&self, value: &T) -> String {
        format!("`\"{value}\"`")
    }
}
