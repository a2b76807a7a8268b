//! Media without I/O: SDP offer/answer, RTP and RTCP, the browser leg (ICE-lite, DTLS-SRTP), the phone leg (RTP),
//! jitter buffer, codecs, DTMF, bridges, and the [`shard`] that owns all legs of one media thread.

mod bridge;
mod clock;
pub mod codec;
pub mod control;
mod deadlines;
pub mod dtls;
pub mod dtmf;
pub mod ice;
pub mod jitter;
pub mod lane;
mod leg;
pub mod music;
pub mod negotiated;
mod outbox;
mod prompts;
pub mod recording;
pub mod resample;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod shard;
pub mod srtp;
pub mod stats;
mod stream;
pub mod tap;
pub mod tone;
pub mod transport;
mod voice_activity;

pub use clock::Clock;

#[cfg(test)]
mod corpus;
