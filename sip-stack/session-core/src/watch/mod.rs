//! Watching: peers subscribe to the state of our users (RFC 6665). A package's documents are made from what calls and registrations are
//! at that moment; a watch remembers the state that it was notified of last.
//!
//! | file | what it has |
//! |---|---|
//! | `package` | event packages |
//! | `asked` | a SUBSCRIBE comes in; the application says whose state it is for |
//! | `notifying` | what changed, and NOTIFYs |
//! | `rights` | watchers who may watch no more |
//! | `dialog_info` | the package `dialog` (RFC 4235) |
//! | `presence`, `pidf` | the package `presence` (RFC 3856), and what its documents say |
//! | `publication` | PUBLISH (RFC 3903) |
//! | `reg` | the package `reg` (RFC 3680) |
//! | `mailbox`, `summary` | the package `message-summary` (RFC 3842), and what its documents say |
//! | `places` | slots in which calls are parked |
//! | `pick_up` | names by which a watcher picks a ringing call up (RFC 3891) |
//! | `xml`, `xml_read` | XML, written and read |

mod asked;
mod dialog_info;
mod mailbox;
mod notifying;
mod package;
mod pick_up;
mod pidf;
mod places;
mod presence;
mod publication;
mod reg;
mod rights;
mod summary;
mod xml;
mod xml_read;

pub(crate) use xml::Xml;
#[cfg(test)]
pub(crate) use xml_read::is_well_formed;

use std::collections::{BTreeMap, BTreeSet};

use media_core::control::LegId;
use sip_core::endpoint::{SubscriptionId, TerminationReason};

use mailbox::Mailboxes;
pub use mailbox::{MailboxNotice, NoticeId};
pub use package::{Package, WatchCounts};
use pick_up::PickUps;
use pidf::Presence;
pub use presence::rewrite_presence;
use publication::Publications;
use summary::Summary;
pub use summary::rewrite_summary;

use crate::call::Call;
use crate::event::Source;
use crate::leg::Leg;

/// Who wants to watch whom.
#[derive(Clone, Debug)]
pub struct WatchRequest {
    /// The watcher: a user, or a trunk that may watch.
    pub source: Source,
    /// Kind of state.
    pub package: Package,
    /// Dialled number or name: user part of the Request-URI, percent-escapes decoded.
    pub number: String,
}

/// Subscriptions of peers to the state of our users.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    watches: BTreeMap<SubscriptionId, Watch>,
    /// Watches of each user who is watched.
    of: BTreeMap<String, BTreeSet<SubscriptionId>>,
    /// Watched users whose state may have changed.
    touched: BTreeSet<String>,
    /// Watches to end.
    ending: Vec<(SubscriptionId, TerminationReason)>,
    pick_ups: PickUps,
    /// Leg of the call at each place that was watched or had one.
    places: BTreeMap<String, Option<LegId>>,
    publications: Publications,
    mailboxes: Mailboxes,
    /// What users do, as the application knows it.
    activities: BTreeMap<String, Activity>,
    /// Revision of the registrations that watchers were told of.
    registrations: u64,
}

/// What a user does that no call and no phone of the user tells (RFC 4480 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Not at the desk.
    Away,
    /// At work, and not to be disturbed.
    Busy,
}

/// Subscription of a peer.
#[derive(Debug)]
struct Watch {
    by: Watcher,
    package: Package,
    /// URI that was subscribed to.
    entity: String,
    stage: Stage,
}

/// Who watches.
#[derive(Debug)]
struct Watcher {
    source: Source,
    /// Digest user name, if the credentials end.
    lent: Option<String>,
}

/// Stage of a watch.
#[derive(Debug)]
enum Stage {
    /// The application was asked whose state it is for.
    Asked,
    /// It is for the state of this user.
    Granted { user: String, notified: Notified },
}

/// State that a watcher was notified of last.
#[derive(Debug)]
enum Notified {
    Dialogs(dialog_info::Notified),
    Presence(Option<Presence>),
    Registrations(reg::Notified),
    Mailbox(Option<Summary>),
}

impl Notified {
    /// Nothing yet.
    fn nothing(package: Package) -> Notified {
        match package {
            Package::Dialog => Notified::Dialogs(dialog_info::Notified::default()),
            Package::Presence => Notified::Presence(None),
            Package::Reg => Notified::Registrations(reg::Notified::default()),
            Package::MessageSummary => Notified::Mailbox(None),
        }
    }
}

impl Watches {
    /// Notes that a call changed, or is about to: what its users do may be something else now.
    pub(crate) fn touch(&mut self, call: &Call) {
        if self.of.is_empty() {
            return;
        }
        for user in call.legs().filter_map(Leg::user) {
            if self.of.contains_key(user) && !self.touched.contains(user) {
                self.touched.insert(user.to_owned());
            }
        }
    }

    /// Notes that something about a user changed.
    fn touch_user(&mut self, user: &str) {
        if self.of.contains_key(user) {
            self.touched.insert(user.to_owned());
        }
    }

    /// Notes that registrations changed, whoever's.
    fn touch_registered(&mut self, revision: u64) {
        if std::mem::replace(&mut self.registrations, revision) == revision {
            return;
        }
        let watched = self.watches.values().filter_map(|watch| match &watch.stage {
            Stage::Granted {
                user,
                notified: Notified::Presence(_) | Notified::Registrations(_),
            } => Some(user.clone()),
            Stage::Granted { .. } | Stage::Asked => None,
        });
        self.touched.extend(watched);
    }

    /// Watches of each package.
    pub(crate) fn count(&self, package: Package) -> usize {
        self.watches
            .values()
            .filter(|watch| watch.package == package)
            .count()
    }

    /// Watches of one watcher.
    fn count_by(&self, source: &Source) -> usize {
        self.watches
            .values()
            .filter(|watch| watch.by.source == *source)
            .count()
    }

    fn forget(&mut self, subscription: SubscriptionId) {
        let Some(watch) = self.watches.remove(&subscription) else {
            return;
        };
        if let Stage::Granted { user, .. } = &watch.stage
            && let Some(watches) = self.of.get_mut(user)
        {
            watches.remove(&subscription);
            if watches.is_empty() {
                self.of.remove(user);
            }
        }
    }
}
