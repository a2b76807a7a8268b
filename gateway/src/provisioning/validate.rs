//! Errors of a user or a queue that a client sends, by the limits that hold for the file as well.

use std::collections::BTreeSet;

use super::rows::UserSettings;
use super::snapshot::Snapshot;
use crate::auth::Role;
use crate::auth::password::{MAX_LEN, MIN_LEN};
use crate::config::centre::{DISPLAY, LABEL, SKILLS, TIER, WEIGHT};
use crate::config::setting::{FieldErrors, Line, Name, Setting as _, at_most};
use crate::config::{Choice, Queue, QueueRef, Work};

/// Queues that an agent may serve.
const QUEUES: usize = 200;
/// Password of a user's phone.
const SIP_PASSWORD: Line = Line {
    least: MIN_LEN,
    greatest: 128,
};

/// Errors of a user's settings.
pub(super) fn user(settings: &UserSettings, snapshot: &Snapshot) -> FieldErrors {
    let mut wrong = FieldErrors::new();
    Name.check("name", &settings.name, &mut wrong);
    DISPLAY.check("display", &settings.display, &mut wrong);
    let roles: BTreeSet<Role> = settings.roles.iter().copied().collect();
    if roles.len() != settings.roles.len() {
        wrong.push(("roles".to_owned(), "one is listed twice".to_owned()));
    }
    let work = &settings.agent;
    if !roles.contains(&Role::Agent) && *work != Work::default() {
        let detail = "only users with the role agent have this";
        wrong.push(("agent".to_owned(), detail.to_owned()));
    }
    agent(work, snapshot, &mut wrong);
    if let Some(password) = &settings.password
        && (password.chars().count() < MIN_LEN || password.len() > MAX_LEN)
    {
        let detail = format!("at least {MIN_LEN} characters, at most {MAX_LEN} bytes");
        wrong.push(("password".to_owned(), detail));
    }
    if let Some(password) = settings.sip_password.as_ref().filter(|one| !one.is_empty()) {
        SIP_PASSWORD.check("sip_password", password, &mut wrong);
    }
    wrong
}

fn agent(work: &Work, snapshot: &Snapshot, wrong: &mut FieldErrors) {
    SKILLS.check("agent.skills", &work.skills, wrong);
    at_most(QUEUES, work.queues.len(), "agent.queues", wrong);
    let mut served = BTreeSet::new();
    for (n, member) in work.queues.iter().take(QUEUES).enumerate() {
        let field = |name: &str| format!("agent.queues[{n}].{name}");
        if !snapshot.has_queue(&member.queue) {
            wrong.push((field("queue"), "there is no such queue".to_owned()));
        } else if !served.insert(&member.queue) {
            wrong.push((field("queue"), "is listed twice".to_owned()));
        }
        TIER.check(&field("tier"), &member.tier, wrong);
        WEIGHT.check(&field("weight"), &member.weight, wrong);
    }
}

/// Errors of a queue's settings. `own`: the id of the queue, if it is there already.
pub(super) fn queue(queue: &Queue, own: Option<&str>, snapshot: &Snapshot) -> FieldErrors {
    let mut wrong = FieldErrors::new();
    queue.check("", &mut wrong);
    if let Some(other) = queue
        .number
        .as_ref()
        .and_then(|number| snapshot.called(number, own))
    {
        let detail = format!("`{other}` already has this number");
        wrong.push(("number".to_owned(), detail));
    }
    let own = own.map(QueueRef::from);
    for (field, _, to) in queue.references() {
        let detail = if own.as_ref() == Some(to) {
            "that is the queue itself"
        } else if !snapshot.has_queue(to) {
            "there is no such queue"
        } else {
            continue;
        };
        wrong.push((field.to_owned(), detail.to_owned()));
    }
    wrong
}

/// Errors of a pause reason or a disposition.
pub(super) fn choice(choice: &Choice) -> FieldErrors {
    let mut wrong = FieldErrors::new();
    Name.check("code", &choice.code, &mut wrong);
    LABEL.check("label", &choice.label, &mut wrong);
    wrong
}

/// Error of a field that is not the one that the object was made with.
pub(super) fn never(field: &str) -> (String, String) {
    (field.to_owned(), "cannot be changed".to_owned())
}
