//! Extensions of SIP in the calls of a user or a trunk.

use session_core::{Duty, Reliability, SessionPolicy, SignallingPolicy};
use toml::de::DeValue;

use super::reader::{Reader, Section, text};
use super::values::seconds_or_never;

pub(super) fn read_signalling<'t>(r: &mut Reader<'t>, section: &mut Section<'t>) -> SignallingPolicy {
    SignallingPolicy {
        reliable: r.get(section, "reliable", reliability).unwrap_or_default(),
        session: r
            .get(section, "session_expires", |v| seconds_or_never(v, 90..=86_400))
            .map_or(SessionPolicy::AsUsual, |interval| {
                interval.map_or(SessionPolicy::Off, SessionPolicy::Every)
            }),
        refresher: r.get(section, "session_refresher", refresher),
    }
}

fn reliability(value: &DeValue<'_>) -> Result<Reliability, String> {
    match text(value)? {
        "off" => Ok(Reliability::Off),
        "supported" => Ok(Reliability::Supported),
        "required" => Ok(Reliability::Required),
        other => Err(format!("`{other}` is none of: off, supported, required")),
    }
}

fn refresher(value: &DeValue<'_>) -> Result<Duty, String> {
    match text(value)? {
        "gateway" => Ok(Duty::Ours),
        "peer" => Ok(Duty::Peers),
        other => Err(format!("`{other}` is neither \"gateway\" nor \"peer\"")),
    }
}
