//! `/metrics/queues` and `/metrics/agents`: the numbers of `docs/METRICS.md` over stretches of time, folded from the log.

use axum::Json;
use axum::extract::State;
use call_engine::acd::metrics::{AgentCounts, SLOT};
use call_engine::acd::{self, AgentId, QueueId};
use sans_io::Time;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{Params, When};
use super::guard::Watcher;
use super::list::List;
use super::problem::Problem;
use super::{Api, metrics};
use crate::centre::statistics::KEPT;
use crate::centre::view::{Moment, queue_numbers};

/// The smallest stretch, seconds: a quarter of an hour.
const STEP_S: u32 = (SLOT / 1_000_000) as u32;

/// Maximum number of intervals in an answer.
const MAX_STEPS: u64 = 500;

/// Period, and intervals within it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Stretches {
    /// Start of the period, at most 62 days ago; default: midnight. Rounded down to a whole step.
    #[param(value_type = Option<Moment>)]
    from: Option<When>,
    /// End of the period; default: now.
    #[param(value_type = Option<Moment>)]
    to: Option<When>,
    /// Length of an interval in seconds, a multiple of 900.
    #[param(minimum = 900, maximum = 86400, multiple_of = 900)]
    step: Option<u32>,
    /// `next_cursor` of the previous part, to continue from there.
    #[param(value_type = Option<Moment>)]
    cursor: Option<When>,
}

/// Period, and intervals within it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Stretch {
    /// Start of the period; default: midnight. Rounded down to a quarter of an hour.
    #[param(value_type = Option<Moment>)]
    from: Option<When>,
    /// End of the period; default: now. Rounded up to a quarter of an hour.
    #[param(value_type = Option<Moment>)]
    to: Option<When>,
}

queue_numbers! {
    /// Numbers of a queue over a period.
    #[derive(Debug, PartialEq, Serialize, ToSchema)]
    pub(super) struct QueueNumbers {
        /// Id of the queue.
        queue: String,
        from: Moment,
        to: Moment,
    }
}

/// Numbers of an agent over a period, in whole seconds.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct AgentNumbers {
    /// Id of the agent.
    agent: String,
    /// Calls taken.
    calls: u64,
    /// Talk without hold.
    talk_s: u64,
    /// Seconds on hold.
    held_s: u64,
    wrap_up_s: u64,
    paused_s: u64,
    available_s: u64,
    ringing_s: u64,
    unreachable_s: u64,
    /// Seconds between accepting a call and hearing the caller.
    connecting_s: u64,
    /// Seconds in direct calls, which came through no queue.
    direct_s: u64,
    /// All of the above together.
    signed_in_s: u64,
    /// Busy part of the time signed in and not paused, 0 to 1.
    occupancy: f64,
}

/// Queues, interval by interval; 500 entries at a time.
#[utoipa::path(get, path = "/metrics/queues", operation_id = "getQueueMetrics", tag = "supervisor", params(Stretches),
    responses((status = 200, body = List<QueueNumbers>)))]
pub(super) async fn queues(
    Watcher(_who): Watcher,
    State(api): State<Api>,
    Params(wanted): Params<Stretches>,
) -> Result<Json<List<QueueNumbers>>, Problem> {
    let step = wanted.step.unwrap_or(STEP_S);
    if step == 0 || step > 86_400 || !step.is_multiple_of(STEP_S) {
        return Err(Problem::field("step", "a multiple of 900, at most 86400"));
    }
    let step = u64::from(step) * 1_000_000;
    let (from, until) = stretch(&api, wanted.cursor.or(wanted.from), wanted.to);
    let from = from / step * step;
    let steps = (until - from).div_ceil(step);
    let (directory, folded) = (
        api.service.statistics().directory(),
        api.service.statistics().metrics(),
    );
    let mut items = Vec::new();
    for n in 0..steps.min(MAX_STEPS) {
        let (begin, end) = (from + n * step, from + (n + 1) * step);
        for queue in directory.queues() {
            let id: QueueId = queue.config.id;
            let counts = folded.queue_counts(id, Time(begin), Time(end));
            let (from, to) = (Moment(Time(begin)), Moment(Time(end)));
            items.push(QueueNumbers::of(queue.id.clone(), from, to, &counts));
        }
    }
    let next = Moment(Time(from + MAX_STEPS * step));
    Ok(Json(List {
        items,
        next_cursor: (steps > MAX_STEPS).then(|| metrics::name(&next)),
    }))
}

/// Numbers of agents over a period.
#[utoipa::path(get, path = "/metrics/agents", operation_id = "getAgentMetrics", tag = "supervisor", params(Stretch),
    responses((status = 200, body = List<AgentNumbers>)))]
pub(super) async fn agents(
    Watcher(_who): Watcher,
    State(api): State<Api>,
    Params(wanted): Params<Stretch>,
) -> Result<Json<List<AgentNumbers>>, Problem> {
    let (from, until) = stretch(&api, wanted.from, wanted.to);
    let now = api.now();
    let (directory, folded) = (
        api.service.statistics().directory(),
        api.service.statistics().metrics(),
    );
    let agents = directory
        .people()
        .filter_map(|person| Some((person, person.agent.as_ref()?)));
    let items = agents.map(|(person, agent)| {
        let id: AgentId = agent.id;
        of_agent(&person.id, &folded.agent_counts(id, Time(from), Time(until), now))
    });
    Ok(Json(List {
        items: items.collect(),
        next_cursor: None,
    }))
}

/// From and until, in microseconds since the epoch; not longer ago than numbers are kept, and not later than now.
fn stretch(api: &Api, from: Option<When>, to: Option<When>) -> (u64, u64) {
    let now = api.now();
    let until = to.map_or(now, |to| to.0.min(now));
    let from = from.map_or_else(|| midnight(now), |from| from.0).max(now - KEPT);
    (from.min(until).as_micros(), until.as_micros())
}

/// Beginning of the day that contains a moment, in the time zone of the gateway.
fn midnight(now: Time) -> Time {
    let micros = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
    let began = jiff::Timestamp::from_microsecond(micros)
        .and_then(|now| now.to_zoned(jiff::tz::TimeZone::system()).start_of_day())
        .map(|began| began.timestamp().as_microsecond());
    began
        .ok()
        .and_then(|micros| u64::try_from(micros).ok())
        .map_or(now, Time)
}

fn of_agent(id: &str, counts: &AgentCounts) -> AgentNumbers {
    let seconds = |status: acd::Status| counts.times[status as usize] / 1_000_000;
    AgentNumbers {
        agent: id.to_owned(),
        calls: counts.calls,
        talk_s: seconds(acd::Status::Talking),
        held_s: seconds(acd::Status::Held),
        wrap_up_s: seconds(acd::Status::WrapUp),
        paused_s: seconds(acd::Status::Paused),
        available_s: seconds(acd::Status::Available),
        ringing_s: seconds(acd::Status::Ringing),
        unreachable_s: seconds(acd::Status::Unreachable),
        connecting_s: seconds(acd::Status::Connecting),
        direct_s: seconds(acd::Status::Direct),
        signed_in_s: counts.signed_in() / 1_000_000,
        occupancy: counts.occupancy(),
    }
}
