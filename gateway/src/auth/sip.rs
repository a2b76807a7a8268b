//! SIP credentials of a browser session, of which nothing is kept. The user name contains the user, the
//! expiry and the sign-in, and the password is a keyed hash of it, so the gateway can compute the password
//! that must have been used from the name.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use sans_io::Time;

/// Lifetime of SIP credentials.
pub const LIFETIME: Duration = Duration::from_secs(3600);

/// The longest tab name.
pub const MAX_TAB: usize = 64;

/// Digest user name and password of a browser session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipCredentials {
    /// `<until, seconds since the epoch>:<user's name>:<sign-in>:<tab>`.
    pub username: String,
    /// Base64url.
    pub password: String,
}

/// Parts of a user name of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) until: u64,
    pub(super) name: &'a str,
    pub(super) session: &'a str,
}

/// Letters, digits, `-` and `_`, at most [`MAX_TAB`].
#[must_use]
pub fn is_tab(tab: &str) -> bool {
    (1..=MAX_TAB).contains(&tab.len())
        && tab
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

pub(super) fn issue(
    key: &hmac::Key,
    now: Time,
    name: &str,
    session: &str,
    tab: &str,
) -> (SipCredentials, Time) {
    let until = now.as_secs() + LIFETIME.as_secs();
    let username = format!("{until}:{name}:{session}:{tab}");
    let password = password(key, &username);
    (SipCredentials { username, password }, Time::from_secs(until))
}

/// Parts of a user name. Only the password proves that it is ours.
pub(super) fn parse(username: &str) -> Option<Parts<'_>> {
    let mut parts = username.split(':');
    let until: u64 = parts.next()?.parse().ok()?;
    let (name, session, tab) = (parts.next()?, parts.next()?, parts.next()?);
    let good = parts.next().is_none() && is_tab(tab);
    good.then_some(Parts { until, name, session })
}

pub(super) fn password(key: &hmac::Key, username: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac::sign(key, username.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_follows_from_the_name_and_another_name_has_another() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        let now = Time::from_secs(1_000);
        let (credentials, until) = issue(&key, now, "anna", "ses_1", "tab-1");
        assert_eq!(credentials.username, "4600:anna:ses_1:tab-1");
        assert_eq!(until, Time::from_secs(4_600));
        assert_eq!(password(&key, &credentials.username), credentials.password);
        assert_ne!(password(&key, "4601:anna:ses_1:tab-1"), credentials.password);
        let parts = parse(&credentials.username).expect("ours");
        assert_eq!((parts.name, parts.session, parts.until), ("anna", "ses_1", 4_600));
    }

    #[test]
    fn other_names_are_none_of_ours() {
        for name in [
            "",
            "1001",
            "9:anna",
            "9:anna:ses_1",
            "9:anna:ses_1:a b",
            "9:anna:ses_1:t:x",
            "x:anna:ses_1:t",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
