//! A message comes in outside of any dialog: who sends it, and whom it is for.

use sans_io::Time;
use sip_core::endpoint::{Headers, ServerTx};
use sip_core::flow::Flow;
use sip_core::message::{Message, StatusCode};

use super::content::Content;
use super::delivery::{Stage, UnderWay};
use super::saved::Saving;
use super::{IncomingMessage, MessageId};
use crate::admission::Word;
use crate::coordinator::Coordinator;
use crate::event::{Event, Source, Way};
use crate::identity::{Sender, read};
use crate::incoming::user_of;

/// Messages of one sender that may be on their way at a time.
const MAX_UNDER_WAY: usize = 50;

impl Coordinator {
    /// Admits a MESSAGE as an INVITE would be, and asks the application whom it is for; or refuses it.
    pub(crate) fn message_came(&mut self, now: Time, tx: ServerTx, request: &Message, flow: Flow) {
        let (admission, cx) = self.admission_mut();
        let word = admission.admit(cx, now, request, flow);
        admission.report_bans(cx);
        let source = match word {
            Word::Granted { source, .. } => source,
            Word::PassedOver => return cx.endpoint.pass_over(tx),
            Word::Refused { code, headers } => return cx.endpoint.reply(now, tx, code, headers, None),
        };
        if let Err((code, headers)) = self.fits(request, &source) {
            self.messages_mut().0.counts.refused += 1;
            return self.context_mut().endpoint.reply(now, tx, code, headers, None);
        }
        let (from, _) = read(request, &Sender::of(&self.context().directory, &source));
        let to = request.uri().map(user_of).unwrap_or_default();
        let client = match self.context().way(&source, &to) {
            Some(Way::In { user }) => Some(user),
            Some(Way::Out { .. }) | None => None,
        };
        let about = IncomingMessage {
            source: source.clone(),
            from: from.user.clone(),
            to,
            client,
        };
        let (messages, cx) = self.messages_mut();
        messages.last_id += 1;
        let message = MessageId(messages.last_id);
        let lifetime = request
            .expires()
            .map(|seconds| std::time::Duration::from_secs(seconds.into()));
        let keep = cx.config.messages.keep;
        messages.under_way.insert(
            message,
            UnderWay {
                source: Some(source),
                from,
                content: Content::of(request),
                max_forwards: request.max_forwards().unwrap_or(70).saturating_sub(1),
                until: now + lifetime.unwrap_or(keep).min(keep),
                saving: Saving::Not,
                stage: Stage::Asked { tx },
            },
        );
        cx.event(Event::Message { message, about });
    }

    /// Refuses what is too long, and what is too much of one sender.
    fn fits(&self, request: &Message, source: &Source) -> Result<(), (StatusCode, Headers)> {
        let settings = &self.context().config.messages;
        if request.body().len() > settings.max_size {
            return Err((StatusCode::REQUEST_ENTITY_TOO_LARGE, Headers::new()));
        }
        let of_sender = |under_way: &&UnderWay| under_way.source.as_ref() == Some(source);
        if self.messages().under_way.values().filter(of_sender).count() >= MAX_UNDER_WAY {
            let retry = vec![("Retry-After".into(), "5".into())];
            return Err((StatusCode::SERVICE_UNAVAILABLE, retry));
        }
        Ok(())
    }
}
