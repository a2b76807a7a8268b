//! ICE (RFC 8445). Towards browsers we are lite (§2.5): `lite` answers their checks of STUN (`stun`), whose user name fragment
//! (`ufrag`) says which leg they are for. Where we are what a browser is, `full` makes checks of its own.

mod full;
mod lite;
pub(crate) mod stun;
mod ufrag;

pub use lite::Path;
pub(crate) use lite::{Agent, Checked};
pub use stun::local_ufrag;
pub use ufrag::{parse_ufrag, ufrag};
