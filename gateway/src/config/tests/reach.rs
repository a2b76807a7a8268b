//! Forwarding, do not disturb and ring groups of a file.

use std::time::Duration;

use call_engine::{RingGroup, RingStrategy};

use super::*;

const FILE: &str = r#"
[[users]]
name = "anna"
password = "a long secret"
do_not_disturb = true
forward = { busy = "ben", no_answer = "9196", no_answer_after = 30 }
[[users]]
name = "ben"
password = "another secret"
forward.always = "anna"
[[users]]
name = "clara"
password = "a third secret"
[[groups]]
name = "sales"
number = "7100"
members = ["anna", "ben"]
strategy = "round-robin"
ring = 15
overflow = "clara"
[[dial]]
match = "88"
group = "sales"
[[dial]]
match = "9196"
application = "echo"
"#;

#[test]
fn users_and_groups_are_reached_as_the_file_says() {
    let config = parse(FILE).expect("right");
    assert_eq!(config.warnings, []);
    let anna = &config.call_handling["anna"];
    assert!(anna.do_not_disturb);
    assert_eq!(
        anna.forward,
        Forward {
            busy: Some("ben".into()),
            no_answer: Some("9196".into()),
            no_answer_after: 30,
            ..Forward::default()
        }
    );
    assert_eq!(anna.policy().no_answer_after, Duration::from_secs(30));
    assert_eq!(
        config.call_handling["ben"].forward.always.as_deref(),
        Some("anna")
    );
    assert!(!config.call_handling.contains_key("clara"));
    let group = RingGroup {
        name: "sales".into(),
        members: ["anna", "ben"].map(str::to_owned).to_vec(),
        strategy: RingStrategy::RoundRobin,
        ring: Duration::from_secs(15),
        overflow: Some("clara".into()),
    };
    let number = Some("7100".to_owned());
    assert_eq!(config.groups, [Group { ring: group, number }]);
    for number in ["88", "7100", "sales"] {
        let name = "sales".to_owned();
        assert_eq!(decide(&config, number), Decision::Group { name }, "{number}");
    }
}

#[test]
fn mistakes_are_reported_where_they_are() {
    let errors = |from: &str, to: &str| parse(&FILE.replacen(from, to, 1)).expect_err("wrong");
    for (from, to, error) in [
        (
            "do_not_disturb = true",
            "do_not_disturb = 1",
            "c.toml:5:18: users.do_not_disturb: is an integer, but must be true or false",
        ),
        (
            "no_answer = \"9196\", ",
            "",
            "c.toml:6:45: users.forward.no_answer_after: no call is forwarded after that time; add no_answer",
        ),
        (
            "no_answer_after = 30",
            "no_answer_after = 3",
            "c.toml:6:65: users.forward.no_answer_after: must be an integer from 5 to 180 (seconds)",
        ),
        (
            "forward.always",
            "forward.allways",
            "c.toml:10:9: unknown key `allways` in [users.forward]; did you mean `always`?",
        ),
        (
            "[\"anna\", \"ben\"]",
            "[]",
            "c.toml:17:11: groups.members: names nobody; list users or numbers, e.g. [\"anna\", \"1002\"]",
        ),
        (
            "[\"anna\", \"ben\"]",
            "[\"anna\", \"anna\"]",
            "c.toml:17:11: groups.members: `anna` is listed twice",
        ),
        (
            "round-robin",
            "random",
            "c.toml:18:12: groups.strategy: `random` is none of: all, in-order, round-robin",
        ),
        (
            "number = \"7100\"",
            "number = \"clara\"",
            "c.toml:16:10: groups.number: `clara` is not a valid number, e.g. \"9001\": 1 to 32 digits, +, * and #",
        ),
        (
            "name = \"sales\"",
            "name = \"clara\"",
            "c.toml:15:8: groups: the user `clara` already has the name or number `clara`",
        ),
        (
            "group = \"sales\"",
            "group = \"sale\"",
            "c.toml:23:9: dial.group: there is no group `sale`; known: sales",
        ),
    ] {
        assert_eq!(errors(from, to).first().map(String::as_str), Some(error));
    }
}

#[test]
fn numbers_that_lead_nowhere_are_doubted() {
    let text = FILE
        .replace("busy = \"ben\"", "busy = \"anna\"")
        .replace("[\"anna\", \"ben\"]", "[\"anna\", \"bent\"]")
        .replace("overflow = \"clara\"", "overflow = \"clair\"");
    let warnings = parse(&text).expect("legal").warnings;
    let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    for (text, part) in texts.iter().zip([
        "users.forward.busy: `anna` is the user itself",
        "groups.members: `bent` is no user, and leads to no phone",
        "groups.overflow: `clair` leads nowhere in the dial plan",
    ]) {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn calls_are_parked_where_the_file_says() {
    let park = "[park]\nnumber = \"700\"\nslots = \"701-703\"\ntimeout = 30\n";
    let config = parse(&format!("{FILE}{park}")).expect("right");
    let slots = ["701", "702", "703"].map(str::to_owned).to_vec();
    assert_eq!(config.park.slots, slots);
    assert_eq!(
        (config.park.timeout, config.park.limit),
        (Duration::from_secs(30), Duration::from_secs(1_800))
    );
    for (number, slot) in [("700", None), ("703", Some("703".to_owned()))] {
        assert_eq!(decide(&config, number), Decision::Park { slot });
    }
    for (from, to, error) in [
        (
            "701-703",
            "701",
            "`701` is no range of numbers of the same length, e.g. \"701-720\"",
        ),
        (
            "701-703",
            "1-703",
            "`1-703` is no range of numbers of the same length, e.g. \"701-720\"",
        ),
        (
            "701-703",
            "703-701",
            "`703-701`: from 1 to 100 slots, the lowest number first",
        ),
        (
            "701-703",
            "7099-7101",
            "park: `7100` is the number of something else",
        ),
        (
            "701-703",
            "700-703",
            "park: `700` is the number of something else",
        ),
        ("number = \"700\"\n", "", "park.number is missing"),
    ] {
        let text = format!("{FILE}{}", park.replace(from, to));
        let errors = parse(&text).expect_err("wrong");
        assert!(errors[0].contains(error), "{errors:?}");
    }
}

#[test]
fn feature_codes_are_off_unless_the_file_has_the_table() {
    let without = parse(FILE).expect("right").feature_codes;
    assert_eq!(without.read("*78"), None);
    let codes = parse(&format!("{FILE}\n[feature_codes]\n"))
        .expect("right")
        .feature_codes;
    let number = |number: &str| Some(number.to_owned());
    for (dialled, feature) in [
        ("*720170555", Feature::ForwardAlways(number("0170555"))),
        ("*73", Feature::ForwardAlways(None)),
        ("*90ben", Feature::ForwardBusy(number("ben"))),
        ("*91", Feature::ForwardBusy(None)),
        ("*92*7", Feature::ForwardNoAnswer(number("*7"))),
        ("*93", Feature::ForwardNoAnswer(None)),
        ("*78", Feature::DoNotDisturb(true)),
        ("*79", Feature::DoNotDisturb(false)),
        ("*8", Feature::PickUpGroup),
        ("**8", Feature::PickUp("8".into())),
    ] {
        assert_eq!(codes.read(dialled), Some(Some(feature)), "{dialled}");
    }
    for incomplete in ["*72", "*90", "*92", "**"] {
        assert_eq!(codes.read(incomplete), Some(None), "{incomplete}");
    }
    for other in ["*730", "*7", "*", "72", "*81", "7100"] {
        assert_eq!(codes.read(other), None, "{other}");
    }
}

#[test]
fn feature_codes_are_those_of_the_file_and_clear() {
    let file = |codes: &str| format!("{FILE}\n[feature_codes]\n{codes}\n");
    let codes = parse(&file("do_not_disturb = \"#1\"\npick_up = \"\""))
        .expect("right")
        .feature_codes;
    assert_eq!(codes.read("#1"), Some(Some(Feature::DoNotDisturb(true))));
    assert_eq!((codes.read("*78"), codes.read("**8")), (None, None));
    for (codes, wrong) in [
        ("do_not_disturb = \"*79\"", "`*79` cannot be told from `*79`"),
        ("pick_up = \"*7\"", "`*7` cannot be told from `*72`"),
        ("pick_up = \"8\"", "`8` is no code such as \"*72\""),
        ("pick_up = \"*123456789\"", "`*123456789` is no code"),
        ("pickup = \"**\"", "pickup"),
    ] {
        let errors = parse(&file(codes)).expect_err("wrong");
        assert!(errors.iter().any(|error| error.contains(wrong)), "{errors:?}");
    }
}
