//! Numbers and lengths of time.

use std::fmt::Display;
use std::marker::PhantomData;
use std::time::Duration;

use toml::de::DeValue;

use super::super::reader::number;
use super::super::values::{seconds, seconds_or_never};
use super::{FieldErrors, Maybe, Setting, Table};

/// A whole number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number<T> {
    least: u64,
    greatest: u64,
    kind: PhantomData<T>,
}

impl<T: TryFrom<u64>> Number<T> {
    pub(crate) const fn new(least: u64, greatest: u64) -> Number<T> {
        Number {
            least,
            greatest,
            kind: PhantomData,
        }
    }

    /// The number in a value of the file.
    pub(in crate::config) fn of(&self, value: &DeValue<'_>) -> Result<T, String> {
        let n = number(value, self.least..=self.greatest)?;
        T::try_from(n).map_err(|_| "is too large".into())
    }
}

impl<T: TryFrom<u64> + Into<u64> + Copy + Display> Setting for Number<T> {
    type Value = T;

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<T> {
        t.r.get(t.s, key, |value| self.of(value))
    }

    fn check(&self, field: &str, value: &T, wrong: &mut FieldErrors) {
        if !(self.least..=self.greatest).contains(&(*value).into()) {
            wrong.push((
                field.to_owned(),
                format!("from {} to {}", self.least, self.greatest),
            ));
        }
    }

    fn values(&self) -> String {
        format!("{}-{}", self.least, self.greatest)
    }

    fn shown(&self, value: &T) -> String {
        value.to_string()
    }
}

/// A length of time in whole seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) Number<u64>);

impl Setting for Seconds {
    type Value = Duration;

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<Duration> {
        let (least, greatest) = (self.0.least, self.0.greatest);
        t.r.get(t.s, key, |value| seconds(value, least..=greatest))
    }

    fn check(&self, field: &str, value: &Duration, wrong: &mut FieldErrors) {
        self.0.check(field, &value.as_secs(), wrong);
    }

    fn values(&self) -> String {
        format!("{} seconds", self.0.values())
    }

    fn shown(&self, value: &Duration) -> String {
        value.as_secs().to_string()
    }
}

/// A length of time in whole seconds, or none, for which the file has 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval(pub(crate) Seconds);

impl Setting for Interval {
    type Value = Option<Duration>;

    fn read(&self, key: &'static str, t: &mut Table<'_, '_>) -> Option<Option<Duration>> {
        let range = &self.0.0;
        t.r.get(t.s, key, |value| {
            seconds_or_never(value, range.least..=range.greatest)
        })
    }

    fn check(&self, field: &str, value: &Option<Duration>, wrong: &mut FieldErrors) {
        Maybe(self.0).check(field, value, wrong);
    }

    fn values(&self) -> String {
        format!("{}; 0 for none", self.0.values())
    }

    fn shown(&self, value: &Option<Duration>) -> String {
        Maybe(self.0).shown(value)
    }
}
