//! Facts that a call begins with.

use sans_io::Time;

use super::SessionId;
use crate::dial::Caller;
use crate::event::{IncomingCall, Source};
use crate::identity::Identity;

/// Facts of a new call.
pub(crate) struct NewCall {
    pub(crate) id: SessionId,
    pub(crate) source: Option<Source>,
    pub(crate) from: Caller,
    pub(crate) to: String,
    pub(crate) identity: Identity,
    pub(crate) began: Time,
    pub(crate) answered: Option<Time>,
    pub(crate) max_forwards: u8,
    pub(crate) shard: u8,
}

impl NewCall {
    /// Facts of a call that is told to the application as `call`; it begins now.
    pub(crate) fn of(
        call: &IncomingCall,
        (id, shard): (SessionId, u8),
        now: Time,
        max_forwards: u8,
    ) -> NewCall {
        NewCall {
            id,
            source: Some(call.source.clone()),
            from: Caller {
                user: call.from.clone(),
                display: call.display.clone(),
            },
            to: call.to.clone(),
            identity: call.identity.clone(),
            began: now,
            answered: None,
            max_forwards,
            shard,
        }
    }
}
