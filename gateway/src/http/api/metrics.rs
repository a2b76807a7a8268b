//! `GET /metrics` for Prometheus: the present state, counts since the start, and the duration of the store's commits.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::extract::State;
use axum::http::Version;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use sans_io::Time;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::exposition::Page;
use super::problem::{Code, Problem};
use super::{Api, events, guard, machine, sign_in};
use crate::auth::sentry::Sentry;
use crate::centre::event_stream::{Event, EventStream, View};
use crate::centre::view::{Change, Moment, Outcome, Record, RecordKind, Status};
use crate::service::archive::Archive;
use crate::store::Meter;

/// Upper bounds of waits, seconds.
const WAITS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0];
/// Upper bounds of opinion scores.
const SCORES: [f64; 7] = [1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.3];

/// Counts since the start, from the same events that pages see.
#[derive(Debug)]
pub(crate) struct Counters {
    counted: Mutex<Counted>,
    /// Places for connections to the event stream.
    places: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Counted {
    /// Number of the last event that is in it.
    seq: u64,
    /// By how they ended.
    assignments: BTreeMap<String, u64>,
    /// By queue and outcome.
    entries: BTreeMap<(String, String), u64>,
    /// By outcome.
    waits: BTreeMap<String, Histogram<9>>,
    /// By side.
    scores: BTreeMap<&'static str, Histogram<7>>,
    /// Status of each agent, and the time since when it is not counted yet.
    agents: BTreeMap<String, (Status, Moment)>,
    /// Microseconds, by state.
    states: BTreeMap<String, u64>,
}

#[derive(Clone, Debug)]
struct Histogram<const N: usize> {
    /// Up to each bound, and above all.
    counts: [u64; N],
    all: u64,
    sum: f64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Histogram<N> {
        Histogram {
            counts: [0; N],
            all: 0,
            sum: 0.0,
        }
    }
}

impl<const N: usize> Histogram<N> {
    fn add(&mut self, bounds: &[f64; N], value: f64) {
        for (count, bound) in self.counts.iter_mut().zip(bounds) {
            *count += u64::from(value <= *bound);
        }
        self.all += 1;
        self.sum += value;
    }
}

impl Counters {
    /// Counts what happens from now on.
    pub(super) fn starting_at(stream: &EventStream) -> Counters {
        let counted = stream.read(|view| Counted {
            seq: view.seq,
            agents: view
                .agents
                .values()
                .map(|agent| (agent.id.clone(), (agent.status, agent.since)))
                .collect(),
            ..Counted::default()
        });
        Counters {
            counted: Mutex::new(counted),
            places: Arc::new(Semaphore::new(events::MAX_CONNECTIONS)),
        }
    }

    /// A place for one more connection to the event stream, until it is dropped. `None`: there are too many.
    pub(super) fn events_connection(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Counts events since the last call. Events that are no longer kept stay uncounted.
    pub(super) fn catch_up(&self, stream: &EventStream) {
        let mut counted = self.lock();
        match stream.since(counted.seq, usize::MAX) {
            Ok(events) => {
                for event in events {
                    counted.count(&event);
                }
            }
            Err(_) => counted.seq = stream.read(|view| view.seq),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts what happens while it happens, so that nothing is missed however seldom somebody asks.
pub(super) async fn follow(stream: EventStream, counters: Weak<Counters>) {
    let mut changes = stream.watch();
    while changes.changed().await.is_ok() {
        let Some(counters) = counters.upgrade() else {
            return;
        };
        counters.catch_up(&stream);
    }
}

impl Counted {
    fn count(&mut self, event: &Event) {
        self.seq = event.seq;
        match &event.change {
            Change::Agent(agent) => {
                let before = self.agents.insert(agent.id.clone(), (agent.status, event.time));
                if let Some((status, since)) = before {
                    *self.states.entry(name(&status)).or_default() += micros(since, event.time);
                }
            }
            Change::AgentRemoved { id } => {
                self.agents.remove(id);
            }
            Change::CallEnded { record, .. } => {
                if record.kind == RecordKind::Queue {
                    self.left_queue(record);
                }
                for (side, score) in [("caller", record.mos.caller), ("agent", record.mos.agent)] {
                    if let Some(score) = score {
                        self.scores
                            .entry(side)
                            .or_default()
                            .add(&SCORES, f64::from(score));
                    }
                }
            }
            Change::AssignmentEnded { how, .. } => *self.assignments.entry(name(how)).or_default() += 1,
            Change::Queue(_)
            | Change::Call(_)
            | Change::CallJoined { .. }
            | Change::EmergencyCall { .. }
            | Change::RecordingStarted(_)
            | Change::RecordingPaused(_)
            | Change::RecordingResumed(_)
            | Change::RecordingSaved(_)
            | Change::Logged { .. }
            | Change::AssignmentMade(_)
            | Change::QueueRemoved { .. }
            | Change::Trunk(_)
            | Change::Config { .. } => {}
        }
    }
}

impl Counted {
    fn left_queue(&mut self, record: &Record) {
        let outcome = name(&record.outcome);
        let entry = (record.queue_name.clone(), outcome.clone());
        *self.entries.entry(entry).or_default() += 1;
        let answered = record.answered_at.is_some();
        let wait = match record.outcome {
            Outcome::Completed | Outcome::Lost if answered => "answered".to_owned(),
            _ => outcome,
        };
        self.waits.entry(wait).or_default().add(&WAITS, record.waited_s);
    }
}

/// Counts, waits and states for Prometheus. From another host, and through a proxy, an API key with the scope `read` is needed.
#[utoipa::path(get, path = "/metrics", operation_id = "getMetrics", tag = "operation", security((), ("bearer" = [])),
    responses((status = 200, body = String, content_type = "text/plain; version=0.0.4")))]
pub(super) async fn get(State(api): State<Api>, request: Parts) -> Result<Response, Problem> {
    if !is_local(&request) {
        let principal = guard::principal(&request.headers, &api)?;
        if !principal.sees_all() {
            return Err(Code::Forbidden.into());
        }
    }
    api.counters.catch_up(api.service.stream());
    let connections = events::MAX_CONNECTIONS - api.counters.places.available_permits();
    let mut page = Page::default();
    {
        let counted = api.counters.lock();
        let now = api.now();
        api.service
            .stream()
            .read(|view| live(&mut page, view, &counted, now, connections));
    }
    refusals(&mut page, api.accounts.sentry());
    if let Some(meter) = api.service.archive().meter() {
        store(&mut page, meter, api.service.archive());
    }
    if let Some(recordings) = &api.recordings {
        recordings.append(&mut page);
    }
    match &api.machine {
        Some(machine) => machine.append(&mut page).await,
        // Without signalling there are the calls of the call centre.
        None => {
            let calls = api.service.stream().read(|view| view.calls.len());
            machine::active(&mut page, calls);
        }
    }
    let text = page.into_text();
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

/// True if the request comes from this host, and not from a proxy for somebody else. A proxy that sends no
/// forwarding headers (nginx with a bare `proxy_pass`) speaks HTTP/1.0, or passes on the name that it was
/// asked for.
fn is_local(request: &Parts) -> bool {
    let is_forwarded = [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "via",
    ]
    .iter()
    .any(|name| request.headers.contains_key(*name));
    let host = request.headers.get(HOST).and_then(|host| host.to_str().ok());
    let is_asked_by_address = host.is_some_and(|host| {
        let name = host
            .parse::<SocketAddr>()
            .map_or_else(|_| host.parse().ok(), |host| Some(host.ip()));
        name.is_some_and(|ip: IpAddr| ip.is_loopback()) || host.split(':').next() == Some("localhost")
    });
    let remote = sign_in::ends(request).map(|ends| ends.remote.ip());
    !is_forwarded
        && request.version == Version::HTTP_11
        && is_asked_by_address
        && remote
            .map(|ip: IpAddr| ip.to_canonical())
            .is_some_and(|ip| ip.is_loopback())
}

fn live(page: &mut Page, view: &View, counted: &Counted, now: Time, connections: usize) {
    page.gauge("queue_waiting", "Calls that no agent has taken yet.");
    for queue in view.queues.values() {
        page.sample(&[("queue", &queue.name)], f64::from(queue.live.waiting));
    }
    page.gauge("queue_longest_wait_seconds", "Wait of the oldest call.");
    for queue in view.queues.values() {
        let wait = queue
            .live
            .oldest_since
            .map_or(0.0, |since| now.since(since.0).as_secs_f64());
        page.sample(&[("queue", &queue.name)], wait);
    }
    page.gauge(
        "queue_service_level_ratio",
        "Share of today's calls answered in time.",
    );
    for queue in view.queues.values() {
        if let Some(level) = queue.today.service_level {
            page.sample(&[("queue", &queue.name)], level);
        }
    }
    page.counter("queue_entries_total", "Calls that left a queue, by outcome.");
    for ((queue, outcome), count) in &counted.entries {
        page.sample(&[("queue", queue), ("outcome", outcome)], *count as f64);
    }
    page.histogram("queue_wait_seconds", "Waits of calls, by outcome.");
    for (outcome, waits) in &counted.waits {
        distribution(page, ("outcome", outcome), &WAITS, waits);
    }
    page.counter("acd_offers_total", "Offers of calls to agents, by outcome.");
    for (result, count) in &counted.assignments {
        page.sample(&[("result", result)], *count as f64);
    }

    let mut states: BTreeMap<String, u32> = BTreeMap::new();
    for agent in view.agents.values() {
        *states.entry(name(&agent.status)).or_default() += 1;
    }
    page.gauge("agent_state", "Agents in each state.");
    for (state, count) in states {
        page.sample(&[("state", &state)], f64::from(count));
    }
    let mut seconds = counted.states.clone();
    for (status, since) in counted.agents.values() {
        *seconds.entry(name(status)).or_default() += micros(*since, Moment(now));
    }
    page.counter("agent_state_seconds_total", "Time of all agents in each state.");
    for (state, micros) in seconds {
        page.sample(&[("state", &state)], micros as f64 / 1e6);
    }

    page.histogram(
        "media_mos",
        "Estimated sound quality (MOS) of ended calls, 1.0 to 4.5.",
    );
    for (side, scores) in &counted.scores {
        distribution(page, ("leg", side), &SCORES, scores);
    }
    page.gauge("ws_connections", "Connections to the event stream.");
    page.sample(&[("kind", "events")], connections as f64);
    page.counter("events_total", "Changes of the call centre, restarts included.");
    page.sample(&[], view.seq as f64);
}

/// Appends refusals and bans.
fn refusals(page: &mut Page, sentry: &Sentry) {
    page.counter(
        "refused_total",
        "Requests and connections refused because of their sender, by reason and answer; 0: no answer.",
    );
    for ((reason, code), count) in sentry.counts() {
        let labels = [
            ("reason", reason),
            ("code", &*code.unwrap_or_default().to_string()),
        ];
        page.sample(&labels, count as f64);
    }
    let (all, now) = sentry.ban_counts();
    page.counter("bans_total", "Bans of sources that guessed or scanned.");
    page.sample(&[], all as f64);
    page.gauge("bans", "Sources that are banned.");
    page.sample(&[], now as f64);
}

/// Appends how the log of the call centre becomes durable.
fn store(page: &mut Page, meter: &Meter, archive: &dyn Archive) {
    page.gauge(
        "store_up",
        "1 while the database can be written; 0: changes are kept in memory until it can.",
    );
    page.sample(&[], f64::from(u8::from(archive.is_up())));
    page.gauge("store_backlog", "Entries of the log that wait for the database.");
    page.sample(&[], archive.backlog() as f64);
    page.histogram("store_commit_seconds", "Duration of commits of the log.");
    stored(page, &meter.commit_seconds);
    page.histogram(
        "store_commit_entries",
        "Entries of the log that a commit carried.",
    );
    stored(page, &meter.commit_entries);
    page.counter("store_retries_total", "Commits of the log that were tried again.");
    page.sample(&[], meter.retries.load(Relaxed) as f64);
}

fn distribution<const N: usize>(
    page: &mut Page,
    label: (&'static str, &str),
    bounds: &[f64; N],
    histogram: &Histogram<N>,
) {
    let cumulative = bounds.iter().copied().zip(histogram.counts);
    page.distribution(&[label], (histogram.sum, histogram.all), cumulative);
}

fn stored<const N: usize>(page: &mut Page, histogram: &crate::store::Histogram<N>) {
    page.distribution(&[], (histogram.sum(), histogram.count()), histogram.cumulative());
}

/// A word or a moment as in JSON.
pub(super) fn name<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

fn micros(since: Moment, now: Moment) -> u64 {
    now.0.as_micros().saturating_sub(since.0.as_micros())
}
