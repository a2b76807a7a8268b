//! Why agents pause, and what they make of calls.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::guard::SignedIn;
use super::list::List;

/// Something to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Choice {
    /// For programs.
    pub code: String,
    /// For people.
    pub label: String,
}

/// Reasons to pause that everybody has.
const REASONS: [(&str, &str); 5] = [
    ("break", "Break"),
    ("lunch", "Lunch"),
    ("meeting", "Meeting"),
    ("training", "Training"),
    ("paperwork", "Paperwork"),
];

/// What can become of any call.
const DISPOSITIONS: [(&str, &str); 6] = [
    ("resolved", "Resolved"),
    ("follow-up", "Follow-up needed"),
    ("call-back", "Call back"),
    ("passed-on", "Passed on"),
    ("wrong-number", "Wrong number"),
    ("nuisance", "Nuisance"),
];

/// Why agents pause.
#[utoipa::path(get, path = "/pause-reasons", tag = "agent", responses((status = 200, body = List<Choice>)))]
pub(super) async fn pause_reasons(SignedIn(_who): SignedIn, State(api): State<Api>) -> Json<List<Choice>> {
    Json(list(&api.settings.pause_reasons))
}

/// What agents make of calls.
#[utoipa::path(get, path = "/dispositions", tag = "agent", responses((status = 200, body = List<Choice>)))]
pub(super) async fn dispositions(SignedIn(_who): SignedIn, State(api): State<Api>) -> Json<List<Choice>> {
    Json(list(&api.settings.dispositions))
}

fn list(choices: &[Choice]) -> List<Choice> {
    List {
        items: choices.to_vec(),
        next_cursor: None,
    }
}

/// Reasons to pause, unless others are configured.
#[must_use]
pub fn usual_pause_reasons() -> Vec<Choice> {
    choices(&REASONS)
}

/// What becomes of calls, unless something else is configured.
#[must_use]
pub fn usual_dispositions() -> Vec<Choice> {
    choices(&DISPOSITIONS)
}

fn choices(pairs: &[(&str, &str)]) -> Vec<Choice> {
    let choice = |(code, label): &(&str, &str)| Choice {
        code: (*code).to_owned(),
        label: (*label).to_owned(),
    };
    pairs.iter().map(choice).collect()
}
