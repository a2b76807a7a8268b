//! The active page of each agent. One tab at a time takes an agent's calls; another tab that asks takes over.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sans_io::Time;
use tokio::sync::oneshot;

/// Why a page is not the active one any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http::api) enum Displaced {
    /// Another tab is.
    Superseded,
    /// The same tab has a newer connection.
    Replaced,
}

/// The active pages of all agents.
#[derive(Debug)]
pub(crate) struct Pages {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    active: BTreeMap<String, Active>,
    last: u64,
}

#[derive(Debug)]
struct Active {
    tab: String,
    /// The sign-in that the page came with.
    session: Option<String>,
    conn: u64,
    displace: oneshot::Sender<Displaced>,
}

impl Pages {
    /// Connections are numbered from `now`, in microseconds: greater than any before a restart.
    pub(crate) fn starting_at(now: Time) -> Pages {
        Pages {
            inner: Mutex::new(Inner {
                active: BTreeMap::new(),
                last: now.as_micros(),
            }),
        }
    }

    /// A page of `agent` is the active one from now on: the number of its connection, and what will tell that it is no more.
    pub(in crate::http::api) fn open(
        &self,
        agent: &str,
        tab: &str,
        session: Option<&str>,
    ) -> (u64, oneshot::Receiver<Displaced>) {
        let (displace, displaced) = oneshot::channel();
        let mut inner = self.lock();
        inner.last += 1;
        let conn = inner.last;
        let active = Active {
            tab: tab.to_owned(),
            session: session.map(str::to_owned),
            conn,
            displace,
        };
        if let Some(before) = inner.active.insert(agent.to_owned(), active) {
            let why = if before.tab == tab {
                Displaced::Replaced
            } else {
                Displaced::Superseded
            };
            // The connection may be gone already.
            let _ = before.displace.send(why);
        }
        (conn, displaced)
    }

    /// A connection is over; true when it was the active page's.
    pub(super) fn close(&self, agent: &str, conn: u64) -> bool {
        let mut inner = self.lock();
        let is_active = inner.active.get(agent).is_some_and(|active| active.conn == conn);
        if is_active {
            inner.active.remove(agent);
        }
        is_active
    }

    /// True if another sign-in of the agent has the active page.
    pub(crate) fn is_elsewhere(&self, agent: &str, session: &str) -> bool {
        let inner = self.lock();
        let active = inner.active.get(agent);
        active.is_some_and(|active| active.session.as_deref() != Some(session))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_tab_takes_over_and_the_same_one_replaces_itself() {
        let pages = Pages::starting_at(Time(100));
        let (first, mut told_first) = pages.open("anna", "a", Some("ses_1"));
        let (again, mut told_again) = pages.open("anna", "a", Some("ses_1"));
        assert!(!pages.is_elsewhere("anna", "ses_1") && pages.is_elsewhere("anna", "ses_2"));
        assert!(!pages.is_elsewhere("ben", "ses_2"), "without a page");
        assert!(first > 100 && again > first);
        assert_eq!(told_first.try_recv(), Ok(Displaced::Replaced));
        let (other, mut told_other) = pages.open("anna", "b", Some("ses_2"));
        assert_eq!(told_again.try_recv(), Ok(Displaced::Superseded));
        pages.open("ben", "b", None);
        assert!(told_other.try_recv().is_err(), "nobody took over");
        assert!(!pages.close("anna", again), "was not the active one any longer");
        assert!(pages.close("anna", other));
        assert!(!pages.close("anna", other));
    }
}
