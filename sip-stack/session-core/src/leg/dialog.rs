//! Signalling of a leg: its INVITE, its answer, its end.

use std::time::Duration;

use bytes::Bytes;
use sans_io::Time;
use sip_core::endpoint::{Body, OutgoingInvite, Reason, Target, UsageId};
use sip_core::flow::{Destination, Flow};
use sip_core::message::StatusCode;

use super::{Course, Leg, Negotiation, Sent};
use crate::context::Context;
use crate::dial::host_text;
use crate::record::{EndedBy, LegEnd};
use media_core::negotiated::Direction;

/// State of a leg's SIP dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialog {
    /// Our INVITE waits for the address of its media.
    Unsent,
    /// An INVITE without a response.
    Trying(UsageId),
    /// A provisional response went over it.
    Early(UsageId),
    /// A 200 went over it.
    Up(UsageId, Ack),
    /// BYE, CANCEL or a refusal is on its way.
    Ending(UsageId),
    /// Gone.
    Ended,
}

/// ACK to a 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ack {
    /// We wait for that of the peer.
    Awaited,
    /// The peer sent it, or we did.
    Seen,
}

impl Dialog {
    pub(crate) fn usage(self) -> Option<UsageId> {
        match self {
            Dialog::Trying(usage) | Dialog::Early(usage) | Dialog::Up(usage, _) | Dialog::Ending(usage) => {
                Some(usage)
            }
            Dialog::Unsent | Dialog::Ended => None,
        }
    }
}

impl Leg {
    pub(crate) fn usage(&self) -> Option<UsageId> {
        self.dialog.usage()
    }

    /// No 200 went over it, and it is not ending.
    pub(crate) fn is_unanswered(&self) -> bool {
        matches!(self.dialog, Dialog::Unsent | Dialog::Trying(_) | Dialog::Early(_))
    }

    pub(crate) fn is_early(&self) -> bool {
        matches!(self.dialog, Dialog::Early(_))
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(self.dialog, Dialog::Up(..))
    }

    /// Neither ending nor gone.
    pub(crate) fn is_live(&self) -> bool {
        self.is_unanswered() || self.is_up()
    }

    /// Its caller waits for a final response of ours.
    pub(crate) fn waits_for_answer(&self) -> bool {
        self.is_incoming() && self.is_unanswered()
    }

    /// Nothing of it is left.
    pub(crate) fn is_over(&self) -> bool {
        self.dialog == Dialog::Ended && self.media_is_closed()
    }

    /// A provisional response went over it.
    pub(crate) fn progressed(&mut self) {
        if let Dialog::Trying(usage) = self.dialog {
            self.dialog = Dialog::Early(usage);
        }
    }

    /// A 200 went over it.
    pub(crate) fn set_up(&mut self, now: Time, ack: Ack) {
        if let Some(usage) = self.usage() {
            self.dialog = Dialog::Up(usage, ack);
            self.course.answer(now);
        }
    }

    /// Its caller gave up while the 200 waited for the PRACK of what came before it (RFC 3262 §3). Gives the time of that answer, which
    /// was none.
    pub(crate) fn take_answer_back(&mut self) -> Option<Time> {
        let answered = self.course.answered();
        self.course.take_answer_back();
        answered
    }

    /// Notes the ACK to our 200; true for the first.
    pub(crate) fn note_ack(&mut self) -> bool {
        match self.dialog {
            Dialog::Up(usage, Ack::Awaited) => {
                self.dialog = Dialog::Up(usage, Ack::Seen);
                true
            }
            _ => false,
        }
    }

    /// Its dialog is gone, by whomever. True if it was neither ending nor gone before.
    pub(crate) fn set_ended(&mut self) -> bool {
        let was_live = self.is_live();
        self.dialog = Dialog::Ended;
        was_live
    }

    /// Media of a leg that we call are open: its INVITE leaves with our offer.
    pub(crate) fn send_invite(&mut self, cx: &mut Context, now: Time, mut invite: Box<OutgoingInvite>) {
        if self.negotiation.offers() {
            invite.body = Some(Body::sdp(self.offer_sdp(Direction::SendRecv)));
        }
        let trunk = self.trunk().and_then(|name| cx.directory.trunk(name));
        if let Some(signing) = trunk.and_then(|trunk| trunk.signing.as_ref()) {
            let known = (&cx.config.stir.numbers, &cx.config.secret[..]);
            let signed = signing.headers(&invite, &self.grounds, known, now);
            invite.extra.extend(signed);
        }
        let host = trunk.map_or_else(|| host_text(&invite.request_uri), |trunk| trunk.host.clone());
        let over = match &invite.target {
            Target::Flow(flow) | Target::Contact { flow, .. } => Some(*flow),
            Target::Routes(_) | Target::Address(_) | Target::Uri { .. } => None,
        };
        let address = match &invite.target {
            Target::Address(Destination::Address { addr, .. }) => Some(addr.ip()),
            _ => None,
        };
        let usage = cx.endpoint.invite(now, *invite);
        self.dialog = Dialog::Trying(usage);
        cx.index.add_usage(usage, self.id);
        self.restrict(cx, usage, over.map(|flow| flow.remote.ip()), &host);
        if let Some(address) = address {
            cx.endpoint.trust(usage, address);
        }
        let info = cx.endpoint.usage(usage);
        let call_id = info.map(|info| info.call_id.clone()).unwrap_or_default();
        if !call_id.is_empty() {
            cx.index.add_call_id(&call_id, self.id);
        }
        self.course = Course::Sent(Sent { call_id, at: now });
    }

    /// Sends a provisional response, with our description where one is due.
    pub(crate) fn send_progress(
        &mut self,
        cx: &mut Context,
        now: Time,
        code: StatusCode,
        sdp: Option<Bytes>,
    ) {
        let Some(usage) = self.usage() else {
            debug_assert!(false, "a leg that came in and is not over has its dialog");
            return;
        };
        self.progressed();
        cx.endpoint.ring(now, usage, code, sdp.map(Body::sdp), Vec::new());
    }

    /// Sends the 200, with our description where one is due.
    pub(crate) fn send_answer(&mut self, cx: &mut Context, now: Time, sdp: Option<Bytes>) {
        let Some(usage) = self.usage() else {
            debug_assert!(false, "a leg that came in and is not over has its dialog");
            return;
        };
        if let Some(wish) = cx.session_wish(&self.peer.account, self.peer.device) {
            cx.endpoint.want_session_timer(usage, wish);
        }
        self.set_up(now, Ack::Awaited);
        cx.endpoint.accept(now, usage, sdp.map(Body::sdp), Vec::new());
        self.vouch(cx);
    }

    /// Refuses it with `code` and `Retry-After` where its caller waits for one, else sends CANCEL or BYE with `reason`; and closes its media.
    pub(crate) fn hang_up(
        &mut self,
        cx: &mut Context,
        now: Time,
        (code, retry_after): (StatusCode, Option<Duration>),
        reason: Option<Reason>,
    ) {
        if self.is_live() {
            let refuse = self.waits_for_answer() && code.is_refusal();
            let code_sent = match (refuse, self.is_up()) {
                (true, _) => code,
                (false, true) => StatusCode::OK,
                (false, false) => StatusCode::REQUEST_TERMINATED,
            };
            self.note_end(LegEnd {
                at: now,
                by: EndedBy::Us,
                code: code_sent,
                reason: reason.clone(),
            });
            match self.usage() {
                Some(usage) => {
                    self.dialog = Dialog::Ending(usage);
                    if refuse {
                        // RFC 6432: a response has causes of the telephone network alone.
                        let reason = reason.filter(|reason| reason.protocol == "Q.850");
                        let reason = reason.map(|reason| ("Reason".into(), reason.value()));
                        // In whole seconds, and none that is too early.
                        let pause = retry_after.map(|pause| pause.as_millis().div_ceil(1_000).max(1));
                        let pause = pause.map(|seconds| ("Retry-After".into(), seconds.to_string()));
                        let refusal = std::mem::take(&mut self.refusal);
                        let headers = reason.into_iter().chain(pause).chain(refusal).collect();
                        cx.endpoint.reject(now, usage, code, headers);
                    } else {
                        cx.endpoint.hangup(now, usage, reason, Vec::new());
                    }
                }
                None => {
                    self.dialog = Dialog::Ended;
                    cx.release(now, self);
                }
            }
        }
        self.close_media(cx);
    }

    /// The dialog is reached over `flow` from now on.
    pub(crate) fn move_to(&mut self, cx: &mut Context, now: Time, flow: Flow) {
        self.flow = Some(flow);
        self.presence.reconnected();
        if let Some(usage) = self.usage() {
            cx.endpoint.move_flow(now, usage, flow);
        }
    }

    /// Its dialog is reached where the SIP machine says.
    pub(crate) fn follow_flow(&mut self, cx: &Context) {
        if let Some(info) = self.usage().and_then(|usage| cx.endpoint.usage(usage)) {
            self.flow = info.flow.or(self.flow);
        }
    }

    /// Its peer acknowledged a response of ours: what we send reaches it.
    pub(crate) fn acknowledge(&mut self, cx: &mut Context) {
        if !std::mem::replace(&mut self.acknowledged, true) {
            self.vouch(cx);
        }
    }

    /// Restricts where its dialog may be changed from: see [`Directory::peers`](crate::directory::Directory::peers).
    pub(crate) fn restrict(
        &self,
        cx: &mut Context,
        usage: UsageId,
        over: Option<std::net::IpAddr>,
        host: &str,
    ) {
        if let Some(peers) = cx.directory.peers(self.user(), over, host) {
            cx.endpoint.restrict(usage, peers);
        }
    }

    /// Goes on from before a restart.
    pub(crate) fn recovering(mut self) -> Leg {
        self.acknowledged = true;
        self
    }

    pub(crate) fn negotiation(&self) -> &Negotiation {
        &self.negotiation
    }
}
