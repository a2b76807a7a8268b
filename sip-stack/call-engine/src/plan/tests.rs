//! Decisions of dial plans.

use super::*;

fn rule(pattern: &str, rewrite: Option<&str>, action: Action) -> Rule {
    let pattern = Pattern::parse(pattern).expect("pattern");
    Rule {
        rewrite: rewrite.map(str::to_owned),
        ..Rule::new(pattern, action)
    }
}

fn plan() -> DialPlan {
    let mut inbound = rule("+4930123(XX)", Some("10$1"), Action::User(None));
    inbound.from_trunk = Some("carrier".into());
    let mut transit = rule("777", None, Action::Trunk("carrier".into()));
    transit.from_trunk = Some("pbx".into());
    DialPlan::new(
        vec![
            inbound,
            transit,
            rule("9196", None, Action::Application(Application::Echo)),
            rule("110", None, Action::Reject(603)),
            rule("0(Z.)", Some("+49$1"), Action::Trunk("carrier".into())),
            rule("777", None, Action::Trunk("carrier".into())),
            rule("100", None, Action::User(Some("1001".into()))),
        ],
        ["1001", "alice"].map(str::to_owned),
    )
}

fn decide(origin: Origin, number: &str) -> Decision {
    plan().decide(&CallRequest::new(origin, number, Time::default()))
}

#[test]
fn the_first_rule_that_matches_decides() {
    let user = || Origin::User("alice".into());
    assert_eq!(decide(user(), "9196"), Decision::Application(Application::Echo));
    assert_eq!(decide(user(), "110"), Decision::Reject { code: 603 });
    let trunk = Decision::Trunk {
        trunks: "carrier".into(),
        number: "+4930456".into(),
        caller_id: None,
        on_account_of: user(),
    };
    assert_eq!(decide(user(), "030456"), trunk);
    assert_eq!(decide(user(), "100"), Decision::User { name: "1001".into() });
    assert_eq!(decide(user(), "alice"), Decision::User { name: "alice".into() });
    assert_eq!(decide(user(), "bob"), Decision::Reject { code: 404 });
}

#[test]
fn callers_from_outside_reach_a_trunk_only_by_a_rule_for_them() {
    let carrier = || Origin::Trunk("carrier".into());
    assert_eq!(
        decide(carrier(), "+493012301"),
        Decision::User { name: "1001".into() }
    );
    assert_eq!(decide(carrier(), "+493012399"), Decision::Reject { code: 404 });
    assert_eq!(decide(carrier(), "030456"), Decision::Reject { code: 404 });
    assert_eq!(decide(Origin::Anonymous, "777"), Decision::Reject { code: 404 });
    let transit = Decision::Trunk {
        trunks: "carrier".into(),
        number: "777".into(),
        caller_id: None,
        on_account_of: Origin::Trunk("pbx".into()),
    };
    assert_eq!(decide(Origin::Trunk("pbx".into()), "777"), transit);
}

#[test]
fn a_call_is_not_sent_back_where_it_came_from() {
    let mut back = rule("!", None, Action::Trunk("carrier".into()));
    back.from_trunk = Some("carrier".into());
    let mut forward = rule("100", Some("+49171"), Action::Trunk("carrier".into()));
    forward.from_trunk = Some("carrier".into());
    let plan = DialPlan::new(vec![back.clone(), forward.clone()], []);
    let decide = |number: &str| {
        plan.decide(&CallRequest::new(
            Origin::Trunk("carrier".into()),
            number,
            Time::default(),
        ))
    };
    assert_eq!(decide("200"), Decision::Reject { code: 404 });
    let forwarded = Decision::Trunk {
        trunks: "carrier".into(),
        number: "+49171".into(),
        caller_id: None,
        on_account_of: Origin::Trunk("carrier".into()),
    };
    assert_eq!(
        decide("100"),
        forwarded,
        "forwarding to another number over the same carrier is no loop"
    );
}

#[test]
fn separators_that_people_write_count_for_nothing() {
    let alice = || Origin::User("alice".into());
    let trunk = Decision::Trunk {
        trunks: "carrier".into(),
        number: "+4930456".into(),
        caller_id: None,
        on_account_of: alice(),
    };
    assert_eq!(decide(alice(), "(0) 30-4.56"), trunk);
    assert_eq!(decide(alice(), "91 96"), Decision::Application(Application::Echo));
    let written = DialPlan::new(vec![rule("555-12XX", None, Action::Reject(603))], []);
    let call = |number: &str| written.decide(&CallRequest::new(alice(), number, Time::default()));
    assert_eq!(call("555-1234"), Decision::Reject { code: 603 });
    let named = DialPlan::new(Vec::new(), ["10-1".to_owned()]);
    let call = |number: &str| named.decide(&CallRequest::new(alice(), number, Time::default()));
    assert_eq!(call("10-1"), Decision::User { name: "10-1".into() });
    assert_eq!(call("a-1"), Decision::Reject { code: 404 });
}

#[test]
fn a_peer_has_numbers_and_a_trunk_wants_one() {
    let plan = DialPlan::new(
        vec![
            rule("9(!)", Some("$1"), Action::Trunk("carrier".into())),
            rule("!", None, Action::Peer("echo".into())),
        ],
        [],
    );
    let decide = |number: &str| {
        plan.decide(&CallRequest::new(
            Origin::User("alice".into()),
            number,
            Time::default(),
        ))
    };
    for number in ["100", "+4930123456", "0000"] {
        assert_eq!(
            decide(number),
            Decision::Peer {
                name: "echo".into(),
                number: number.into()
            }
        );
    }
    for name in ["", "1", "10", "+10", "alice", "123abc", "+", "1+23", "*98"] {
        assert_eq!(decide(name), Decision::Reject { code: 404 }, "{name}");
    }
    assert_eq!(decide("9"), Decision::Reject { code: 484 });
}

#[test]
fn the_gateway_may_call_out_as_its_users_do() {
    let trunk = Decision::Trunk {
        trunks: "carrier".into(),
        number: "+4930456".into(),
        caller_id: None,
        on_account_of: Origin::Gateway,
    };
    assert_eq!(decide(Origin::Gateway, "030456"), trunk);
    let by = |origin: Origin| match decide(origin, "777") {
        Decision::Trunk { trunks, number, .. } => (trunks, number),
        other => panic!("{other:?}"),
    };
    assert_eq!(by(Origin::Gateway), by(Origin::User("alice".into())));
}

#[test]
fn rewrites_keep_what_is_no_capture() {
    assert_eq!(fill("+49$1$", "0301", &["301"]), "+49301$");
    assert_eq!(fill("$0@$9", "7", &[]), "7@");
}

#[test]
fn a_ring_group_is_called_by_a_rule_its_number_or_its_name_unless_a_user_has_it() {
    let groups = [("7100", "sales"), ("sales", "sales"), ("1001", "sales")];
    let plan = DialPlan::new(
        vec![rule("88", None, Action::Group("sales".into()))],
        ["1001".to_owned()],
    )
    .with_groups(groups.map(|(number, name)| (number.to_owned(), name.to_owned())));
    let decide = |number: &str| {
        let origin = Origin::Trunk("carrier".into());
        plan.decide(&CallRequest::new(origin, number, Time::default()))
    };
    let group = Decision::Group { name: "sales".into() };
    for number in ["88", "7100", "71-00", "sales"] {
        assert_eq!(decide(number), group, "{number}");
    }
    assert_eq!(decide("1001"), Decision::User { name: "1001".into() });
}

#[test]
fn users_alone_reach_parked_calls() {
    let slots = ["701", "702"].map(str::to_owned);
    let plan = DialPlan::new(Vec::new(), ["1001".to_owned()]).with_park("700".into(), slots);
    let decide =
        |origin: Origin, number: &str| plan.decide(&CallRequest::new(origin, number, Time::default()));
    let user = || Origin::User("1001".into());
    assert_eq!(decide(user(), "700"), Decision::Park { slot: None });
    let slot = Some("702".to_owned());
    assert_eq!(decide(user(), "702"), Decision::Park { slot });
    assert_eq!(decide(user(), "703"), Decision::Reject { code: 404 });
    for origin in [
        Origin::Trunk("carrier".into()),
        Origin::Anonymous,
        Origin::Gateway,
    ] {
        assert_eq!(decide(origin, "701"), Decision::Reject { code: 404 });
    }
}

#[test]
fn a_rule_for_numbers_in_e164_is_one_for_every_way_of_dialling_them() {
    let mut home = rule("+4930.", None, Action::Trunk("berlin".into()));
    home.caller_id = Some(CallerId::Pass);
    let plan = DialPlan::new(
        vec![home, rule("0.", None, Action::Trunk("other".into()))],
        ["223456".to_owned()],
    )
    .with_queues([("334455".to_owned(), "support".to_owned())]);
    let decide = |number: &str, e164: Option<&str>| {
        let call = CallRequest {
            e164: e164.map(str::to_owned),
            ..CallRequest::new(Origin::User("alice".into()), number, Time::default())
        };
        match plan.decide(&call) {
            Decision::Trunk {
                trunks,
                number,
                caller_id,
                ..
            } => format!(
                "{} {number} {caller_id:?}",
                trunks.names().next().unwrap_or_default()
            ),
            other => other.kind().to_owned(),
        }
    };
    for dialled in ["030 123456", "+4930123456", "123456"] {
        assert_eq!(
            decide(dialled, Some("+4930123456")),
            "berlin +4930123456 Some(Pass)"
        );
    }
    assert_eq!(
        decide("0891234567", Some("+49891234567")),
        "other 0891234567 None"
    );
    // Whoever has that number here has it first.
    assert_eq!(decide("223456", Some("+4930223456")), "user");
    assert_eq!(decide("334455", Some("+4930334455")), "queue");
}

#[test]
fn a_rule_applies_in_its_hours_alone() {
    use crate::acd::{Hours, Span};

    let mut day = rule("0.", None, Action::Trunk("day".into()));
    // 1970-01-01, the day of `Time(0)`, was a Thursday.
    let thursday = 3 * 1_440;
    day.hours = Some(Hours {
        week: vec![Span {
            from: thursday + 480,
            until: thursday + 1_080,
        }],
        ..Hours::default()
    });
    let plan = DialPlan::new(vec![day, rule("0.", None, Action::Trunk("night".into()))], []);
    let trunk = |hours: u64, minutes: u64| {
        let at = Time::from_secs((hours * 60 + minutes) * 60);
        match plan.decide(&CallRequest::new(Origin::User("alice".into()), "0301", at)) {
            Decision::Trunk { trunks, .. } => trunks.names().next().unwrap_or_default().to_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(trunk(7, 59), "night");
    assert_eq!(trunk(8, 0), "day");
    assert_eq!(trunk(17, 59), "day");
    assert_eq!(trunk(18, 0), "night");
}
