//! Users of a file, and their work in the call centre.

use std::ops::Range;

use session_core::User;

use super::call_handling::read_call_handling;
use super::centre::{ORDER, SKILLS, TIER, WEIGHT};
use super::read_signalling::read_signalling;
use super::reader::{Mixed, Reader, Section, boolean, filled, set, text, unknown};
use super::setting::{Setting as _, Table};
use super::values::{hold, media_source, quota, role, srtp, user_name};
use super::{Config, Member, Queue, QueueRef, Role, Staff, Work};

/// Reads `[[users]]`, whose queues were read.
pub(super) fn read_users<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &mut Config) {
    for (mut section, span) in r.sections(root, "users") {
        let name = r.need(&mut section, "name", &span, user_name);
        // A wrong password was reported; the following checks still need the user's name.
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
        let srtp = r.get(&mut section, "srtp", srtp).unwrap_or_default();
        let hold = r.get(&mut section, "hold", hold).unwrap_or_default();
        let t38 = r.get(&mut section, "t38", boolean).unwrap_or_default();
        let signalling = read_signalling(r, &mut section);
        let handling = read_call_handling(r, &mut section);
        let work = read_staff(r, &mut section, &span, &config.queues);
        let quota = quota(r, &mut section);
        if let Some(name) = name {
            config.limits.users.insert(name.clone(), quota);
            let at = section.span("name").unwrap_or(span);
            let user = User {
                password,
                display,
                media_source,
                srtp,
                hold,
                t38,
                signalling,
            };
            if config.users.insert(name.clone(), user).is_some() {
                r.fail(at, format!("users.name: there are two users `{name}`"));
            }
            if let Some(handling) = handling {
                config.call_handling.insert(name.clone(), handling);
            }
            if !work.roles.is_empty() {
                config.staff.insert(name, work);
            }
        }
        r.finish(section);
    }
}

/// Settings of a user in the call centre. A user who serves a queue is an agent; an agent who names no queue
/// serves all.
fn read_staff<'t>(
    r: &mut Reader<'t>,
    section: &mut Section<'t>,
    at: &Range<usize>,
    queues: &[Queue],
) -> Staff {
    let mut roles = r.list(section, "roles", role).unwrap_or_default();
    let served = read_memberships(r, section, queues);
    let mut work = Work {
        skills: SKILLS
            .read("skills", &mut Table::new(r, section, at))
            .unwrap_or_default(),
        ..Work::default()
    };
    set(
        &mut work.order,
        ORDER.read("order", &mut Table::new(r, section, at)),
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
            .map(|queue| Member::of(QueueRef::named(&queue.name)))
            .collect(),
    };
    Staff { roles, agent: work }
}

/// The queue of this name, and how an agent serves it.
fn member(name: String, tier: Option<u8>, weight: Option<u16>) -> (String, Member) {
    let member = Member {
        queue: QueueRef::named(&name),
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
                let tier = TIER.read("tier", &mut Table::new(r, &mut table, &at));
                let weight = WEIGHT.read("weight", &mut Table::new(r, &mut table, &at));
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
