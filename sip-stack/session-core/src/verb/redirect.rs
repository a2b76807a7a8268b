//! A party says that it is elsewhere.

use std::time::Duration;

use media_core::control::LegId;
use media_core::negotiated::Codec;
use sip_core::endpoint::{Credentials, Target};
use sip_core::message::Message;
use sip_core::uri::Uri;

use crate::coordinator::Coordinator;
use crate::verb::dial::{Branch, host_text, user_text};

/// How many targets redirections may lead to in one call.
const REDIRECTIONS: usize = 5;

/// Where a branch went, should it be sent elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Redirect {
    uri: Uri,
    codecs: Vec<Codec>,
    credentials: Option<Credentials>,
    timeout: Option<Duration>,
}

impl Redirect {
    /// `None` for users of the directory: what their clients say does not make us call elsewhere.
    pub(super) fn of(branch: &Branch) -> Option<Redirect> {
        branch.user.is_none().then(|| Redirect {
            uri: branch.uri.clone(),
            codecs: branch.codecs.clone(),
            credentials: branch.credentials.clone(),
            timeout: branch.timeout,
        })
    }
}

impl Coordinator {
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
        let mut contacts: Vec<(u16, Uri)> = response
            .contacts()
            .filter_map(|contact| {
                let uri = contact.uri().filter(|uri| uri.is_sip())?;
                Some((contact.q().unwrap_or(1_000), plain(&uri.to_uri())))
            })
            .collect();
        contacts.sort_by_key(|(q, _)| std::cmp::Reverse(*q));
        let mut legs = Vec::new();
        for (_, uri) in contacts {
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
                codecs: origin.codecs.clone(),
                // Who sends us elsewhere does not get our credentials used there.
                credentials: origin.credentials.clone().filter(|_| same_host),
                flow: None,
                timeout: origin.timeout,
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
