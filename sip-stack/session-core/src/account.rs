//! Registering at somebody else's registrar, and staying registered.

use std::collections::BTreeMap;
use std::time::Duration;

use sans_io::Time;
use sip_core::endpoint::{Credentials, OutgoingRequest, RequestId, Target};
use sip_core::message::{Address, HeaderName, Message, Method};
use sip_core::uri::Uri;

use crate::context::Context;
use crate::coordinator::Timer;
use crate::dial::user_text;
use crate::event::{Event, Fault};

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
        code: u16,
        response: Result<&Message, Fault>,
    ) {
        let Some((&account, a)) = self.0.iter_mut().find(|(_, a)| a.request == Some(request)) else {
            return;
        };
        if code < 200 {
            return;
        }
        a.request = None;
        if a.leaving {
            self.0.remove(&account);
            return cx.event(Event::Registration {
                account,
                code: 0,
                fault: None,
            });
        }
        let fault = match response {
            Ok(_) if code < 300 => None,
            Ok(_) => Some(Fault::Rejected),
            Err(fault) => Some(fault),
        };
        let response = response.ok();
        let again = match code {
            200..=299 => {
                a.failures = 0;
                let granted = response
                    .and_then(granted)
                    .unwrap_or(a.registration.expires.as_secs())
                    .max(2);
                Duration::from_secs(granted) / 2
            }
            423 => {
                let least = response
                    .and_then(|r| r.header(HeaderName::MinExpires))
                    .and_then(|v| v.trim().parse().ok());
                a.registration.expires = a
                    .registration
                    .expires
                    .max(Duration::from_secs(least.unwrap_or(3600)));
                Duration::ZERO
            }
            403 | 404 => {
                self.0.remove(&account);
                return cx.event(Event::Registration { account, code, fault });
            }
            _ => {
                a.failures += 1;
                Duration::from_secs((5u64 << a.failures.saturating_sub(1).min(6)).min(300))
            }
        };
        cx.timers
            .set(Timer::Register(account), now + again, "refresh of a registration");
        if code != 423 {
            cx.event(Event::Registration { account, code, fault });
        }
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
