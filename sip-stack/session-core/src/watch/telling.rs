//! Telling watchers: which of them have news, and the documents they get.

use sans_io::Time;
use sip_core::endpoint::{Body, SubscriptionId};

use super::dialog_info::{Dialog, Direction, Entity, State};
use super::{Stage, Told, Watch};
use crate::call::Call;
use crate::coordinator::Coordinator;
use crate::dial::Caller;
use crate::leg::{Leg, LegState};

impl Coordinator {
    /// Finds out which watchers have news, and ends watches that are to end. True if the SIP machine has something to say now.
    pub(crate) fn settle_watches(&mut self, now: Time) -> bool {
        let ended = self.end_watches(now);
        let touched = std::mem::take(&mut self.watches_mut().0.touched);
        if touched.is_empty() {
            return ended;
        }
        for user in &touched {
            let dialogs = self.dialogs_of(user);
            let (watches, cx) = self.watches_mut();
            for subscription in watches.of.get(user).into_iter().flatten() {
                let has_news = match watches.watches.get(subscription).map(|watch| &watch.stage) {
                    Some(Stage::Granted {
                        told: Told::Dialogs(told),
                        ..
                    }) => told.is_old(&dialogs),
                    Some(Stage::Asked) | None => false,
                };
                if has_news {
                    cx.endpoint.state_changed(now, *subscription);
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
        let dialogs = self.dialogs_of(&user);
        let (watches, cx) = self.watches_mut();
        let Some(Watch {
            package,
            entity,
            stage: Stage::Granted { told, .. },
            ..
        }) = watches.watches.get_mut(&subscription)
        else {
            return;
        };
        let known = cx.directory.user(&user);
        let entity = Entity {
            uri: entity,
            display: known.map_or("", |user| &user.display),
            host: &cx.config.host,
        };
        let text = match (told, extent) {
            (Told::Dialogs(told), Extent::All) => told.full(&entity, dialogs),
            (Told::Dialogs(told), Extent::News) if told.is_old(&dialogs) => told.partial(&entity, dialogs),
            (Told::Dialogs(_), Extent::News) => return,
        };
        let body = Body {
            content_type: package.media_type().to_owned(),
            data: text.into(),
        };
        cx.endpoint.notify(now, subscription, Some(body));
    }

    /// Dialogs of a user now, oldest first.
    fn dialogs_of(&mut self, user: &str) -> Vec<Dialog> {
        let mut dialogs = Vec::new();
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
    fn watched(&self, leg: media_core::control::LegId) -> Option<Dialog> {
        let l = self.leg(leg)?;
        let state = match l.info()?.state {
            LegState::Calling => State::Trying,
            LegState::Ringing => State::Early,
            LegState::Up | LegState::Held | LegState::Away => State::Confirmed,
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
