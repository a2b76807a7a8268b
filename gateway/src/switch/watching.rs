//! Watching, mailboxes and messages: whom a number means that is watched, has messages, or is written to.

use call_engine::Decision;
use sans_io::Time;
use session_core::{
    Coordinator, IncomingMessage, MailboxNotice, MessageId, NoticeId, Party, SavedMessage, WatchRequest,
};
use sip_core::endpoint::SubscriptionId;
use sip_core::message::StatusCode;

use super::{Switch, origin};
use crate::routing::Destination;

impl Switch {
    /// A phone or program subscribes to the state of a number: that of the user whom a call to it would reach.
    pub(super) fn watched(
        &self,
        now: Time,
        subscription: SubscriptionId,
        watch: &WatchRequest,
        coordinator: &mut Coordinator,
    ) {
        match self.routing.decide(now, origin(&watch.source), &watch.number) {
            Decision::User { name } => coordinator.admit_watch(now, subscription, &name),
            Decision::Park { slot: Some(slot) } => {
                coordinator.admit_watch_of_place(now, subscription, &slot);
            }
            decision => {
                tracing::debug!(number = %watch.number, ?decision, "no user to watch");
                coordinator.refuse_watch(subscription, StatusCode::NOT_FOUND);
            }
        }
    }

    /// A voice mail system says what is in the mailbox of a number: that of the user whom a call to it would reach.
    pub(super) fn noticed(
        &self,
        now: Time,
        notice: NoticeId,
        about: &MailboxNotice,
        coordinator: &mut Coordinator,
    ) {
        match self.routing.decide(now, origin(&about.source), &about.number) {
            Decision::User { name } => coordinator.take_notice(now, notice, &name),
            decision => {
                tracing::debug!(number = %about.number, ?decision, "no user with a mailbox");
                coordinator.refuse_notice(now, notice, StatusCode::NOT_FOUND);
            }
        }
    }

    /// Somebody writes to a number: the message goes where a call to it would go. Queues and applications read nothing.
    pub(super) fn written(
        &self,
        now: Time,
        message: MessageId,
        about: &IncomingMessage,
        coordinator: &mut Coordinator,
    ) {
        if let Some(client) = &about.client {
            return coordinator.deliver_message(now, message, &Party::User(client.clone()));
        }
        match self.routing.route(now, origin(&about.source), &about.to) {
            Destination::Party(party) => coordinator.deliver_message(now, message, &party),
            Destination::Nobody(code) => coordinator.refuse_message(now, message, code),
            Destination::Queue { .. }
            | Destination::Group(_)
            | Destination::Park(_)
            | Destination::Application(_) => {
                coordinator.refuse_message(now, message, StatusCode::NOT_FOUND);
            }
        }
    }

    /// A message is kept for an absent user: it is saved.
    pub(super) fn message_kept(
        &self,
        now: Time,
        message: MessageId,
        saved: SavedMessage,
        coordinator: &mut Coordinator,
    ) {
        let saver = self.messages.as_ref();
        if !saver.is_some_and(|saver| saver.save(message, saved)) {
            coordinator.message_saved(now, message, false);
        }
    }

    /// A message that was kept is over.
    pub(super) fn message_over(&self, message: MessageId) {
        if let Some(saver) = &self.messages {
            saver.remove(message);
        }
    }
}
