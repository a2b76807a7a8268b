//! The places of a party: contacts of a user, a stop of a route by trunks, a URI.

use media_core::control::MediaSource;
use sans_io::Time;
use sip_core::endpoint::{Credentials, Target};
use sip_core::message::StatusCode;

use super::super::route::{Refusal, Route};
use super::super::{Party, trunk_uri};
use super::{Branch, Line, user_text};
use crate::config::CallerId;
use crate::context::Context;
use crate::leg::{Account, Device};
use crate::record::Fault;
use crate::trunk::{Chosen, uri_at};

impl Branch {
    /// The places of a party, at least one.
    ///
    /// # Errors
    /// Why it cannot be called now: 404 unknown user or trunk, 480 not registered, 503 no channel free at a trunk or too many calls.
    pub(in crate::dial) fn all_of(
        cx: &mut Context,
        now: Time,
        party: &Party,
    ) -> Result<Vec<Branch>, Refusal> {
        if let Party::Any(parties) = party {
            return Branch::of_any(cx, now, parties);
        }
        match party.route(cx) {
            Some(route) => Ok(vec![route.next(cx, now)?]),
            None => Branch::of_others(cx, party),
        }
    }

    /// As [`all_of`](Self::all_of), for something else than a call: limits on calls do not count.
    pub(in crate::dial) fn for_message(cx: &mut Context, party: &Party) -> Result<Vec<Branch>, Refusal> {
        match party.route(cx) {
            Some(route) => Ok(vec![route.first(cx)?]),
            None => Branch::of_others(cx, party),
        }
    }

    /// The places of a party that is at no trunk.
    fn of_others(cx: &Context, party: &Party) -> Result<Vec<Branch>, Refusal> {
        match party {
            Party::User(name) => Branch::of_user(cx, name),
            Party::Trunk { .. } | Party::Trunks { .. } | Party::Emergency { .. } | Party::Any(_) => {
                debug_assert!(false, "such a party is asked for in another way");
                Err(Refusal::unknown())
            }
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
                device: Device::of(cx.directory.peer_media().webrtc),
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
                srtp: cx.directory.srtp(&Account::Nobody),
                proxied: proxy.is_some(),
                late_offer: false,
                line: Line::default(),
                route: None,
                urgent: None,
            }]),
        }
    }

    /// The contacts of a user.
    fn of_user(cx: &Context, name: &str) -> Result<Vec<Branch>, Refusal> {
        let known = cx.directory.user(name);
        if known.is_none() && !cx.is_client(name) {
            return Err(Refusal::unknown());
        }
        let (source, srtp) = known
            .map(|user| (user.media_source, user.srtp))
            .unwrap_or_default();
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
            source,
            srtp,
            proxied: !contact.path.is_empty(),
            late_offer: false,
            line: Line::default(),
            route: None,
            urgent: None,
        };
        let found: Vec<Branch> = cx.directory.contacts(name).map(of_contact).collect();
        if found.is_empty() {
            Err(Refusal::of(
                StatusCode::TEMPORARILY_UNAVAILABLE,
                Fault::NotRegistered,
            ))
        } else {
            Ok(found)
        }
    }

    /// The branch to the last stop of a route, and to the target there if we chose one.
    pub(in crate::dial) fn of_trunk(
        cx: &Context,
        route: Route,
        chosen: Option<Chosen>,
    ) -> Result<Branch, Refusal> {
        let (name, number) = (route.trunk(), route.number());
        let trunk = cx.directory.trunk(name).ok_or(Refusal::unknown())?;
        let called = trunk.numbers.called(number);
        let uri = match &chosen {
            Some(Chosen { place, .. }) => uri_at(trunk.transport, (&place.host, place.port), Some(&*called)),
            None => trunk_uri(trunk, Some(&*called)),
        };
        let uri = uri.map_err(|_| Refusal::unknown())?;
        let registered = trunk.register.is_some();
        let urgent = route.urgent().as_ref();
        let caller_id = route.caller_id().unwrap_or(&trunk.caller_id);
        let withheld = *caller_id == CallerId::Withheld && urgent.is_none();
        let called_back = urgent.and_then(|urgent| urgent.caller.as_ref());
        let line = Line {
            // One that is withheld is still named where the trunk has a number of ours.
            user: match (if withheld { &trunk.caller_id } else { caller_id }, called_back) {
                (_, Some(caller)) => Some(caller.user.clone()),
                (CallerId::Pass | CallerId::Withheld, None) => None,
                (CallerId::Fixed(number), None) => Some(number.clone()),
            },
            withheld,
            on_account_of: route.on_account_of().cloned(),
            domain: match &trunk.from_domain {
                Some(domain) => Some(domain.clone()),
                None => registered.then(|| trunk.domain().0.to_owned()),
            },
            account: trunk.from_user.clone(),
            contact: cx.directory.contact_at(name).map(str::to_owned),
            verbatim: None,
        };
        let configured = || Target::Uri {
            proxy: trunk.outbound_proxy.clone(),
        };
        Ok(Branch {
            target: match chosen {
                Some(chosen) => Target::Address(chosen.to),
                None => cx.directory.target_at(name).unwrap_or_else(configured),
            },
            uri,
            device: Device::Phone,
            party: number.to_owned(),
            account: Account::Trunk(name.to_owned()),
            codecs: trunk.codecs.clone(),
            credentials: trunk.credentials(),
            flow: None,
            timeout: match route.has_more(cx) {
                true => Some(trunk.outgoing.connect_timeout),
                false => trunk.timeout,
            },
            source: trunk.media_source,
            srtp: trunk.srtp,
            proxied: false,
            late_offer: trunk.late_offer,
            line,
            urgent: route.urgent().clone(),
            route: Some(Box::new(route)),
        })
    }
}
