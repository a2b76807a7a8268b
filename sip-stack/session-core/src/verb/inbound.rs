//! A call comes in.

use media_core::control::{Command, LegId, LegKind};
use media_core::sdp;
use sans_io::Time;
use sip_core::endpoint::{Headers, UsageId};
use sip_core::flow::{Flow, Transport};
use sip_core::message::Message;
use sip_core::uri::UriRef;

use crate::SessionId;
use crate::access::Admission;
use crate::coordinator::Coordinator;
use crate::event::{Event, IncomingCall, Source};
use crate::identity;
use crate::leg::{Leg, Media};
use crate::media::Wanted;
use crate::session::Session;
use crate::verb::Caller;

impl Coordinator {
    /// Admits a new INVITE, opens its media and tells the application; or refuses it.
    pub(crate) fn inbound(&mut self, now: Time, usage: UsageId, request: &Message, flow: Flow) {
        if self.sessions.len() >= self.config.max_sessions {
            let retry = vec![("Retry-After".into(), "5".into())];
            return self.endpoint.turn_away(usage, 503, &retry);
        }
        if self.is_scanner(request, flow) {
            return self.endpoint.pass_over_call(usage);
        }
        let admission = self.admit(now, request, flow);
        self.tell_bans();
        let source = match admission {
            Admission::Granted(source) => source,
            Admission::PassedOver => return self.endpoint.pass_over_call(usage),
            // RFC 3261 §26.3.2.4: a peer that has proved nothing is challenged once, and costs nothing.
            Admission::Refused { code, headers } => return self.endpoint.turn_away(usage, code, &headers),
        };
        let replaced = match self.replaced_by(request, &source) {
            Ok(replaced) => replaced,
            Err((code, why)) => {
                // Once: a trunk is known by an address, which a datagram may forge.
                let warning = warning(&self.config.host, 399, why);
                return self.endpoint.turn_away(usage, code, &warning);
            }
        };
        // A call that takes the place of another does not add to the number of calls.
        if replaced.is_none()
            && let Some(seconds) = self.beyond_limits(now, &source)
        {
            // Before any port is taken. RFC 3261 §21.5.4: the client tries another way, or later.
            let retry = vec![("Retry-After".into(), seconds.to_string())];
            return self.endpoint.turn_away(usage, 503, &retry);
        }
        // Without one the caller wants our offer (late offer).
        let offer = request.content().session;
        let families = self.phone_families();
        let (browser, family) = match offer.as_ref().map(|sdp| sdp::peek(sdp, &families)) {
            Some(Ok(peek)) => (peek.peer == sdp::Peer::Browser, peek.family),
            Some(Err(error)) => {
                let warning = sdp_warning(&self.config.host, &error);
                return self.endpoint.reject(now, usage, error.code(), warning);
            }
            None => (
                matches!(flow.transport, Transport::Ws | Transport::Wss),
                Some(sdp::Family::of(flow.remote.ip())),
            ),
        };
        if let (Source::User(user), Some(_)) = (&source, &offer) {
            let contact = request.contact().map(|contact| contact.uri);
            self.registrar.offered(user, contact, flow, browser);
        }
        let call = self.describe(request, source, flow, browser);
        let session = SessionId(self.next_id());
        let leg = LegId(self.next_id());
        let user = match &call.source {
            Source::User(user) => Some(user.clone()),
            Source::Trunk(_) | Source::Anyone => None,
        };
        let trunk = match &call.source {
            Source::Trunk(name) => Some(name.clone()),
            _ => None,
        };
        let wanted = Wanted {
            browser,
            codecs: self.codecs_for(trunk.as_deref(), browser),
            source: self.media_source(user.as_deref(), trunk.as_deref()),
            family,
        };
        let (kind, negotiator) = self.open_media(session, leg, wanted);
        let party = call.from.clone();
        self.sessions.insert(
            session,
            Session {
                max_forwards: request.max_forwards().unwrap_or(70),
                caller: Some(leg),
                legs: vec![leg],
                ..Session::new(
                    session,
                    Some(call.source.clone()),
                    Caller {
                        user: call.from.clone(),
                        display: call.display.clone(),
                    },
                    call.to.clone(),
                    now,
                )
            },
        );
        let mut made = Leg::new(leg, session, browser, party, user, negotiator);
        made.incoming = true;
        made.trunk = trunk;
        made.usage = Some(usage);
        made.flow = Some(flow);
        made.registered = Some(flow.id);
        made.call_id.clone_from(&call.call_id);
        made.offer = offer;
        made.proxied = request.via_count() > 1;
        self.add_leg(made, kind);
        self.usages.insert(usage, leg);
        self.restrict(leg, usage, Some(flow.remote.ip()), "");
        let call = Box::new(call);
        self.event(match replaced {
            Some(replaced) => Event::Replaces {
                session,
                leg,
                call,
                replaced,
            },
            None => Event::Incoming { session, leg, call },
        });
    }

    /// Puts a leg in place and has its media opened.
    pub(crate) fn add_leg(&mut self, mut leg: Leg, kind: LegKind) {
        debug_assert!(leg.media == Media::Opening);
        let id = leg.id;
        leg.shard = self.shard_of(leg.session);
        self.shard_legs[usize::from(leg.shard)] += 1;
        if let Some(user) = &leg.user {
            self.user_legs.entry(user.clone()).or_default().insert(id);
        }
        self.legs.insert(id, leg);
        self.command(id, Command::Open { leg: id, kind });
    }

    fn describe(&self, request: &Message, source: Source, flow: Flow, browser: bool) -> IncomingCall {
        let trusted = match &source {
            Source::Trunk(name) => self.trunk(name).is_some_and(|trunk| trunk.trusted),
            Source::User(_) | Source::Anyone => false,
        };
        let Caller {
            user: from,
            mut display,
        } = identity::caller(request, trusted);
        if let Source::User(user) = &source {
            // The authenticated user determines what the others see.
            if let Some(known) = self
                .user(user)
                .map(|u| u.display.clone())
                .filter(|d| !d.is_empty())
            {
                display = known;
            }
        }
        let uri = request.request_uri().and_then(|uri| UriRef::parse(uri).ok());
        IncomingCall {
            from: match &source {
                Source::User(user) => user.clone(),
                _ => from,
            },
            source,
            display,
            to: uri.map(user_of).unwrap_or_default(),
            domain: uri.map(host_of).unwrap_or_default(),
            peer: flow.remote,
            call_id: request.call_id().to_owned(),
            browser,
        }
    }
}

/// `Warning` (RFC 3261 §20.43): a code and a text for whoever reads it.
fn warning(host: &str, code: u16, text: &str) -> Headers {
    vec![("Warning".into(), format!("{code} {host} \"{text}\""))]
}

/// `Warning` for a description that cannot be used.
pub(super) fn sdp_warning(host: &str, error: &sdp::SdpError) -> Headers {
    warning(host, error.warning(), &quotable(error))
}

fn quotable(error: &sdp::SdpError) -> String {
    error
        .to_string()
        .chars()
        .map(|c| {
            if c == '"' || c == '\\' || c.is_control() {
                '\''
            } else {
                c
            }
        })
        .collect()
}

/// User part with percent-escapes decoded; of a telephone number the number alone.
pub(crate) fn user_of(uri: UriRef<'_>) -> String {
    uri.subscriber().map(|user| user.into_owned()).unwrap_or_default()
}

/// The host, without port.
pub(crate) fn host_of(uri: UriRef<'_>) -> String {
    uri.host().map(|host| host.to_string()).unwrap_or_default()
}
