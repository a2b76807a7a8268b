//! Instant messages: MESSAGE (RFC 3428) between users, and from and to trunks; and what one party of a call says to the other beside the
//! audio (MESSAGE and INFO within the dialog).
//!
//! A message goes to all contacts of its user. Where none takes it, it is kept, its sender is answered 202, and it is delivered when the
//! user registers next, in the order in which messages came. Nothing of a body is ever read, shown or logged.
//!
//! | file | what it has |
//! |---|---|
//! | `incoming` | a message comes in; the application says whom it is for |
//! | `delivery` | to contacts and trunks, and what the sender is told |
//! | `waiting` | kept for a user who is absent, and delivered later |
//! | `kept` | messages that wait for their user |
//! | `saved` | those that outlive the process |
//! | `content` | what of a message is passed on |
//! | `ours` | the application sends and takes messages itself |
//! | `in_dialog` | from one leg of a call to the other |

mod content;
mod delivery;
mod in_dialog;
mod incoming;
mod kept;
mod ours;
mod saved;
mod waiting;

use std::collections::BTreeMap;
use std::time::Duration;

use sip_core::endpoint::RequestId;

pub(crate) use delivery::Outcome;
use delivery::UnderWay;
use kept::Kept;
pub use saved::SavedMessage;

use crate::event::Source;

/// A message that came in and is on its way, or is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

/// An instant message that came in, but for its text.
#[derive(Clone, Debug)]
pub struct IncomingMessage {
    /// Sender: a user, or a trunk.
    pub source: Source,
    /// User part of the sender.
    pub from: String,
    /// Number or name that it is for: user part of the Request-URI, percent-escapes decoded.
    pub to: String,
    /// The client that it is for, where a PBX sends it to a client of its: `user@domain`. It is not for a dial plan.
    pub client: Option<String>,
}

/// Settings for instant messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageSettings {
    /// Octets of a body at most; a longer one is answered 413.
    pub max_size: usize,
    /// Time for which a message waits for its user; zero: none does.
    pub keep: Duration,
    /// Messages that wait for one user at most; a message beyond is refused.
    pub max_kept: usize,
}

impl Default for MessageSettings {
    fn default() -> MessageSettings {
        MessageSettings {
            max_size: 16 << 10,
            keep: Duration::from_secs(7 * 86_400),
            max_kept: 100,
        }
    }
}

/// Counts of instant messages outside of dialogs since the start, by outcome, and of those that wait now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// Somebody took them.
    pub delivered: u64,
    /// Kept for their user.
    pub kept: u64,
    /// Refused, by us or by who they were for.
    pub refused: u64,
    /// Their user did not come in time.
    pub expired: u64,
    /// Waiting for their user now.
    pub waiting: usize,
}

/// Messages on their way.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    under_way: BTreeMap<MessageId, UnderWay>,
    /// Message of each request that carries one.
    requests: BTreeMap<RequestId, MessageId>,
    kept: Kept,
    /// Users of the messages that the application was asked to save.
    asked: BTreeMap<MessageId, String>,
    /// Requests within a dialog that were passed on, and whose answers they wait for.
    passed_on: BTreeMap<RequestId, in_dialog::Sender>,
    counts: MessageCounts,
    last_id: u64,
}

impl Messages {
    pub(crate) fn counts(&self) -> MessageCounts {
        MessageCounts {
            waiting: self.kept.len(),
            ..self.counts
        }
    }
}
