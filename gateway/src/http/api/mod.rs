//! REST and events under `/api/v1`, `/metrics` and health.
//!
//! Handlers read the present state from the [`EventStream`], and send commands as [`Asked`] to the signalling task, which alone
//! decides.

mod admin;
mod agent;
pub mod archive;
mod bans;
mod calls;
mod configure;
pub(super) mod cors;
mod events;
mod extract;
mod guard;
mod health;
mod idempotency;
pub mod kept;
mod list;
mod live;
pub mod machine;
mod metrics;
pub mod openapi;
pub mod problem;
mod records;
mod sign_in;
mod statistics;
mod supervise;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use sans_io::Time;
use sip_stack::transport::ws::Origins;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::auth::keep::Keeper;
use crate::auth::{Accounts, Principal, Role};
use crate::centre::command::{Asked, By, Command};
use crate::centre::event_stream::EventStream;
use crate::centre::statistics::Statistics;
use crate::provisioning::Provisioning;

use archive::Archive;
use machine::Machine;
use problem::{Code, Problem};

/// Time that the signalling task may take for a command.
const PATIENCE: Duration = Duration::from_secs(10);

/// State that handlers share. Clones are handles of one.
#[derive(Clone)]
pub struct Api {
    stream: EventStream,
    controller: mpsc::Sender<Asked>,
    accounts: Accounts,
    keeper: Option<Arc<Keeper>>,
    archive: Arc<dyn Archive>,
    statistics: Arc<Statistics>,
    provisioning: Provisioning,
    settings: Arc<Settings>,
    clock: Arc<dyn Fn() -> Time + Send + Sync>,
    requests: Arc<idempotency::Requests>,
    pages: Arc<events::Pages>,
    counters: Arc<metrics::Counters>,
    machine: Option<Machine>,
}

/// Parts that the API is made from.
pub struct Parts {
    /// The present state.
    pub stream: EventStream,
    /// Takes commands to the signalling task.
    pub controller: mpsc::Sender<Asked>,
    /// Accounts and rights.
    pub accounts: Accounts,
    /// Brings sign-ins and API keys over a restart.
    pub keeper: Option<Arc<Keeper>>,
    /// Has the calls that are over.
    pub archive: Arc<dyn Archive>,
    /// Folds the log.
    pub statistics: Arc<Statistics>,
    /// Everybody and every queue, to be changed.
    pub provisioning: Provisioning,
    /// Everything else.
    pub settings: Settings,
}

/// Gateway facts that the API shows.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// SIP domain of the agents; `None`: the host that the page was asked from.
    pub domain: Option<String>,
    /// There is a demonstration: `POST /demo/call` works.
    pub demo: bool,
    /// Sites whose pages may call the API and open the event stream.
    pub origins: Origins,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// The same, with metrics of the machine as well.
    #[must_use]
    pub fn watching(self, machine: Machine) -> Api {
        Api {
            machine: Some(machine),
            ..self
        }
    }

    /// The API over its parts; `clock` tells the time. Within a runtime: a task counts what happens for as long as the API lives.
    #[must_use]
    pub fn new(parts: Parts, clock: impl Fn() -> Time + Send + Sync + 'static) -> Api {
        let api = Api {
            counters: Arc::new(metrics::Counters::starting_at(&parts.stream)),
            stream: parts.stream,
            controller: parts.controller,
            accounts: parts.accounts,
            keeper: parts.keeper,
            archive: parts.archive,
            statistics: parts.statistics,
            provisioning: parts.provisioning,
            settings: Arc::new(parts.settings),
            pages: Arc::new(events::Pages::starting_at(clock())),
            clock: Arc::new(clock),
            requests: Arc::default(),
            machine: None,
        };
        let (stream, archive) = (api.stream.clone(), Arc::clone(&api.archive));
        tokio::spawn(metrics::follow(stream, Arc::downgrade(&api.counters), archive));
        api
    }

    /// Waits until changes by signing in or out are durable, unless the store is away.
    async fn settle_sign_ins(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.settle(self.now()).await;
        }
    }

    /// With every call in it that the event stream says is over.
    fn archive(&self) -> &dyn Archive {
        self.counters.catch_up(&self.stream, &*self.archive);
        &*self.archive
    }

    fn now(&self) -> Time {
        (self.clock)()
    }

    /// Sends a command to the signalling task; returns the id of the new object, if there is one.
    async fn ask(&self, by: By, command: Command) -> Result<Option<String>, Problem> {
        let (reply, answer) = oneshot::channel();
        let asked = Asked { by, command, reply };
        self.controller
            .try_send(asked)
            .map_err(|_| Problem::from(Code::Busy))?;
        match timeout(PATIENCE, answer).await {
            Ok(Ok(done)) => Ok(done?),
            Ok(Err(_)) | Err(_) => Err(Code::Busy.into()),
        }
    }

    /// In what capacity somebody acts on a call: on its own as its agent, on another as a supervisor.
    fn acting(&self, principal: &Principal, call: &str) -> By {
        let is_own = self.stream.read(|view| {
            view.calls
                .get(call)
                .is_some_and(|call| call.agent.as_deref() == Some(principal.id.as_str()))
        });
        if principal.is(Role::Agent) && (is_own || !guard::supervises(principal)) {
            By::Agent(principal.id.clone())
        } else {
            By::Supervisor(principal.id.clone())
        }
    }
}

/// Everything that the API serves. Paths begin with `/api/v1`, but for `/metrics`, `/healthz` and `/readyz`.
pub fn routes(api: Api) -> Router {
    let (router, _) = openapi::router().split_for_parts();
    let cors = cors::layer(api.settings.origins.clone());
    router
        .layer(middleware::from_fn_with_state(api.clone(), idempotency::once))
        .layer(DefaultBodyLimit::max(extract::MAX_BODY))
        .layer(middleware::from_fn(problem::finish))
        .layer(middleware::from_fn_with_state(cors, cors::apply))
        .layer(middleware::from_fn(problem::seal))
        .with_state(api)
}
