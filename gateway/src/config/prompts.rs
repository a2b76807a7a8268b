//! Announcements that somebody recorded: a directory of WAV files with the names of [`Clip`]s.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use media_core::control::{Clip, Prompts};
use sip_stack::client::read_pcm;

/// No clip is longer, seconds.
const LONGEST: usize = 30;

/// Reads the directory.
///
/// # Errors
/// Each thing that is wrong with it, and which file that is.
pub(super) fn read(directory: &Path) -> Result<Arc<Prompts>, Vec<String>> {
    let entries =
        std::fs::read_dir(directory).map_err(|error| vec![format!("{}: {error}", directory.display())])?;
    let mut prompts = Prompts::default();
    let mut there = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        // Other files there are not ours.
        let is_wav = |ending: &OsStr| ending.eq_ignore_ascii_case("wav");
        if !file.extension().is_some_and(is_wav) {
            continue;
        }
        let name = file.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        let Some(clip) = Clip::all().find(|clip| clip.name() == name) else {
            wrong.push(format!("{}: no announcement has this name", file.display()));
            continue;
        };
        there.insert(clip);
        match read_pcm(&file) {
            Err(error) => wrong.push(format!("{}: {error}", file.display())),
            Ok((samples, _)) if samples.is_empty() => {
                wrong.push(format!("{}: there is no sound in it", file.display()));
            }
            Ok((samples, rate)) if samples.len() > LONGEST * rate as usize => {
                wrong.push(format!("{}: is longer than {LONGEST} seconds", file.display()));
            }
            Ok((samples, rate)) => prompts.add(clip, &samples, rate),
        }
    }
    let missing: Vec<String> = Clip::all()
        .filter(|clip| is_needed(*clip, &there) && !there.contains(clip))
        .map(|clip| format!("{}.wav", clip.name()))
        .collect();
    if !missing.is_empty() {
        wrong.push(format!("{} lacks {}", directory.display(), missing.join(", ")));
    }
    if wrong.is_empty() {
        Ok(Arc::new(prompts))
    } else {
        Err(wrong)
    }
}

/// Every position up to 99 can be announced, and every wait, if waits are announced at all.
fn is_needed(clip: Clip, there: &BTreeSet<Clip>) -> bool {
    let tells_waits = [Clip::Wait, Clip::Minute, Clip::Minutes]
        .iter()
        .any(|clip| there.contains(clip));
    match clip {
        Clip::Next | Clip::Position => true,
        Clip::InLine | Clip::Stay | Clip::Number(0 | 100) => false,
        Clip::Wait | Clip::Minute | Clip::Minutes => tells_waits,
        // The units are for the numbers that are put together, the one for them and for a minute.
        Clip::Number(1..=20) => true,
        Clip::Number(n) if n % 10 == 0 => true,
        Clip::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that is gone in the end.
    struct Scratch(tempfile::TempDir);

    impl Scratch {
        fn new() -> Scratch {
            Scratch(tempfile::tempdir().expect("a directory"))
        }

        /// A tenth of a second.
        fn write(&self, name: &str, rate: u32, channels: u16, bits: u16) {
            let spec = hound::WavSpec {
                channels,
                sample_rate: rate,
                bits_per_sample: bits,
                sample_format: hound::SampleFormat::Int,
            };
            let path = self.0.path().join(format!("{name}.wav"));
            let mut wav = hound::WavWriter::create(path, spec).expect("a file");
            for i in 0..rate / 10 {
                for _ in 0..channels {
                    let sample =
                        (f64::from(i) * 2_764.6 / f64::from(rate)).sin() * f64::from(1u32 << (bits - 3));
                    wav.write_sample(sample as i32).expect("written");
                }
            }
            wav.finalize().expect("written");
        }

        fn write_all(&self) {
            for clip in Clip::all().filter(|clip| is_needed(*clip, &BTreeSet::new())) {
                self.write(&clip.name(), 16_000, 1, 16);
            }
        }
    }

    fn errors(scratch: &Scratch) -> Vec<String> {
        let directory = format!("{}", scratch.0.path().display());
        let errors = read(scratch.0.path()).err().unwrap_or_default();
        errors
            .into_iter()
            .map(|error| error.replace(&directory, "DIR"))
            .collect()
    }

    #[test]
    fn files_of_any_rate_and_kind_are_taken() {
        let scratch = Scratch::new();
        scratch.write_all();
        scratch.write("next", 44_100, 2, 16);
        scratch.write("position", 8_000, 1, 8);
        scratch.write("47", 48_000, 2, 8);
        std::fs::write(scratch.0.path().join("README.txt"), "who spoke").expect("written");
        assert_eq!(errors(&scratch), [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_told_with_the_file() {
        let scratch = Scratch::new();
        scratch.write_all();
        scratch.write("wait", 8_000, 1, 16);
        scratch.write("nxt", 8_000, 1, 16);
        scratch.write("3", 8_000, 1, 24);
        std::fs::write(scratch.0.path().join("5.wav"), "RIFF").expect("written");
        std::fs::remove_file(scratch.0.path().join("30.wav")).expect("removed");
        assert_eq!(
            errors(&scratch),
            [
                "DIR/3.wav: 24 bits a sample: only PCM of 8 or 16 bits is understood",
                "DIR/5.wav: Failed to read enough bytes.",
                "DIR/nxt.wav: no announcement has this name",
                "DIR lacks minute.wav, minutes.wav, 30.wav",
            ]
        );
        let nowhere = read(&scratch.0.path().join("nowhere")).expect_err("not there");
        assert!(nowhere[0].contains("nowhere: No such file"), "{nowhere:?}");
    }
}
