//! Emergency calls: `[emergency]`, and what a user has of one's own.

use std::collections::BTreeMap;

use call_engine::Trunks;
use session_core::emergency::{Civic, CivicElement, EmergencyNumbers, Location, Point};
use sip_core::uri::Uri;
use toml::de::DeValue;

use super::Config;
use super::read_dial::read_choices;
use super::read_outgoing::decimal;
use super::reader::{Reader, Section, boolean, filled, text, unknown};
use super::values::user_name;

/// Emergency calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Emergency {
    /// Numbers and prefixes; without a number there are no emergency calls.
    pub numbers: EmergencyNumbers,
    /// Trunks that the calls go to, best first.
    pub trunks: Option<Trunks>,
    /// Number to call back, where the user has none of their own.
    pub caller_id: Option<String>,
    /// Location, where the user has none of their own.
    pub location: Option<Location>,
    /// True if trunks get `Resource-Priority` (RFC 7135).
    pub resource_priority: bool,
    /// Settings of users that have some of their own, by name.
    pub users: BTreeMap<String, OfUser>,
}

/// Settings of one user for emergency calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfUser {
    /// Number to call back.
    pub caller_id: Option<String>,
    /// Location.
    pub location: Option<Location>,
}

/// Reads `[emergency]`. `users`: what was read of users before.
pub(super) fn read_emergency<'t>(
    r: &mut Reader<'t>,
    root: &mut Section<'t>,
    config: &Config,
    users: BTreeMap<String, OfUser>,
) -> Emergency {
    let at = root.span("emergency");
    let Some(mut section) = r.section(root, "emergency") else {
        return Emergency::default();
    };
    let at = at.unwrap_or_default();
    let numbers = r.list(&mut section, "numbers", digits).unwrap_or_default();
    if numbers.is_empty() {
        r.fail(at.clone(), "emergency.numbers: names no number, e.g. [\"112\"]");
    }
    let prefixes = r.list(&mut section, "prefixes", digits).unwrap_or_default();
    let trunks = read_choices(r, &mut section);
    match &trunks {
        None => r.missing(&section, "trunk", &at),
        Some(trunks) => {
            for name in trunks.names().filter(|name| !config.trunks.contains_key(*name)) {
                let at = section.span("trunk").unwrap_or(at.clone());
                r.fail(
                    at,
                    unknown("emergency.trunk", "trunk", name, config.trunks.keys()),
                );
            }
        }
    }
    let caller_id = r.get(&mut section, "caller_id", user_name);
    let location = read_location(r, &mut section);
    let resource_priority = r
        .get(&mut section, "resource_priority", boolean)
        .unwrap_or_default();
    r.finish(section);
    Emergency {
        numbers: EmergencyNumbers { numbers, prefixes },
        trunks,
        caller_id,
        location,
        resource_priority,
        users,
    }
}

/// Reads a user's `emergency`: a table with `caller_id` and `location`.
pub(super) fn read_of_user<'t>(r: &mut Reader<'t>, user: &mut Section<'t>) -> Option<OfUser> {
    let mut table = r.section(user, "emergency")?;
    let of_user = OfUser {
        caller_id: r.get(&mut table, "caller_id", user_name),
        location: read_location(r, &mut table),
    };
    r.finish(table);
    Some(of_user)
}

/// Reads `location`: `civic`, `point` or `uri`, or several of them.
fn read_location<'t>(r: &mut Reader<'t>, parent: &mut Section<'t>) -> Option<Location> {
    let at = parent.span("location");
    let mut table = r.section(parent, "location")?;
    let location = Location {
        civic: read_civic(r, &mut table),
        point: read_point(r, &mut table),
        uri: r.get(&mut table, "uri", location_uri),
    };
    r.finish(table);
    if location == Location::default() {
        let path = parent.path("location");
        r.fail(
            at.unwrap_or_default(),
            format!("{path}: needs civic, point or uri"),
        );
        return None;
    }
    Some(location)
}

/// Reads a civic address: elements of RFC 5139 by their names, such as `country`, `a3`, `rd`, `hno`, `pc`.
fn read_civic<'t>(r: &mut Reader<'t>, location: &mut Section<'t>) -> Option<Civic> {
    let at = location.span("civic")?;
    let path = location.path("civic");
    let entries = r.entries(location, "civic", "civic = { country = \"DE\", a3 = \"Berlin\" }");
    let mut elements = Vec::new();
    for (name, value, span) in entries {
        match (CivicElement::named(name), filled(value)) {
            (Ok(element), Ok(text)) => elements.push((element, text)),
            (Err(error), _) => r.fail(span, format!("{path}: `{name}` {error}")),
            (_, Err(message)) => r.fail(span, format!("{path}.{name}: {message}")),
        }
    }
    if !elements
        .iter()
        .any(|(element, text)| *element == CivicElement::COUNTRY && text.len() == 2)
    {
        r.fail(
            at,
            format!("{path}.country: must be a country of ISO 3166 in two letters, e.g. \"DE\""),
        );
        return None;
    }
    Some(Civic::new(elements))
}

/// Reads a point, or the circle around it.
fn read_point<'t>(r: &mut Reader<'t>, location: &mut Section<'t>) -> Option<Point> {
    let at = location.span("point")?;
    let mut table = r.section(location, "point")?;
    let latitude = r.need(&mut table, "latitude", &at, |v| within(v, -90.0, 90.0));
    let longitude = r.need(&mut table, "longitude", &at, |v| within(v, -180.0, 180.0));
    let radius = r.get(&mut table, "radius", |v| within(v, 0.0, 100_000.0));
    r.finish(table);
    Some(Point {
        latitude: latitude?,
        longitude: longitude?,
        radius: radius.unwrap_or_default(),
    })
}

fn within(value: &DeValue<'_>, least: f64, most: f64) -> Result<f64, String> {
    decimal(value)
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("must be a number from {least} to {most}"))
}

/// Digits that can be dialled.
fn digits(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?;
    let is_number = (1..=15).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#' | b'+'));
    if is_number {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not a number that can be dialled"))
    }
}

/// URI at which a location can be asked for (RFC 6442 §4.1).
fn location_uri(value: &DeValue<'_>) -> Result<String, String> {
    let text = filled(value)?;
    let is_known = ["https:", "http:", "sip:", "sips:", "pres:"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    let is_plain = text
        .bytes()
        .all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"'));
    match Uri::parse(&text) {
        Ok(_) if is_known && is_plain => Ok(text),
        _ => Err(format!(
            "`{text}` is none of https:, http:, sip:, sips: and pres: URIs"
        )),
    }
}
