//! The registration of a connection (RFC 3261 §10, RFC 5626).

use std::time::Duration;

use sans_io::{Rng, Time};
use session_core::Fault;
use sip_core::auth::Answerer;
use sip_core::endpoint::{Credentials, Endpoint, OutgoingContact, OutgoingRequest, RequestId, Target};
use sip_core::flow::Flow;
use sip_core::message::{Address, HeaderName, Message, Method};
use sip_core::uri::Uri;
use tokio::sync::oneshot;

use super::Login;
use crate::client::ClientError;

/// Lifetime requested from the server; the granted one counts, and is refreshed at half of it.
const EXPIRES: u64 = 600;

type Reply = oneshot::Sender<Result<(), ClientError>>;

/// State of the registration.
#[derive(Debug)]
pub(super) struct Registration {
    call_id: String,
    cseq: u32,
    /// User part of our Contact, unlike that of any other page of the account.
    pub(super) contact: String,
    /// Parameters of our Contact: what tells this client from others, whatever connection it comes over (RFC 5626 §4.1).
    instance: String,
    pending: Option<(RequestId, Option<Reply>)>,
    /// Time of the next refresh; `None` while it is not registered.
    refresh: Option<Time>,
}

impl Registration {
    pub(super) fn new(login: &Login, rng: &mut Rng) -> Registration {
        let user = login.aor.user().unwrap_or_default();
        let mut id = [0; 16];
        rng.fill(&mut id);
        let hex: String = id.iter().map(|octet| format!("{octet:02x}")).collect();
        // A random UUID (RFC 4122 §4.4).
        let uuid = format!(
            "{}-{}-4{}-8{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        );
        Registration {
            call_id: rng.token(22),
            cseq: 0,
            contact: format!("{user}-{}", rng.token(8).to_ascii_lowercase()),
            instance: format!(";+sip.instance=\"<urn:uuid:{uuid}>\";reg-id=1"),
            pending: None,
            refresh: None,
        }
    }

    /// True while the server may send calls here.
    pub(super) fn is_registered(&self) -> bool {
        self.refresh.is_some()
    }

    /// Time of the next refresh.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.refresh.filter(|_| self.pending.is_none())
    }

    /// Sends REGISTER, or with `leave` the one that ends the registration.
    pub(super) fn send(
        &mut self,
        now: Time,
        endpoint: &mut Endpoint,
        flow: Flow,
        login: &Login,
        leave: bool,
        reply: Option<Reply>,
    ) {
        if leave {
            self.refresh = None;
        }
        self.cseq += 1;
        let expires = if leave { 0 } else { EXPIRES };
        let me = Address::new(login.aor.clone());
        let request = OutgoingRequest {
            method: Method::Register,
            target: Target::Flow(flow),
            request_uri: domain(&login.aor),
            from: me.clone(),
            to: me,
            contact: Some(OutgoingContact {
                user: self.contact.clone(),
                params: format!("{};expires={expires}", self.instance),
                ..OutgoingContact::default()
            }),
            call: Some((self.call_id.clone(), self.cseq)),
            body: None,
            extra: Vec::new(),
            answerer: Some(Answerer::new(credentials(login))),
            response_timeout: None,
        };
        self.pending = Some((endpoint.request(now, request), reply));
    }

    /// Takes the outcome of a request, if it was the last REGISTER.
    pub(super) fn answered(&mut self, now: Time, request: RequestId, outcome: Result<&Message, Fault>) {
        let Some((_, reply)) = self.pending.take_if(|(pending, _)| *pending == request) else {
            return;
        };
        let result = match outcome {
            Ok(response) => match response.status() {
                Some(code) if !code.is_success() => Err(ClientError::Refused(code)),
                _ => {
                    if let Some(granted) = granted(response, &self.contact) {
                        self.refresh = Some(now + Duration::from_secs(u64::from(granted).max(2)) / 2);
                    }
                    Ok(())
                }
            },
            Err(fault) => Err(ClientError::Failed(fault)),
        };
        if result.is_err() {
            self.refresh = None;
        }
        if let Some(reply) = reply {
            let _ = reply.send(result);
        }
    }
}

/// Seconds granted to our Contact; `None` if the answer does not list it.
fn granted(response: &Message, contact: &str) -> Option<u32> {
    let mine = response
        .contacts()
        .find(|listed| listed.uri().and_then(|uri| uri.user()) == Some(contact))?;
    let by_header = || response.header(HeaderName::Expires)?.trim().parse().ok();
    mine.expires().or_else(by_header).filter(|seconds| *seconds > 0)
}

pub(super) fn credentials(login: &Login) -> Credentials {
    Credentials {
        username: login.username.clone(),
        password: login.password.clone(),
    }
}

/// Request-URI of a REGISTER: the domain alone (RFC 3261 §10.2).
fn domain(aor: &Uri) -> Uri {
    aor.host()
        .and_then(|host| Uri::sip(None, host, aor.port()).ok())
        .unwrap_or_else(|| aor.clone())
}
