//! Inputs and outputs of the machine.

use std::time::Duration;

use sans_io::{Deadline, Time};

use super::config::{AgentConfig, QueueConfig, Requirement, Target};
use super::fact::{AssignmentEnd, Intent, OverflowCause, Record};
use super::ids::{AgentId, AssignmentId, CallId, ConnId, QueueId};

/// Input of the machine.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has come for [`Output::Timeout`].
    Timeout,
    /// Configuration is complete: calls of the state that it was made from wait to be [`Input::Recovered`].
    Start,
    /// A queue is new or different.
    SetQueue(Box<QueueConfig>),
    /// A queue is gone; refused while it has calls.
    RemoveQueue(QueueId),
    /// An agent is new or different.
    SetAgent(AgentConfig),
    /// An agent is gone; refused while it has a call.
    RemoveAgent(AgentId),
    /// Intent of an agent. During work it is kept for afterwards.
    Intent {
        /// The agent.
        agent: AgentId,
        /// The intent.
        intent: Intent,
    },
    /// An agent's page is connected: takes over from an older connection.
    Attached {
        /// The agent.
        agent: AgentId,
        /// The connection.
        conn: ConnId,
    },
    /// A connection is lost.
    Detached {
        /// The agent.
        agent: AgentId,
        /// The connection; an older one's end changes nothing.
        conn: ConnId,
    },
    /// An agent's page showed that its program runs.
    Proof {
        /// The agent.
        agent: AgentId,
    },
    /// Number of direct calls of an agent.
    Lines {
        /// The agent.
        agent: AgentId,
        /// The number.
        lines: u32,
    },
    /// An agent is done with wrap-up.
    WrappedUp {
        /// The agent.
        agent: AgentId,
        /// Disposition that the agent chose.
        code: Option<String>,
    },
    /// A call comes in.
    Enqueue(Enqueue),
    /// The agent's phone rings.
    Rung {
        /// The assignment.
        assignment: AssignmentId,
    },
    /// The agent takes the call.
    Accept {
        /// The assignment.
        assignment: AssignmentId,
    },
    /// The agent does not want the call.
    Reject {
        /// The assignment.
        assignment: AssignmentId,
    },
    /// The agent's phone cannot be reached.
    AssignmentLost {
        /// The assignment.
        assignment: AssignmentId,
    },
    /// Caller and agent hear each other.
    Connected {
        /// The call.
        call: CallId,
    },
    /// They do not, and never will.
    NotConnected {
        /// The call.
        call: CallId,
    },
    /// The agent put the caller on hold, or took it back.
    Held {
        /// The call.
        call: CallId,
        /// True: on hold.
        held: bool,
    },
    /// The agent's page is gone in the call, or is back.
    Away {
        /// The call.
        call: CallId,
        /// True: gone.
        away: bool,
    },
    /// The caller has fallen silent, or is heard again: a silent caller is asked for a sign of life before
    /// its call is assigned to an agent.
    CallerSilent {
        /// The call.
        call: CallId,
        /// True: silent.
        silent: bool,
    },
    /// Answer to [`Output::AskCaller`]: the caller is there. A caller who is not has the call [`Input::Ended`].
    CallerPresent {
        /// The call.
        call: CallId,
    },
    /// The agent sends the call to a queue.
    Requeue(Requeue),
    /// The agent gives the call to another agent, who talks with the caller already.
    HandOver {
        /// The call.
        call: CallId,
        /// The other.
        to: AgentId,
    },
    /// The call is over: caller or agent hung up, or it went elsewhere. Of a call that waits: the caller gave up.
    Ended {
        /// The call.
        call: CallId,
    },
    /// The call is over because a supervisor hung up.
    HungUp {
        /// The call.
        call: CallId,
    },
    /// After a restart: the caller is still there.
    Recovered {
        /// The call.
        call: CallId,
        /// And the agent too.
        with_agent: bool,
    },
    /// After a restart: the caller is not there any more. Of calls of which nothing is said that is taken for granted after
    /// [`Settings::call_grace`](super::Settings::call_grace).
    NotRecovered {
        /// The call.
        call: CallId,
    },
}

/// A call that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enqueue {
    /// The call.
    pub call: CallId,
    /// Its queue.
    pub queue: QueueId,
    /// 0 is ordinary; each step is worth the queue's boost.
    pub priority: u8,
    /// Requirements beyond those of the queue.
    pub requires: Vec<Requirement>,
    /// The agent that the caller knows: asked alone at first.
    pub sticky: Option<AgentId>,
    /// Time at which the caller first called, if a restart ended that call: it determines the place.
    pub came: Option<Time>,
}

/// A call that an agent sends to a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requeue {
    /// The call.
    pub call: CallId,
    /// `None`: back to its own, at its old place. Another one: it comes there anew.
    pub queue: Option<QueueId>,
    /// Priority of the call in the new queue.
    pub priority: u8,
    /// The agent whom it is meant for: asked alone at first. Not together with another queue.
    pub sticky: Option<AgentId>,
}

/// Output of the machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A record to be made durable: [`super::Fact::Accepted`] and [`super::Fact::Entered`] before the calls
    /// are acted on.
    Record(Record),
    /// Let the agent's phone ring.
    Assign {
        /// The assignment.
        assignment: AssignmentId,
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
        /// Until when.
        deadline: Time,
    },
    /// Ask the silent caller for a sign of life. The call keeps its place, and until [`Input::CallerPresent`]
    /// other calls are assigned.
    AskCaller {
        /// The call.
        call: CallId,
    },
    /// Stop ringing.
    Rescind {
        /// The assignment.
        assignment: AssignmentId,
        /// The agent.
        agent: AgentId,
        /// End of the assignment.
        how: AssignmentEnd,
        /// Somebody else has the call (RFC 3326: `Reason: SIP;cause=200`).
        elsewhere: bool,
    },
    /// Let them talk; say [`Input::Connected`] when they do.
    Connect {
        /// The assignment that was accepted.
        assignment: AssignmentId,
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
    },
    /// The call waits on, with music: it had an agent and has none.
    Wait {
        /// The call.
        call: CallId,
        /// The agent who had it.
        agent: AgentId,
    },
    /// The call goes elsewhere.
    Overflow {
        /// The call.
        call: CallId,
        /// Destination: a number, or none.
        target: Target,
        /// Why.
        why: OverflowCause,
    },
    /// Tell the caller.
    Announce {
        /// The call.
        call: CallId,
        /// 1 is next; `None`: beyond [`POSITIONS`].
        position: Option<u32>,
        /// Since it came.
        waited: Duration,
    },
    /// Ask the agent's page for a sign of life.
    Probe {
        /// The agent.
        agent: AgentId,
    },
    /// The call could not be recovered: hang up the rest of it.
    HangUp {
        /// The call.
        call: CallId,
    },
    /// The request was refused.
    Refused(Refusal),
    /// Nothing more; wake the machine then.
    Timeout(Deadline),
}

/// Highest position that a caller is told.
pub const POSITIONS: usize = 50;

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The assignment is over: somebody else has the call, it was too late, or the engine was restarted.
    AssignmentGone(AssignmentId),
    /// There is no such queue.
    UnknownQueue(QueueId),
    /// There is no such agent.
    UnknownAgent(AgentId),
    /// There is no such call, or it is not in a state for this.
    UnknownCall(CallId),
    /// There is such a call already.
    CallExists(CallId),
    /// The queue has calls.
    QueueBusy(QueueId),
    /// The agent has a call.
    AgentBusy(AgentId),
    /// The agent is not wrapping up.
    NotWrappingUp(AgentId),
    /// A newer connection of the agent took over.
    Superseded(AgentId, ConnId),
}

impl Refusal {
    /// Its code in APIs; never changes.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Refusal::AssignmentGone(_) => "offer-gone",
            Refusal::UnknownQueue(_) => "unknown-queue",
            Refusal::UnknownAgent(_) => "unknown-agent",
            Refusal::UnknownCall(_) => "unknown-call",
            Refusal::CallExists(_) => "call-exists",
            Refusal::QueueBusy(_) => "queue-busy",
            Refusal::AgentBusy(_) => "agent-busy",
            Refusal::NotWrappingUp(_) => "not-wrapping-up",
            Refusal::Superseded(..) => "superseded",
        }
    }
}

/// Reachability of an agent's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// No page is connected.
    Detached,
    /// The page is connected, and showed lately that its program runs.
    Attached,
    /// The page may be gone.
    Suspect,
}
