//! Caps of a file, against toll fraud.

use std::time::Duration;

use session_core::{CallRate, Cap, CapPer, Talk};
use toml::de::DeValue;

use super::reader::{Reader, Section, filled, number, text};

/// Longest span that something is counted in.
const MOST: Duration = Duration::from_secs(31 * 86_400);

/// Keys that limit something.
const LIMITS: [&str; 4] = ["calls", "rate", "minutes", "call_minutes"];

/// Reads `[[caps]]`.
pub(super) fn read_caps<'t>(r: &mut Reader<'t>, root: &mut Section<'t>) -> Vec<Cap> {
    let mut caps: Vec<Cap> = Vec::new();
    for (mut section, span) in r.sections(root, "caps") {
        let name = r.need(&mut section, "name", &span, filled);
        let prefixes = r.list(&mut section, "prefixes", prefix).unwrap_or_default();
        let except = r.list(&mut section, "except", prefix).unwrap_or_default();
        let per = r.get(&mut section, "per", per).unwrap_or_default();
        let calls = r.get(&mut section, "calls", |v| number(v, 0..=100_000));
        let rate = r.get(&mut section, "rate", |v| {
            let (calls, within) = in_span(v, 10_000, "calls", "20/1h")?;
            Ok(CallRate { calls, within })
        });
        let talk = r.get(&mut section, "minutes", |v| {
            let (minutes, within) = in_span(v, 100_000, "minutes", "120/1d")?;
            Ok(Talk {
                most: Duration::from_secs(60 * u64::from(minutes)),
                within,
            })
        });
        let longest = r.get(&mut section, "call_minutes", |v| number(v, 1..=10_000));
        if section.written(&LIMITS) == 0 {
            let message = format!("caps: caps nothing; add at least one of: {}", LIMITS.join(", "));
            r.fail(span.clone(), message);
        }
        let at = section.span("name").unwrap_or(span);
        r.finish(section);
        let Some(name) = name else { continue };
        if caps.iter().any(|cap| cap.name == name) {
            r.fail(at, format!("caps.name: there are two caps `{name}`"));
        }
        caps.push(Cap {
            name,
            prefixes,
            except,
            per,
            calls: calls.map(|calls| calls as usize),
            rate,
            talk,
            longest: longest.map(|minutes| Duration::from_secs(60 * minutes)),
        });
    }
    caps
}

/// The beginning of a number.
fn prefix(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?;
    let digits = text.strip_prefix('+').unwrap_or(text);
    let good = !text.is_empty() && digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| text.to_owned())
        .ok_or_else(|| format!("`{text}` is not the beginning of a number, e.g. \"+49900\" or \"0900\""))
}

fn per(value: &DeValue<'_>) -> Result<CapPer, String> {
    match text(value)? {
        "caller" => Ok(CapPer::Caller),
        "trunk" => Ok(CapPer::Trunk),
        "all" => Ok(CapPer::All),
        other => Err(format!("`{other}` is none of: caller, trunk, all")),
    }
}

/// So many in a span of time: `"20/1h"`, with `s`, `m`, `h` or `d`.
fn in_span(value: &DeValue<'_>, most: u32, what: &str, like: &str) -> Result<(u32, Duration), String> {
    let wrong = || {
        format!(
            "must be {what} in a span of time, e.g. \"{like}\": 1 to {most} in 1s to 31d (units s, m, h, d)"
        )
    };
    let (count, span) = text(value)
        .ok()
        .and_then(|text| text.split_once('/'))
        .ok_or_else(wrong)?;
    let count = count
        .trim()
        .parse()
        .ok()
        .filter(|count| (1..=most).contains(count));
    let span = span.trim();
    let unit = match span.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(wrong()),
    };
    let length: u64 = match span[..span.len() - 1].trim() {
        "" => 1,
        digits => digits.parse().map_err(|_| wrong())?,
    };
    let within = Duration::from_secs(length.saturating_mul(unit));
    let fits = !within.is_zero() && within <= MOST;
    count
        .filter(|_| fits)
        .map(|count| (count, within))
        .ok_or_else(wrong)
}
