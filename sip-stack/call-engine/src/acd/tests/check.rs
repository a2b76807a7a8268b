//! The invariants, checked the slow way: by looking at every agent and every call, without the index.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use sans_io::Time;

use crate::acd::index::Key;
use crate::acd::timeout::Alarm;
use crate::acd::{
    Acd, Agent, AgentId, CallId, CallState, Caller, Intent, Phase, QueueConfig, Reach, Stand, Status,
    Strategy, Work,
};

/// An agent may be assigned a call now.
fn eligible(acd: &Acd, id: AgentId, agent: &Agent) -> bool {
    let state = acd.agent_state(id);
    state.intent == Intent::Available
        && agent.reach == Reach::Attached
        && state.work == Work::Idle
        && agent.assignment.is_none()
        && !agent.cooling
        && (agent.lines == 0 || agent.config.acd_on_direct)
}

/// The tier and proficiency with which an agent serves a call, if at all.
fn serves(agent: &Agent, call: &CallState, queue: &QueueConfig) -> Option<(u8, u32)> {
    let membership = agent.config.queues.iter().find(|m| m.queue == call.queue)?;
    let step = call.step?;
    let (lower, max_tier) = match usize::from(step)
        .checked_sub(1)
        .and_then(|i| queue.widening.get(i))
    {
        Some(widening) => (widening.lower, widening.max_tier),
        None => (0, queue.max_tier),
    };
    if membership.tier > max_tier {
        return None;
    }
    let mut skills = BTreeSet::new();
    let mut proficiency = 0;
    for skill in queue.requires.iter().chain(&call.requires).map(|r| r.skill) {
        if !skills.insert(skill) {
            continue;
        }
        let wanted = queue
            .requires
            .iter()
            .chain(&call.requires)
            .filter(|r| r.skill == skill)
            .map(|r| r.level.saturating_sub(lower))
            .max()
            .unwrap_or(0);
        if wanted == 0 {
            continue;
        }
        let has = agent
            .config
            .skills
            .iter()
            .filter(|s| s.skill == skill)
            .map(|s| s.level)
            .max()?;
        if has < wanted {
            return None;
        }
        proficiency += u32::from(has);
    }
    Some((membership.tier, proficiency))
}

/// An agent could take a call if it were idle.
fn can_take(acd: &Acd, id: AgentId, agent: &Agent, call: CallId) -> Option<(u8, u32)> {
    let state = &acd.state.calls[&call];
    if state.phase != Phase::Waiting
        || acd.calls[&call].recovering
        || acd.calls[&call].caller == Caller::Asked
    {
        return None;
    }
    if state.step.is_none() {
        return (state.sticky == Some(id)).then_some((0, 0));
    }
    serves(agent, state, &acd.queues[&state.queue])
}

fn excluded(acd: &Acd, id: AgentId, agent: &Agent, call: CallId) -> bool {
    if acd.state.calls[&call].step.is_none() {
        return false;
    }
    let others = acd.agents.iter().any(|(other, agent)| {
        *other != id
            && acd.agent_state(*other).intent == Intent::Available
            && agent.reach == Reach::Attached
            && can_take(acd, *other, agent, call).is_some()
    });
    others && agent.excluded.iter().any(|(other, _)| *other == call)
}

/// A call would have one more agent ring.
fn assignable(acd: &Acd, id: CallId) -> bool {
    let (state, call) = (&acd.state.calls[&id], &acd.calls[&id]);
    if state.phase != Phase::Waiting || call.recovering || call.caller == Caller::Asked {
        return false;
    }
    if state.step.is_none() && state.sticky.is_none_or(|agent| !acd.agents.contains_key(&agent)) {
        return false;
    }
    let strategy = acd.queues[&state.queue].strategy;
    call.assignments.is_empty()
        || state.step.is_some()
            && (strategy == Strategy::RingAll || strategy == Strategy::RingProgressive && call.wants_more)
}

/// Everybody who could be assigned a call, with tier and proficiency.
fn candidates(acd: &Acd, call: CallId) -> Vec<(AgentId, u8, u32)> {
    acd.agents
        .iter()
        .filter(|(id, agent)| eligible(acd, **id, agent) && !excluded(acd, **id, agent, call))
        .filter_map(|(id, agent)| {
            can_take(acd, *id, agent, call).map(|(tier, proficiency)| (*id, tier, proficiency))
        })
        .collect()
}

/// Key by which a strategy compares agents. It does not change while an agent is idle, except for lots;
/// occupancy is by definition that of the moment of becoming idle.
fn key(acd: &Acd, id: AgentId, strategy: Strategy) -> Option<u64> {
    let (agent, state) = (&acd.agents[&id], acd.agent_state(id));
    let drawn = |wanted: fn(&Key) -> bool| {
        let class = &acd.index.classes[agent.class];
        let set = class.idle.iter().position(|(key, _)| wanted(key))?;
        agent.idle.as_ref().map(|keys| keys[set])
    };
    match strategy {
        Strategy::RingAll
        | Strategy::RingProgressive
        | Strategy::LongestIdle
        | Strategy::SkillProficiency => Some(state.idle_since),
        Strategy::FewestCalls => Some(u64::from(state.calls)),
        Strategy::LeastTalkTime => {
            Some(state.times[Status::Talking as usize] + state.times[Status::Held as usize])
        }
        Strategy::LowestOccupancy => drawn(|key| *key == Key::Occupancy),
        Strategy::RoundRobin => Some(state.last_assigned),
        Strategy::Linear => Some(u64::from(agent.config.order)),
        Strategy::Random => drawn(|key| *key == Key::Random),
        Strategy::WeightedRandom => None,
    }
}

fn score(acd: &Acd, now: Time, call: CallId) -> i128 {
    let state = &acd.state.calls[&call];
    let rate = i128::from(acd.queues[&state.queue].rate.max(1));
    rate * (i128::from(now.as_micros()) - i128::from(state.vet))
}

/// To be called when `call` is about to be assigned to `agent`, because `ready` is: nobody preferred is passed over, agent or call.
pub(in crate::acd) fn choice(acd: &Acd, now: Time, call: CallId, agent: AgentId, ready: AgentId) {
    let all = candidates(acd, call);
    assert!(
        all.iter().any(|(id, ..)| *id == agent),
        "{agent:?} may not be assigned {call:?}"
    );
    assert!(assignable(acd, call), "{call:?} is not to be assigned");
    let caller = acd.calls[&call].caller;
    assert!(
        !caller.must_be_asked(now),
        "nobody knows whether the caller of {call:?} is there"
    );
    // I9
    let age = now.since(acd.agents[&agent].proof);
    assert!(
        age < acd.settings.probe_max_age,
        "{agent:?} gave no sign of life for {age:?}"
    );
    let state = &acd.state.calls[&call];
    if state.step.is_some() {
        let strategy = acd.queues[&state.queue].strategy;
        let rank = |(id, tier, proficiency): &(AgentId, u8, u32)| {
            let proficiency = if strategy == Strategy::SkillProficiency {
                *proficiency
            } else {
                0
            };
            key(acd, *id, strategy).map(|key| (*tier, Reverse(proficiency), key, *id))
        };
        let best = all.iter().filter_map(rank).min();
        if let Some((.., best)) = best {
            assert_eq!(best, agent, "{strategy:?} prefers another agent for {call:?}");
        } else {
            let lowest = all.iter().map(|(_, tier, _)| *tier).min();
            let tier = all.iter().find(|(id, ..)| *id == agent).map(|(_, tier, _)| *tier);
            assert_eq!(tier, lowest, "a higher tier was asked first");
        }
    }
    // I5: nothing that the ready agent could take has waited longer.
    let rank = |id: CallId| (score(acd, now, id), Reverse(acd.state.calls[&id].order));
    for other in acd.calls.keys().copied().filter(|other| *other != call) {
        let agent = &acd.agents[&ready];
        if assignable(acd, other)
            && can_take(acd, ready, agent, other).is_some()
            && !excluded(acd, ready, agent, other)
        {
            assert!(rank(call) > rank(other), "{other:?} comes before {call:?}");
        }
    }
}

/// Invariants, checked after each step.
pub(super) fn invariants(acd: &Acd, now: Time) {
    calls(acd, now);
    agents(acd, now);
    // I7
    assert_eq!(acd.state.entered, acd.state.left + acd.state.calls.len() as u64);
    assert_eq!(acd.calls.len(), acd.state.calls.len());
    // I4
    for call in acd.calls.keys().copied().filter(|call| assignable(acd, *call)) {
        assert_eq!(candidates(acd, call), [], "{call:?} waits beside idle agents");
    }
    assert!(acd.ready_agents.is_empty() && acd.ready_calls.is_empty());
}

fn calls(acd: &Acd, now: Time) {
    let mut waiting = 0;
    for (id, state) in &acd.state.calls {
        let call = &acd.calls[id];
        let place = (state.vet, state.order, *id);
        // I1: in the line when it waits, in one bucket when it is to be assigned, nowhere else.
        let buckets: Vec<Stand> = acd
            .index
            .buckets
            .iter()
            .flat_map(|(index, bucket)| {
                let waiting = bucket.waiting.contains(&place).then_some(Stand::Waiting(index));
                waiting
                    .into_iter()
                    .chain(bucket.ringing.contains(&place).then_some(Stand::Ringing(index)))
            })
            .chain(
                acd.agents
                    .iter()
                    .filter(|(_, agent)| agent.sticky.contains(&place))
                    .map(|(id, _)| Stand::Sticky(*id)),
            )
            .collect();
        if call.stand == Stand::Nowhere {
            assert!(buckets.is_empty(), "{id:?} is still looked for: {buckets:?}");
        } else {
            assert_eq!(buckets, [call.stand], "{id:?}");
        }
        assert_eq!(
            assignable(acd, *id),
            call.stand != Stand::Nowhere,
            "{id:?} {state:?} {call:?}"
        );
        let in_line = acd
            .lines
            .get(&state.queue)
            .is_some_and(|line| line.contains(&place));
        assert_eq!(in_line, state.phase == Phase::Waiting, "{id:?}");
        waiting += usize::from(in_line);
        // I8
        let armed = |alarm| acd.timers.get(alarm).is_some_and(|at| at >= now);
        match state.phase {
            Phase::Waiting => assert!(!call.recovering || armed(Alarm::Recover(*id))),
            Phase::Connecting(agent) => {
                assert!(armed(Alarm::Connect(*id)) || call.recovering && armed(Alarm::Recover(*id)));
                assert_eq!(acd.agent_state(agent).work, Work::Call(*id));
            }
            Phase::Connected { agent, away, .. } => {
                let watched = armed(Alarm::CallGrace(*id)) || call.recovering && armed(Alarm::Recover(*id));
                assert!(!away || watched, "nobody waits for {agent:?} to come back");
                assert_eq!(acd.agent_state(agent).work, Work::Call(*id));
            }
        }
        assert!(state.phase == Phase::Waiting || call.assignments.is_empty());
        for assignment in &call.assignments {
            assert_eq!(acd.assignments[assignment].call, *id);
        }
    }
    assert_eq!(
        waiting,
        acd.lines.values().map(BTreeSet::len).sum::<usize>(),
        "lines hold others"
    );
}

fn agents(acd: &Acd, now: Time) {
    for (id, agent) in &acd.agents {
        let state = acd.agent_state(*id);
        assert_eq!(
            agent.idle.is_some(),
            eligible(acd, *id, agent),
            "{id:?} {agent:?} {state:?}"
        );
        // I2
        if let Some(assignment) = agent.assignment {
            assert_eq!(acd.assignments[&assignment].agent, *id);
            assert_eq!(state.work, Work::Idle);
            assert!(
                acd.timers
                    .get(Alarm::Ring(assignment))
                    .is_some_and(|at| at >= now)
            );
        }
        match state.work {
            Work::Idle => assert!(
                state.next.is_none(),
                "{id:?} is idle and wants {:?} next",
                state.next
            ),
            Work::Call(call) => {
                assert_eq!(acd.state.calls[&call].phase.agent(), Some(*id));
            }
            Work::WrapUp(_) => assert!(acd.timers.get(Alarm::WrapUp(*id)).is_some_and(|at| at >= now)),
        }
        // I12
        if state.intent != Intent::Offline {
            let sum: u64 = Status::ALL
                .into_iter()
                .filter(|status| *status != Status::Offline)
                .map(|status| state.time_in(status, now))
                .sum();
            assert_eq!(sum, now.as_micros() - state.signed_in, "{id:?} {state:?}");
        }
    }
    for (id, assignment) in &acd.assignments {
        assert_eq!(acd.agents[&assignment.agent].assignment, Some(*id));
        assert!(acd.calls[&assignment.call].assignments.contains(id));
    }
    for (class, idle) in acd
        .index
        .idle
        .iter()
        .enumerate()
        .filter(|(class, _)| acd.index.classes.contains(*class))
    {
        let of_class = || acd.agents.values().filter(|agent| agent.class == class);
        assert_eq!(
            *idle as usize,
            of_class().filter(|agent| agent.idle.is_some()).count()
        );
        let counts = &acd.index.classes[class];
        assert_eq!(
            counts.logged_in as usize,
            of_class().filter(|agent| agent.logged_in).count()
        );
        assert_eq!(
            counts.signed_in as usize,
            of_class().filter(|agent| agent.signed_in).count()
        );
    }
}
