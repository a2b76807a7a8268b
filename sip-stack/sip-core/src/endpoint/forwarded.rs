//! Offers that are somebody else's: made once, since whoever they come from repeats them, and taken back by a CANCEL.

use sans_io::Time;

use super::client::Purpose;
use super::event::{Event, OfferMethod};
use super::ids::UsageId;
use super::outgoing::{Body, Headers};
use super::usage::{Alarm, State};
use super::{Endpoint, TimerKey};

impl Endpoint {
    /// Offers a change of the session by re-INVITE, at once and once: where the peer's own change is in its way, it is refused with 491
    /// and not made again. For an offer that is somebody else's, who repeats it. False, and nothing is sent, where another change is
    /// under way or waits, or the dialog is not confirmed. `extra` are further headers, such as the credentials of whose offer it is.
    pub fn offer_once(&mut self, now: Time, usage: UsageId, body: Body, extra: Headers) -> bool {
        if !self.may_offer(usage) {
            return false;
        }
        if let Some(state) = self.usages.get_mut(&usage) {
            state.once = true;
            state.offer_headers = extra;
            state.offers.push_back(body);
            self.next_offer(now, usage);
        }
        true
    }

    /// True if an offer would leave at once: the dialog is confirmed, and no other change is under way or waits.
    #[must_use]
    pub fn may_offer(&self, usage: UsageId) -> bool {
        let waits = self.timers.get(TimerKey::Usage(usage, Alarm::Retry)).is_some();
        self.usages.get(&usage).is_some_and(|state| {
            state.state == State::Confirmed && state.offers.is_empty() && !state.is_changing() && !waits
        })
    }

    /// Credentials of the re-INVITE that `Event::Offer` reports, as written, perhaps none; `None` without such a re-INVITE, or for an UPDATE.
    #[must_use]
    pub fn credentials_of_offer(&self, usage: UsageId) -> Option<&Headers> {
        let offer = self.usages.get(&usage)?.offer_in.as_ref()?;
        (offer.method == OfferMethod::Invite).then_some(&offer.credentials)
    }

    /// Gives up an offer of ours that has no final response: by CANCEL, if the peer has sent a provisional one (RFC 3261 §9.1), else it is
    /// let be. `Event::OfferRefused` or `Event::OfferAnswered` follows all the same, for an answer may be on its way.
    pub fn withdraw_offer(&mut self, now: Time, usage: UsageId) {
        let offer = Purpose::Reinvite { refresh: false };
        let mut clients = self.clients.iter();
        let open =
            clients.find(|(_, tx)| tx.usage == Some(usage) && tx.purpose == offer && tx.is_proceeding());
        let Some(client) = open.map(|(client, _)| *client) else {
            return;
        };
        if !self.clients.contains_key(&(client | 1)) {
            self.send_cancel(now, client, "");
        }
    }

    /// The peer cancelled a re-INVITE: there is no offer to answer any more.
    pub(super) fn withdraw_offer_in(&mut self, usage: UsageId, server: u64) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        if state.offer_in.take_if(|offer| offer.server == server).is_some() {
            self.event(Event::OfferWithdrawn { usage });
        }
    }
}
