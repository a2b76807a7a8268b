//! PUBLISH (RFC 3903): phones of a user say what their user does. Each publication has an entity tag, by which it is refreshed, changed and
//! removed; of several, the one that was written last counts.

use std::collections::BTreeMap;
use std::time::Duration;

use sans_io::{Deadline, Time};
use sip_core::endpoint::{Headers, ServerTx};
use sip_core::flow::Flow;
use sip_core::message::{HeaderName, Message, StatusCode};

use super::Package;
use super::pidf::Presence;
use crate::admission::{Reason, Word};
use crate::coordinator::{Coordinator, Timer};
use crate::event::Source;
use crate::incoming::user_of;

/// Time that a PUBLISH gets at most, and if it asks for none.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Least time that a PUBLISH may ask for.
const LEAST: Duration = Duration::from_secs(60);

/// Publications of one user.
const MAX_PUBLICATIONS: usize = 10;

/// Octets of a document.
const MAX_OCTETS: usize = 16 << 10;

/// What phones published.
#[derive(Debug, Default)]
pub(crate) struct Publications {
    /// By user and entity tag.
    users: BTreeMap<String, BTreeMap<String, Publication>>,
    /// Number of documents that were written.
    written: u64,
}

/// Presence that a phone published.
#[derive(Debug)]
struct Publication {
    presence: Presence,
    until: Time,
    /// Place in the order in which all were written.
    written: u64,
}

impl Publications {
    /// The one of a user that was written last.
    pub(super) fn latest(&self, user: &str) -> Option<&Presence> {
        let all = self.users.get(user)?.values();
        all.max_by_key(|publication| publication.written)
            .map(|publication| &publication.presence)
    }

    fn deadline(&self) -> Deadline {
        let all = self.users.values().flat_map(BTreeMap::values);
        let next = all.map(|publication| publication.until).min()?;
        Some((next, "presence that was published and is over"))
    }

    /// Forgets what is over, and what users who do not stay published. Gives the users that it was of.
    fn retain(&mut self, now: Time, stays: impl Fn(&str) -> bool) -> Vec<String> {
        let mut changed = Vec::new();
        self.users.retain(|user, publications| {
            let before = publications.len();
            publications.retain(|_, publication| publication.until > now && stays(user));
            if publications.len() != before {
                changed.push(user.clone());
            }
            !publications.is_empty()
        });
        changed
    }

    /// Takes the publication of this tag out.
    fn take(&mut self, user: &str, tag: &str) -> Option<Publication> {
        let publications = self.users.get_mut(user)?;
        let publication = publications.remove(tag);
        if publications.is_empty() {
            self.users.remove(user);
        }
        publication
    }
}

/// What a PUBLISH asks for (RFC 3903 §4.1).
#[derive(Debug)]
enum Wish {
    Initial(Presence),
    Refresh(String),
    Modify(String, Presence),
    Remove(String),
}

impl Coordinator {
    /// A PUBLISH outside of any dialog.
    pub(crate) fn published(&mut self, now: Time, tx: ServerTx, request: &Message, flow: Flow) {
        let (code, headers) = match self.publish(now, request, flow) {
            Ok(headers) => (StatusCode::OK, headers),
            Err(Some(refused)) => refused,
            Err(None) => return self.context_mut().endpoint.pass_over(tx),
        };
        self.context_mut().endpoint.reply(now, tx, code, headers, None);
    }

    fn publish(
        &mut self,
        now: Time,
        request: &Message,
        flow: Flow,
    ) -> Result<Headers, Option<(StatusCode, Headers)>> {
        let refused = |code: StatusCode| Some((code, Headers::new()));
        // RFC 3903 §6: the event comes before who sends it and what for.
        if !request
            .event()
            .is_some_and(|event| event.is(Package::Presence.name()))
        {
            let packages = vec![("Allow-Events".into(), Package::Presence.name().into())];
            return Err(Some((StatusCode::BAD_EVENT, packages)));
        }
        let user = self.admit_publisher(now, request, flow)?;
        let expires = request
            .expires()
            .map_or(LONGEST, |seconds| Duration::from_secs(seconds.into()));
        let granted = expires.min(LONGEST);
        if !granted.is_zero() && granted < LEAST {
            let least = vec![("Min-Expires".into(), LEAST.as_secs().to_string())];
            return Err(Some((StatusCode::INTERVAL_TOO_BRIEF, least)));
        }
        let wish = Wish::of(request, granted.is_zero())?;
        let until = now + granted;
        let (watches, cx) = self.watches_mut();
        let published = &mut watches.publications;
        let tag = cx.rng.token(16);
        let written = published.written + 1;
        let publication = match wish {
            Wish::Initial(presence) => {
                let number = published.users.get(&user).map_or(0, BTreeMap::len);
                if number >= MAX_PUBLICATIONS {
                    let retry = vec![("Retry-After".into(), "60".into())];
                    return Err(Some((StatusCode::SERVICE_UNAVAILABLE, retry)));
                }
                Publication {
                    presence,
                    until,
                    written,
                }
            }
            Wish::Modify(old, presence) => {
                published
                    .take(&user, &old)
                    .ok_or_else(|| refused(StatusCode::CONDITIONAL_REQUEST_FAILED))?;
                Publication {
                    presence,
                    until,
                    written,
                }
            }
            Wish::Refresh(old) | Wish::Remove(old) => Publication {
                until,
                ..published
                    .take(&user, &old)
                    .ok_or_else(|| refused(StatusCode::CONDITIONAL_REQUEST_FAILED))?
            },
        };
        published.written = written;
        if !granted.is_zero() {
            let publications = published.users.entry(user.clone()).or_default();
            publications.insert(tag.clone(), publication);
        }
        watches.touch_user(&user);
        self.watch_over_publications();
        Ok(vec![
            (HeaderName::SipEtag.as_str().to_owned(), tag),
            (
                HeaderName::Expires.as_str().to_owned(),
                granted.as_secs().to_string(),
            ),
        ])
    }

    /// The user who publishes: nobody does so for another (RFC 3903 §14.1).
    fn admit_publisher(
        &mut self,
        now: Time,
        request: &Message,
        flow: Flow,
    ) -> Result<String, Option<(StatusCode, Headers)>> {
        let (admission, cx) = self.admission_mut();
        let word = admission.admit(cx, now, request, flow);
        admission.report_bans(cx);
        let source = match word {
            Word::Granted { source, .. } => source,
            Word::PassedOver => return Err(None),
            Word::Refused { code, headers } => return Err(Some((code, headers))),
        };
        let whose = request.uri().map(user_of).unwrap_or_default();
        match source {
            Source::User(user) if user == whose => Ok(user),
            Source::User(_) | Source::Trunk(_) | Source::Anyone => {
                let from = user_of(request.from().uri);
                cx.refused(request, flow, &from, StatusCode::FORBIDDEN, Reason::OtherUser);
                Err(Some((StatusCode::FORBIDDEN, Headers::new())))
            }
        }
    }

    /// Forgets what was published for a time that is over.
    pub(crate) fn publications_over(&mut self, now: Time) {
        let (watches, cx) = self.watches_mut();
        let known = |user: &str| cx.directory.user(user).is_some();
        for user in watches.publications.retain(now, known) {
            watches.touch_user(&user);
        }
        self.watch_over_publications();
    }

    /// Forgets what users published who are removed or have another password.
    pub(crate) fn publishers_gone(&mut self, gone: &[String]) {
        let (watches, _) = self.watches_mut();
        for user in watches
            .publications
            .retain(Time::ZERO, |user| !gone.iter().any(|name| name == user))
        {
            watches.touch_user(&user);
        }
        self.watch_over_publications();
    }

    fn watch_over_publications(&mut self) {
        let (watches, cx) = self.watches_mut();
        match watches.publications.deadline() {
            Some((at, reason)) => cx.timers.set(Timer::Publications, at, reason),
            None => {
                cx.timers.cancel(Timer::Publications);
            }
        }
    }
}

impl Wish {
    fn of(request: &Message, is_last: bool) -> Result<Wish, Option<(StatusCode, Headers)>> {
        let refused = |code: StatusCode| Some((code, Headers::new()));
        let tag = request
            .header(HeaderName::SipIfMatch)
            .map(|tag| tag.trim().to_owned());
        let presence = match request.body() {
            [] => None,
            body if body.len() > MAX_OCTETS => return Err(refused(StatusCode::REQUEST_ENTITY_TOO_LARGE)),
            body if request.has_content_type(Package::Presence.media_type()) => {
                let text = std::str::from_utf8(body).ok();
                let read = text.and_then(|text| Presence::read(text).ok());
                Some(read.ok_or_else(|| refused(StatusCode::BAD_REQUEST))?)
            }
            _ => {
                let accept = vec![("Accept".into(), Package::Presence.media_type().into())];
                return Err(Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, accept)));
            }
        };
        match (tag, presence) {
            (Some(tag), _) if is_last => Ok(Wish::Remove(tag)),
            (Some(tag), Some(presence)) => Ok(Wish::Modify(tag, presence)),
            (Some(tag), None) => Ok(Wish::Refresh(tag)),
            (None, Some(presence)) => Ok(Wish::Initial(presence)),
            // RFC 3903 §6 step 5: what is new has a body.
            (None, None) => Err(refused(StatusCode::BAD_REQUEST)),
        }
    }
}
