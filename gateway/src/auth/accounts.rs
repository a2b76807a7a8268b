//! Everybody who may do something, and everything that was granted to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use ring::hmac;
use sans_io::Time;
use session_core::Lent;
use tokio::sync::watch;

use super::api_key::{self, ApiKey, ApiKeys};
use super::password::{Password, Passwords};
use super::sentry::Sentry;
use super::session::{Session, Sessions};
use super::sign_in::Denied;
use super::sip::{self, SipCredentials};
use super::ticket::{self, Tickets};
use super::token::Signer;
use super::user::{User, is_name};
use super::{Principal, Rights};

/// Clones are handles of one set of accounts.
#[derive(Clone, Debug)]
pub struct Accounts {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) signer: Signer,
    sip: hmac::Key,
    prints: hmac::Key,
    pub(super) passwords: Passwords,
    pub(super) sentry: Sentry,
    state: RwLock<State>,
    revoked: watch::Sender<u64>,
}

/// Users, and what was granted.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) users: BTreeMap<String, User>,
    /// Id by name.
    pub(super) names: BTreeMap<String, String>,
    keys: ApiKeys,
    pub(super) sessions: Sessions,
    tickets: Tickets,
}

impl Accounts {
    /// Accounts without any user. Every key is derived from `secret`: with the same secret, tokens granted
    /// before a restart stay valid.
    #[must_use]
    pub fn new(secret: &[u8; 32], passwords: Passwords) -> Accounts {
        Accounts::guarded(secret, passwords, Sentry::default())
    }

    /// Accounts with the given sentry.
    #[must_use]
    pub fn guarded(secret: &[u8; 32], passwords: Passwords, sentry: Sentry) -> Accounts {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derive = |purpose: &[u8]| hmac::sign(&root, purpose);
        Accounts {
            shared: Arc::new(Shared {
                signer: Signer::new(derive(b"access token").as_ref()),
                sip: hmac::Key::new(hmac::HMAC_SHA256, derive(b"sip credentials").as_ref()),
                prints: hmac::Key::new(hmac::HMAC_SHA256, derive(b"password print").as_ref()),
                passwords,
                sentry,
                state: RwLock::default(),
                revoked: watch::Sender::new(0),
            }),
        }
    }

    /// Hashes and verifies passwords.
    #[must_use]
    pub fn passwords(&self) -> &Passwords {
        &self.shared.passwords
    }

    /// The sentry, which counts guesses and bans, and reports refusals.
    #[must_use]
    pub fn sentry(&self) -> &Sentry {
        &self.shared.sentry
    }

    /// Adds a user, or changes the one with the same id. A new password ends the user's sign-ins. False, and
    /// nothing is done, if another user has the name, or it is invalid ([`is_name`]).
    pub fn put_user(&self, user: User) -> bool {
        let mut state = self.write();
        if !is_name(&user.name) || state.names.get(&user.name).is_some_and(|id| *id != user.id) {
            return false;
        }
        let before = state.users.insert(user.id.clone(), user.clone());
        let mut revoked = false;
        if let Some(before) = before {
            if before.name != user.name {
                state.names.remove(&before.name);
            }
            let signed_out = before.password != user.password && !state.sessions.end_of(&user.id).is_empty();
            revoked = signed_out || before.roles != user.roles;
        }
        state.names.insert(user.name, user.id);
        drop(state);
        if revoked {
            self.notify_revoked();
        }
        true
    }

    /// Removes a user and everything that was granted to it.
    pub fn remove_user(&self, id: &str) -> Option<User> {
        let mut state = self.write();
        let user = state.users.remove(id)?;
        state.names.remove(&user.name);
        state.sessions.end_of(id);
        drop(state);
        self.notify_revoked();
        Some(user)
    }

    /// The account with this id.
    #[must_use]
    pub fn user(&self, id: &str) -> Option<User> {
        self.read().users.get(id).cloned()
    }

    /// Everybody, by id.
    #[must_use]
    pub fn users(&self) -> BTreeMap<String, User> {
        self.read().users.clone()
    }

    /// Every API key, by id.
    #[must_use]
    pub fn keys(&self) -> Vec<ApiKey> {
        self.read().keys.all()
    }

    /// Adds an API key, or changes the one with the same id.
    pub fn put_key(&self, key: ApiKey) {
        self.write().keys.put(key);
        self.notify_revoked();
    }

    /// Removes an API key, and closes its event streams.
    pub fn remove_key(&self, id: &str) -> bool {
        let removed = self.write().keys.remove(id);
        self.notify_revoked();
        removed
    }

    /// A sign-in as it was before a restart.
    pub fn restore_session(&self, id: String, session: Session) {
        self.write().sessions.restore(id, session);
    }

    /// Notes from now on which sign-ins change, so that they can be stored.
    pub fn watch_sessions(&self) {
        self.write().sessions.watch();
    }

    /// Ids of sign-ins that began, changed or ended since this was asked last.
    #[must_use]
    pub fn changed_sessions(&self) -> BTreeSet<String> {
        self.write().sessions.changed()
    }

    /// Print of a user's password, which shows after a restart whether the password is another one now; too short to help anybody guess it.
    #[must_use]
    pub fn password_print(&self, user: &str) -> Option<u16> {
        let state = self.read();
        let (kind, text) = match state.users.get(user)?.password.as_ref()? {
            Password::Hash(text) => (b'h', text),
            Password::Configured(text) => (b'c', text),
        };
        let mut context = hmac::Context::with_key(&self.shared.prints);
        context.update(&[kind]);
        context.update(text.as_bytes());
        let tag = context.sign();
        Some(u16::from_be_bytes([tag.as_ref()[0], tag.as_ref()[1]]))
    }

    /// A sign-in, to be kept over a restart.
    #[must_use]
    pub fn session(&self, id: &str) -> Option<Session> {
        self.read().sessions.get(id).cloned()
    }

    /// The principal of an access token or API key. Roles are those that the user has now, whatever the token says.
    ///
    /// # Errors
    /// [`Denied::BadToken`].
    pub fn authenticate(&self, now: Time, bearer: &str) -> Result<Principal, Denied> {
        if bearer.starts_with(api_key::PREFIX) {
            return self.read().keys.find(bearer).ok_or(Denied::BadToken);
        }
        let claims = self
            .shared
            .signer
            .verify(bearer, now)
            .map_err(|_| Denied::BadToken)?;
        let state = self.read();
        let user = state
            .sessions
            .user(now, &claims.sid)
            .filter(|id| **id == claims.sub);
        let user = user.and_then(|id| state.users.get(id)).ok_or(Denied::BadToken)?;
        Ok(Principal {
            id: user.id.clone(),
            name: user.name.clone(),
            rights: Rights::User {
                roles: user.roles.clone(),
                session: claims.sid,
            },
        })
    }

    /// The principal as it is now: its sign-in goes on, or its key is there.
    #[must_use]
    pub fn current(&self, now: Time, principal: &Principal) -> Option<Principal> {
        let state = self.read();
        match &principal.rights {
            Rights::Key(_) => state.keys.has(&principal.id).then(|| principal.clone()),
            Rights::User { session, .. } => {
                let user = state
                    .sessions
                    .user(now, session)
                    .filter(|id| **id == principal.id)?;
                let user = state.users.get(user)?;
                Some(Principal {
                    id: user.id.clone(),
                    name: user.name.clone(),
                    rights: Rights::User {
                        roles: user.roles.clone(),
                        session: session.clone(),
                    },
                })
            }
        }
    }

    /// Grows whenever something that was granted may have ended.
    #[must_use]
    pub fn revocations(&self) -> watch::Receiver<u64> {
        self.shared.revoked.subscribe()
    }

    /// A ticket for the event stream, and how long it is good.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub fn ticket(&self, now: Time, principal: Principal) -> Result<(String, Duration), Denied> {
        let ticket = self.write().tickets.issue(now, principal)?;
        Ok((ticket, ticket::LIFETIME))
    }

    /// Redeems a ticket, once, for the user it was issued to.
    #[must_use]
    pub fn redeem(&self, now: Time, ticket: &str) -> Option<Principal> {
        let principal = self.write().tickets.redeem(now, ticket)?;
        self.current(now, &principal)
    }

    /// SIP credentials for a tab of a user who signed in, and until when they are good. `None` for API keys and wrong tab names.
    #[must_use]
    pub fn sip_session(&self, now: Time, principal: &Principal, tab: &str) -> Option<(SipCredentials, Time)> {
        let session = principal.session().filter(|_| sip::is_tab(tab))?;
        Some(sip::issue(&self.shared.sip, now, &principal.name, session, tab))
    }

    /// Name and password of the user whose SIP credentials have this digest user name, as long as they are good and the sign-in
    /// lasts. Waits for nothing, so the signalling task can ask.
    #[must_use]
    pub fn sip_secret(&self, now: Time, username: &str) -> Option<(String, String)> {
        let lent = self.sip_credentials(now, username).filter(|lent| lent.good)?;
        Some((lent.user, lent.password))
    }

    /// The SIP credentials with this digest user name, current or expired. Only a client that got them from
    /// us knows the password.
    #[must_use]
    pub fn sip_credentials(&self, now: Time, username: &str) -> Option<Lent> {
        let parts = sip::parse(username)?;
        let state = self.read();
        let user = state.sessions.user(now, parts.session);
        let user = user.and_then(|user| state.users.get(user));
        Some(Lent {
            user: parts.name.to_owned(),
            password: sip::password(&self.shared.sip, username),
            good: now.as_secs() < parts.until && user.is_some_and(|user| user.name == parts.name),
        })
    }

    pub(super) fn notify_revoked(&self) {
        self.shared.revoked.send_modify(|n| *n += 1);
    }

    // Each change is complete before anything can fail: what a panicking thread left behind is whole.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.shared.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
