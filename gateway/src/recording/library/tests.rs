use super::*;

fn recording(n: u64) -> Recording {
    Recording {
        id: format!("recording_{n:016}"),
        call: Some(format!("call_{n}")),
        state: RecordingState::Recording,
        began: Moment(Time::from_secs(n * 3_600)),
        duration_s: 0.0,
        queue: None,
        trunk: None,
        users: Vec::new(),
        rate: 8_000,
        pauses: Vec::new(),
        encrypted: false,
        size: 0,
        sha256: None,
        interrupted: false,
        missed_packets: 0,
        error: None,
    }
}

fn shelf(folder: &tempfile::TempDir) -> Shelf {
    Shelf {
        directory: folder.path().join("recordings"),
        ..Shelf::default()
    }
}

/// Records a second.
fn record(library: &Library, n: u64) -> io::Result<String> {
    let recording = recording(n);
    let mut appender = library.begin(recording.clone())?;
    appender.append(&[1; 16_000]);
    appender.close()?;
    Ok(recording.id)
}

#[test]
fn a_recording_that_a_gateway_left_is_ended_by_the_next_one() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    for key in [None, Some(MasterKey::of_tests())] {
        let shelf = Shelf {
            key,
            ..shelf(&folder)
        };
        let id = {
            let library = Library::open(shelf.clone())?;
            let error = Library::open(shelf.clone()).expect_err("it has the folder");
            assert_eq!(error.to_string(), "another gateway has the folder");
            let mut appender = library.begin(recording(4))?;
            appender.append(&[1; 16_384]);
            appender.write()?;
            recording(4).id
        };
        let library = Library::open(shelf)?;
        assert!(library.unfinished().iter().eq([&id]));
        let outcome = Outcome {
            interrupted: true,
            ..Outcome::default()
        };
        let saved = library.finish(&id, outcome)?;
        assert_eq!((saved.duration_s, saved.size), (1.024, 44 + 32_768));
        assert!(saved.interrupted && !saved.is_live() && saved.sha256.is_some());
        assert_eq!(library.content(&saved)?.size(), saved.size);
        assert!(library.unfinished().is_empty());
        assert!(library.delete(&id));
    }
    Ok(())
}

#[test]
fn what_is_too_old_or_too_much_goes_the_oldest_first_and_no_live_one() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let library = Library::open(Shelf {
        keep: Some(Duration::from_secs(10 * 3_600)),
        max_size: Some(2 * 32_044),
        ..shelf(&folder)
    })?;
    for n in 1..=5 {
        let id = record(&library, n)?;
        if n != 2 {
            library.finish(&id, Outcome::default())?;
        }
    }
    assert_eq!(library.total(), (4, 4 * 32_044));
    let gone = library.tidy(Time::from_secs(5 * 3_600));
    assert_eq!(gone, [recording(1).id, recording(3).id]);
    let gone = library.tidy(Time::from_secs(15 * 3_600 - 1));
    assert_eq!(gone, [recording(4).id]);
    let left = library.list(None, 10, |_| true);
    let left: Vec<&str> = left.iter().map(|recording| &recording.id[..]).collect();
    assert_eq!(left, [recording(5).id, recording(2).id]);
    assert_eq!(library.list(Some(left[0]), 10, |_| true).len(), 1);
    Ok(())
}

#[test]
fn whoever_listens_is_written_down_once_in_a_while() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let library = Library::open(shelf(&folder))?;
    for (at, who, deed) in [
        (0, "ann", Deed::Listened),
        (60, "ann", Deed::Listened),
        (60, "bob", Deed::Listened),
        (700, "ann", Deed::Listened),
        (700, "ann", Deed::Deleted),
    ] {
        library.note(Time::from_secs(at), who, deed, "recording_1")?;
    }
    let text = fs::read_to_string(shelf(&folder).directory.join(AUDIT))?;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        lines[0],
        r#"{"at":"1970-01-01T00:00:00.000Z","who":"ann","deed":"listened","recording":"recording_1"}"#
    );
    assert!(lines[3].contains("deleted"));
    Ok(())
}
