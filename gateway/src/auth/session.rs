//! Sign-ins and their refresh tokens. A refresh token is valid once; a second use means that it was copied,
//! so the whole sign-in ends (RFC 9700 §4.14).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use sans_io::Time;

use super::{NoEntropy, digest};

/// Time without a refresh after which a sign-in ends.
pub const IDLE: Duration = Duration::from_secs(24 * 3600);
/// Maximum duration of a sign-in.
pub const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Sign-ins of one user; beyond, the one that was idle longest ends.
const MAX_OF_A_USER: usize = 20;
/// Used tokens that are known again.
const MAX_SPENT: usize = 256;

const PREFIX: &str = "cbr_";

/// Somebody is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The user's id.
    pub user: String,
    /// Time at which the sign-in began.
    pub began: Time,
    /// Time at which it ends unless refreshed.
    pub until: Time,
    /// Digest of the one refresh token that is good.
    pub refresh: [u8; 32],
    /// Digests of those that were used, oldest first.
    pub spent: VecDeque<[u8; 32]>,
}

/// Reason why there is no new token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRefresh {
    /// No token of ours, or of a sign-in that is over.
    Unknown,
    /// The token was used before: the sign-in has ended now.
    Reused,
    /// The operating system gave no random bytes.
    NoEntropy,
}

impl From<NoEntropy> for NoRefresh {
    fn from(_: NoEntropy) -> NoRefresh {
        NoRefresh::NoEntropy
    }
}

/// All sign-ins, by id.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: BTreeMap<String, Session>,
    /// Sign-ins that began, changed or ended, for the task that keeps them; `None` without one.
    changed: Option<BTreeSet<String>>,
}

impl Sessions {
    /// A new sign-in: its id and refresh token.
    pub(super) fn begin(&mut self, now: Time, user: &str) -> Result<(String, String), NoEntropy> {
        let id = super::new_id("ses_")?;
        let token = token(&id)?;
        let over = self.by_id.iter().filter(|(_, session)| session.until <= now);
        for id in over.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.remove(&id);
        }
        while self.of(user).count() >= MAX_OF_A_USER {
            let idle = self.of(user).min_by_key(|(_, session)| session.until);
            let Some(idle) = idle.map(|(id, _)| id.clone()) else {
                break;
            };
            self.remove(&idle);
        }
        let session = Session {
            user: user.to_owned(),
            began: now,
            until: now + IDLE,
            refresh: digest(&token),
            spent: VecDeque::new(),
        };
        self.by_id.insert(id.clone(), session);
        self.note(&id);
        Ok((id, token))
    }

    /// The sign-in's id and its next refresh token.
    pub(super) fn refresh(&mut self, now: Time, shown: &str) -> Result<(String, String), NoRefresh> {
        let id = session_of(shown).ok_or(NoRefresh::Unknown)?;
        let session = self.by_id.get_mut(id).filter(|session| session.until > now);
        let session = session.ok_or(NoRefresh::Unknown)?;
        let shown = digest(shown);
        if shown != session.refresh {
            if session.spent.contains(&shown) {
                self.remove(id);
                return Err(NoRefresh::Reused);
            }
            return Err(NoRefresh::Unknown);
        }
        let next = token(id)?;
        if session.spent.len() >= MAX_SPENT {
            session.spent.pop_front();
        }
        session.spent.push_back(shown);
        session.refresh = digest(&next);
        session.until = (now + IDLE).min(session.began + LONGEST);
        self.note(id);
        Ok((id.to_owned(), next))
    }

    /// Ends the sign-in of a refresh token, used or not; its id.
    pub(super) fn end(&mut self, shown: &str) -> Option<String> {
        let (id, _) = self.holder(shown)?;
        let id = id.to_owned();
        self.remove(&id);
        Some(id)
    }

    /// The sign-in that a refresh token belongs to, used or not, and its user.
    pub(super) fn holder<'a>(&'a self, shown: &'a str) -> Option<(&'a str, &'a str)> {
        let id = session_of(shown)?;
        let session = self.by_id.get(id)?;
        let shown = digest(shown);
        let is_its = shown == session.refresh || session.spent.contains(&shown);
        is_its.then_some((id, &session.user))
    }

    /// Ends all sign-ins of a user; their ids.
    pub(super) fn end_of(&mut self, user: &str) -> Vec<String> {
        let ids: Vec<String> = self.of(user).map(|(id, _)| id.clone()).collect();
        for id in &ids {
            self.remove(id);
        }
        ids
    }

    /// The user whose sign-in it is, while it lasts.
    pub(super) fn user(&self, now: Time, id: &str) -> Option<&str> {
        let session = self.by_id.get(id).filter(|session| session.until > now)?;
        Some(&session.user)
    }

    /// The sign-in with this id.
    pub(super) fn get(&self, id: &str) -> Option<&Session> {
        self.by_id.get(id)
    }

    /// Notes from now on which ones change.
    pub(super) fn watch(&mut self) {
        self.changed.get_or_insert_default();
    }

    /// Sign-ins that began, changed or ended since the last call.
    pub(super) fn changed(&mut self) -> BTreeSet<String> {
        self.changed.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// As it was before a restart.
    pub(super) fn restore(&mut self, id: String, session: Session) {
        self.by_id.insert(id, session);
    }

    fn remove(&mut self, id: &str) {
        if self.by_id.remove(id).is_some() {
            self.note(id);
        }
    }

    fn note(&mut self, id: &str) {
        if let Some(changed) = &mut self.changed {
            changed.insert(id.to_owned());
        }
    }

    fn of<'a>(&'a self, user: &'a str) -> impl Iterator<Item = (&'a String, &'a Session)> {
        self.by_id.iter().filter(move |(_, session)| session.user == user)
    }
}

fn token(id: &str) -> Result<String, NoEntropy> {
    Ok(format!("{PREFIX}{id}.{}", super::secret()?))
}

fn session_of(token: &str) -> Option<&str> {
    token.strip_prefix(PREFIX)?.split_once('.').map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_000);

    #[test]
    fn a_refresh_token_is_good_once_and_its_second_use_ends_the_sign_in() {
        let mut sessions = Sessions::default();
        let (id, first) = sessions.begin(NOW, "usr_1").expect("a sign-in");
        let (same, second) = sessions.refresh(NOW, &first).expect("a next one");
        assert_eq!(same, id);
        let (_, third) = sessions.refresh(NOW, &second).expect("a next one");
        assert_eq!(sessions.user(NOW, &id), Some("usr_1"));
        assert_eq!(sessions.refresh(NOW, &first), Err(NoRefresh::Reused));
        assert_eq!(sessions.user(NOW, &id), None);
        assert_eq!(sessions.refresh(NOW, &third), Err(NoRefresh::Unknown));
    }

    #[test]
    fn a_made_up_token_ends_nothing() {
        let mut sessions = Sessions::default();
        let (id, token) = sessions.begin(NOW, "usr_1").expect("a sign-in");
        let made_up = format!("cbr_{id}.AAAA");
        assert_eq!(sessions.refresh(NOW, &made_up), Err(NoRefresh::Unknown));
        assert_eq!(sessions.end(&made_up), None);
        assert_eq!(sessions.user(NOW, &id), Some("usr_1"));
        assert_eq!(sessions.end(&token), Some(id));
        assert_eq!(sessions.refresh(NOW, &token), Err(NoRefresh::Unknown));
    }

    #[test]
    fn a_sign_in_ends_when_idle_and_in_the_end_anyway() {
        let mut sessions = Sessions::default();
        let (_, token) = sessions.begin(NOW, "usr_1").expect("a sign-in");
        assert_eq!(sessions.refresh(NOW + IDLE, &token), Err(NoRefresh::Unknown));

        let (id, mut token) = sessions.begin(NOW, "usr_1").expect("a sign-in");
        let mut now = NOW;
        while now + IDLE < NOW + LONGEST {
            now += IDLE - Duration::from_secs(1);
            token = sessions.refresh(now, &token).expect("in use").1;
        }
        assert!(sessions.user(NOW + LONGEST, &id).is_none());
    }

    #[test]
    fn a_user_has_so_many_sign_ins_and_the_idle_one_ends_first() {
        let mut sessions = Sessions::default();
        let ids: Vec<String> = (0..=MAX_OF_A_USER as u64)
            .map(|n| {
                sessions
                    .begin(NOW + Duration::from_secs(n), "usr_1")
                    .expect("a sign-in")
                    .0
            })
            .collect();
        let now = NOW + Duration::from_secs(100);
        assert_eq!(sessions.user(now, &ids[0]), None);
        assert_eq!(sessions.user(now, &ids[1]), Some("usr_1"));
        assert_eq!(sessions.end_of("usr_1").len(), MAX_OF_A_USER);
        assert_eq!(sessions.user(now, &ids[1]), None);
    }
}
