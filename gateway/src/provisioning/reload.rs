//! Another version of the file, applied while calls go on.

use std::collections::BTreeSet;
use std::sync::Arc;

use sip_core::auth::Password as Digest;

use super::snapshot::Snapshot;
use super::tables::Tables;
use super::{Kind, Provisioning, ProvisioningError};
use crate::auth::User;
use crate::auth::password::Password;
use crate::auth::{self, Accounts};
use crate::centre::command::{Reconfiguration, Settings};
use crate::centre::directory::Directory;
use crate::config::{Config, Role};

impl Provisioning {
    /// Applies a new file: users, queues, choices, the dial plan, and `settings` with them, all of it or
    /// nothing. Objects that the API added stay, unless the file uses their names now.
    ///
    /// # Errors
    /// [`ProvisioningError::Refused`] while an agent or a queue that would be removed has calls;
    /// [`ProvisioningError::Unavailable`] if the store cannot be read.
    pub async fn reload(&self, config: Config, settings: Settings) -> Result<(), ProvisioningError> {
        let mut turn = self.turn().await;
        let before = Arc::clone(&turn.before);
        let after = match &self.shared.tables {
            tables @ Tables::Stored(_) => Snapshot::read(config, tables).await?,
            Tables::Memory(_) => before.under(config),
        };
        let directory = Arc::new(after.directory());
        let reconfiguration = Reconfiguration {
            directory: Arc::clone(&directory),
            plan: after.plan(),
            reach: after.reach(),
            users: after.sip_users(),
            again: Vec::new(),
            what: Kind::ALL.map(Kind::changed).to_vec(),
            settings: Some(Box::new(settings)),
        };
        turn.apply(reconfiguration).await?;
        let accounts: Vec<User> = accounts_of(&after.config, &directory)
            .chain(after.users.keys().filter_map(|id| after.account(id)))
            .collect();
        let stay: BTreeSet<&str> = accounts.iter().map(|account| account.id.as_str()).collect();
        // Free the names first: another user may have one now.
        let gone: Vec<String> = before
            .people()
            .into_keys()
            .filter(|id| !stay.contains(id.as_str()))
            .collect();
        for id in gone {
            self.shared.accounts.remove_user(&id);
        }
        for account in accounts {
            put_account(&self.shared.accounts, account);
        }
        turn.show(after, directory);
        Ok(())
    }
}

/// Staff of the file, as they sign in.
pub fn accounts_of<'a>(config: &'a Config, directory: &'a Directory) -> impl Iterator<Item = User> + 'a {
    directory.people().filter_map(|person| {
        let user = config.users.get(&person.name)?;
        let roles = person.roles.iter().map(|role| match role {
            Role::Agent => auth::Role::Agent,
            Role::Supervisor => auth::Role::Supervisor,
            Role::Admin => auth::Role::Admin,
        });
        Some(User {
            id: person.id.clone(),
            name: person.name.clone(),
            display: person.display.clone(),
            roles: roles.collect(),
            password: match &user.password {
                Digest::Plain(password) => Some(Password::Configured(password.clone())),
                Digest::Ha1(_) => None,
            },
        })
    })
}

/// Adds or changes an account.
pub fn put_account(accounts: &Accounts, account: User) {
    let name = account.name.clone();
    if !accounts.put_user(account) {
        tracing::warn!(
            user = name,
            "cannot sign in: the name is not made of a-z, 0-9, . - _"
        );
    }
}
