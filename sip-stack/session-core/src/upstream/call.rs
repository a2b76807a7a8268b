//! Calls of clients of the PBX, and calls of the PBX to them.

use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::{Ended, Headers};
use sip_core::flow::Flow;
use sip_core::message::{Address, Message};
use sip_core::uri::Uri;

use super::relay::{credentials, has_credentials};
use super::{Aor, lines_of};
use crate::SessionId;
use crate::admission::Word;
use crate::context::Context;
use crate::coordinator::Coordinator;
use crate::event::{Source, Way};
use crate::guard::Try;
use crate::incoming::user_of;

/// Headers that the PBX is told of a caller.
const PASSED_ON: [&str; 2] = ["Privacy", "P-Preferred-Identity"];

/// INVITE of a client, which goes on to the PBX.
#[derive(Debug)]
pub(crate) struct Outward {
    request: Message,
    flow: Flow,
    aor: Aor,
    /// Its credentials, as the guard counts them.
    attempt: Option<Try>,
    /// Leg that it became.
    leg: Option<LegId>,
}

/// Parts of an INVITE that stay as its caller wrote them, so that the caller's digest stays true.
#[derive(Clone, Debug)]
pub(crate) struct Verbatim {
    pub(crate) request_uri: Uri,
    pub(crate) from: Address,
    pub(crate) to: Address,
    /// User part of our `Contact`.
    pub(crate) contact: String,
    pub(crate) headers: Headers,
}

impl Outward {
    /// Facts for the INVITE to the PBX; `None` if its Request-URI is none.
    pub(crate) fn verbatim(&self, cx: &Context) -> Option<Verbatim> {
        let mut from = self.request.from().to_owned();
        from.params.clear();
        let known = lines_of(&self.request, &PASSED_ON);
        Some(Verbatim {
            request_uri: Uri::parse(self.request.request_uri()?).ok()?,
            from,
            to: self.request.to().to_owned(),
            contact: cx.upstream.contact_user(&self.aor),
            headers: credentials(&self.request).into_iter().chain(known).collect(),
        })
    }

    pub(crate) fn aor(&self) -> &Aor {
        &self.aor
    }

    /// True for the leg that its INVITE became.
    pub(crate) fn is_leg(&self, leg: LegId) -> bool {
        self.leg == Some(leg)
    }

    pub(crate) fn set_leg(&mut self, leg: LegId) {
        self.leg = Some(leg);
    }
}

impl Coordinator {
    /// Calls the PBX for a client whose call came in ([`Way::Out`]).
    pub fn dial_pbx(&mut self, now: Time, session: SessionId, ring_timeout: Duration) {
        self.with_call(session, |call, cx| call.dial_pbx(cx, now, ring_timeout));
    }

    /// Calls a client of the PBX for the PBX ([`Way::In`]): at all of its connections, or, while it was there a moment ago and is away, at
    /// the next one.
    pub fn dial_client(&mut self, now: Time, session: SessionId, user: &str, ring_timeout: Duration) {
        self.with_call(session, |call, cx| call.dial_client(cx, now, user, ring_timeout));
    }

    /// INVITE of a client of the PBX; `None` if it is of somebody else.
    ///
    /// # Errors
    /// Its refusal.
    pub(crate) fn outward(
        &mut self,
        now: Time,
        request: &Message,
        flow: Flow,
    ) -> Option<Result<Outward, Word>> {
        let aor = match self.context().client_over(now, request, flow)? {
            Ok(aor) => aor,
            Err((code, reason)) => {
                let from = user_of(request.from().uri);
                self.context_mut().refused(request, flow, &from, code, reason);
                return Some(Err(Word::Refused {
                    code,
                    headers: Headers::new(),
                }));
            }
        };
        Some(Ok(Outward {
            request: request.clone(),
            flow,
            aor,
            attempt: None,
            leg: None,
        }))
    }

    /// Takes the attempt that the credentials of an INVITE are.
    ///
    /// # Errors
    /// The refusal of a client that guesses.
    pub(crate) fn attempt_outward(&mut self, now: Time, mut outward: Outward) -> Result<Outward, Word> {
        if !has_credentials(&outward.request) {
            return Ok(outward);
        }
        let name = outward.aor.attempted(&outward.request);
        let (admission, cx) = self.admission_mut();
        let attempt = admission.attempt(cx, now, (&outward.request, outward.flow), &name);
        admission.report_bans(cx);
        match attempt {
            Ok(attempt) => {
                outward.attempt = Some(attempt);
                Ok(outward)
            }
            Err(Some((code, headers))) => Err(Word::Refused { code, headers }),
            Err(None) => Err(Word::PassedOver),
        }
    }

    /// The PBX ended a leg: whether that says something of the credentials of its caller.
    pub(crate) fn judge_outward(&mut self, now: Time, leg: LegId, cause: &Ended) {
        let Ended::Rejected { code, headers, .. } = cause else {
            return;
        };
        let taken = self.with_leg(leg, |call, _| {
            let outward = call.outward_mut().filter(|outward| outward.is_leg(leg))?;
            let attempt = outward.attempt.take()?;
            Some((
                outward.request.clone(),
                outward.flow,
                outward.aor.clone(),
                attempt,
            ))
        });
        let Some((request, flow, aor, attempt)) = taken.flatten() else {
            return;
        };
        let (admission, cx) = self.admission_mut();
        let name = aor.attempted(&request);
        admission.judged(
            cx,
            now,
            (&request, flow),
            (&name, Some(attempt)),
            (*code, Some(headers)),
        );
        admission.report_bans(cx);
    }

    /// A call is over: nobody refused its credentials.
    pub(crate) fn outward_over(&mut self, outward: Outward) {
        if let Some(attempt) = outward.attempt {
            self.admission_mut().0.not_judged(attempt);
        }
    }
}

impl Context {
    /// The way of a call that concerns the PBX and its clients, and the client.
    pub(crate) fn way(&self, source: &Source, called: &str) -> Option<Way> {
        let (name, _) = self.pbx()?;
        match source {
            Source::User(user) if self.is_client(user) => Some(Way::Out {
                trunk: name.to_owned(),
            }),
            Source::Trunk(trunk) if trunk == name => {
                let aor = self.upstream.aor_of_contact(called)?;
                Some(Way::In {
                    user: aor.as_str().to_owned(),
                })
            }
            Source::User(_) | Source::Trunk(_) | Source::Anyone => None,
        }
    }

    /// Time until which a call waits for a client that is away: the grace, from its loss or from our start on.
    pub(crate) fn awaited_until(&self, now: Time, user: &str) -> Option<Time> {
        let lost = self.upstream.line(user).and_then(super::line::Line::lost_at);
        let until = lost.max(self.upstream.since)? + self.config.grace;
        (until > now && self.is_client(user)).then_some(until)
    }
}
