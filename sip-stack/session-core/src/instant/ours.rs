//! Messages of ours: the application sends one, or is the one whom a message is for.

use sans_io::Time;
use sip_core::endpoint::{Body, Headers};
use sip_core::message::StatusCode;

use super::MessageId;
use super::content::Content;
use super::delivery::{Recipient, Sender, Stage, UnderWay};
use super::saved::Saving;
use crate::coordinator::Coordinator;
use crate::dial::{Caller, Party};

impl Coordinator {
    /// Sends an instant message of ours to a party: to all contacts of a user, for whom it waits if there is none. Ends in
    /// [`Event::MessageSent`](crate::Event::MessageSent).
    ///
    /// # Errors
    /// The SIP code that says why the party cannot be reached: 404 unknown user or trunk; 413 for a body that is too long.
    pub fn send_message(
        &mut self,
        now: Time,
        from: Caller,
        party: &Party,
        body: Body,
    ) -> Result<MessageId, StatusCode> {
        let (messages, cx) = self.messages_mut();
        if body.data.len() > cx.config.messages.max_size {
            return Err(StatusCode::REQUEST_ENTITY_TOO_LARGE);
        }
        let recipient = Recipient::of(party);
        let places = recipient.places(messages, cx, party)?;
        messages.last_id += 1;
        let message = MessageId(messages.last_id);
        let under_way = UnderWay {
            source: None,
            from,
            content: Content {
                headers: Headers::new(),
                body: Some(body),
            },
            max_forwards: 70,
            until: now + cx.config.messages.keep,
            saving: Saving::Not,
            stage: Stage::Sent {
                sender: Sender::Application,
                recipient,
                open: 0,
                best: None,
            },
        };
        messages.under_way.insert(message, under_way);
        self.send_message_to(now, message, places);
        Ok(message)
    }

    /// Body of a message that waits for the application's word ([`Event::Message`](crate::Event::Message)).
    #[must_use]
    pub fn message_body(&self, message: MessageId) -> Option<Body> {
        self.messages().under_way.get(&message)?.content.body.clone()
    }

    /// Answers [`Event::Message`](crate::Event::Message) with 200: it is for the application itself, which has read it by
    /// [`message_body`](Self::message_body).
    pub fn take_message(&mut self, now: Time, message: MessageId) {
        self.settle_message(now, message, StatusCode::OK);
    }

    /// Answers [`Event::Message`](crate::Event::Message) with a refusal, 300 to 699.
    pub fn refuse_message(&mut self, now: Time, message: MessageId, code: StatusCode) {
        self.settle_message(now, message, code.max(StatusCode::MULTIPLE_CHOICES));
    }

    /// Answers the sender of a message that waits for the application's word, and forgets it.
    fn settle_message(&mut self, now: Time, message: MessageId, code: StatusCode) {
        let (messages, cx) = self.messages_mut();
        if let Some(UnderWay {
            stage: Stage::Asked { tx },
            ..
        }) = messages.under_way.get(&message)
        {
            cx.endpoint.reply(now, *tx, code, Headers::new(), None);
            messages.under_way.remove(&message);
            match code.is_success() {
                true => messages.counts.delivered += 1,
                false => messages.counts.refused += 1,
            }
        }
    }
}
