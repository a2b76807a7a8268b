//! REFER outside of a call (RFC 3515): click to dial. Whoever asks is called first, by a call of ours; once that phone is answered, the
//! target is called as if it had been dialled there.

use std::time::Duration;

use media_core::control::{Application, LegId};
use sans_io::Time;
use sip_core::endpoint::{Headers, Reason, SubscriptionId};
use sip_core::flow::Flow;
use sip_core::message::{Message, Referral, StatusCode};

use crate::admission::Word;
use crate::call::{Call, NewCall};
use crate::context::Context;
use crate::coordinator::Coordinator;
use crate::dial::{Caller, Dial, OnFailure, Party, host_text, user_text};
use crate::event::{Event, IncomingCall, Source};
use crate::incoming::describe;
use crate::leg::{Account, Device, Leg, Seat};

/// Time that the phone of whoever asks may ring.
const RINGS: Duration = Duration::from_secs(45);

/// Refusal of a REFER: an answer, or none.
type Refused = Option<(StatusCode, Headers)>;

/// REFER that a call was made for.
#[derive(Debug)]
pub(crate) struct Asked {
    subscription: SubscriptionId,
    stage: Stage,
    /// The call as the application is told of it, once whoever asks is there.
    call: Box<IncomingCall>,
    /// Leg whose place it asks for.
    replaced: Option<LegId>,
    /// Progress that the peer was told last.
    notified: StatusCode,
}

/// Stage of a call that a REFER asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The phone of whoever asked rings.
    CallsBack,
    /// Whoever asked is there, and waits for the target.
    Waits,
    /// The peer of the REFER was told the outcome.
    Over,
}

impl Coordinator {
    /// Makes the call that a REFER asks for, or refuses it.
    pub(crate) fn asked_outside(
        &mut self,
        now: Time,
        subscription: SubscriptionId,
        referral: &Referral,
        (request, flow): (&Message, Flow),
    ) {
        let admitted = self.admit_referral(now, referral, (request, flow));
        let endpoint = &mut self.context_mut().endpoint;
        let (call, replaced) = match admitted {
            Ok(admitted) => admitted,
            Err(Some((code, headers))) => return endpoint.reject_subscription(subscription, code, &headers),
            Err(None) => return endpoint.pass_over_subscription(subscription),
        };
        endpoint.accept_referral(now, subscription, referral.subscribes);
        let asked = Asked {
            subscription,
            stage: Stage::CallsBack,
            call: Box::new(call),
            replaced,
            notified: StatusCode::TRYING,
        };
        self.call_back(now, asked, request.max_forwards().unwrap_or(70));
    }

    /// Calls whoever asked.
    fn call_back(&mut self, now: Time, asked: Asked, max_forwards: u8) {
        let call = &asked.call;
        let party = match &call.source {
            Source::Trunk(name) => Party::Trunks {
                tiers: vec![vec![(name.clone(), 1)]],
                number: call.from.clone(),
                caller_id: None,
                on_account_of: Some(call.source.clone()),
            },
            _ => Party::User(call.from.clone()),
        };
        let cx = self.context_mut();
        let session = cx.next_session();
        let new = NewCall::of(call, (session, cx.index.least_loaded()), now, max_forwards);
        // The phone shows who is to be called.
        let dial = Dial {
            caller: Some(Caller {
                user: call.to.clone(),
                display: String::new(),
            }),
            ..Dial::together(vec![party], RINGS, OnFailure::Reject)
        };
        let mut made = Call::new(cx, new);
        made.set_asked(asked);
        self.insert_call(made);
        self.with_call(session, |call, cx| call.dial(cx, now, dial));
    }

    /// Admits a REFER as an INVITE to its target would be. The call that it asks for, and the leg whose place that is to take.
    fn admit_referral(
        &mut self,
        now: Time,
        referral: &Referral,
        (request, flow): (&Message, Flow),
    ) -> Result<(IncomingCall, Option<LegId>), Refused> {
        if self.context_mut().is_scanner(request, flow) {
            return Err(None);
        }
        let (admission, cx) = self.admission_mut();
        let word = admission.admit(cx, now, request, flow);
        admission.report_bans(cx);
        let source = match word {
            Word::Granted { source, .. } => source,
            Word::PassedOver => return Err(None),
            // A client of a PBX asks the PBX.
            Word::Refused { code, .. } if code == StatusCode::BAD_EVENT => {
                return Err(refused(StatusCode::FORBIDDEN));
            }
            Word::Refused { code, headers } => return Err(Some((code, headers))),
        };
        let call = self.asked_call(referral, (request, flow), source)?;
        let replaced = self.asked_place(referral, &call.source)?;
        if self.is_full() {
            return Err(later(5));
        }
        let (admission, cx) = self.admission_mut();
        match admission.beyond_limits(cx, now, &call.source) {
            Some(seconds) => Err(later(seconds)),
            None => Ok((call, replaced)),
        }
    }

    /// The call that a REFER asks for, if whoever sends it may ask for that, and can be called.
    fn asked_call(
        &self,
        referral: &Referral,
        (request, flow): (&Message, Flow),
        source: Source,
    ) -> Result<IncomingCall, Refused> {
        let cx = self.context();
        let mut call = describe(cx, request, source, flow, Device::Phone);
        let trunk = match &call.source {
            Source::User(user) => {
                call.from.clone_from(user);
                if !cx.directory.is_reachable(user) {
                    return Err(refused(StatusCode::TEMPORARILY_UNAVAILABLE));
                }
                None
            }
            Source::Trunk(name) => cx.directory.trunk(name).filter(|trunk| trunk.transfers),
            Source::Anyone => None,
        };
        let is_user = matches!(call.source, Source::User(_));
        if call.way.is_some() || !(is_user || trunk.is_some()) {
            return Err(refused(StatusCode::FORBIDDEN));
        }
        if call.from.is_empty() {
            return Err(refused(StatusCode::BAD_REQUEST));
        }
        let target = &referral.target;
        let number = user_text(target);
        if number.is_empty() || (target.is_sip() && !cx.is_ours(&host_text(target))) {
            return Err(refused(StatusCode::NOT_FOUND));
        }
        call.to = match trunk {
            Some(trunk) => trunk.numbers.read(&number).into_owned(),
            None => number,
        };
        call.emergency = cx.config.emergency.number(&call.to).filter(|_| is_user);
        call.browser = false;
        Ok(call)
    }

    /// The leg of the same user, or trunk, that a `Replaces` in `Refer-To` names.
    fn asked_place(&self, referral: &Referral, source: &Source) -> Result<Option<LegId>, Refused> {
        let Some(dialog) = &referral.replaces else {
            return Ok(None);
        };
        let leg = self.leg_named(&Account::of(source), dialog);
        match leg {
            None => Err(refused(StatusCode::CALL_DOES_NOT_EXIST)),
            Some(_) if dialog.early_only => Err(refused(StatusCode::BUSY_HERE)),
            Some(leg) => Ok(Some(leg)),
        }
    }

    /// Tells whoever sent a REFER the progress again. False for another subscription.
    pub(crate) fn notify_again(&mut self, now: Time, subscription: SubscriptionId) -> bool {
        let is_asked = |asked: &Asked| asked.subscription == subscription;
        let found = self.calls().find(|call| call.asked().is_some_and(is_asked));
        let Some(notified) = found.and_then(Call::asked).map(|asked| asked.notified) else {
            return false;
        };
        self.context_mut()
            .endpoint
            .notify_referral(now, subscription, notified);
        true
    }

    /// Answers a call that a REFER asked for: `leg` is there already. False for any other leg.
    pub(crate) fn answer_asked(&mut self, now: Time, leg: LegId, application: Option<Application>) -> bool {
        let answered = self.with_leg(leg, |call, cx| {
            if !call.waits_for_target() || !call.is_caller(leg) {
                return false;
            }
            call.target_answered(cx, now);
            let session = call.id();
            cx.event(Event::Answered { session, leg });
            call.play(cx, leg, application);
            true
        });
        answered == Some(true)
    }
}

impl Call {
    /// The phone of whoever asked for it by REFER rings.
    pub(crate) fn calls_back(&self) -> bool {
        self.asked().is_some_and(|asked| asked.stage == Stage::CallsBack)
    }

    /// Whoever asked for it by REFER is there, and waits for the target.
    pub(crate) fn waits_for_target(&self) -> bool {
        self.asked().is_some_and(|asked| asked.stage == Stage::Waits)
    }

    /// Whoever asked for it is there: from now on its caller, whose call the application is told of.
    pub(crate) fn called_back(&mut self, cx: &mut Context, leg: LegId) {
        let session = self.id();
        if let Some(l) = self.leg_mut(leg) {
            l.set_seat(Seat::Caller);
        }
        let is_browser = self.leg(leg).is_some_and(Leg::is_browser);
        let Some(asked) = self.asked_mut() else { return };
        asked.stage = Stage::Waits;
        asked.call.browser = is_browser;
        let (call, replaced) = (asked.call.clone(), asked.replaced);
        cx.event(match replaced {
            Some(replaced) => Event::Replaces {
                session,
                leg,
                call,
                replaced,
            },
            None => Event::Incoming { session, leg, call },
        });
        self.wire(cx);
    }

    /// Tells whoever asked for it that the target rings, or makes progress.
    pub(crate) fn target_rings(&mut self, cx: &mut Context, now: Time, code: StatusCode) {
        if self.waits_for_target()
            && let Some(asked) = self.asked_mut()
        {
            asked.notified = code;
            cx.endpoint.notify_referral(now, asked.subscription, code);
        }
    }

    /// The target is there, or the caller is answered in its place.
    pub(crate) fn target_answered(&mut self, cx: &mut Context, now: Time) {
        if self.waits_for_target() {
            self.note_answered(now);
            self.asked_over(cx, now, StatusCode::OK);
        }
    }

    /// Tells whoever asked for it the outcome, once.
    pub(crate) fn asked_over(&mut self, cx: &mut Context, now: Time, code: StatusCode) {
        if let Some(asked) = self.asked_mut().filter(|asked| asked.stage != Stage::Over) {
            asked.stage = Stage::Over;
            asked.notified = code;
            cx.endpoint.notify_referral(now, asked.subscription, code);
        }
    }

    /// Reason (RFC 3326) of the BYE to whoever asked for it, where the target did not answer.
    pub(crate) fn target_refused(&self, code: StatusCode) -> Option<Reason> {
        let is_refused = self.waits_for_target() && code.is_refusal();
        is_refused.then(|| Reason {
            protocol: "SIP".into(),
            cause: Some(code.get()),
            text: None,
        })
    }
}

fn refused(code: StatusCode) -> Refused {
    Some((code, Headers::new()))
}

/// Refusal of what may be tried again after so many seconds.
fn later(seconds: u32) -> Refused {
    let retry = vec![("Retry-After".into(), seconds.to_string())];
    Some((StatusCode::SERVICE_UNAVAILABLE, retry))
}
