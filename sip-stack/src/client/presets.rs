//! Settings for common places of a phone: each is a [`Builder`] whose settings can still be changed.
//!
//! | preset | SIP | media |
//! |---|---|---|
//! | [`loopback`] | UDP on 127.0.0.1, any port | G.711, in the clear |
//! | [`desk_phone`] | UDP, any port | G.711, encrypted where the other side can |
//! | [`secure_desk_phone`] | TLS | G.711, encrypted or not at all |
//! | [`web_phone`] | a WebSocket over TLS | Opus and G.711, ICE and DTLS-SRTP |
//! | [`carrier_trunk`] | UDP on port 5060 | G.711, A-law first, in the clear, ports 10000 to 19999 |

use std::net::{IpAddr, SocketAddr};

use media_core::negotiated::Codec;
use session_core::SrtpPolicy;
use sip_core::flow::Transport;

use super::{Builder, Client};
use crate::transport::tls::ClientTls;

/// Both ends on this host: tests, and programs that call each other. As [`Client::builder`].
#[must_use]
pub fn loopback() -> Builder {
    Client::builder()
}

/// A phone on a desk, at its local address: it registers at a PBX ([`Client::account`]).
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use sip_stack::client::presets;
///
/// let phone = presets::desk_phone("192.0.2.7".parse()?).start().await?;
/// phone.account("sip:1001@pbx.example", "1001", "secret")?.register().await?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn desk_phone(address: IpAddr) -> Builder {
    Client::builder()
        .bind(SocketAddr::new(address, 0))
        .srtp(SrtpPolicy::Optional)
}

/// The same, where nobody on the way is to hear or read anything: SIP over TLS, and calls without encrypted media fail.
#[must_use]
pub fn secure_desk_phone(address: IpAddr, tls: ClientTls) -> Builder {
    desk_phone(address)
        .transport(Transport::Tls)
        .tls(tls)
        .srtp(SrtpPolicy::Required)
}

/// A phone as a page in a browser is one: `path` is that of the gateway's WebSocket, `/ws` for Cordboard.
#[must_use]
pub fn web_phone(address: IpAddr, path: &str, tls: ClientTls) -> Builder {
    Client::builder()
        .bind(SocketAddr::new(address, 0))
        .transport(Transport::Wss)
        .websocket_path(path)
        .tls(tls)
        .webrtc(true)
}

/// A line to a carrier, which knows us by our address or by a registration: the port that carriers expect, A-law first, as most of
/// the world's networks have it, and no encryption, which few carriers take.
#[must_use]
pub fn carrier_trunk(address: IpAddr) -> Builder {
    Client::builder()
        .bind(SocketAddr::new(address, 5060))
        .rtp_ports(10_000..=19_999)
        .codecs(vec![Codec::Pcma, Codec::Pcmu])
        .srtp(SrtpPolicy::Off)
}
