//! Accounts that may sign in: those of the file, and those that the store has.

use std::sync::Arc;

use sans_io::Rng;

use super::error::{ServeError, failed};
use super::sources::wall_clock;
use crate::auth::Accounts;
use crate::auth::credential_store::{self, CredentialStore};
use crate::auth::password::Passwords;
use crate::auth::sentry::Sentry;
use crate::config::Config;
use crate::provisioning::{Loaded, accounts_of, put_account};
use crate::store::Store;

/// Accounts, what keeps their sign-ins, and the secret of this installation, which a store keeps over restarts.
pub(super) struct Opened {
    pub(super) accounts: Accounts,
    pub(super) credentials: Option<Arc<CredentialStore>>,
    pub(super) secret: [u8; 32],
}

/// Opens all accounts; with a store also what they have there, which is kept up to date from now on.
pub(super) async fn open(
    config: &Config,
    loaded: &Loaded,
    store: Option<&Store>,
    rng: &mut Rng,
) -> Result<Opened, ServeError> {
    let mut secret = [0; 32];
    rng.fill(&mut secret);
    if let Some(store) = store {
        secret = credential_store::secret(store, wall_clock())
            .await
            .map_err(|error| failed("store", error))?;
    }
    let accounts = Accounts::guarded(&secret, Passwords::new(), Sentry::new(config.guard.clone()));
    for account in accounts_of(config, &loaded.directory()) {
        put_account(&accounts, account);
    }
    for account in loaded.accounts() {
        accounts.put_user(account);
    }
    let Some(store) = store else {
        return Ok(Opened {
            accounts,
            credentials: None,
            secret,
        });
    };
    let opened = CredentialStore::open(store, accounts.clone(), wall_clock()).await;
    let credentials = Arc::new(opened.map_err(|error| failed("store", error))?);
    let kept = Arc::clone(&credentials);
    tokio::spawn(async move { kept.run(wall_clock).await });
    Ok(Opened {
        accounts,
        credentials: Some(credentials),
        secret,
    })
}
