//! The right to watch ends with what gave it: a user who is removed or has another password, a sign-in that is over, a trunk that may
//! watch no more.

use sans_io::Time;
use sip_core::endpoint::{SubscriptionId, TerminationReason};

use super::places::is_place;
use super::{Stage, Watch, Watcher, Watches};
use crate::context::Context;
use crate::coordinator::Coordinator;
use crate::event::Source;

impl Coordinator {
    /// Ends the watches of users who are removed or have another password, and those of who is removed.
    pub(crate) fn watchers_gone(&mut self, gone: &[String]) {
        let (watches, cx) = self.watches_mut();
        let is_gone = |name: &String| gone.contains(name);

        let ends = |watch: &Watch| match (&watch.by.source, &watch.stage) {
            (Source::User(name), _) if is_gone(name) => Some(TerminationReason::Rejected),
            (_, Stage::Granted { user, .. }) if cx.directory.user(user).is_none() && !is_place(user) => {
                Some(TerminationReason::NoResource)
            }
            _ => None,
        };
        watches.end(ends);
    }

    /// Ends the watches whose right is over. True if there are others whose right may end by time.
    pub(crate) fn review_watchers(&mut self, now: Time) -> bool {
        let (watches, cx) = self.watches_mut();
        watches.end(|watch| (!watch.by.is_good(cx, now)).then_some(TerminationReason::Rejected));
        watches.watches.values().any(|watch| watch.by.lent.is_some())
    }

    /// Ends the watches of trunks that may watch no more.
    pub(crate) fn review_trunks_that_watch(&mut self) {
        let (watches, cx) = self.watches_mut();
        watches.end(|watch| match &watch.by.source {
            Source::Trunk(name) if !cx.directory.trunk(name).is_some_and(|trunk| trunk.watches) => {
                Some(TerminationReason::Rejected)
            }
            _ => None,
        });
    }

    /// Ends the watches that are to end. True if there were any.
    pub(super) fn end_watches(&mut self, now: Time) -> bool {
        let (watches, cx) = self.watches_mut();
        let ending = std::mem::take(&mut watches.ending);
        for (subscription, reason) in &ending {
            watches.forget(*subscription);
            cx.endpoint
                .terminate_subscription(now, *subscription, *reason, None);
        }
        !ending.is_empty()
    }
}

impl Watches {
    fn end(&mut self, ends: impl Fn(&Watch) -> Option<TerminationReason>) {
        let over = self.watches.iter();
        let over: Vec<(SubscriptionId, TerminationReason)> =
            over.filter_map(|(id, watch)| Some((*id, ends(watch)?))).collect();
        self.ending.extend(over);
    }
}

impl Watcher {
    fn is_good(&self, cx: &Context, now: Time) -> bool {
        let (Source::User(user), Some(username)) = (&self.source, &self.lent) else {
            return true;
        };
        let found = cx.directory.credentials().find(now, username);
        found.is_some_and(|found| found.good && found.user == *user)
    }
}
