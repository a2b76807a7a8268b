//! Requests for a transfer as they come: REFER of a leg's peer, and the answers and NOTIFYs to ours.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::{Headers, ReferId, ServerTx, UsageId};
use sip_core::message::{Message, Referral, ReplacedDialog, StatusCode};
use sip_core::uri::Uri;

use super::Refer;
use crate::coordinator::Coordinator;
use crate::dial::{Ringing, host_text, user_text};
use crate::event::{Event, ReferTo};
use crate::leg::{Account, Leg};

impl Coordinator {
    /// Asks the peer of `leg` to call `target` in our place, or to take up the call that `replaces` is a leg
    /// of. [`Event::ReferProgress`] reports the progress.
    pub fn refer(&mut self, now: Time, leg: LegId, target: &Uri, replaces: Option<LegId>) {
        let dialog = replaces.and_then(|other| self.dialog_of(other));
        let is_known = dialog.is_some() == replaces.is_some();
        self.with_leg(leg, |call, cx| {
            if let Some(l) = call.leg_mut(leg)
                && let Some(usage) = l.usage()
                && is_known
            {
                *l.refer_mut() = Refer::Sent;
                cx.endpoint
                    .refer(now, usage, target, dialog.as_ref(), &Headers::new());
            }
        });
    }

    /// As our peer would name the dialog of a leg.
    pub(crate) fn dialog_of(&self, leg: LegId) -> Option<ReplacedDialog> {
        let usage = self.leg(leg)?.usage()?;
        let info = self.context().endpoint.usage(usage)?;
        Some(ReplacedDialog {
            call_id: info.call_id.clone(),
            to_tag: info.remote_tag.clone()?,
            from_tag: info.local_tag.clone(),
            early_only: false,
        })
    }

    /// A REFER of a leg's peer. Only users of the directory, and trunks that may transfer, have us call somebody.
    pub(crate) fn referred(&mut self, now: Time, usage: UsageId, refer: ReferId, referral: &Referral) {
        let leg = self.found(now, usage);
        if let Some(passed_on) = leg.and_then(|leg| self.refer_on(now, leg, refer, referral)) {
            if let Err(code) = passed_on {
                self.reject_refer(now, usage, refer, code);
            }
            return;
        }
        let understood = leg.and_then(|leg| Some((leg, self.understand(leg, referral)?)));
        match understood {
            Some((leg, Ok(to))) => {
                self.with_leg(leg, |call, cx| {
                    let session = call.id();
                    if let Some(l) = call.leg_mut(leg) {
                        *l.refer_mut() = Refer::Asked(refer);
                        cx.event(Event::Refer { session, leg, to });
                    }
                });
            }
            Some((_, Err(code))) => self.reject_refer(now, usage, refer, code),
            None => self.reject_refer(now, usage, refer, StatusCode::DECLINE),
        }
    }

    fn reject_refer(&mut self, now: Time, usage: UsageId, refer: ReferId, code: StatusCode) {
        self.context_mut()
            .endpoint
            .reject_refer(now, usage, refer, code, &Headers::new());
    }

    /// Target of a REFER, or the status that refuses it. `None` if the leg is gone.
    fn understand(&self, leg: LegId, referral: &Referral) -> Option<Result<ReferTo, StatusCode>> {
        let call = self.call_of(leg)?;
        let l = call.leg(leg)?;
        if !self.may_refer(l) {
            return Some(Err(StatusCode::FORBIDDEN));
        }
        let is_transferred = call.invitations().iter().any(Ringing::is_for_transfer);
        if is_transferred || matches!(l.refer(), Refer::Asked(_) | Refer::Accepted(_)) {
            return Some(Err(StatusCode::REQUEST_PENDING));
        }
        if let Some(dialog) = &referral.replaces {
            // Somebody else's call is as if it were not there; 481 would end the dialog of the REFER itself.
            return Some(
                self.replaced(l, dialog)
                    .map(ReferTo::Leg)
                    .ok_or(StatusCode::DECLINE),
            );
        }
        let target = &referral.target;
        if target.is_sip() && !self.context().is_ours(&host_text(target)) {
            return Some(Err(StatusCode::NOT_FOUND));
        }
        Some(Ok(ReferTo::Number(user_text(target))))
    }

    fn may_refer(&self, l: &Leg) -> bool {
        let trunk = l.trunk().and_then(|name| self.context().directory.trunk(name));
        l.user().is_some() || trunk.is_some_and(|trunk| trunk.transfers)
    }

    /// The other leg of the same user, or trunk, that a `Replaces` names. The tags may stand either way round: JsSIP writes those of a
    /// call that came in as if it had placed it.
    pub(crate) fn replaced(&self, l: &Leg, dialog: &ReplacedDialog) -> Option<LegId> {
        self.leg_named(l.account(), dialog).filter(|leg| *leg != l.id())
    }

    /// The leg of that user, or trunk, that is up and in the dialog, whichever way round its tags stand.
    pub(super) fn leg_named(&self, account: &Account, dialog: &ReplacedDialog) -> Option<LegId> {
        let cx = self.context();
        let ways = [
            (&dialog.to_tag, &dialog.from_tag),
            (&dialog.from_tag, &dialog.to_tag),
        ];
        ways.into_iter().find_map(|(ours, theirs)| {
            let usage = UsageId::of_tag(ours)?;
            let is_named = cx.endpoint.is_dialog(usage, (&dialog.call_id, ours, theirs));
            let other = self.leg(cx.index.leg(usage).filter(|_| is_named)?)?;
            let may = other.is_up() && other.account() == account;
            may.then(|| other.id())
        })
    }

    /// Our REFER was answered.
    pub(crate) fn refer_answered(
        &mut self,
        now: Time,
        usage: UsageId,
        code: StatusCode,
        challenges: &Headers,
    ) {
        if let Some(leg) = self.context().index.leg(usage)
            && self.refer_refused_back(now, leg, code, challenges)
        {
            return;
        }
        // NOTIFY reports the outcome of an accepted REFER.
        if code.is_refusal() {
            self.report_refer_progress(usage, code);
        }
    }

    /// A NOTIFY of the peer: how the transfer goes that we asked for. Nothing else was subscribed to (RFC 6665 §4.1.3).
    pub(crate) fn notified(&mut self, now: Time, usage: UsageId, tx: ServerTx, request: &Message) {
        let leg = self.found(now, usage).and_then(|leg| self.leg(leg));
        let asks = leg.is_some_and(|l| matches!(l.refer(), Refer::Sent | Refer::PassedOn(_)));
        let is_refer = request
            .event()
            .is_some_and(|event| event.value.eq_ignore_ascii_case("refer"));
        let (answer, code) = match (is_refer, asks) {
            (false, _) => (StatusCode::BAD_EVENT, None),
            (true, false) => (StatusCode::CALL_DOES_NOT_EXIST, None),
            (true, true) => (StatusCode::OK, fragment_status(request.body())),
        };
        self.context_mut()
            .endpoint
            .reply_in_dialog(now, usage, tx, answer, Vec::new(), None);
        if let Some(code) = code {
            let leg = self.context().index.leg(usage);
            if !leg.is_some_and(|leg| self.refer_passed_back(now, leg, code)) {
                self.report_refer_progress(usage, code);
            }
        }
    }

    fn report_refer_progress(&mut self, usage: UsageId, code: StatusCode) {
        if let Some(leg) = self.context().index.leg(usage)
            && let Some(session) = self.session_of_leg(leg)
        {
            self.context_mut()
                .event(Event::ReferProgress { session, leg, code });
        }
    }
}

/// The status of a `message/sipfrag` (RFC 3420) that begins with a status line.
fn fragment_status(body: &[u8]) -> Option<StatusCode> {
    let line = body.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let code = std::str::from_utf8(line).ok()?.strip_prefix("SIP/2.0 ")?;
    let code: u16 = code.split(' ').next()?.parse().ok()?;
    StatusCode::try_from(code).ok()
}
