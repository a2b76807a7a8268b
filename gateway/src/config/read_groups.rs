//! Ring groups of a file.

use std::time::Duration;

use call_engine::{RingGroup, RingStrategy};
use toml::de::DeValue;

use super::Config;
use super::reader::{Reader, Section, filled, text};
use super::setting::Dialled;
use super::values::seconds;

/// Members that a group may have.
const MEMBERS: usize = 50;
/// Time that members ring by default.
const RING: Duration = Duration::from_secs(20);

/// A ring group of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Members, and how they ring.
    pub ring: RingGroup,
    /// Number to call it by.
    pub number: Option<String>,
}

/// Reads `[[groups]]`.
pub(super) fn read_groups<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &Config) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (mut section, span) in r.sections(root, "groups") {
        let name = r.need(&mut section, "name", &span, filled);
        let number = r.get(&mut section, "number", |v| {
            let number = filled(v)?;
            Dialled::checked(&number).map(|()| number)
        });
        let strategy = r.get(&mut section, "strategy", strategy).unwrap_or_default();
        let ring = r.get(&mut section, "ring", |v| seconds(v, 5..=180));
        let overflow = r.get(&mut section, "overflow", filled);
        let members = read_members(r, &mut section, &span);
        let at = section.span("name").unwrap_or(span.clone());
        if let Some(name) = name {
            for called in [Some(&name), number.as_ref()].into_iter().flatten() {
                if let Some(owner) = owner(called, config, &groups) {
                    r.fail(
                        at.clone(),
                        format!("groups: {owner} already has the name or number `{called}`"),
                    );
                }
            }
            let ring = RingGroup {
                name,
                members,
                strategy,
                ring: ring.unwrap_or(RING),
                overflow,
            };
            groups.push(Group { ring, number });
        }
        r.finish(section);
    }
    groups
}

fn read_members<'t>(
    r: &mut Reader<'t>,
    section: &mut Section<'t>,
    span: &std::ops::Range<usize>,
) -> Vec<String> {
    let at = section.span("members").unwrap_or(span.clone());
    let members = r.list(section, "members", filled).unwrap_or_default();
    let twice = |(n, member): (usize, &String)| members[..n].contains(member).then(|| member.clone());
    if let Some(twice) = members.iter().enumerate().find_map(twice) {
        r.fail(at, format!("groups.members: `{twice}` is listed twice"));
    } else if members.is_empty() {
        r.fail(
            at,
            "groups.members: names nobody; list users or numbers, e.g. [\"anna\", \"1002\"]",
        );
    } else if members.len() > MEMBERS {
        r.fail(at, format!("groups.members: at most {MEMBERS}"));
    }
    members
}

fn strategy(value: &DeValue<'_>) -> Result<RingStrategy, String> {
    match text(value)? {
        "all" => Ok(RingStrategy::All),
        "in-order" => Ok(RingStrategy::InOrder),
        "round-robin" => Ok(RingStrategy::RoundRobin),
        other => Err(format!("`{other}` is none of: all, in-order, round-robin")),
    }
}

/// Owner of a name or number already.
fn owner(called: &str, config: &Config, groups: &[Group]) -> Option<String> {
    let queue = config
        .queues
        .iter()
        .find(|queue| queue.name == called || queue.number.as_deref() == Some(called));
    let group = groups
        .iter()
        .find(|group| group.ring.name == called || group.number.as_deref() == Some(called));
    match (config.users.contains_key(called), queue, group) {
        (true, ..) => Some(format!("the user `{called}`")),
        (_, Some(queue), _) => Some(format!("the queue `{}`", queue.name)),
        (_, _, Some(group)) => Some(format!("the group `{}`", group.ring.name)),
        (false, None, None) => None,
    }
}
