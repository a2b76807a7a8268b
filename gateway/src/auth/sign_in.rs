//! Signing in with a password, going on with a refresh token, and signing out.

use std::net::IpAddr;
use std::time::Duration;

use sans_io::Time;
use session_core::guard;

use super::NoEntropy;
use super::accounts::Accounts;
use super::password::Overloaded;
use super::session::NoRefresh;
use super::token::{self, Claims};
use super::user::User;

/// Tokens of a user who signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Good for [`token::LIFETIME_S`].
    pub access_token: String,
    /// Good once.
    pub refresh_token: String,
    /// The user.
    pub user: User,
    /// The sign-in.
    pub session: String,
}

/// Reason to deny a sign-in or a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No such user, or another password.
    BadCredentials,
    /// Too many tries failed; the next may be made after this time.
    TooMany(Duration),
    /// Time until the ban of the address ends.
    Banned(Duration),
    /// A token that is not ours, or is over.
    BadToken,
    /// A refresh token was used again; its sign-in is over now.
    Reused,
    /// Cannot be worked on now.
    Overloaded,
}

impl From<Overloaded> for Denied {
    fn from(_: Overloaded) -> Denied {
        Denied::Overloaded
    }
}

impl From<NoEntropy> for Denied {
    fn from(_: NoEntropy) -> Denied {
        Denied::Overloaded
    }
}

impl Accounts {
    /// Signs a user in.
    ///
    /// # Errors
    /// [`Denied`]; an unknown user takes as long as a wrong password.
    pub async fn sign_in(
        &self,
        now: Time,
        name: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<SignedIn, Denied> {
        let sentry = &self.shared.sentry;
        let taken = sentry.take(name, address).map_err(|denied| match denied {
            guard::Denied::TooFast(wait) => Denied::TooMany(wait),
            guard::Denied::Banned(until) => Denied::Banned(sentry.left(until)),
        })?;
        let user = {
            let state = self.read();
            state.names.get(name).and_then(|id| state.users.get(id)).cloned()
        };
        let hash = user.as_ref().and_then(|user| user.password.as_ref());
        let verified = self.shared.passwords.verify(password, hash).await;
        match verified {
            Ok(true) => sentry.succeeded(taken),
            Ok(false) => sentry.failed(taken),
            // A try that could not be worked on was no failure.
            Err(_) => sentry.give_back(taken),
        }
        let mut state = self.write();
        let user = match (verified?, user) {
            (true, Some(user)) => user,
            _ => return Err(Denied::BadCredentials),
        };
        // The account may have changed meanwhile.
        if state.users.get(&user.id).map(|user| &user.password) != Some(&user.password) {
            return Err(Denied::BadCredentials);
        }
        let (session, refresh_token) = state.sessions.begin(now, &user.id)?;
        drop(state);
        Ok(self.grant(now, user, session, refresh_token))
    }

    /// Changes a refresh token for the next.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn refresh(&self, now: Time, token: &str) -> Result<SignedIn, Denied> {
        let mut state = self.write();
        let refreshed = state.sessions.refresh(now, token);
        let (session, refresh_token) = match refreshed {
            Ok(granted) => granted,
            Err(why) => {
                drop(state);
                return Err(match why {
                    NoRefresh::Unknown => Denied::BadToken,
                    NoRefresh::Reused => {
                        self.notify_revoked();
                        Denied::Reused
                    }
                    NoRefresh::NoEntropy => Denied::Overloaded,
                });
            }
        };
        let user = state
            .sessions
            .user(now, &session)
            .and_then(|id| state.users.get(id))
            .cloned();
        drop(state);
        let user = user.ok_or(Denied::BadToken)?;
        Ok(self.grant(now, user, session, refresh_token))
    }

    /// User and sign-in that a refresh token belongs to, used or not: anybody who shows it may end that sign-in.
    #[must_use]
    pub fn holder(&self, token: &str) -> Option<(String, String)> {
        let state = self.read();
        let (session, user) = state.sessions.holder(token)?;
        Some((user.to_owned(), session.to_owned()))
    }

    /// Ends the sign-in of a refresh token; its id, if it was one.
    pub fn sign_out(&self, token: &str) -> Option<String> {
        let ended = self.write().sessions.end(token)?;
        self.notify_revoked();
        Some(ended)
    }

    fn grant(&self, now: Time, user: User, session: String, refresh_token: String) -> SignedIn {
        let iat = now.as_secs();
        let claims = Claims {
            sub: user.id.clone(),
            name: user.name.clone(),
            roles: user.roles.clone(),
            sid: session.clone(),
            iat,
            exp: iat + token::LIFETIME_S,
        };
        SignedIn {
            access_token: self.shared.signer.sign(&claims),
            refresh_token,
            user,
            session,
        }
    }
}
