//! What pages and programs ask of the call centre, and why it may say no.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use call_engine::DialPlan;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::directory::Directory;
use super::view::{Intent, Mode};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// An agent, by id: about itself and its own calls.
    Agent(String),
    /// A supervisor, by id: about everybody and every call.
    Supervisor(String),
}

/// Where a call is to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Target {
    /// An agent, by id.
    Agent(String),
    /// A queue, by id.
    Queue(String),
    /// What the dial plan says of a number.
    Number(String),
}

/// Who works here, which queues there are and what is reached by dialling, all of it, from now on.
#[derive(Clone, Debug)]
pub struct Arrangement {
    /// Agents and queues.
    pub directory: Arc<Directory>,
    /// Whom numbers name.
    pub plan: DialPlan,
    /// Who may register, by name.
    pub users: BTreeMap<String, session_core::User>,
    /// Names of those who have to register anew.
    pub again: Vec<String>,
    /// Told to pages: some of `agents`, `queues`, `pause-reasons` and `dispositions`.
    pub what: Vec<&'static str>,
    /// What else the file says, when it was read again.
    pub settings: Option<Box<Settings>>,
}

/// Settings of the file that are no part of the call centre.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Trunks, codecs, domains.
    pub adjustment: session_core::Adjustment,
    /// How long a phone may ring.
    pub ring_timeout: Duration,
}

/// One is no other, whatever is in them.
impl PartialEq for Arrangement {
    fn eq(&self, other: &Arrangement) -> bool {
        Arc::ptr_eq(&self.directory, &other.directory) && self.what == other.what
    }
}

impl Eq for Arrangement {}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The call centre is arranged in another way. Nothing is done when a queue that has calls, or an agent who has one, would go.
    Arrange(Box<Arrangement>),
    /// What an agent wants.
    Intent {
        /// The agent's id.
        agent: String,
        /// What.
        intent: Intent,
    },
    /// An agent is done with wrap-up.
    WrapUp {
        /// The agent's id.
        agent: String,
        /// What the agent made of the call.
        disposition: Option<String>,
    },
    /// An agent does not want a call.
    Reject {
        /// The offer's id.
        offer: String,
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
        /// Where.
        to: Target,
    },
    /// The agent asks somebody; the caller hears music.
    Consult {
        /// The call's id.
        call: String,
        /// Whom; no queue.
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
    /// The agent is out, the others go on. A colleague among them has the call from now on.
    Leave {
        /// The call's id.
        call: String,
    },
    /// The call ends.
    HangUp {
        /// The call's id.
        call: String,
    },
    /// An agent signs out: a caller who talks with it waits again at the old place, unless somebody else is in the call.
    SignOut {
        /// The agent's id.
        agent: String,
    },
    /// What an agent wrote about a call is told with it.
    Note {
        /// The call's id.
        call: String,
        /// What the agent made of it; `None`: as it was.
        disposition: Option<String>,
        /// In words; `None`: as it was.
        notes: Option<String>,
    },
    /// A supervisor's phone joins the call, or takes part in another way from now on.
    Supervise {
        /// The call's id.
        call: String,
        /// How. [`Mode::Party`] is barging in.
        mode: Mode,
    },
    /// The supervisor is out.
    Unsupervise {
        /// The call's id.
        call: String,
    },
    /// An agent's page is there and wants to be the active one.
    PageOpened {
        /// The agent's id.
        agent: String,
        /// Names the tab; a newer connection of the same tab takes nothing over.
        tab: String,
        /// Names the connection; newer ones are greater.
        conn: u64,
    },
    /// It is gone.
    PageClosed {
        /// The agent's id.
        agent: String,
        /// The connection.
        conn: u64,
    },
    /// Its program answered.
    PageAlive {
        /// The agent's id.
        agent: String,
    },
    /// A demo caller comes in.
    DemoCall {
        /// The queue's id; `None`: the first.
        queue: Option<String>,
    },
}

/// A command on its way to the signalling task.
#[derive(Debug)]
pub struct Asked {
    /// Who asks.
    pub by: By,
    /// What.
    pub command: Command,
    /// The id of what was made, where something was.
    pub reply: oneshot::Sender<Result<Option<String>, Refused>>,
}

/// Why something was not done. [`Refused::code`] is part of the API and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such agent.
    UnknownAgent,
    /// There is no such call, or it is not the agent's.
    UnknownCall,
    /// There is no such queue.
    UnknownQueue,
    /// The offer is over.
    OfferGone,
    /// The call is not in a state for this.
    WrongState,
    /// The agent is not wrapping up.
    NotWrappingUp,
    /// The one who is to talk, or to go, has another call.
    AgentBusy,
    /// The queue that is to go has calls.
    QueueBusy,
    /// Nobody can be reached there.
    Unreachable,
    /// No dial plan rule allows it.
    NotAllowed,
    /// Not in demo mode.
    NoDemo,
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
            Refused::OfferGone => "offer-gone",
            Refused::WrongState => "wrong-state",
            Refused::NotWrappingUp => "not-wrapping-up",
            Refused::AgentBusy => "agent-busy",
            Refused::QueueBusy => "queue-busy",
            Refused::Unreachable => "unreachable",
            Refused::NotAllowed => "not-allowed",
            Refused::NoDemo => "no-demo",
            Refused::Busy => "busy",
        }
    }

    /// HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Refused::UnknownAgent | Refused::UnknownCall | Refused::UnknownQueue | Refused::NoDemo => 404,
            Refused::NotAllowed => 403,
            Refused::OfferGone
            | Refused::WrongState
            | Refused::NotWrappingUp
            | Refused::AgentBusy
            | Refused::QueueBusy
            | Refused::Unreachable => 409,
            Refused::Busy => 503,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::UnknownAgent => "there is no such agent",
            Refused::UnknownCall => "there is no such call, or it is not yours",
            Refused::UnknownQueue => "there is no such queue",
            Refused::OfferGone => "the offer has ended",
            Refused::WrongState => "not possible in the present state of the call",
            Refused::NotWrappingUp => "the agent is not in wrap-up",
            Refused::AgentBusy => "that agent is on another call",
            Refused::QueueBusy => "that queue has calls",
            Refused::Unreachable => "nobody can be reached there",
            Refused::NotAllowed => "the dial plan does not allow it",
            Refused::NoDemo => "this gateway is not a demonstration",
            Refused::Busy => "the gateway is busy; try again in a moment",
        })
    }
}

impl std::error::Error for Refused {}
