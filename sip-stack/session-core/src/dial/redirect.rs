//! Redirection: another network names a URI, which is called; a user's phone names a number, which the
//! application looks up in the name of that user.

use std::time::Duration;

use media_core::control::{LegId, MediaSource};
use media_core::negotiated::Codec;
use media_core::sdp::SrtpPolicy;
use sans_io::Time;
use sip_core::endpoint::{Credentials, Target};
use sip_core::message::{Message, StatusCode};
use sip_core::uri::Uri;

use super::branch::{Branch, Line, Ring, host_text, user_text};
use super::{Caller, Party};
use crate::call::Call;
use crate::caps::Outbound;
use crate::config::Trunk;
use crate::context::Context;
use crate::coordinator::Timer;
use crate::emergency::Urgent;
use crate::event::Event;
use crate::identity::{Diversion, DiversionReason, diversions};
use crate::leg::{Account, Device, Leg};
use crate::record::Forwarding;

/// Number of targets that redirections may lead to in one call.
const REDIRECTIONS: usize = 5;

/// Following of a redirection by a leg's peer.
#[derive(Clone, Debug)]
pub(crate) enum Redirect {
    /// A user's phone can make us call numbers, but no addresses.
    ToNumbers,
    /// Another network names a URI, which is called in the same way.
    ToUris(Box<Origin>),
}

/// Way in which a URI was called.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    uri: Uri,
    account: Account,
    codecs: Vec<Codec>,
    credentials: Option<Credentials>,
    timeout: Option<Duration>,
    source: MediaSource,
    srtp: SrtpPolicy,
    late_offer: bool,
    line: Line,
    urgent: Urgent,
}

impl Redirect {
    pub(super) fn of(branch: &Branch) -> Redirect {
        // The credentials in a client's own words are for its PBX alone.
        if branch.account.user().is_some() || branch.line.verbatim.is_some() {
            return Redirect::ToNumbers;
        }
        Redirect::ToUris(Box::new(Origin {
            uri: branch.uri.clone(),
            account: branch.account.clone(),
            codecs: branch.codecs.clone(),
            credentials: branch.credentials.clone(),
            timeout: branch.timeout,
            source: branch.source,
            srtp: branch.srtp,
            late_offer: branch.late_offer,
            line: branch.line.clone(),
            urgent: branch.urgent.clone(),
        }))
    }

    /// True for an emergency call, which waits for no turn.
    pub(crate) fn is_urgent(&self) -> bool {
        matches!(self, Redirect::ToUris(origin) if origin.urgent.is_some())
    }
}

impl Call {
    /// The phone of a user diverts: asks the application about the numbers that its contacts name, as far as
    /// they are ours and were not tried in this call. False if there are none; the branch is over either way.
    pub(super) fn diverted(&mut self, cx: &mut Context, now: Time, leg: LegId, response: &Message) -> bool {
        let Some(l) = self.leg(leg) else { return false };
        // Whoever asked for the call is the one to be called back.
        let Some(user) = l.user().filter(|_| !self.calls_back()).map(str::to_owned) else {
            return false;
        };
        let diversion = self.diversion(l, response);
        let Some(dialling) = self.dialling() else {
            return false;
        };
        let mut known = dialling.redirected().to_vec();
        let mut numbers = Vec::new();
        for uri in contacts(response) {
            let number = user_text(&uri);
            let ours = !uri.is_sip() || cx.is_ours(&host_text(&uri));
            if !ours
                || number.is_empty()
                || number == self.to()
                || known.contains(&number)
                || known.len() >= REDIRECTIONS
            {
                continue;
            }
            known.push(number.clone());
            numbers.push(number);
        }
        if numbers.is_empty() {
            return false;
        }
        self.branch_gone(cx, now, leg);
        if let Some(dialling) = self.dialling_mut() {
            dialling.set_redirected(known);
            dialling.add_diverted(leg, diversion);
        }
        cx.event(Event::Diverted {
            session: self.id(),
            leg,
            user,
            numbers,
        });
        self.wire(cx);
        true
    }

    /// Diversion by a user's phone that names another place: for the reason that it gives in `Diversion`, else because its user wanted
    /// that, before it rang or while.
    fn diversion(&self, phone: &Leg, response: &Message) -> Diversion {
        let given = diversions(response).into_iter().next();
        let reason = match given.as_ref().map(|given| given.reason) {
            Some(reason) if reason != DiversionReason::Unknown => reason,
            _ if phone.is_early() => DiversionReason::Deflection,
            _ => DiversionReason::Unconditional,
        };
        Diversion {
            by: Caller {
                user: self.called().to_owned(),
                display: String::new(),
            },
            reason,
            private: given.is_some_and(|given| given.private),
        }
    }

    /// The application's answer to [`Event::Diverted`]: these parties ring in place of the phone. If none of them can, it is as
    /// if the phone had not answered.
    pub(crate) fn follow(&mut self, cx: &mut Context, now: Time, leg: LegId, parties: &[Party]) {
        // Else somebody else answered before the application did.
        let Some(dialling) = self.dialling_mut() else {
            return;
        };
        let Some(diversion) = dialling.take_diverted(leg) else {
            return;
        };
        let (timeout, caller) = dialling.settings();
        dialling.note(StatusCode::TEMPORARILY_UNAVAILABLE);
        for party in parties {
            match Branch::all_of(cx, now, party) {
                Ok(found) => {
                    for branch in found
                        .into_iter()
                        .filter(|branch| self.suits(cx, branch))
                        .collect::<Vec<_>>()
                    {
                        let ring = Ring {
                            diverted: vec![diversion.clone()],
                            ..Ring::within(timeout)
                        };
                        self.start_branch(cx, now, branch, &caller, ring);
                    }
                }
                Err(refusal) => {
                    if let Some(dialling) = self.dialling_mut() {
                        dialling.refused(refusal);
                    }
                }
            }
        }
        self.dial_settled(cx, now);
    }

    /// True if nobody else rings, or may yet, than the phone of that leg, which names another place.
    pub(crate) fn rings_alone(&self, leg: LegId) -> bool {
        self.branches().next().is_none() && self.dialling().is_some_and(|dialling| dialling.has_only(leg))
    }

    /// Notes that the call goes on to `to`, for that reason, in place of the number that was called. Whoever is called from now on is told
    /// so (RFC 5806, RFC 7044), and so is its record.
    pub(crate) fn divert(&mut self, reason: DiversionReason, to: &str) {
        self.note_diversion(
            Diversion {
                by: Caller {
                    user: self.called().to_owned(),
                    display: String::new(),
                },
                reason,
                private: false,
            },
            to,
        );
    }

    fn note_diversion(&mut self, diversion: Diversion, to: &str) {
        self.add_forwarding(Forwarding {
            by: diversion.by.user.clone(),
            reason: diversion.reason,
            to: to.to_owned(),
        });
        self.identity_mut().divert(diversion);
    }

    /// The application's answer to [`Event::Diverted`] if nobody is to be dialled any more: the caller's leg, to be answered, and
    /// how that caller is shown. `None`, and as if the phone had not answered, while others still ring.
    pub(crate) fn undial(
        &mut self,
        cx: &mut Context,
        now: Time,
        leg: LegId,
        to: &str,
    ) -> Option<(LegId, Caller)> {
        let diversion = self.dialling_mut()?.take_diverted(leg)?;
        if let Some(caller) = self.caller().map(Leg::id)
            && self.stop_dialling()
        {
            cx.timers.cancel(Timer::Attempt(self.id()));
            self.note_diversion(diversion, to);
            return Some((caller, self.from().clone()));
        }
        if let Some(dialling) = self.dialling_mut() {
            dialling.note(StatusCode::TEMPORARILY_UNAVAILABLE);
        }
        self.dial_settled(cx, now);
        None
    }

    /// A 3xx ends a branch: its contacts take its place, best first (RFC 3261 §8.1.3.4), at most [`REDIRECTIONS`] in a call
    /// and none twice.
    pub(super) fn redirected(&mut self, cx: &mut Context, now: Time, leg: LegId, response: &Message) {
        // Redirections are followed for numbers outside; those of a user's phone are the application's.
        let Some(Redirect::ToUris(origin)) = self.leg(leg).and_then(Leg::redirect).cloned() else {
            return;
        };
        let Some(dialling) = self.dialling() else {
            debug_assert!(
                false,
                "a branch that is redirected belongs to a call that is dialled"
            );
            return;
        };
        let (timeout, caller) = dialling.settings();
        let mut known = dialling.redirected().to_vec();
        // What comes takes the place of the leg, also where calls at a time are counted.
        cx.caps.end(leg, now);
        for uri in contacts(response).into_iter().filter(Uri::is_sip) {
            let uri = plain(&uri);
            let text = uri.bare().to_string();
            if known.len() >= REDIRECTIONS || known.contains(&text) || text == origin.uri.bare().to_string() {
                continue;
            }
            known.push(text);
            let trunk = origin
                .account
                .trunk()
                .and_then(|name| cx.directory.trunk(name).map(|trunk| (name, trunk)));
            let is_full = |(name, trunk): (&str, &Trunk)| {
                cx.index.is_full(name, trunk) || cx.trunks.admits(name, now, trunk.outgoing.wait).is_err()
            };
            if origin.urgent.is_none() && trunk.is_some_and(is_full) {
                continue;
            }
            let party = match trunk {
                Some((_, trunk)) => trunk.numbers.read(&user_text(&uri)).into_owned(),
                None => user_text(&uri),
            };
            if let Some(name) = origin.account.trunk().filter(|_| origin.urgent.is_none()) {
                let number = trunk.map_or(party.clone(), |(_, trunk)| {
                    trunk.numbers.known(&party).into_owned()
                });
                let call = Outbound {
                    number: &number,
                    on_account_of: origin.line.on_account_of.as_ref(),
                    trunk: name,
                };
                if let Err(cap) = cx.caps.admits(now, &call, true) {
                    let by = origin.line.on_account_of.clone();
                    cx.event(Event::CapReached { cap, by });
                    continue;
                }
            }
            let same_host = host_text(&uri) == host_text(&origin.uri);
            let branch = Branch {
                target: Target::Uri { proxy: None },
                device: Device::Phone,
                party,
                uri,
                account: origin.account.clone(),
                codecs: origin.codecs.clone(),
                // A peer that redirects us does not get our credentials used at the target.
                credentials: origin.credentials.clone().filter(|_| same_host),
                flow: None,
                timeout: origin.timeout,
                source: origin.source,
                srtp: origin.srtp,
                proxied: false,
                late_offer: origin.late_offer,
                line: origin.line.clone(),
                route: None,
                urgent: origin.urgent.clone(),
            };
            self.start_branch(cx, now, branch, &caller, Ring::within(timeout));
        }
        if let Some(dialling) = self.dialling_mut() {
            dialling.set_redirected(known);
        }
    }
}

/// Targets of a 3xx, best first.
fn contacts(response: &Message) -> Vec<Uri> {
    let mut contacts: Vec<(u16, Uri)> = response
        .contacts()
        .filter_map(|contact| Some((contact.q().unwrap_or(1_000), contact.uri()?.to_uri())))
        .collect();
    contacts.sort_by_key(|(q, _)| std::cmp::Reverse(*q));
    contacts.into_iter().map(|(_, uri)| uri).collect()
}

/// Without headers (RFC 3261 §19.1.5: they would become part of our INVITE) and without parameters but the transport.
fn plain(uri: &Uri) -> Uri {
    let bare = uri.bare();
    match uri
        .transport()
        .map(|transport| bare.with_param("transport", transport))
    {
        Some(Ok(uri)) => uri,
        _ => bare,
    }
}
