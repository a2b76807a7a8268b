//! Calls to a trunk: its addresses, how they are watched, and the limits on calls.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use session_core::{CallRate, FailoverCodes, Outgoing, TrunkAddress, Watch};
use toml::de::DeValue;

use super::reader::{Mixed, Reader, Section, kind, number, text};
use super::values::host_port;

/// Time between two OPTIONS, unless configured.
const OPTIONS: Duration = Duration::from_secs(30);

/// Addresses that a trunk may have.
const PLACES: usize = 16;

/// Reads `address`: one, or several with their ranks. Empty: something is wrong with it, which is reported.
pub(super) fn read_places<'t>(
    r: &mut Reader<'t>,
    trunk: &mut Section<'t>,
    span: &Range<usize>,
) -> Vec<TrunkAddress> {
    let Some(values) = r.mixed(trunk, "address") else {
        r.missing(trunk, "address", span);
        return Vec::new();
    };
    let at = trunk.span("address").unwrap_or(span.clone());
    if values.is_empty() || values.len() > PLACES {
        r.fail(
            at,
            format!("trunks.address: must be one address, or up to {PLACES}"),
        );
        return Vec::new();
    }
    let mut places: Vec<(TrunkAddress, bool)> = Vec::new();
    let mut wrong = false;
    for value in values {
        let (read, span) = match value {
            Mixed::Value(value, span) => (plain(r, value, &span), span),
            Mixed::Table(table, span) => (ranked(r, table, &span), span),
        };
        let Some((place, is_ranked)) = read else {
            wrong = true;
            continue;
        };
        if places
            .iter()
            .any(|(other, _)| (&other.host, other.port) == (&place.host, place.port))
        {
            r.fail(span, format!("trunks.address: `{}` is listed twice", place.host));
            wrong = true;
        }
        places.push((place, is_ranked));
    }
    if wrong {
        return Vec::new();
    }
    // Without ranks they are tried in the order of the file.
    let in_order = places.iter().all(|(_, is_ranked)| !is_ranked);
    let numbered = (0..).zip(places);
    numbered
        .map(|(n, (place, _))| match in_order {
            true => TrunkAddress { priority: n, ..place },
            false => place,
        })
        .collect()
}

fn plain(r: &mut Reader<'_>, value: &DeValue<'_>, span: &Range<usize>) -> Option<(TrunkAddress, bool)> {
    match host_port(value) {
        Ok((host, port)) => Some((
            TrunkAddress {
                host,
                port,
                priority: 0,
                weight: 1,
            },
            false,
        )),
        Err(message) => {
            r.fail(span.clone(), format!("trunks.address: {message}"));
            None
        }
    }
}

fn ranked<'t>(
    r: &mut Reader<'t>,
    mut table: Section<'t>,
    span: &Range<usize>,
) -> Option<(TrunkAddress, bool)> {
    let host = r.need(&mut table, "host", span, host_port);
    let priority = r.get(&mut table, "priority", |v| number(v, 0..=65_535));
    let weight = r.get(&mut table, "weight", |v| number(v, 1..=65_535));
    r.finish(table);
    let (host, port) = host?;
    let is_ranked = priority.is_some() || weight.is_some();
    let place = TrunkAddress {
        host,
        port,
        priority: priority.unwrap_or(0) as u16,
        weight: weight.unwrap_or(1) as u16,
    };
    Some((place, is_ranked))
}

/// Reads the other settings of calls to a trunk.
pub(super) fn read_outgoing<'t>(r: &mut Reader<'t>, trunk: &mut Section<'t>) -> Outgoing {
    let usual = Outgoing::default();
    let options = match trunk.is_false("options") {
        true => Some(Watch::Never),
        false => r.get(trunk, "options", |v| match number(v, 5..=3_600) {
            Ok(seconds) => Ok(Watch::Always(Duration::from_secs(seconds))),
            Err(error) => Err(format!("{error} (seconds), or false for never")),
        }),
    };
    Outgoing {
        places: Vec::new(),
        options: options.unwrap_or(Watch::Several(OPTIONS)),
        connect_timeout: r
            .get(trunk, "connect_timeout", |v| fraction(v, 0.1..=32.0))
            .unwrap_or(usual.connect_timeout),
        channels: r.get(trunk, "channels", |v| number(v, 1..=100_000).map(|n| n as usize)),
        rate: r.get(trunk, "calls_per_second", rate),
        wait: r
            .get(trunk, "wait", |v| fraction(v, 0.0..=32.0))
            .unwrap_or(usual.wait),
        failover: match r.list(trunk, "failover", codes) {
            Some(codes) => FailoverCodes::new(codes),
            None => usual.failover,
        },
    }
}

/// Seconds, or a fraction of them.
fn fraction(value: &DeValue<'_>, range: RangeInclusive<f64>) -> Result<Duration, String> {
    let (from, to) = (range.start(), range.end());
    let seconds = decimal(value).filter(|seconds| range.contains(seconds));
    let wrong = || format!("must be a number from {from} to {to} (seconds)");
    seconds.map(Duration::from_secs_f64).ok_or_else(wrong)
}

/// An integer or a float.
pub(super) fn decimal(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(integer) => integer.as_str().parse().ok(),
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

/// Calls a second, of which a fraction is one in a longer time; or `"40/5s"`.
fn rate(value: &DeValue<'_>) -> Result<CallRate, String> {
    let wrong = || {
        let what = match value.as_str() {
            Some(text) => format!("`{text}`"),
            None => kind(value).to_owned(),
        };
        format!(
            "{what} is no rate of calls, e.g. 3, 0.5 or \"40/5s\": up to 10000 calls in up to 3600 seconds"
        )
    };
    let made = |calls: u32, within: f64| {
        let fits = (1..=10_000).contains(&calls) && (0.000_1..=3_600.0).contains(&within);
        let within = Duration::from_secs_f64(within);
        fits.then_some(CallRate { calls, within }).ok_or_else(wrong)
    };
    if value.as_str().is_some() {
        let (calls, within) = text(value)?.split_once('/').ok_or_else(wrong)?;
        let within = within.trim().strip_suffix('s').ok_or_else(wrong)?.trim();
        let seconds: f64 = match within {
            "" => 1.0,
            number => number.parse().map_err(|_| wrong())?,
        };
        let calls = calls.trim().parse().map_err(|_| wrong())?;
        return if seconds.is_finite() && seconds > 0.0 {
            made(calls, seconds)
        } else {
            Err(wrong())
        };
    }
    let rate = decimal(value).filter(|rate| *rate > 0.0).ok_or_else(wrong)?;
    if rate.fract() == 0.0 && rate <= 10_000.0 {
        made(rate as u32, 1.0)
    } else if (1.0 / 3_600.0..=10_000.0).contains(&rate) {
        // Rounded up, so that it is never exceeded.
        made(1, (1_000_000.0 / rate).ceil() / 1_000_000.0)
    } else {
        Err(wrong())
    }
}

/// A code, or a range of them: `"500-599"`, `"5xx"`.
fn codes(value: &DeValue<'_>) -> Result<RangeInclusive<u16>, String> {
    let wrong = || "must be codes of refusals, 400 to 699: e.g. 503, \"500-599\" or \"5xx\"".to_owned();
    let code = |n: u16| Some(n).filter(|n| (400..=699).contains(n)).ok_or_else(wrong);
    let Some(text) = value.as_str() else {
        let one = number(value, 400..=699).map_err(|_| wrong())? as u16;
        return Ok(one..=one);
    };
    if let Some(class) = text.strip_suffix("xx") {
        let first = code(class.parse::<u16>().map_err(|_| wrong())?.saturating_mul(100))?;
        return Ok(first..=first + 99);
    }
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let end = |text: &str| text.trim().parse::<u16>().map_err(|_| wrong()).and_then(code);
    let (from, to) = (end(from)?, end(to)?);
    if from <= to { Ok(from..=to) } else { Err(wrong()) }
}
