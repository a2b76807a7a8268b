//! Calls: they come, wait, are with an agent, and leave.

use std::time::Duration;

use sans_io::Time;

use super::config::{QueueConfig, Requirement, Target};
use super::fact::{Departure, Fact, Intent, OfferEnd, OverflowCause, ReturnCause};
use super::ids::{AgentId, CallId, OfferId, QueueId};
use super::index::{Index, Place};
use super::input::{Enqueue, Output, POSITIONS, Refusal, Requeue};
use super::state::{Phase, Work, vet};
use super::timeout::Alarm;
use super::{Acd, Call, Stand};

/// Queues that a call may be handed on to at one moment; after so many it ends.
const HOPS: usize = 8;

/// When a caller is first told its place.
const FIRST_ANNOUNCEMENT: Duration = Duration::from_secs(2);

/// The reason of an agent's pause whose page was lost in a call.
pub const LOST: &str = "lost";

impl Acd {
    pub(super) fn set_queue(&mut self, now: Time, queue: QueueConfig) {
        let id = queue.id;
        let known = self.queues.insert(id, queue).is_some();
        let concerns = |agent: &super::Agent| agent.config.queues.iter().any(|m| m.queue == id);
        if known || self.agents.values().any(concerns) {
            self.rebuild(now);
            let waiting: Vec<CallId> = self.line(id).collect();
            for call in waiting {
                self.arm_waiting(now, call);
            }
        }
    }

    pub(super) fn remove_queue(&mut self, now: Time, id: QueueId) {
        if !self.queues.contains_key(&id) {
            return self.refuse(Refusal::UnknownQueue(id));
        }
        if self.state.calls.values().any(|call| call.queue == id) {
            return self.refuse(Refusal::QueueBusy(id));
        }
        self.queues.remove(&id);
        self.lines.remove(&id);
        self.rebuild(now);
    }

    /// Makes the index anew after a queue changed.
    fn rebuild(&mut self, now: Time) {
        let agents: Vec<AgentId> = self.agents.keys().copied().collect();
        for &id in &agents {
            self.withdraw(id);
        }
        self.index = Index::default();
        for call in self.calls.values_mut() {
            call.stand = Stand::Nowhere;
        }
        for agent in self.agents.values_mut() {
            agent.sticky.clear();
            agent.class = self.index.join(&agent.config, &self.queues);
        }
        for id in agents {
            self.refresh(now, id);
        }
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        for call in calls {
            self.place(call);
        }
    }

    /// Configuration is complete.
    pub(super) fn start(&mut self, now: Time) {
        self.record(now, Fact::Started);
        let wrapping: Vec<(AgentId, u64)> = self
            .state
            .agents
            .iter()
            .filter_map(|(id, state)| match state.work {
                Work::WrapUp(until) if self.agents.contains_key(id) => Some((*id, until)),
                _ => None,
            })
            .collect();
        for (agent, until) in wrapping {
            self.arm(Alarm::WrapUp(agent), Time(until).max(now));
        }
        let calls: Vec<(CallId, QueueId)> = self
            .state
            .calls
            .iter()
            .map(|(id, call)| (*id, call.queue))
            .collect();
        for (call, queue) in calls {
            self.calls.insert(call, Call::new(now, true));
            if self.queues.contains_key(&queue) {
                self.stand_in_line(call);
                self.arm(Alarm::Recover(call), now + self.settings.call_grace);
            } else {
                self.lose_call(now, call);
            }
        }
        self.sign_out_strangers(now);
        let agents: Vec<AgentId> = self.agents.keys().copied().collect();
        for id in agents {
            self.apply_next(now, id);
            self.refresh(now, id);
        }
    }

    pub(super) fn recovered(&mut self, now: Time, id: CallId, with_agent: bool) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.recovering) else {
            return self.refuse(Refusal::UnknownCall(id));
        };
        call.recovering = false;
        self.timers.cancel(Alarm::Recover(id));
        match self.state.calls.get(&id).map(|call| call.phase) {
            Some(Phase::Waiting) => {
                self.arm_waiting(now, id);
                self.place(id);
            }
            Some(Phase::Connecting(_)) => self.not_connected(now, id),
            Some(Phase::Connected { away, .. }) => {
                if away == with_agent {
                    self.record(
                        now,
                        Fact::Away {
                            call: id,
                            away: !with_agent,
                        },
                    );
                }
                if !with_agent {
                    self.arm(Alarm::CallGrace(id), now + self.settings.call_grace);
                }
            }
            None => {}
        }
    }

    pub(super) fn not_recovered(&mut self, now: Time, call: CallId) {
        if self.calls.get(&call).is_some_and(|call| call.recovering) {
            self.lose_call(now, call);
        }
    }

    fn lose_call(&mut self, now: Time, call: CallId) {
        self.leave(now, call, Departure::Lost, None);
        self.out.push_back(Output::HangUp { call });
    }

    pub(super) fn enqueue(&mut self, now: Time, new: Enqueue) {
        let Some(queue) = self.queues.get(&new.queue) else {
            return self.refuse(Refusal::UnknownQueue(new.queue));
        };
        if self.state.calls.contains_key(&new.call) {
            return self.refuse(Refusal::CallExists(new.call));
        }
        let vet = vet(now.as_micros(), new.priority, queue.boost);
        // Nobody waits for an agent who is not there.
        let sticky = new.sticky.filter(|agent| {
            self.agents.contains_key(agent) && self.agent_state(*agent).intent != Intent::Offline
        });
        self.record(
            now,
            Fact::Entered {
                call: new.call,
                queue: new.queue,
                priority: new.priority,
                requires: new.requires,
                sticky,
                vet,
            },
        );
        self.calls.insert(new.call, Call::new(now, false));
        self.admit(now, new.call);
    }

    /// A call comes to a queue: it waits there, or goes where the queue sends it.
    fn admit(&mut self, now: Time, id: CallId) {
        for _ in 0..HOPS {
            let Some(queue) = self.queue_of(id) else { return };
            match self.refused_by(now, queue) {
                None => {
                    self.begin_waiting(now, id);
                    return;
                }
                Some(why) => {
                    let target = queue.overflow.clone();
                    if !self.hand_on(now, id, &target, why) {
                        return;
                    }
                }
            }
        }
        self.depart(now, id, Target::HangUp, OverflowCause::Full);
    }

    fn refused_by(&self, now: Time, queue: &QueueConfig) -> Option<OverflowCause> {
        if queue.hours.as_ref().is_some_and(|hours| !hours.is_open(now)) {
            return Some(OverflowCause::Closed);
        }
        let waiting = self.lines.get(&queue.id).map_or(0, |line| line.len());
        if queue.max_length.is_some_and(|max| waiting >= max as usize) {
            return Some(OverflowCause::Full);
        }
        (queue.leave_when_empty && self.index.serving(queue.id) == 0).then_some(OverflowCause::Empty)
    }

    /// True when the call is in another queue now; otherwise it has left.
    fn hand_on(&mut self, now: Time, id: CallId, target: &Target, why: OverflowCause) -> bool {
        if let (Target::Queue(queue), Some(call)) = (target, self.state.calls.get(&id))
            && self.queues.contains_key(queue)
            && call.queue != *queue
        {
            let (priority, vet) = (call.priority, call.vet);
            self.record(
                now,
                Fact::Moved {
                    call: id,
                    queue: *queue,
                    why: Some(why),
                    priority,
                    vet,
                },
            );
            return true;
        }
        // A queue that is not there keeps nobody.
        let target = match target {
            Target::Queue(_) => Target::HangUp,
            other => other.clone(),
        };
        self.depart(now, id, target, why);
        false
    }

    fn depart(&mut self, now: Time, call: CallId, target: Target, why: OverflowCause) {
        self.leave(now, call, Departure::Overflowed(why, target.clone()), None);
        self.out.push_back(Output::Overflow { call, target, why });
    }

    /// A waiting call is kept no longer.
    pub(super) fn overflow(&mut self, now: Time, id: CallId, why: OverflowCause) {
        let Some(target) = self.queue_of(id).map(|queue| queue.overflow.clone()) else {
            return;
        };
        self.cancel_offers(now, id);
        self.stop_waiting(id);
        if self.hand_on(now, id, &target, why) {
            self.admit(now, id);
        }
    }

    /// The last agent who served some queues signed out.
    pub(super) fn emptied(&mut self, now: Time, class: usize) {
        let empty: Vec<QueueId> = self
            .index
            .queues(class)
            .filter(|id| {
                self.queues.get(id).is_some_and(|queue| queue.leave_when_empty)
                    && self.index.serving(*id) == 0
            })
            .collect();
        for queue in empty {
            let waiting: Vec<CallId> = self.line(queue).collect();
            for call in waiting {
                if self.calls.get(&call).is_some_and(|call| !call.recovering) {
                    self.overflow(now, call, OverflowCause::Empty);
                }
            }
        }
    }

    fn begin_waiting(&mut self, now: Time, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.waits_since = now;
        }
        self.stand_in_line(id);
        self.arm_waiting(now, id);
        if self.queue_of(id).is_some_and(|queue| queue.announce.is_some()) {
            self.arm(Alarm::Announce(id), now + FIRST_ANNOUNCEMENT);
        }
        self.place(id);
    }

    /// Deadlines of a call that waits.
    fn arm_waiting(&mut self, now: Time, id: CallId) {
        let (Some(queue), Some(state), Some(call)) =
            (self.queue_of(id), self.state.calls.get(&id), self.calls.get(&id))
        else {
            return;
        };
        if state.phase != Phase::Waiting || call.recovering {
            return;
        }
        let since = Time(state.since);
        let max_wait = queue.max_wait.map(|max| call.waits_since + max);
        let next = match state.step {
            None => Some((Alarm::Sticky(id), call.waits_since + queue.sticky_wait)),
            Some(step) => queue
                .widening
                .get(usize::from(step))
                .map(|widening| (Alarm::Widen(id), since + widening.after)),
        };
        let announce = queue.announce.is_some();
        match max_wait {
            Some(at) => self.arm(Alarm::MaxWait(id), at.max(now)),
            None => {
                self.timers.cancel(Alarm::MaxWait(id));
            }
        }
        self.timers.cancel(Alarm::Sticky(id));
        self.timers.cancel(Alarm::Widen(id));
        if let Some((alarm, at)) = next {
            self.arm(alarm, at.max(now));
        }
        if announce && self.timers.get(Alarm::Announce(id)).is_none() {
            self.arm(Alarm::Announce(id), now + FIRST_ANNOUNCEMENT);
        }
    }

    /// The call accepts more agents: from the one it knows to all, or by the queue's next step.
    pub(super) fn widen(&mut self, now: Time, id: CallId) {
        let Some(call) = self.state.calls.get(&id) else {
            return;
        };
        let step = call.step.map_or(0, |step| step.saturating_add(1));
        self.record(now, Fact::Widened { call: id, step });
        self.arm_waiting(now, id);
        self.place(id);
    }

    /// The agent that the call waited for alone did not take it: all are asked.
    pub(super) fn unstick(&mut self, now: Time, id: CallId, agent: AgentId) {
        if self.state.calls.get(&id).is_some_and(|call| {
            call.phase == Phase::Waiting && call.step.is_none() && call.sticky == Some(agent)
        }) {
            self.widen(now, id);
        }
    }

    /// An agent signs out: the calls that wait for it alone wait for all.
    pub(super) fn release_sticky(&mut self, now: Time, agent: AgentId) {
        let calls: Vec<CallId> = self
            .agents
            .get(&agent)
            .map(|agent| agent.sticky.iter().map(|place| place.2).collect())
            .unwrap_or_default();
        for call in calls {
            self.widen(now, call);
        }
    }

    /// An agent is configured anew: calls may wait for it alone.
    pub(super) fn stick(&mut self, agent: AgentId) {
        let calls: Vec<CallId> = self
            .state
            .calls
            .iter()
            .filter(|(_, call)| call.step.is_none() && call.sticky == Some(agent))
            .map(|(id, _)| *id)
            .collect();
        for call in calls {
            self.place(call);
        }
    }

    pub(super) fn announce(&mut self, now: Time, id: CallId) {
        let (Some(queue), Some(state)) = (self.queue_of(id), self.state.calls.get(&id)) else {
            return;
        };
        let Some(every) = queue.announce else { return };
        let position = self
            .line(state.queue)
            .take(POSITIONS)
            .position(|other| other == id)
            .and_then(|position| u32::try_from(position + 1).ok());
        let waited = now.since(Time(state.since));
        self.out.push_back(Output::Announce {
            call: id,
            position,
            waited,
        });
        self.arm(Alarm::Announce(id), now + every.max(FIRST_ANNOUNCEMENT));
    }

    pub(super) fn connected(&mut self, now: Time, id: CallId) {
        match self.phase(id) {
            Some(Phase::Connecting(agent)) => {
                self.timers.cancel(Alarm::Connect(id));
                self.record(now, Fact::Connected { call: id });
                self.refresh(now, agent);
            }
            _ => self.refuse(Refusal::UnknownCall(id)),
        }
    }

    /// They do not hear each other: the call goes back, and not to this agent at once.
    pub(super) fn not_connected(&mut self, now: Time, id: CallId) {
        let Some(Phase::Connecting(agent)) = self.phase(id) else {
            return self.refuse(Refusal::UnknownCall(id));
        };
        self.cool_down(now, agent);
        self.exclude(now, agent, id);
        self.give_back(now, id, agent, ReturnCause::NotConnected, None, None);
    }

    pub(super) fn held(&mut self, now: Time, id: CallId, on_hold: bool) {
        match self.phase(id) {
            Some(Phase::Connected { agent, held, .. }) => {
                if held != on_hold {
                    self.record(
                        now,
                        Fact::Held {
                            call: id,
                            held: on_hold,
                        },
                    );
                    self.refresh(now, agent);
                }
            }
            _ => self.refuse(Refusal::UnknownCall(id)),
        }
    }

    pub(super) fn away(&mut self, now: Time, id: CallId, is_away: bool) {
        match self.phase(id) {
            Some(Phase::Connected { away, .. }) => {
                if away == is_away {
                    return;
                }
                self.record(
                    now,
                    Fact::Away {
                        call: id,
                        away: is_away,
                    },
                );
                if is_away {
                    self.arm(Alarm::CallGrace(id), now + self.settings.call_grace);
                } else {
                    self.timers.cancel(Alarm::CallGrace(id));
                }
            }
            // Whoever is gone before they heard each other is found out by the deadline for that.
            Some(Phase::Connecting(_)) => {}
            _ => self.refuse(Refusal::UnknownCall(id)),
        }
    }

    /// The agent's page did not come back: the call waits again, at its old place.
    pub(super) fn agent_lost(&mut self, now: Time, id: CallId) {
        let Some(Phase::Connected { agent, .. }) = self.phase(id) else {
            return;
        };
        // Who wanted to go home goes home.
        if self.agents.contains_key(&agent) && self.agent_state(agent).next != Some(Intent::Offline) {
            self.record(
                now,
                Fact::Next {
                    agent,
                    intent: Some(Intent::Paused(LOST.into())),
                },
            );
        }
        self.give_back(now, id, agent, ReturnCause::AgentLost, None, None);
    }

    pub(super) fn requeue(&mut self, now: Time, requeue: Requeue) {
        let id = requeue.call;
        let Some(agent) = self.phase(id).and_then(Phase::agent) else {
            return self.refuse(Refusal::UnknownCall(id));
        };
        let boost = match requeue.queue {
            Some(queue) => match self.queues.get(&queue) {
                Some(queue) => Some((queue.id, queue.boost)),
                None => return self.refuse(Refusal::UnknownQueue(queue)),
            },
            None => None,
        };
        if let Some(sticky) = requeue.sticky.filter(|sticky| !self.agents.contains_key(sticky)) {
            return self.refuse(Refusal::UnknownAgent(sticky));
        }
        let wrap_up = self.wrap_up(now, id);
        self.exclude(now, agent, id);
        match boost {
            None => self.give_back(now, id, agent, ReturnCause::SentBack, requeue.sticky, wrap_up),
            Some((queue, boost)) => {
                self.record(
                    now,
                    Fact::Returned {
                        call: id,
                        why: ReturnCause::SentBack,
                        sticky: None,
                        wrap_up,
                    },
                );
                self.record(
                    now,
                    Fact::Moved {
                        call: id,
                        queue,
                        why: None,
                        priority: requeue.priority,
                        vet: vet(now.as_micros(), requeue.priority, boost),
                    },
                );
                self.returned(now, id, agent);
                self.admit(now, id);
            }
        }
    }

    pub(super) fn hand_over(&mut self, now: Time, id: CallId, to: AgentId) {
        let Some(Phase::Connected { agent, .. }) = self.phase(id) else {
            return self.refuse(Refusal::UnknownCall(id));
        };
        let Some(other) = self.agents.get(&to) else {
            return self.refuse(Refusal::UnknownAgent(to));
        };
        if agent == to {
            return;
        }
        if matches!(self.agent_state(to).work, Work::Call(_)) {
            return self.refuse(Refusal::AgentBusy(to));
        }
        if let Some(offer) = other.offer {
            self.end_offer(now, offer, OfferEnd::Cancelled, false);
        }
        if matches!(self.agent_state(to).work, Work::WrapUp(_)) {
            self.timers.cancel(Alarm::WrapUp(to));
            self.record(
                now,
                Fact::WrappedUp {
                    agent: to,
                    code: None,
                },
            );
        }
        let wrap_up = self.wrap_up(now, id);
        self.timers.cancel(Alarm::CallGrace(id));
        self.record(
            now,
            Fact::HandedOver {
                call: id,
                to,
                wrap_up,
            },
        );
        self.freed(now, agent);
        self.refresh(now, to);
    }

    pub(super) fn ended(&mut self, now: Time, id: CallId) {
        let (how, wrap_up) = match self.phase(id) {
            None => return self.refuse(Refusal::UnknownCall(id)),
            Some(Phase::Waiting | Phase::Connecting(_)) => (Departure::Abandoned, None),
            Some(Phase::Connected { .. }) => (Departure::Completed, self.wrap_up(now, id)),
        };
        self.cancel_offers(now, id);
        self.leave(now, id, how, wrap_up);
    }

    fn leave(&mut self, now: Time, id: CallId, how: Departure, wrap_up: Option<Time>) {
        let agent = self.phase(id).and_then(Phase::agent);
        self.stop_waiting(id);
        for alarm in [Alarm::Connect(id), Alarm::CallGrace(id), Alarm::Recover(id)] {
            self.timers.cancel(alarm);
        }
        self.record(
            now,
            Fact::Left {
                call: id,
                how,
                wrap_up,
            },
        );
        self.calls.remove(&id);
        if let Some(agent) = agent {
            self.freed(now, agent);
        }
    }

    /// A call that was with an agent waits in its queue again.
    fn give_back(
        &mut self,
        now: Time,
        id: CallId,
        agent: AgentId,
        why: ReturnCause,
        sticky: Option<AgentId>,
        wrap_up: Option<Time>,
    ) {
        // Nobody waits for an agent who is not there.
        let sticky = sticky.filter(|agent| self.agent_state(*agent).intent != Intent::Offline);
        self.record(
            now,
            Fact::Returned {
                call: id,
                why,
                sticky,
                wrap_up,
            },
        );
        self.returned(now, id, agent);
        self.begin_waiting(now, id);
    }

    fn returned(&mut self, now: Time, id: CallId, agent: AgentId) {
        self.timers.cancel(Alarm::Connect(id));
        self.timers.cancel(Alarm::CallGrace(id));
        self.timers.cancel(Alarm::Recover(id));
        if let Some(call) = self.calls.get_mut(&id) {
            call.recovering = false;
        }
        self.out.push_back(Output::Wait { call: id, agent });
        self.freed(now, agent);
    }

    /// When the agent's wrap-up after this call ends.
    fn wrap_up(&self, now: Time, call: CallId) -> Option<Time> {
        let wrap_up = self.queue_of(call)?.wrap_up;
        (!wrap_up.is_zero()).then(|| now + wrap_up)
    }

    pub(super) fn cancel_offers(&mut self, now: Time, id: CallId) {
        let offers: Vec<OfferId> = self
            .calls
            .get(&id)
            .map(|call| call.offers.iter().copied().collect())
            .unwrap_or_default();
        for offer in offers {
            self.end_offer(now, offer, OfferEnd::Cancelled, false);
        }
    }

    fn phase(&self, call: CallId) -> Option<Phase> {
        self.state.calls.get(&call).map(|call| call.phase)
    }

    pub(super) fn queue_of(&self, call: CallId) -> Option<&QueueConfig> {
        self.queues.get(&self.state.calls.get(&call)?.queue)
    }

    fn place_of(&self, id: CallId) -> Option<Place> {
        self.state.calls.get(&id).map(|call| (call.vet, call.order, id))
    }

    fn stand_in_line(&mut self, id: CallId) {
        if let (Some(place), Some(call)) = (self.place_of(id), self.state.calls.get(&id))
            && call.phase == Phase::Waiting
        {
            self.lines.entry(call.queue).or_default().insert(place);
        }
    }

    /// Neither in the line nor anywhere where it is looked for; nothing happens to it by itself.
    pub(super) fn stop_waiting(&mut self, id: CallId) {
        if let (Some(place), Some(call)) = (self.place_of(id), self.state.calls.get(&id))
            && let Some(line) = self.lines.get_mut(&call.queue)
        {
            line.remove(&place);
        }
        for alarm in [
            Alarm::Sticky(id),
            Alarm::Widen(id),
            Alarm::MaxWait(id),
            Alarm::Announce(id),
            Alarm::Progress(id),
        ] {
            self.timers.cancel(alarm);
        }
        self.stand(id, Stand::Nowhere);
    }

    /// Puts a call where it is looked for now. To be called after each change.
    pub(super) fn place(&mut self, id: CallId) {
        let stand = self.stand_of(id);
        self.stand(id, stand);
        if stand != Stand::Nowhere
            && let Some(place) = self.place_of(id)
        {
            self.ready_calls.insert(place);
        }
    }

    fn stand_of(&mut self, id: CallId) -> Stand {
        let (Some(state), Some(call)) = (self.state.calls.get(&id), self.calls.get(&id)) else {
            return Stand::Nowhere;
        };
        let Some(queue) = self.queues.get(&state.queue) else {
            return Stand::Nowhere;
        };
        if state.phase != Phase::Waiting || call.recovering {
            return Stand::Nowhere;
        }
        let alone = call.offers.is_empty();
        let Some(step) = state.step else {
            return match state.sticky {
                Some(agent) if alone && self.agents.contains_key(&agent) => Stand::Sticky(agent),
                _ => Stand::Nowhere,
            };
        };
        let rings_on = match queue.strategy {
            super::Strategy::RingAll => true,
            super::Strategy::RingProgressive => call.wants_more,
            _ => false,
        };
        if !alone && !rings_on {
            return Stand::Nowhere;
        }
        let (requires, max_tier) = requirements(queue, &state.requires, step);
        let bucket = self.index.bucket(queue, &requires, max_tier);
        if alone {
            Stand::Waiting(bucket)
        } else {
            Stand::Ringing(bucket)
        }
    }

    fn stand(&mut self, id: CallId, stand: Stand) {
        let Some(place) = self.place_of(id) else { return };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let old = std::mem::replace(&mut call.stand, stand);
        if old == stand {
            return;
        }
        match old {
            Stand::Nowhere => {}
            Stand::Waiting(bucket) => {
                self.index.buckets[bucket].waiting.remove(&place);
            }
            Stand::Ringing(bucket) => {
                self.index.buckets[bucket].ringing.remove(&place);
            }
            Stand::Sticky(agent) => {
                if let Some(agent) = self.agents.get_mut(&agent) {
                    agent.sticky.remove(&place);
                }
            }
        }
        match stand {
            Stand::Nowhere => {}
            Stand::Waiting(bucket) => {
                self.index.buckets[bucket].waiting.insert(place);
            }
            Stand::Ringing(bucket) => {
                self.index.buckets[bucket].ringing.insert(place);
            }
            Stand::Sticky(agent) => {
                if let Some(agent) = self.agents.get_mut(&agent) {
                    agent.sticky.insert(place);
                }
            }
        }
    }
}

impl Call {
    fn new(now: Time, recovering: bool) -> Call {
        Call {
            offers: std::collections::BTreeSet::new(),
            stand: Stand::Nowhere,
            waits_since: now,
            wants_more: false,
            recovering,
        }
    }
}

/// What a call of a queue requires at a step, and up to which tier agents are asked.
fn requirements(queue: &QueueConfig, own: &[Requirement], step: u8) -> (Vec<Requirement>, u8) {
    let widening = usize::from(step)
        .checked_sub(1)
        .and_then(|index| queue.widening.get(index));
    let (lower, max_tier) = widening.map_or((0, queue.max_tier), |widening| {
        (widening.lower, widening.max_tier)
    });
    let requires = queue
        .requires
        .iter()
        .chain(own)
        .map(|required| Requirement {
            skill: required.skill,
            level: required.level.saturating_sub(lower),
        })
        .collect();
    (requires, max_tier)
}
