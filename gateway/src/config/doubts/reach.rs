//! Doubts about how users are reached: numbers that lead nowhere.

use call_engine::{CallRequest, Decision, DialPlan, Origin};
use sans_io::Time;

use super::super::Config;
use super::super::reader::{Reader, Section, filled};

/// Warns of forwarding to numbers, and of members and overflows of ring groups, that the dial plan leads nowhere.
pub(super) fn note<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &Config) {
    // A rule may have hours: a number leads somewhere if it does at any time.
    let mut always = config.clone();
    for rule in &mut always.rules {
        rule.hours = None;
    }
    let (plan, config) = (always.plan(), &always);
    for (mut user, _) in r.sections(root, "users") {
        let name = r.get(&mut user, "name", filled).unwrap_or_default();
        let Some(mut forward) = r.section(&mut user, "forward") else {
            continue;
        };
        for key in ["always", "busy", "no_answer", "unreachable"] {
            for number in numbers(r, &mut forward, key) {
                let origin = Origin::User(name.clone());
                let doubt = match decide(config, &plan, origin, &number.0) {
                    Decision::User { name: target } if target == name => "is the user itself",
                    Decision::Reject { .. } => "leads nowhere in the dial plan",
                    _ => continue,
                };
                let (number, at) = number;
                r.warn(at, format!("{}: `{number}` {doubt}", forward.path(key)));
            }
        }
    }
    for (mut group, _) in r.sections(root, "groups") {
        for (number, at) in numbers(r, &mut group, "members") {
            let rings = matches!(
                decide(config, &plan, Origin::Gateway, &number),
                Decision::User { .. } | Decision::Trunk { .. } | Decision::Peer { .. }
            );
            if !rings {
                let message = format!("groups.members: `{number}` is no user, and leads to no phone");
                r.warn(at, message);
            }
        }
        for (number, at) in numbers(r, &mut group, "overflow") {
            if matches!(
                decide(config, &plan, Origin::Gateway, &number),
                Decision::Reject { .. }
            ) {
                let message = format!("groups.overflow: `{number}` leads nowhere in the dial plan");
                r.warn(at, message);
            }
        }
    }
}

fn decide(config: &Config, plan: &DialPlan, origin: Origin, number: &str) -> Decision {
    let numbering = config.numbering.as_ref();
    plan.decide(&CallRequest {
        e164: numbering.and_then(|numbering| numbering.e164(number)),
        ..CallRequest::new(origin, number, Time::default())
    })
}

/// Numbers under a key, each with its place.
fn numbers<'t>(
    r: &Reader<'t>,
    section: &mut Section<'t>,
    key: &'static str,
) -> Vec<(String, std::ops::Range<usize>)> {
    let values = r.values(section, key).into_iter();
    values
        .filter_map(|(value, at)| Some((filled(value).ok()?, at)))
        .collect()
}
