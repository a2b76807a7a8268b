//! REST and events under `/api/v1`, `/metrics` and health.
//!
//! Handlers are a thin face of the [`Service`]: they parse, ask it, and serialise.

mod admin;
mod agent;
mod bans;
mod calls;
mod configure;
pub(super) mod cors;
mod events;
mod exposition;
mod extract;
mod guard;
mod health;
mod idempotency;
mod list;
mod live;
pub mod machine;
mod metrics;
pub mod openapi;
pub mod problem;
pub mod recordings;
mod records;
mod sign_in;
mod statistics;
mod supervise;
#[cfg(test)]
pub(crate) mod tests;
mod trunks;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use sans_io::Time;
use sip_stack::transport::ws::Origins;

use crate::auth::Accounts;
use crate::auth::credential_store::CredentialStore;
use crate::service::Service;
use crate::service::idempotency::Requests;

use machine::Machine;
use problem::{Code, Problem};
use recordings::Recordings;

/// State that handlers share. Clones are handles of one.
#[derive(Clone)]
pub struct Api {
    service: Service,
    accounts: Accounts,
    credentials: Option<Arc<CredentialStore>>,
    settings: Arc<Settings>,
    requests: Arc<Requests<idempotency::Answer>>,
    pages: Arc<events::Pages>,
    counters: Arc<metrics::Counters>,
    machine: Option<Machine>,
    recordings: Option<Recordings>,
}

/// Gateway facts that the API shows.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// SIP domain of the agents; `None`: the host that the page was asked from.
    pub domain: Option<String>,
    /// Sites whose pages may call the API and open the event stream.
    pub origins: Origins,
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

    /// The same, with recordings as well, if calls are recorded.
    #[must_use]
    pub fn recording(self, recordings: Option<Recordings>) -> Api {
        Api { recordings, ..self }
    }

    /// The API over the services. `credentials` brings sign-ins and API keys over a restart. Within a runtime: a task counts what happens
    /// for as long as the API lives.
    #[must_use]
    pub fn new(service: Service, credentials: Option<Arc<CredentialStore>>, settings: Settings) -> Api {
        let api = Api {
            counters: Arc::new(metrics::Counters::starting_at(service.stream())),
            accounts: service.accounts().clone(),
            credentials,
            settings: Arc::new(settings),
            pages: Arc::new(events::Pages::starting_at(service.now())),
            service,
            requests: Arc::default(),
            machine: None,
            recordings: None,
        };
        let stream = api.service.stream().clone();
        tokio::spawn(metrics::follow(stream, Arc::downgrade(&api.counters)));
        api
    }

    /// Waits until changes by signing in or out are durable, unless the store is away.
    async fn settle_sign_ins(&self) {
        if let Some(credentials) = &self.credentials {
            credentials.write_changes(self.now()).await;
        }
    }

    fn now(&self) -> Time {
        self.service.now()
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
