//! API keys: for programs; shown once, kept as a digest.

use std::collections::BTreeMap;

use super::{NoEntropy, Principal, Rights, Scope, digest};

/// Prefix of every key.
pub const PREFIX: &str = "cbk_";

/// A key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// `key_…`.
    pub id: String,
    /// Name shown to people.
    pub name: String,
    /// Scopes of the key.
    pub scopes: Vec<Scope>,
    /// SHA-256 of the key.
    pub digest: [u8; 32],
}

impl ApiKey {
    /// A new key and the secret to show once.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub fn generate(name: String, scopes: Vec<Scope>) -> Result<(ApiKey, String), NoEntropy> {
        let secret = format!("{PREFIX}{}", super::secret()?);
        let key = ApiKey {
            id: super::new_id("key_")?,
            name,
            scopes,
            digest: digest(&secret),
        };
        Ok((key, secret))
    }
}

/// All keys.
#[derive(Debug, Default)]
pub(super) struct ApiKeys {
    by_digest: BTreeMap<[u8; 32], ApiKey>,
}

impl ApiKeys {
    pub(super) fn put(&mut self, key: ApiKey) {
        self.by_digest.retain(|_, known| known.id != key.id);
        self.by_digest.insert(key.digest, key);
    }

    pub(super) fn remove(&mut self, id: &str) -> bool {
        let before = self.by_digest.len();
        self.by_digest.retain(|_, key| key.id != id);
        self.by_digest.len() < before
    }

    /// The principal that a secret belongs to. It is looked up by digest, so the time it takes reveals
    /// nothing about other keys.
    pub(super) fn find(&self, secret: &str) -> Option<Principal> {
        let key = self.by_digest.get(&digest(secret))?;
        Some(Principal {
            id: key.id.clone(),
            name: key.name.clone(),
            rights: Rights::Key(key.scopes.clone()),
        })
    }

    pub(super) fn all(&self) -> Vec<ApiKey> {
        let mut all: Vec<ApiKey> = self.by_digest.values().cloned().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.by_digest.values().any(|key| key.id == id)
    }
}
