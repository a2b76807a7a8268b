//! Recordings: the folder is opened before the stack, and the task starts with it.

use std::sync::Arc;

use sans_io::Rng;
use sip_stack::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::error::{ServeError, failed};
use crate::config::Config;
use crate::http::api::recordings::Recordings;
use crate::recording::Library;
use crate::recording::control::{Ask, Control};
use crate::recording::task::{self, Manner};
use crate::switch::Request;

/// Recordings before the stack runs.
pub(super) struct Opened {
    library: Arc<Library>,
    asked: mpsc::Receiver<Ask>,
    manner: Manner,
}

/// Opens the folder; `None`: no call is recorded.
pub(super) fn open(config: &Config, rng: Rng) -> Result<(Option<Control>, Option<Opened>), ServeError> {
    let Some(settings) = &config.recording else {
        return Ok((None, None));
    };
    let folder = settings.shelf.directory.display();
    let library = Library::open(settings.shelf.clone())
        .map_err(|error| failed(format_args!("recordings in {folder}"), error))?;
    let (control, asked) = Control::new(settings.clone(), rng);
    let opened = Opened {
        library: Arc::new(library),
        asked,
        manner: Manner {
            silences_digits: settings.silences_digits,
        },
    };
    Ok((Some(control), Some(opened)))
}

impl Opened {
    /// Starts the task. Returns it, and what the API shows.
    pub(super) fn start(self, stack: &Handle<Request>) -> (JoinHandle<()>, Recordings) {
        let task = task::run(self.asked, Arc::clone(&self.library), self.manner, stack.clone());
        let recordings = Recordings {
            library: self.library,
            stack: stack.clone(),
        };
        (tokio::spawn(task), recordings)
    }
}
