//! Data of one party's program for the other's: `User-to-User` (RFC 7433).

use sip_core::message::{HeaderName, Message};

/// Most octets of user data that are passed on, of all fields together. ISDN carries 128, and hexadecimal digits double them (RFC 7433
/// §3.3); contact centres send more between themselves.
const MOST: usize = 2_048;

/// Values of `User-to-User`, passed on as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserToUser(Vec<String>);

impl UserToUser {
    /// Values of a request; none where there are more octets than are passed on.
    pub(crate) fn of(request: &Message) -> UserToUser {
        let values: Vec<String> = request
            .headers(HeaderName::UserToUser)
            .filter(|value| !value.is_empty() && !value.contains(char::is_control))
            .map(str::to_owned)
            .collect();
        if values.iter().map(String::len).sum::<usize>() > MOST {
            return UserToUser::default();
        }
        UserToUser(values)
    }

    /// The values as written.
    #[must_use]
    pub fn values(&self) -> &[String] {
        &self.0
    }
}
