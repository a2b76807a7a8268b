//! Call handling of users as the file, the API and the store have it: forwarding and do not disturb.

use std::time::Duration;

use call_engine::NO_ANSWER_AFTER;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::reader::{Reader, Section, boolean, filled};
use super::setting::{FieldErrors, Line, Setting as _};
use super::values::seconds;

/// Least and greatest number of seconds that a user's phones ring before a call is forwarded.
const RING: std::ops::RangeInclusive<u64> = 5..=180;

/// A number that the dial plan resolves.
const NUMBER: Line = Line {
    least: 1,
    greatest: 64,
};

/// Settings of a user for calls to the user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallHandling {
    /// True if no phone of the user is to ring: calls go to the number for `busy`, or are refused (480).
    #[serde(default)]
    pub do_not_disturb: bool,
    /// Forwarding.
    #[serde(default)]
    pub forward: Forward,
}

/// Numbers that calls to a user go to; the dial plan resolves each as if the user dialled it. None: they do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// Number for all calls; no phone of the user rings.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64, example = "017055501")]
    pub always: Option<String>,
    /// Number for calls while the user is busy or declines.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub busy: Option<String>,
    /// Number for calls that the user does not answer.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub no_answer: Option<String>,
    /// Seconds that the user's phones ring until then.
    #[serde(default = "ring")]
    #[schema(minimum = 5, maximum = 180, default = 20)]
    pub no_answer_after: u64,
    /// Number for calls while no phone of the user can be reached.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub unreachable: Option<String>,
}

fn ring() -> u64 {
    NO_ANSWER_AFTER.as_secs()
}

impl Default for Forward {
    fn default() -> Forward {
        Forward {
            always: None,
            busy: None,
            no_answer: None,
            no_answer_after: ring(),
            unreachable: None,
        }
    }
}

impl CallHandling {
    /// The same, as the switch works with it.
    #[must_use]
    pub fn policy(&self) -> call_engine::CallHandling {
        call_engine::CallHandling {
            always: self.forward.always.clone(),
            busy: self.forward.busy.clone(),
            no_answer: self.forward.no_answer.clone(),
            no_answer_after: Duration::from_secs(self.forward.no_answer_after),
            unreachable: self.forward.unreachable.clone(),
            do_not_disturb: self.do_not_disturb,
        }
    }

    /// Errors of what a client sent.
    pub(crate) fn errors(&self) -> FieldErrors {
        let mut wrong = FieldErrors::new();
        let forward = &self.forward;
        for (field, number) in [
            ("forward.always", &forward.always),
            ("forward.busy", &forward.busy),
            ("forward.no_answer", &forward.no_answer),
            ("forward.unreachable", &forward.unreachable),
        ] {
            let Some(number) = number else { continue };
            NUMBER.check(field, number, &mut wrong);
            if number.trim() != number {
                wrong.push((field.to_owned(), "no blanks at its ends".to_owned()));
            }
        }
        if !RING.contains(&forward.no_answer_after) {
            let detail = format!("from {} to {} seconds", RING.start(), RING.end());
            wrong.push(("forward.no_answer_after".to_owned(), detail));
        }
        wrong
    }
}

/// Reads `do_not_disturb` and `forward` of a user; `None` if the file has neither.
pub(super) fn read_call_handling<'t>(r: &mut Reader<'t>, user: &mut Section<'t>) -> Option<CallHandling> {
    let do_not_disturb = r.get(user, "do_not_disturb", boolean);
    let forward = r.section(user, "forward").map(|section| read_forward(r, section));
    if do_not_disturb.is_none() && forward.is_none() {
        return None;
    }
    Some(CallHandling {
        do_not_disturb: do_not_disturb.unwrap_or_default(),
        forward: forward.unwrap_or_default(),
    })
}

fn read_forward<'t>(r: &mut Reader<'t>, mut section: Section<'t>) -> Forward {
    let mut number = |key| r.get(&mut section, key, filled);
    let (always, busy) = (number("always"), number("busy"));
    let (no_answer, unreachable) = (number("no_answer"), number("unreachable"));
    let after = r.get(&mut section, "no_answer_after", |v| seconds(v, RING));
    if let (Some(at), None) = (section.span("no_answer_after"), section.span("no_answer")) {
        let path = section.path("no_answer_after");
        r.fail(
            at,
            format!("{path}: no call is forwarded after that time; add no_answer"),
        );
    }
    r.finish(section);
    Forward {
        always,
        busy,
        no_answer,
        no_answer_after: after.map_or_else(ring, |after| after.as_secs()),
        unreachable,
    }
}
