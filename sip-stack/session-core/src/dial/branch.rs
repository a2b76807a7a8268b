//! Branches: the legs that ring for a party, one for each place where it can be called.

use std::time::Duration;

use media_core::control::{LegId, MediaSource};
use media_core::negotiated::Codec;
use media_core::sdp::Family;
use sip_core::endpoint::{Body, Credentials, Headers, OutgoingInvite, OutgoingRequest, Reason, Target};
use sip_core::flow::Flow;
use sip_core::message::{Address, Method, StatusCode};
use sip_core::uri::{Host, Uri};

use super::{Caller, Dialling, OnFailure, OutgoingCall, Party, Redirect, trunk_uri};
use crate::call::Call;
use crate::context::Context;
use crate::leg::{Account, Device, Leg, MediaWanted, Negotiation, Peer};

/// A place where a party can be called.
pub(super) struct Branch {
    pub(super) target: Target,
    pub(super) uri: Uri,
    pub(super) device: Device,
    pub(super) party: String,
    pub(super) account: Account,
    /// Offered to it, best first; empty: as configured for its kind.
    pub(super) codecs: Vec<Codec>,
    pub(super) credentials: Option<Credentials>,
    pub(super) flow: Option<Flow>,
    /// Time that the target may stay silent.
    pub(super) timeout: Option<Duration>,
    /// Sources that its media are accepted from.
    pub(super) source: MediaSource,
    /// True if its registration came through proxies.
    pub(super) proxied: bool,
    /// True if our INVITE brings no offer.
    pub(super) late_offer: bool,
}

impl Branch {
    /// The places of a party, at least one.
    ///
    /// # Errors
    /// The SIP code that says why it cannot be called: 404 unknown user or trunk, 480 not registered.
    pub(super) fn all_of(cx: &Context, party: &Party) -> Result<Vec<Branch>, StatusCode> {
        match party {
            Party::User(name) => Branch::of_user(cx, name),
            Party::Trunk { name, number } => Branch::of_trunk(cx, name, number).map(|branch| vec![branch]),
            Party::Uri {
                uri,
                proxy,
                flow,
                codecs,
                credentials,
            } => Ok(vec![Branch {
                target: match flow {
                    Some(flow) => Target::Flow(*flow),
                    None => Target::Uri { proxy: proxy.clone() },
                },
                device: Device::Phone,
                party: user_text(uri),
                uri: uri.clone(),
                account: Account::Nobody,
                codecs: codecs.clone(),
                credentials: credentials.as_ref().map(|(username, password)| Credentials {
                    username: username.clone(),
                    password: password.clone(),
                }),
                flow: *flow,
                timeout: None,
                source: MediaSource::Learn,
                proxied: proxy.is_some(),
                late_offer: false,
            }]),
        }
    }

    /// The contacts of a user.
    fn of_user(cx: &Context, name: &str) -> Result<Vec<Branch>, StatusCode> {
        let user = cx.directory.user(name).ok_or(StatusCode::NOT_FOUND)?;
        let of_contact = |contact: &sip_core::registrar::Binding| Branch {
            target: Target::Contact {
                flow: contact.flow,
                path: contact.path.clone(),
            },
            uri: contact.uri.clone(),
            device: Device::of(contact.takes_dtls()),
            party: name.to_owned(),
            account: Account::User(name.to_owned()),
            codecs: Vec::new(),
            credentials: None,
            flow: Some(contact.flow),
            timeout: None,
            source: user.media_source,
            proxied: !contact.path.is_empty(),
            late_offer: false,
        };
        let found: Vec<Branch> = cx.directory.contacts(name).map(of_contact).collect();
        if found.is_empty() {
            Err(StatusCode::TEMPORARILY_UNAVAILABLE)
        } else {
            Ok(found)
        }
    }

    fn of_trunk(cx: &Context, name: &str, number: &str) -> Result<Branch, StatusCode> {
        let trunk = cx.directory.trunk(name).ok_or(StatusCode::NOT_FOUND)?;
        let uri = trunk_uri(trunk, Some(number)).map_err(|_| StatusCode::NOT_FOUND)?;
        let credentials = match (&trunk.username, &trunk.password) {
            (Some(username), Some(password)) => Some(Credentials {
                username: username.clone(),
                password: password.clone(),
            }),
            _ => None,
        };
        Ok(Branch {
            target: Target::Uri { proxy: None },
            uri,
            device: Device::Phone,
            party: number.to_owned(),
            account: Account::Trunk(name.to_owned()),
            codecs: trunk.codecs.clone(),
            credentials,
            flow: None,
            timeout: trunk.timeout,
            source: trunk.media_source,
            proxied: false,
            late_offer: trunk.late_offer,
        })
    }

    /// Address family that it speaks: that of its connection, or of the address that it is called at.
    fn family(&self) -> Option<Family> {
        let called = || match self.uri.borrow().host() {
            Some(Host::V4(_)) => Some(Family::V4),
            Some(Host::V6(_)) => Some(Family::V6),
            _ => None,
        };
        let over = self.flow.map(|flow| Family::of(flow.remote.ip()));
        over.or_else(called)
    }

    /// Addresses of a request to it, for this caller.
    fn addresses(&self, cx: &Context, caller: &Caller) -> Addresses {
        let host = match &self.credentials {
            Some(_) => host_text(&self.uri),
            None => cx.config.host.clone(),
        };
        let from_user = match &self.credentials {
            Some(c) if caller.user.is_empty() => c.username.clone(),
            _ => caller.user.clone(),
        };
        let from = Uri::sip(Some(&from_user), &host, None)
            .or_else(|_| Uri::sip(Some("anonymous"), "anonymous.invalid", None))
            .unwrap_or_else(|_| self.uri.bare());
        let of_user = self.account.user();
        let to = match of_user.map(|user| Uri::sip(Some(user), &cx.config.host, None)) {
            Some(Ok(uri)) => uri,
            _ => self.uri.bare(),
        };
        Addresses {
            from: Address::with_display(&caller.display, from),
            to: Address::new(to),
            contact_user: from_user,
        }
    }

    /// The INVITE to it, without our offer.
    fn invite(self, cx: &Context, caller: &Caller, ring: Ring) -> OutgoingInvite {
        let addresses = self.addresses(cx, caller);
        OutgoingInvite {
            target: self.target,
            request_uri: self.uri,
            from: addresses.from,
            to: addresses.to,
            contact_user: addresses.contact_user,
            body: None,
            extra: std::iter::once(("Max-Forwards".into(), ring.max_forwards.to_string()))
                .chain(ring.headers)
                .collect(),
            credentials: self.credentials,
            ring_timeout: ring.timeout,
            response_timeout: self.timeout,
            session_timer: cx.config.session_timer.filter(|_| !self.device.is_browser()),
        }
    }
}

/// Addresses of a request.
struct Addresses {
    from: Address,
    to: Address,
    contact_user: String,
}

/// Details of an INVITE.
struct Ring {
    timeout: Duration,
    max_forwards: u8,
    headers: Vec<(String, String)>,
}

impl Call {
    /// Makes the leg of a branch; its INVITE leaves as soon as its media is open.
    pub(super) fn start_branch(
        &mut self,
        cx: &mut Context,
        branch: Branch,
        caller: &Caller,
        ring_timeout: Duration,
        headers: Vec<(String, String)>,
    ) -> LegId {
        let leg = cx.next_leg();
        let wanted = MediaWanted {
            device: branch.device,
            codecs: match branch.codecs.is_empty() {
                true => cx.codecs_for(None, branch.device),
                false => branch.codecs.clone(),
            },
            source: branch.source,
            family: branch.family(),
        };
        let (kind, negotiator) = wanted.prepare(cx, leg, self.shard());
        let peer = Peer {
            party: branch.party.clone(),
            account: branch.account.clone(),
            device: branch.device,
            registered: branch.flow.map(|flow| flow.id),
            proxied: branch.proxied,
        };
        let (flow, late_offer) = (branch.flow, branch.late_offer);
        let redirect = Redirect::of(&branch);
        let ring = Ring {
            timeout: ring_timeout,
            max_forwards: self.max_forwards().saturating_sub(1),
            headers,
        };
        let invite = Box::new(branch.invite(cx, caller, ring));
        let negotiation = match late_offer {
            true => Negotiation::awaiting(negotiator),
            false => Negotiation::offering(negotiator),
        };
        let made = Leg::outgoing(leg, self.shard(), peer, flow, negotiation, (invite, redirect));
        made.open(cx, kind);
        self.add_leg(cx, made);
        leg
    }
}

impl OutgoingCall {
    /// The place where its party is called: the best one.
    ///
    /// # Errors
    /// The SIP code that says why the party cannot be called.
    pub(crate) fn place(&self, cx: &Context) -> Result<Place, StatusCode> {
        let mut branches = Branch::all_of(cx, &self.party)?;
        Ok(Place(branches.swap_remove(0)))
    }
}

/// A place where a party is called, or gets a message.
pub(crate) struct Place(Branch);

impl Place {
    /// The places of a party, at least one.
    ///
    /// # Errors
    /// The SIP code that says why it cannot be reached: 404 unknown user or trunk, 480 not registered.
    pub(crate) fn all_of(cx: &Context, party: &Party) -> Result<Vec<Place>, StatusCode> {
        let branches = Branch::all_of(cx, party)?;
        Ok(branches.into_iter().map(Place).collect())
    }

    /// The MESSAGE to it.
    pub(crate) fn message(
        self,
        cx: &Context,
        from: &Caller,
        headers: Headers,
        body: Option<Body>,
    ) -> OutgoingRequest {
        let addresses = self.0.addresses(cx, from);
        OutgoingRequest {
            method: Method::Message,
            target: self.0.target,
            request_uri: self.0.uri,
            from: addresses.from,
            to: addresses.to,
            contact_user: None,
            contact_params: String::new(),
            call: None,
            body,
            extra: headers,
            credentials: self.0.credentials,
        }
    }

    /// Number or name there.
    pub(crate) fn number(&self) -> String {
        user_text(&self.0.uri)
    }
}

impl Call {
    /// Rings there, in a call of ours.
    pub(crate) fn ring_place(&mut self, cx: &mut Context, place: Place, call: OutgoingCall) {
        let leg = self.start_branch(cx, place.0, &call.caller, call.ring_timeout, Vec::new());
        if let Some(l) = self.leg_mut(leg) {
            l.set_application(call.application);
        }
        let dialling = Dialling::new(OnFailure::Reject, call.ring_timeout, call.caller);
        self.set_dialling(Some(dialling));
    }
}

/// Why somebody's phone stops ringing (RFC 3326).
pub(crate) fn elsewhere() -> Reason {
    Reason {
        protocol: "SIP".into(),
        cause: Some(StatusCode::OK.get()),
        text: Some("Call completed elsewhere".into()),
    }
}

/// Reason (RFC 3326) of the CANCEL to a phone whose user declined at another one.
pub(super) fn declined(code: StatusCode) -> Reason {
    Reason {
        protocol: "SIP".into(),
        cause: Some(code.get()),
        text: Some("Declined elsewhere".into()),
    }
}

/// User part with percent-escapes decoded; of a telephone number the number alone.
pub(crate) fn user_text(uri: &Uri) -> String {
    uri.subscriber().map(|user| user.into_owned()).unwrap_or_default()
}

/// The host, without brackets or port.
pub(crate) fn host_text(uri: &Uri) -> String {
    uri.host().map(|host| host.to_string()).unwrap_or_default()
}
