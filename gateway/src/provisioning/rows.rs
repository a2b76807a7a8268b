//! Users as they are stored, and as clients send them.

use serde::{Deserialize, Serialize};
use sip_core::auth::{Algorithm, Password as Digest};
use utoipa::ToSchema;

use crate::auth::Role;
use crate::config::Work;

/// A user, as an admin configures it.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserSettings {
    /// Name that the user signs in and registers with; never changes.
    #[schema(
        min_length = 1,
        max_length = 32,
        pattern = "^[a-z0-9][a-z0-9._-]*$",
        example = "clara"
    )]
    pub name: String,
    /// Name shown to people; the `name` if empty.
    #[serde(default)]
    #[schema(max_length = 64, example = "Clara")]
    pub display: String,
    /// Roles of the user; none for a user who only has a phone.
    #[schema(max_items = 3)]
    pub roles: Vec<Role>,
    /// Settings for taking calls, with the role `agent`.
    #[serde(default)]
    pub agent: Work,
    /// Password to sign in with; if omitted, unchanged (for a new user: none).
    #[serde(default)]
    #[schema(min_length = 8, max_length = 256, write_only)]
    pub password: Option<String>,
    /// Password for the user's own phone; if omitted, unchanged (for a new user: none); empty: none.
    #[serde(default)]
    #[schema(max_length = 128, write_only)]
    pub sip_password: Option<String>,
}

/// A user as stored; the name is a column of its own.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct UserRow {
    pub(super) name: String,
    pub(super) display: String,
    pub(super) roles: Vec<Role>,
    pub(super) agent: Work,
    /// PHC string.
    pub(super) password: Option<String>,
    pub(super) sip: Option<SipKeys>,
}

/// SIP password as stored (RFC 8760).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SipKeys {
    sha256: String,
    md5: String,
}

impl SipKeys {
    pub(super) fn of(name: &str, realm: &str, password: &str) -> Option<SipKeys> {
        let Digest::Ha1(keys) = Digest::keys(name, realm, password) else {
            return None;
        };
        let key = |wanted| {
            let found = keys.iter().find(|(algorithm, _)| *algorithm == wanted);
            found.map(|(_, key)| key.clone())
        };
        Some(SipKeys {
            sha256: key(Algorithm::Sha256)?,
            md5: key(Algorithm::Md5)?,
        })
    }
}

impl UserRow {
    /// The user for SIP; without a password of its own it is registered with what its sign-in gives.
    pub(super) fn sip_user(&self) -> session_core::User {
        let password = match &self.sip {
            Some(keys) => Digest::Ha1(vec![
                (Algorithm::Sha256, keys.sha256.clone()),
                (Algorithm::Md5, keys.md5.clone()),
            ]),
            None => Digest::none(),
        };
        session_core::User {
            display: self.shown().to_owned(),
            ..session_core::User::new(password)
        }
    }

    pub(super) fn shown(&self) -> &str {
        if self.display.is_empty() {
            &self.name
        } else {
            &self.display
        }
    }
}
