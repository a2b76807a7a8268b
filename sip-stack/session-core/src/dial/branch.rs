//! Branches: the legs that ring for a party, one for each place where it can be called.

mod addresses;
mod parties;

use std::time::Duration;

use media_core::control::{LegId, MediaSource};
use media_core::negotiated::{Codec, Passed};
use media_core::sdp::{Family, Spoken, SrtpPolicy};
use sans_io::Time;
use sip_core::endpoint::{Credentials, OutgoingInvite, Reason, Target};
use sip_core::flow::Flow;
use sip_core::message::StatusCode;
use sip_core::uri::{Host, Uri};

use super::route::Route;
use super::{Caller, Redirect, Way};
use crate::call::Call;
use crate::caps::Outbound;
use crate::context::Context;
use crate::emergency::{EmergencyCall, Urgent};
use crate::event::Source;
use crate::identity::{Diversion, Identity, Side};
use crate::leg::{Account, Device, Leg, MediaWanted, Negotiation, Peer};
use crate::stir::Grounds;
use crate::upstream::Verbatim;

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
    /// Encryption of its media.
    pub(super) srtp: SrtpPolicy,
    /// True if its registration came through proxies.
    pub(super) proxied: bool,
    /// True if our INVITE brings no offer.
    pub(super) late_offer: bool,
    pub(super) line: Line,
    /// Route that leads to it, and further.
    pub(super) route: Option<Box<Route>>,
    /// Emergency call that it is tried for.
    pub(super) urgent: Urgent,
}

/// Line that our INVITE goes out on, where the place has given us one.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// User part of `From`; `None`: the caller's.
    pub(super) user: Option<String>,
    /// True if the caller is not shown, whoever it is.
    pub(super) withheld: bool,
    /// On whose account a call to a trunk is; `None`: the gateway's own.
    pub(super) on_account_of: Option<Source>,
    /// Domain of `From`; `None`: that of the place if it asks for credentials, else ours.
    pub(super) domain: Option<String>,
    /// User part of `From` alone, whoever the identity beside names.
    pub(super) account: Option<String>,
    /// User part of `Contact`; `None`: that of `From`.
    pub(super) contact: Option<String>,
    /// Addresses and headers as the caller wrote them, in place of what we would show.
    pub(super) verbatim: Option<Box<Verbatim>>,
}

impl Branch {
    /// Counts a call to a trunk for caps. Calls of a PBX's clients are the PBX's.
    fn count(&self, cx: &mut Context, leg: LegId, trunk: &str) {
        if self.line.verbatim.is_some() {
            return;
        }
        let known = cx
            .directory
            .trunk(trunk)
            .map(|trunk| trunk.numbers.known(&self.party).into_owned());
        let call = Outbound {
            number: known.as_deref().unwrap_or(&self.party),
            on_account_of: self.line.on_account_of.as_ref(),
            trunk,
        };
        cx.caps.begin(leg, &call);
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

    /// The side that it is on.
    fn side<'a>(&self, cx: &'a Context) -> Side<'a> {
        let trunk = self.account.trunk().and_then(|name| cx.directory.trunk(name));
        trunk.map_or(Side::Phone, |trunk| Side::Trunk {
            policy: &trunk.identity,
            trusted: trunk.trusted,
            numbers: &trunk.numbers,
        })
    }

    /// The INVITE to it, without our offer.
    fn invite(
        self,
        cx: &mut Context,
        now: Time,
        (caller, identity): (&Caller, &Identity),
        max_forwards: u8,
        ring: Ring,
    ) -> OutgoingInvite {
        let addresses = self.presentation(cx, caller, identity);
        let host = cx.config.host.clone();
        let (urgent, parts) = match &self.urgent {
            Some(call) => call.carried(cx, now.as_secs(), (&caller.user, &host)),
            None => Default::default(),
        };
        OutgoingInvite {
            target: self.target,
            request_uri: self.uri,
            from: addresses.from,
            to: addresses.to,
            contact_user: addresses.contact_user,
            body: None,
            parts,
            extra: std::iter::once(("Max-Forwards".into(), max_forwards.to_string()))
                .chain(addresses.headers)
                .chain(ring.headers)
                .chain(urgent)
                .chain(cx.directory.security_of(&self.account))
                .collect(),
            credentials: self.credentials,
            ring_timeout: ring.timeout,
            response_timeout: self.timeout,
            session_timer: cx.session_wish(&self.account, self.device),
            reliable: cx.directory.signalling(&self.account).reliable,
        }
    }
}

/// Details of a branch's INVITE.
#[derive(Clone, Debug, Default)]
pub(super) struct Ring {
    /// Time that it may ring.
    pub(super) timeout: Duration,
    /// Headers of the application.
    pub(super) headers: Vec<(String, String)>,
    /// Diversions that lead to it, the first one first.
    pub(super) diverted: Vec<Diversion>,
    /// Party that it will talk with.
    pub(super) with: With,
}

/// Party that somebody who is called will talk with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum With {
    /// The caller.
    #[default]
    Caller,
    Leg(LegId),
    /// Several, or an application first.
    Any,
}

impl Ring {
    pub(super) fn within(timeout: Duration) -> Ring {
        Ring {
            timeout,
            ..Ring::default()
        }
    }
}

impl Call {
    /// True for a place that can have what the caller offers: formats that we cannot decode go to phones and trunks alone. A fax goes to phones and trunks that are allowed one, and nowhere encrypted.
    pub(super) fn suits(&self, cx: &Context, branch: &Branch) -> bool {
        let takes_fax = !branch.device.is_browser()
            && branch.srtp != SrtpPolicy::Required
            && cx.directory.t38(&branch.account);
        let may_pass = |passed: &Passed| cx.pass_through(&branch.account, branch.device).allows(passed);
        let takes_sound = |spoken: Spoken| !spoken.codecs.is_empty() || spoken.passed.iter().any(may_pass);
        match self.fax() {
            Some(_) => takes_fax,
            None => self
                .spoken_with(cx, With::Caller)
                .is_none_or(|(spoken, _)| takes_sound(spoken)),
        }
    }

    /// Formats of whoever a party that is called will talk with, and whether it has agreed to one that can only be passed on.
    fn spoken_with(&self, cx: &Context, with: With) -> Option<(Spoken, bool)> {
        let other = match with {
            With::Caller => self.caller()?,
            With::Leg(leg) => self.leg(leg)?,
            With::Any => return None,
        };
        Some((other.spoken(cx)?, other.foreign_codec().is_some()))
    }

    /// Makes the leg of a branch; its INVITE leaves as soon as its media is open.
    pub(super) fn start_branch(
        &mut self,
        cx: &mut Context,
        now: Time,
        mut branch: Branch,
        caller: &Caller,
        ring: Ring,
    ) -> LegId {
        let leg = cx.next_leg();
        if let Some(trunk) = branch.account.trunk()
            && branch.urgent.is_none()
        {
            cx.trunks.expect(trunk, leg);
            branch.count(cx, leg, trunk);
        }
        let route = branch.route.take();
        let way = route.map(|route| Box::new(Way::new(*route, caller.clone(), ring.clone())));
        let has_own_codecs = !branch.codecs.is_empty();
        let wanted = MediaWanted {
            device: branch.device,
            codecs: match branch.codecs.is_empty() {
                true => cx.codecs_for(None, branch.device),
                false => branch.codecs.clone(),
            },
            source: branch.source,
            srtp: branch.srtp,
            media_security: cx.directory.media_security(branch.account.trunk()),
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
        // Another caller than the one of the call speaks for itself.
        let mut identity = match caller == self.from() {
            true => self.identity().clone(),
            false => Identity::ours(caller),
        };
        // The emergency services learn who calls, and may call back.
        let known = branch
            .urgent
            .as_ref()
            .map(|urgent| self.known_caller(urgent, caller));
        let caller = known.as_ref().unwrap_or(caller);
        if known.is_some() {
            identity = Identity::ours(caller);
        }
        for diverted in &ring.diverted {
            identity.divert(diverted.clone());
        }
        let spoken = self.spoken_with(cx, ring.with);
        let max_forwards = self.max_forwards().saturating_sub(1);
        let invite = Box::new(branch.invite(cx, now, (caller, &identity), max_forwards, ring));
        let negotiation = match (self.fax(), late_offer) {
            (Some(fax), _) if self.callee().is_none() => Negotiation::offering_fax(negotiator, fax.clone()),
            (_, true) => Negotiation::awaiting(negotiator),
            (_, false) => Negotiation::offering(negotiator),
        };
        let grounds = self.grounds(caller, &identity);
        let mut made = Leg::outgoing(
            leg,
            self.shard(),
            peer,
            flow,
            negotiation,
            (invite, redirect, way),
        );
        made.set_grounds(grounds);
        let codec = self.caller().and_then(Leg::codec);
        if let Some(codec) = codec.filter(|_| !has_own_codecs) {
            made.suit(codec);
        }
        if let Some((spoken, is_agreed)) = spoken {
            made.propose_for(cx, &spoken, is_agreed);
        }
        made.open(cx, kind);
        self.add_leg(cx, made);
        leg
    }

    /// Caller as the emergency services are shown it, whatever privacy was asked for.
    fn known_caller(&self, urgent: &EmergencyCall, caller: &Caller) -> Caller {
        let known = urgent.caller.as_ref().or(self.identity().asserted.as_ref());
        known.unwrap_or(caller).clone()
    }

    /// Facts about the call, for whoever signs it. Another caller than the one of the call speaks for itself.
    fn grounds(&self, caller: &Caller, identity: &Identity) -> Grounds {
        let source = self.source().filter(|_| caller == self.from());
        let (from_trunk, origin) = match source {
            Some(Source::Trunk(name)) => (true, format!("trunk {name}")),
            Some(Source::User(name)) => (false, format!("user {name}")),
            Some(Source::Anyone) | None => (false, "gateway".to_owned()),
        };
        Grounds {
            from_trunk,
            origin,
            passed: identity.signatures.clone(),
        }
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
