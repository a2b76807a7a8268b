//! A whole call in one function.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{AudioFrame, BuildError, Client, ClientError, Sound, SoundError, SoundRate};
use crate::audio::Clip;

/// Time for the end of an answer after the end of the file.
const ANSWER: Duration = Duration::from_millis(500);

/// Calls a SIP URI, plays a WAV file to whoever answers, hangs up half a second after its end, and returns what was heard meanwhile:
/// 16-bit mono at 8 kHz. SIP and media go over UDP, from the address that leads there.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::path::Path;
/// use sip_stack::client::simple;
///
/// let heard = simple::call("sip:echo@192.0.2.9", Path::new("question.wav")).await?;
/// println!("{} seconds were heard", heard.len() / 8_000);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`SimpleError`] says which part failed.
pub async fn call(to: &str, wav: &Path) -> Result<Vec<i16>, SimpleError> {
    let clip = Clip::read(wav)?;
    let client = Client::builder().towards(to)?.start().await?;
    let heard = converse(&client, to, clip).await;
    client.stop().await;
    Ok(heard?)
}

/// The call, from its beginning to its end.
async fn converse(client: &Client, to: &str, mut clip: Clip) -> Result<Vec<i16>, ClientError> {
    let mut call = client.dial(to, Sound::silence()).await?;
    call.answered().await?;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    let keep = move |frame: AudioFrame<'_>| {
        let mut heard = kept.lock().unwrap_or_else(PoisonError::into_inner);
        heard.extend_from_slice(frame.samples);
    };
    let listening = call.receive_audio(SoundRate::Hz8000, keep).await?;
    let rate = clip.rate();
    let playing = call.send_audio(rate, move |frame| clip.fill(frame)).await?;
    playing.ended().await;
    tokio::time::sleep(ANSWER).await;
    call.hang_up().await?;
    call.ended().await;
    listening.ended().await;
    let heard = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(heard)
}

/// Why there was no such call.
#[derive(Debug)]
pub enum SimpleError {
    /// The WAV file.
    Sound(SoundError),
    /// Our sockets.
    Start(BuildError),
    /// The call.
    Call(ClientError),
}

impl fmt::Display for SimpleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SimpleError::Sound(error) => error.fmt(f),
            SimpleError::Start(error) => error.fmt(f),
            SimpleError::Call(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SimpleError {}

impl From<SoundError> for SimpleError {
    fn from(error: SoundError) -> Self {
        SimpleError::Sound(error)
    }
}

impl From<BuildError> for SimpleError {
    fn from(error: BuildError) -> Self {
        SimpleError::Start(error)
    }
}

impl From<ClientError> for SimpleError {
    fn from(error: ClientError) -> Self {
        SimpleError::Call(error)
    }
}
