//! Credentials that somebody else checks, such as a PBX: they count as those that we check ourselves.

use sans_io::Time;
use sip_core::flow::Flow;
use sip_core::message::{HeaderName, Message, StatusCode};

use super::{Admission, Reason, Refused};
use crate::context::Context;
use crate::guard::{Denied, Try};

impl Admission {
    /// Takes an attempt to get in as `name`.
    ///
    /// # Errors
    /// The refusal of one that comes too soon after others that failed; `None` for no answer at all.
    pub(crate) fn attempt(
        &mut self,
        cx: &mut Context,
        now: Time,
        (request, flow): (&Message, Flow),
        name: &str,
    ) -> Result<Try, Refused> {
        match self.guard.take(now, flow.remote.ip(), name) {
            Ok(taken) => Ok(taken),
            Err(Denied::TooFast(wait)) => {
                let code = StatusCode::SERVICE_UNAVAILABLE;
                cx.refused(request, flow, name, code, Reason::TooFast);
                let seconds = wait.as_secs().max(1).to_string();
                Err(Some((code, vec![("Retry-After".into(), seconds)])))
            }
            Err(Denied::Banned(_)) => {
                self.silenced += 1;
                Err(None)
            }
        }
    }

    /// Somebody else judged a request: with credentials, or without, which says something only if there is no such user.
    pub(crate) fn judged(
        &mut self,
        cx: &mut Context,
        now: Time,
        (request, flow): (&Message, Flow),
        (name, attempt): (&str, Option<Try>),
        (code, response): (StatusCode, Option<&Message>),
    ) {
        use StatusCode as S;
        let address = flow.remote.ip();
        let Some(attempt) = attempt else {
            if matches!(code, S::FORBIDDEN | S::NOT_FOUND) {
                self.guard.unknown_name(now, address, name);
                cx.refused(request, flow, name, code, Reason::UnknownSource);
            }
            return;
        };
        let is_challenge = matches!(code, S::UNAUTHORIZED | S::PROXY_AUTHENTICATION_REQUIRED);
        if code.is_success() {
            self.guard.succeeded(now, attempt);
        } else if code == S::FORBIDDEN || (is_challenge && !response.is_some_and(is_stale)) {
            self.guard.failed(now, address, attempt);
            cx.refused(request, flow, name, code, Reason::WrongCredentials);
        } else {
            self.guard.give_back(attempt);
        }
    }

    /// Nobody judged an attempt.
    pub(crate) fn not_judged(&mut self, attempt: Try) {
        self.guard.give_back(attempt);
    }
}

/// True for a challenge that finds the nonce too old, not the password wrong (RFC 7616 §3.3).
fn is_stale(response: &Message) -> bool {
    let names = [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate];
    names.into_iter().any(|name| {
        let says = |stale: &str| stale.eq_ignore_ascii_case("true");
        response
            .auth(name)
            .any(|challenge| challenge.get("stale").is_some_and(says))
    })
}
