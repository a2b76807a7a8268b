//! Recovery of a caller's leg after a restart of the gateway: its saved form, and the offer by which it goes on.
//!
//! The peer's dialog lives on while the gateway is away. Once restored from its saved form, a re-INVITE
//! offers new addresses (and a browser new keys): the peer hears us again with the answer, or is gone.

use std::time::Duration;

use media_core::control::{Application, LegId};
use media_core::negotiated::Direction;
use media_core::sdp;
use sans_io::Time;
use serde::{Deserialize, Serialize};
use sip_core::endpoint::{Body, SavedDialog};
use sip_core::flow::Flow;
use sip_core::message::StatusCode;
use sip_core::uri::UriRef;

use crate::call::{Call, End, Lifetime, NewCall};
use crate::context::Context;
use crate::coordinator::{Coordinator, Timer};
use crate::dial::Caller;
use crate::event::Source;
use crate::identity::Identity;
use crate::leg::{
    Account, Ack, Course, Device, Dialog, Leg, MediaWanted, Membership, Negotiation, Peer, Pending, Purpose,
    Sent,
};
use crate::{Cause, Event, SessionId};

/// Time that a browser that agreed to go on may take for new keys.
const KEYS: Duration = Duration::from_secs(8);

/// A leg that called us and was answered, for [`Coordinator::restore`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedLeg {
    /// The SIP side.
    pub dialog: SavedDialog,
    /// Origin of the call.
    pub source: Source,
    /// User part of From.
    pub from: String,
    /// Display name of From.
    pub display: String,
    /// Number or name that was dialled.
    pub to: String,
    /// The peer is a browser.
    pub browser: bool,
    /// Time at which the INVITE came, microseconds since 1970.
    pub began: u64,
    /// Time at which it was answered, microseconds since 1970.
    pub answered: u64,
}

impl Coordinator {
    /// Saved form of a leg that called us, so that it can go on after a restart. `None` before it is answered
    /// and after its end. It changes with [`Event::Answered`] and with each [`Event::Changed`].
    #[must_use]
    pub fn save(&self, leg: LegId) -> Option<SavedLeg> {
        let call = self.call_of(leg)?;
        let l = call.leg(leg).filter(|l| l.is_incoming() && l.is_up())?;
        Some(SavedLeg {
            dialog: self.context().endpoint.save(l.usage()?)?,
            source: call.source()?.clone(),
            from: call.from().user.clone(),
            display: call.from().display.clone(),
            to: call.to().to_owned(),
            browser: l.is_browser(),
            began: call.began().as_micros(),
            answered: l.answered()?.as_micros(),
        })
    }

    /// Goes on with a leg that was saved before a restart, alone in a session that is kept. Its peer is asked to go on at once;
    /// a browser as soon as it registered again. Then comes [`Event::Restored`], and it hears `application`; or its session
    /// ends. `None` when its dialog is there already, cannot be made again, or belongs to a browser that nobody would know again.
    pub fn restore(
        &mut self,
        now: Time,
        saved: &SavedLeg,
        application: Option<Application>,
    ) -> Option<(SessionId, LegId)> {
        let account = Account::of(&saved.source);
        if saved.browser && account.user().is_none() {
            return None;
        }
        let device = Device::of(saved.browser);
        let cx = self.context_mut();
        let (local, remote) = (
            saved.dialog.local_sdp.as_ref()?,
            saved.dialog.remote_sdp.as_ref()?,
        );
        let (session, leg) = (cx.next_session(), cx.next_leg());
        let shard = cx.index.least_loaded();
        let wanted = MediaWanted {
            device,
            codecs: cx.codecs_for(account.trunk(), device),
            source: cx.directory.media_source(&account),
            media_security: cx.directory.media_security(account.trunk()),
            srtp: cx.directory.srtp(&account),
            family: sdp::peek(remote.as_bytes(), &[], sdp::SrtpPolicy::Off)
                .ok()
                .and_then(|peek| peek.family),
        };
        let (kind, mut negotiator) = wanted.prepare(cx, leg, shard);
        negotiator
            .resume(local.as_bytes(), remote.as_bytes(), &mut cx.rng)
            .ok()?;
        let usage = cx.endpoint.restore(now, &saved.dialog)?;
        let new = NewCall {
            id: session,
            source: Some(saved.source.clone()),
            from: Caller {
                user: saved.from.clone(),
                display: saved.display.clone(),
            },
            to: saved.to.clone(),
            identity: Identity::default(),
            began: Time(saved.began),
            answered: Some(Time(saved.answered)),
            max_forwards: 71,
            shard,
        };
        let mut call = Call::new(cx, new);
        call.set_lifetime(Lifetime::Caller);
        let peer = Peer {
            party: saved.from.clone(),
            account,
            device,
            registered: None,
            proxied: false,
        };
        let sent = Sent {
            call_id: saved.dialog.call_id.clone(),
            at: Time(saved.began),
        };
        let course = Course::Answered(sent, Time(saved.answered));
        let made = Leg::incoming(
            leg,
            shard,
            peer,
            (Dialog::Up(usage, Ack::Seen), course),
            None,
            Negotiation::offered(negotiator, None),
            Purpose::Recovering,
        );
        let mut made = made.recovering();
        made.set_application(application);
        if saved.browser {
            // Its connection is gone for certain; it is looked for among those that come.
            made.set_flow_lost();
        }
        made.when_open(Pending::Recover);
        cx.index.add_usage(usage, leg);
        made.open(cx, kind);
        if let Some(peer) = saved.dialog.peer {
            made.restrict(cx, usage, Some(peer.ip()), "");
        }
        call.add_leg(cx, made);
        self.insert_call(call);
        Some((session, leg))
    }

    /// A user is reachable over `flow`: legs of that user that lost theirs move to it.
    pub(crate) fn flow_found(&mut self, now: Time, user: &str, flow: Flow) {
        for leg in self.legs_of_user(user) {
            let lost = self.leg(leg).is_some_and(|l| l.is_browser() && l.lost_flow());
            if lost && self.is_same_client(leg, user, flow) {
                self.with_leg(leg, |call, cx| call.move_leg(cx, now, leg, flow));
            }
        }
    }

    /// The dialog of a leg may go on over a flow of its user: not with another tab, which knows nothing of it.
    fn is_same_client(&self, leg: LegId, user: &str, flow: Flow) -> bool {
        let Some(leg) = self.leg(leg) else { return false };
        if !leg.is_recovering() {
            return true;
        }
        let cx = self.context();
        let info = leg.usage().and_then(|usage| cx.endpoint.usage(usage));
        let Some(target) = info.and_then(|info| UriRef::parse(&info.remote_target).ok()) else {
            return false;
        };
        let is_target = |uri: UriRef<'_>| {
            uri.user() == target.user()
                && uri.host().map(|host| host.to_string()) == target.host().map(|host| host.to_string())
        };
        let mut contacts = cx.directory.contacts(user);
        contacts.any(|contact| contact.flow.id == flow.id && is_target(contact.uri.borrow()))
    }
}

impl Call {
    /// Offers the peer of a leg to go on, once there are media and a way to it.
    pub(crate) fn ask_to_go_on(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        let Some(l) = self.leg_mut(leg) else { return };
        if l.is_recovering() && l.is_open() && !l.lost_flow() {
            let sdp = l.offer_sdp(Direction::SendRecv);
            if let Some(usage) = l.usage() {
                cx.endpoint.offer(now, usage, Body::sdp(sdp));
            }
        }
    }

    /// The peer of a leg that is being recovered refuses to go on.
    pub(crate) fn not_recovered(&mut self, cx: &mut Context, now: Time, leg: LegId, code: StatusCode) {
        let Some(l) = self.leg_mut(leg).filter(|l| l.is_recovering()) else {
            return;
        };
        if code == StatusCode::SERVICE_UNAVAILABLE && l.is_browser() {
            // Its connection closed again: it may come over another one.
            return l.set_flow_lost();
        }
        self.end(cx, now, End::new(Cause::Failed, code));
    }

    /// The peer of a leg that is being recovered agreed. A browser must accept new keys as well, which not
    /// every browser does in the middle of a call (Firefox keeps its DTLS association): one that does not
    /// hears nothing, and gets a BYE.
    pub(crate) fn agreed_to_go_on(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        let Some(l) = self.leg(leg).filter(|l| l.is_recovering()) else {
            return;
        };
        if l.is_browser() {
            cx.timers
                .set(Timer::Recover(leg), now + KEYS, "new keys of a browser");
        } else {
            self.recovered(cx, leg);
        }
    }

    /// The peer of a leg that is being recovered hears us.
    pub(crate) fn recovered(&mut self, cx: &mut Context, leg: LegId) {
        let session = self.id();
        let Some(l) = self.leg_mut(leg).filter(|l| l.is_recovering()) else {
            return;
        };
        l.set_purpose(Purpose::Member(Membership::caller()));
        cx.timers.cancel(Timer::Recover(leg));
        cx.event(Event::Restored { session, leg });
    }
}
