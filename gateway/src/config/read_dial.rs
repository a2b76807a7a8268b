//! Dial rules of a file.

use std::ops::Range;

use call_engine::{Action, Pattern, Rule};

use super::Config;
use super::centre::PRIORITY;
use super::demo::{DEMO_PHONE, DEMO_QUEUES};
use super::reader::{Reader, Section, boolean, filled, number, text, unknown};
use super::setting::{Setting as _, Table};
use super::values::{application, user_action};

/// Keys of a rule that say where calls go; a rule has one of them.
const ACTIONS: [&str; 6] = ["user", "trunk", "queue", "application", "demo_phone", "reject"];

/// Reads `[[dial]]`. `demo`: the demonstration's phone and queues are there too.
pub(super) fn read_rules<'t>(
    r: &mut Reader<'t>,
    root: &mut Section<'t>,
    config: &Config,
    demo: bool,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (mut section, span) in r.sections(root, "dial") {
        rules.extend(read_rule(r, &mut section, &span, (config, demo), &rules));
        r.finish(section);
    }
    rules
}

/// Reads a rule that comes after others. `None`: something is wrong with it, which is reported.
fn read_rule<'t>(
    r: &mut Reader<'t>,
    section: &mut Section<'t>,
    span: &Range<usize>,
    (config, demo): (&Config, bool),
    before: &[Rule],
) -> Option<Rule> {
    let pattern = r.need(section, "match", span, |v| {
        Pattern::parse(text(v)?).map_err(|error| error.to_string())
    });
    let from_trunk = r.get(section, "from", filled);
    if let Some(name) = from_trunk
        .as_ref()
        .filter(|name| !config.trunks.contains_key(*name))
    {
        let at = section.span("from").unwrap_or(span.clone());
        r.fail(at, unknown("dial.from", "trunk", name, config.trunks.keys()));
    }
    let rewrite = r.get(section, "rewrite", |v| text(v).map(str::to_owned));
    let action = read_action(r, section, span)?;
    check_action(r, section, span, (config, demo), &action);
    if let (Some(pattern), Some(rewrite)) = (&pattern, &rewrite) {
        check_rewrite(r, section, pattern, rewrite, span);
    }
    let same = |rule: &&Rule| Some(&rule.pattern) == pattern.as_ref() && rule.from_trunk == from_trunk;
    if let Some(earlier) = before.iter().find(same) {
        let message = format!(
            "dial.match: this rule is never reached: `{}` is above it",
            earlier.pattern.as_str()
        );
        r.fail(section.span("match").unwrap_or(span.clone()), message);
    }
    Some(Rule {
        pattern: pattern?,
        from_trunk,
        rewrite,
        action,
    })
}

/// Reads where a rule sends calls: exactly one of [`ACTIONS`].
fn read_action<'t>(r: &mut Reader<'t>, section: &mut Section<'t>, span: &Range<usize>) -> Option<Action> {
    let priority = PRIORITY.read("priority", &mut Table::new(r, section, span));
    if let (Some(at), None) = (section.span("priority"), section.span("queue")) {
        r.fail(
            at,
            "dial.priority: only calls to a queue have a priority; add queue",
        );
    }
    let actions = [
        r.get(section, "user", user_action),
        r.get(section, "trunk", filled).map(Action::Trunk),
        r.get(section, "queue", filled)
            .map(|name| Action::Queue { name, priority }),
        r.get(section, "application", application),
        r.get(section, "demo_phone", boolean)
            .filter(|yes| *yes)
            .map(|_| Action::Peer(DEMO_PHONE.into())),
        r.get(section, "reject", |v| number(v, 400..=699))
            .map(|code| Action::Reject(code as u16)),
    ];
    let action = actions.into_iter().flatten().next();
    let written = section.written(&ACTIONS);
    // One that is wrong in itself was reported.
    if written > 1 || (written == 0 && action.is_none()) {
        let message = format!("a [[dial]] rule needs exactly one of: {}", ACTIONS.join(", "));
        r.fail(span.clone(), message);
        return None;
    }
    action
}

/// Checks that what an action names is there.
fn check_action<'t>(
    r: &mut Reader<'t>,
    section: &Section<'t>,
    span: &Range<usize>,
    (config, demo): (&Config, bool),
    action: &Action,
) {
    let at = |key: &str| section.span(key).unwrap_or(span.clone());
    match action {
        Action::User(Some(name)) if !config.users.contains_key(name) => {
            r.fail(at("user"), unknown("dial.user", "user", name, config.users.keys()));
        }
        Action::Trunk(name) if !config.trunks.contains_key(name) => {
            r.fail(at("trunk"), unknown("dial.trunk", "trunk", name, config.trunks.keys()));
        }
        Action::Queue { name, .. } => {
            let mut queues: Vec<String> = config.queues.iter().map(|queue| queue.name.clone()).collect();
            if demo && queues.is_empty() {
                queues.extend(DEMO_QUEUES.map(|(name, ..)| name.to_owned()));
            }
            if !queues.contains(name) {
                r.fail(at("queue"), unknown("dial.queue", "queue", name, queues.iter()));
            }
        }
        Action::Peer(_) if !demo => r.fail(
            at("demo_phone"),
            "dial.demo_phone: the demo phone exists only in the demonstration: without [[users]] and [[trunks]], on loopback",
        ),
        _ => {}
    }
}

fn check_rewrite<'t>(
    r: &mut Reader<'t>,
    section: &Section<'t>,
    pattern: &Pattern,
    rewrite: &str,
    span: &Range<usize>,
) {
    let highest = rewrite
        .split('$')
        .skip(1)
        .filter_map(|rest| rest.chars().next()?.to_digit(10))
        .max()
        .unwrap_or(0);
    if highest as usize > pattern.captures() {
        let at = section.span("rewrite").unwrap_or(span.clone());
        let message = format!(
            "dial.rewrite: there is no ${highest}: `{}` has {} pair(s) of parentheses",
            pattern.as_str(),
            pattern.captures()
        );
        r.fail(at, message);
    }
}
