//! Delivery: a message goes to all contacts of its user, or to a trunk. The sender is told what the first who took it said; 202 where it
//! is kept, or where that takes long (RFC 3428 §7).

use std::time::Duration;

use sans_io::Time;
use sip_core::endpoint::{Headers, OutgoingRequest, RequestId, ServerTx, Silence};
use sip_core::message::{HeaderName, Message, StatusCode};

use super::content::Content;
use super::saved::Saving;
use super::{MessageId, Messages};
use crate::context::Context;
use crate::coordinator::{Coordinator, Timer};
use crate::dial::{Caller, Party, Place, better};
use crate::event::{Event, Source};

/// Time after which the sender of a message for a user is told that it is under way. Its own transaction ends 32 s after it began.
const PATIENCE: Duration = Duration::from_secs(8);

/// A message that is on its way.
#[derive(Debug)]
pub(super) struct UnderWay {
    /// Sender, while it waits for an answer; `None` for a message that had waited.
    pub(super) source: Option<Source>,
    pub(super) from: Caller,
    pub(super) content: Content,
    pub(super) max_forwards: u8,
    /// Time after which nobody wants it any more.
    pub(super) until: Time,
    pub(super) saving: Saving,
    pub(super) stage: Stage,
}

/// Stage of a message.
#[derive(Debug)]
pub(super) enum Stage {
    /// The application was asked whom it is for.
    Asked { tx: ServerTx },
    /// It was sent.
    Sent {
        sender: Sender,
        recipient: Recipient,
        /// Requests without an answer.
        open: usize,
        /// Best of the refusals so far.
        best: Option<StatusCode>,
    },
}

/// Sender of a message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// It waits for our answer.
    Waits(ServerTx),
    /// The application, which waits for [`Event::MessageSent`](crate::Event::MessageSent).
    Application,
    /// It was answered.
    Answered,
}

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recipient {
    /// A user, for whom it may be kept.
    User(String),
    /// A user for whom it was kept under this id, and still is.
    Waiting(String, MessageId),
    /// Somebody at a trunk, or at an address.
    Elsewhere,
}

/// Outcome of a request that carried a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome<'a> {
    Answered(&'a Message),
    Silent(Silence),
}

impl Coordinator {
    /// Answers [`Event::Message`](crate::Event::Message): the message goes to this party.
    pub fn deliver_message(&mut self, now: Time, message: MessageId, party: &Party) {
        let (messages, cx) = self.messages_mut();
        let Some(UnderWay {
            stage: Stage::Asked { tx },
            ..
        }) = messages.under_way.get(&message)
        else {
            return;
        };
        let tx = *tx;
        let recipient = Recipient::of(party);
        let places = match recipient.places(messages, cx, party) {
            Ok(places) => places,
            Err(code) => return self.refuse_message(now, message, code),
        };
        if let Some(under_way) = messages.under_way.get_mut(&message) {
            under_way.stage = Stage::Sent {
                sender: Sender::Waits(tx),
                recipient: recipient.clone(),
                open: 0,
                best: None,
            };
        }
        let is_for_user = recipient != Recipient::Elsewhere;
        self.send_message_to(now, message, places);
        if self.messages().under_way.contains_key(&message) && is_for_user {
            let timers = &mut self.context_mut().timers;
            timers.set(
                Timer::Message(message),
                now + PATIENCE,
                "answer to the sender of a message",
            );
        }
        if let Recipient::User(user) = recipient {
            self.deliver_kept(now, &user);
        }
    }

    /// Sends a message to these places; without any, nobody takes it now.
    pub(super) fn send_message_to(&mut self, now: Time, message: MessageId, places: Vec<Place>) {
        let (messages, cx) = self.messages_mut();
        let Some(under_way) = messages.under_way.get_mut(&message) else {
            return;
        };
        let mut sent = 0;
        for place in places {
            let request = under_way.request(cx, place);
            let request = cx.endpoint.request(now, request);
            messages.requests.insert(request, message);
            sent += 1;
        }
        if let Stage::Sent { open, .. } = &mut under_way.stage {
            *open = sent;
        }
        if sent == 0 {
            self.nobody_took(now, message);
        }
    }

    /// The outcome of a request of ours, if it carried a message.
    pub(crate) fn message_answered(&mut self, now: Time, request: RequestId, outcome: Outcome<'_>) -> bool {
        let (messages, cx) = self.messages_mut();
        let Some(message) = messages.requests.remove(&request) else {
            return false;
        };
        let Some(under_way) = messages.under_way.get_mut(&message) else {
            return true;
        };
        let Stage::Sent {
            sender,
            recipient,
            open,
            best,
        } = &mut under_way.stage
        else {
            return true;
        };
        *open -= 1;
        let code = match outcome {
            Outcome::Answered(response) => response.status().unwrap_or(StatusCode::BAD_GATEWAY),
            // RFC 4320 §4.1: 408 is no answer to such a request.
            Outcome::Silent(Silence::Timeout) => StatusCode::SERVER_TIME_OUT,
            Outcome::Silent(silence) => silence.code(),
        };
        if code.is_refusal() {
            *best = Some(better(*best, code));
            if *open == 0 {
                self.nobody_took(now, message);
            }
            return true;
        }
        let (sender, recipient) = (*sender, recipient.clone());
        sender.tell(cx, now, message, code);
        messages.counts.delivered += 1;
        cx.timers.cancel(Timer::Message(message));
        if let Some(under_way) = messages.under_way.remove(&message) {
            under_way.unsave(cx, message);
        }
        if let Recipient::Waiting(user, kept) = recipient {
            self.kept_answered(now, &user, kept, code);
        }
        true
    }

    /// Nobody took a message: it is kept for a user who is absent, and its sender is told 202; else the sender is told why.
    fn nobody_took(&mut self, now: Time, message: MessageId) {
        let (messages, cx) = self.messages_mut();
        cx.timers.cancel(Timer::Message(message));
        let Some(under_way) = messages.under_way.remove(&message) else {
            return;
        };
        let Stage::Sent {
            sender,
            recipient,
            best,
            ..
        } = &under_way.stage
        else {
            return;
        };
        let (sender, is_absent) = (*sender, best.is_none_or(is_absence));
        let code = best.unwrap_or(StatusCode::TEMPORARILY_UNAVAILABLE);
        match recipient.clone() {
            Recipient::User(user) if is_absent && under_way.until > now => {
                self.keep_message(now, message, &user, (sender, under_way));
            }
            // It goes on waiting for the next registration.
            Recipient::Waiting(user, kept) if is_absent => self.still_kept(now, &user, kept),
            Recipient::Waiting(user, kept) => {
                messages.counts.refused += 1;
                self.kept_answered(now, &user, kept, code);
            }
            Recipient::User(_) | Recipient::Elsewhere => {
                messages.counts.refused += 1;
                under_way.unsave(cx, message);
                sender.tell(cx, now, message, code);
            }
        }
    }

    /// The sender of a message has waited for long: it is told that the message is under way.
    pub(crate) fn message_takes_long(&mut self, now: Time, message: MessageId) {
        // Told so, it may rely on it.
        if self.save_under_way(now, message) {
            return;
        }
        let (messages, cx) = self.messages_mut();
        if let Some(UnderWay {
            stage: Stage::Sent { sender, .. },
            ..
        }) = messages.under_way.get_mut(&message)
        {
            sender.take().tell(cx, now, message, StatusCode::ACCEPTED);
        }
    }
}

impl Recipient {
    pub(super) fn of(party: &Party) -> Recipient {
        match party {
            Party::User(user) => Recipient::User(user.clone()),
            Party::Trunk { .. }
            | Party::Trunks { .. }
            | Party::Emergency { .. }
            | Party::Any(_)
            | Party::Uri { .. } => Recipient::Elsewhere,
        }
    }

    /// Places where it gets a message now: none for a user who is absent, or for whom others wait.
    ///
    /// # Errors
    /// The SIP code that says why it cannot be reached at all.
    pub(super) fn places(
        &self,
        messages: &Messages,
        cx: &mut Context,
        party: &Party,
    ) -> Result<Vec<Place>, StatusCode> {
        match (Place::all_of(cx, party), self) {
            // Those that came before it come first.
            (Ok(_), Recipient::User(user)) if messages.kept.first(user).is_some() => Ok(Vec::new()),
            (Err(StatusCode::TEMPORARILY_UNAVAILABLE), Recipient::User(_)) => Ok(Vec::new()),
            (places, _) => places,
        }
    }
}

impl Sender {
    /// The sender as it was; from here on it is answered.
    pub(super) fn take(&mut self) -> Sender {
        std::mem::replace(self, Sender::Answered)
    }

    /// Tells the sender of a message its outcome, where it waits for one.
    pub(super) fn tell(self, cx: &mut Context, now: Time, message: MessageId, code: StatusCode) {
        match self {
            Sender::Waits(tx) => cx.endpoint.reply(now, tx, code, Headers::new(), None),
            Sender::Application => cx.event(Event::MessageSent { message, code }),
            Sender::Answered => {}
        }
    }
}

impl UnderWay {
    /// Gives up its saved form, which is needed no longer.
    fn unsave(&self, cx: &mut Context, message: MessageId) {
        if self.saving != Saving::Not {
            cx.event(Event::MessageOver { message });
        }
    }

    /// The request to a place.
    fn request(&self, cx: &Context, place: Place) -> OutgoingRequest {
        let mut headers = self.content.headers.clone();
        let max_forwards = HeaderName::MaxForwards.as_str().to_owned();
        headers.push((max_forwards, self.max_forwards.to_string()));
        place.message(cx, &self.from, headers, self.content.body.clone())
    }
}

/// True for a refusal that says that nobody is there, rather than what the phone thinks of the message.
fn is_absence(code: StatusCode) -> bool {
    matches!(
        code,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TEMPORARILY_UNAVAILABLE
            | StatusCode::FLOW_FAILED
            | StatusCode::CALL_DOES_NOT_EXIST
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::SERVER_TIME_OUT
    )
}
