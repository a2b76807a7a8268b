//! Dial rules for a new trunk: numbers in the form that its carrier wants.

use super::InitError;
use super::answers::Answers;
use crate::config::{Numbers, Profile};

/// Pattern and replacement of a rule.
type Rule = (&'static str, String);

/// Rules for calls out, and the one for calls in, which go to `user`. A pattern that the file has already is left out: those numbers
/// go by the rule that is there.
pub(super) fn rules(
    profile: &Profile,
    (trunk, user): (&str, &str),
    known: &[call_engine::Rule],
    answers: &mut Answers,
) -> Result<String, InitError> {
    let mut out = format!("[[dial]]\nfrom = {trunk:?}\nmatch = \".\"\nuser = {user:?}\n\n");
    let rules = match profile.out {
        Numbers::E164 => {
            let what = "country code of this place, such as 49 or 1: numbers without one are dialled there";
            international(&answers.ask("country", what, Some(""))?)?
        }
        Numbers::National => vec![("0.", String::new())],
        Numbers::AsDialled => vec![(".", String::new())],
    };
    let is_there = |pattern: &str| {
        let outgoing = |rule: &&call_engine::Rule| rule.from_trunk.is_none();
        known
            .iter()
            .filter(outgoing)
            .any(|rule| rule.pattern.as_str() == pattern)
    };
    for (pattern, rewrite) in rules {
        if is_there(pattern) {
            println!("\nNumbers like {pattern} go by a rule that is there already.");
            continue;
        }
        let rewrite = match rewrite.is_empty() {
            true => String::new(),
            false => format!("rewrite = {rewrite:?}\n"),
        };
        out.push_str(&format!(
            "[[dial]]\nmatch = {pattern:?}\n{rewrite}trunk = {trunk:?}\n\n"
        ));
    }
    Ok(out)
}

/// Rules that make E.164 of what is dialled in a country: with `+` as it is, and with the prefixes of that country.
fn international(country: &str) -> Result<Vec<Rule>, InitError> {
    let code = country.trim_start_matches('+');
    if code.len() > 3 || !code.bytes().all(|digit| digit.is_ascii_digit()) || code.starts_with('0') {
        return Err(format!("country: `{country}` is not a country code, such as 49"));
    }
    let mut rules: Vec<Rule> = vec![("+.", String::new())];
    match code {
        // North America dials ten digits, 1 before them for other areas, and 011 for other countries.
        "1" => rules.extend([
            ("011(.)", "+$1".to_owned()),
            ("1(NXXNXXXXXX)", "+1$1".to_owned()),
            ("NXXNXXXXXX", "+1$0".to_owned()),
        ]),
        // In Italy the 0 belongs to the number.
        "39" => rules.extend([("00(Z.)", "+$1".to_owned()), ("0Z.", "+39$0".to_owned())]),
        "" => rules.push(("00(Z.)", "+$1".to_owned())),
        code => rules.extend([("00(Z.)", "+$1".to_owned()), ("0(Z.)", format!("+{code}$1"))]),
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use call_engine::{Action, Decision, DialPlan, Origin, Pattern};
    use sans_io::Time;

    use super::*;

    /// The number that leaves when `dialled` is dialled in a country.
    fn leaves(country: &str, dialled: &str) -> Option<String> {
        let rule = |(pattern, rewrite): Rule| call_engine::Rule {
            rewrite: (!rewrite.is_empty()).then_some(rewrite),
            ..call_engine::Rule::new(
                Pattern::parse(pattern).expect("a pattern"),
                Action::Trunk("carrier".into()),
            )
        };
        let rules = international(country).expect("a country").into_iter().map(rule);
        let plan = DialPlan::new(rules.collect(), std::iter::empty());
        let request = call_engine::CallRequest::new(Origin::User("anna".into()), dialled, Time::default());
        match plan.decide(&request) {
            Decision::Trunk { number, .. } => Some(number),
            _ => None,
        }
    }

    #[test]
    fn numbers_leave_in_e164_from_wherever_they_are_dialled() {
        for (country, dialled, number) in [
            ("49", "030123456", Some("+4930123456")),
            ("49", "00441234567", Some("+441234567")),
            ("49", "+4930123456", Some("+4930123456")),
            ("49", "1001", None),
            ("1", "2125551234", Some("+12125551234")),
            ("+1", "12125551234", Some("+12125551234")),
            ("1", "01144123456", Some("+44123456")),
            ("39", "0612345678", Some("+390612345678")),
            ("", "030123456", None),
            ("", "+4930123456", Some("+4930123456")),
        ] {
            assert_eq!(
                leaves(country, dialled).as_deref(),
                number,
                "{country}: {dialled}"
            );
        }
        for wrong in ["0049", "Germany", "4930"] {
            assert!(international(wrong).is_err(), "{wrong}");
        }
    }
}
