//! Places: what a lamp can show beside users, such as a slot in which a call is parked.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::SubscriptionId;
use sip_core::message::StatusCode;

use super::Package;
use super::dialog_info::Dialog;
use crate::coordinator::Coordinator;
use crate::dial::Caller;

/// Beginning of the names of places among those who are watched. No user has a blank in the name.
const PREFIX: &str = "place ";

/// Name of a place among those who are watched.
fn key(place: &str) -> String {
    format!("{PREFIX}{place}")
}

/// True for the name of a place.
pub(super) fn is_place(key: &str) -> bool {
    key.starts_with(PREFIX)
}

impl Coordinator {
    /// Answers [`Event::Watch`](crate::Event::Watch): the watcher is told from now on which call is at this place. Refused with 404 for another
    /// package than `dialog` (RFC 4235).
    pub fn admit_watch_of_place(&mut self, now: Time, subscription: SubscriptionId, place: &str) {
        let (watches, _) = self.watches_mut();
        let watch = watches.watches.get(&subscription);
        if watch.is_some_and(|watch| watch.package != Package::Dialog) {
            return self.refuse_watch(subscription, StatusCode::NOT_FOUND);
        }
        let key = key(place);
        watches.places.entry(key.clone()).or_default();
        self.grant_watch(now, subscription, &key);
    }

    /// Shows the call of a leg at a place, to whoever watches that; `None`: nobody is there.
    pub fn show_at(&mut self, place: &str, leg: Option<LegId>) {
        let key = key(place);
        let (watches, _) = self.watches_mut();
        watches.places.insert(key.clone(), leg);
        watches.touch_user(&key);
    }

    /// The call at a place, by the name that it is watched under. Its other party is the one who waits there.
    pub(super) fn dialog_at(&self, key: &str) -> Option<Dialog> {
        let leg = (*self.watches().places.get(key)?)?;
        let call = self.call_of(leg)?;
        let party = call.leg(leg)?.party().to_owned();
        let dialog = call.watched(leg)?;
        Some(Dialog {
            remote: Caller {
                user: party,
                display: String::new(),
            },
            ..dialog
        })
    }
}
