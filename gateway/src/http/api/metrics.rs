//! `GET /metrics` for Prometheus: the present state, counts since the start, and the duration of the store's commits.

use std::collections::BTreeMap;
use std::fmt::Write as _;
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

use super::problem::{Code, Problem};
use super::{Api, events, guard, sign_in};
use crate::auth::sentry::Sentry;
use crate::centre::event_stream::{Event, EventStream, View};
use crate::centre::view::{Change, Moment, Outcome, Status};
use crate::store::{self, Meter};

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
    offers: BTreeMap<String, u64>,
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
                let outcome = name(&record.outcome);
                *self
                    .entries
                    .entry((record.queue_name.clone(), outcome.clone()))
                    .or_default() += 1;
                let answered = record.answered_at.is_some();
                let wait = match record.outcome {
                    Outcome::Completed | Outcome::Lost if answered => "answered".to_owned(),
                    _ => outcome,
                };
                self.waits.entry(wait).or_default().add(&WAITS, record.waited_s);
                for (side, score) in [("caller", record.mos.caller), ("agent", record.mos.agent)] {
                    if let Some(score) = score {
                        self.scores
                            .entry(side)
                            .or_default()
                            .add(&SCORES, f64::from(score));
                    }
                }
            }
            Change::OfferEnded { how, .. } => *self.offers.entry(name(how)).or_default() += 1,
            Change::Queue(_)
            | Change::Call(_)
            | Change::Logged { .. }
            | Change::OfferMade(_)
            | Change::QueueRemoved { .. }
            | Change::Config { .. } => {}
        }
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
    let text = {
        let counted = api.counters.lock();
        let now = api.now();
        api.service
            .stream()
            .read(|view| page(view, &counted, now, connections))
    };
    let text = with_refusals(text, api.accounts.sentry());
    let text = match api.service.archive().meter() {
        Some(meter) => with_store(text, meter, api.service.archive().is_up()),
        None => text,
    };
    let text = match &api.machine {
        Some(machine) => machine.append(text).await,
        None => text,
    };
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

fn page(view: &View, counted: &Counted, now: Time, connections: usize) -> String {
    let mut page = Page::default();
    page.family("calls_active", "gauge", "Live calls.");
    page.sample("calls_active", &[], view.calls.len() as f64);

    page.family("queue_waiting", "gauge", "Calls that no agent has taken yet.");
    for queue in view.queues.values() {
        page.sample(
            "queue_waiting",
            &[("queue", &queue.name)],
            f64::from(queue.live.waiting),
        );
    }
    page.family("queue_longest_wait_seconds", "gauge", "Wait of the oldest call.");
    for queue in view.queues.values() {
        let wait = queue
            .live
            .oldest_since
            .map_or(0.0, |since| now.since(since.0).as_secs_f64());
        page.sample("queue_longest_wait_seconds", &[("queue", &queue.name)], wait);
    }
    page.family(
        "queue_service_level_ratio",
        "gauge",
        "Share of today's calls answered in time.",
    );
    for queue in view.queues.values() {
        if let Some(level) = queue.today.service_level {
            page.sample("queue_service_level_ratio", &[("queue", &queue.name)], level);
        }
    }
    page.family(
        "queue_entries_total",
        "counter",
        "Calls that left a queue, by outcome.",
    );
    for ((queue, outcome), count) in &counted.entries {
        page.sample(
            "queue_entries_total",
            &[("queue", queue), ("outcome", outcome)],
            *count as f64,
        );
    }
    page.family("queue_wait_seconds", "histogram", "Waits of calls, by outcome.");
    for (outcome, waits) in &counted.waits {
        page.histogram("queue_wait_seconds", ("outcome", outcome), &WAITS, waits);
    }
    page.family(
        "acd_offers_total",
        "counter",
        "Offers of calls to agents, by outcome.",
    );
    for (result, count) in &counted.offers {
        page.sample("acd_offers_total", &[("result", result)], *count as f64);
    }

    let mut states: BTreeMap<String, u32> = BTreeMap::new();
    for agent in view.agents.values() {
        *states.entry(name(&agent.status)).or_default() += 1;
    }
    page.family("agent_state", "gauge", "Agents in each state.");
    for (state, count) in states {
        page.sample("agent_state", &[("state", &state)], f64::from(count));
    }
    let mut seconds = counted.states.clone();
    for (status, since) in counted.agents.values() {
        *seconds.entry(name(status)).or_default() += micros(*since, Moment(now));
    }
    page.family(
        "agent_state_seconds_total",
        "counter",
        "Time of all agents in each state.",
    );
    for (state, micros) in seconds {
        page.sample(
            "agent_state_seconds_total",
            &[("state", &state)],
            micros as f64 / 1e6,
        );
    }

    page.family(
        "media_mos",
        "histogram",
        "Estimated sound quality (MOS) of ended calls, 1.0 to 4.5.",
    );
    for (side, scores) in &counted.scores {
        page.histogram("media_mos", ("leg", side), &SCORES, scores);
    }
    page.family("ws_connections", "gauge", "Connections to the event stream.");
    page.sample("ws_connections", &[("kind", "events")], connections as f64);
    page.family(
        "events_total",
        "counter",
        "Changes of the call centre, restarts included.",
    );
    page.sample("events_total", &[], view.seq as f64);
    page.0
}

/// Appends refusals and bans.
fn with_refusals(text: String, sentry: &Sentry) -> String {
    let mut page = Page(text);
    page.family(
        "refused_total",
        "counter",
        "Requests and connections refused because of their sender, by reason and answer; 0: no answer.",
    );
    for ((reason, code), count) in sentry.counts() {
        let labels = [("reason", reason), ("code", &*code.to_string())];
        page.sample("refused_total", &labels, count as f64);
    }
    let (all, now) = sentry.ban_counts();
    page.family(
        "bans_total",
        "counter",
        "Bans of sources that guessed or scanned.",
    );
    page.sample("bans_total", &[], all as f64);
    page.family("bans", "gauge", "Sources that are banned.");
    page.sample("bans", &[], now as f64);
    page.0
}

/// Appends how the log of the call centre becomes durable.
fn with_store(text: String, meter: &Meter, is_up: bool) -> String {
    let mut page = Page(text);
    page.family(
        "store_up",
        "gauge",
        "1 while the database can be written; 0: changes are kept in memory until it can.",
    );
    page.sample("store_up", &[], f64::from(u8::from(is_up)));
    page.family(
        "store_commit_seconds",
        "histogram",
        "Duration of commits of the log.",
    );
    page.store("store_commit_seconds", &meter.commit_seconds);
    page.family(
        "store_commit_entries",
        "histogram",
        "Entries of the log that a commit carried.",
    );
    page.store("store_commit_entries", &meter.commit_entries);
    page.family(
        "store_retries_total",
        "counter",
        "Commits of the log that were tried again.",
    );
    page.sample("store_retries_total", &[], meter.retries.load(Relaxed) as f64);
    page.0
}

/// Text exposition format 0.0.4.
#[derive(Default)]
pub(super) struct Page(pub(super) String);

impl Page {
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(
            self.0,
            "# HELP cordboard_{name} {help}\n# TYPE cordboard_{name} {kind}"
        );
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let _ = write!(self.0, "cordboard_{name}");
        for (n, (label, value)) in labels.iter().enumerate() {
            let open = if n == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"");
            for c in value.chars() {
                match c {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    c => self.0.push(c),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn histogram<const N: usize>(
        &mut self,
        name: &str,
        label: (&str, &str),
        bounds: &[f64; N],
        histogram: &Histogram<N>,
    ) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in bounds.iter().zip(histogram.counts) {
            self.sample(&bucket, &[label, ("le", &bound.to_string())], count as f64);
        }
        self.sample(&bucket, &[label, ("le", "+Inf")], histogram.all as f64);
        self.sample(&format!("{name}_sum"), &[label], histogram.sum);
        self.sample(&format!("{name}_count"), &[label], histogram.all as f64);
    }

    fn store<const N: usize>(&mut self, name: &str, histogram: &store::Histogram<N>) {
        let (bucket, all) = (format!("{name}_bucket"), histogram.count() as f64);
        for (bound, count) in histogram.cumulative() {
            self.sample(&bucket, &[("le", &bound.to_string())], count as f64);
        }
        self.sample(&bucket, &[("le", "+Inf")], all);
        self.sample(&format!("{name}_sum"), &[], histogram.sum());
        self.sample(&format!("{name}_count"), &[], all);
    }
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
