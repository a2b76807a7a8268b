//! Registering at somebody else's registrar, and staying registered.

use std::collections::BTreeMap;
use std::time::Duration;

use sans_io::Time;
use sip_core::endpoint::{Credentials, OutgoingRequest, RequestId, Target};
use sip_core::message::{Address, HeaderName, Message, Method, StatusCode};
use sip_core::uri::Uri;

use crate::context::Context;
use crate::coordinator::Timer;
use crate::dial::user_text;
use crate::event::{Event, RegistrationState};
use crate::record::Fault;

/// An account elsewhere.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Chosen by the application; a later one of the same name takes its place.
    pub account: u64,
    /// Address of record.
    pub aor: Uri,
    /// Destination of REGISTER, if not the host of `aor`.
    pub proxy: Option<Uri>,
    /// For digest.
    pub username: String,
    /// For digest.
    pub password: String,
    /// Asked for; what the registrar grants counts.
    pub expires: Duration,
}

/// State of a [`Registration`].
#[derive(Debug)]
struct Account {
    registration: Registration,
    call_id: String,
    cseq: u32,
    request: Option<RequestId>,
    leaving: bool,
    failures: u32,
}

/// Accounts elsewhere, by the names that the application gave them.
#[derive(Debug, Default)]
pub(crate) struct Accounts(BTreeMap<u64, Account>);

impl Accounts {
    /// Registers, and refreshes at half the granted time until [`unregister`](Self::unregister). Failures are
    /// reported and tried again after 5 s, doubling up to 5 min; 403 and 404 end it.
    pub(crate) fn register(&mut self, cx: &mut Context, now: Time, registration: Registration) {
        let account = registration.account;
        let call_id = cx.rng.token(22);
        self.0.insert(
            account,
            Account {
                registration,
                call_id,
                cseq: 0,
                request: None,
                leaving: false,
                failures: 0,
            },
        );
        self.send(cx, now, account);
    }

    /// Gives a registration up.
    pub(crate) fn unregister(&mut self, cx: &mut Context, now: Time, account: u64) {
        cx.timers.cancel(Timer::Register(account));
        if let Some(a) = self.0.get_mut(&account) {
            a.leaving = true;
            self.send(cx, now, account);
        }
    }

    pub(crate) fn send(&mut self, cx: &mut Context, now: Time, account: u64) {
        // Else it was given up after its timer had fired.
        let Some(a) = self.0.get_mut(&account) else {
            return;
        };
        a.cseq += 1;
        let r = &a.registration;
        let expires = if a.leaving { 0 } else { r.expires.as_secs() };
        let me = Address::new(r.aor.clone());
        let request = OutgoingRequest {
            method: Method::Register,
            target: Target::Uri {
                proxy: r.proxy.clone(),
            },
            request_uri: registrar(&r.aor),
            from: me.clone(),
            to: me,
            contact_user: Some(user_text(&r.aor)),
            contact_params: String::new(),
            call: Some((a.call_id.clone(), a.cseq)),
            extra: vec![("Expires".into(), expires.to_string())],
            body: None,
            credentials: Some(Credentials {
                username: r.username.clone(),
                password: r.password.clone(),
            }),
        };
        a.request = Some(cx.endpoint.request(now, request));
    }

    /// The answer to a request of ours outside a dialog, if it was a REGISTER.
    pub(crate) fn answered(
        &mut self,
        cx: &mut Context,
        now: Time,
        request: RequestId,
        response: Result<&Message, Fault>,
    ) {
        // Else the account was registered anew before its REGISTER was answered.
        let Some((&account, a)) = self.0.iter_mut().find(|(_, a)| a.request == Some(request)) else {
            return;
        };
        a.request = None;
        if a.leaving {
            self.0.remove(&account);
            let state = RegistrationState::GivenUp;
            return cx.event(Event::Registration { account, state });
        }
        let (state, again) = match response {
            Ok(response) => match response.status() {
                Some(StatusCode::INTERVAL_TOO_BRIEF) => return self.ask_longer(cx, now, account, response),
                Some(code) if code.is_refusal() => (RegistrationState::Refused(code), a.back_off()),
                Some(_) => (RegistrationState::Registered, a.refresh_after(response)),
                None => {
                    debug_assert!(false, "what answers a request is a response");
                    return;
                }
            },
            Err(fault) => (RegistrationState::Unanswered(fault), a.back_off()),
        };
        match state {
            RegistrationState::Refused(StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => {
                self.0.remove(&account);
            }
            _ => cx
                .timers
                .set(Timer::Register(account), now + again, "refresh of a registration"),
        }
        cx.event(Event::Registration { account, state });
    }

    /// Asks again for the time that the registrar grants at least (RFC 3261 §10.2.8).
    fn ask_longer(&mut self, cx: &mut Context, now: Time, account: u64, response: &Message) {
        let Some(a) = self.0.get_mut(&account) else {
            debug_assert!(false, "the REGISTER that was answered is of an account");
            return;
        };
        let least = response
            .header(HeaderName::MinExpires)
            .and_then(|value| value.trim().parse().ok());
        let least = Duration::from_secs(least.unwrap_or(3600));
        a.registration.expires = a.registration.expires.max(least);
        cx.timers
            .set(Timer::Register(account), now, "refresh of a registration");
    }
}

impl Account {
    /// Time until the next attempt after one that failed: 5 s, doubling up to 5 min.
    fn back_off(&mut self) -> Duration {
        self.failures += 1;
        Duration::from_secs((5u64 << self.failures.saturating_sub(1).min(6)).min(300))
    }

    /// Time until the refresh: half of what was granted.
    fn refresh_after(&mut self, response: &Message) -> Duration {
        self.failures = 0;
        let granted = granted(response).unwrap_or(self.registration.expires.as_secs());
        Duration::from_secs(granted.max(2)) / 2
    }
}

/// Seconds granted: `expires` of our Contact, else Expires.
fn granted(response: &Message) -> Option<u64> {
    let of_contact = response.contacts().find_map(|c| c.expires());
    of_contact
        .map(u64::from)
        .or_else(|| response.header(HeaderName::Expires)?.trim().parse().ok())
}

/// Request-URI of a REGISTER: the domain alone (RFC 3261 §10.2).
fn registrar(aor: &Uri) -> Uri {
    aor.host()
        .and_then(|host| Uri::sip(None, host, aor.port()).ok())
        .unwrap_or_else(|| aor.clone())
}
