//! Commands of pages and programs to the call centre, and reasons to refuse them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use call_engine::{CallHandling, DialPlan};
use serde::{Deserialize, Serialize};
use session_core::Numbering;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::directory::Directory;
use super::view::{Intent, Mode};
use crate::routing::Reach;

/// Origin of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The gateway itself, when it is configured.
    Gateway,
    /// An agent, by id: about itself and its own calls.
    Agent(String),
    /// A supervisor, by id: about everybody and every call.
    Supervisor(String),
}

impl By {
    /// Id of the person who asks.
    #[must_use]
    pub fn person(&self) -> Option<&str> {
        match self {
            By::Gateway => None,
            By::Agent(id) | By::Supervisor(id) => Some(id),
        }
    }
}

/// Target of a transfer or consultation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Target {
    /// An agent, by id.
    Agent(String),
    /// A queue, by id.
    Queue(String),
    /// A number, resolved by the dial plan.
    Number(String),
}

/// Staff, queues and dial plan, complete, from now on.
#[derive(Clone, Debug)]
pub struct Reconfiguration {
    /// Agents and queues.
    pub directory: Arc<Directory>,
    /// Dial plan.
    pub plan: DialPlan,
    /// Call handling of users, and ring groups.
    pub reach: Reach,
    /// Users who may register, by name.
    pub users: BTreeMap<String, session_core::User>,
    /// Names of those who have to register anew.
    pub again: Vec<String>,
    /// Lists that pages must fetch anew: some of `agents`, `queues`, `pause-reasons`, `dispositions` and
    /// `call-handling`.
    pub what: Vec<&'static str>,
    /// Other settings, when the file was read again.
    pub settings: Option<Box<Settings>>,
}

/// Settings of the file that do not belong to the call centre.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Trunks, codecs, domains.
    pub adjustment: session_core::Adjustment,
    /// Time that a phone may ring.
    pub ring_timeout: Duration,
    /// Way in which numbers are dialled here.
    pub numbering: Option<Arc<Numbering>>,
}

/// One is no other, whatever is in them.
impl PartialEq for Reconfiguration {
    fn eq(&self, other: &Reconfiguration) -> bool {
        Arc::ptr_eq(&self.directory, &other.directory) && self.what == other.what
    }
}

impl Eq for Reconfiguration {}

/// A command to the call centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Gives the call centre another configuration. Nothing is done when a queue that has calls, or an agent who has one, would go.
    Reconfigure(Box<Reconfiguration>),
    /// Handles calls to a user in another way from now on.
    HandleCalls {
        /// The user's name.
        user: String,
        /// Forwarding and do not disturb.
        handling: Box<CallHandling>,
    },
    /// Sets the intent of an agent.
    Intent {
        /// The agent's id.
        agent: String,
        /// The intent.
        intent: Intent,
    },
    /// An agent is done with wrap-up.
    WrapUp {
        /// The agent's id.
        agent: String,
        /// Disposition of the call.
        disposition: Option<String>,
    },
    /// An agent does not want a call.
    Reject {
        /// The assignment's id.
        assignment: String,
    },
    /// The caller hears music, the agent nothing; or they hear each other again.
    Hold {
        /// The call's id.
        call: String,
        /// On hold from now on.
        held: bool,
    },
    /// Digits for the caller's side.
    Dtmf {
        /// The call's id.
        call: String,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digits: String,
    },
    /// The call goes elsewhere at once.
    Transfer {
        /// The call's id.
        call: String,
        /// Target of the transfer.
        to: Target,
    },
    /// The agent asks somebody; the caller hears music.
    Consult {
        /// The call's id.
        call: String,
        /// Party to consult; never a queue.
        to: Target,
    },
    /// Caller and the one who was asked talk; the agent is out.
    Complete {
        /// The call's id.
        call: String,
    },
    /// All three talk.
    Merge {
        /// The call's id.
        call: String,
    },
    /// The agent is back with the caller; the one who was asked is out.
    Abort {
        /// The call's id.
        call: String,
    },
    /// The agent leaves the call, and the others stay connected. A colleague among them has the call from now on.
    Leave {
        /// The call's id.
        call: String,
    },
    /// The call ends.
    HangUp {
        /// The call's id.
        call: String,
    },
    /// An agent signs out: a caller who talks with the agent goes back to the queue, to the same place,
    /// unless somebody else is in the call.
    SignOut {
        /// The agent's id.
        agent: String,
    },
    /// Notes of an agent about a call are shown with it.
    Note {
        /// The call's id.
        call: String,
        /// Disposition; `None`: unchanged.
        disposition: Option<String>,
        /// Free text; `None`: unchanged.
        notes: Option<String>,
    },
    /// A supervisor's phone joins the call, or takes part in another way from now on.
    Supervise {
        /// The call's id.
        call: String,
        /// Mode of taking part. [`Mode::Party`] is barging in.
        mode: Mode,
    },
    /// The supervisor is out.
    Unsupervise {
        /// The call's id.
        call: String,
    },
    /// The program of an agent's page runs: the page was opened, or it answered.
    PageAlive {
        /// The agent's id.
        agent: String,
    },
}

/// A command on its way to the signalling task.
#[derive(Debug)]
pub struct Asked {
    /// Origin of the command.
    pub by: By,
    /// The command.
    pub command: Command,
    /// Reply, once the result is durable.
    pub reply: oneshot::Sender<Result<(), Refused>>,
}

/// Reason why a command was refused. [`Refused::code`] is part of the API and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such agent.
    UnknownAgent,
    /// There is no such call, or it is not the agent's.
    UnknownCall,
    /// There is no such queue.
    UnknownQueue,
    /// The assignment is over.
    AssignmentGone,
    /// The call is not in a state for this.
    WrongState,
    /// The agent is not wrapping up.
    NotWrappingUp,
    /// Agent who is to talk, or to go, has another call.
    AgentBusy,
    /// The queue that is to go has calls.
    QueueBusy,
    /// Nobody can be reached there.
    Unreachable,
    /// No dial plan rule allows it.
    NotAllowed,
    /// Too much to do: later.
    Busy,
}

impl Refused {
    /// In problem details.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Refused::UnknownAgent => "unknown-agent",
            Refused::UnknownCall => "unknown-call",
            Refused::UnknownQueue => "unknown-queue",
            Refused::AssignmentGone => "offer-gone",
            Refused::WrongState => "wrong-state",
            Refused::NotWrappingUp => "not-wrapping-up",
            Refused::AgentBusy => "agent-busy",
            Refused::QueueBusy => "queue-busy",
            Refused::Unreachable => "unreachable",
            Refused::NotAllowed => "not-allowed",
            Refused::Busy => "busy",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::UnknownAgent => "there is no such agent",
            Refused::UnknownCall => "there is no such call, or it is not yours",
            Refused::UnknownQueue => "there is no such queue",
            Refused::AssignmentGone => "the offer has ended",
            Refused::WrongState => "not possible in the present state of the call",
            Refused::NotWrappingUp => "the agent is not in wrap-up",
            Refused::AgentBusy => "that agent is on another call",
            Refused::QueueBusy => "that queue has calls",
            Refused::Unreachable => "nobody can be reached there",
            Refused::NotAllowed => "the dial plan does not allow it",
            Refused::Busy => "the gateway is busy; try again in a moment",
        })
    }
}

impl std::error::Error for Refused {}
