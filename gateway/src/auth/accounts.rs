//! Everybody who may do something, and everything that was granted to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use ring::hmac;
use sans_io::Time;
use session_core::{Lent, guard};
use tokio::sync::watch;

use super::api_key::{self, ApiKey, ApiKeys};
use super::password::{Overloaded, Password, Passwords};
use super::sentry::Sentry;
use super::session::{NoRefresh, Session, Sessions};
use super::sip::{self, SipCredentials};
use super::ticket::{self, Tickets};
use super::token::{self, Claims, Signer};
use super::{NoEntropy, Principal, Rights, Role};

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

/// Why somebody is not who they say, or cannot be now.
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

/// Clones are handles of one set of accounts.
#[derive(Clone, Debug)]
pub struct Accounts {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    signer: Signer,
    sip: hmac::Key,
    prints: hmac::Key,
    passwords: Passwords,
    sentry: Sentry,
    state: RwLock<State>,
    revoked: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    users: BTreeMap<String, User>,
    /// Id by name.
    names: BTreeMap<String, String>,
    keys: ApiKeys,
    sessions: Sessions,
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
            self.tell_revoked();
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
        self.tell_revoked();
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
        self.tell_revoked();
    }

    /// Removes an API key, and closes its event streams.
    pub fn remove_key(&self, id: &str) -> bool {
        let removed = self.write().keys.remove(id);
        self.tell_revoked();
        removed
    }

    /// A sign-in as it was before a restart.
    pub fn restore_session(&self, id: String, session: Session) {
        self.write().sessions.restore(id, session);
    }

    /// From now on it is noted which sign-ins change: somebody keeps them.
    pub fn watch_sessions(&self) {
        self.write().sessions.watch();
    }

    /// Ids of sign-ins that began, changed or ended since this was asked last.
    #[must_use]
    pub fn changed_sessions(&self) -> BTreeSet<String> {
        self.write().sessions.changed()
    }

    /// Tells after a restart whether a user's password is another one now, and too short to help anybody guess it.
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
        if state.users.get(&user.id).map(|known| &known.password) != Some(&user.password) {
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
                        self.tell_revoked();
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
        self.tell_revoked();
        Some(ended)
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

    fn tell_revoked(&self) {
        self.shared.revoked.send_modify(|n| *n += 1);
    }

    // Each change is complete before anything can fail: what a panicking thread left behind is whole.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.shared.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Scope;

    const NOW: Time = Time::from_secs(1_000_000);

    async fn accounts() -> Accounts {
        guarded(Sentry::default()).await
    }

    async fn guarded(sentry: Sentry) -> Accounts {
        let accounts = Accounts::guarded(&[5; 32], Passwords::weak(), sentry);
        let password = accounts.passwords().hash("cordboard").await.expect("a hash");
        assert!(accounts.put_user(User {
            id: "usr_1".into(),
            name: "anna".into(),
            display: "Anna".into(),
            roles: vec![Role::Agent],
            password: Some(Password::Hash(password)),
        }));
        accounts
    }

    async fn signed_in(accounts: &Accounts) -> SignedIn {
        accounts
            .sign_in(NOW, "anna", "cordboard", None)
            .await
            .expect("signed in")
    }

    #[tokio::test]
    async fn a_token_speaks_for_its_user_until_it_is_over_or_the_user_signs_out() {
        let accounts = accounts().await;
        let granted = signed_in(&accounts).await;
        let principal = accounts.authenticate(NOW, &granted.access_token).expect("good");
        assert!(principal.is(Role::Agent) && !principal.is(Role::Supervisor) && principal.id == "usr_1");
        let later = NOW + Duration::from_secs(600);
        assert_eq!(
            accounts.authenticate(later, &granted.access_token),
            Err(Denied::BadToken)
        );
        let next = accounts
            .refresh(later, &granted.refresh_token)
            .expect("refreshed");
        accounts.authenticate(later, &next.access_token).expect("good");
        let mut revocations = accounts.revocations();
        revocations.mark_unchanged();
        assert_eq!(accounts.sign_out(&next.refresh_token), Some(granted.session));
        assert!(revocations.has_changed().expect("there"));
        assert_eq!(
            accounts.authenticate(later, &next.access_token),
            Err(Denied::BadToken)
        );
        assert_eq!(accounts.current(later, &principal), None);
    }

    #[tokio::test]
    async fn wrong_passwords_and_unknown_users_are_told_apart_by_nobody_and_run_out_of_tries() {
        let clock = Arc::new(std::sync::atomic::AtomicU64::new(NOW.as_micros()));
        let of = Arc::clone(&clock);
        let sentry = Sentry::with_clock(Default::default(), move || {
            Time(of.load(std::sync::atomic::Ordering::Relaxed))
        });
        let accounts = guarded(sentry).await;
        let bad = |name: &'static str| accounts.sign_in(NOW, name, "wrong", None);
        assert_eq!(bad("anna").await.err(), Some(Denied::BadCredentials));
        assert_eq!(bad("nobody").await.err(), Some(Denied::BadCredentials));
        for _ in 1..10 {
            bad("anna").await.expect_err("wrong");
        }
        // The wall clock may step in either direction.
        for wall in [
            NOW,
            NOW - Duration::from_secs(7_200),
            NOW + Duration::from_secs(7_200),
        ] {
            let denied = accounts.sign_in(wall, "anna", "cordboard", None).await.err();
            assert_eq!(denied, Some(Denied::TooMany(Duration::from_secs(6))));
        }
        clock.fetch_add(6_000_000, std::sync::atomic::Ordering::Relaxed);
        let long_ago = NOW - Duration::from_secs(900);
        accounts
            .sign_in(long_ago, "anna", "cordboard", None)
            .await
            .expect("signed in");
        accounts
            .sign_in(long_ago, "anna", "cordboard", None)
            .await
            .expect("and again");
    }

    #[tokio::test]
    async fn sip_credentials_end_with_the_sign_in() {
        let accounts = accounts().await;
        let granted = signed_in(&accounts).await;
        let anna = accounts.authenticate(NOW, &granted.access_token).expect("good");
        assert_eq!(accounts.sip_session(NOW, &anna, "no tab"), None);
        let (credentials, until) = accounts.sip_session(NOW, &anna, "tab1").expect("credentials");
        let expected = Some(("anna".to_owned(), credentials.password.clone()));
        assert_eq!(accounts.sip_secret(NOW, &credentials.username), expected);
        assert_eq!(accounts.sip_secret(until, &credentials.username), None);
        let for_ben = credentials.username.replace("anna", "ben");
        assert_eq!(accounts.sip_secret(NOW, &for_ben), None);
        accounts.sign_out(&granted.refresh_token).expect("signed out");
        assert_eq!(accounts.sip_secret(NOW, &credentials.username), None);
    }

    #[tokio::test]
    async fn a_ticket_is_void_once_used_or_when_its_sign_in_is_over() {
        let accounts = accounts().await;
        let granted = signed_in(&accounts).await;
        let anna = accounts.authenticate(NOW, &granted.access_token).expect("good");
        let (ticket, _) = accounts.ticket(NOW, anna.clone()).expect("a ticket");
        assert_eq!(accounts.redeem(NOW, &ticket), Some(anna.clone()));
        assert_eq!(accounts.redeem(NOW, &ticket), None);
        let (ticket, _) = accounts.ticket(NOW, anna).expect("a ticket");
        accounts.sign_out(&granted.refresh_token).expect("signed out");
        assert_eq!(accounts.redeem(NOW, &ticket), None);
    }

    #[tokio::test]
    async fn what_was_granted_before_a_restart_stays_good() {
        let before = accounts().await;
        let granted = signed_in(&before).await;
        let after = accounts().await;
        assert_eq!(
            after.authenticate(NOW, &granted.access_token),
            Err(Denied::BadToken)
        );
        let session = before.session(&granted.session).expect("kept");
        after.restore_session(granted.session, session);
        after.authenticate(NOW, &granted.access_token).expect("good");
        after.refresh(NOW, &granted.refresh_token).expect("good");
    }

    #[tokio::test]
    async fn changes_of_an_account_count_at_once() {
        let accounts = accounts().await;
        let granted = signed_in(&accounts).await;
        let mut anna = accounts.user("usr_1").expect("there");
        anna.roles = vec![Role::Supervisor];
        assert!(accounts.put_user(anna.clone()));
        let principal = accounts.authenticate(NOW, &granted.access_token).expect("good");
        assert!(principal.is(Role::Supervisor) && !principal.is(Role::Agent));
        let twin = User {
            id: "usr_2".into(),
            ..anna.clone()
        };
        assert!(!accounts.put_user(twin.clone()), "two users of one name");
        let colon = User {
            name: "a:b".into(),
            ..twin
        };
        assert!(!accounts.put_user(colon), "no name");
        anna.password = accounts
            .passwords()
            .hash("another one")
            .await
            .ok()
            .map(Password::Hash);
        assert!(accounts.put_user(anna));
        assert_eq!(
            accounts.authenticate(NOW, &granted.access_token),
            Err(Denied::BadToken)
        );
        assert_eq!(
            accounts.refresh(NOW, &granted.refresh_token).err(),
            Some(Denied::BadToken)
        );
        assert!(accounts.remove_user("usr_1").is_some());
        assert_eq!(
            accounts.sign_in(NOW, "anna", "another one", None).await.err(),
            Some(Denied::BadCredentials)
        );
    }

    #[tokio::test]
    async fn an_api_key_speaks_for_itself_until_removed() {
        let accounts = accounts().await;
        let (key, secret) = ApiKey::generate("report".into(), vec![Scope::Read]).expect("a key");
        let id = key.id.clone();
        accounts.put_key(key);
        let principal = accounts.authenticate(NOW, &secret).expect("good");
        assert!(principal.has(Scope::Read) && principal.sees_all() && !principal.has(Scope::Control));
        assert!(!principal.is(Role::Agent));
        assert_eq!(accounts.authenticate(NOW, "cbk_AAAA"), Err(Denied::BadToken));
        assert!(accounts.remove_key(&id));
        assert_eq!(accounts.authenticate(NOW, &secret), Err(Denied::BadToken));
        assert_eq!(accounts.current(NOW, &principal), None);
    }

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
