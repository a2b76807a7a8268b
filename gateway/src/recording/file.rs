//! Files of recordings: written from the first sample to the last, ended then or at the next start, and read from anywhere.
//!
//! Sound that was handed to the system survives the end of the process, however that ends. A file that was not ended is ended from its length.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use ring::digest::{Context, SHA256};

use super::seal::{CHUNK, FileKey, HEAD, MasterKey, SEALED, TAG};
use super::wav::{self, FRAME, HEADER};

/// Octets that are read at a time.
const PIECE: u64 = 1 << 16;

/// A file that grows.
#[derive(Debug)]
pub(crate) struct Appender {
    file: File,
    seal: Option<FileKey>,
    /// Chunks that are written.
    chunks: u64,
    /// Samples that are not written yet.
    waiting: Vec<u8>,
    sealed: Vec<u8>,
}

impl Appender {
    /// A new file.
    ///
    /// # Errors
    /// It is there already, or cannot be made.
    pub(crate) fn create(path: &Path, rate: u32, master: Option<&MasterKey>) -> io::Result<Appender> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let seal = match master {
            Some(master) => {
                let (key, head) = FileKey::draw(master, rate)?;
                file.write_all(&head)?;
                Some(key)
            }
            None => {
                file.write_all(&wav::header(rate, wav::GROWING))?;
                None
            }
        };
        Ok(Appender {
            file,
            seal,
            chunks: 0,
            waiting: Vec::new(),
            sealed: Vec::new(),
        })
    }

    /// Takes samples of both channels in turn.
    pub(crate) fn append(&mut self, samples: &[i16]) {
        self.waiting
            .extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    }

    /// Writes what was taken; of an encrypted file, whole chunks.
    ///
    /// # Errors
    /// No space is left, or the disk fails.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        let Some(key) = &self.seal else {
            self.file.write_all(&self.waiting)?;
            self.waiting.clear();
            return Ok(());
        };
        self.sealed.clear();
        let whole = self.waiting.len() / CHUNK * CHUNK;
        for chunk in self.waiting[..whole].chunks_exact(CHUNK) {
            key.seal(self.chunks, false, chunk, &mut self.sealed)?;
            self.chunks += 1;
        }
        self.waiting.drain(..whole);
        self.file.write_all(&self.sealed)
    }

    /// Writes the rest. What is missing yet is done by [`end`].
    ///
    /// # Errors
    /// As [`Appender::write`].
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.write()?;
        if let Some(key) = &self.seal {
            self.sealed.clear();
            key.seal(self.chunks, true, &self.waiting, &mut self.sealed)?;
            self.file.write_all(&self.sealed)?;
        }
        Ok(())
    }
}

/// A file that has its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Octets of the WAV file.
    pub(crate) size: u64,
    pub(crate) rate: u32,
    /// SHA-256 of the WAV file, in hexadecimal digits.
    pub(crate) sha256: String,
}

/// Ends a file to which nothing is added any more: its length goes where it belongs, the remains of a write that was cut off are
/// removed, and the disk has it all.
///
/// # Errors
/// The file cannot be read or written, or needs another key.
pub(crate) fn end(path: &Path, master: Option<&MasterKey>) -> io::Result<Ended> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let mut magic = [0; 4];
    file.read_exact_at(&mut magic, 0)?;
    if magic == *b"RIFF" {
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0)?;
        let samples = length.saturating_sub(HEADER as u64) / FRAME * FRAME;
        file.set_len(HEADER as u64 + samples)?;
        file.write_all_at(&wav::header(wav::rate(&header)?, samples), 0)?;
    } else {
        end_sealed(&file, length, master)?;
    }
    file.sync_all()?;
    let content = Content::of(file, master)?;
    let mut hash = Context::new(&SHA256);
    let mut at = 0;
    while at < content.size() {
        let piece = content.read(at..content.size())?;
        at += piece.len() as u64;
        hash.update(&piece);
    }
    let sha256 = hash.finish();
    Ok(Ended {
        size: content.size(),
        rate: content.rate,
        sha256: sha256
            .as_ref()
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect(),
    })
}

/// Gives an encrypted file its last chunk, if it has none.
fn end_sealed(mut file: &File, length: u64, master: Option<&MasterKey>) -> io::Result<()> {
    let key = key_of(file, master)?;
    let (mut chunks, rest) = chunks(length);
    let mut last = vec![0; rest as usize];
    file.read_exact_at(&mut last, HEAD as u64 + chunks * SEALED as u64)?;
    if last.len() >= TAG && key.open(chunks, true, &mut last).is_some() {
        return Ok(());
    }
    // A machine that lost its power may have lost what was written last: the last whole chunk that is right ends the file.
    let mut chunk = vec![0; SEALED];
    while let Some(before) = chunks.checked_sub(1) {
        file.read_exact_at(&mut chunk, HEAD as u64 + before * SEALED as u64)?;
        if key.open(before, false, &mut chunk).is_some() {
            break;
        }
        chunks = before;
    }
    let end = HEAD as u64 + chunks * SEALED as u64;
    file.set_len(end)?;
    let mut sealed = Vec::new();
    key.seal(chunks, true, &[], &mut sealed)?;
    file.seek(SeekFrom::Start(end))?;
    file.write_all(&sealed)
}

/// Whole chunks, and octets after them.
const fn chunks(length: u64) -> (u64, u64) {
    let chunks = length.saturating_sub(HEAD as u64);
    (chunks / SEALED as u64, chunks % SEALED as u64)
}

fn key_of(mut file: &File, master: Option<&MasterKey>) -> io::Result<FileKey> {
    let none = || io::Error::other("the recording is encrypted, and no key is configured");
    let mut head = [0; HEAD];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut head)?;
    FileKey::of(master.ok_or_else(none)?, &head)
}

/// The WAV file that a listener gets, of an ended recording.
#[derive(Debug)]
pub(crate) struct Content {
    file: File,
    key: Option<FileKey>,
    rate: u32,
    /// Octets of samples.
    samples: u64,
}

impl Content {
    /// Opens a recording.
    ///
    /// # Errors
    /// The file cannot be read, or needs another key.
    pub(crate) fn open(path: &Path, master: Option<&MasterKey>) -> io::Result<Content> {
        Content::of(File::open(path)?, master)
    }

    fn of(file: File, master: Option<&MasterKey>) -> io::Result<Content> {
        let length = file.metadata()?.len();
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0)?;
        if header.starts_with(b"RIFF") {
            return Ok(Content {
                rate: wav::rate(&header)?,
                samples: length.saturating_sub(HEADER as u64),
                file,
                key: None,
            });
        }
        let key = key_of(&file, master)?;
        let (chunks, rest) = chunks(length);
        Ok(Content {
            rate: key.rate(),
            samples: chunks * CHUNK as u64 + rest.saturating_sub(TAG as u64),
            file,
            key: Some(key),
        })
    }

    /// Octets of the WAV file.
    pub(crate) const fn size(&self) -> u64 {
        HEADER as u64 + self.samples
    }

    /// Octets from the beginning of a range, 64 KiB at most.
    ///
    /// # Errors
    /// The file cannot be read, or was changed.
    pub(crate) fn read(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let end = range.end.min(self.size()).min(range.start.saturating_add(PIECE));
        let mut piece = Vec::new();
        if range.start < HEADER as u64 {
            let header = wav::header(self.rate, self.samples);
            let until = end.min(HEADER as u64);
            piece.extend_from_slice(&header[range.start as usize..until as usize]);
        }
        let from = range.start.max(HEADER as u64) - HEADER as u64;
        let until = end.max(HEADER as u64) - HEADER as u64;
        if from < until {
            self.read_samples(from..until, &mut piece)?;
        }
        Ok(piece)
    }

    fn read_samples(&self, range: Range<u64>, piece: &mut Vec<u8>) -> io::Result<()> {
        let Some(key) = &self.key else {
            let start = piece.len();
            piece.resize(start + (range.end - range.start) as usize, 0);
            return self
                .file
                .read_exact_at(&mut piece[start..], HEADER as u64 + range.start);
        };
        let (chunk, last) = (CHUNK as u64, self.samples / CHUNK as u64);
        for number in range.start / chunk..=(range.end - 1) / chunk {
            let length = (self.samples - number * chunk).min(chunk) as usize + TAG;
            let mut sealed = vec![0; length];
            self.file
                .read_exact_at(&mut sealed, HEAD as u64 + number * SEALED as u64)?;
            let opened = key
                .open(number, number == last, &mut sealed)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the recording was changed"))?;
            let from = range.start.saturating_sub(number * chunk).min(chunk) as usize;
            let until = (range.end - number * chunk).min(opened.len() as u64) as usize;
            piece.extend_from_slice(&opened[from..until]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
