//! Feature codes: what a user's phone dials to change how the user's calls are handled, or to pick up a call that rings elsewhere.
//!
//! A change is made where the API makes it, outside of the signalling task; the phone rings until it is durable, then hears a tone, and
//! the call ends. A call that is picked up is taken over as by an INVITE with `Replaces`.

use std::collections::BTreeMap;
use std::time::Duration;

use call_engine::Origin;
use media_core::control::Application as Sound;
use sans_io::{Deadline, Time};
use session_core::{Coordinator, IncomingCall, LegId, Party, SessionId, Source};
use sip_core::message::StatusCode;
use tokio::sync::mpsc;

use super::Switch;
use crate::call_log::CallLines;
use crate::config::Feature;
use crate::feature_changes::{Change, Order};
use crate::routing::Destination;

/// Time that the tone lasts after which a call of a code ends.
const TONE: Duration = Duration::from_millis(1_500);

/// Tones, in hertz: something is on now, or off.
const ON: u16 = 1_004;
const OFF: u16 = 440;

/// Level of the tones, dBm0.
const LEVEL: i8 = -10;

/// Calls of codes.
#[derive(Debug, Default)]
pub(super) struct FeatureCalls {
    /// Way to the task that changes settings; none: nothing can be changed.
    orders: Option<mpsc::Sender<Order>>,
    calls: BTreeMap<SessionId, Stage>,
}

/// Stage of a call.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The change is being made.
    Asked { leg: LegId, tone: u16 },
    /// The phone is answered.
    Confirmed,
    /// The phone hears the tone until then.
    Tone { until: Time },
}

impl FeatureCalls {
    /// Sends changes there.
    pub(super) fn new(orders: mpsc::Sender<Order>) -> FeatureCalls {
        FeatureCalls {
            orders: Some(orders),
            calls: BTreeMap::new(),
        }
    }

    fn order(&self, order: Order) -> bool {
        self.orders
            .as_ref()
            .is_some_and(|orders| orders.try_send(order).is_ok())
    }
}

impl Switch {
    /// Takes a call that a user's phone makes with a feature code. False if it is none.
    pub(super) fn feature(
        &mut self,
        now: Time,
        (session, leg): (SessionId, LegId),
        call: &IncomingCall,
        coordinator: &mut Coordinator,
    ) -> bool {
        let Source::User(user) = &call.source else {
            return false;
        };
        let Some(feature) = self.routing.feature_codes().read(&call.to) else {
            return false;
        };
        let lines = CallLines::feature(now, session, call);
        let kind = lines.kind();
        self.lines.insert(session, lines);
        let change = match feature {
            None => {
                coordinator.reject(now, session, StatusCode::ADDRESS_INCOMPLETE);
                return true;
            }
            Some(Feature::PickUpGroup) => {
                let ringing = self.ringing_in_group(now, user, coordinator);
                pick_up(now, (session, leg), ringing, coordinator);
                self.arrived(now, (session, kind), call, None, coordinator);
                return true;
            }
            Some(Feature::PickUp(number)) => {
                let ringing = self.ringing_at(now, user, &number, coordinator);
                pick_up(now, (session, leg), ringing, coordinator);
                self.arrived(now, (session, kind), call, None, coordinator);
                return true;
            }
            Some(Feature::ForwardAlways(number)) => Change::ForwardAlways(number),
            Some(Feature::ForwardBusy(number)) => Change::ForwardBusy(number),
            Some(Feature::ForwardNoAnswer(number)) => Change::ForwardNoAnswer(number),
            Some(Feature::DoNotDisturb(wanted)) => Change::DoNotDisturb(wanted),
        };
        self.change(now, (session, leg), (user.clone(), change), coordinator);
        true
    }

    /// Has a setting changed that a phone asks for.
    fn change(
        &mut self,
        now: Time,
        (session, leg): (SessionId, LegId),
        (user, change): (String, Change),
        coordinator: &mut Coordinator,
    ) {
        let tone = if change.is_on() { ON } else { OFF };
        if self.features.order(Order {
            session,
            user,
            change,
        }) {
            self.features.calls.insert(session, Stage::Asked { leg, tone });
        } else {
            coordinator.reject(now, session, StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    /// A change that a phone asked for was made, or refused with this status.
    pub(super) fn feature_done(
        &mut self,
        now: Time,
        session: SessionId,
        result: Result<(), StatusCode>,
        coordinator: &mut Coordinator,
    ) {
        let Some(Stage::Asked { leg, tone }) = self.features.calls.get(&session).copied() else {
            return;
        };
        match result {
            Ok(()) => {
                self.features.calls.insert(session, Stage::Confirmed);
                let tone = Sound::Tone {
                    hertz: tone,
                    dbm0: LEVEL,
                };
                coordinator.answer(now, leg, Some(tone));
            }
            Err(code) => {
                self.features.calls.remove(&session);
                coordinator.reject(now, session, code);
            }
        }
    }

    /// A caller was answered: one who dialled a code hears the tone from here on.
    pub(super) fn feature_answered(&mut self, now: Time, session: SessionId) {
        if let Some(stage) = self.features.calls.get_mut(&session) {
            *stage = Stage::Tone { until: now + TONE };
        }
    }

    pub(super) fn feature_over(&mut self, session: SessionId) {
        self.features.calls.remove(&session);
    }

    pub(super) fn feature_deadline(&self) -> Deadline {
        let ends = self.features.calls.values().filter_map(|stage| match stage {
            Stage::Tone { until } => Some(*until),
            Stage::Asked { .. } | Stage::Confirmed => None,
        });
        ends.min().map(|at| (at, "end of a confirmation"))
    }

    /// Ends calls whose tone was heard.
    pub(super) fn features_due(&mut self, now: Time, coordinator: &mut Coordinator) {
        let is_over = |stage: &Stage| matches!(stage, Stage::Tone { until } if *until <= now);
        let calls = self.features.calls.iter();
        let over: Vec<SessionId> = calls
            .filter(|(_, stage)| is_over(stage))
            .map(|(session, _)| *session)
            .collect();
        for session in over {
            self.features.calls.remove(&session);
            coordinator.terminate_session(now, session);
        }
    }

    /// A phone that rings for a group of which the user is a member: that of the call that came first.
    fn ringing_in_group(&self, now: Time, user: &str, coordinator: &Coordinator) -> Option<LegId> {
        let mut calls = self.underway.iter();
        calls.find_map(|(session, call)| {
            let group = call.group()?;
            let members = self
                .routing
                .members(now, group.members.iter().map(String::as_str));
            let is_member = |party: &Party| matches!(party, Party::User(name) if name == user);
            members
                .iter()
                .any(is_member)
                .then(|| coordinator.ringing_in(*session))?
        })
    }

    /// A phone that rings at the user whom a number leads to.
    fn ringing_at(&self, now: Time, user: &str, number: &str, coordinator: &Coordinator) -> Option<LegId> {
        let destination = self.routing.route(now, Origin::User(user.to_owned()), number);
        match destination {
            Destination::Party(party) => match *party {
                Party::User(user) => coordinator.ringing_at(&user),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Gives a caller the place of a phone that rings; refuses the caller if none does.
fn pick_up(
    now: Time,
    (session, leg): (SessionId, LegId),
    ringing: Option<LegId>,
    coordinator: &mut Coordinator,
) {
    match ringing {
        Some(ringing) => coordinator.replace(now, leg, ringing),
        None => coordinator.reject(now, session, StatusCode::NOT_FOUND),
    }
}
