//! The API as a client sees it: requests into the router, a controller that answers as the signalling task would, and for every answer the
//! rules that all answers obey.

mod call_handling;
mod configure;
mod history;
mod hostile;
mod sign_in;
mod verbs;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use sans_io::Time;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::ServiceExt;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;

use super::*;
use crate::auth::User;
use crate::auth::api_key::ApiKey;
use crate::auth::password::{Password, Passwords};
use crate::auth::sentry::Sentry;
use crate::auth::{Role, Scope};
use crate::centre::command::{Asked, By, Command, Refused};
use crate::centre::event_stream::{Event, EventStream};
use crate::centre::signalling::Signalling;
use crate::centre::statistics::Statistics;
use crate::centre::view::{
    Agent, AgentDay, AgentName, Assignment, Call, CallKind, CallPhase, Change, Moment, Mos, Outcome, Party,
    Queue, QueueAlarms, QueueDay, QueueLive, QueueName, Reach, Record, RecordKind, Status,
};
use crate::config::{self, Config, Staff};
use crate::demo::Callers;
use crate::provisioning::Loaded;
use crate::service::archive::Recent;
use crate::service::{self, Service};
use crate::store::Store;

/// Commands to the controller, and their origins.
type Log = Arc<Mutex<Vec<(By, Command)>>>;

pub(super) const START: u64 = 1_700_000_000;

/// A call centre with agents Anna and Ben, supervisor Sue, and one call each.
pub(super) struct World {
    pub(super) api: Api,
    pub(super) router: Router,
    pub(super) asked: Log,
    pub(super) clock: Arc<AtomicU64>,
    document: OpenApi,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl World {
    pub(super) async fn new() -> World {
        let (controller, asked) = controller();
        World::with_controller(controller, asked).await
    }

    pub(super) async fn with_controller(controller: mpsc::Sender<Asked>, asked: Log) -> World {
        World::kept(controller, asked, None).await
    }

    /// A world that keeps its configuration.
    pub(super) async fn kept(controller: mpsc::Sender<Asked>, asked: Log, store: Option<&Store>) -> World {
        World::of(file(), controller, asked, store).await
    }

    /// One with another file.
    pub(super) async fn of(
        config: Config,
        controller: mpsc::Sender<Asked>,
        asked: Log,
        store: Option<&Store>,
    ) -> World {
        let clock = Arc::new(AtomicU64::new(START * 1_000_000));
        let time = Arc::clone(&clock);
        let sentry = Sentry::with_clock(Default::default(), move || Time(time.load(Ordering::Relaxed)));
        let accounts = Accounts::guarded(&[5; 32], Passwords::weak(), sentry);
        let password = accounts.passwords().hash("cordboard").await.expect("a hash");
        for (id, name, roles) in [
            ("usr_anna", "anna", vec![Role::Agent]),
            ("usr_ben", "ben", vec![Role::Agent]),
            ("usr_sue", "sue", vec![Role::Supervisor]),
            ("usr_adam", "adam", vec![Role::Admin]),
        ] {
            assert!(accounts.put_user(User {
                id: id.into(),
                name: name.into(),
                display: name.to_uppercase(),
                roles,
                password: Some(Password::Hash(password.clone())),
            }));
        }
        let time = Arc::clone(&clock);
        let (wanted, mut callers) = mpsc::channel(4);
        tokio::spawn(async move { while callers.recv().await.is_some() {} });
        let stream = EventStream::new(0);
        stream.publish(furniture());
        let loaded = Loaded::read(config, store).await.expect("loaded");
        for account in loaded.accounts() {
            assert!(accounts.put_user(account));
        }
        let statistics = Arc::new(Statistics::new(loaded.directory()));
        let signalling: Arc<dyn Signalling> = Arc::new(controller);
        let provisioning = loaded.start(Arc::clone(&signalling), accounts.clone(), Arc::clone(&statistics));
        let parts = service::Parts {
            stream,
            signalling,
            accounts,
            archive: Arc::new(Recent::default()),
            statistics,
            provisioning,
            demo: Some(Callers::new(wanted)),
        };
        let service = Service::new(parts, move || Time(time.load(Ordering::Relaxed)));
        let api = Api::new(service, None, Settings::default());
        World {
            router: routes(api.clone()),
            api,
            asked,
            clock,
            document: openapi::document(),
        }
    }

    pub(super) async fn token(&self, name: &str) -> String {
        let signed_in = self
            .api
            .accounts
            .sign_in(self.api.now(), name, "cordboard", None)
            .await;
        signed_in.expect("signed in").access_token
    }

    pub(super) fn key(&self, scopes: &[Scope]) -> String {
        let (key, secret) = ApiKey::generate("test".into(), scopes.to_vec()).expect("a key");
        self.api.accounts.put_key(key);
        secret
    }

    pub(super) async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(request(Method::GET, path, token, None)).await
    }

    pub(super) async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.send(request(Method::POST, path, token, Some(body.to_string())))
            .await
    }

    pub(super) async fn put(&self, token: &str, path: &str, body: Value) -> Answer {
        self.send(request(Method::PUT, path, token, Some(body.to_string())))
            .await
    }

    /// With a header more.
    pub(super) async fn matching(
        &self,
        method: Method,
        token: &str,
        path: &str,
        tag: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = request(method, path, token, body.map(|body| body.to_string()));
        let tag = tag.parse().expect("a value");
        request.headers_mut().insert("if-match", tag);
        self.send(request).await
    }

    pub(super) async fn delete(&self, token: &str, path: &str) -> Answer {
        self.send(request(Method::DELETE, path, token, None)).await
    }

    /// Sends a request and checks what holds for every answer: a problem is a whole problem, and a success is documented.
    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let is_preflight = request.headers().contains_key("access-control-request-method");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        let content_type = headers
            .get(CONTENT_TYPE)
            .map(|value| value.to_str().expect("ASCII").to_owned());
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(headers.contains_key("cache-control"));
        if status.is_client_error() || status.is_server_error() {
            assert_eq!(
                content_type.as_deref(),
                Some(problem::PROBLEM_JSON),
                "{method} {path}"
            );
            if method != Method::HEAD {
                let details: problem::ProblemDetails =
                    serde_json::from_value(body.clone()).expect("problem details");
                assert_eq!(details.status, status.as_u16());
                assert_eq!(details.instance, path);
                assert!(details.r#type.ends_with(body["code"].as_str().expect("a code")));
            }
            assert_eq!(
                status == StatusCode::UNAUTHORIZED,
                headers.contains_key("www-authenticate")
            );
        // A preflight is about a request, and none itself.
        } else if method != Method::HEAD && !is_preflight {
            let operation = self.operation(&method, &path);
            let operation = operation.unwrap_or_else(|| panic!("{method} {path} is not documented"));
            let responses = &operation.responses.responses;
            assert!(
                responses.contains_key(status.as_str()),
                "{method} {path}: {status} is not documented"
            );
        }
        Answer {
            status,
            headers,
            body,
        }
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Operation> {
        let matches = |template: &str| {
            let mut left = template.split('/');
            let mut right = path.split('/');
            loop {
                match (left.next(), right.next()) {
                    (None, None) => return true,
                    (Some(a), Some(b)) if a == b || a.starts_with('{') => {}
                    _ => return false,
                }
            }
        };
        let mut items: Vec<_> = self
            .document
            .paths
            .paths
            .iter()
            .filter(|(path, _)| matches(path))
            .collect();
        // `/calls/{id}` and the like come after literal paths.
        items.sort_by_key(|(path, _)| path.matches('{').count());
        let (_, item) = items.first()?;
        match *method {
            Method::GET => item.get.as_ref(),
            Method::PUT => item.put.as_ref(),
            Method::POST => item.post.as_ref(),
            Method::DELETE => item.delete.as_ref(),
            _ => None,
        }
    }

    /// Commands to the controller since the last call.
    pub(super) fn asked(&self) -> Vec<(By, Command)> {
        std::mem::take(&mut *self.asked.lock().expect("not poisoned"))
    }
}

/// The demonstration, and an admin.
pub(super) fn file() -> Config {
    let mut config = Config::default();
    let admin = Staff {
        roles: vec![config::Role::Admin],
        ..Staff::default()
    };
    config.users.insert(
        "adam".into(),
        session_core::User {
            display: "Adam".into(),
            ..session_core::User::new("cordboard")
        },
    );
    config.staff.insert("adam".into(), admin);
    config
}

pub(super) fn request(method: Method, path: &str, token: &str, body: Option<String>) -> Request<Body> {
    let mut builder = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "desk.example:8080");
    if !token.is_empty() {
        builder = builder.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    if body.is_some() {
        builder = builder.header(CONTENT_TYPE, "application/json");
    }
    builder
        .body(body.map_or(Body::empty(), Body::from))
        .expect("a request")
}

/// A controller that refuses what its ids say and does the rest.
pub(super) fn controller() -> (mpsc::Sender<Asked>, Log) {
    let (sender, mut receiver) = mpsc::channel::<Asked>(64);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Some(Asked { by, command, reply }) = receiver.recv().await {
            let text = format!("{command:?}");
            let refused = [
                ("gone", Refused::AssignmentGone),
                ("state", Refused::WrongState),
                ("unknown", Refused::UnknownCall),
                ("lost", Refused::Unreachable),
            ];
            let refused = refused.into_iter().find(|(word, _)| text.contains(word));
            let result = match refused {
                Some((_, refused)) => Err(refused),
                _ => Ok(()),
            };
            kept.lock().expect("not poisoned").push((by, command));
            let _ = reply.send(result);
        }
    });
    (sender, asked)
}

/// Agents, queues and calls, as events.
pub(super) fn furniture() -> Vec<Arc<Event>> {
    let changes = vec![
        Change::Agent(agent("anna", &["que_1"], Some("call_anna"))),
        Change::Agent(agent("ben", &["que_2"], Some("call_ben"))),
        Change::Queue(queue("que_1")),
        Change::Queue(queue("que_2")),
        Change::Call(call("call_anna", Some("usr_anna"))),
        Change::Call(call("call_ben", Some("usr_ben"))),
        Change::Call(call("call_waiting", None)),
        Change::AssignmentMade(assignment("off_ben", "usr_ben")),
    ];
    numbered(1, changes)
}

pub(super) fn numbered(first: u64, changes: Vec<Change>) -> Vec<Arc<Event>> {
    let events = changes.into_iter().zip(first..).map(|(change, seq)| {
        Arc::new(Event {
            seq,
            time: moment(),
            change,
        })
    });
    events.collect()
}

pub(super) fn moment() -> Moment {
    Moment(Time::from_secs(START))
}

pub(super) fn agent(name: &str, queues: &[&str], call: Option<&str>) -> Agent {
    Agent {
        id: format!("usr_{name}"),
        name: name.into(),
        display: name.to_uppercase(),
        status: Status::Talking,
        since: moment(),
        reason: None,
        next: None,
        reach: Reach::Attached,
        call: call.map(str::to_owned),
        last_call: call.map(str::to_owned),
        wrap_up_until: None,
        queues: queues.iter().map(|id| (*id).to_owned()).collect(),
        today: AgentDay::default(),
    }
}

pub(super) fn queue(id: &str) -> Queue {
    Queue {
        id: id.into(),
        name: format!("name of {id}"),
        strategy: "longest-idle".into(),
        service_level_target_s: 20,
        live: QueueLive::default(),
        today: QueueDay {
            service_level: Some(0.5),
            ..QueueDay::default()
        },
        alarms: QueueAlarms::default(),
        silent_monitoring: false,
    }
}

pub(super) fn call(id: &str, agent: Option<&str>) -> Call {
    Call {
        id: id.into(),
        kind: CallKind::Queue,
        queue: Some(QueueName {
            id: "que_1".into(),
            name: "name of que_1".into(),
        }),
        from: Party {
            number: format!("secret of {id}"),
            display: String::new(),
        },
        to: "100".into(),
        priority: 0,
        state: CallPhase::Talking,
        since: moment(),
        entered_at: moment(),
        answered_at: None,
        position: None,
        agent: agent.map(str::to_owned),
        agents: agent.map(str::to_owned).into_iter().collect(),
        parties: Vec::new(),
        legs: Vec::new(),
        joined: Vec::new(),
        transferred_by: None,
        notes: Vec::new(),
        disposition: None,
        consult: None,
        parked: None,
    }
}

pub(super) fn assignment(id: &str, agent: &str) -> Assignment {
    Assignment {
        id: id.into(),
        call: call("call_offered", None),
        agent: agent.into(),
        made_at: moment(),
        deadline: moment(),
    }
}

pub(super) fn record(call: &str, agents: &[&str]) -> Record {
    Record {
        id: format!("rec_{call}"),
        call: call.into(),
        kind: RecordKind::Queue,
        queue: Some("que_1".into()),
        queue_name: "name of que_1".into(),
        from: Party::default(),
        to: "100".into(),
        forwarded: Vec::new(),
        entered_at: moment(),
        answered_at: Some(moment()),
        ended_at: moment(),
        outcome: Outcome::Completed,
        waited_s: 3.0,
        talked_s: 60.0,
        held_s: 0.0,
        agents: agents
            .iter()
            .map(|id| AgentName {
                id: (*id).to_owned(),
                name: (*id).to_owned(),
            })
            .collect(),
        disposition: None,
        notes: None,
        notes_by: Vec::new(),
        mos: Mos {
            caller: Some(4.2),
            agent: None,
        },
        code: None,
        reason: None,
        hung_up_by: None,
        legs: Vec::new(),
    }
}

/// Every operation: method, path with ids in it, whether it is open to all, and whether it takes a body.
pub(super) fn operations() -> Vec<(Method, String, bool, bool)> {
    let mut all = Vec::new();
    for (path, item) in openapi::document().paths.paths {
        // Served beside the API: it asks the signalling task.
        if path.ends_with("/quality") {
            continue;
        }
        let path = path.replace("{id}", "some_id");
        let methods = [
            (Method::GET, item.get),
            (Method::PUT, item.put),
            (Method::POST, item.post),
            (Method::DELETE, item.delete),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation {
                let has_body = operation.request_body.is_some();
                all.push((method, path.clone(), operation.security.is_some(), has_body));
            }
        }
    }
    all
}

#[tokio::test]
async fn the_demonstration_signs_in_and_says_what_is_there() {
    let world = World::new().await;
    let anna = world.token("anna").await;
    let me = world.get(&anna, "/api/v1/me").await;
    assert_eq!(
        me.body,
        json!({"id": "usr_anna", "name": "anna", "display": "ANNA", "roles": ["agent"], "demo": true})
    );
    let directory = world.get(&anna, "/api/v1/directory").await;
    let kinds: Vec<_> = directory.body["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| &item["kind"])
        .collect();
    assert_eq!(kinds, ["agent", "agent", "queue", "queue"]);
    assert!(world.get("", "/healthz").await.status.is_success());
    assert!(world.get("", "/readyz").await.status.is_success());
    let document = world.get("", "/api/v1/openapi.json").await;
    assert!(
        document.body["openapi"]
            .as_str()
            .expect("a version")
            .starts_with("3.1")
    );
}

#[tokio::test]
async fn what_is_counted_is_told_to_this_host_and_to_keys_only() {
    let world = World::new().await;
    assert_eq!(world.get("", "/metrics").await.status, StatusCode::UNAUTHORIZED);
    let anna = world.token("anna").await;
    assert_eq!(world.get(&anna, "/metrics").await.status, StatusCode::FORBIDDEN);
    let ended = Change::CallEnded {
        id: "call_anna".into(),
        record: record("call_anna", &["usr_anna"]),
    };
    world.api.service.stream().publish(numbered(9, vec![ended]));
    let request = request(Method::GET, "/metrics", &world.key(&[Scope::Read]), None);
    let response = world.router.clone().oneshot(request).await.expect("infallible");
    let text = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    let text = String::from_utf8(text.to_vec()).expect("UTF-8");
    for line in [
        "cordboard_calls_active 2",
        "cordboard_queue_waiting{queue=\"name of que_1\"} 0",
        "cordboard_queue_entries_total{queue=\"name of que_1\",outcome=\"completed\"} 1",
        "cordboard_queue_wait_seconds_bucket{outcome=\"answered\",le=\"2\"} 0",
        "cordboard_queue_wait_seconds_bucket{outcome=\"answered\",le=\"5\"} 1",
        "cordboard_media_mos_count{leg=\"caller\"} 1",
        "cordboard_agent_state{state=\"talking\"} 2",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
    // A parser of the format reads all of it, and knows each sample's type.
    let page = prometheus_parse::Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).expect("a page");
    let sample = |name: &str| {
        let found = page.samples.iter().find(|sample| sample.metric == name);
        found.map(|sample| sample.value.clone())
    };
    use prometheus_parse::Value;
    assert_eq!(sample("cordboard_calls_active"), Some(Value::Gauge(2.0)));
    assert_eq!(sample("cordboard_queue_entries_total"), Some(Value::Counter(1.0)));
    let waits = sample("cordboard_queue_wait_seconds");
    assert!(
        matches!(&waits, Some(Value::Histogram(buckets)) if buckets.len() == 10),
        "{waits:?}"
    );
    assert!(
        page.samples
            .iter()
            .all(|sample| !matches!(sample.value, Value::Untyped(_))
                || sample.metric.ends_with("_sum")
                || sample.metric.ends_with("_count"))
    );
    // Each sample belongs to the family before it.
    let mut family = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap_or_default();
        } else if !line.starts_with('#') {
            assert!(line.starts_with(family), "{line} is not of {family}");
        }
    }
}

#[tokio::test]
async fn the_routes_go_beside_the_page() {
    let page: Router = Router::new()
        .route("/api/v1/calls/{call_id}/quality", axum::routing::get(|| async {}))
        .fallback(|| async { "the page" });
    let world = World::new().await;
    let both = page.merge(world.router);
    let ask = async |path: &str| {
        let answer = both
            .clone()
            .oneshot(request(Method::GET, path, "", None))
            .await
            .expect("infallible");
        answer.status()
    };
    assert_eq!(ask("/agent").await, StatusCode::OK);
    assert_eq!(ask("/api/v1/calls/x/quality").await, StatusCode::OK);
    assert_eq!(ask("/api/v1/calls/x").await, StatusCode::UNAUTHORIZED);
    assert_eq!(ask("/api/v1/nothing").await, StatusCode::NOT_FOUND);
}
