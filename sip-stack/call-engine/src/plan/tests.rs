//! Decisions of dial plans.

use super::*;

fn rule(pattern: &str, rewrite: Option<&str>, action: Action) -> Rule {
    let pattern = Pattern::parse(pattern).expect("pattern");
    Rule {
        pattern,
        from_trunk: None,
        rewrite: rewrite.map(str::to_owned),
        action,
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
    plan().decide(&CallRequest {
        origin,
        number: number.into(),
    })
}

#[test]
fn the_first_rule_that_matches_decides() {
    let user = || Origin::User("alice".into());
    assert_eq!(decide(user(), "9196"), Decision::Application(Application::Echo));
    assert_eq!(decide(user(), "110"), Decision::Reject { code: 603 });
    let trunk = Decision::Trunk {
        trunks: "carrier".into(),
        number: "+4930456".into(),
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
        plan.decide(&CallRequest {
            origin: Origin::Trunk("carrier".into()),
            number: number.into(),
        })
    };
    assert_eq!(decide("200"), Decision::Reject { code: 404 });
    let forwarded = Decision::Trunk {
        trunks: "carrier".into(),
        number: "+49171".into(),
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
    };
    assert_eq!(decide(alice(), "(0) 30-4.56"), trunk);
    assert_eq!(decide(alice(), "91 96"), Decision::Application(Application::Echo));
    let written = DialPlan::new(vec![rule("555-12XX", None, Action::Reject(603))], []);
    let call = |number: &str| {
        written.decide(&CallRequest {
            origin: alice(),
            number: number.into(),
        })
    };
    assert_eq!(call("555-1234"), Decision::Reject { code: 603 });
    let named = DialPlan::new(Vec::new(), ["10-1".to_owned()]);
    let call = |number: &str| {
        named.decide(&CallRequest {
            origin: alice(),
            number: number.into(),
        })
    };
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
        plan.decide(&CallRequest {
            origin: Origin::User("alice".into()),
            number: number.into(),
        })
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
    };
    assert_eq!(decide(Origin::Gateway, "030456"), trunk);
    assert_eq!(
        decide(Origin::Gateway, "777"),
        decide(Origin::User("alice".into()), "777")
    );
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
        plan.decide(&CallRequest {
            origin: Origin::Trunk("carrier".into()),
            number: number.into(),
        })
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
    let decide = |origin: Origin, number: &str| {
        plan.decide(&CallRequest {
            origin,
            number: number.into(),
        })
    };
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
