//! Messages that outlive the process: the application saves what is kept, before its sender is told so.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sans_io::Time;
use serde::{Deserialize, Serialize};
use sip_core::endpoint::{Body, Headers};
use sip_core::message::StatusCode;

use super::content::Content;
use super::delivery::{Recipient, Sender, Stage, UnderWay};
use super::kept::{Kept, Waiting};
use super::{MessageId, Messages};
use crate::context::Context;
use crate::coordinator::Coordinator;
use crate::dial::Caller;
use crate::event::Event;

/// Saved form of a message that waits for its user, for [`Config::saved_messages`](crate::Config::saved_messages).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedMessage {
    /// The user that it waits for.
    pub user: String,
    /// User part of the sender.
    pub from: String,
    /// Display name of the sender, may be empty.
    pub display: String,
    /// Fields that belong to the body.
    pub headers: Headers,
    /// Type of the body; `None`: it has none.
    pub content_type: Option<String>,
    /// Body in Base64.
    pub body: String,
    /// Hops that it may still take.
    pub max_forwards: u8,
    /// Time at which it expires, microseconds since 1970.
    pub until: u64,
}

/// Nothing of a message is shown.
impl fmt::Debug for SavedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedMessage")
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// State of a message's saved form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Saving {
    /// The application was not asked to save it.
    #[default]
    Not,
    /// The application was asked.
    Asked,
    /// The message is saved.
    Done,
    /// The message could not be saved.
    Failed,
}

impl Coordinator {
    /// Answers [`Event::MessageKept`](crate::Event::MessageKept): the message is saved, or cannot be. Its sender is told 202 or 503.
    pub fn message_saved(&mut self, now: Time, message: MessageId, is_saved: bool) {
        let saving = match is_saved {
            true => Saving::Done,
            false => Saving::Failed,
        };
        let (messages, cx) = self.messages_mut();
        let user = messages.asked.remove(&message);
        if let Some(UnderWay {
            saving: state,
            stage: Stage::Sent { sender, .. },
            ..
        }) = messages.under_way.get_mut(&message)
        {
            *state = saving;
            if is_saved {
                sender.take().tell(cx, now, message, StatusCode::ACCEPTED);
            }
            return;
        }
        let Some(user) = user else { return };
        let Some(waiting) = messages.kept.find(&user, message) else {
            return;
        };
        waiting.saving = saving;
        if is_saved {
            let sender = waiting.sender.take();
            return sender.tell(cx, now, message, StatusCode::ACCEPTED);
        }
        // One that is on its way to its user is judged when the answer has come.
        let is_first = messages
            .kept
            .first(&user)
            .is_some_and(|first| first.id == message);
        if !(is_first && messages.is_getting_kept(&user)) {
            self.not_saved(now, &user, message);
        }
    }

    /// A message that was not delivered could not be saved either: its sender is told so, and it is forgotten.
    pub(super) fn not_saved(&mut self, now: Time, user: &str, message: MessageId) {
        let (messages, cx) = self.messages_mut();
        if let Some(waiting) = messages.kept.remove(user, message) {
            messages.counts.kept -= 1;
            messages.counts.refused += 1;
            waiting.end(cx, now, StatusCode::SERVICE_UNAVAILABLE);
        }
        self.watch_over_kept(now);
    }

    /// Asks the application to save a message that is on its way, and may have to wait for its user. False if nobody saves messages, or
    /// if it is not one that may be kept.
    pub(super) fn save_under_way(&mut self, now: Time, message: MessageId) -> bool {
        let (messages, cx) = self.messages_mut();
        if cx.config.saved_messages.is_none() {
            return false;
        }
        let Some(under_way) = messages.under_way.get_mut(&message) else {
            return false;
        };
        let Stage::Sent {
            recipient: Recipient::User(user),
            ..
        } = &under_way.stage
        else {
            return false;
        };
        if under_way.until <= now || under_way.saving != Saving::Not {
            return false;
        }
        under_way.saving = Saving::Asked;
        let saved = SavedMessage::of(
            user,
            (&under_way.from, &under_way.content),
            (under_way.max_forwards, under_way.until),
        );
        messages.ask_to_save(cx, message, saved);
        true
    }
}

impl Messages {
    /// Messages on their way: none, and those that were saved wait for their users. Ids begin above `last_id` and above theirs.
    pub(crate) fn new(last_id: u64, saved: Option<Vec<(MessageId, SavedMessage)>>) -> Messages {
        let mut saved = saved.unwrap_or_default();
        saved.sort_by_key(|(id, _)| *id);
        let newest = saved.last().map_or(0, |(id, _)| id.0);
        let mut kept = Kept::default();
        for (id, message) in saved {
            let Some((user, waiting)) = message.waiting(id) else {
                continue;
            };
            // There was room for all of them before; those without any wait for the next start.
            drop(kept.push(&user, waiting, usize::MAX));
        }
        Messages {
            kept,
            last_id: last_id.max(newest),
            ..Messages::default()
        }
    }

    /// Asks the application to save a message.
    pub(super) fn ask_to_save(&mut self, cx: &mut Context, message: MessageId, saved: SavedMessage) {
        self.asked.insert(message, saved.user.clone());
        cx.event(Event::MessageKept { message, saved });
    }
}

impl SavedMessage {
    pub(super) fn of(
        user: &str,
        (from, content): (&Caller, &Content),
        (max_forwards, until): (u8, Time),
    ) -> SavedMessage {
        let body = content.body.as_ref();
        SavedMessage {
            user: user.to_owned(),
            from: from.user.clone(),
            display: from.display.clone(),
            headers: content.headers.clone(),
            content_type: body.map(|body| body.content_type.clone()),
            body: body.map(|body| STANDARD.encode(&body.data)).unwrap_or_default(),
            max_forwards,
            until: until.as_micros(),
        }
    }

    /// The message, with its user; `None` for a body that is not Base64.
    fn waiting(self, id: MessageId) -> Option<(String, Waiting)> {
        let data = STANDARD.decode(&self.body).ok()?;
        let body = self.content_type.map(|content_type| Body {
            content_type,
            data: data.into(),
        });
        let waiting = Waiting {
            id,
            from: Caller {
                user: self.from,
                display: self.display,
            },
            content: Content {
                headers: self.headers,
                body,
            },
            max_forwards: self.max_forwards,
            until: Time(self.until),
            sender: Sender::Answered,
            saving: Saving::Done,
        };
        Some((self.user, waiting))
    }
}
