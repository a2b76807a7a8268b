//! The call centre's part of a file: queues, who works there, codes.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use session_core::{Quota, User};
use toml::de::DeValue;

use super::centre::{dialable, range, skill};
use super::load::{set, unknown};
use super::queue::{ascending, queue_id};
use super::reader::{Mixed, Reader, Section, boolean, filled, number, text};
use super::values::{media_source, quota, role, seconds, strategy, user_name};
use super::{Choice, Member, Overflow, Queue, Role, Staff, Widening, Work};

pub(super) fn read_users<'t>(
    r: &mut Reader<'t>,
    root: &mut Section<'t>,
    queues: &[Queue],
    limits: &mut BTreeMap<String, Quota>,
) -> (BTreeMap<String, User>, BTreeMap<String, Staff>) {
    let mut users = BTreeMap::new();
    let mut staff = BTreeMap::new();
    for (mut section, span) in r.sections(root, "users") {
        let name = r.need(&mut section, "name", &span, user_name);
        // A wrong password was reported; the user's name stays known to the following checks.
        let password = r
            .need(&mut section, "password", &span, filled)
            .unwrap_or_default()
            .into();
        let display = r
            .get(&mut section, "display", |v| text(v).map(str::to_owned))
            .unwrap_or_default();
        let media_source = r
            .get(&mut section, "media_source", media_source)
            .unwrap_or_default();
        let work = read_staff(r, &mut section, queues);
        let quota = quota(r, &mut section);
        if let Some(name) = name {
            limits.insert(name.clone(), quota);
            let at = section.span("name").unwrap_or(span);
            let user = User {
                password,
                display,
                media_source,
            };
            if users.insert(name.clone(), user).is_some() {
                r.fail(at, format!("users.name: there are two users `{name}`"));
            }
            if !work.roles.is_empty() {
                staff.insert(name, work);
            }
        }
        r.finish(section);
    }
    (users, staff)
}

/// Settings of a user in the call centre. A user who serves a queue is an agent; an agent who names no queue
/// serves all.
fn read_staff<'t>(r: &mut Reader<'t>, section: &mut Section<'t>, queues: &[Queue]) -> Staff {
    let mut roles = r.list(section, "roles", role).unwrap_or_default();
    let served = read_memberships(r, section, queues);
    let mut work = Work {
        skills: read_skills(r, section, "skills"),
        ..Work::default()
    };
    set(
        &mut work.order,
        r.get(section, "order", |v| within(v, range::ORDER)),
    );
    set(
        &mut work.offers_in_direct_calls,
        r.get(section, "offers_in_direct_calls", boolean),
    );
    if served.is_some() && !roles.contains(&Role::Agent) {
        roles.push(Role::Agent);
    }
    roles.sort_unstable();
    roles.dedup();
    let is_agent = roles.contains(&Role::Agent);
    for key in ["skills", "order", "offers_in_direct_calls"] {
        if let (Some(at), false) = (section.span(key), is_agent) {
            let path = section.path(key);
            r.fail(
                at,
                format!("{path}: only an agent has this; add \"agent\" to roles"),
            );
        }
    }
    work.queues = match served {
        _ if !is_agent => Vec::new(),
        Some(served) => served,
        None => queues
            .iter()
            .map(|queue| Member::of(&queue_id(&queue.name)))
            .collect(),
    };
    Staff { roles, agent: work }
}

/// The queue of this name, and how an agent serves it.
fn member(name: String, tier: Option<u8>, weight: Option<u16>) -> (String, Member) {
    let member = Member {
        queue: queue_id(&name),
        tier: tier.unwrap_or(0),
        weight: weight.unwrap_or(1),
    };
    (name, member)
}

/// Names of queues, or tables that say more.
fn read_memberships<'t>(
    r: &mut Reader<'t>,
    section: &mut Section<'t>,
    queues: &[Queue],
) -> Option<Vec<Member>> {
    let key = section.path("queues");
    let mut served: Vec<Member> = Vec::new();
    let items = r.mixed(section, "queues")?;
    let whole = section.span("queues").unwrap_or(0..0);
    for item in items {
        let (member, at) = match item {
            Mixed::Value(value, at) => match filled(value) {
                Ok(name) => (Some(member(name, None, None)), at),
                Err(message) => {
                    r.fail(at.clone(), format!("{key}: {message}"));
                    (None, at)
                }
            },
            Mixed::Table(mut table, at) => {
                let name = r.need(&mut table, "name", &at, filled);
                let tier = r.get(&mut table, "tier", |v| within(v, range::TIER));
                let weight = r.get(&mut table, "weight", |v| within(v, range::WEIGHT));
                let at = table.span("name").unwrap_or(at);
                r.finish(table);
                (name.map(|name| member(name, tier, weight)), at)
            }
        };
        let Some((name, member)) = member else { continue };
        if !queues.iter().any(|queue| queue.name == name) {
            let names = queues.iter().map(|queue| &queue.name);
            r.fail(whole.clone(), unknown(&key, "queue", &name, names));
        } else if served.iter().any(|other| other.queue == member.queue) {
            r.fail(at, format!("{key}: `{name}` is listed twice"));
        } else {
            served.push(member);
        }
    }
    Some(served)
}

/// Names of skills and their levels.
fn read_skills<'t>(r: &mut Reader<'t>, section: &mut Section<'t>, key: &'static str) -> BTreeMap<String, u8> {
    let path = section.path(key);
    let mut skills = BTreeMap::new();
    for (name, value, at) in r.entries(section, key, "{ english = 80 }") {
        match skill(name).and_then(|()| within(value, range::LEVEL)) {
            Ok(level) => {
                skills.insert(name.to_owned(), level);
            }
            Err(message) => r.fail(at, format!("{path}.{name}: {message}")),
        }
    }
    skills
}

/// References to other queues, checked when all are known.
type Pointers = Vec<(&'static str, String, Range<usize>)>;

pub(super) fn read_queues<'t>(r: &mut Reader<'t>, root: &mut Section<'t>) -> Vec<Queue> {
    let mut queues: Vec<Queue> = Vec::new();
    let mut pointers = Pointers::new();
    for (mut section, span) in r.sections(root, "queues") {
        let name = r.need(&mut section, "name", &span, filled).unwrap_or_default();
        let mut queue = Queue::new(&name);
        let s = &mut section;
        set(
            &mut queue.display,
            r.get(s, "display", |v| text(v).map(str::to_owned)),
        );
        queue.number = r.get(s, "number", |v| {
            let number = filled(v)?;
            dialable(&number).map(|()| number)
        });
        set(&mut queue.strategy, r.get(s, "strategy", strategy));
        queue.read_plain(r, s);
        queue.requires = read_skills(r, s, "requires");
        queue.widening = read_widening(r, s);
        read_hours(r, s, &mut queue);
        let keys = ("overflow_queue", "overflow_number");
        queue.overflow = read_overflow(r, s, &span, keys, &mut pointers).unwrap_or_default();
        queue.closed = read_overflow(r, s, &span, ("closed_queue", "closed_number"), &mut pointers);
        let same_number = |other: &&Queue| queue.number.is_some() && other.number == queue.number;
        if let Some(other) = queues.iter().find(same_number) {
            let at = section.span("number").unwrap_or(span.clone());
            r.fail(
                at,
                format!("queues.number: that is the number of `{}`", other.name),
            );
        }
        if queues.iter().any(|other| other.name == name) {
            let at = section.span("name").unwrap_or(span);
            r.fail(at, format!("queues.name: there are two queues `{name}`"));
        } else if !name.is_empty() {
            queues.push(queue);
        }
        r.finish(section);
    }
    for (key, to, at) in pointers {
        if !queues.iter().any(|queue| queue.name == to) {
            let names = queues.iter().map(|queue| &queue.name);
            r.fail(at, unknown(&format!("queues.{key}"), "queue", &to, names));
        }
    }
    queues
}

/// Steps by which a call that waits long accepts more agents.
fn read_widening<'t>(r: &mut Reader<'t>, s: &mut Section<'t>) -> Vec<Widening> {
    let mut steps = Vec::new();
    for (mut step, span) in r.sections(s, "widening") {
        let after = r.need(&mut step, "after", &span, |v| seconds(v, range::WAIT));
        let max_tier = r.get(&mut step, "max_tier", |v| within(v, range::TIER));
        let lower = r.get(&mut step, "lower", |v| within(v, range::LOWER));
        r.finish(step);
        steps.extend(after.map(|after| Widening {
            after,
            max_tier,
            lower: lower.unwrap_or(0),
        }));
    }
    if let Err(message) = ascending(&steps) {
        let at = s.span("widening").unwrap_or(0..0);
        r.fail(at, format!("queues.widening: {message}"));
    }
    steps
}

fn read_hours<'t>(r: &mut Reader<'t>, s: &mut Section<'t>, queue: &mut Queue) {
    set(&mut queue.hours, r.list(s, "hours", parsed));
    set(
        &mut queue.holidays,
        r.list(s, "holidays", |v| match v {
            DeValue::Datetime(day) => day.to_string().parse(),
            _ => parsed(v),
        }),
    );
    queue.time_zone = r.get(s, "time_zone", parsed);
}

/// A queue or a number, not both.
fn read_overflow<'t>(
    r: &mut Reader<'t>,
    s: &mut Section<'t>,
    span: &Range<usize>,
    (queue, number): (&'static str, &'static str),
    pointers: &mut Pointers,
) -> Option<Overflow> {
    let to_queue = r.get(s, queue, filled);
    let to_number = r.get(s, number, filled);
    match (to_queue, to_number) {
        (Some(_), Some(_)) => {
            r.fail(
                span.clone(),
                format!("queues.{queue} and queues.{number}: a queue can have only one of them"),
            );
            None
        }
        (Some(to), None) => {
            pointers.push((queue, to.clone(), s.span(queue).unwrap_or(span.clone())));
            Some(Overflow::Queue(queue_id(&to)))
        }
        (None, Some(number)) => Some(Overflow::Number(number)),
        (None, None) => None,
    }
}

/// Codes and labels; `None`: none are written.
pub(super) fn read_choices<'t>(
    r: &mut Reader<'t>,
    root: &mut Section<'t>,
    key: &'static str,
) -> Option<Vec<Choice>> {
    let is_written = root.span(key).is_some();
    let mut choices: Vec<Choice> = Vec::new();
    for (mut section, span) in r.sections(root, key) {
        let code = r.need(&mut section, "code", &span, code);
        let label = r.get(&mut section, "label", filled);
        if let Some(code) = code {
            if choices.iter().any(|other| other.code == code) {
                let at = section.span("code").unwrap_or(span);
                r.fail(at, format!("{key}.code: `{code}` is listed twice"));
            } else {
                let label = label.unwrap_or_else(|| code.clone());
                choices.push(Choice { code, label });
            }
        }
        r.finish(section);
    }
    is_written.then_some(choices)
}

fn code(value: &DeValue<'_>) -> Result<String, String> {
    let code = filled(value)?;
    if crate::auth::accounts::is_name(&code) {
        Ok(code)
    } else {
        Err(format!(
            "`{code}` is not a code, e.g. \"follow-up\": 1 to 32 of a-z, 0-9, ., - and _"
        ))
    }
}

/// Priority of a call; 0 is ordinary.
pub(super) fn priority(value: &DeValue<'_>) -> Result<u8, String> {
    within(value, range::PRIORITY)
}

/// A number of any size.
pub(super) fn within<T: TryFrom<u64>>(value: &DeValue<'_>, range: RangeInclusive<u64>) -> Result<T, String> {
    let n = number(value, range)?;
    T::try_from(n).map_err(|_| "is too large".into())
}

fn parsed<T: FromStr<Err = String>>(value: &DeValue<'_>) -> Result<T, String> {
    text(value)?.parse()
}
