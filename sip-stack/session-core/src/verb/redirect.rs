//! Redirection: another network names a URI, which is called; a user's phone names a number, which the
//! application looks up in the name of that user.

use std::time::Duration;

use media_core::control::{LegId, MediaSource};
use media_core::negotiated::Codec;
use sans_io::Time;
use sip_core::endpoint::{Credentials, Target};
use sip_core::message::Message;
use sip_core::uri::Uri;

use crate::SessionId;
use crate::coordinator::Coordinator;
use crate::event::Event;
use crate::session::{Dialling, better};
use crate::verb::dial::{Branch, host_text, user_text};
use crate::verb::{Caller, Party};

/// Number of targets that redirections may lead to in one call.
const REDIRECTIONS: usize = 5;

/// Origin of a branch, in case it is redirected.
#[derive(Clone, Debug)]
pub(crate) struct Redirect {
    uri: Uri,
    trunk: Option<String>,
    codecs: Vec<Codec>,
    credentials: Option<Credentials>,
    timeout: Option<Duration>,
    source: MediaSource,
}

impl Redirect {
    /// `None` for users of the directory: their clients can make us call numbers, but no addresses.
    pub(super) fn of(branch: &Branch) -> Option<Redirect> {
        branch.user.is_none().then(|| Redirect {
            uri: branch.uri.clone(),
            trunk: branch.trunk.clone(),
            codecs: branch.codecs.clone(),
            credentials: branch.credentials.clone(),
            timeout: branch.timeout,
            source: branch.source,
        })
    }
}

impl Coordinator {
    /// The phone of a user diverts: asks the application about the numbers that its contacts name, as far as
    /// they are ours and were not tried in this call. False if there are none; the branch is over either way.
    pub(crate) fn diverted(&mut self, now: Time, leg: LegId, response: &Message) -> bool {
        let Some(l) = self.legs.get(&leg) else {
            return false;
        };
        let (session, Some(user)) = (l.session, l.user.clone()) else {
            return false;
        };
        let Some(s) = self.sessions.get(&session) else {
            return false;
        };
        let Some(dialling) = &s.dialling else { return false };
        let mut known = dialling.redirected.clone();
        let mut numbers = Vec::new();
        for uri in contacts(response) {
            let number = user_text(&uri);
            let ours = !uri.is_sip() || self.is_ours(&host_text(&uri));
            if !ours
                || number.is_empty()
                || number == s.to
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
        self.leg_ended(now, leg, None);
        if let Some(dialling) = self.sessions.get_mut(&session).and_then(|s| s.dialling.as_mut()) {
            dialling.remove(leg);
            dialling.redirected = known;
            dialling.diverted.push(leg);
        }
        self.event(Event::Diverted {
            session,
            leg,
            user,
            numbers,
        });
        self.wire(session);
        true
    }

    /// Answers [`Event::Diverted`]: these parties ring in place of the phone. If none of them can, it is as
    /// if the phone had not answered.
    pub fn follow(&mut self, now: Time, session: SessionId, leg: LegId, parties: &[Party]) {
        let Some(dialling) = self.waits_for_word(session, leg) else {
            return;
        };
        let (ring, caller) = (dialling.ring_timeout, dialling.caller.clone());
        let mut best = 480;
        let mut legs = Vec::new();
        for party in parties {
            match self.branches(party) {
                Ok(found) => {
                    for branch in found {
                        legs.push(self.start_branch(session, branch, &caller, ring, Vec::new()));
                    }
                }
                Err(code) => best = better(best, code),
            }
        }
        if let Some(dialling) = self.sessions.get_mut(&session).and_then(|s| s.dialling.as_mut()) {
            dialling.best = better(dialling.best, best);
            dialling.branches.extend(legs);
        }
        self.dial_settled(now, session);
    }

    /// Answers [`Event::Diverted`] if nobody is to be dialled for the caller any more: returns the caller's
    /// leg, to be answered, and how that caller is shown. `None`, and as if the phone had not answered, while
    /// others still ring.
    pub fn undial(&mut self, now: Time, session: SessionId, leg: LegId) -> Option<(LegId, Caller)> {
        self.waits_for_word(session, leg)?;
        let s = self.sessions.get_mut(&session)?;
        if let Some(caller) = s.caller
            && s.dialling.take_if(|dialling| dialling.is_over()).is_some()
        {
            return Some((caller, s.from.clone()));
        }
        if let Some(dialling) = &mut s.dialling {
            dialling.best = better(dialling.best, 480);
        }
        self.dial_settled(now, session);
        None
    }

    /// The dialling in which a phone that diverts waits for the application's decision.
    fn waits_for_word(&mut self, session: SessionId, leg: LegId) -> Option<&Dialling> {
        let dialling = self.sessions.get_mut(&session)?.dialling.as_mut()?;
        let at = dialling.diverted.iter().position(|other| *other == leg)?;
        dialling.diverted.remove(at);
        Some(dialling)
    }

    /// A 3xx ends a branch: its contacts take its place, best first (RFC 3261 §8.1.3.4), at most [`REDIRECTIONS`] in a call
    /// and none twice.
    pub(crate) fn redirected(&mut self, leg: LegId, response: &Message) {
        let Some(l) = self.legs.get(&leg) else { return };
        let (session, Some(origin)) = (l.session, l.redirect.clone()) else {
            return;
        };
        let Some(dialling) = self.sessions.get(&session).and_then(|s| s.dialling.as_ref()) else {
            return;
        };
        let (ring, caller) = (dialling.ring_timeout, dialling.caller.clone());
        let mut known = dialling.redirected.clone();
        let mut legs = Vec::new();
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
                browser: false,
                party: user_text(&uri),
                uri,
                user: None,
                trunk: origin.trunk.clone(),
                codecs: origin.codecs.clone(),
                // A peer that redirects us does not get our credentials used at the target.
                credentials: origin.credentials.clone().filter(|_| same_host),
                flow: None,
                timeout: origin.timeout,
                source: origin.source,
                proxied: false,
            };
            legs.push(self.start_branch(session, branch, &caller, ring, Vec::new()));
        }
        let Some(dialling) = self.sessions.get_mut(&session).and_then(|s| s.dialling.as_mut()) else {
            return;
        };
        dialling.redirected = known;
        dialling.branches.extend(legs);
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
