pub(crate) mod dtls_srtp;
pub(crate) mod network;
pub(crate) mod peer;
mod rtp;
mod sdes;
