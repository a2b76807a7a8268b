//! Calls that come in, and requests about them: who calls whom, and by which way.

use std::net::SocketAddr;

use media_core::control::LegId;
use serde::{Deserialize, Serialize};

use crate::identity::Identity;

/// Origin of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// An authenticated user.
    User(String),
    /// A trunk, known by its address.
    Trunk(String),
    /// Nobody asked (a client without accounts of its own).
    Anyone,
}

/// Leg that is to replace another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferTo {
    /// A number to dial: the user part of `Refer-To`, percent-escapes decoded; of a `tel:` URI its number.
    Number(String),
    /// The party that this leg talks with: another leg of the same user.
    Leg(LegId),
}

/// Caller and callee.
#[derive(Clone, Debug)]
pub struct IncomingCall {
    /// Origin of the call.
    pub source: Source,
    /// Number or name of the caller as shown, percent-escapes undone; `anonymous` for one who is not.
    pub from: String,
    /// Name of the caller as shown, may be empty.
    pub display: String,
    /// Identity beside what is shown.
    pub identity: Identity,
    /// Dialled number or name: user part of the Request-URI, percent-escapes decoded, `tel:` included.
    pub to: String,
    /// Host of the Request-URI.
    pub domain: String,
    /// The peer of the SIP flow.
    pub peer: SocketAddr,
    /// The SIP Call-ID.
    pub call_id: String,
    /// The peer is a browser.
    pub browser: bool,
    /// Number of the emergency service that a user calls, without a prefix.
    pub emergency: Option<String>,
    /// The way, where the call is one of a PBX with a client of its: it is not for a dial plan.
    pub way: Option<Way>,
}

/// Way of a call between a PBX and a client that registers through us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// From a client to the PBX: [`dial_pbx`](crate::Coordinator::dial_pbx).
    Out {
        /// Name of the PBX's trunk.
        trunk: String,
    },
    /// From the PBX to a client: [`dial_client`](crate::Coordinator::dial_client).
    In {
        /// Address of record, `user@domain`.
        user: String,
    },
}
