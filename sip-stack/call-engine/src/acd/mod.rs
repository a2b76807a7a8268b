//! Automatic call distribution: callers wait, agents are assigned calls, and each decision takes microseconds.
//!
//! [`Acd`] is a machine like every core: it gets the time as an argument, [`Input`]s go in, [`Output`]s come
//! out. Among the outputs are [`Record`]s: only their content outlives a restart ([`State`]), and wallboards
//! and reports are made of nothing else.
//!
//! - **An agent** is four small machines: what the agent wants ([`Intent`]), whether its page can be reached, what it does
//!   ([`Work`]), and how many direct calls it has. Assignments go to those who want calls, whose page gave a fresh sign of life, who are idle
//!   and have no line in use.
//! - **Order** is by virtual enqueue time: when a call came, less a boost for its priority. Within a bucket all calls age alike, so that
//!   ageing needs no re-sorting, and a call is overtaken only by those that come within the greatest boost after it.
//! - **Two triggers**: a call is ready, or an agent is. Nothing polls and nothing scans.
//! - **Assignments** have a deadline and name the engine's epoch; the first to accept has the call, and whoever comes late is told so.

mod agents;
mod assignments;
mod calls;
mod config;
mod configure;
mod fact;
mod hours;
mod ids;
mod index;
mod input;
mod matching;
pub mod metrics;
mod state;
mod timeout;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sans_io::{Rng, Time, Timers};

pub use assignments::NO_ANSWER;
pub use calls::LOST;
pub use config::{
    AgentConfig, Membership, Proficiency, QueueConfig, Requirement, Settings, Strategy, Target, Widening,
};
pub use fact::{AssignmentEnd, Departure, Fact, Intent, OverflowCause, Record, ReturnCause, Status};
pub use hours::{Hours, Offset, Span};
pub use ids::{AgentId, AssignmentId, CallId, ConnId, QueueId, SkillId};
pub use input::{Enqueue, Input, Output, POSITIONS, Reach, Refusal, Requeue};
pub use state::{AgentState, CallState, Phase, State, Work};

use index::{Index, Place};
use timeout::Alarm;

/// The machine.
#[derive(Debug)]
pub struct Acd {
    settings: Settings,
    epoch: u64,
    state: State,
    queues: BTreeMap<QueueId, QueueConfig>,
    agents: BTreeMap<AgentId, Agent>,
    calls: BTreeMap<CallId, Call>,
    assignments: BTreeMap<AssignmentId, Assignment>,
    assignments_made: u64,
    /// Calls that no agent took yet, by queue and place.
    lines: BTreeMap<QueueId, BTreeSet<Place>>,
    index: Index,
    timers: Timers<Alarm>,
    rng: Rng,
    /// Agents who became eligible and calls that became assignable since the last match.
    ready_agents: BTreeSet<AgentId>,
    ready_calls: BTreeSet<Place>,
    /// Agents who are not to be assigned certain calls for a while.
    excluders: BTreeSet<AgentId>,
    out: VecDeque<Output>,
}

/// State of an agent that does not outlive a restart.
#[derive(Debug)]
struct Agent {
    config: AgentConfig,
    class: usize,
    reach: Reach,
    conn: Option<ConnId>,
    /// Time at which the page last showed that its program runs.
    proof: Time,
    lines: u32,
    assignment: Option<AssignmentId>,
    /// Gets no assignments for a moment.
    cooling: bool,
    excluded: Vec<(CallId, Time)>,
    /// Calls that wait for this agent alone.
    sticky: BTreeSet<Place>,
    /// Keys in the class's sets of idle agents, while eligible.
    idle: Option<Vec<u64>>,
    logged_in: bool,
    signed_in: bool,
}

/// State of a call that does not outlive a restart.
#[derive(Debug)]
struct Call {
    assignments: BTreeSet<AssignmentId>,
    /// Index that it is looked for in.
    stand: Stand,
    /// Since when it waits, this time.
    waits_since: Time,
    /// Ring-progressive: it is time for one more.
    wants_more: bool,
    /// After a restart: until the gateway says that the caller is still there.
    recovering: bool,
    caller: Caller,
}

/// Sign of life from the caller of a waiting call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Caller {
    /// The caller is heard.
    #[default]
    Heard,
    /// The caller is silent, and must be asked for a sign of life, unless it gave one a moment ago: until then.
    Silent(Option<Time>),
    /// The caller is being asked: no agent is assigned the call meanwhile.
    Asked,
}

/// Index in which a waiting call is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Nowhere,
    Waiting(usize),
    Ringing(usize),
    Sticky(AgentId),
}

#[derive(Debug)]
struct Assignment {
    call: CallId,
    agent: AgentId,
    /// No other agent was assigned the call meanwhile.
    alone: bool,
}

impl Acd {
    /// A machine that goes on from `state`. `epoch` is above that of any before it. Configure queues, then agents, then tell it
    /// [`Input::Start`].
    #[must_use]
    pub fn new(settings: Settings, epoch: u64, state: State, rng: Rng) -> Acd {
        Acd {
            settings,
            epoch,
            state,
            queues: BTreeMap::new(),
            agents: BTreeMap::new(),
            calls: BTreeMap::new(),
            assignments: BTreeMap::new(),
            assignments_made: 0,
            lines: BTreeMap::new(),
            index: Index::default(),
            timers: Timers::default(),
            rng,
            ready_agents: BTreeSet::new(),
            ready_calls: BTreeSet::new(),
            excluders: BTreeSet::new(),
            out: VecDeque::new(),
        }
    }

    /// State that outlives a restart.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Reachability of an agent's page.
    #[must_use]
    pub fn reach(&self, agent: AgentId) -> Option<Reach> {
        self.agents.get(&agent).map(|agent| agent.reach)
    }

    /// Time at which an agent's page last showed that its program runs.
    #[must_use]
    pub fn proof(&self, agent: AgentId) -> Option<Time> {
        self.agents.get(&agent).map(|agent| agent.proof)
    }

    /// Calls of a queue that no agent took yet, in their order.
    pub fn line(&self, queue: QueueId) -> impl Iterator<Item = CallId> + '_ {
        self.lines.get(&queue).into_iter().flatten().map(|place| place.2)
    }

    /// Open assignments: id, call, agent.
    pub fn assignments(&self) -> impl Iterator<Item = (AssignmentId, CallId, AgentId)> + '_ {
        self.assignments
            .iter()
            .map(|(id, assignment)| (*id, assignment.call, assignment.agent))
    }

    /// Takes an input. Deadlines that are due come first, so that what comes late is late.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        self.run_timers(now);
        match input {
            Input::Timeout => {}
            Input::Start => self.start(now),
            Input::SetQueue(queue) => self.set_queue(now, *queue),
            Input::RemoveQueue(queue) => self.remove_queue(now, queue),
            Input::SetAgent(agent) => self.set_agent(now, agent),
            Input::RemoveAgent(agent) => self.remove_agent(now, agent),
            Input::Intent { agent, intent } => self.intend(now, agent, intent),
            Input::Attached { agent, conn } => self.attached(now, agent, conn),
            Input::Detached { agent, conn } => self.detached(now, agent, conn),
            Input::Proof { agent } => self.proved(now, agent),
            Input::Lines { agent, lines } => self.set_lines(now, agent, lines),
            Input::WrappedUp { agent, code } => self.wrapped_up(now, agent, code),
            Input::Enqueue(call) => self.enqueue(now, call),
            Input::Rung { assignment } => self.rung(now, assignment),
            Input::Accept { assignment } => self.accept(now, assignment),
            Input::Reject { assignment } => self.reject(now, assignment),
            Input::AssignmentLost { assignment } => self.assignment_lost(now, assignment),
            Input::Connected { call } => self.connected(now, call),
            Input::NotConnected { call } => self.not_connected(now, call),
            Input::Held { call, held } => self.held(now, call, held),
            Input::Away { call, away } => self.away(now, call, away),
            Input::CallerSilent { call, silent } => self.caller_silent(call, silent),
            Input::CallerPresent { call } => self.caller_present(now, call),
            Input::Requeue(requeue) => self.requeue(now, requeue),
            Input::HandOver { call, to } => self.hand_over(now, call, to),
            Input::Ended { call } => self.ended(now, call, Departure::Abandoned),
            Input::HungUp { call } => self.ended(now, call, Departure::HungUp),
            Input::Recovered { call, with_agent } => self.recovered(now, call, with_agent),
            Input::NotRecovered { call } => self.not_recovered(now, call),
        }
        self.match_all(now);
    }

    /// Drain until [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output {
        self.out
            .pop_front()
            .unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    fn record(&mut self, now: Time, fact: Fact) {
        let record = Record {
            seq: self.state.seq + 1,
            epoch: self.epoch,
            at: now,
            fact,
        };
        self.state.apply(&record);
        self.out.push_back(Output::Record(record));
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.out.push_back(Output::Refused(refusal));
    }
}

#[cfg(test)]
mod tests;
