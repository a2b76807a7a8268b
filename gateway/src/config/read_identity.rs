//! What of a caller's identity a trunk is given.

use session_core::identity::{AssertedIn, DiversionIn, IdentityPolicy};
use toml::de::DeValue;

use super::reader::{Reader, Section, boolean, text};

pub(super) fn read_identity<'t>(r: &mut Reader<'t>, section: &mut Section<'t>) -> IdentityPolicy {
    let asserted_in = r.list(section, "identity", asserted_in).unwrap_or_default();
    if let Some((_, twice)) = asserted_in
        .iter()
        .enumerate()
        .find(|(at, header)| asserted_in[..*at].contains(header))
    {
        let at = section.span("identity").unwrap_or_default();
        r.fail(at, format!("trunks.identity names \"{}\" twice", word(*twice)));
    }
    IdentityPolicy {
        asserted_in,
        diversion_in: r.get(section, "diversion", diversion_in).unwrap_or_default(),
        user_to_user: r.get(section, "user_to_user", boolean).unwrap_or_default(),
        charge: r.get(section, "charge", telephone_number),
    }
}

/// Words for the headers that name a caller.
const ASSERTED_IN: [(&str, AssertedIn); 3] = [
    ("p-asserted-identity", AssertedIn::PAssertedIdentity),
    ("p-preferred-identity", AssertedIn::PPreferredIdentity),
    ("remote-party-id", AssertedIn::RemotePartyId),
];

fn word(header: AssertedIn) -> &'static str {
    ASSERTED_IN
        .iter()
        .find(|(_, other)| *other == header)
        .map_or("", |(word, _)| word)
}

fn asserted_in(value: &DeValue<'_>) -> Result<AssertedIn, String> {
    let text = text(value)?;
    let known = ASSERTED_IN
        .iter()
        .find(|(word, _)| text.eq_ignore_ascii_case(word));
    known.map(|(_, header)| *header).ok_or_else(|| {
        format!("`{text}` is none of: p-asserted-identity, p-preferred-identity, remote-party-id")
    })
}

fn diversion_in(value: &DeValue<'_>) -> Result<DiversionIn, String> {
    match text(value)?.to_ascii_lowercase().as_str() {
        "off" => Ok(DiversionIn::Neither),
        "diversion" => Ok(DiversionIn::Diversion),
        "history-info" => Ok(DiversionIn::HistoryInfo),
        "both" => Ok(DiversionIn::Both),
        other => Err(format!(
            "`{other}` is none of: off, diversion, history-info, both"
        )),
    }
}

/// A number as it stands in a URI: digits, perhaps with `+` before them.
fn telephone_number(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?;
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.is_empty() || digits.len() > 32 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("`{text}` is not a number, e.g. \"+49301234567\""));
    }
    Ok(text.to_owned())
}
