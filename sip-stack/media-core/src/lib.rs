//! Media without I/O: SDP offer/answer, RTP and RTCP, the browser leg (ICE-lite, DTLS-SRTP), the phone leg (RTP),
//! jitter buffer, codecs, DTMF, bridges, and the [`shard`] that owns all legs of one media thread.

mod bridge;
pub mod codec;
pub mod control;
pub mod dtmf;
pub mod jitter;
pub mod leg;
pub mod music;
pub mod negotiated;
mod prompts;
pub mod resample;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod shard;
pub mod srtp;
pub mod stats;
pub mod tone;

#[cfg(test)]
mod corpus;
