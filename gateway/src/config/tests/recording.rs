//! Recording of calls, as a file says.

use std::time::Duration;

use super::*;
use crate::recording::{Rule as RecordingRule, Share};

const FILE: &str = r#"
[[users]]
name = "anna"
password = "a long secret"
[[trunks]]
name = "carrier"
address = "192.0.2.1"
[recording]
directory = "recordings"
keep_days = 90
max_size_gb = 200
[[recording.rules]]
user = "anna"
record = "never"
[[recording.rules]]
trunk = "carrier"
dialled = "+49"
record = "20%"
"#;

#[test]
fn calls_are_recorded_as_the_file_says() {
    assert_eq!(Config::default().recording, None);
    let recording = parse(FILE).expect("right").recording.expect("recorded");
    assert_eq!(recording.shelf.directory, Path::new("recordings"));
    assert_eq!(recording.shelf.key, None);
    assert_eq!(recording.shelf.keep, Some(Duration::from_secs(90 * 86_400)));
    assert_eq!(recording.shelf.max_size, Some(200_000_000_000));
    assert_eq!((recording.rate, recording.silences_digits), (8_000, true));
    let rules = [
        RecordingRule {
            user: Some("anna".into()),
            record: Share::Never,
            ..RecordingRule::default()
        },
        RecordingRule {
            trunk: Some("carrier".into()),
            dialled: Some("+49".into()),
            record: Share::Percent(20),
            ..RecordingRule::default()
        },
    ];
    assert_eq!(recording.rules, rules);
}

#[test]
fn mistakes_about_recordings_are_named_with_their_place() {
    let errors = |from: &str, to: &str| parse(&FILE.replacen(from, to, 1)).expect_err("wrong");
    for (from, to, error) in [
        ("directory = \"recordings\"", "", "recording.directory"),
        (
            "keep_days = 90",
            "rate = 12000",
            "recording.rate: 12000 is none of: 8000, 16000",
        ),
        (
            "\"20%\"",
            "\"120%\"",
            "recording.rules.record: `120%` is none of: all, on-demand, never, or a percentage from \"1%\" to \"99%\"",
        ),
        (
            "trunk = \"carrier\"",
            "trunk = \"carier\"",
            "recording.rules.trunk: there is no trunk `carier`; known: carrier",
        ),
        (
            "user = \"anna\"",
            "agent = \"anna\"",
            "unknown key `agent` in [recording.rules]",
        ),
        (
            "keep_days = 90",
            "key_file = \"/nowhere/key\"",
            "recording.key_file: /nowhere/key cannot be read",
        ),
    ] {
        let found = errors(from, to);
        assert!(found.len() == 1 && found[0].contains(error), "{to}: {found:?}");
    }
}
