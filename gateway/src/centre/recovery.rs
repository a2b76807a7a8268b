//! Callers after a restart of the gateway: their saved legs, and the way they come back.
//!
//! A caller's dialog outlives us. Everything needed to resume it is saved with each change of it; after a
//! restart every caller in the log is offered to go on, and the engine is told of those who do. A call that
//! an agent had is then treated as if the agent's page were gone: the page is called as soon as it is there
//! again, or the caller waits at the old place.

use std::collections::BTreeMap;
use std::time::Duration;

use call_engine::acd::{AgentId, CallId, Input, Phase, QueueId};
use sans_io::Time;
use session_core::{Application, Coordinator, SavedLeg};

use super::controller::{Controller, GRACE, Live, Use};
use super::last_agent::tells_callers_apart;
use super::view;

/// Callers who are offered to go on at a time.
const AT_A_TIME: usize = 50;
/// From some to the next: a thousand callers a second.
const PAUSE: Duration = Duration::from_millis(50);

/// Time for which a place is kept for a caller who lost the call in a restart.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);

/// Callers from before a restart.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Saved legs.
    pub(super) legs: BTreeMap<CallId, SavedLeg>,
    /// The calls as they were last published.
    pub(super) calls: BTreeMap<CallId, view::Call>,
    pub(super) next: Time,
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
}

impl Controller {
    /// Marks the caller's leg as changed, to be kept anew.
    pub(super) fn keep_leg(&mut self, call: CallId, calls: &Coordinator) {
        let Some(live) = self.calls.get(&call).filter(|live| !live.restoring) else {
            return;
        };
        if let Some(saved) = calls.save(live.caller) {
            self.batch.legs.insert(call, Some(saved));
        }
    }

    /// Nothing is to be kept of it any longer.
    pub(super) fn forget_leg(&mut self, call: CallId) {
        self.batch.legs.insert(call, None);
    }

    /// Offers the next callers to go on.
    pub(super) fn offer_to_go_on(&mut self, now: Time, calls: &mut Coordinator) {
        if self.recovery.legs.is_empty() || now < self.recovery.next {
            return;
        }
        self.recovery.next = now + PAUSE;
        for _ in 0..AT_A_TIME {
            let Some((call, saved)) = self.recovery.legs.pop_first() else {
                break;
            };
            self.restore(now, call, saved, calls);
        }
    }

    fn restore(&mut self, now: Time, call: CallId, saved: SavedLeg, calls: &mut Coordinator) {
        let Some((session, leg)) = calls.restore(now, &saved, Some(Application::Music)) else {
            return self.forget_leg(call);
        };
        let Some(state) = self.acd.state().calls.get(&call) else {
            // The log does not know the call: its caller gets a BYE.
            self.forget_leg(call);
            return calls.terminate_session(now, session);
        };
        let published = self.recovery.calls.remove(&call);
        calls.set_grace(session, GRACE);
        let with = match state.phase {
            Phase::Connected { agent, .. } => Some(agent),
            Phase::Waiting | Phase::Connecting(_) => None,
        };
        let live = Live {
            session,
            caller: leg,
            queue: state.queue,
            from: published.as_ref().map_or_else(
                || view::Party {
                    number: saved.from.clone(),
                    display: saved.display.clone(),
                },
                |published| published.from.clone(),
            ),
            to: published
                .as_ref()
                .map_or_else(|| saved.to.clone(), |published| published.to.clone()),
            entered: Time(state.since),
            since: now,
            answered: published
                .as_ref()
                .and_then(|published| published.answered_at)
                .map(|moment| moment.0),
            agent: None,
            transferred_by: published
                .as_ref()
                .and_then(|published| self.agent_named(&published.transferred_by.as_ref()?.id)),
            notes: published
                .as_ref()
                .map(|published| published.notes.clone())
                .unwrap_or_default(),
            disposition: published
                .as_ref()
                .and_then(|published| published.disposition.clone()),
            hung_up: false,
            had: published.map_or_else(
                || with.into_iter().collect(),
                |published| self.agents_of(&published),
            ),
            recall: None,
            away: with.is_some(),
            consult: None,
            others: BTreeMap::new(),
            watchers: BTreeMap::new(),
            outside: false,
            fallback: None,
            waits_for: with,
            restoring: true,
        };
        if let Some(agent) = with {
            self.last_calls.insert(agent, call);
        }
        self.calls.insert(call, live);
        self.sessions.insert(session, call);
        self.legs.insert(leg, Use::Caller(call));
        self.batch.legs.insert(call, Some(saved));
        self.changed.calls.insert(call);
    }

    /// A caller goes on.
    pub(super) fn gone_on(&mut self, now: Time, call: CallId, calls: &mut Coordinator) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        live.restoring = false;
        self.changed.calls.insert(call);
        let input = Input::Recovered {
            call,
            with_agent: false,
        };
        self.input(now, input, calls);
        self.keep_leg(call, calls);
        if let Some(agent) = self.calls.get(&call).and_then(|live| live.waits_for)
            && self.registered.contains_key(&agent)
        {
            self.call_back(now, agent, calls);
        }
    }

    /// The page of an agent is there again: it is called into the call that the agent had before a restart.
    pub(super) fn call_back(&mut self, now: Time, agent: AgentId, calls: &mut Coordinator) {
        let had: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, live)| live.waits_for == Some(agent) && !live.restoring)
            .map(|(call, _)| *call)
            .collect();
        let Some(user) = self.directory.agent(agent).map(|person| person.name.clone()) else {
            return;
        };
        for call in had {
            self.returned(now, call, &user, calls);
        }
    }

    /// A call from before a restart is lost: a caller who calls again gets the place.
    pub(super) fn lost(&mut self, now: Time, call: CallId) {
        let published = self.recovery.calls.remove(&call);
        let place = match (self.calls.get(&call), &published) {
            (Some(live), _) => Some((live.queue, live.from.number.clone(), live.entered)),
            (None, Some(published)) => published
                .queue
                .as_ref()
                .and_then(|queue| self.directory.queue_by_id(&queue.id))
                .map(|queue| {
                    (
                        queue.config.id,
                        published.from.number.clone(),
                        published.entered_at.0,
                    )
                }),
            (None, None) => None,
        };
        if let Some((queue, number, came)) = place
            && tells_callers_apart(&number)
        {
            self.recovery.cost.insert((queue, number), (now, came));
        }
    }

    /// Time at which a caller first arrived whose call a restart ended, and who calls again.
    pub(super) fn came_before(&mut self, now: Time, queue: QueueId, number: &str) -> Option<Time> {
        let (lost, came) = self.recovery.cost.remove(&(queue, number.to_owned()))?;
        (now.since(lost) < REMEMBERED).then_some(came)
    }

    fn agents_of(&self, published: &view::Call) -> Vec<AgentId> {
        published
            .agents
            .iter()
            .filter_map(|id| self.agent_named(id))
            .collect()
    }

    fn agent_named(&self, id: &str) -> Option<AgentId> {
        Some(self.directory.person_by_id(id)?.agent.as_ref()?.id)
    }
}
