//! Messages that wait: kept for a user who is absent, delivered when the user registers, forgotten when nobody wants them any more.

use std::time::Duration;

use sans_io::Time;
use sip_core::message::StatusCode;

use super::delivery::{Recipient, Sender, Stage, UnderWay};
use super::kept::Waiting;
use super::saved::{SavedMessage, Saving};
use super::{MessageId, Messages};
use crate::coordinator::{Coordinator, Timer};
use crate::dial::{Party, Place};

/// Least time between two looks for messages that are over.
const LOOK: Duration = Duration::from_secs(1);

impl Coordinator {
    /// Keeps a message for a user who is absent. Its sender is told so: at once, or when it is saved, if somebody saves messages.
    pub(super) fn keep_message(
        &mut self,
        now: Time,
        message: MessageId,
        user: &str,
        (sender, under_way): (Sender, UnderWay),
    ) {
        let (messages, cx) = self.messages_mut();
        let waiting = Waiting {
            id: message,
            from: under_way.from,
            content: under_way.content,
            max_forwards: under_way.max_forwards,
            until: under_way.until,
            sender,
            saving: under_way.saving,
        };
        match messages.kept.push(user, waiting, cx.config.messages.max_kept) {
            None => {
                messages.counts.kept += 1;
                self.kept_now(now, user, message);
            }
            Some(waiting) => {
                messages.counts.refused += 1;
                waiting.end(cx, now, StatusCode::TEMPORARILY_UNAVAILABLE);
            }
        }
        self.watch_over_kept(now);
    }

    /// A message waits: it is saved, or its sender is told.
    fn kept_now(&mut self, now: Time, user: &str, message: MessageId) {
        let (messages, cx) = self.messages_mut();
        let Some(waiting) = messages.kept.find(user, message) else {
            return;
        };
        match waiting.saving {
            Saving::Not if cx.config.saved_messages.is_some() => {
                waiting.saving = Saving::Asked;
                let saved = SavedMessage::of(
                    user,
                    (&waiting.from, &waiting.content),
                    (waiting.max_forwards, waiting.until),
                );
                messages.ask_to_save(cx, message, saved);
            }
            Saving::Not | Saving::Done => {
                waiting.sender.take().tell(cx, now, message, StatusCode::ACCEPTED);
            }
            Saving::Asked => {}
            Saving::Failed => self.not_saved(now, user, message),
        }
    }

    /// The user of a message that waited took it, or refused it.
    pub(super) fn kept_answered(&mut self, now: Time, user: &str, message: MessageId, code: StatusCode) {
        let (messages, cx) = self.messages_mut();
        if let Some(waiting) = messages.kept.remove(user, message) {
            waiting.end(cx, now, code);
        }
        self.deliver_kept(now, user);
    }

    /// The user of a message that waits did not take it.
    pub(super) fn still_kept(&mut self, now: Time, user: &str, message: MessageId) {
        let (messages, _) = self.messages_mut();
        let found = messages.kept.find(user, message);
        if found.is_some_and(|waiting| waiting.saving == Saving::Failed) {
            self.not_saved(now, user, message);
        }
    }

    /// Delivers what waits for a user who can be reached, one message after the other.
    pub(crate) fn deliver_kept(&mut self, now: Time, user: &str) {
        if self.messages().is_getting_kept(user) {
            return;
        }
        self.expire_kept(now);
        let (messages, cx) = self.messages_mut();
        let Some(waiting) = messages.kept.first(user).cloned() else {
            return;
        };
        let Ok(places) = Place::all_of(cx, &Party::User(user.to_owned())) else {
            return;
        };
        messages.last_id += 1;
        let message = MessageId(messages.last_id);
        messages.under_way.insert(
            message,
            UnderWay {
                source: None,
                from: waiting.from,
                content: waiting.content,
                max_forwards: waiting.max_forwards,
                until: waiting.until,
                saving: Saving::Not,
                stage: Stage::Sent {
                    sender: Sender::Answered,
                    recipient: Recipient::Waiting(user.to_owned(), waiting.id),
                    open: 0,
                    best: None,
                },
            },
        );
        self.send_message_to(now, message, places);
    }

    /// Forgets messages that nobody wants any more.
    pub(crate) fn expire_kept(&mut self, now: Time) {
        let (messages, _) = self.messages_mut();
        let mut kept = std::mem::take(&mut messages.kept);
        messages.counts.expired += kept.expire(now, |user| messages.is_getting_kept(user));
        messages.kept = kept;
        self.watch_over_kept(now);
    }

    /// Forgets what waits for users who exist no more.
    pub(crate) fn forget_kept(&mut self, now: Time) {
        let (messages, cx) = self.messages_mut();
        messages.counts.expired += messages
            .kept
            .forget(|user| cx.directory.user(user).is_some() || cx.is_client(user));
        self.watch_over_kept(now);
    }

    /// Tells of what is over, and watches over what expires next.
    pub(super) fn watch_over_kept(&mut self, now: Time) {
        let (messages, cx) = self.messages_mut();
        for waiting in messages.kept.take_over() {
            waiting.end(cx, now, StatusCode::TEMPORARILY_UNAVAILABLE);
        }
        match messages.kept.deadline() {
            // One that is on its way is not forgotten before its answer.
            Some((at, reason)) => cx.timers.set(Timer::Kept, at.max(now + LOOK), reason),
            None => {
                cx.timers.cancel(Timer::Kept);
            }
        }
    }
}

impl Messages {
    /// True while the first message that waits for a user is on its way.
    pub(super) fn is_getting_kept(&self, user: &str) -> bool {
        self.under_way.values().any(|under_way| {
            matches!(&under_way.stage, Stage::Sent { recipient: Recipient::Waiting(name, _), .. } if name == user)
        })
    }
}
