//! Requests of HTTP and of sign-ins to the signalling task.

use call_engine::{CallHandling, DialPlan};
use sans_io::Time;
use session_core::{Coordinator, MessageId, SessionId, TrunkStatus};
use sip_core::message::StatusCode;
use sip_stack::Handle;
use tokio::sync::oneshot;

use super::Switch;
use crate::auth::sentry::Order;
use crate::centre::command::{Asked, Command, Refused, Settings};
use crate::centre::signalling::{Gone, Sent, Signalling};
use crate::centre::view::Change;
use crate::quality::Inquiry;
use crate::recording;
use crate::routing::Reach;

/// Request of HTTP to the switch.
#[derive(Debug)]
pub enum Request {
    /// Sound quality of a live call.
    Quality(Inquiry),
    /// Something for the call centre.
    Centre(Asked),
    /// Order of the sentry.
    Sentry(Order),
    /// A sign-in ended: registrations that came from it end as well.
    SignedOut,
    /// Messages for absent users are in the store now, or could not be written.
    MessagesSaved {
        /// The messages.
        messages: Vec<MessageId>,
        /// True if they are in the store.
        is_saved: bool,
    },
    /// A change that a phone asked for by a feature code was made, or refused with this status.
    FeatureDone {
        /// Session of the phone's call.
        session: SessionId,
        /// Outcome.
        result: Result<(), StatusCode>,
    },
    /// A wish about the recording of a call.
    Recording(recording::control::Wanted),
    /// A change of a recording, to be published.
    Recorded(Box<Change>),
    /// State of all trunks.
    Trunks(oneshot::Sender<Vec<TrunkStatus>>),
}

/// Configuration that the call centre took.
enum Configured {
    /// Everything.
    All(DialPlan, Reach, Option<Box<Settings>>),
    /// Handling of calls to one user.
    Handling(String, CallHandling),
}

impl Switch {
    /// Carries out a request.
    pub(super) fn request(&mut self, now: Time, request: Request, coordinator: &mut Coordinator) {
        match request {
            Request::Sentry(Order::Ban(ban)) => coordinator.ban(now, ban),
            Request::Sentry(Order::Lift(address)) => {
                coordinator.lift_ban(now, address);
            }
            Request::SignedOut => coordinator.end_registrations(now),
            Request::Centre(asked) => self.command(now, asked, coordinator),
            Request::Trunks(reply) => {
                // The client may have gone away.
                let _ = reply.send(coordinator.trunks());
            }
            Request::Recording(wanted) => self.record(now, wanted),
            Request::Recorded(change) => {
                if let Some((centre, _)) = self.centre(now, coordinator) {
                    centre.publish_recording(now, *change);
                }
            }
            Request::MessagesSaved { messages, is_saved } => {
                for message in messages {
                    coordinator.message_saved(now, message, is_saved);
                }
            }
            Request::FeatureDone { session, result } => {
                self.feature_done(now, session, result, coordinator);
            }
            Request::Quality(inquiry) => self.inquiries.ask(inquiry, coordinator),
        }
    }

    /// Passes a command to the call centre. A configuration that it takes is the switch's as well.
    fn command(&mut self, now: Time, asked: Asked, coordinator: &mut Coordinator) {
        let configured = match &asked.command {
            Command::Reconfigure(new) => Some(Configured::All(
                new.plan.clone(),
                new.reach.clone(),
                new.settings.clone(),
            )),
            Command::HandleCalls { user, handling } => {
                Some(Configured::Handling(user.clone(), (**handling).clone()))
            }
            _ => None,
        };
        let Some((centre, mut cx)) = self.centre(now, coordinator) else {
            // The client may have gone away.
            let _ = asked.reply.send(Err(Refused::Busy));
            return;
        };
        let done = centre.command(asked, &mut cx);
        if let Some(configured) = configured.filter(|_| done) {
            self.configure(configured, coordinator);
        }
    }

    fn configure(&mut self, configured: Configured, coordinator: &mut Coordinator) {
        match configured {
            Configured::All(plan, reach, settings) => {
                if let Some(settings) = settings {
                    coordinator.adjust(settings.adjustment);
                    self.ring_timeout = settings.ring_timeout;
                    self.emergencies.set(settings.emergency);
                    self.routing.set_numbering(settings.numbering);
                }
                self.routing.configure(plan, reach);
                self.parked.configure(self.routing.park().clone());
            }
            Configured::Handling(user, handling) => self.routing.handle_calls(user, handling),
        }
    }
}

impl Signalling for Handle<Request> {
    fn try_send(&self, asked: Asked) -> Result<(), Gone> {
        self.try_request(Request::Centre(asked)).map_err(|_| Gone)
    }

    fn send(&self, asked: Asked) -> Sent<'_> {
        Box::pin(async move { self.request(Request::Centre(asked)).await.map_err(|_| Gone) })
    }

    fn is_ready(&self) -> bool {
        self.has_room()
    }
}
