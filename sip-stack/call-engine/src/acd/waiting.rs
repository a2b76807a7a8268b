//! Calls that wait: their place in the line, where they are looked for, and what time does to them.

use std::time::Duration;

use sans_io::Time;

use super::config::{QueueConfig, Requirement, Strategy};
use super::fact::Fact;
use super::ids::{AgentId, CallId};
use super::index::Place;
use super::input::{Output, POSITIONS, Refusal};
use super::state::Phase;
use super::timeout::Alarm;
use super::{Acd, Caller, Stand};

/// Time for which a sign of life from a silent caller counts.
const BELIEVED: Duration = Duration::from_secs(10);

/// Time until a caller is first told its position.
const FIRST_ANNOUNCEMENT: Duration = Duration::from_secs(2);

impl Acd {
    pub(super) fn begin_waiting(&mut self, now: Time, id: CallId) {
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
    pub(super) fn arm_waiting(&mut self, now: Time, id: CallId) {
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

    /// The caller has fallen silent, or is heard again.
    pub(super) fn caller_silent(&mut self, id: CallId, silent: bool) {
        let Some(call) = self.calls.get_mut(&id) else {
            return self.refuse(Refusal::UnknownCall(id));
        };
        match (silent, call.caller) {
            (true, Caller::Heard) => call.caller = Caller::Silent(None),
            (true, _) => {}
            (false, _) => {
                call.caller = Caller::Heard;
                self.place(id);
            }
        }
    }

    /// The caller was asked and is there: an agent is looked for again, at the same place.
    pub(super) fn caller_present(&mut self, now: Time, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return self.refuse(Refusal::UnknownCall(id));
        };
        if call.caller != Caller::Heard {
            call.caller = Caller::Silent(Some(now + BELIEVED));
            self.place(id);
        }
    }

    /// Before a call is assigned: asks a caller who was silent for long for a sign of life, and assigns others
    /// meanwhile.
    pub(super) fn ask_first(&mut self, now: Time, id: CallId) -> bool {
        let Some(call) = self.calls.get_mut(&id) else {
            return false;
        };
        if !call.caller.must_be_asked(now) {
            return false;
        }
        call.caller = Caller::Asked;
        self.stand(id, Stand::Nowhere);
        self.out.push_back(Output::AskCaller { call: id });
        true
    }

    pub(super) fn place_of(&self, id: CallId) -> Option<Place> {
        self.state.calls.get(&id).map(|call| (call.vet, call.order, id))
    }

    pub(super) fn stand_in_line(&mut self, id: CallId) {
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

    pub(super) fn stand_of(&mut self, id: CallId) -> Stand {
        let (Some(state), Some(call)) = (self.state.calls.get(&id), self.calls.get(&id)) else {
            return Stand::Nowhere;
        };
        let Some(queue) = self.queues.get(&state.queue) else {
            return Stand::Nowhere;
        };
        if state.phase != Phase::Waiting || call.recovering || call.caller == Caller::Asked {
            return Stand::Nowhere;
        }
        let alone = call.assignments.is_empty();
        let Some(step) = state.step else {
            return match state.sticky {
                Some(agent) if alone && self.agents.contains_key(&agent) => Stand::Sticky(agent),
                _ => Stand::Nowhere,
            };
        };
        let rings_on = match queue.strategy {
            Strategy::RingAll => true,
            Strategy::RingProgressive => call.wants_more,
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

    pub(super) fn stand(&mut self, id: CallId, stand: Stand) {
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

impl Caller {
    pub(super) fn must_be_asked(self, now: Time) -> bool {
        matches!(self, Caller::Silent(believed) if believed.is_none_or(|until| until <= now))
    }
}

/// Requirements of a queue's call at a step, and the highest tier whose agents are asked.
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
