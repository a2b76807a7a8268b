//! Pause reasons and dispositions that the API adds and changes.

use std::collections::BTreeMap;

use sans_io::Time;

use super::error::{Match, ProvisioningError};
use super::snapshot::{Snapshot, Stored};
use super::tables::{Row, Write, json};
use super::{Kind, Provisioning, validate};
use crate::config::Choice;

/// Pause reasons that may be added, and dispositions.
const MAX_CHOICES: usize = 200;

impl Provisioning {
    /// Adds a pause reason or a disposition, or changes the one with this code. Returns the version that it has then.
    ///
    /// # Errors
    /// [`ProvisioningError`].
    pub async fn put_choice(
        &self,
        now: Time,
        kind: Kind,
        code: Option<(&str, Match)>,
        choice: Choice,
    ) -> Result<u64, ProvisioningError> {
        let turn = self.turn().await;
        let before = &turn.before;
        let version = match code {
            Some((code, wanted)) => Some(before.choice_version(kind, code, wanted)?),
            None => None,
        };
        let mut wrong = validate::choice(&choice);
        if code.is_some_and(|(code, _)| code != choice.code) {
            wrong.push(validate::never("code"));
        }
        if !wrong.is_empty() {
            return Err(ProvisioningError::Invalid(wrong));
        }
        if code.is_none() && before.choice(kind, &choice.code).is_some() {
            return Err(ProvisioningError::Taken);
        }
        if code.is_none() && before.choices.get(&kind).map_or(0, BTreeMap::len) >= MAX_CHOICES {
            return Err(ProvisioningError::TooMany);
        }
        let mut after = Snapshot::clone(before);
        let all = after.choices.entry(kind).or_default();
        let new = Stored::after(all.get(&choice.code), now, 0, choice.clone());
        all.insert(choice.code.clone(), new);
        let write = Write {
            kind,
            id: &choice.code,
            row: Row::Put {
                version,
                body: json(&choice)?,
                name: None,
                number: None,
            },
        };
        turn.make(now, after, write, Vec::new()).await
    }
}
