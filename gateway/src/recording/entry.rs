//! Facts about a recording, as the API shows them and the folder keeps them.

use media_core::recording::Span;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::centre::view::Moment;

/// A recording of a call, without the numbers of callers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recording {
    /// Id.
    pub id: String,
    /// Id of the call, if it is one that the API shows.
    pub call: Option<String>,
    /// State.
    pub state: RecordingState,
    /// Moment of the first sound; before it, that at which the recording was started.
    pub began: Moment,
    /// Length; 0 until it is saved.
    pub duration_s: f64,
    /// Id of the queue that the call came through.
    pub queue: Option<String>,
    /// Name of the trunk on the far side.
    pub trunk: Option<String>,
    /// Names of the users who were in the call when the recording began.
    pub users: Vec<String>,
    /// Samples a second of each channel.
    pub rate: u32,
    /// Stretches that are silent because somebody paused the recording.
    pub pauses: Vec<RecordingPause>,
    /// True if the file is encrypted.
    pub encrypted: bool,
    /// Octets of the WAV file; 0 until it is saved.
    pub size: u64,
    /// SHA-256 of the WAV file, in hexadecimal digits, once it is saved.
    pub sha256: Option<String>,
    /// True if the gateway ended without ending the recording, or the recording before the call.
    pub interrupted: bool,
    /// Packets that are missing because the disk was too slow.
    pub missed_packets: u64,
    /// Error that ended it before the call, for people.
    pub error: Option<String>,
}

/// State of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecordingState {
    /// The call is recorded.
    Recording,
    /// Silence is recorded.
    Paused,
    /// Whole, and to be heard.
    Saved,
}

/// A silent stretch of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordingPause {
    /// Seconds from the beginning of the recording to that of the pause.
    pub from_s: f64,
    /// Seconds to its end.
    pub to_s: f64,
}

impl From<Span> for RecordingPause {
    fn from(span: Span) -> RecordingPause {
        RecordingPause {
            from_s: span.from.as_secs_f64(),
            to_s: span.to.as_secs_f64(),
        }
    }
}

impl Recording {
    /// True while the call is recorded.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state != RecordingState::Saved
    }
}
