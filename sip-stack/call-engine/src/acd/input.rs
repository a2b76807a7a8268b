//! What goes into the machine and what comes out.

use std::time::Duration;

use sans_io::{Deadline, Time};

use super::config::{AgentConfig, QueueConfig, Requirement, Target};
use super::fact::{Intent, OfferEnd, OverflowCause, Record};
use super::ids::{AgentId, CallId, ConnId, OfferId, QueueId};

/// What the machine is told.
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
    /// What an agent wants. While at work it is kept for afterwards.
    Intent {
        /// The agent.
        agent: AgentId,
        /// What.
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
    /// How many direct calls an agent has.
    Lines {
        /// The agent.
        agent: AgentId,
        /// That many.
        lines: u32,
    },
    /// An agent is done with wrap-up.
    WrappedUp {
        /// The agent.
        agent: AgentId,
        /// What the agent noted of the call.
        code: Option<String>,
    },
    /// A call comes in.
    Enqueue(Enqueue),
    /// The agent's phone rings.
    Rung {
        /// The offer.
        offer: OfferId,
    },
    /// The agent takes the call.
    Accept {
        /// The offer.
        offer: OfferId,
    },
    /// The agent does not want the call.
    Reject {
        /// The offer.
        offer: OfferId,
    },
    /// The agent's phone cannot be reached.
    OfferLost {
        /// The offer.
        offer: OfferId,
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
    /// Nothing is heard from the caller any more, or something is again: a silent caller is asked whether it is there before an agent
    /// is offered the call.
    CallerSilent {
        /// The call.
        call: CallId,
        /// True: nothing is heard.
        silent: bool,
    },
    /// Answer to [`Output::AskCaller`]: the caller is there. One that is not has its call [`Input::Ended`].
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
    /// What it requires beyond what the queue does.
    pub requires: Vec<Requirement>,
    /// The agent that the caller knows: asked alone at first.
    pub sticky: Option<AgentId>,
    /// When the caller came the first time, in a call that a restart cost: the place is that of then.
    pub came: Option<Time>,
}

/// A call that an agent sends to a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requeue {
    /// The call.
    pub call: CallId,
    /// `None`: back to its own, at its old place. Another one: it comes there anew.
    pub queue: Option<QueueId>,
    /// Of the call in the new queue.
    pub priority: u8,
    /// The agent whom it is meant for: asked alone at first. Not together with another queue.
    pub sticky: Option<AgentId>,
}

/// What the machine says.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To be made durable: [`super::Fact::Accepted`] and [`super::Fact::Entered`] before the calls are told of it.
    Record(Record),
    /// Let the agent's phone ring.
    Offer {
        /// The offer.
        offer: OfferId,
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
        /// Until when.
        deadline: Time,
    },
    /// Ask the silent caller whether it is there. The call keeps its place, and until [`Input::CallerPresent`] others are offered.
    AskCaller {
        /// The call.
        call: CallId,
    },
    /// Stop ringing.
    Rescind {
        /// The offer.
        offer: OfferId,
        /// The agent.
        agent: AgentId,
        /// How it ended.
        how: OfferEnd,
        /// Somebody else has the call (RFC 3326: `Reason: SIP;cause=200`).
        elsewhere: bool,
    },
    /// Let them talk; say [`Input::Connected`] when they do.
    Connect {
        /// The offer that was accepted.
        offer: OfferId,
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
    },
    /// The call waits on, with music: it had an agent and has none.
    Wait {
        /// The call.
        call: CallId,
        /// Who had it.
        agent: AgentId,
    },
    /// The call goes elsewhere.
    Overflow {
        /// The call.
        call: CallId,
        /// Where: a number, or nowhere.
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
    /// A newer page took over: tell the older.
    Superseded {
        /// The agent.
        agent: AgentId,
        /// The older connection.
        conn: ConnId,
    },
    /// The call could not be recovered: hang up what is left of it.
    HangUp {
        /// The call.
        call: CallId,
    },
    /// What was asked was not done.
    Refused(Refusal),
    /// Nothing more; wake the machine then.
    Timeout(Deadline),
}

/// Places up to which a caller is told its own.
pub const POSITIONS: usize = 50;

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The offer is over: somebody else has the call, it was too late, or the engine was restarted.
    OfferGone(OfferId),
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
            Refusal::OfferGone(_) => "offer-gone",
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

/// Whether an agent's page can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is not there.
    Detached,
    /// It is there, and showed lately that its program runs.
    Attached,
    /// It may be gone.
    Suspect,
}
