//! The WebRTC client: what a page in a browser does, on the `webrtc` crate. SIP over a WebSocket (RFC 7118), full ICE,
//! DTLS-SRTP and Opus; nothing of its media comes from our own stack but the codecs and the jitter buffer.

mod audio;
mod call;
mod codecs;
mod connection;
mod description;
mod peer;
mod playout;
mod reports;
mod sound;
mod talk;

use tokio::time::Instant;

pub(super) use connection::Line;

use super::{PhoneError, PhoneOptions, Summary, WebRtcNetwork};

/// Registers, makes or takes a call, and gives the registration up again.
///
/// # Errors
/// There was no call.
pub(super) async fn make_call(
    options: &PhoneOptions,
    network: &WebRtcNetwork,
    print: &mut impl FnMut(&str),
) -> Result<Summary, PhoneError> {
    let until = Instant::now() + options.wait;
    // A file that cannot be played is found before anybody's phone rings.
    let sound = sound::Sound::open(&options.play)?;
    let mut line = Line::open(options, network, until, print).await?;
    let summary = match &options.call {
        Some(to) => call::make(&line, options, network, sound, to, until, print).await,
        None => call::take(&mut line, options, network, sound, until, print).await,
    };
    line.close().await;
    summary
}

/// One of several calls of `line`.
///
/// # Errors
/// There was no call.
pub(super) async fn make_one(
    line: &Line,
    options: &PhoneOptions,
    network: &WebRtcNetwork,
    to: &str,
) -> Result<Summary, PhoneError> {
    let until = Instant::now() + options.wait;
    let sound = sound::Sound::open(&options.play)?;
    call::make(line, options, network, sound, to, until, &mut |_| {}).await
}
