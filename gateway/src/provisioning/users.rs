//! Users that the API adds and changes.

use sans_io::Time;

use super::error::{Match, ProvisioningError};
use super::rows::{SipKeys, UserRow, UserSettings};
use super::snapshot::{Snapshot, Stored};
use super::tables::{Row, Write, json};
use super::{Kind, Provisioning, validate};
use crate::auth::new_id;

/// Users that may be added.
const MAX_USERS: usize = 10_000;

impl Provisioning {
    /// Adds a user, or changes the one with this id. Returns the id and the version that the user has then.
    ///
    /// # Errors
    /// [`ProvisioningError`].
    pub async fn put_user(
        &self,
        now: Time,
        user: Option<(&str, Match)>,
        settings: UserSettings,
    ) -> Result<(String, u64), ProvisioningError> {
        let turn = self.turn().await;
        let before = &turn.before;
        let stored = match user {
            Some((id, wanted)) => Some(before.stored_user(id, wanted)?),
            None => None,
        };
        check(&settings, stored, before)?;
        let id = match user {
            Some((id, _)) => id.to_owned(),
            None => new_id("usr_")?,
        };
        let body = self.row(settings, stored, &before.config.realm).await?;
        // Whoever has another password has to register anew.
        let again: Vec<String> = stored
            .iter()
            .filter(|stored| stored.body.password != body.password)
            .map(|stored| stored.body.name.clone())
            .collect();
        let number = match stored {
            Some(stored) => stored.number,
            None => self.shared.tables.next_number(Kind::User).await?,
        };
        let version = stored.map(|stored| stored.version);
        let mut after = Snapshot::clone(before);
        let new = Stored::after(stored, now, number, body.clone());
        after.users.insert(id.clone(), new);
        if before.has_admin() && !after.has_admin() {
            return Err(ProvisioningError::LastAdmin);
        }
        let write = Write {
            kind: Kind::User,
            id: &id,
            row: Row::Put {
                version,
                body: json(&body)?,
                name: Some(&body.name),
                number: Some(number),
            },
        };
        let version = turn.make(now, after, write, again).await?;
        Ok((id, version))
    }

    /// The row of a user; a password that is not given stays.
    async fn row(
        &self,
        settings: UserSettings,
        stored: Option<&Stored<UserRow>>,
        realm: &str,
    ) -> Result<UserRow, ProvisioningError> {
        let password = match &settings.password {
            Some(password) => Some(self.shared.accounts.passwords().hash(password).await?),
            None => stored.and_then(|stored| stored.body.password.clone()),
        };
        let sip = match settings.sip_password.as_deref() {
            Some("") => None,
            Some(password) => SipKeys::of(&settings.name, realm, password),
            None => stored.and_then(|stored| stored.body.sip.clone()),
        };
        let mut roles = settings.roles;
        roles.sort_unstable();
        Ok(UserRow {
            name: settings.name,
            display: settings.display,
            roles,
            agent: settings.agent,
            password,
            sip,
        })
    }
}

fn check(
    settings: &UserSettings,
    stored: Option<&Stored<UserRow>>,
    before: &Snapshot,
) -> Result<(), ProvisioningError> {
    let mut wrong = validate::user(settings, before);
    if stored.is_some_and(|stored| stored.body.name != settings.name) {
        wrong.push(validate::never("name"));
    }
    if !wrong.is_empty() {
        return Err(ProvisioningError::Invalid(wrong));
    }
    match stored {
        Some(_) => Ok(()),
        None if before.is_name_taken(&settings.name) => Err(ProvisioningError::Taken),
        None if before.users.len() >= MAX_USERS => Err(ProvisioningError::TooMany),
        None => Ok(()),
    }
}
