//! Resuming a caller's leg after a restart of the gateway: its saved form, and the offer by which it goes on.
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
use sip_core::uri::UriRef;

use crate::coordinator::{Coordinator, Timer};
use crate::event::Source;
use crate::leg::{Leg, Media, Pending, State};
use crate::media::Wanted;
use crate::session::Session;
use crate::verb::Caller;
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
        let l = self
            .legs
            .get(&leg)
            .filter(|l| l.incoming && l.state == State::Up)?;
        let s = self.sessions.get(&l.session)?;
        Some(SavedLeg {
            dialog: self.endpoint.save(l.usage?)?,
            source: s.source.clone()?,
            from: s.from.user.clone(),
            display: s.from.display.clone(),
            to: s.to.clone(),
            browser: l.browser,
            began: s.began.as_micros(),
            answered: l.answered?.as_micros(),
        })
    }

    /// Goes on with a leg that was saved before a restart, alone in a session that is kept. It is offered to go on at once;
    /// a browser as soon as it registered again. Then comes [`Event::Restored`], and it hears `application`; or its session
    /// ends. `None` when its dialog is there already, cannot be made again, or belongs to a browser that nobody would know again.
    pub fn restore(
        &mut self,
        now: Time,
        saved: &SavedLeg,
        application: Option<Application>,
    ) -> Option<(SessionId, LegId)> {
        let (user, trunk) = match &saved.source {
            Source::User(user) => (Some(user.clone()), None),
            Source::Trunk(name) => (None, Some(name.as_str())),
            Source::Anyone => (None, None),
        };
        if saved.browser && user.is_none() {
            return None;
        }
        let (local, remote) = (
            saved.dialog.local_sdp.as_ref()?,
            saved.dialog.remote_sdp.as_ref()?,
        );
        let (session, leg) = (SessionId(self.next_id()), LegId(self.next_id()));
        let wanted = Wanted {
            browser: saved.browser,
            codecs: self.codecs_for(trunk, saved.browser),
            source: self.media_source(user.as_deref(), trunk),
            family: sdp::peek(remote.as_bytes(), &[])
                .ok()
                .and_then(|peek| peek.family),
        };
        let (kind, mut negotiator) = self.open_media(session, leg, wanted);
        negotiator
            .resume(local.as_bytes(), remote.as_bytes(), &mut self.rng)
            .ok()?;
        let usage = self.endpoint.restore(now, &saved.dialog)?;
        let caller = Caller {
            user: saved.from.clone(),
            display: saved.display.clone(),
        };
        self.sessions.insert(
            session,
            Session {
                answered: Some(Time(saved.answered)),
                caller: Some(leg),
                kept: true,
                legs: vec![leg],
                ..Session::new(
                    session,
                    Some(saved.source.clone()),
                    caller,
                    saved.to.clone(),
                    Time(saved.began),
                )
            },
        );
        let mut made = Leg::new(leg, session, saved.browser, saved.from.clone(), user, negotiator);
        made.incoming = true;
        made.trunk = trunk.map(str::to_owned);
        made.usage = Some(usage);
        made.call_id.clone_from(&saved.dialog.call_id);
        made.state = State::Up;
        made.answered = Some(Time(saved.answered));
        made.application = application;
        made.restoring = true;
        made.acknowledged = true;
        // Its connection is gone for certain; it is looked for among those that come.
        made.presence.flow_lost = saved.browser;
        made.pending.push(Pending::Restore);
        self.usages.insert(usage, leg);
        self.acked.insert(leg);
        self.add_leg(made, kind);
        if let Some(peer) = saved.dialog.peer {
            self.restrict(leg, usage, Some(peer.ip()), "");
        }
        Some((session, leg))
    }

    /// The peer is offered to go on, once there are media and a way to it.
    pub(crate) fn offer_to_go_on(&mut self, now: Time, leg: LegId) {
        let ready = self
            .legs
            .get(&leg)
            .is_some_and(|l| l.restoring && l.media == Media::Open && !l.presence.flow_lost);
        if !ready {
            return;
        }
        let sdp = self.offer_sdp(leg, Direction::SendRecv);
        let usage = self.legs.get(&leg).and_then(|l| l.usage);
        if let (Some(usage), Some(sdp)) = (usage, sdp) {
            self.endpoint.offer(now, usage, Body::sdp(sdp));
        }
    }

    /// The peer of a leg that is being restored refuses to go on.
    pub(crate) fn not_restored(&mut self, now: Time, leg: LegId, code: u16) {
        let Some(l) = self.legs.get_mut(&leg).filter(|l| l.restoring) else {
            return;
        };
        let session = l.session;
        if code == 503 && l.browser {
            // Its connection closed again: it may come over another one.
            l.presence.flow_lost = true;
            return;
        }
        self.end_session(now, session, Cause::Failed, code);
    }

    /// The peer of a leg that is being restored agreed. A browser must accept new keys as well, which not
    /// every browser does in the middle of a call (Firefox keeps its DTLS association): one that does not
    /// hears nothing, and gets a BYE.
    pub(crate) fn agreed_to_go_on(&mut self, now: Time, leg: LegId) {
        let Some(l) = self.legs.get(&leg).filter(|l| l.restoring) else {
            return;
        };
        if l.browser {
            self.timers
                .set(Timer::Restore(leg), now + KEYS, "new keys of a browser");
        } else {
            self.restored(leg);
        }
    }

    /// The peer of a leg that is being restored hears us.
    pub(crate) fn restored(&mut self, leg: LegId) {
        let Some(l) = self.legs.get_mut(&leg).filter(|l| l.restoring) else {
            return;
        };
        l.restoring = false;
        let session = l.session;
        self.timers.cancel(Timer::Restore(leg));
        self.event(Event::Restored { session, leg });
    }

    /// The dialog of a leg may go on over a flow of its user: not with another tab, which knows nothing of it.
    pub(crate) fn is_same_client(&self, leg: &Leg, user: &str, flow: Flow) -> bool {
        if !leg.restoring {
            return true;
        }
        let target = leg
            .usage
            .and_then(|usage| self.endpoint.usage(usage))
            .and_then(|info| UriRef::parse(&info.remote_target).ok());
        let Some(target) = target else { return false };
        self.registrar
            .lookup(user)
            .filter(|binding| binding.flow.id == flow.id)
            .any(|binding| {
                let uri = binding.uri.borrow();
                uri.user() == target.user()
                    && uri.host().map(|host| host.to_string()) == target.host().map(|host| host.to_string())
            })
    }
}
