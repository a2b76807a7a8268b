//! Properties of every dial plan and every call.

use call_engine::{Action, Application, CallRequest, Decision, DialPlan, Origin, Pattern, Rule};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sans_io::Time;

const USERS: [&str; 3] = ["1001", "alice", "10"];
const TRUNKS: [&str; 2] = ["carrier", "pbx"];

/// A pattern as its pieces, so that a naive matcher can be held against the real one.
#[derive(Clone, Debug)]
enum Piece {
    One(&'static str, &'static str),
    Caught(Vec<Piece>),
}

fn one() -> impl Strategy<Value = Piece> {
    select(vec![
        Piece::One("X", "0123456789"),
        Piece::One("N", "23456789"),
        Piece::One("Z", "123456789"),
        Piece::One("0", "0"),
        Piece::One("1", "1"),
        Piece::One("+", "+"),
        Piece::One("a", "aA"),
        Piece::One("'N'", "nN"),
    ])
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let group = vec(one(), 1..3).prop_map(Piece::Caught);
    vec(prop_oneof![4 => one(), 1 => group], 0..5)
}

/// End of a pattern: how it is written, and the fewest characters it takes.
fn rest() -> impl Strategy<Value = (&'static str, Option<usize>)> {
    select(vec![("", None), (".", Some(1)), ("!", Some(0))])
}

fn write(pieces: &[Piece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::One(text, _) => (*text).to_owned(),
            Piece::Caught(inner) => format!("({})", write(inner)),
        })
        .collect()
}

fn flat(pieces: &[Piece]) -> Vec<&'static str> {
    pieces
        .iter()
        .flat_map(|piece| match piece {
            Piece::One(_, any_of) => vec![*any_of],
            Piece::Caught(inner) => flat(inner),
        })
        .collect()
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9+aAn]{0,6}",
        "[0-9]{1,4}",
        select(vec!["1001".to_owned(), "alice".to_owned()]),
        any::<String>()
    ]
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![
        Just(Origin::User("alice".into())),
        select(TRUNKS.to_vec()).prop_map(|name| Origin::Trunk(name.into())),
        Just(Origin::Anonymous)
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::User(None)),
        Just(Action::User(Some("1001".into()))),
        select(TRUNKS.to_vec()).prop_map(|name| Action::Trunk(name.into())),
        Just(Action::Application(Application::Music)),
        Just(Action::Queue {
            name: "support".into(),
            priority: None
        }),
        Just(Action::Group("sales".into())),
        Just(Action::Peer("phone".into())),
        (400..700_u16).prop_map(Action::Reject)
    ]
}

prop_compose! {
    fn rule()(
        pieces in pieces(),
        (tail, _) in rest(),
        from in proptest::option::of(select(TRUNKS.to_vec())),
        rewrite in proptest::option::of(select(vec!["$0", "$1", "00$1$2", "$9", "x"])),
        action in action(),
    ) -> Option<Rule> {
        let text = write(&pieces) + tail;
        Some(Rule {
            from_trunk: from.map(str::to_owned),
            rewrite: rewrite.map(str::to_owned),
            ..Rule::new(Pattern::parse(&text).ok()?, action)
        })
    }
}

fn plan() -> impl Strategy<Value = (Vec<Rule>, DialPlan)> {
    vec(rule(), 0..6).prop_map(|rules| {
        let rules: Vec<Rule> = rules.into_iter().flatten().collect();
        (rules.clone(), DialPlan::new(rules, USERS.map(str::to_owned)))
    })
}

proptest! {
    #[test]
    fn a_pattern_matches_what_its_pieces_allow(pieces in pieces(), (tail, least) in rest(), number in number()) {
        let text = write(&pieces) + tail;
        let Ok(pattern) = Pattern::parse(&text) else {
            prop_assert!(text.is_empty());
            return Ok(());
        };
        let allowed = flat(&pieces);
        let chars: Vec<char> = number.chars().collect();
        let long_enough = match least {
            None => chars.len() == allowed.len(),
            Some(least) => chars.len() >= allowed.len() + least,
        };
        let expected = long_enough && allowed.iter().zip(&chars).all(|(any_of, c)| any_of.contains(*c));
        let caught = pattern.matches(&number);
        prop_assert_eq!(caught.is_some(), expected, "{} against {}", text, number);
        if let Some(caught) = caught {
            prop_assert_eq!(caught.len(), pattern.captures());
            prop_assert!(caught.iter().all(|part| number.contains(part)));
        }
    }

    #[test]
    fn no_text_is_too_strange_for_a_pattern(text in any::<String>(), number in any::<String>()) {
        if let Ok(pattern) = Pattern::parse(&text) {
            prop_assert_eq!(pattern.as_str(), &text);
            let _ = pattern.matches(&number);
        }
    }

    #[test]
    fn whatever_is_decided_exists_and_is_allowed((rules, plan) in plan(), origin in origin(), number in number()) {
        let call = CallRequest::new(origin, number, Time::default());
        let decision = plan.decide(&call);
        prop_assert_eq!(&decision, &plan.decide(&call));
        match &decision {
            Decision::User { name } => prop_assert!(USERS.contains(&name.as_str())),
            Decision::Trunk { trunks, number, .. } => {
                let name = trunks.names().next().unwrap_or_default();
                prop_assert!(!number.is_empty());
                let allowed = rules.iter().any(|rule| {
                    rule.action == Action::Trunk(trunks.clone())
                        && match (&call.origin, &rule.from_trunk) {
                            (Origin::User(_) | Origin::Gateway, None) => true,
                            (Origin::Trunk(from), Some(wanted)) => from == wanted,
                            _ => false,
                        }
                });
                prop_assert!(allowed, "nobody from outside calls out on our account");
                prop_assert!(
                    call.origin != Origin::Trunk(name.to_owned()) || *number != call.number,
                    "a call goes back where it came from"
                );
            }
            Decision::Peer { number, .. } => {
                prop_assert!(number.bytes().filter(u8::is_ascii_digit).count() >= 3);
            }
            Decision::Reject { code } => prop_assert!((400..700).contains(code)),
            Decision::Queue { name, priority } => {
                let action = Action::Queue { name: name.clone(), priority: *priority };
                prop_assert!(rules.iter().any(|rule| rule.action == action));
            }
            Decision::Group { name } => {
                prop_assert!(rules.iter().any(|rule| rule.action == Action::Group(name.clone())));
            }
            Decision::Park { .. } => prop_assert!(false, "this plan parks nothing"),
            Decision::Application(_) => {}
        }
    }

    /// Rules after the one that decided have no say.
    #[test]
    fn the_first_match_wins((rules, plan) in plan(), more in vec(rule(), 0..4), number in number()) {
        let call = CallRequest::new(Origin::User("alice".into()), number, Time::default());
        let decision = plan.decide(&call);
        let catch_all = Rule::new(Pattern::parse("!").expect("a pattern"), Action::Reject(699));
        let closed: Vec<Rule> = rules.iter().cloned().chain([catch_all]).collect();
        let users = || USERS.map(str::to_owned);
        let decided_by_rule = DialPlan::new(closed.clone(), users()).decide(&call);
        let longer: Vec<Rule> = closed.into_iter().chain(more.into_iter().flatten()).collect();
        prop_assert_eq!(&DialPlan::new(longer, users()).decide(&call), &decided_by_rule);
        if decided_by_rule != (Decision::Reject { code: 699 }) {
            prop_assert_eq!(decided_by_rule, decision);
        }
    }
}
