//! The folder of recordings: a file of sound and one of facts for each, and a file that says who listened.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sans_io::Time;
use serde::Serialize;

use super::entry::{Recording, RecordingPause, RecordingState};
use super::file::{self, Appender, Content};
use super::seal::MasterKey;
use super::wav::{FRAME, HEADER};
use crate::centre::view::Moment;

/// File that says who listened to what.
const AUDIT: &str = "audit.jsonl";
/// File whose lock keeps others out.
const LOCK: &str = "lock";
/// Time within which the same person listens to a recording once, however often the page asks for a piece of it.
const SAME: Duration = Duration::from_secs(600);

/// Settings of the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    /// The folder.
    pub directory: PathBuf,
    /// Key that new recordings are encrypted with.
    pub key: Option<MasterKey>,
    /// Age at which recordings are deleted.
    pub keep: Option<Duration>,
    /// Size of all together, in octets, beyond which the oldest are deleted.
    pub max_size: Option<u64>,
}

/// All recordings of a gateway.
#[derive(Debug)]
pub struct Library {
    shelf: Shelf,
    index: Mutex<BTreeMap<String, Recording>>,
    /// Last time at which somebody listened to a recording.
    heard: Mutex<BTreeMap<(String, String), Time>>,
    _lock: File,
}

/// Outcome of a recording, by those who wrote it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) pauses: Vec<RecordingPause>,
    pub(crate) missed_packets: u64,
    pub(crate) interrupted: bool,
    pub(crate) error: Option<String>,
}

/// Deed of somebody with a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Deed {
    Listened,
    Deleted,
}

impl Library {
    /// Opens the folder, or makes it.
    ///
    /// # Errors
    /// It cannot be read or written, or another gateway has it.
    pub fn open(shelf: Shelf) -> io::Result<Library> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&shelf.directory)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(shelf.directory.join(LOCK))?;
        lock.try_lock()
            .map_err(|_| io::Error::new(io::ErrorKind::AddrInUse, "another gateway has the folder"))?;
        let library = Library {
            index: Mutex::new(BTreeMap::new()),
            heard: Mutex::new(BTreeMap::new()),
            shelf,
            _lock: lock,
        };
        library.read()?;
        Ok(library)
    }

    fn read(&self) -> io::Result<()> {
        let mut index = self.index();
        for entry in fs::read_dir(&self.shelf.directory)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let read = fs::read(&path).and_then(|text| Ok(serde_json::from_slice::<Recording>(&text)?));
            match read {
                Ok(recording) => {
                    index.insert(recording.id.clone(), recording);
                }
                Err(error) => tracing::warn!(file = %path.display(), %error, "facts of a recording"),
            }
        }
        Ok(())
    }

    /// Recordings that were not ended: after the start, those that the gateway before this one left.
    #[must_use]
    pub fn unfinished(&self) -> Vec<String> {
        let index = self.index();
        let live = index.values().filter(|recording| recording.is_live());
        live.map(|recording| recording.id.clone()).collect()
    }

    /// Begins a recording.
    ///
    /// # Errors
    /// Its files cannot be made.
    pub(crate) fn begin(&self, mut recording: Recording) -> io::Result<Appender> {
        recording.encrypted = self.shelf.key.is_some();
        self.keep(&recording)?;
        let path = self.sound(&recording);
        let made = Appender::create(&path, recording.rate, self.shelf.key.as_ref());
        match &made {
            Ok(_) => {
                self.index().insert(recording.id.clone(), recording);
            }
            Err(_) => {
                let _ = fs::remove_file(self.facts(&recording.id));
            }
        }
        made
    }

    /// Changes the facts about a live recording. Returns them as they are then.
    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Recording)) -> Option<Recording> {
        let mut index = self.index();
        let recording = index.get_mut(id)?;
        change(recording);
        let recording = recording.clone();
        drop(index);
        if let Err(error) = self.keep(&recording) {
            tracing::warn!(recording = id, %error, "facts of a recording");
        }
        Some(recording)
    }

    /// Ends a recording to which nothing is added any more.
    ///
    /// # Errors
    /// Its file cannot be read or written.
    pub(crate) fn finish(&self, id: &str, outcome: Outcome) -> io::Result<Recording> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no such recording");
        let recording = self.get(id).ok_or_else(missing)?;
        let ended = file::end(&self.sound(&recording), self.shelf.key.as_ref())?;
        let frames = (ended.size - HEADER as u64) / FRAME;
        let saved = self.change(id, |recording| {
            recording.state = RecordingState::Saved;
            recording.duration_s = frames as f64 / f64::from(ended.rate);
            recording.size = ended.size;
            recording.sha256 = Some(ended.sha256);
            recording.interrupted = outcome.interrupted || outcome.error.is_some();
            recording.missed_packets = outcome.missed_packets;
            if !outcome.pauses.is_empty() {
                recording.pauses = outcome.pauses;
            }
            recording.error = outcome.error;
        });
        saved.ok_or_else(missing)
    }

    /// Removes a recording that has no sound.
    pub(crate) fn forget(&self, id: &str) {
        if let Some(recording) = self.index().remove(id) {
            self.remove_files(&recording);
        }
    }

    /// A recording.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Recording> {
        self.index().get(id).cloned()
    }

    /// Recordings that are wanted, newest first, `limit` of them at most, older than that with the id `before`.
    #[must_use]
    pub fn list(
        &self,
        before: Option<&str>,
        limit: usize,
        wanted: impl Fn(&Recording) -> bool,
    ) -> Vec<Recording> {
        let index = self.index();
        let all = index.values().rev();
        let older = all.filter(|recording| before.is_none_or(|before| recording.id.as_str() < before));
        older
            .filter(|recording| wanted(recording))
            .take(limit)
            .cloned()
            .collect()
    }

    /// Number and octets of the recordings that are saved.
    #[must_use]
    pub fn total(&self) -> (u64, u64) {
        let index = self.index();
        let saved = index.values().filter(|recording| !recording.is_live());
        saved.fold((0, 0), |(number, size), recording| {
            (number + 1, size + recording.size)
        })
    }

    /// The sound of a saved recording.
    ///
    /// # Errors
    /// The file cannot be read, or needs another key.
    pub(crate) fn content(&self, recording: &Recording) -> io::Result<Content> {
        Content::open(&self.sound(recording), self.shelf.key.as_ref())
    }

    /// Deletes a saved recording; false if there is none.
    pub(crate) fn delete(&self, id: &str) -> bool {
        let mut index = self.index();
        if index.get(id).is_none_or(Recording::is_live) {
            return false;
        }
        let Some(recording) = index.remove(id) else {
            return false;
        };
        drop(index);
        self.remove_files(&recording);
        true
    }

    /// Deletes what is too old, or too much. Returns the ids.
    pub(crate) fn tidy(&self, now: Time) -> Vec<String> {
        let (_, mut size) = self.total();
        let old = |recording: &Recording| {
            let keep = self.shelf.keep;
            keep.is_some_and(|keep| now.since(recording.began.0) > keep)
        };
        let mut gone = Vec::new();
        for recording in self.index().values().filter(|recording| !recording.is_live()) {
            let is_too_much = self.shelf.max_size.is_some_and(|most| size > most);
            if is_too_much || old(recording) {
                size -= recording.size;
                gone.push(recording.id.clone());
            }
        }
        gone.retain(|id| self.delete(id));
        gone
    }

    /// Writes down who did what with a recording.
    ///
    /// # Errors
    /// It cannot be written down: then it must not be done.
    pub(crate) fn note(&self, now: Time, who: &str, deed: Deed, recording: &str) -> io::Result<()> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.retain(|_, at| now.since(*at) < SAME);
        let key = (who.to_owned(), recording.to_owned());
        if deed == Deed::Listened && heard.contains_key(&key) {
            return Ok(());
        }
        let line = Line {
            at: Moment(now),
            who,
            deed,
            recording,
        };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.shelf.directory.join(AUDIT))?;
        file.write_all(&text)?;
        heard.insert(key, now);
        Ok(())
    }

    fn remove_files(&self, recording: &Recording) {
        for path in [self.sound(recording), self.facts(&recording.id)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(file = %path.display(), %error, "recording not deleted");
                }
                _ => {}
            }
        }
    }

    /// Writes the facts down, all or nothing.
    fn keep(&self, recording: &Recording) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(recording)?;
        let new = self.shelf.directory.join(format!("{}.new", recording.id));
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&text)?;
        fs::rename(&new, self.facts(&recording.id))
    }

    fn sound(&self, recording: &Recording) -> PathBuf {
        let kind = if recording.encrypted { "sealed" } else { "wav" };
        self.shelf.directory.join(format!("{}.{kind}", recording.id))
    }

    fn facts(&self, id: &str) -> PathBuf {
        self.shelf.directory.join(format!("{id}.json"))
    }

    fn index(&self) -> MutexGuard<'_, BTreeMap<String, Recording>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Serialize)]
struct Line<'a> {
    at: Moment,
    who: &'a str,
    deed: Deed,
    recording: &'a str,
}

#[cfg(test)]
mod tests;
