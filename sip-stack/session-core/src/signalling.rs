//! Events of the SIP machine, and the verbs that they lead to.

use sans_io::Time;
use sip_core::endpoint::{self, Ended, ServerTx, UsageId};
use sip_core::flow::Flow;
use sip_core::message::{HeaderName, Message, Method};

use crate::coordinator::Coordinator;
use crate::event::{Cause, Event, Fault};
use crate::leg::State;
use crate::refusal::Reason;
use crate::response_code::passed_on;
use crate::verb::user_of;
use media_core::control::LegId;

impl Coordinator {
    pub(crate) fn on_signalling(&mut self, now: Time, event: endpoint::Event) {
        match event {
            endpoint::Event::Invite { usage, request, flow } => self.inbound(now, usage, &request, flow),
            endpoint::Event::Provisional {
                usage,
                fork,
                code,
                body,
            } => {
                if let Some(leg) = self.leg_of(usage) {
                    self.branch_progress(now, leg, fork, code, body.as_ref().map(|b| &b.data[..]));
                }
            }
            endpoint::Event::Answered {
                usage, fork, body, ..
            } => {
                if let Some(leg) = self.leg_of(usage) {
                    if let (Some(l), Some(info)) = (self.legs.get_mut(&leg), self.endpoint.usage(usage)) {
                        l.flow = info.flow.or(l.flow);
                    }
                    self.branch_answered(now, leg, fork, body.as_ref().map(|b| &b.data[..]));
                }
            }
            endpoint::Event::Acked { usage, body } => {
                if let Some(leg) = self.leg_of(usage) {
                    self.acknowledged(now, leg, body.as_ref().map(|b| &b.data[..]));
                }
            }
            endpoint::Event::Pracked { usage } => {
                if let Some(leg) = self.leg_of(usage) {
                    self.proved_reachable(leg);
                }
            }
            endpoint::Event::Offer {
                usage, fork, body, ..
            } => {
                if let Some(leg) = self.found(now, usage) {
                    self.reoffered(now, leg, usage, fork, body);
                }
            }
            endpoint::Event::OfferAnswered { usage, body } => {
                if let Some(leg) = self.leg_of(usage) {
                    self.offer_answered(now, leg, body.as_ref().map_or(&[], |b| &b.data[..]));
                }
            }
            // The previous agreement stands (RFC 3261 §14.1), if it can.
            endpoint::Event::OfferRefused { usage, code } => {
                if let Some(leg) = self.leg_of(usage) {
                    self.not_restored(now, leg, code);
                }
            }
            endpoint::Event::Info {
                usage,
                tx,
                content_type,
                body,
            } => match self.found(now, usage) {
                Some(leg) => self.info(now, leg, usage, tx, &content_type, &body),
                None => self
                    .endpoint
                    .reply_in_dialog(now, usage, tx, 481, Vec::new(), None),
            },
            endpoint::Event::Refer {
                usage,
                refer,
                referral,
            } => self.referred(now, usage, refer, &referral),
            endpoint::Event::ReferAnswered { usage, code } => self.refer_answered(usage, code),
            endpoint::Event::Notify { usage, tx, request } => self.notified(now, usage, tx, &request),
            endpoint::Event::InDialog { usage, tx, .. } => {
                self.found(now, usage);
                self.endpoint
                    .reply_in_dialog(now, usage, tx, 501, Vec::new(), None);
            }
            endpoint::Event::Pinged { usage, alive } => self.pinged(now, usage, alive),
            endpoint::Event::Intruder { request, flow, .. } => {
                let from = user_of(request.from().uri);
                self.refused(&request, flow, &from, 403, Reason::Intruder);
            }
            endpoint::Event::Ended { usage, cause } => self.usage_ended(now, usage, cause),
            endpoint::Event::Request { tx, request, flow } => self.on_request(now, tx, &request, flow),
            endpoint::Event::Response { request, response } => {
                let code = response.status().unwrap_or(500);
                // A response that the transport made up has no peer; a peer's refusal is a sign of life as well.
                if code >= 200 && self.probe_answered(request, true) {
                    return;
                }
                self.register_answered(now, request, code, Ok(&response));
            }
            endpoint::Event::RequestFailed {
                request,
                code,
                has_target,
            } => {
                if !self.probe_answered(request, false) {
                    let fault = match code {
                        _ if !has_target => Fault::Unresolved,
                        408 => Fault::NoResponse,
                        _ => Fault::Unreachable,
                    };
                    self.register_answered(now, request, code, Err(fault));
                }
            }
        }
    }

    fn leg_of(&self, usage: UsageId) -> Option<LegId> {
        self.usages.get(&usage).copied()
    }

    /// The leg of a usage that its peer just spoke over: perhaps over a new flow.
    pub(crate) fn found(&mut self, now: Time, usage: UsageId) -> Option<LegId> {
        let leg = self.leg_of(usage)?;
        let flow = self.endpoint.usage(usage)?.flow;
        if let (Some(l), Some(flow)) = (self.legs.get(&leg), flow)
            && l.flow.is_none_or(|f| f.id != flow.id)
        {
            self.move_leg(now, leg, flow);
        }
        Some(leg)
    }

    /// The peer acknowledged a response of ours: what we send reaches it.
    fn proved_reachable(&mut self, leg: LegId) {
        if let Some(l) = self.legs.get_mut(&leg)
            && !std::mem::replace(&mut l.acknowledged, true)
        {
            self.vouch(leg);
        }
    }

    /// ACK to our 200. With a late offer it carries the answer (RFC 3261 §13.2.2.4).
    fn acknowledged(&mut self, now: Time, leg: LegId, sdp: Option<&[u8]>) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        let (session, state, first) = (l.session, l.state, l.negotiated.is_none());
        self.proved_reachable(leg);
        match sdp {
            Some(sdp) => self.offer_answered(now, leg, sdp),
            None if first => return self.end_session(now, session, Cause::Failed, 488),
            _ => {}
        }
        // A PRACK answers an offer before the call is answered.
        if state < State::Up {
            return;
        }
        if self.sessions.get(&session).is_some_and(|s| s.caller == Some(leg)) && !self.acked.contains(&leg) {
            self.acked.insert(leg);
            self.event(Event::Answered { session, leg });
        }
    }

    fn usage_ended(&mut self, now: Time, usage: UsageId, cause: Ended) {
        let Some(leg) = self.usages.remove(&usage) else {
            return;
        };
        self.acked.remove(&leg);
        let Some(l) = self.legs.get(&leg) else { return };
        let (session, state, was_offered) = (l.session, l.state, l.offered.is_some());
        let Some(s) = self.sessions.get(&session) else {
            return;
        };
        let is_caller = s.caller == Some(leg);
        let offered = s.offer_of(leg).is_some();
        let is_branch = offered || s.dialling.as_ref().is_some_and(|d| d.branches.contains(&leg));
        // A call of ours, without a caller on another leg, reports its peer's own status.
        let code = match final_code(&cause) {
            code if s.source.is_some() => passed_on(code),
            code => code,
        };
        let fault = fault_of(&cause);
        if let Some(l) = self.legs.get_mut(&leg) {
            l.fault = fault;
        }
        if is_branch && state < State::Up {
            if !offered && self.rings_elsewhere(now, leg, &cause) {
                return;
            }
            let code = match cause {
                // A caller is never told addresses that we were told.
                Ended::Rejected { code: 300..400, .. } => 480,
                _ => code,
            };
            self.leg_ended(now, leg, None);
            return self.branch_failed(now, leg, code);
        }
        let elsewhere = matches!(&cause, Ended::Cancelled { reason: Some(reason) } if is_elsewhere(reason));
        let by = if is_caller { Cause::Caller } else { Cause::Callee };
        let cause = match cause {
            Ended::Bye { .. } => Some((by, 200)),
            Ended::Cancelled { .. } | Ended::Expired => Some((Cause::Caller, 487)),
            Ended::LocalHangup => None,
            Ended::Rejected { .. } => Some((Cause::Refused, code)),
            _ => Some((Cause::Failed, code)),
        };
        // One that answered an offer is nobody's fork, even before it is admitted.
        let in_call = was_offered || s.members().any(|member| member == leg);
        if let Some(s) = self.sessions.get_mut(&session) {
            if in_call && s.ending.is_none() {
                s.fault = fault;
            }
            if is_caller && elsewhere {
                s.elsewhere = true;
            }
        }
        self.leg_ended(now, leg, cause.filter(|_| in_call));
    }

    /// A request outside any dialog.
    fn on_request(&mut self, now: Time, tx: ServerTx, request: &Message, flow: Flow) {
        if self.is_scanner(request, flow) {
            return self.endpoint.pass_over(tx);
        }
        match request.method() {
            Some(Method::Register) => self.on_register(now, tx, request, flow),
            // RFC 3261 §11.2: as an INVITE would be answered. Whether a number leads anywhere is for the dial plan to say, not
            // for us; that a domain is not ours, we know. Without a user part it is a peer's keep-alive.
            Some(Method::Options) if self.is_foreign(request) => {
                self.endpoint.reply(now, tx, 404, Vec::new(), None);
            }
            Some(Method::Options) => {
                let headers = vec![
                    (
                        "Accept".into(),
                        "application/sdp, application/dtmf-relay, application/dtmf".into(),
                    ),
                    ("Accept-Encoding".into(), "identity".into()),
                    ("Accept-Language".into(), "en".into()),
                ];
                self.endpoint.reply_once(tx, 200, &headers);
            }
            Some(Method::Subscribe | Method::Publish) => {
                let headers = vec![("Allow-Events".into(), String::new())];
                self.endpoint.reply(now, tx, 489, headers, None);
            }
            Some(Method::Bye | Method::Update | Method::Info | Method::Prack | Method::Notify) => {
                self.endpoint.reply(now, tx, 481, Vec::new(), None);
            }
            // A peer without a call with us has nobody to be transferred.
            Some(Method::Refer) => self.endpoint.reply(now, tx, 403, Vec::new(), None),
            _ => self.endpoint.reply(now, tx, 501, Vec::new(), None),
        }
    }

    fn on_register(&mut self, now: Time, tx: ServerTx, request: &Message, flow: Flow) {
        let admitted = self.admit_registration(now, request, flow);
        self.tell_bans();
        let (user, lent) = match admitted {
            Ok(admitted) => admitted,
            Err(Some((code, headers))) => return self.endpoint.reply(now, tx, code, headers, None),
            Err(None) => return self.endpoint.pass_over(tx),
        };
        let outcome = self.registrar.register(now, &user, request, flow);
        let granted = outcome.code == 200;
        self.endpoint.reply(now, tx, outcome.code, outcome.headers, None);
        if granted && request.header(HeaderName::Contact).is_some() {
            self.registered_over(now, &user, lent, flow);
            if self.registrar.is_reachable(&user) {
                self.flow_found(now, &user, flow);
                self.user_returned(&user);
                self.ring_again(&user);
            }
        }
        self.tell_reachable();
    }
}

/// True for a call that was answered elsewhere (RFC 3326 §3.1), or ended with those that a PBX did not choose
/// (Q.850 cause 26).
fn is_elsewhere(reason: &endpoint::Reason) -> bool {
    match reason.cause {
        Some(200) => reason.protocol.eq_ignore_ascii_case("SIP"),
        Some(26) => reason.protocol.eq_ignore_ascii_case("Q.850"),
        _ => false,
    }
}

fn fault_of(cause: &Ended) -> Option<Fault> {
    Some(match cause {
        Ended::Rejected { .. } => Fault::Rejected,
        Ended::Timeout => Fault::NoResponse,
        Ended::NoAck => Fault::NotAcknowledged,
        Ended::RingTimeout => Fault::NoAnswer,
        Ended::Transport => Fault::Unreachable,
        Ended::Nowhere => Fault::Unresolved,
        Ended::SessionExpired => Fault::SessionExpired,
        Ended::Expired => Fault::NoAnswer,
        Ended::Cancelled { .. } | Ended::LocalHangup | Ended::Bye { .. } => return None,
    })
}

fn final_code(cause: &Ended) -> u16 {
    match cause {
        Ended::Rejected { code, .. } => *code,
        Ended::Cancelled { .. } | Ended::Expired | Ended::LocalHangup => 487,
        Ended::Timeout | Ended::NoAck => 408,
        Ended::RingTimeout => 480,
        Ended::Transport | Ended::Nowhere => 503,
        Ended::SessionExpired => 408,
        Ended::Bye { .. } => 200,
    }
}
