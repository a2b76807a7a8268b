//! Carrier profiles: a trunk of each does what its carrier demands.

use std::collections::BTreeMap;
use std::path::Path;

use cordboard::config::Profile;
use cordboard_tests::carrier::{Bench, Scenario, Seen, play, scenarios};

/// Scenarios that a profile has at least.
const LEAST: usize = 20;

/// Text of a profile's file.
fn text(profile: &Profile) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles");
    std::fs::read_to_string(folder.join(format!("{}.toml", profile.name))).expect("the file of a profile")
}

/// A folder with a certificate and its key.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(["sbc1.example.com".to_owned()]).expect("a certificate");
    for (name, pem) in [
        ("certificate.pem", made.cert.pem()),
        ("key.pem", made.signing_key.serialize_pem()),
    ] {
        std::fs::write(folder.path().join(name), pem).expect("a file");
    }
    folder
}

/// The scenarios of a profile, and the message of each run that they need.
fn played(profile: &Profile, folder: &Path) -> (Vec<Scenario>, BTreeMap<String, Seen>) {
    let all = scenarios(&text(profile)).unwrap_or_else(|error| panic!("{}: {error}", profile.name));
    let mut seen = BTreeMap::new();
    for scenario in &all {
        seen.entry(scenario.run.clone()).or_insert_with(|| {
            let bench =
                Bench::new(profile, folder).unwrap_or_else(|error| panic!("{}: {error}", profile.name));
            play(bench, &scenario.run).unwrap_or_else(|error| panic!("{}: {error}", profile.name))
        });
    }
    (all, seen)
}

/// Names of the scenarios that do not hold.
fn red<'s>(all: &'s [Scenario], seen: &BTreeMap<String, Seen>) -> Vec<&'s str> {
    let fails = |scenario: &&Scenario| !scenario.holds(&seen[&scenario.run]);
    all.iter()
        .filter(fails)
        .map(|scenario| scenario.name.as_str())
        .collect()
}

#[test]
fn every_file_of_a_profile_comes_with_the_gateway() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder")
        .filter_map(|entry| {
            entry
                .ok()?
                .file_name()
                .into_string()
                .ok()?
                .strip_suffix(".toml")
                .map(str::to_owned)
        })
        .collect();
    files.sort();
    let known: Vec<&str> = Profile::all().iter().map(|profile| profile.name).collect();
    assert_eq!(files, known);
}

#[test]
fn a_trunk_of_each_profile_does_what_its_carrier_demands() {
    let folder = folder();
    let mut wrong = Vec::new();
    for profile in Profile::all() {
        let (all, seen) = played(profile, folder.path());
        assert!(all.len() >= LEAST, "{}: {} scenarios", profile.name, all.len());
        for scenario in all
            .iter()
            .filter(|scenario| !scenario.holds(&seen[&scenario.run]))
        {
            let text = seen[&scenario.run].text(&scenario.place);
            wrong.push(format!(
                "{}: {} ({}, {}): {text:?}",
                profile.name, scenario.name, scenario.run, scenario.place
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_changed_header_turns_exactly_its_scenario_red() {
    let folder = folder();
    let mut wrong = Vec::new();
    for profile in Profile::all() {
        let (all, seen) = played(profile, folder.path());
        for scenario in &all {
            let mut changed = seen.clone();
            let message = scenario.broken(&seen[&scenario.run]);
            changed.insert(scenario.run.clone(), message);
            let turned = red(&all, &changed);
            if turned != [scenario.name.as_str()] {
                wrong.push(format!("{}: {}: {turned:?}", profile.name, scenario.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
