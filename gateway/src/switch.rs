//! The meeting point of signalling and policy: calls are put to the dial plan, and events to whoever owns the call.

mod diversion;
mod emergency;
mod events;
mod features;
mod incoming;
mod park;
mod recordings;
mod requests;
mod transfer;
mod underway;
mod watching;

use std::collections::BTreeMap;
use std::time::Duration;

use call_engine::Origin;
use sans_io::{Deadline, Time, earlier};
use session_core::{Coordinator, Event, SessionId, Source};
use sip_stack::Application;
use tokio::sync::mpsc;

use self::emergency::Emergencies;
use self::features::FeatureCalls;
use self::park::ParkedCalls;
pub use self::requests::Request;
use self::underway::Underway;
use crate::auth::sentry::Sentry;
use crate::call_counts::CallCounts;
use crate::call_log::CallLines;
use crate::centre::context::Ctx;
use crate::centre::controller::Controller;
use crate::config::Emergency;
use crate::feature_changes::Order;
use crate::messages::MessageSaver;
use crate::quality::Inquiries;
use crate::recording::control::Control;
use crate::routing::Routing;

/// The application of the gateway's signalling task.
pub struct Switch {
    routing: Routing,
    ring_timeout: Duration,
    /// The log of live calls.
    lines: BTreeMap<SessionId, CallLines>,
    /// Calls that nobody has answered yet.
    underway: BTreeMap<SessionId, Underway>,
    /// Number of calls that each ring group had, by its name.
    turns: BTreeMap<String, usize>,
    parked: ParkedCalls,
    inquiries: Inquiries,
    centre: Option<Controller>,
    sentry: Option<Sentry>,
    counts: CallCounts,
    emergencies: Emergencies,
    messages: Option<MessageSaver>,
    features: FeatureCalls,
    recordings: Option<Control>,
}

impl Switch {
    /// A switch that routes calls, with a call centre.
    #[must_use]
    pub fn new(routing: Routing, ring_timeout: Duration, centre: Option<Controller>) -> Switch {
        let mut parked = ParkedCalls::default();
        parked.configure(routing.park().clone());
        Switch {
            parked,
            routing,
            ring_timeout,
            lines: BTreeMap::new(),
            underway: BTreeMap::new(),
            turns: BTreeMap::new(),
            inquiries: Inquiries::default(),
            centre,
            sentry: None,
            counts: CallCounts::default(),
            emergencies: Emergencies::default(),
            messages: None,
            features: FeatureCalls::default(),
            recordings: None,
        }
    }

    /// Counts of the calls that are over.
    #[must_use]
    pub fn counts(&self) -> CallCounts {
        self.counts.clone()
    }

    /// Places emergency calls like this.
    #[must_use]
    pub fn with_emergency(self, settings: Emergency) -> Switch {
        Switch {
            emergencies: Emergencies::new(settings),
            ..self
        }
    }

    /// Has feature codes change settings by these orders.
    #[must_use]
    pub(crate) fn ordering(self, orders: mpsc::Sender<Order>) -> Switch {
        Switch {
            features: FeatureCalls::new(orders),
            ..self
        }
    }

    /// Has messages for absent users saved.
    #[must_use]
    pub fn saving_messages(self, saver: MessageSaver) -> Switch {
        Switch {
            messages: Some(saver),
            ..self
        }
    }

    /// Reports refusals and bans to `sentry`.
    #[must_use]
    pub fn watched_by(self, sentry: Sentry) -> Switch {
        Switch {
            sentry: Some(sentry),
            ..self
        }
    }

    /// The call centre, and what it works with.
    fn centre<'a>(
        &'a mut self,
        now: Time,
        coordinator: &'a mut Coordinator,
    ) -> Option<(&'a mut Controller, Ctx<'a>)> {
        let centre = self.centre.as_mut()?;
        let cx = Ctx {
            now,
            coordinator,
            routing: &self.routing,
        };
        Some((centre, cx))
    }

    /// True if callers may wait in the queue of this name.
    fn has_queue(&self, name: &str) -> bool {
        self.centre.as_ref().is_some_and(|centre| centre.takes(name))
    }
}

/// Origin of a request, as the dial plan knows it.
fn origin(source: &Source) -> Origin {
    match source {
        Source::User(user) => Origin::User(user.clone()),
        Source::Trunk(name) => Origin::Trunk(name.clone()),
        Source::Anyone => Origin::Anonymous,
    }
}

impl Application for Switch {
    type Request = Request;

    fn handle(&mut self, now: Time, event: Event, coordinator: &mut Coordinator) {
        self.event(now, event, coordinator);
    }

    fn deadline(&self) -> Deadline {
        let centre = self.centre.as_ref().and_then(Controller::deadline);
        earlier(earlier(centre, self.park_deadline()), self.feature_deadline())
    }

    fn handle_timeout(&mut self, now: Time, coordinator: &mut Coordinator) {
        if let Some((centre, mut cx)) = self.centre(now, coordinator) {
            centre.handle_timeout(&mut cx);
        }
        self.parked_due(now, coordinator);
        self.features_due(now, coordinator);
    }

    fn handle_request(&mut self, now: Time, request: Request, coordinator: &mut Coordinator) {
        self.request(now, request, coordinator);
    }
}
