//! Dial rules of a file.

use std::ops::Range;

use call_engine::acd::Hours;
use call_engine::{Action, CallerId, Pattern, Rule, TrunkChoice, Trunks};
use toml::de::DeValue;

use super::Config;
use super::centre::PRIORITY;
use super::demo::{DEMO_PHONE, DEMO_QUEUES};
use super::hours::{self, Holiday, Open, Zone};
use super::read_outgoing::decimal;
use super::reader::{Mixed, Reader, Section, boolean, filled, number, text, unknown};
use super::setting::{Setting as _, Table};
use super::values::{application, user_action, user_name};

/// Keys of a rule that say where calls go; a rule has one of them.
const ACTIONS: [&str; 7] = [
    "user",
    "trunk",
    "queue",
    "group",
    "application",
    "demo_phone",
    "reject",
];

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
    let hours = read_hours(r, section);
    let caller_id = r.get(section, "caller_id", caller_id);
    let action = read_action(r, section, span)?;
    if let (Some(at), false) = (section.span("caller_id"), matches!(action, Action::Trunk(_))) {
        r.fail(at, "dial.caller_id: only trunks are shown a number; add trunk");
    }
    check_action(r, section, span, (config, demo), &action);
    if let (Some(pattern), Some(rewrite)) = (&pattern, &rewrite) {
        check_rewrite(r, section, pattern, rewrite, span);
    }
    let same = |rule: &&Rule| {
        Some(&rule.pattern) == pattern.as_ref()
            && rule.from_trunk == from_trunk
            && (rule.hours.is_none() || rule.hours == hours)
    };
    if let Some(earlier) = before.iter().find(same) {
        let message = format!(
            "dial.match: this rule is never reached: `{}` is above it",
            earlier.pattern.as_str()
        );
        r.fail(section.span("match").unwrap_or(span.clone()), message);
    }
    Some(Rule {
        from_trunk,
        hours,
        caller_id,
        rewrite,
        ..Rule::new(pattern?, action)
    })
}

/// Reads `hours`, `holidays` and `time_zone`: when the rule applies. `None`: always.
fn read_hours<'t>(r: &mut Reader<'t>, section: &mut Section<'t>) -> Option<Hours> {
    let open = r.list(section, "hours", |v| text(v)?.parse::<Open>());
    let holidays = r.list(section, "holidays", |v| text(v)?.parse::<Holiday>());
    let zone = r.get(section, "time_zone", |v| text(v)?.parse::<Zone>());
    for key in ["holidays", "time_zone"] {
        if let (Some(at), None) = (section.span(key), section.span("hours")) {
            r.fail(at, format!("dial.{key}: belongs to `hours`, which are missing"));
        }
    }
    Some(hours::resolve(
        &open?,
        &holidays.unwrap_or_default(),
        zone.as_ref(),
    ))
}

/// Caller that trunks are shown: a number, the caller's own, or nobody.
fn caller_id(value: &DeValue<'_>) -> Result<CallerId, String> {
    match text(value)? {
        "pass" => Ok(CallerId::Pass),
        "anonymous" => Ok(CallerId::Withheld),
        _ => user_name(value).map(CallerId::Number),
    }
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
        read_choices(r, section).map(Action::Trunk),
        r.get(section, "queue", filled)
            .map(|name| Action::Queue { name, priority }),
        r.get(section, "group", filled).map(Action::Group),
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

/// Reads `trunk`: one, or several with their ranks.
fn read_choices<'t>(r: &mut Reader<'t>, rule: &mut Section<'t>) -> Option<Trunks> {
    let at = rule.span("trunk")?;
    let values = r.mixed(rule, "trunk")?;
    let mut choices: Vec<(TrunkChoice, bool)> = Vec::new();
    for value in values {
        let (choice, span) = match value {
            Mixed::Value(value, span) => match filled(value) {
                Ok(name) => ((TrunkChoice::named(name), false), span),
                Err(message) => {
                    r.fail(span, format!("dial.trunk: {message}"));
                    return None;
                }
            },
            Mixed::Table(table, span) => (read_choice(r, table, &span)?, span),
        };
        if choices.iter().any(|(other, _)| other.name == choice.0.name) {
            r.fail(span, format!("dial.trunk: `{}` is listed twice", choice.0.name));
            return None;
        }
        choices.push(choice);
    }
    let priced = choices.iter().filter(|(_, is_priced)| *is_priced).count();
    if choices.is_empty() || (priced > 0 && priced < choices.len()) {
        let message = match priced {
            0 => "dial.trunk: names no trunk",
            _ => "dial.trunk: give all of these trunks a cost, or none",
        };
        r.fail(at, message);
        return None;
    }
    Some(Trunks::new(
        choices.into_iter().map(|(choice, _)| choice).collect(),
    ))
}

/// Reads a trunk with its rank; true if it has a cost.
fn read_choice<'t>(
    r: &mut Reader<'t>,
    mut table: Section<'t>,
    span: &Range<usize>,
) -> Option<(TrunkChoice, bool)> {
    let name = r.need(&mut table, "name", span, filled);
    let priority = r.get(&mut table, "priority", |v| number(v, 0..=65_535));
    let weight = r.get(&mut table, "weight", |v| number(v, 1..=65_535));
    let cost = r.get(&mut table, "cost", |v| {
        let cost = decimal(v).filter(|cost| (0.0..=1_000_000.0).contains(cost));
        cost.ok_or_else(|| "must be a number from 0 to 1000000".to_owned())
    });
    r.finish(table);
    let choice = TrunkChoice {
        cost: (cost.unwrap_or_default() * 1_000_000.0).round() as u64,
        priority: priority.unwrap_or(0) as u16,
        weight: weight.map(|weight| weight as u16),
        ..TrunkChoice::named(name?)
    };
    Some((choice, cost.is_some()))
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
        Action::Trunk(trunks) => {
            for name in trunks.names().filter(|name| !config.trunks.contains_key(*name)) {
                r.fail(at("trunk"), unknown("dial.trunk", "trunk", name, config.trunks.keys()));
            }
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
        Action::Group(name) => {
            let mut groups = config.groups.iter().map(|group| &group.ring.name);
            if !groups.clone().any(|group| group == name) {
                r.fail(at("group"), unknown("dial.group", "group", name, &mut groups));
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
