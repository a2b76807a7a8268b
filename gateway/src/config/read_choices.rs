//! Pause reasons and dispositions of a file.

use toml::de::DeValue;

use super::Choice;
use super::reader::{Reader, Section, filled};

/// Codes and labels; `None`: none are written.
pub(super) fn read_choices<'t>(
    r: &mut Reader<'t>,
    root: &mut Section<'t>,
    key: &'static str,
) -> Option<Vec<Choice>> {
    let is_written = root.span(key).is_some();
    let mut choices: Vec<Choice> = Vec::new();
    for (mut section, span) in r.sections(root, key) {
        let code = r.need(&mut section, "code", &span, code);
        let label = r.get(&mut section, "label", filled);
        if let Some(code) = code {
            if choices.iter().any(|other| other.code == code) {
                let at = section.span("code").unwrap_or(span);
                r.fail(at, format!("{key}.code: `{code}` is listed twice"));
            } else {
                let label = label.unwrap_or_else(|| code.clone());
                choices.push(Choice { code, label });
            }
        }
        r.finish(section);
    }
    is_written.then_some(choices)
}

fn code(value: &DeValue<'_>) -> Result<String, String> {
    let code = filled(value)?;
    if crate::auth::user::is_name(&code) {
        Ok(code)
    } else {
        Err(format!(
            "`{code}` is not a code, e.g. \"follow-up\": 1 to 32 of a-z, 0-9, ., - and _"
        ))
    }
}
