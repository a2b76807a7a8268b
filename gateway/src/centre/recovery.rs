//! Callers after a restart of the gateway: their saved legs, and the way they come back.
//!
//! A caller's dialog outlives us. Everything needed to resume it is saved with each change of it; after a
//! restart every caller in the log is offered to go on, and the engine learns of those who do. A call that
//! an agent had is then treated as if the agent's page were gone: the page is called as soon as it is there
//! again, or the caller waits at the old place.

use std::collections::BTreeMap;
use std::time::Duration;

use call_engine::acd::{CallId, CallState, Input, Phase, QueueId};
use sans_io::{Deadline, Time};
use session_core::{Application, LegId, SavedLeg, SessionId};

use super::call::Call;
use super::context::Ctx;
use super::controller::{Controller, GRACE};
use super::directory::Directory;
use super::last_agent::tells_callers_apart;
use super::legs::Role;
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
            (Some(call), _) => Some((call.queue, call.from.number.clone(), call.entered)),
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
        let from = view::Party {
            number: saved.from.clone(),
            display: saved.display.clone(),
        };
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

impl Controller {
    /// Has the caller's leg saved anew after a change.
    pub(super) fn save_leg(&mut self, id: CallId, cx: &Ctx<'_>) {
        let Some(call) = self.calls.get(&id).filter(|call| !call.is_recovering()) else {
            return;
        };
        if let Some(saved) = cx.coordinator.save(call.caller) {
            self.publisher.leg(id, Some(saved));
        }
    }

    /// Offers the next callers to go on.
    pub(super) fn recover_due(&mut self, cx: &mut Ctx<'_>) {
        for (call, saved) in self.recovery.take_due(cx.now) {
            self.restore(call, saved, cx);
        }
    }

    fn restore(&mut self, id: CallId, saved: SavedLeg, cx: &mut Ctx<'_>) {
        let restored = cx.coordinator.restore(cx.now, &saved, Some(Application::Music));
        let Some((session, leg)) = restored else {
            return self.publisher.leg(id, None);
        };
        let Some(state) = self.engine.call(id) else {
            // The log does not know the call: its caller gets a BYE.
            self.publisher.leg(id, None);
            return cx.coordinator.terminate_session(cx.now, session);
        };
        cx.coordinator.set_grace(session, GRACE);
        let call = self
            .recovery
            .call(cx.now, (id, state), (session, leg), &saved, &self.directory);
        if let Some(agent) = call.agent() {
            self.agents.took(agent, id);
        }
        self.calls.insert(id, call);
        self.legs.set_session(session, id);
        self.legs.set(leg, Role::Caller(id));
        self.publisher.leg(id, Some(saved));
        self.publisher.call(id);
    }

    /// A caller goes on.
    pub(super) fn caller_recovered(&mut self, id: CallId, cx: &mut Ctx<'_>) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.go_on();
        self.publisher.call(id);
        let input = Input::Recovered {
            call: id,
            with_agent: false,
        };
        self.input(input, cx);
        self.save_leg(id, cx);
        let agent = self.calls.get(&id).and_then(Call::agent);
        if let Some(agent) = agent.filter(|agent| self.agents.is_registered(*agent)) {
            self.call_back(agent, cx);
        }
    }
}
