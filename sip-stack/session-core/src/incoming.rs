//! A call comes in.

use bytes::Bytes;
use media_core::control::LegId;
use media_core::sdp::{self, SrtpPolicy};
use sans_io::Time;
use sip_core::endpoint::{Headers, Reliability, UsageId};
use sip_core::flow::{Flow, Transport};
use sip_core::message::{HeaderName, Message, NameAddr, StatusCode};
use sip_core::uri::UriRef;

use crate::admission::Word;
use crate::call::{Call, NewCall};
use crate::context::Context;
use crate::coordinator::Coordinator;
use crate::dial::Caller;
use crate::event::{Event, IncomingCall, Source, Way};
use crate::identity::{Sender, read};
use crate::leg::{
    Account, Course, Device, Dialog, Leg, MediaWanted, Membership, Negotiation, Peer, Purpose, Sent,
};
use crate::pass_through::PassThrough;
use crate::upstream::Outward;

/// An INVITE that is admitted.
struct Admitted {
    source: Source,
    /// Leg whose place it asks for.
    replaced: Option<LegId>,
    /// Leg whose call it asks to join.
    joined: Option<LegId>,
    offer: Option<Bytes>,
    device: Device,
    family: Option<sdp::Family>,
    /// Fax that it offers, and nothing beside.
    fax: Option<sdp::Fax>,
    /// The INVITE, if it goes on to a PBX.
    outward: Option<Outward>,
}

impl Coordinator {
    /// Admits a new INVITE, opens its media and tells the application; or refuses it.
    pub(crate) fn inbound(&mut self, now: Time, usage: UsageId, request: &Message, flow: Flow) {
        // Else it was refused, and is answered and counted already.
        let Some(admitted) = self.admit_invite(now, usage, request, flow) else {
            return;
        };
        let cx = self.context_mut();
        let device = admitted.device;
        if let (Source::User(user), Some(_)) = (&admitted.source, &admitted.offer) {
            let contact = request.contact().map(|contact| contact.uri);
            cx.directory
                .registrar_mut()
                .offered(user, contact, flow, device.is_browser());
        }
        let call = describe(cx, request, admitted.source, flow, device);
        let outward = admitted.outward;
        let (session, leg) = (cx.next_session(), cx.next_leg());
        let shard = cx.index.least_loaded();
        let account = Account::of(&call.source);
        let wanted = MediaWanted {
            device,
            codecs: cx.codecs_for(account.trunk(), device),
            source: cx.directory.media_source(&account),
            srtp: cx.directory.srtp(&account),
            media_security: cx.directory.media_security(account.trunk()),
            family: admitted.family,
        };
        let (kind, negotiator) = wanted.prepare(cx, leg, shard);
        let max_forwards = request.max_forwards().unwrap_or(70);
        let new = NewCall::of(&call, (session, shard), now, max_forwards);
        let mut made = Call::new(cx, new);
        made.set_outward(outward);
        made.set_fax(admitted.fax);
        let peer = Peer {
            party: call.from.clone(),
            account,
            device,
            registered: Some(flow.id),
            proxied: request.via_count() > 1,
        };
        let came = Course::Sent(Sent {
            call_id: call.call_id.clone(),
            at: now,
        });
        let caller = Leg::incoming(
            leg,
            shard,
            peer,
            (Dialog::Trying(usage), came),
            Some(flow),
            Negotiation::offered(negotiator, admitted.offer),
            Purpose::Member(Membership::caller()),
        );
        caller.open(cx, kind);
        cx.index.add_usage(usage, leg);
        let reliability = cx.directory.signalling(caller.account()).reliable;
        cx.endpoint.ring_reliably(usage, reliability);
        caller.restrict(cx, usage, Some(flow.remote.ip()), "");
        made.add_leg(cx, caller);
        let call = Box::new(call);
        let event = match (admitted.replaced, admitted.joined) {
            (Some(replaced), _) => Event::Replaces {
                session,
                leg,
                call,
                replaced,
            },
            (None, Some(joined)) => Event::Joins {
                session,
                leg,
                call,
                joined,
            },
            (None, None) => Event::Incoming { session, leg, call },
        };
        self.insert_call(made);
        self.arrived(now, session, event, request);
    }

    /// Admits an INVITE; `None` where it was refused, or left unanswered.
    fn admit_invite(&mut self, now: Time, usage: UsageId, request: &Message, flow: Flow) -> Option<Admitted> {
        let is_urgent = self.context().config.emergency.called_by(request).is_some();
        if !is_urgent && self.is_full() {
            return self.turn_away(usage, full());
        }
        let cx = self.context_mut();
        if cx.is_scanner(request, flow) {
            cx.endpoint.pass_over_call(usage);
            return None;
        }
        let outward = self.outward(now, request, flow);
        let (admission, cx) = self.admission_mut();
        let (word, outward) = match outward {
            Some(Ok(outward)) => {
                let source = Source::User(outward.aor().as_str().to_owned());
                (Word::Granted { source, lent: None }, Some(outward))
            }
            Some(Err(word)) => (word, None),
            None => (admission.admit(cx, now, request, flow), None),
        };
        admission.report_bans(cx);
        let source = match word {
            Word::Granted { source, .. } => source,
            word => return self.turn_away(usage, word),
        };
        let asks = self.replaced_by(request, &source);
        let asks = asks.and_then(|replaced| Ok((replaced, self.joined_by(request, &source)?)));
        let (replaced, joined) = match asks {
            Ok(asks) => asks,
            Err((code, why)) => {
                // Once: a trunk is known by an address, which a datagram may forge.
                let cx = self.context_mut();
                let warning = warning(&cx.config.host, 399, why);
                cx.endpoint.turn_away(usage, code, &warning);
                return None;
            }
        };
        // Emergency numbers are those of our users.
        let is_urgent = is_urgent && matches!(source, Source::User(_)) && outward.is_none();
        if !is_urgent && self.is_full() {
            return self.turn_away(usage, full());
        }
        let (admission, cx) = self.admission_mut();
        // A call that takes the place of another does not add to the number of calls.
        if replaced.is_none()
            && !is_urgent
            && let Some(seconds) = admission.beyond_limits(cx, now, &source)
        {
            // Before any port is taken. RFC 3261 §21.5.4: the client tries another way, or later.
            let retry = vec![("Retry-After".into(), seconds.to_string())];
            cx.endpoint
                .turn_away(usage, StatusCode::SERVICE_UNAVAILABLE, &retry);
            return None;
        }
        let wanted = cx.directory.signalling(&Account::of(&source)).reliable;
        if wanted == Reliability::Required && !knows_100rel(request) {
            // RFC 3261 §21.4.16.
            let require = vec![("Require".into(), "100rel".into())];
            cx.endpoint
                .turn_away(usage, StatusCode::EXTENSION_REQUIRED, &require);
            return None;
        }
        // Without one the caller wants our offer (late offer).
        let offer = request.content().session;
        let families: Vec<_> = cx
            .config
            .phone_ips
            .iter()
            .map(|ip| sdp::Family::of(*ip))
            .collect();
        let srtp = cx.directory.srtp(&Account::of(&source));
        // A fax is for another phone or trunk to have: it is neither transcoded nor played.
        let fax = offer.as_ref().and_then(|sdp| sdp::fax_alone(sdp));
        let may_fax = cx.directory.t38(&Account::of(&source)) && srtp != SrtpPolicy::Required;
        let fax = fax.filter(|_| may_fax && outward.is_none() && asks_for_none(replaced, joined));
        // A call in which the caller asks for somebody's place is answered by us.
        let allowed = match asks_for_none(replaced, joined) {
            true => cx.pass_through(&Account::of(&source), Device::Phone),
            false => PassThrough::off(),
        };
        let (is_browser, family) = match offer
            .as_ref()
            .filter(|_| fax.is_none())
            .map(|sdp| peek(sdp, &families, srtp, &allowed))
        {
            Some(Ok(peek)) if !peek.lite || cx.directory.peer_media().webrtc => {
                (peek.peer == sdp::Peer::Browser, peek.family)
            }
            Some(unfit) => {
                let error = unfit.err().unwrap_or(sdp::SdpError::both_lite());
                let warning = sdp_warning(&cx.config.host, &error);
                cx.endpoint.reject(now, usage, sdp_status(&error), warning);
                return None;
            }
            None if fax.is_some() => (false, fax.as_ref().and_then(|(_, family)| *family)),
            None => (
                matches!(flow.transport, Transport::Ws | Transport::Wss),
                Some(sdp::Family::of(flow.remote.ip())),
            ),
        };
        let outward = match outward
            .map(|outward| self.attempt_outward(now, outward))
            .transpose()
        {
            Ok(outward) => outward,
            Err(word) => return self.turn_away(usage, word),
        };
        Some(Admitted {
            source,
            replaced,
            joined,
            offer,
            device: Device::of(is_browser),
            family,
            fax: fax.map(|(fax, _)| fax),
            outward,
        })
    }
}

impl Coordinator {
    /// True if there are as many calls as there may be.
    pub(crate) fn is_full(&self) -> bool {
        self.call_count() >= self.context().config.max_sessions
    }

    /// Refuses an INVITE, or leaves it unanswered.
    fn turn_away<T>(&mut self, usage: UsageId, word: Word) -> Option<T> {
        let endpoint = &mut self.context_mut().endpoint;
        match word {
            // RFC 3261 §26.3.2.4: a peer that has proved nothing is challenged once, and costs nothing.
            Word::Refused { code, headers } => endpoint.turn_away(usage, code, &headers),
            Word::PassedOver => endpoint.pass_over_call(usage),
            Word::Granted { .. } => debug_assert!(false, "who may call is not turned away"),
        }
        None
    }
}

/// Reads an offer that has a codec of ours, or formats that may be passed on.
fn peek(
    offer: &[u8],
    families: &[sdp::Family],
    srtp: SrtpPolicy,
    allowed: &PassThrough,
) -> Result<sdp::Peek, sdp::SdpError> {
    let seen = sdp::peek_passing(offer, families, srtp)?;
    let passes = seen.passed.iter().any(|passed| allowed.allows(passed));
    match seen.codecs.is_empty() && !passes {
        true => Err(sdp::SdpError::NoCommonCodec),
        false => Ok(seen),
    }
}

/// True for an INVITE that asks neither for another's place nor to join a call.
fn asks_for_none(replaced: Option<LegId>, joined: Option<LegId>) -> bool {
    replaced.is_none() && joined.is_none()
}

/// Refusal for want of room.
fn full() -> Word {
    Word::Refused {
        code: StatusCode::SERVICE_UNAVAILABLE,
        headers: vec![("Retry-After".into(), "5".into())],
    }
}

/// Caller and callee, as the application is told.
pub(crate) fn describe(
    cx: &Context,
    request: &Message,
    source: Source,
    flow: Flow,
    device: Device,
) -> IncomingCall {
    let sender = Sender::of(&cx.directory, &source);
    let (Caller { mut user, display }, mut identity) = read(request, &sender);
    let uri = request.request_uri().and_then(|uri| UriRef::parse(uri).ok());
    let way = cx.way(&source, &called(request));
    let mut to = match &way {
        Some(Way::In { user }) => user.clone(),
        _ => called(request),
    };
    if let (Source::Trunk(name), None) = (&source, &way) {
        to = dialled(cx, request, name);
        if let Some(trunk) = cx.directory.trunk(name) {
            to = trunk.numbers.read(&to).into_owned();
            user = trunk.numbers.read(&user).into_owned();
            identity.read_numbers(&trunk.numbers);
        }
    }
    let emergency = match (&way, &source) {
        (None, Source::User(_)) => cx.config.emergency.called_by(request),
        _ => None,
    };
    IncomingCall {
        from: user,
        source,
        display,
        identity,
        to,
        domain: uri.map(host_of).unwrap_or_default(),
        peer: flow.remote,
        call_id: request.call_id().to_owned(),
        emergency,
        browser: device.is_browser(),
        way,
    }
}

/// User part of the Request-URI.
pub(crate) fn called(request: &Message) -> String {
    request.uri().map(user_of).unwrap_or_default()
}

/// Number that a call by a trunk is for. Its registrar puts our `Contact` in place of the number (RFC 3261 §16.5); then the number is in
/// `P-Called-Party-ID` (RFC 7315 §4.2) or in `To`.
fn dialled(cx: &Context, request: &Message, trunk: &str) -> String {
    let called = called(request);
    if cx.directory.contact_at(trunk) != Some(&called) {
        return called;
    }
    let party = request
        .header_named("P-Called-Party-ID")
        .and_then(NameAddr::parse);
    let number = user_of(party.unwrap_or(request.to()).uri);
    if number.is_empty() { called } else { number }
}

/// True if the sender of an INVITE acknowledges provisional responses.
fn knows_100rel(request: &Message) -> bool {
    request.supports("100rel") || request.lists(HeaderName::Require, "100rel")
}

/// `Warning` (RFC 3261 §20.43): a code and a text for whoever reads it.
fn warning(host: &str, code: u16, text: &str) -> Headers {
    vec![("Warning".into(), format!("{code} {host} \"{text}\""))]
}

/// Status that refuses a description: 400 for a body that is none, 488 for one that cannot be served.
pub(crate) fn sdp_status(error: &sdp::SdpError) -> StatusCode {
    StatusCode::try_from(error.code()).unwrap_or(StatusCode::NOT_ACCEPTABLE_HERE)
}

/// `Warning` for a description that cannot be used.
pub(crate) fn sdp_warning(host: &str, error: &sdp::SdpError) -> Headers {
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
