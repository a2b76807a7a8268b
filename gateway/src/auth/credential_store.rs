//! Sign-ins and API keys in the store, and the secret that signs everything: all that lets people and programs go on after a restart.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sans_io::Time;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::accounts::Accounts;
use super::api_key::ApiKey;
use super::session::Session;
use super::{NoEntropy, Scope};
use crate::store::{Expect, Put, Store, StoreError, Table};

/// The row that holds the secret.
const SECRET: &str = "root";
/// Rows read at a time.
const PAGE: u32 = 1_000;
/// Time that a sign-in waits for the store.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time until a failed write is tried again.
const AGAIN: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize)]
struct SecretRow {
    secret: String,
}

#[derive(Serialize, Deserialize)]
struct SessionRow {
    user: String,
    began: u64,
    until: u64,
    /// [`Accounts::password_print`].
    print: Option<u16>,
    refresh: String,
    spent: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct KeyRow {
    name: String,
    scopes: Vec<Scope>,
    digest: String,
}

/// The secret that everything is signed with; made when the store has none.
///
/// # Errors
/// Errors of the store, and [`StoreError::Unavailable`] when the operating system gives no random bytes.
pub async fn secret(store: &Store, now: Time) -> Result<[u8; 32], StoreError> {
    let table = store.table::<SecretRow>("secret");
    let fresh = super::random::<32>().map_err(|NoEntropy| StoreError::Unavailable(NoEntropy.to_string()))?;
    let body = SecretRow {
        secret: URL_SAFE_NO_PAD.encode(fresh),
    };
    let put = Put {
        id: SECRET,
        name: None,
        number: None,
        body: &body,
        now_micros: now.as_micros(),
    };
    match table.put(put, Expect::Absent).await {
        Ok(_) | Err(StoreError::Conflict) => {}
        Err(error) => return Err(error),
    }
    let found = table.get(SECRET).await?.ok_or(StoreError::NotFound)?;
    bytes(SECRET, &found.body.secret)
}

/// Sign-ins and API keys in the store.
pub struct CredentialStore {
    accounts: Accounts,
    sessions: Table<SessionRow>,
    keys: Table<KeyRow>,
    /// Sign-ins to be written. One writes at a time, so that no older state overwrites a newer one.
    pending: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for CredentialStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialStore").finish_non_exhaustive()
    }
}

impl CredentialStore {
    /// Gives the accounts what the store has, and notes what changes from now on. Sign-ins that are over, or whose user
    /// is gone or has another password now, end here. The users are there already.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn open(store: &Store, accounts: Accounts, now: Time) -> Result<CredentialStore, StoreError> {
        let credentials = CredentialStore {
            accounts,
            sessions: store.table("session"),
            keys: store.table("api-key"),
            pending: Mutex::default(),
        };
        let mut after: Option<String> = None;
        loop {
            let page = credentials.keys.list(after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            for row in page {
                let digest = bytes(&row.id, &row.body.digest)?;
                credentials.accounts.put_key(ApiKey {
                    id: row.id,
                    name: row.body.name,
                    scopes: row.body.scopes,
                    digest,
                });
            }
        }
        let mut after: Option<String> = None;
        loop {
            let page = credentials.sessions.list(after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            for row in page {
                let goes_on = row.body.until > now.as_micros()
                    && credentials
                        .accounts
                        .password_print(&row.body.user)
                        .is_some_and(|print| row.body.print == Some(print));
                if goes_on {
                    let session = restored(&row.id, row.body)?;
                    credentials.accounts.restore_session(row.id, session);
                } else {
                    credentials.forget(&row.id).await?;
                }
            }
        }
        credentials.accounts.watch_sessions();
        Ok(credentials)
    }

    /// Writes the sign-ins that changed. Where the store is away, this comes back after two seconds and they are tried
    /// again by [`CredentialStore::run`]: nobody is kept out because of it.
    pub async fn write_changes(&self, now: Time) {
        let work = async {
            let mut pending = self.pending.lock().await;
            pending.extend(self.accounts.changed_sessions());
            while let Some(id) = pending.first().cloned() {
                self.write(now, &id).await?;
                pending.remove(&id);
            }
            Ok::<(), StoreError>(())
        };
        match timeout(PATIENCE, work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "sign-ins wait for the store"),
            Err(_) => tracing::warn!("sign-ins wait for the store: it does not answer"),
        }
    }

    /// Writes what ends without a request, and what could not be written. Never ends.
    pub async fn run(&self, clock: fn() -> Time) {
        let mut revoked = self.accounts.revocations();
        loop {
            // Cannot fail: the accounts hold the sender, and they are ours.
            let _ = timeout(AGAIN, revoked.changed()).await;
            self.write_changes(clock()).await;
        }
    }

    /// Makes an API key durable.
    ///
    /// # Errors
    /// Errors of the store; the key must not be given out then.
    pub async fn put_key(&self, now: Time, key: &ApiKey) -> Result<(), StoreError> {
        let body = KeyRow {
            name: key.name.clone(),
            scopes: key.scopes.clone(),
            digest: URL_SAFE_NO_PAD.encode(key.digest),
        };
        let put = Put {
            id: &key.id,
            name: None,
            number: None,
            body: &body,
            now_micros: now.as_micros(),
        };
        self.keys.put(put, Expect::Absent).await.map(drop)
    }

    /// Removes an API key for good.
    ///
    /// # Errors
    /// Errors of the store; the key is still there then.
    pub async fn remove_key(&self, id: &str) -> Result<(), StoreError> {
        match self.keys.delete(id, None).await {
            Ok(()) | Err(StoreError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, now: Time, id: &str) -> Result<(), StoreError> {
        let Some(session) = self.accounts.session(id) else {
            return self.forget(id).await;
        };
        let body = SessionRow {
            print: self.accounts.password_print(&session.user),
            user: session.user,
            began: session.began.as_micros(),
            until: session.until.as_micros(),
            refresh: URL_SAFE_NO_PAD.encode(session.refresh),
            spent: session
                .spent
                .iter()
                .map(|one| URL_SAFE_NO_PAD.encode(one))
                .collect(),
        };
        let put = Put {
            id,
            name: None,
            number: None,
            body: &body,
            now_micros: now.as_micros(),
        };
        self.sessions.put(put, Expect::Anything).await.map(drop)
    }

    async fn forget(&self, id: &str) -> Result<(), StoreError> {
        match self.sessions.delete(id, None).await {
            Ok(()) | Err(StoreError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn restored(id: &str, row: SessionRow) -> Result<Session, StoreError> {
    let spent: Result<VecDeque<_>, _> = row.spent.iter().map(|one| bytes(id, one)).collect();
    Ok(Session {
        refresh: bytes(id, &row.refresh)?,
        spent: spent?,
        user: row.user,
        began: Time(row.began),
        until: Time(row.until),
    })
}

fn bytes(id: &str, text: &str) -> Result<[u8; 32], StoreError> {
    let decoded = URL_SAFE_NO_PAD.decode(text).ok();
    decoded
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| StoreError::Corrupt(format!("{id} has another shape")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::password::{Password, Passwords};
    use crate::auth::user::User;
    use crate::auth::{Denied, Role};
    use crate::store::Durability;

    const NOW: Time = Time::from_secs(1_000_000);

    /// A gateway that started: its accounts, with anna, who has this password.
    async fn started(store: &Store, password: &str) -> (Accounts, CredentialStore) {
        let secret = secret(store, NOW).await.expect("a secret");
        let accounts = Accounts::new(&secret, Passwords::weak());
        let anna = User {
            id: "usr_1".into(),
            name: "anna".into(),
            display: "Anna".into(),
            roles: vec![Role::Agent],
            password: Some(Password::Configured(password.into())),
        };
        assert!(accounts.put_user(anna));
        let credentials = CredentialStore::open(store, accounts.clone(), NOW)
            .await
            .expect("opens");
        (accounts, credentials)
    }

    async fn store() -> Store {
        Store::open("sqlite::memory:", Durability::Full)
            .await
            .expect("a store")
    }

    #[tokio::test]
    async fn a_sign_in_outlives_the_gateway_with_all_that_came_from_it() {
        let store = store().await;
        let (accounts, credentials) = started(&store, "cordboard").await;
        let first = accounts
            .sign_in(NOW, "anna", "cordboard", None)
            .await
            .expect("in");
        let second = accounts.refresh(NOW, &first.refresh_token).expect("again");
        credentials.write_changes(NOW).await;
        let principal = accounts.authenticate(NOW, &second.access_token).expect("anna");
        let (sip, _) = accounts.sip_session(NOW, &principal, "tab").expect("credentials");

        let (accounts, credentials) = started(&store, "cordboard").await;
        assert_eq!(accounts.authenticate(NOW, &second.access_token), Ok(principal));
        let secret = accounts.sip_secret(NOW, &sip.username).expect("known");
        assert_eq!(secret, ("anna".into(), sip.password));
        // A token that was used before the restart is still a copy.
        assert_eq!(
            accounts.refresh(NOW, &first.refresh_token).err(),
            Some(Denied::Reused)
        );
        credentials.write_changes(NOW).await;

        let (accounts, _credentials) = started(&store, "cordboard").await;
        assert_eq!(
            accounts.refresh(NOW, &second.refresh_token).err(),
            Some(Denied::BadToken)
        );
    }

    #[tokio::test]
    async fn another_password_in_the_file_ends_the_sign_ins() {
        let store = store().await;
        let (accounts, credentials) = started(&store, "cordboard").await;
        let anna = accounts
            .sign_in(NOW, "anna", "cordboard", None)
            .await
            .expect("in");
        credentials.write_changes(NOW).await;
        let (accounts, _credentials) = started(&store, "another one").await;
        assert_eq!(
            accounts.refresh(NOW, &anna.refresh_token).err(),
            Some(Denied::BadToken)
        );
        let (accounts, _credentials) = started(&store, "cordboard").await;
        assert_eq!(
            accounts.refresh(NOW, &anna.refresh_token).err(),
            Some(Denied::BadToken)
        );
    }

    #[tokio::test]
    async fn api_keys_outlive_the_gateway_until_they_are_removed() {
        let store = store().await;
        let (accounts, credentials) = started(&store, "cordboard").await;
        let (key, secret) = ApiKey::generate("report".into(), vec![Scope::Read]).expect("a key");
        credentials.put_key(NOW, &key).await.expect("kept");
        accounts.put_key(key.clone());
        let (accounts, credentials) = started(&store, "cordboard").await;
        assert_eq!(accounts.keys(), std::slice::from_ref(&key));
        assert!(accounts.authenticate(NOW, &secret).is_ok());
        credentials.remove_key(&key.id).await.expect("removed");
        let (accounts, _credentials) = started(&store, "cordboard").await;
        assert_eq!(accounts.keys(), []);
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_written_later() {
        let store = store().await;
        let (accounts, credentials) = started(&store, "cordboard").await;
        let anna = accounts
            .sign_in(NOW, "anna", "cordboard", None)
            .await
            .expect("in");
        {
            // Somebody writes and does not come to an end.
            let _busy = credentials.pending.lock().await;
            let began = tokio::time::Instant::now();
            tokio::time::pause();
            credentials.write_changes(NOW).await;
            tokio::time::resume();
            assert!(began.elapsed() >= PATIENCE);
        }
        credentials.write_changes(NOW).await;
        let (accounts, _credentials) = started(&store, "cordboard").await;
        assert!(accounts.refresh(NOW, &anna.refresh_token).is_ok());
    }
}
