//! Transfer: the peer of a leg asks to be replaced (REFER, RFC 3515, RFC 5589), or we ask that of our peer.
//!
//! The gateway itself calls the target; neither the transferred party nor its network sees a REFER. While the
//! target rings, the transferor is *aside*: the others hear music, and the transferor hears nothing. If
//! nobody answers, it is back among them. A transferor that hangs up meanwhile has left the call; the
//! transfer goes on (RFC 5589 §6.1).

use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::{ReferId, ServerTx, UsageId};
use sip_core::message::{Message, Referral, ReplacedDialog};
use sip_core::uri::Uri;

use super::dial::{Caller, user_text};
use super::offer::Offer;
use crate::SessionId;
use crate::coordinator::{Coordinator, Timer};
use crate::event::{Cause, Event, ReferTo};
use crate::leg::State;

/// Time that a replaced party may take to hang up by itself.
const GOODBYE: Duration = Duration::from_secs(1);

/// A leg's wish to be replaced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refer {
    id: ReferId,
    /// True once it was told that we follow it.
    accepted: bool,
}

impl Coordinator {
    /// Calls somebody in place of `leg`, whose peer asked for it ([`Event::Refer`]): a blind transfer. The
    /// peer is told its progress. Ends in [`Event::Transferred`] or [`Event::TransferFailed`]. Without
    /// `offer.caller`, the target is shown one of those who stay.
    pub fn transfer(&mut self, now: Time, leg: LegId, mut offer: Offer) {
        let Some(session) = self.may_be_replaced(leg) else {
            return self.refuse_refer(now, leg, 603);
        };
        self.accept_refer(now, leg);
        let by = self.legs.get(&leg).and_then(|l| l.user.as_deref());
        if let Some(by) = by.and_then(|user| Uri::sip(Some(user), &self.config.host, None).ok()) {
            // RFC 3892 §2.2: in our own words, as everything of a leg.
            offer
                .headers
                .push(("Referred-By".into(), format!("<{}>", by.as_str())));
        }
        if offer.caller.is_none() {
            offer.caller = self.who_stays(session, leg);
        }
        match self.offer(now, session, offer) {
            Ok(name) => {
                self.transfers.insert(name, leg);
                if let Some(l) = self.legs.get_mut(&leg) {
                    l.aside = Some(name);
                }
                self.wire(session);
            }
            Err(code) => {
                self.event(Event::TransferFailed { session, leg, code });
                self.refer_progress(now, leg, code);
            }
        }
    }

    /// Joins those who talk with `leg`, whose peer asked for it, to those who talk with `other`, and ends both legs: an attended
    /// transfer. Ends in [`Event::Joined`] and [`Event::Transferred`], or in [`Event::TransferFailed`].
    pub fn transfer_attended(&mut self, now: Time, leg: LegId, other: LegId) {
        if self.may_be_replaced(leg).is_none() {
            return self.refuse_refer(now, leg, 603);
        }
        self.accept_refer(now, leg);
        let Some(session) = self.legs.get(&leg).map(|l| l.session) else {
            return;
        };
        match self.join_through(now, leg, other) {
            Ok(joined) => {
                self.transferred(session, leg, joined);
                self.refer_progress(now, leg, 200);
                self.drop_leg(now, other);
            }
            Err(code) => {
                self.event(Event::TransferFailed { session, leg, code });
                self.refer_progress(now, leg, code);
            }
        }
    }

    /// Takes `leg`, whose peer asked for it, out of a call of two: for that peer the transfer is done.
    /// Returns the session, the leg that is alone there now, and how its party is shown to others. In any
    /// other call: declined.
    pub fn leave(&mut self, now: Time, leg: LegId) -> Option<(SessionId, LegId, Caller)> {
        let session = self.may_be_replaced(leg);
        let other = session
            .and_then(|session| self.sessions.get(&session))
            .filter(|s| s.dialling.is_none() && s.offers.is_empty() && s.members().count() == 2)
            .and_then(|s| s.members().find(|other| *other != leg));
        let (Some(session), Some(other)) = (session, other) else {
            self.refuse_refer(now, leg, 603);
            return None;
        };
        let shown = self.who_stays(session, leg)?;
        self.accept_refer(now, leg);
        self.step_out(session, leg);
        self.fill_caller(session);
        self.transferred(session, leg, Vec::new());
        self.refer_progress(now, leg, 200);
        Some((session, other, shown))
    }

    /// Those who talk with `leg` and those who talk with `other` hear each other, in the session of `leg`; the two legs are
    /// out of it, and still up. Those who came with `other`.
    ///
    /// # Errors
    /// 481 where there is nobody at either end, or one session is being dialled, transferred or is over; nothing changed then.
    pub fn join_through(&mut self, now: Time, leg: LegId, other: LegId) -> Result<Vec<LegId>, u16> {
        let sessions = (self.may_be_replaced(leg), self.may_be_replaced(other));
        let (Some(host), Some(guest)) = sessions else {
            return Err(481);
        };
        let busy = |id: SessionId| {
            self.sessions
                .get(&id)
                .is_none_or(|s| s.dialling.is_some() || !s.offers.is_empty())
        };
        if host == guest || busy(host) || busy(guest) {
            return Err(481);
        }
        for (session, leg) in [(host, leg), (guest, other)] {
            self.step_out(session, leg);
        }
        let joined = self
            .sessions
            .get(&guest)
            .map(|s| s.members().collect())
            .unwrap_or_default();
        // Each has somebody who answered, and neither rings anybody: it is not refused.
        if self.join(now, host, guest).is_err() {
            self.end_session(now, guest, Cause::Failed, 481);
        }
        self.fill_caller(host);
        self.wire(host);
        Ok(joined)
    }

    /// Promises the peer of `leg` to do as it asked; [`refer_progress`](Self::refer_progress) tells it how that goes.
    pub fn accept_refer(&mut self, now: Time, leg: LegId) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        if let (Some(refer), Some(usage)) = (&mut l.refer, l.usage)
            && !std::mem::replace(&mut refer.accepted, true)
        {
            let id = refer.id;
            self.endpoint.accept_refer(now, usage, id);
        }
    }

    /// Declines to replace `leg`, with a status of 300 to 699.
    pub fn refuse_refer(&mut self, now: Time, leg: LegId, code: u16) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        if let (Some(refer), Some(usage)) = (l.refer.take_if(|refer| !refer.accepted), l.usage) {
            self.endpoint.reject_refer(now, usage, refer.id, code);
        }
    }

    /// Tells the peer of `leg` the progress of its transfer: a status of the new call, the last one from 200
    /// on. The replaced party is hung up soon.
    pub fn refer_progress(&mut self, now: Time, leg: LegId, code: u16) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        let (Some(refer), Some(usage)) = (l.refer.filter(|refer| refer.accepted), l.usage) else {
            return;
        };
        self.endpoint.notify_refer(now, usage, refer.id, code);
        if code >= 200 {
            l.refer = None;
        }
        if (200..300).contains(&code) && l.state == State::Up {
            self.timers
                .set(Timer::Goodbye(leg), now + GOODBYE, "BYE to one who was replaced");
        }
    }

    /// Asks the peer of `leg` to call `target` in our place, or to take up the call that `replaces` is a leg
    /// of. [`Event::ReferProgress`] reports the progress.
    pub fn refer(&mut self, now: Time, leg: LegId, target: &Uri, replaces: Option<LegId>) {
        let dialog = replaces.and_then(|other| self.dialog_of(other));
        if let Some(l) = self.legs.get_mut(&leg)
            && let Some(usage) = l.usage
            && dialog.is_some() == replaces.is_some()
        {
            l.asks = true;
            self.endpoint.refer(now, usage, target, dialog.as_ref());
        }
    }

    /// As our peer would name the dialog of a leg.
    fn dialog_of(&self, leg: LegId) -> Option<ReplacedDialog> {
        let info = self.endpoint.usage(self.legs.get(&leg)?.usage?)?;
        Some(ReplacedDialog {
            call_id: info.call_id.clone(),
            to_tag: info.remote_tag.clone()?,
            from_tag: info.local_tag.clone(),
            early_only: false,
        })
    }

    /// A REFER of a leg's peer. Only users of the directory may have us call somebody.
    pub(crate) fn referred(&mut self, now: Time, usage: UsageId, refer: ReferId, referral: &Referral) {
        let Some(leg) = self.found(now, usage) else {
            return self.endpoint.reject_refer(now, usage, refer, 603);
        };
        match self.understand(leg, referral) {
            Ok(to) => {
                let Some(l) = self.legs.get_mut(&leg) else { return };
                l.refer = Some(Refer {
                    id: refer,
                    accepted: false,
                });
                let session = l.session;
                self.event(Event::Refer { session, leg, to });
            }
            Err(code) => self.endpoint.reject_refer(now, usage, refer, code),
        }
    }

    fn understand(&self, leg: LegId, referral: &Referral) -> Result<ReferTo, u16> {
        let l = self.legs.get(&leg).ok_or(603_u16)?;
        let user = l.user.as_deref().ok_or(403_u16)?;
        let busy = |s: &crate::session::Session| {
            s.offers
                .iter()
                .any(|offer| self.transfers.contains_key(&offer.name))
        };
        if l.refer.is_some() || self.sessions.get(&l.session).is_none_or(busy) {
            return Err(491);
        }
        if let Some(dialog) = &referral.replaces {
            // Somebody else's call is as if it were not there; 481 would end the dialog of the REFER itself.
            return self.replaced(user, leg, dialog).map(ReferTo::Leg).ok_or(603);
        }
        let target = &referral.target;
        if target.is_sip() && !self.is_ours(&super::dial::host_text(target)) {
            return Err(404);
        }
        Ok(ReferTo::Number(user_text(target)))
    }

    /// The leg of the same user that a `Replaces` names. The tags may stand either way round: JsSIP writes those of a call that
    /// came in as if it had placed it.
    fn replaced(&self, user: &str, leg: LegId, dialog: &ReplacedDialog) -> Option<LegId> {
        let named = |other: &LegId| {
            let leg = self.legs.get(other).filter(|l| l.state == State::Up);
            leg.and_then(|l| l.usage).is_some_and(|usage| {
                let is = |ours: &str, theirs: &str| {
                    self.endpoint.is_dialog(usage, (&dialog.call_id, ours, theirs))
                };
                is(&dialog.to_tag, &dialog.from_tag) || is(&dialog.from_tag, &dialog.to_tag)
            })
        };
        let legs = self.user_legs.get(user)?;
        legs.iter().copied().find(|other| *other != leg && named(other))
    }

    /// The session that a leg can be taken out of because somebody else who answered is in it.
    fn may_be_replaced(&self, leg: LegId) -> Option<SessionId> {
        let l = self
            .legs
            .get(&leg)
            .filter(|l| l.state == State::Up && l.aside.is_none())?;
        let s = self.sessions.get(&l.session).filter(|s| s.ending.is_none())?;
        let up = |other: LegId| {
            self.legs
                .get(&other)
                .is_some_and(|l| l.state == State::Up && l.answered.is_some())
        };
        let stays = s.members().any(|other| other != leg && up(other));
        let in_it = s.members().any(|member| member == leg);
        (stays && in_it && !(s.kept && s.caller == Some(leg))).then_some(s.id)
    }

    fn who_stays(&self, session: SessionId, leg: LegId) -> Option<Caller> {
        let s = self.sessions.get(&session)?;
        let other = s.members().find(|other| *other != leg)?;
        if s.caller == Some(other) {
            return Some(s.from.clone());
        }
        let l = self.legs.get(&other)?;
        let known = l.user.as_deref().and_then(|user| self.user(user));
        Some(Caller {
            user: l.party.clone(),
            display: known.map(|user| user.display.clone()).unwrap_or_default(),
        })
    }

    /// Takes a leg out of those who are in its session; its dialog stands.
    fn step_out(&mut self, session: SessionId, leg: LegId) {
        if let Some(s) = self.sessions.get_mut(&session) {
            s.remove_member(leg);
            self.wire(session);
        }
    }

    /// Somebody is always the first, as long as anybody is in it.
    fn fill_caller(&mut self, session: SessionId) {
        if let Some(s) = self.sessions.get_mut(&session)
            && s.caller.is_none()
            && let Some(first) = s.callee.take()
        {
            s.caller = Some(first);
            s.callee = (!s.guests.is_empty()).then(|| s.guests.remove(0));
            // Its answer is an old story.
            self.acked.insert(first);
        }
    }

    pub(super) fn transferred(&mut self, session: SessionId, leg: LegId, to: Vec<LegId>) {
        self.event(Event::Transferred { session, leg, to });
    }

    /// The target of a transfer rings.
    pub(super) fn transfer_rings(&mut self, now: Time, session: SessionId, leg: LegId, by: LegId, code: u16) {
        self.event(Event::Progress {
            session,
            leg,
            code,
            early_media: false,
        });
        self.refer_progress(now, by, code);
    }

    /// The target of a transfer answered: it takes the place of the one who asked.
    pub(super) fn transfer_answered(&mut self, now: Time, session: SessionId, by: LegId, leg: LegId) {
        let others = |s: &crate::session::Session| s.members().any(|other| other != by);
        if !self.sessions.get(&session).is_some_and(others) {
            self.end_leg(now, leg, None);
            return self.transfer_failed(now, session, by, 481);
        }
        self.step_out(session, by);
        if let Some(l) = self.legs.get_mut(&by) {
            l.aside = None;
        }
        if let Some(s) = self.sessions.get_mut(&session) {
            s.add_member(leg);
        }
        self.fill_caller(session);
        self.transferred(session, by, vec![leg]);
        self.refer_progress(now, by, 200);
        self.wire(session);
    }

    /// The target of a transfer did not answer: who asked has its party back. Where it left meanwhile, nobody is there for the
    /// party to talk with.
    pub(super) fn transfer_failed(&mut self, now: Time, session: SessionId, by: LegId, code: u16) {
        if let Some(l) = self.legs.get_mut(&by) {
            l.aside = None;
        }
        self.event(Event::TransferFailed {
            session,
            leg: by,
            code,
        });
        self.refer_progress(now, by, code);
        let alone = self
            .sessions
            .get(&session)
            .is_some_and(|s| !s.kept && s.members().count() < 2);
        if alone {
            self.end_session(now, session, Cause::Local, 200);
        } else {
            self.wire(session);
        }
    }

    /// A session ends, or a leg is taken out of it: any transfer under way for it is over.
    pub(crate) fn refer_over(&mut self, now: Time, leg: LegId, code: u16) {
        self.accept_refer(now, leg);
        if let Some(l) = self.legs.get_mut(&leg) {
            l.aside = None;
        }
        self.refer_progress(now, leg, code);
    }

    /// A replaced party did not hang up.
    pub(crate) fn goodbye(&mut self, now: Time, leg: LegId) {
        let member = self
            .legs
            .get(&leg)
            .and_then(|l| self.sessions.get(&l.session))
            .is_none_or(|s| s.members().any(|member| member == leg));
        if let Some(session) = self.session_of_leg(leg)
            && !member
        {
            self.drop_leg(now, leg);
            self.event(Event::Left {
                session,
                leg,
                cause: Cause::Local,
                code: 200,
            });
        }
    }

    /// Our REFER was answered.
    pub(crate) fn refer_answered(&mut self, usage: UsageId, code: u16) {
        // NOTIFY reports the outcome of an accepted REFER.
        if code >= 300 {
            self.tell_progress(usage, code);
        }
    }

    /// A NOTIFY of the peer: how the transfer goes that we asked for. Nothing else was subscribed to (RFC 6665 §4.1.3).
    pub(crate) fn notified(&mut self, now: Time, usage: UsageId, tx: ServerTx, request: &Message) {
        let leg = self.found(now, usage).and_then(|leg| self.legs.get(&leg));
        let asks = leg.is_some_and(|l| l.asks);
        let is_refer = request
            .event()
            .is_some_and(|event| event.value.eq_ignore_ascii_case("refer"));
        let (answer, code) = match (is_refer, asks) {
            (false, _) => (489, None),
            (true, false) => (481, None),
            (true, true) => (200, fragment_status(request.body())),
        };
        self.endpoint
            .reply_in_dialog(now, usage, tx, answer, Vec::new(), None);
        if let Some(code) = code {
            self.tell_progress(usage, code);
        }
    }

    fn tell_progress(&mut self, usage: UsageId, code: u16) {
        if let Some(leg) = self.usages.get(&usage).copied()
            && let Some(session) = self.legs.get(&leg).map(|l| l.session)
        {
            self.event(Event::ReferProgress { session, leg, code });
        }
    }
}

/// The status of a `message/sipfrag` (RFC 3420) that begins with a status line.
fn fragment_status(body: &[u8]) -> Option<u16> {
    let line = body.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let code = std::str::from_utf8(line).ok()?.strip_prefix("SIP/2.0 ")?;
    let code = code.split(' ').next()?.parse().ok()?;
    (100..700).contains(&code).then_some(code)
}
