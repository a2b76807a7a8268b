//! Why agents pause, and what they make of calls.

use axum::Json;
use axum::extract::State;

use super::Api;
use super::guard::SignedIn;
use super::list::List;
use crate::config::Choice;

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
