//! Messages that wait in mailboxes (RFC 3842): a voice mail system, which is a trunk, says so by a NOTIFY that nobody subscribed to, and
//! watchers of the package `message-summary` are told.

use std::collections::BTreeMap;

use sans_io::Time;
use sip_core::endpoint::{Headers, ServerTx};
use sip_core::flow::Flow;
use sip_core::message::{Message, StatusCode};

use super::Package;
use super::summary::Summary;
use crate::admission::{Reason, Word};
use crate::coordinator::Coordinator;
use crate::event::{Event, Source};
use crate::incoming::user_of;

/// Octets of a document.
const MAX_OCTETS: usize = 4 << 10;

/// Notices that wait for the application.
const MAX_ASKED: usize = 100;

/// A notice of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoticeId(u64);

/// Sender of a notice, and whose mailbox it is about.
#[derive(Clone, Debug)]
pub struct MailboxNotice {
    /// The trunk that says it.
    pub source: Source,
    /// User part of the Request-URI, percent-escapes decoded.
    pub number: String,
}

/// Mailboxes of users.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    users: BTreeMap<String, Summary>,
    /// Notices for which the application is asked whose they are.
    asked: BTreeMap<NoticeId, (ServerTx, Summary)>,
    last: u64,
}

impl Mailboxes {
    pub(super) fn of(&self, user: &str) -> Summary {
        self.users.get(user).cloned().unwrap_or_default()
    }
}

impl Coordinator {
    /// A NOTIFY outside of any dialog and subscription.
    pub(crate) fn notice_came(&mut self, now: Time, tx: ServerTx, request: &Message, flow: Flow) {
        match self.admit_notice(now, request, flow) {
            Ok((source, summary)) => {
                let (watches, cx) = self.watches_mut();
                let mailboxes = &mut watches.mailboxes;
                mailboxes.last += 1;
                let notice = NoticeId(mailboxes.last);
                mailboxes.asked.insert(notice, (tx, summary));
                let number = request.uri().map(user_of).unwrap_or_default();
                let about = MailboxNotice { source, number };
                cx.event(Event::Mailbox { notice, about });
            }
            Err(Some((code, headers))) => self.context_mut().endpoint.reply(now, tx, code, headers, None),
            Err(None) => self.context_mut().endpoint.pass_over(tx),
        }
    }

    /// The trunk that a notice comes from, and what it says; or how it is refused, `None` for no answer at all.
    fn admit_notice(
        &mut self,
        now: Time,
        request: &Message,
        flow: Flow,
    ) -> Result<(Source, Summary), Option<(StatusCode, Headers)>> {
        let refused = |code: StatusCode| Some((code, Headers::new()));
        let package = Package::MessageSummary;
        // RFC 6665 §4.1.3: there is no subscription to any other.
        if !request.event().is_some_and(|event| event.is(package.name())) {
            return Err(refused(StatusCode::CALL_DOES_NOT_EXIST));
        }
        let (admission, cx) = self.admission_mut();
        let word = admission.admit(cx, now, request, flow);
        admission.report_bans(cx);
        let source = match word {
            Word::Granted { source, .. } => source,
            Word::PassedOver => return Err(None),
            Word::Refused { code, headers } => return Err(Some((code, headers))),
        };
        let may = matches!(&source, Source::Trunk(name) if cx.directory.trunk(name).is_some_and(|trunk| trunk.trusted));
        if !may {
            let from = user_of(request.from().uri);
            cx.refused(request, flow, &from, StatusCode::FORBIDDEN, Reason::OtherUser);
            return Err(refused(StatusCode::FORBIDDEN));
        }
        if request.body().len() > MAX_OCTETS {
            return Err(refused(StatusCode::REQUEST_ENTITY_TOO_LARGE));
        }
        if !request.has_content_type(package.media_type()) {
            let accept = vec![("Accept".into(), package.media_type().into())];
            return Err(Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, accept)));
        }
        if self.watches().mailboxes.asked.len() >= MAX_ASKED {
            let retry = vec![("Retry-After".into(), "5".into())];
            return Err(Some((StatusCode::SERVICE_UNAVAILABLE, retry)));
        }
        let text = std::str::from_utf8(request.body()).ok();
        let summary = text.and_then(Summary::read);
        Ok((source, summary.ok_or_else(|| refused(StatusCode::BAD_REQUEST))?))
    }

    /// Answers [`Event::Mailbox`]: the notice is about the mailbox of this user. Refused with 404 if there is no such user.
    pub fn take_notice(&mut self, now: Time, notice: NoticeId, user: &str) {
        if self.context().directory.user(user).is_none() {
            return self.refuse_notice(now, notice, StatusCode::NOT_FOUND);
        }
        let (watches, cx) = self.watches_mut();
        let Some((tx, summary)) = watches.mailboxes.asked.remove(&notice) else {
            return;
        };
        cx.endpoint.reply(now, tx, StatusCode::OK, Headers::new(), None);
        watches.mailboxes.users.insert(user.to_owned(), summary);
        watches.touch_user(user);
    }

    /// Answers [`Event::Mailbox`] with a refusal, 300 to 699.
    pub fn refuse_notice(&mut self, now: Time, notice: NoticeId, code: StatusCode) {
        let (watches, cx) = self.watches_mut();
        if let Some((tx, _)) = watches.mailboxes.asked.remove(&notice) {
            let code = code.max(StatusCode::MULTIPLE_CHOICES);
            cx.endpoint.reply(now, tx, code, Headers::new(), None);
        }
    }

    /// Forgets the mailboxes of users who are removed.
    pub(crate) fn mailboxes_gone(&mut self) {
        let (watches, cx) = self.watches_mut();
        let users = &mut watches.mailboxes.users;
        users.retain(|user, _| cx.directory.user(user).is_some());
    }
}
