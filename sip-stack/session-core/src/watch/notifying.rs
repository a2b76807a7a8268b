//! Telling watchers: which of them have news, and the documents they get.

use sans_io::Time;
use sip_core::endpoint::{Body, SubscriptionId};

use super::dialog_info::{Dialog, Direction, Entity, State as DialogState};
use super::pidf::{Basic, Presence};
use super::reg::Contact;
use super::summary::Summary;
use super::{Activity, Notified, Package, Stage, Watch, Watches, presence};
use crate::call::Call;
use crate::coordinator::Coordinator;
use crate::dial::Caller;
use crate::leg::{Leg, LegState};

impl Coordinator {
    /// Finds out which watchers have news, and ends watches that are to end. True if the SIP machine has something to say now.
    pub(crate) fn settle_watches(&mut self, now: Time) -> bool {
        let ended = self.end_watches(now);
        let (watches, cx) = self.watches_mut();
        watches.touch_registered(cx.directory.registrar().revision());
        let touched = std::mem::take(&mut watches.touched);
        if touched.is_empty() {
            return ended;
        }
        for user in &touched {
            let watching: Vec<(SubscriptionId, Package)> = self.watches().watching(user).collect();
            let mut states: Vec<(Package, State)> = Vec::new();
            for (subscription, package) in watching {
                if !states.iter().any(|(known, _)| *known == package) {
                    states.push((package, self.state_of(user, package)));
                }
                let state = states.iter().find(|(known, _)| *known == package);
                let (watches, cx) = self.watches_mut();
                let notified = watches.notified(subscription);
                if let (Some((_, state)), Some(notified)) = (state, notified)
                    && notified.is_old(state)
                {
                    cx.endpoint.state_changed(now, subscription);
                }
            }
        }
        self.forget_pick_ups();
        true
    }

    /// Tells a watcher the whole state.
    pub(crate) fn tell_all(&mut self, now: Time, subscription: SubscriptionId) {
        self.tell(now, subscription, Extent::All);
    }

    /// Tells a watcher what changed, if it is not as it was told.
    pub(crate) fn tell_news(&mut self, now: Time, subscription: SubscriptionId) {
        self.tell(now, subscription, Extent::News);
    }

    fn tell(&mut self, now: Time, subscription: SubscriptionId, extent: Extent) {
        let watch = self.watches().watches.get(&subscription);
        let Some(Stage::Granted { user, .. }) = watch.map(|watch| &watch.stage) else {
            return;
        };
        let user = user.clone();
        let Some(package) = watch.map(|watch| watch.package) else {
            return;
        };
        let state = self.state_of(&user, package);
        let (watches, cx) = self.watches_mut();
        let Some(Watch {
            entity,
            stage: Stage::Granted { notified, .. },
            ..
        }) = watches.watches.get_mut(&subscription)
        else {
            return;
        };
        if matches!(extent, Extent::News) && !notified.is_old(&state) {
            return;
        }
        let known = cx.directory.user(&user);
        let entity = Entity {
            uri: entity,
            display: known.map_or("", |user| &user.display),
            host: &cx.config.host,
        };
        let body = notified.document(now, &entity, state, extent).map(|text| Body {
            content_type: package.media_type().to_owned(),
            data: text.into(),
        });
        cx.endpoint.notify(now, subscription, body);
    }

    /// State of a user now.
    fn state_of(&mut self, user: &str, package: Package) -> State {
        match package {
            Package::Dialog => State::Dialogs(self.dialogs_of(user)),
            Package::Presence => State::Presence(self.presence_of(user)),
            Package::Reg => {
                let bindings = self.context().directory.contacts(user);
                State::Registrations(bindings.map(Contact::of).collect())
            }
            Package::MessageSummary => State::Mailbox(self.watches().mailboxes.of(user)),
        }
    }

    /// Presence of a user: what was published last, or whether there is a phone; and calls.
    fn presence_of(&self, user: &str) -> Presence {
        let published = self.watches().publications.latest(user).cloned();
        let mut presence = published.unwrap_or_else(|| Presence {
            basic: match self.is_reachable(user) {
                true => Basic::Open,
                false => Basic::Closed,
            },
            ..Presence::default()
        });
        match self.watches().activities.get(user) {
            Some(Activity::Away) => presence.add("away"),
            Some(Activity::Busy) => presence.add("busy"),
            None => {}
        }
        let legs = self
            .legs_of_user(user)
            .into_iter()
            .filter_map(|leg| self.leg(leg));
        if legs.into_iter().any(Leg::is_up) {
            presence.add("on-the-phone");
        }
        presence
    }

    /// Tells watchers of a user's presence what the user does, until it is something else; `None`: nothing worth mentioning.
    pub fn set_activity(&mut self, user: &str, activity: Option<Activity>) {
        let (watches, _) = self.watches_mut();
        let before = match activity {
            Some(activity) => watches.activities.insert(user.to_owned(), activity),
            None => watches.activities.remove(user),
        };
        if before != activity {
            watches.touch_user(user);
        }
    }

    /// Dialogs of a user now, oldest first.
    fn dialogs_of(&mut self, user: &str) -> Vec<Dialog> {
        let mut dialogs: Vec<Dialog> = self.dialog_at(user).into_iter().collect();
        for leg in self.legs_of_user(user) {
            let dialog = self.call_of(leg).and_then(|call| call.watched(leg));
            if let Some(mut dialog) = dialog {
                dialog.names = self.pick_up_names(leg);
                dialogs.push(dialog);
            }
        }
        dialogs
    }

    fn forget_pick_ups(&mut self) {
        if self.watches().pick_ups.is_empty() {
            return;
        }
        let mut pick_ups = std::mem::take(&mut self.watches_mut().0.pick_ups);
        pick_ups.retain(|leg| self.rings_replaceably(leg));
        self.watches_mut().0.pick_ups = pick_ups;
    }
}

/// State of a user, by package.
#[derive(Clone, Debug)]
enum State {
    Dialogs(Vec<Dialog>),
    Presence(Presence),
    Registrations(Vec<Contact>),
    Mailbox(Summary),
}

impl Notified {
    /// True if a state is another one than that which was told.
    fn is_old(&self, state: &State) -> bool {
        match (self, state) {
            (Notified::Dialogs(notified), State::Dialogs(dialogs)) => notified.is_old(dialogs),
            (Notified::Presence(notified), State::Presence(presence)) => notified.as_ref() != Some(presence),
            (Notified::Registrations(notified), State::Registrations(contacts)) => notified.is_old(contacts),
            (Notified::Mailbox(notified), State::Mailbox(summary)) => notified.as_ref() != Some(summary),
            _ => false,
        }
    }

    /// The document that tells a state.
    fn document(&mut self, now: Time, entity: &Entity<'_>, state: State, extent: Extent) -> Option<String> {
        Some(match (self, state) {
            (Notified::Dialogs(notified), State::Dialogs(dialogs)) => match extent {
                Extent::All => notified.full(entity, dialogs),
                Extent::News => notified.partial(entity, dialogs),
            },
            (Notified::Presence(notified), State::Presence(presence)) => {
                let text = presence::document(entity, &presence);
                *notified = Some(presence);
                text
            }
            (Notified::Registrations(notified), State::Registrations(contacts)) => {
                notified.document(now, entity, contacts)
            }
            (Notified::Mailbox(notified), State::Mailbox(summary)) => {
                let text = summary.document(entity.uri);
                *notified = Some(summary);
                text
            }
            _ => return None,
        })
    }
}

impl Watches {
    /// Watches of a user.
    fn watching(&self, user: &str) -> impl Iterator<Item = (SubscriptionId, Package)> {
        let watches = self.of.get(user).into_iter().flatten();
        watches.filter_map(|id| Some((*id, self.watches.get(id)?.package)))
    }

    fn notified(&self, subscription: SubscriptionId) -> Option<&Notified> {
        match &self.watches.get(&subscription)?.stage {
            Stage::Granted { notified, .. } => Some(notified),
            Stage::Asked => None,
        }
    }
}

/// Extent of what a watcher is told.
#[derive(Clone, Copy, Debug)]
enum Extent {
    /// The whole state: at first, and each time that it subscribes again (RFC 4235 §3.9).
    All,
    /// What changed.
    News,
}

impl Call {
    /// A leg as its user's watchers see it; `None` once it is ending.
    pub(super) fn watched(&self, leg: media_core::control::LegId) -> Option<Dialog> {
        let l = self.leg(leg)?;
        let state = match l.info()?.state {
            LegState::Calling => DialogState::Trying,
            LegState::Ringing => DialogState::Early,
            LegState::Up | LegState::Held | LegState::Away => DialogState::Confirmed,
        };
        let direction = match l.is_incoming() {
            true => Direction::Initiator,
            false => Direction::Recipient,
        };
        Some(Dialog {
            leg,
            direction,
            state,
            held: l.is_up() && (l.is_held() || l.is_holding()),
            remote: self.party_for(l),
            names: None,
        })
    }

    /// The party that a leg's user talks with, or is to talk with.
    fn party_for(&self, l: &Leg) -> Caller {
        let other = self.counterpart(l.id()).and_then(|other| self.leg(other));
        match other {
            Some(other) if other.is_caller() && other.is_incoming() => self.from().clone(),
            Some(other) => Caller {
                user: other.party().to_owned(),
                display: String::new(),
            },
            None if l.is_incoming() => Caller {
                user: self.to().to_owned(),
                display: String::new(),
            },
            None => self.from().clone(),
        }
    }
}
