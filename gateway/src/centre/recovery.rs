//! Callers after a restart of the gateway: their saved legs, and the way they come back.
//!
//! A caller's dialog outlives us. Everything needed to resume it is saved with each change of it; after a
//! restart every caller in the log is offered to go on, and the engine learns of those who do. A call that
//! an agent had is then treated as if the agent's page were gone: the page is called as soon as it is there
//! again, or the caller waits at the old place.

use std::collections::BTreeMap;
use std::time::Duration;

use call_engine::acd::{CallId, CallState, Phase, QueueId};
use sans_io::{Deadline, Time};
use session_core::{Application, Coordinator, LegId, SavedLeg, SessionId};

use super::call::{Call, GRACE};
use super::directory::Directory;
use super::engine::Engine;
use super::last_agent::tells_callers_apart;
use super::publisher::Publisher;
use super::view;

/// Callers whose calls are resumed at a time.
const AT_A_TIME: usize = 50;
/// Time between them: a thousand callers a second.
const PAUSE: Duration = Duration::from_millis(50);

/// Time for which a caller who lost the call in a restart has the old place when calling again.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);

/// Callers from before a restart.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Saved legs of those who were not asked to go on yet.
    legs: BTreeMap<CallId, SavedLeg>,
    /// The calls as they were last published.
    calls: BTreeMap<CallId, view::Call>,
    /// Time at which the next callers are asked to go on.
    next: Time,
    /// Callers whose calls it cost, by queue and number: when that was, and when they had come.
    cost: BTreeMap<(QueueId, String), (Time, Time)>,
}

/// Everything that the recovery works with, and owns none of.
pub(super) struct Context<'a> {
    pub(super) now: Time,
    pub(super) coordinator: &'a mut Coordinator,
    pub(super) engine: &'a Engine,
    pub(super) directory: &'a Directory,
    pub(super) publisher: &'a mut Publisher,
}

impl Recovery {
    /// Saved legs, and the calls as they were last published.
    #[must_use]
    pub fn new(legs: BTreeMap<CallId, SavedLeg>, calls: BTreeMap<CallId, view::Call>) -> Recovery {
        Recovery {
            legs,
            calls,
            ..Recovery::default()
        }
    }

    /// Time at which the next callers are offered to go on.
    pub(super) fn deadline(&self) -> Deadline {
        (!self.legs.is_empty()).then_some((self.next, "callers to go on"))
    }

    /// Time at which a caller first arrived whose call a restart ended, and who calls again.
    pub(super) fn came_before(&mut self, now: Time, queue: QueueId, number: &str) -> Option<Time> {
        let (lost, came) = self.cost.remove(&(queue, number.to_owned()))?;
        (now.since(lost) < REMEMBERED).then_some(came)
    }

    /// A call from before a restart is lost: a caller who calls again gets the place. `call` is the call, if its caller was offered to go on.
    pub(super) fn lost(&mut self, now: Time, id: CallId, call: Option<&Call>, directory: &Directory) {
        let published = self.calls.remove(&id);
        let place = match (call, &published) {
            (Some(call), _) => Some((call.queue(), call.from().number.clone(), call.entered())),
            (None, Some(published)) => published
                .queue
                .as_ref()
                .and_then(|queue| directory.queue_by_id(&queue.id))
                .map(|queue| {
                    let number = published.from.number.clone();
                    (queue.config.id, number, published.entered_at.0)
                }),
            (None, None) => None,
        };
        if let Some((queue, number, came)) = place
            && tells_callers_apart(&number)
        {
            self.cost.insert((queue, number), (now, came));
        }
    }

    /// A call from before a restart, as the engine and the last publication have it, on its new leg.
    fn call(
        &mut self,
        now: Time,
        (id, state): (CallId, &CallState),
        (session, leg): (SessionId, LegId),
        saved: &SavedLeg,
        directory: &Directory,
    ) -> Call {
        let agent = match state.phase {
            Phase::Connected { agent, .. } => Some(agent),
            Phase::Waiting | Phase::Connecting(_) => None,
        };
        let from = view::Party::new(&saved.from, &saved.display);
        let parties = (from, saved.to.clone());
        let call = Call::new(now, (session, leg), parties, state.queue);
        let mut call = call.recovering(agent, Time(state.since));
        if let Some(published) = self.calls.remove(&id) {
            let agents = published.agents.iter();
            let agents = agents.filter_map(|id| directory.agent_by_id(id)).collect();
            let by = published.transferred_by.as_ref();
            let by = by.and_then(|agent| directory.agent_by_id(&agent.id));
            call.restore(published, agents, by);
        }
        call
    }

    /// Offers the next callers to go on, and returns their calls.
    pub(super) fn offer(&mut self, cx: &mut Context<'_>) -> Vec<(CallId, Call)> {
        let due = self.take_due(cx.now);
        due.into_iter()
            .filter_map(|(id, saved)| Some((id, self.restore(id, saved, cx)?)))
            .collect()
    }

    /// Offers a caller to go on; none if that cannot be, or if nobody knows the call.
    fn restore(&mut self, id: CallId, saved: SavedLeg, cx: &mut Context<'_>) -> Option<Call> {
        let music = Some(Application::Music);
        let Some((session, leg)) = cx.coordinator.restore(cx.now, &saved, music) else {
            cx.publisher.leg(id, None);
            return None;
        };
        let Some(state) = cx.engine.call(id) else {
            // The log does not know the call: its caller gets a BYE.
            cx.publisher.leg(id, None);
            cx.coordinator.terminate_session(cx.now, session);
            return None;
        };
        cx.coordinator.set_grace(session, GRACE);
        let call = self.call(cx.now, (id, state), (session, leg), &saved, cx.directory);
        cx.publisher.leg(id, Some(saved));
        Some(call)
    }

    /// Callers to be offered to go on now.
    fn take_due(&mut self, now: Time) -> Vec<(CallId, SavedLeg)> {
        if now < self.next {
            return Vec::new();
        }
        self.next = now + PAUSE;
        std::iter::from_fn(|| self.legs.pop_first())
            .take(AT_A_TIME)
            .collect()
    }
}
