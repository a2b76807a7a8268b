use std::path::PathBuf;

use super::*;

fn sound(frames: usize) -> Vec<i16> {
    (0..2 * frames).map(|i| (i * 7) as i16).collect()
}

/// A file with so many frames that was not ended.
fn growing(folder: &Path, frames: usize, master: Option<&MasterKey>) -> io::Result<PathBuf> {
    let path = folder.join(format!("{frames}-{}.wav", master.is_some()));
    let mut appender = Appender::create(&path, 8_000, master)?;
    for piece in sound(frames).chunks(1_000) {
        appender.append(piece);
        appender.write()?;
    }
    Ok(path)
}

fn heard(path: &Path, master: Option<&MasterKey>) -> io::Result<Vec<i16>> {
    let content = Content::open(path, master)?;
    let mut wav = Vec::new();
    while (wav.len() as u64) < content.size() {
        wav.extend(content.read(wav.len() as u64..u64::MAX)?);
    }
    let mut reader = hound::WavReader::new(&wav[..]).map_err(io::Error::other)?;
    assert_eq!((reader.spec().channels, reader.spec().sample_rate), (2, 8_000));
    reader
        .samples()
        .collect::<Result<_, _>>()
        .map_err(io::Error::other)
}

#[test]
fn what_was_recorded_is_read_from_anywhere_encrypted_or_not() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let key = MasterKey::of_tests();
    for master in [None, Some(&key)] {
        for frames in [0, 1, 1_023, 1_024, 1_025, 50_000] {
            let path = folder.path().join(format!("{frames}-{}", master.is_some()));
            let mut appender = Appender::create(&path, 8_000, master)?;
            for piece in sound(frames).chunks(640) {
                appender.append(piece);
                appender.write()?;
            }
            appender.close()?;
            let ended = end(&path, master)?;
            assert_eq!((ended.size, ended.rate), (44 + 4 * frames as u64, 8_000));
            assert_eq!(heard(&path, master)?, sound(frames), "{frames}");
            // Ending it once more changes nothing.
            assert_eq!(end(&path, master)?, ended);
            let content = Content::open(&path, master)?;
            let whole = content.read(0..ended.size)?;
            for from in (0..whole.len()).step_by(997) {
                let until = whole.len().min(from + 5_000);
                let part = content.read(from as u64..until as u64)?;
                assert!(part == whole[from..until], "{frames}: {from} to {until}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_file_that_was_not_ended_has_everything_that_was_written() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let key = MasterKey::of_tests();
    // The WAV file is whole for players at any moment; its length follows.
    let path = growing(folder.path(), 5_000, None)?;
    std::fs::write(&path, [std::fs::read(&path)?, vec![1, 2, 3]].concat())?;
    assert_eq!(end(&path, None)?.size, 44 + 4 * 5_000);
    assert_eq!(heard(&path, None)?, sound(5_000));
    // Of an encrypted one, all whole chunks: 4 of 1,024 frames.
    let path = growing(folder.path(), 5_000, Some(&key))?;
    let written = std::fs::read(&path)?;
    for torn in [0, 10, 500] {
        std::fs::write(&path, [&written[..], &vec![9; torn]].concat())?;
        assert_eq!(end(&path, Some(&key))?.size, 44 + 4 * 4_096);
        assert_eq!(heard(&path, Some(&key))?, sound(4_096));
    }
    Ok(())
}

#[test]
fn an_encrypted_file_tells_nothing_without_its_key_and_no_change_goes_unnoticed() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let key = MasterKey::of_tests();
    let path = growing(folder.path(), 5_000, Some(&key))?;
    let size = end(&path, Some(&key))?.size;
    let error = Content::open(&path, None).expect_err("no key");
    assert_eq!(
        error.to_string(),
        "the recording is encrypted, and no key is configured"
    );
    let mut stored = std::fs::read(&path)?;
    stored[HEAD + 2 * SEALED + 5] ^= 1;
    std::fs::write(&path, &stored)?;
    let content = Content::open(&path, Some(&key))?;
    assert!(content.read(44..4_000).is_ok());
    assert!(content.read(44..size).is_err());
    Ok(())
}
