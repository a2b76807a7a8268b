//! Parking of calls: `[park]` of a file.

use std::time::Duration;

use toml::de::DeValue;

use super::Config;
use super::reader::{Reader, Section, filled, set, text};
use super::setting::Dialled;
use super::values::seconds;

/// Slots that there may be.
const SLOTS: u32 = 100;

/// Settings for parked calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Park {
    /// Number by which a call is parked in any free slot; empty: no call is parked.
    pub number: String,
    /// Numbers of the slots.
    pub slots: Vec<String>,
    /// Time after which a call returns to whoever parked it.
    pub timeout: Duration,
    /// Time after which a parked call ends.
    pub limit: Duration,
}

impl Default for Park {
    fn default() -> Park {
        Park {
            number: String::new(),
            slots: Vec::new(),
            timeout: Duration::from_secs(60),
            limit: Duration::from_secs(1_800),
        }
    }
}

/// Reads `[park]`.
pub(super) fn read_park<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &Config) -> Park {
    let mut park = Park::default();
    let at = root.span("park").unwrap_or_default();
    let Some(mut section) = r.section(root, "park") else {
        return park;
    };
    let number = r.need(&mut section, "number", &at, |v| {
        let number = filled(v)?;
        Dialled::checked(&number).map(|()| number)
    });
    let slots = r.need(&mut section, "slots", &at, slots);
    set(
        &mut park.timeout,
        r.get(&mut section, "timeout", |v| seconds(v, 10..=3_600)),
    );
    set(
        &mut park.limit,
        r.get(&mut section, "limit", |v| seconds(v, 60..=86_400)),
    );
    if let (Some(number), Some(slots)) = (number, slots) {
        for called in slots.iter().chain([&number]) {
            if is_taken(called, config) || (*called == number && slots.contains(called)) {
                let message = format!("park: `{called}` is the number of something else");
                r.fail(section.span("slots").unwrap_or(at.clone()), message);
                break;
            }
        }
        (park.number, park.slots) = (number, slots);
    }
    r.finish(section);
    park
}

/// The numbers of a range such as `"701-720"`.
fn slots(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let text = text(value)?;
    let wrong = || format!("`{text}` is no range of numbers of the same length, e.g. \"701-720\"");
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let digits = |text: &str| !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    if first.len() != last.len() || !digits(first) || !digits(last) {
        return Err(wrong());
    }
    let (low, high): (u32, u32) = (
        first.parse().map_err(|_| wrong())?,
        last.parse().map_err(|_| wrong())?,
    );
    if low > high || high - low >= SLOTS {
        return Err(format!(
            "`{text}`: from 1 to {SLOTS} slots, the lowest number first"
        ));
    }
    Ok((low..=high)
        .map(|n| format!("{n:0width$}", width = first.len()))
        .collect())
}

fn is_taken(number: &str, config: &Config) -> bool {
    config.users.contains_key(number)
        || config
            .queues
            .iter()
            .any(|queue| queue.name == number || queue.number.as_deref() == Some(number))
        || config
            .groups
            .iter()
            .any(|group| group.ring.name == number || group.number.as_deref() == Some(number))
}
