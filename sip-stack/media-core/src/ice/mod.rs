//! The lite side of ICE (RFC 8445 §2.5): [`lite`] answers the checks of STUN ([`stun`]), whose user name fragment ([`ufrag`])
//! says which leg they are for.

mod lite;
pub(crate) mod stun;
mod ufrag;

pub use lite::Path;
pub(crate) use lite::{Agent, Checked};
pub use stun::local_ufrag;
pub use ufrag::{parse_ufrag, ufrag};
