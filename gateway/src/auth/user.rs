//! Users who may sign in, and their names.

use std::fmt;

use super::Role;
use super::password::Password;

/// A person.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// `usr_…`; an agent's id is the same.
    pub id: String,
    /// Name that the user signs in with, and the user part of the SIP address; see [`is_name`].
    pub name: String,
    /// Name shown to people.
    pub display: String,
    /// Roles of the user.
    pub roles: Vec<Role>,
    /// `None`: cannot sign in.
    pub password: Option<Password>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// Lower-case letters, digits, `.`, `-` and `_`, at most 32, a letter or digit first: what can stand in a SIP address, a digest user
/// name and a path without quoting.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (1..=32).contains(&bytes.len())
        && bytes.first().copied().is_some_and(plain)
        && bytes.iter().all(|&byte| plain(byte) || b".-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_stand_anywhere() {
        for good in ["anna", "1001", "a.b-c_d"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "Anna", ".a", "a:b", "a b", "a@b", "ä", &"a".repeat(33)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
