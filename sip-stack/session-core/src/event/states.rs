//! States of registrations of ours, and changes of bridges.

use media_core::control::BridgeId;
use sans_io::Time;
use sip_core::message::StatusCode;

use crate::SessionId;
use crate::record::Fault;

/// State of a registration of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationState {
    /// The first REGISTER is under way.
    Registering,
    /// The registrar granted it.
    Registered {
        /// Until then, unless it is refreshed.
        until: Time,
    },
    /// The registrar refused it with this code, 300 to 699; it is tried again.
    Refused(StatusCode),
    /// The registrar refused it for good with this code: 403 or 404.
    Stopped(StatusCode),
    /// The registrar gave no answer: it could not be found or reached, or was silent. It is tried again.
    Unanswered(Fault),
    /// Given up on request.
    GivenUp,
}

/// Change of a bridge of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BridgeEvent {
    /// Made.
    Created {
        /// The bridge.
        bridge: BridgeId,
    },
    /// A call was put into it.
    Joined {
        /// The bridge.
        bridge: BridgeId,
        /// The call.
        session: SessionId,
    },
    /// A call was taken out of it, or ended.
    Left {
        /// The bridge.
        bridge: BridgeId,
        /// The call.
        session: SessionId,
    },
    /// A party of a call in it began to speak, or has been silent for a while: only where that was asked for. A call that leaves has
    /// fallen silent without a word of this.
    Speaking {
        /// The bridge.
        bridge: BridgeId,
        /// The call.
        session: SessionId,
        /// True: it speaks.
        speaking: bool,
    },
    /// Ended.
    Destroyed {
        /// The bridge.
        bridge: BridgeId,
    },
}
