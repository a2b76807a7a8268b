//! Identity and rights: accounts with passwords, access tokens, refresh tokens, API keys, event tickets and
//! the SIP credentials of a browser session.
//!
//! Memory is the authority, and [`credential_store`] carries it over a restart; every function that depends on time gets
//! it as an argument.

pub mod accounts;
pub mod api_key;
pub mod credential_store;
mod hs256;
pub mod password;
pub mod sentry;
pub mod session;
mod sign_in;
pub mod sip;
mod ticket;
pub mod token;
pub mod user;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use accounts::Accounts;
pub use sign_in::{Denied, SignedIn};
pub use user::User;

/// Role of a user. No role includes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Takes calls.
    Agent,
    /// Watches agents, queues and calls, and acts on them.
    Supervisor,
    /// Configures; sees what supervisors see.
    Admin,
}

/// Scope of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Views of supervisors, the event stream and `/metrics`.
    Read,
    /// Actions of supervisors.
    Control,
    /// Actions of admins.
    Configure,
}

/// Principal that a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// User or API key.
    pub id: String,
    /// Name that the user signs in with, or name of the API key.
    pub name: String,
    /// Rights of the principal.
    pub rights: Rights,
}

/// Rights, and what they derive from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// A user who signed in.
    User {
        /// Roles of the user.
        roles: Vec<Role>,
        /// The sign-in; everything that was granted ends with it.
        session: String,
    },
    /// A program.
    Key(
        /// Scopes of the key.
        Vec<Scope>,
    ),
}

impl Principal {
    /// A user with this role.
    #[must_use]
    pub fn is(&self, role: Role) -> bool {
        matches!(&self.rights, Rights::User { roles, .. } if roles.contains(&role))
    }

    /// An API key with this scope.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        matches!(&self.rights, Rights::Key(scopes) if scopes.contains(&scope))
    }

    /// May see all agents, queues, calls and records in full.
    #[must_use]
    pub fn sees_all(&self) -> bool {
        self.is(Role::Supervisor) || self.is(Role::Admin) || self.has(Scope::Read)
    }

    /// The sign-in that it comes from.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match &self.rights {
            Rights::User { session, .. } => Some(session),
            Rights::Key(_) => None,
        }
    }
}

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEntropy;

impl fmt::Display for NoEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operating system gave no random bytes")
    }
}

impl std::error::Error for NoEntropy {}

/// Random bytes of the operating system.
///
/// # Errors
/// The operating system gives none.
pub fn random<const N: usize>() -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(bytes)
}

/// A secret of 256 random bits, base64url.
fn secret() -> Result<String, NoEntropy> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// `prefix` and 128 random bits, hexadecimal.
///
/// # Errors
/// The operating system gives no random bytes.
pub fn new_id(prefix: &str) -> Result<String, NoEntropy> {
    use fmt::Write as _;
    let mut id = String::from(prefix);
    for byte in random::<16>()? {
        let _ = write!(id, "{byte:02x}");
    }
    Ok(id)
}

/// SHA-256, the form in which a secret with 256 random bits is kept.
fn digest(secret: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, secret.as_bytes()).as_ref());
    out
}
