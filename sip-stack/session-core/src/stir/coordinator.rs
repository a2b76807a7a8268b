//! Calls that wait for the verdict on their caller: most have it at once, others as soon as a certificate is fetched.

use std::collections::BTreeMap;
use std::time::Duration;

use sans_io::Time;
use sip_core::message::{Message, StatusCode};

use super::cache::Held;
use super::check::Checking;
use super::{CertificateUrl, Certificates, FetchError, Fetched, Hindrance, Replays, Verdict, Verification};
use crate::SessionId;
use crate::context::Context;
use crate::coordinator::{Coordinator, Output, Timer};
use crate::event::{Event, IncomingCall, Source};

/// Time for which a call waits for a certificate before it goes on without.
const PATIENCE: Duration = Duration::from_millis(200);
/// Time after which a certificate is not waited for any more.
const LIMIT: Duration = Duration::from_millis(2_500);

/// Certificates, signatures that were used, and calls that wait for a verdict.
#[derive(Debug, Default)]
pub(crate) struct Stir {
    certificates: Certificates,
    replays: Replays,
    waiting: BTreeMap<SessionId, Waiting>,
}

/// A call without a verdict.
#[derive(Debug)]
struct Waiting {
    checking: Checking,
    /// Arrival of the call; `None` once it was reported.
    event: Option<Event>,
    trunk: String,
    verification: Verification,
    /// Time at which it is not waited for any more.
    until: Time,
}

impl Waiting {
    /// True if all certificates are here, or will not come.
    fn is_ready(&self, certificates: &Certificates, now: Time) -> bool {
        let is_here = |url| !matches!(certificates.held(now, url), Held::Fetching);
        self.checking
            .passports()
            .iter()
            .all(|passport| is_here(&passport.url))
    }
}

impl Coordinator {
    /// Reports the arrival of a call, as soon as there is a verdict on its caller where its trunk wants one.
    pub(crate) fn arrived(&mut self, now: Time, session: SessionId, mut event: Event, request: &Message) {
        let Some((trunk, verification, caller)) = self.wanted(&mut event, request) else {
            return self.context_mut().event(event);
        };
        let (stir, cx) = self.stir_mut();
        let checking = Checking::of(request, &caller, &cx.config.stir, now);
        if !cx.config.stir.anchors.is_empty() {
            for passport in checking.passports() {
                if stir.certificates.want(now, &passport.url) == Held::Missing {
                    cx.output(Output::Fetch {
                        url: passport.url.clone(),
                    });
                }
            }
        }
        let waiting = Waiting {
            checking,
            event: Some(event),
            trunk,
            verification,
            until: now + LIMIT,
        };
        let is_ready = waiting.is_ready(&stir.certificates, now);
        stir.waiting.insert(session, waiting);
        match (is_ready, verification) {
            (true, _) => self.judge(now, session),
            (false, Verification::Required) => {
                cx.timers
                    .set(Timer::Certificate(session), now + LIMIT, "certificate");
            }
            (false, _) => cx
                .timers
                .set(Timer::Certificate(session), now + PATIENCE, "certificate"),
        }
    }

    /// Trunk, verification and caller of a call whose caller is to be verified.
    fn wanted(&self, event: &mut Event, request: &Message) -> Option<(String, Verification, String)> {
        let call = call_in(event)?;
        let Source::Trunk(trunk) = &call.source else {
            return None;
        };
        let verification = self.context().directory.trunk(trunk)?.verification;
        // A trusted trunk says whom the call is from; else `From` does (RFC 8224 §6.2 step 2).
        let asserted = call.identity.asserted.as_ref().map(|caller| caller.user.clone());
        let caller = asserted.unwrap_or_else(|| crate::incoming::user_of(request.from().uri));
        (verification != Verification::Off).then(|| (trunk.clone(), verification, caller))
    }

    /// Takes a certificate that was fetched, or learns that there is none.
    pub(crate) fn fetched(&mut self, now: Time, url: &CertificateUrl, answer: Result<Fetched, FetchError>) {
        let (stir, _) = self.stir_mut();
        stir.certificates.fetched(now, url, answer);
        let ready = stir.waiting.iter();
        let ready = ready.filter(|(_, waiting)| waiting.is_ready(&stir.certificates, now));
        let ready: Vec<SessionId> = ready.map(|(session, _)| *session).collect();
        for session in ready {
            self.judge(now, session);
        }
    }

    /// A call has waited long enough: it goes on without a verdict, which may follow; or it is refused.
    pub(crate) fn certificate_late(&mut self, now: Time, session: SessionId) {
        let (stir, cx) = self.stir_mut();
        let Some(waiting) = stir.waiting.get_mut(&session) else {
            return;
        };
        if now >= waiting.until {
            return self.judge(now, session);
        }
        cx.timers
            .set(Timer::Certificate(session), waiting.until, "certificate");
        let (event, trunk) = (waiting.event.take(), waiting.trunk.clone());
        let about = (trunk.as_str(), &[][..]);
        self.give_verdict(
            now,
            (session, event),
            about,
            Verdict::Unavailable(Hindrance::Slow),
            None,
        );
    }

    /// Judges a call, and lets it go on.
    fn judge(&mut self, now: Time, session: SessionId) {
        let (stir, cx) = self.stir_mut();
        let Some(waiting) = stir.waiting.remove(&session) else {
            return;
        };
        cx.timers.cancel(Timer::Certificate(session));
        let settings = &cx.config.stir;
        let verdict = waiting
            .checking
            .judge(&stir.certificates, &mut stir.replays, settings, now);
        let is_late = waiting.event.is_none();
        // What is as unknown as before is no news.
        if is_late && matches!(verdict, Verdict::Unavailable(_)) {
            return;
        }
        let refusal = match waiting.verification {
            Verification::Required => verdict.refusal(),
            Verification::Show | Verification::Off => None,
        };
        self.give_verdict(
            now,
            (session, waiting.event),
            (&waiting.trunk, waiting.checking.signatures()),
            verdict,
            refusal,
        );
    }

    /// Reports the verdict on a call, and the call itself unless it was reported before. One that is over is not reported any more.
    fn give_verdict(
        &mut self,
        now: Time,
        (session, event): (SessionId, Option<Event>),
        (trunk, signatures): (&str, &[String]),
        verdict: Verdict,
        refusal: Option<StatusCode>,
    ) {
        let noted = self.with_call(session, |call, _| {
            call.set_verdict(verdict.clone(), signatures);
            !call.is_ending()
        });
        if noted != Some(true) {
            return;
        }
        let report = Event::Verdict {
            session,
            trunk: trunk.to_owned(),
            verdict: verdict.clone(),
        };
        if let Some(code) = refusal {
            self.context_mut().event(report);
            return self.reject(now, session, code);
        }
        let arrival = event.map(|mut event| {
            if let Some(call) = call_in(&mut event) {
                call.identity.verdict = Some(verdict);
            }
            event
        });
        let cx: &mut Context = self.context_mut();
        if let Some(event) = arrival {
            cx.event(event);
        }
        cx.event(report);
    }
}

fn call_in(event: &mut Event) -> Option<&mut IncomingCall> {
    match event {
        Event::Incoming { call, .. } => Some(call),
        _ => None,
    }
}
