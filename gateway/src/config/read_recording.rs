//! Recording of calls: `[recording]` of a file.

use std::path::Path;
use std::time::Duration;

use toml::de::DeValue;

use super::Config;
use super::reader::{Reader, Section, boolean, filled, number, text, unknown};
use super::values::readable;
use crate::recording::{MasterKey, RecordingSettings, Rule, Share, Shelf};

/// Values that a rule may have.
const FACTS: [&str; 4] = ["queue", "user", "trunk", "dialled"];

/// Reads `[recording]`; `None`: no call is recorded.
pub(super) fn read_recording<'t>(
    r: &mut Reader<'t>,
    root: &mut Section<'t>,
    config: &Config,
    base: &Path,
) -> Option<RecordingSettings> {
    let at = root.span("recording").unwrap_or_default();
    let mut section = r.section(root, "recording")?;
    let directory = r.need(&mut section, "directory", &at, |v| Ok(base.join(filled(v)?)));
    let key = r.get(&mut section, "key_file", |v| MasterKey::read(&readable(v, base)?));
    let rate = r.get(&mut section, "rate", rate);
    let silences_digits = r.get(&mut section, "silence_digits", boolean);
    let keep = r.get(&mut section, "keep_days", |v| number(v, 1..=36_500));
    let max_size = r.get(&mut section, "max_size_gb", |v| number(v, 1..=1_000_000));
    let mut rules = Vec::new();
    for (rule, span) in r.sections(&mut section, "rules") {
        rules.extend(read_rule(r, rule, &span, config));
    }
    r.finish(section);
    Some(RecordingSettings {
        shelf: Shelf {
            directory: directory?,
            key,
            keep: keep.map(|days| Duration::from_secs(days * 86_400)),
            max_size: max_size.map(|gigabytes| gigabytes * 1_000_000_000),
        },
        rate: rate.unwrap_or(8_000),
        silences_digits: silences_digits.unwrap_or(true),
        rules,
    })
}

fn read_rule<'t>(
    r: &mut Reader<'t>,
    mut section: Section<'t>,
    span: &std::ops::Range<usize>,
    config: &Config,
) -> Option<Rule> {
    let [queue, user, trunk, dialled] = FACTS.map(|fact| r.get(&mut section, fact, filled));
    let record = r.need(&mut section, "record", span, share);
    let queues = || config.queues.iter().map(|queue| &queue.name);
    if let Some(name) = queue
        .as_ref()
        .filter(|name| !queues().any(|known| known == *name))
    {
        r.fail(
            section.span("queue").unwrap_or_default(),
            unknown("recording.rules.queue", "queue", name, queues()),
        );
    }
    if let Some(name) = trunk.as_ref().filter(|name| !config.trunks.contains_key(*name)) {
        r.fail(
            section.span("trunk").unwrap_or_default(),
            unknown("recording.rules.trunk", "trunk", name, config.trunks.keys()),
        );
    }
    r.finish(section);
    Some(Rule {
        queue,
        user,
        trunk,
        dialled,
        record: record?,
    })
}

fn rate(value: &DeValue<'_>) -> Result<u32, String> {
    match number(value, 8_000..=16_000)? {
        rate @ (8_000 | 16_000) => Ok(rate as u32),
        other => Err(format!("{other} is none of: 8000, 16000")),
    }
}

fn share(value: &DeValue<'_>) -> Result<Share, String> {
    let wrong = |found: &str| {
        format!("`{found}` is none of: all, on-demand, never, or a percentage from \"1%\" to \"99%\"")
    };
    match text(value)? {
        "all" => Ok(Share::All),
        "on-demand" => Ok(Share::OnDemand),
        "never" => Ok(Share::Never),
        other => {
            let percent = other.strip_suffix('%').and_then(|digits| digits.parse().ok());
            let percent = percent.filter(|percent| (1..=99).contains(percent));
            percent.map(Share::Percent).ok_or_else(|| wrong(other))
        }
    }
}
