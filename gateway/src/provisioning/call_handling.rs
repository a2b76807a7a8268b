//! Call handling of users: what the file says, until the user or an admin says otherwise.

use std::collections::BTreeMap;

use sans_io::Time;

use super::error::{Match, ProvisioningError};
use super::snapshot::{Snapshot, Stored};
use super::tables::{Row, Write, json};
use super::{Kind, Provisioning};
use crate::config::CallHandling;

/// Ids of the file's users begin with this.
const OF_FILE: &str = "usr_";

impl Provisioning {
    /// Call handling of the user with this id, and its version; no version: the file's, or nobody said anything. `None`: there is no such
    /// user.
    #[must_use]
    pub fn call_handling(&self, id: &str) -> Option<(CallHandling, Option<u64>)> {
        self.snapshot().call_handling(id)
    }

    /// Id of the user of this name, with or without a role.
    #[must_use]
    pub(crate) fn user_id(&self, name: &str) -> Option<String> {
        self.snapshot().user_id(name)
    }

    /// Sets the call handling of the user with this id, from the next call on. Returns the version that it has then.
    ///
    /// # Errors
    /// [`ProvisioningError`].
    pub async fn put_call_handling(
        &self,
        now: Time,
        (id, wanted): (&str, Match),
        handling: CallHandling,
    ) -> Result<u64, ProvisioningError> {
        let turn = self.turn().await;
        let before = &turn.before;
        let user = before.user_name(id).ok_or(ProvisioningError::Unknown)?.to_owned();
        let stored = before.call_handling.get(id);
        check(wanted, stored)?;
        let wrong = handling.errors();
        if !wrong.is_empty() {
            return Err(ProvisioningError::Invalid(wrong));
        }
        let mut after = Snapshot::clone(before);
        let new = Stored::after(stored, now, 0, handling.clone());
        after.call_handling.insert(id.to_owned(), new);
        let write = Write {
            kind: Kind::CallHandling,
            id,
            row: Row::Put {
                version: stored.map(|stored| stored.version),
                body: json(&handling)?,
                name: None,
                number: None,
            },
        };
        turn.handle_calls(now, after, write, user).await
    }

    /// Lets the file say again how calls to the user with this id are handled.
    ///
    /// # Errors
    /// [`ProvisioningError`].
    pub async fn reset_call_handling(
        &self,
        now: Time,
        (id, wanted): (&str, Match),
    ) -> Result<(), ProvisioningError> {
        let turn = self.turn().await;
        let before = &turn.before;
        let user = before.user_name(id).ok_or(ProvisioningError::Unknown)?.to_owned();
        let stored = before.call_handling.get(id);
        check(wanted, stored)?;
        let Some(version) = stored.map(|stored| stored.version) else {
            return Ok(());
        };
        let mut after = Snapshot::clone(before);
        after.call_handling.remove(id);
        let write = Write {
            kind: Kind::CallHandling,
            id,
            row: Row::Removed { version },
        };
        turn.handle_calls(now, after, write, user).await.map(|_| ())
    }
}

/// Checks that what is stored, or that nothing is, is what a change was meant for.
fn check(wanted: Match, stored: Option<&Stored<CallHandling>>) -> Result<(), ProvisioningError> {
    match (stored, wanted) {
        (Some(stored), wanted) => wanted.check(stored.version),
        (None, Match::Any | Match::File) => Ok(()),
        (None, Match::Version(_) | Match::Never) => Err(ProvisioningError::Changed),
    }
}

impl Snapshot {
    /// Name of the user with this id. Those of the file who have no role have an id too.
    pub(super) fn user_name(&self, id: &str) -> Option<&str> {
        if let Some(user) = self.users.get(id) {
            return Some(&user.body.name);
        }
        let name = id.strip_prefix(OF_FILE)?;
        let (name, _) = self.config.users.get_key_value(name)?;
        Some(name)
    }

    fn user_id(&self, name: &str) -> Option<String> {
        let added = self.users.iter().find(|(_, user)| user.body.name == name);
        let of_file = || {
            self.config
                .users
                .contains_key(name)
                .then(|| format!("{OF_FILE}{name}"))
        };
        added.map(|(id, _)| id.clone()).or_else(of_file)
    }

    fn call_handling(&self, id: &str) -> Option<(CallHandling, Option<u64>)> {
        let name = self.user_name(id)?;
        if let Some(stored) = self.call_handling.get(id) {
            return Some((stored.body.clone(), Some(stored.version)));
        }
        Some((self.of_file(name), None))
    }

    fn of_file(&self, name: &str) -> CallHandling {
        self.config.call_handling.get(name).cloned().unwrap_or_default()
    }

    /// Call handling of the user of this name, as the switch works with it.
    pub(super) fn policy_of(&self, name: &str) -> call_engine::CallHandling {
        let is_theirs = |id: &String| self.user_name(id) == Some(name);
        let stored = self.call_handling.iter().find(|(id, _)| is_theirs(id));
        stored.map_or_else(|| self.of_file(name).policy(), |(_, stored)| stored.body.policy())
    }

    /// Call handling of everybody who has some, by name.
    pub(super) fn policies(&self) -> BTreeMap<String, call_engine::CallHandling> {
        let of_file = self.config.call_handling.iter();
        let mut policies: BTreeMap<String, call_engine::CallHandling> = of_file
            .map(|(name, handling)| (name.clone(), handling.policy()))
            .collect();
        for (id, stored) in &self.call_handling {
            // The user may be gone since.
            if let Some(name) = self.user_name(id) {
                policies.insert(name.to_owned(), stored.body.policy());
            }
        }
        policies
    }
}
