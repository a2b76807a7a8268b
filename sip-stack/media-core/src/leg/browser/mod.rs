//! The leg towards a browser: ICE-lite, DTLS and SRTP on the sockets of a shard (RFC 8827, RFC 8834, RFC 5764), with RTP and
//! RTCP on one port (RFC 5761). [`Leg`] joins the three; each is alone in its file.

mod dtls;
mod ice;
mod leg;
mod name;
mod stun;

#[cfg(test)]
pub(crate) mod tests;

pub use dtls::{Identity, IdentityError};
pub use ice::Path;
pub use leg::{Event, Leg, Received, Transmit};
pub use name::{parse_ufrag, ufrag};
pub use stun::local_ufrag;
