//! Numbers of a file: how they are dialled here, and in which form a trunk has them.

use std::sync::Arc;

use session_core::{NumberForm, Numbering, NumberingError, TrunkNumbers};
use toml::de::DeValue;

use super::Config;
use super::reader::{Reader, Section, number, text};

/// Forms of numbers at a trunk, by their words.
const FORMS: [(&str, NumberForm); 5] = [
    ("as-is", NumberForm::AsIs),
    ("+e164", NumberForm::Plus),
    ("e164", NumberForm::Digits),
    ("international", NumberForm::International),
    ("national", NumberForm::National),
];

/// Reads `[numbers]`.
pub(super) fn read_numbering<'t>(r: &mut Reader<'t>, root: &mut Section<'t>) -> Option<Arc<Numbering>> {
    let span = root.span("numbers").unwrap_or_default();
    let mut section = r.section(root, "numbers")?;
    let numbering = r.need(&mut section, "country", &span, |v| {
        Numbering::new(text(v)?.trim_start_matches('+')).map_err(said)
    });
    let numbering = numbering.and_then(|numbering| read_prefixes(r, &mut section, numbering));
    r.finish(section);
    numbering.map(Arc::new)
}

/// Reads the keys that differ from what is usual in the country; `None`: one is wrong, which is reported.
fn read_prefixes<'t>(
    r: &mut Reader<'t>,
    section: &mut Section<'t>,
    mut numbering: Numbering,
) -> Option<Numbering> {
    let before = r.errors.len();
    for (key, with) in [
        (
            "area",
            Numbering::with_area as fn(Numbering, &str) -> Result<Numbering, NumberingError>,
        ),
        ("international", Numbering::with_international),
    ] {
        let known = numbering.clone();
        if let Some(changed) = r.get(section, key, |v| with(known, text(v)?).map_err(said)) {
            numbering = changed;
        }
    }
    let length = r.get(section, "national_length", |v| number(v, 4..=14));
    let length = length
        .map(|length| length as usize)
        .or(numbering.national_length());
    let prefix = r.get(section, "national", |v| text(v).map(str::to_owned));
    let prefix = prefix.unwrap_or_else(|| numbering.national().to_owned());
    let at = section.span("national").or(section.span("national_length"));
    match numbering.with_national(&prefix, length) {
        Ok(numbering) if r.errors.len() == before => Some(numbering),
        Ok(_) => None,
        Err(error) => {
            r.fail(
                at.unwrap_or_default(),
                format!("numbers.national: {}", said(error)),
            );
            None
        }
    }
}

fn said(error: NumberingError) -> String {
    match error {
        NumberingError::NoLength => {
            "without a prefix `national_length` must say how many digits a national number has".to_owned()
        }
        error => error.to_string(),
    }
}

/// Reads `numbers` of a trunk.
pub(super) fn read_trunk_numbers<'t>(
    r: &mut Reader<'t>,
    trunk: &mut Section<'t>,
    config: &Config,
) -> TrunkNumbers {
    let form = r.get(trunk, "numbers", form).unwrap_or_default();
    let needs_place = matches!(form, NumberForm::International | NumberForm::National);
    if needs_place && config.numbering.is_none() {
        let at = trunk.span("numbers").unwrap_or_default();
        r.fail(
            at,
            "trunks.numbers: the prefixes of the country are not known; add [numbers] with its `country`",
        );
    }
    TrunkNumbers::new(form, config.numbering.clone())
}

fn form(value: &DeValue<'_>) -> Result<NumberForm, String> {
    let written = text(value)?;
    let found = FORMS.iter().find(|(word, _)| *word == written);
    found.map(|(_, form)| *form).ok_or_else(|| {
        let words = FORMS.map(|(word, _)| word);
        format!("`{written}` is none of: {}", words.join(", "))
    })
}
