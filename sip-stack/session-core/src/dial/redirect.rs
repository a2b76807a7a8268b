//! Redirection: another network names a URI, which is called; a user's phone names a number, which the
//! application looks up in the name of that user.

use std::time::Duration;

use media_core::control::{LegId, MediaSource};
use media_core::negotiated::Codec;
use sans_io::Time;
use sip_core::endpoint::{Credentials, Target};
use sip_core::message::{Message, StatusCode};
use sip_core::uri::Uri;

use super::branch::{Branch, host_text, user_text};
use super::{Caller, Party};
use crate::call::Call;
use crate::context::Context;
use crate::event::Event;
use crate::leg::{Account, Device, Leg};

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
    late_offer: bool,
}

impl Redirect {
    pub(super) fn of(branch: &Branch) -> Redirect {
        if branch.account.user().is_some() {
            return Redirect::ToNumbers;
        }
        Redirect::ToUris(Box::new(Origin {
            uri: branch.uri.clone(),
            account: branch.account.clone(),
            codecs: branch.codecs.clone(),
            credentials: branch.credentials.clone(),
            timeout: branch.timeout,
            source: branch.source,
            late_offer: branch.late_offer,
        }))
    }
}

impl Call {
    /// The phone of a user diverts: asks the application about the numbers that its contacts name, as far as
    /// they are ours and were not tried in this call. False if there are none; the branch is over either way.
    pub(super) fn diverted(&mut self, cx: &mut Context, now: Time, leg: LegId, response: &Message) -> bool {
        let Some(user) = self.leg(leg).and_then(|l| l.user()).map(str::to_owned) else {
            return false;
        };
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
            dialling.add_diverted(leg);
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

    /// The application's answer to [`Event::Diverted`]: these parties ring in place of the phone. If none of them can, it is as
    /// if the phone had not answered.
    pub(crate) fn follow(&mut self, cx: &mut Context, now: Time, leg: LegId, parties: &[Party]) {
        // Else somebody else answered before the application did.
        let Some(dialling) = self.dialling_mut() else {
            return;
        };
        if !dialling.take_diverted(leg) {
            return;
        }
        let (ring, caller) = dialling.settings();
        dialling.note(StatusCode::TEMPORARILY_UNAVAILABLE);
        for party in parties {
            match Branch::all_of(cx, party) {
                Ok(found) => {
                    for branch in found {
                        self.start_branch(cx, branch, &caller, ring, Vec::new());
                    }
                }
                Err(code) => {
                    if let Some(dialling) = self.dialling_mut() {
                        dialling.note(code);
                    }
                }
            }
        }
        self.dial_settled(cx, now);
    }

    /// The application's answer to [`Event::Diverted`] if nobody is to be dialled any more: the caller's leg, to be answered, and
    /// how that caller is shown. `None`, and as if the phone had not answered, while others still ring.
    pub(crate) fn undial(&mut self, cx: &mut Context, now: Time, leg: LegId) -> Option<(LegId, Caller)> {
        if !self.dialling_mut()?.take_diverted(leg) {
            return None;
        }
        if let Some(caller) = self.caller().map(Leg::id)
            && self.stop_dialling()
        {
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
    pub(super) fn redirected(&mut self, cx: &mut Context, leg: LegId, response: &Message) {
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
        let (ring, caller) = dialling.settings();
        let mut known = dialling.redirected().to_vec();
        for uri in contacts(response).into_iter().filter(Uri::is_sip) {
            let uri = plain(&uri);
            let text = uri.bare().to_string();
            if known.len() >= REDIRECTIONS || known.contains(&text) || text == origin.uri.bare().to_string() {
                continue;
            }
            known.push(text);
            let same_host = host_text(&uri) == host_text(&origin.uri);
            let branch = Branch {
                target: Target::Uri { proxy: None },
                device: Device::Phone,
                party: user_text(&uri),
                uri,
                account: origin.account.clone(),
                codecs: origin.codecs.clone(),
                // A peer that redirects us does not get our credentials used at the target.
                credentials: origin.credentials.clone().filter(|_| same_host),
                flow: None,
                timeout: origin.timeout,
                source: origin.source,
                proxied: false,
                late_offer: origin.late_offer,
            };
            self.start_branch(cx, branch, &caller, ring, Vec::new());
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
