//! Errors of a user or a queue that a client sends, by the ranges that hold for the file as well.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::rows::UserSettings;
use super::snapshot::Snapshot;
use crate::auth::Role;
use crate::auth::accounts::is_name;
use crate::auth::password::{MAX_LEN, MIN_LEN};
use crate::config::centre::{dialable, range, skill};
use crate::config::queue::ascending;
use crate::config::{Choice, Overflow, Queue};

/// Fields, with the error of each.
pub(super) type Wrong = Vec<(String, String)>;

/// Skills that one may name.
const SKILLS: usize = 100;
/// Queues that one may serve.
const QUEUES: usize = 200;
/// Characters of a name for people.
const DISPLAY: usize = 64;

const NAME: &str = "1 to 32 of a-z, 0-9, ., - and _, a letter or digit first";

/// Collects errors.
#[derive(Default)]
struct Check {
    wrong: Wrong,
}

impl Check {
    fn fail(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        self.wrong.push((field.into(), detail.into()));
    }

    fn that(&mut self, field: &str, result: Result<(), String>) {
        if let Err(detail) = result {
            self.fail(field, detail);
        }
    }

    fn within(&mut self, field: &str, value: impl Into<u64>, range: RangeInclusive<u64>) {
        if !range.contains(&value.into()) {
            self.fail(field, format!("from {} to {}", range.start(), range.end()));
        }
    }

    fn seconds(&mut self, field: &str, value: Duration, range: RangeInclusive<u64>) {
        self.within(field, value.as_secs(), range);
    }

    fn name(&mut self, field: &str, value: &str) {
        if !is_name(value) {
            self.fail(field, NAME);
        }
    }

    /// One line for people.
    fn line(&mut self, field: &str, value: &str, length: RangeInclusive<usize>) {
        if value.chars().any(char::is_control) {
            self.fail(field, "no control characters");
        } else if !length.contains(&value.chars().count()) {
            self.fail(
                field,
                format!("{} to {} characters", length.start(), length.end()),
            );
        }
    }

    fn skills(&mut self, field: &str, skills: &BTreeMap<String, u8>) {
        if skills.len() > SKILLS {
            self.fail(field, format!("at most {SKILLS}"));
        }
        for (name, level) in skills {
            self.that(field, skill(name));
            self.within(&format!("{field}.{name}"), *level, range::LEVEL);
        }
    }

    fn overflow(&mut self, field: &str, to: &Overflow, own: Option<&str>, snapshot: &Snapshot) {
        match to {
            Overflow::Queue(id) if own == Some(id.as_str()) => self.fail(field, "that is the queue itself"),
            Overflow::Queue(id) if !snapshot.has_queue(id) => self.fail(field, "there is no such queue"),
            Overflow::Number(number) => self.line(field, number, 1..=64),
            Overflow::Queue(_) | Overflow::HangUp => {}
        }
    }
}

pub(super) fn user(settings: &UserSettings, snapshot: &Snapshot) -> Wrong {
    let mut check = Check::default();
    check.name("name", &settings.name);
    check.line("display", &settings.display, 0..=DISPLAY);
    let roles: BTreeSet<Role> = settings.roles.iter().copied().collect();
    if roles.len() != settings.roles.len() {
        check.fail("roles", "one is listed twice");
    }
    let work = &settings.agent;
    if !roles.contains(&Role::Agent) && *work != Default::default() {
        check.fail("agent", "only users with the role agent have this");
    }
    check.skills("agent.skills", &work.skills);
    if work.queues.len() > QUEUES {
        check.fail("agent.queues", format!("at most {QUEUES}"));
    }
    let mut served = BTreeSet::new();
    for (n, member) in work.queues.iter().take(QUEUES).enumerate() {
        let field = |name: &str| format!("agent.queues[{n}].{name}");
        if !snapshot.has_queue(&member.queue) {
            check.fail(field("queue"), "there is no such queue");
        } else if !served.insert(&member.queue) {
            check.fail(field("queue"), "is listed twice");
        }
        check.within(&field("tier"), member.tier, range::TIER);
        check.within(&field("weight"), member.weight, range::WEIGHT);
    }
    if let Some(password) = &settings.password
        && (password.chars().count() < MIN_LEN || password.len() > MAX_LEN)
    {
        check.fail(
            "password",
            format!("at least {MIN_LEN} characters, at most {MAX_LEN} bytes"),
        );
    }
    if let Some(password) = &settings.sip_password
        && !password.is_empty()
    {
        check.line("sip_password", password, MIN_LEN..=128);
    }
    check.wrong
}

/// `own`: the id of the queue, if it is there already.
pub(super) fn queue(queue: &Queue, own: Option<&str>, snapshot: &Snapshot) -> Wrong {
    let mut check = Check::default();
    let c = &mut check;
    c.name("name", &queue.name);
    c.line("display", &queue.display, 0..=DISPLAY);
    if let Some(number) = &queue.number {
        match dialable(number) {
            Err(detail) => c.fail("number", detail),
            Ok(()) => {
                if let Some(other) = snapshot.called(number, own) {
                    c.fail("number", format!("`{other}` already has this number"));
                }
            }
        }
    }
    c.skills("requires", &queue.requires);
    for (limit, value) in queue.limited() {
        c.within(limit.key, value, limit.range);
    }
    c.that("widening", ascending(&queue.widening));
    for (n, step) in queue.widening.iter().take(range::STEPS).enumerate() {
        let field = |name: &str| format!("widening[{n}].{name}");
        c.seconds(&field("after"), step.after, range::WAIT);
        c.within(&field("lower"), step.lower, range::LOWER);
        if let Some(tier) = step.max_tier {
            c.within(&field("max_tier"), tier, range::TIER);
        }
    }
    if queue.hours.len() > 50 {
        c.fail("hours", "at most 50");
    }
    if queue.holidays.len() > 400 {
        c.fail("holidays", "at most 400");
    }
    c.overflow("overflow", &queue.overflow, own, snapshot);
    if let Some(closed) = &queue.closed {
        c.overflow("closed", closed, own, snapshot);
    }
    check.wrong
}

pub(super) fn choice(choice: &Choice) -> Wrong {
    let mut check = Check::default();
    check.name("code", &choice.code);
    check.line("label", &choice.label, 1..=DISPLAY);
    check.wrong
}
