//! Feature codes of desk phones: `[feature_codes]` of a file.

use toml::de::DeValue;

use super::reader::{Reader, Section, text};

/// Octets of a code at most.
const LONGEST: usize = 8;

/// Request of a desk phone, dialled as a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feature {
    /// All calls to the user go to this number; none: they do no more.
    ForwardAlways(Option<String>),
    /// Calls go there while the user is busy.
    ForwardBusy(Option<String>),
    /// Calls go there that the user does not answer.
    ForwardNoAnswer(Option<String>),
    /// No phone of the user rings, or they ring again.
    DoNotDisturb(bool),
    /// The user wants a call that rings at a group of the user's.
    PickUpGroup,
    /// The user wants the call that rings at this number.
    PickUp(String),
}

/// Codes, and what each of them asks for. None without a `[feature_codes]` in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureCodes(Vec<(String, Code)>);

/// Meaning of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    ForwardAlways,
    ForwardAlwaysOff,
    ForwardBusy,
    ForwardBusyOff,
    ForwardNoAnswer,
    ForwardNoAnswerOff,
    DoNotDisturb,
    DoNotDisturbOff,
    PickUpGroup,
    PickUp,
}

/// Keys of the table, the codes that they stand for by default, and their meanings.
const KEYS: [(&str, &str, Code); 10] = [
    ("forward_always", "*72", Code::ForwardAlways),
    ("forward_always_off", "*73", Code::ForwardAlwaysOff),
    ("forward_busy", "*90", Code::ForwardBusy),
    ("forward_busy_off", "*91", Code::ForwardBusyOff),
    ("forward_no_answer", "*92", Code::ForwardNoAnswer),
    ("forward_no_answer_off", "*93", Code::ForwardNoAnswerOff),
    ("do_not_disturb", "*78", Code::DoNotDisturb),
    ("do_not_disturb_off", "*79", Code::DoNotDisturbOff),
    ("pick_up_group", "*8", Code::PickUpGroup),
    ("pick_up", "**", Code::PickUp),
];

impl Code {
    /// True for a code that a number follows.
    const fn has_number(self) -> bool {
        matches!(
            self,
            Code::ForwardAlways | Code::ForwardBusy | Code::ForwardNoAnswer | Code::PickUp
        )
    }
}

impl FeatureCodes {
    /// The request that a dialled number is; `None`: it is no code. A code without the number that has to follow it is `Some(None)`.
    #[must_use]
    pub fn read(&self, dialled: &str) -> Option<Option<Feature>> {
        let is_it = |(text, code): &&(String, Code)| match code.has_number() {
            true => dialled.starts_with(text.as_str()),
            false => dialled == text,
        };
        let (text, code) = self.0.iter().find(is_it)?;
        let number = dialled.get(text.len()..).unwrap_or_default();
        let number = (!number.is_empty()).then(|| number.to_owned());
        Some(match code {
            Code::ForwardAlways => number.map(|number| Feature::ForwardAlways(Some(number))),
            Code::ForwardBusy => number.map(|number| Feature::ForwardBusy(Some(number))),
            Code::ForwardNoAnswer => number.map(|number| Feature::ForwardNoAnswer(Some(number))),
            Code::PickUp => number.map(Feature::PickUp),
            Code::ForwardAlwaysOff => Some(Feature::ForwardAlways(None)),
            Code::ForwardBusyOff => Some(Feature::ForwardBusy(None)),
            Code::ForwardNoAnswerOff => Some(Feature::ForwardNoAnswer(None)),
            Code::DoNotDisturb => Some(Feature::DoNotDisturb(true)),
            Code::DoNotDisturbOff => Some(Feature::DoNotDisturb(false)),
            Code::PickUpGroup => Some(Feature::PickUpGroup),
        })
    }

    /// Two codes of which nobody can say which of them was dialled.
    fn unclear(&self) -> Option<(&str, &str)> {
        let pairs = self.0.iter().enumerate().flat_map(|(n, one)| {
            let others = self.0.iter().enumerate().filter(move |(m, _)| *m != n);
            others.map(move |(_, other)| (one, other))
        });
        let mut wrong = pairs.filter(|((text, code), (other, _))| match code.has_number() {
            true => other.starts_with(text.as_str()),
            false => other == text,
        });
        wrong
            .next()
            .map(|((text, _), (other, _))| (text.as_str(), other.as_str()))
    }
}

/// Reads `[feature_codes]`.
pub(super) fn read_feature_codes<'t>(r: &mut Reader<'t>, root: &mut Section<'t>) -> FeatureCodes {
    let at = root.span("feature_codes").unwrap_or_default();
    let Some(mut section) = r.section(root, "feature_codes") else {
        return FeatureCodes::default();
    };
    let mut codes = FeatureCodes::default();
    for (key, usual, meaning) in KEYS {
        let code = r.get(&mut section, key, code);
        let code = code.unwrap_or_else(|| usual.to_owned());
        if !code.is_empty() {
            codes.0.push((code, meaning));
        }
    }
    if let Some((one, other)) = codes.unclear() {
        r.fail(
            at,
            format!("feature_codes: `{one}` cannot be told from `{other}`"),
        );
    }
    r.finish(section);
    codes
}

/// A code, or nothing.
fn code(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?;
    let plain = |byte: u8| byte.is_ascii_digit() || b"*#".contains(&byte);
    let is_code = text.starts_with(['*', '#']) && text.len() <= LONGEST && text.bytes().all(plain);
    match text.is_empty() || is_code {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "`{}` is no code such as \"*72\": * or #, then up to {} digits, * and #; \"\" for none",
            text.escape_debug(),
            LONGEST - 1
        )),
    }
}
