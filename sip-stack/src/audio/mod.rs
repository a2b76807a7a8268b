//! Audio of a call from and to code: callbacks that give and take 20 ms at a time, and WAV files.
//!
//! Both faces have the same verbs: [`Call`](crate::client::Call) of a phone, and
//! [`SessionCoordinator`](crate::sessions::SessionCoordinator) for any call of a server. What runs is an [`AudioStream`] or a
//! [`WavRecording`]; dropping one ends it, and the call goes on.

mod receive;
mod send;
mod wav;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) use receive::receive;
pub(crate) use send::send;
pub use wav::{Channels, Heard, SoundError, WavRecording, read_pcm};
pub(crate) use wav::{Clip, RATE, record};

pub use media_core::control::SoundRate;

/// Time of one frame of audio.
pub const FRAME: std::time::Duration = std::time::Duration::from_millis(20);

/// Packets that may wait between two looks at a tap: a second of both directions.
pub(crate) const WAITING: usize = 100;

/// Sound for which there is room between code and the media thread.
pub(crate) const AHEAD: std::time::Duration = std::time::Duration::from_millis(100);

/// 20 ms of a party's voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFrame<'a> {
    /// 16-bit mono.
    pub samples: &'a [i16],
    /// Samples a second: 8,000 or 16,000.
    pub rate: u32,
}

/// Audio that is given or taken by a callback. It ends with the call, when its callback says so, or when this is dropped.
#[derive(Debug)]
#[must_use = "audio ends when this is dropped"]
pub struct AudioStream(Running<()>);

impl AudioStream {
    /// Waits until it ends: all of it was heard, or the call is over.
    pub async fn ended(self) {
        self.0.outcome().await;
    }

    /// True once it has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.task.is_finished()
    }

    /// Lets it run until it ends by itself.
    pub fn detach(self) {
        self.0.detach();
    }
}

/// A task that ends by itself, or when its owner does.
#[derive(Debug)]
pub(crate) struct Running<T> {
    /// Dropped: end. Sent: go on without an owner.
    owner: oneshot::Sender<()>,
    task: JoinHandle<T>,
}

/// The owner's word, as the task hears it.
#[derive(Debug)]
pub(crate) struct Owner(Option<oneshot::Receiver<()>>);

impl<T: Send + 'static> Running<T> {
    pub(crate) fn start<F: Future<Output = T> + Send + 'static>(run: impl FnOnce(Owner) -> F) -> Running<T> {
        let (owner, word) = oneshot::channel();
        Running {
            owner,
            task: tokio::spawn(run(Owner(Some(word)))),
        }
    }

    /// Waits until it ends by itself. `None` if it panicked, or its runtime ends.
    pub(crate) async fn outcome(self) -> Option<T> {
        let Running { owner, task } = self;
        let outcome = task.await.ok();
        drop(owner);
        outcome
    }

    /// Ends it, and waits for its outcome.
    pub(crate) async fn end(self) -> Option<T> {
        drop(self.owner);
        self.task.await.ok()
    }

    fn detach(self) {
        // It may have ended already.
        let _ = self.owner.send(());
    }
}

impl Owner {
    /// Comes back when the owner is gone; never where it let go.
    pub(crate) async fn gone(&mut self) {
        if let Some(word) = &mut self.0
            && word.await.is_err()
        {
            return;
        }
        self.0 = None;
        std::future::pending().await
    }
}
