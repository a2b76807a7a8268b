//! Inputs, outputs and timers of the coordinator.

use bytes::Bytes;
use media_core::control::{self, Command, LegId};
use sans_io::Deadline;
use sip_core::endpoint::{self, QueryId};
use sip_core::flow::{Destination, FlowId};
use sip_core::uri::Uri;

use crate::SessionId;
use crate::event::Event;
use crate::instant::MessageId;
use crate::stir::{CertificateUrl, FetchError, Fetched};
use crate::trunk::Located;

/// Timers of the coordinator itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Grace(LegId),
    Session(SessionId),
    Goodbye(LegId),
    Recover(LegId),
    Longest(LegId),
    Silence(LegId),
    Absent(SessionId),
    Attempt(SessionId),
    Rights,
    Message(MessageId),
    Kept,
    Publications,
    Upstream,
    Transferred(LegId),
    Certificate(SessionId),
}

/// Inputs.
#[derive(Debug)]
pub enum Input {
    /// From the network, by way of the transports.
    Sip(endpoint::Input),
    /// From a media shard.
    Media {
        /// The shard.
        shard: u8,
        /// The event.
        event: control::Event,
    },
    /// Addresses that a name of a trunk resolves to now; none if it does not resolve.
    Located {
        /// As in [`Output::Follow`].
        trunk: String,
        /// The URI that was resolved.
        name: Uri,
        /// Its targets, in whichever order.
        found: Vec<Located>,
    },
    /// Answer to [`Output::Fetch`].
    Fetched {
        /// The address.
        url: CertificateUrl,
        /// The certificate, or why there is none.
        answer: Result<Fetched, FetchError>,
    },
    /// A connection is that of a peer with these names: those of its certificate, which was checked, in lower case.
    Identified {
        /// The connection.
        flow: FlowId,
        /// The names.
        names: Vec<String>,
    },
    /// The deadline passed.
    Timeout,
}

/// Outputs.
#[derive(Debug)]
pub enum Output {
    /// A SIP message to send. `token` comes back in `TransmitFailed`.
    Transmit {
        /// Destination.
        to: Destination,
        /// One whole message.
        data: Bytes,
        /// Names this transmission.
        token: u64,
    },
    /// A SIP URI to resolve (RFC 3263).
    Resolve {
        /// Comes back in `Resolved`.
        query: QueryId,
        /// URI to resolve.
        uri: Uri,
    },
    /// Names of trunks that are to be followed from now on, and no others: [`Input::Located`] reports each change.
    Follow {
        /// Trunks, and the URIs to resolve (RFC 3263), one or more of each.
        names: Vec<(String, Uri)>,
    },
    /// A certificate to fetch; [`Input::Fetched`] is to follow.
    Fetch {
        /// Its address.
        url: CertificateUrl,
    },
    /// To a media shard.
    Media {
        /// The shard.
        shard: u8,
        /// The command.
        command: Command,
    },
    /// To the application.
    Event(Event),
    /// Nothing more now; wake me then.
    Timeout(Deadline),
}
