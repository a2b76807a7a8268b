//! Names of what lives in an endpoint.

/// One INVITE usage (RFC 5057): our INVITE or the peer's, its dialog, its session timer. One SIP leg of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageId(pub u64);

impl UsageId {
    /// Usage that a tag of ours names; `None` for a tag that cannot be ours. Whether there is such a usage is another question.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<UsageId> {
        u64::from_str_radix(tag, 16).ok().map(UsageId)
    }
}

/// One of the dialogs that an INVITE of ours set up: a proxy that forks it lets several peers answer, each under a tag of
/// its own and with a session description of its own (RFC 3261 §13.2.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForkId(pub u32);

/// A request other than INVITE that waits for our reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerTx(pub u64);

/// A REFER of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferId(pub u64);

/// A request of ours outside any usage, or one within a dialog that was passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A name that was given out to be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);
