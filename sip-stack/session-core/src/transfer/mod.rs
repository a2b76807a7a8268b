//! Transfer: the peer of a leg asks to be replaced (REFER, RFC 3515, RFC 5589), or we ask that of our peer; and INVITE with
//! `Replaces` or `Join`. A REFER outside of a call has us call whoever asks, and then the target.
//!
//! The gateway itself calls the target; neither the transferred party nor its network sees a REFER. While the
//! target rings, the transferor is *aside*: the others hear music, and the transferor hears nothing. If
//! nobody answers, it is back among them. A transferor that hangs up meanwhile has left the call; the
//! transfer goes on (RFC 5589 §6.1).

mod attended;
mod blind;
mod joining;
mod outside;
mod refer;
mod replaces;
mod request;

pub(crate) use outside::Asked;
pub(crate) use refer::Refer;
