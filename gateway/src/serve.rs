//! Starting and stopping the gateway: the order in which its parts are opened.

mod addresses;
mod centre;
mod credentials;
mod error;
mod recordings;
mod shutdown;
mod signalling;
mod sources;
mod storage;
mod tls;
mod web;
mod wishes;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use media_core::dtls::Identity;
use sip_stack::Stack;
use sip_stack::transport::{Crowd, ws};
use tokio::sync::mpsc;

pub(crate) use self::addresses::{host, phone_ips};
use self::credentials::Opened;
pub use self::error::ServeError;
use self::error::{all, failed};
use self::shutdown::Running;
pub(crate) use self::sources::randomness;
pub(crate) use self::sources::wall_clock;
use self::web::Bound;
use crate::budget::Budget;
use crate::centre::signalling::Signalling;
use crate::centre::statistics::Statistics;
use crate::cli::Serve;
use crate::config::{Config, Overrides};
use crate::demo::Demonstration;
use crate::http::Http;
use crate::http::api::machine::Machine;
use crate::http::api::{self, Api};
use crate::messages::MessageSaver;
use crate::provisioning::Loaded;
use crate::reload::Reloader;
use crate::routing::Routing;
use crate::service::archive::{Archive, Recent};
use crate::service::stored::Stored;
use crate::service::{self, Service};
use crate::signals::{Early, Signals};
use crate::switch::Switch;
use crate::watch::Watch;
use crate::{feature_changes, first_admin, messages, ready, tidy};

/// Serves until SIGINT or SIGTERM. SIGHUP reads the configuration again, SIGUSR2 restarts without hanging up.
///
/// # Errors
/// A wrong configuration, a port in use or a bad certificate: then nothing starts.
pub async fn run(options: Serve) -> Result<ExitCode, ServeError> {
    let early = Early::listen().map_err(|error| failed("signals", error))?;
    let overrides: Overrides = options.overrides.into();
    let mut config = Config::load(options.config.as_deref(), &overrides).map_err(all)?;
    begin(&config, options.config.as_deref());
    tidy::start().map_err(|error| failed("thread", error))?;
    let mut rng = randomness()?;
    let mut demo = Demonstration::start(&mut config, rng.token(24))
        .await
        .map_err(|error| failed("demo phone", error))?;
    let budget = Budget::claim(config.media.phone_ports.clone().count());
    let identity = Identity::generate().map_err(|error| failed("DTLS certificate", error))?;
    let web = Bound::new(&config)?;
    let address = web.address;
    let certificates = tls::certificates(&config)?;
    let web = web.with_tls(&certificates)?;

    let state = storage::state_folder(&config, options.state);
    let database = storage::open(&config, state.as_deref()).await?;
    let store = database.as_ref().map(|database| &database.store);
    let loaded = Loaded::read(config.clone(), store)
        .await
        .map_err(|error| failed("store", error))?;
    let statistics = Arc::new(Statistics::new(loaded.directory()));
    let Opened {
        accounts,
        credentials,
        secret,
    } = credentials::open(&config, &loaded, store, &mut rng).await?;
    let of_file = config.clone();
    config.users = loaded.sip_users();
    let (centre, controller) = centre::start(loaded.directory(), &statistics, rng.fork(), store).await?;

    let peers = demo.as_ref().map(Demonstration::peers).unwrap_or_default();
    let mut routing = Routing::new(loaded.plan(), peers).reaching(loaded.reach());
    routing.set_numbering(config.numbering.clone());
    let switch = Switch::new(routing, config.ring_timeout, Some(controller));
    let switch = switch.watched_by(accounts.sentry().clone());
    let switch = switch.with_emergency(config.emergency.clone());
    let (recording_control, recordings) = recordings::open(&config, rng.fork())?;
    let switch = switch.recording(recording_control);
    let (orders, received) = mpsc::channel(feature_changes::ORDERS);
    let switch = switch.ordering(orders);
    let (saver, unwritten) = MessageSaver::new();
    let (switch, saved_messages) = match store {
        Some(store) => {
            let saved = messages::read(store).await;
            let saved = saved.map_err(|error| failed("store", error))?;
            (switch.saving_messages(saver), Some(saved))
        }
        None => (switch, None),
    };
    let counts = switch.counts();
    let settings = signalling::settings(
        &config,
        budget,
        &Arc::new(identity),
        (&accounts, secret),
        &certificates,
        saved_messages,
    )?;
    let stack = Stack::start(settings, switch)
        .await
        .map_err(|error| ServeError(error.to_string()))?;
    for listening in stack.listeners() {
        tracing::info!(transport = listening.transport.name(), addr = %listening.addr, "listening");
    }
    let web = web.listen()?;
    if let Some(demo) = &mut demo {
        demo.open(stack.listeners());
    }

    let messages = store.map(|store| tokio::spawn(messages::write(store.clone(), unwritten, stack.clone())));
    let (recording_task, recordings) = recordings.map(|opened| opened.start(&stack)).unzip();
    tokio::spawn(web::pass_orders_on(accounts.clone(), stack.clone()));
    let origins = web::origins(&config, demo.is_some());
    let http = Http {
        acceptor: stack.acceptor().clone(),
        stack: stack.clone(),
        policy: ws::Policy {
            origins: origins.clone(),
        },
        local_only: demo.is_some(),
        sentry: accounts.sentry().clone(),
    };
    let signalling: Arc<dyn Signalling> = Arc::new(stack.clone());
    let provisioning = loaded.start(Arc::clone(&signalling), accounts.clone(), Arc::clone(&statistics));
    tokio::spawn(feature_changes::run(
        received,
        provisioning.clone(),
        stack.clone(),
    ));
    let drawn = match &config.first_admin {
        Some(name) => first_admin::draw(&provisioning, wall_clock(), name, &mut rng)
            .await
            .map_err(|error| failed(format_args!("first admin `{name}`"), error))?
            .map(|password| (name.clone(), password)),
        None => None,
    };
    let archive: Arc<dyn Archive> = match store {
        Some(store) => Arc::new(Stored::new(store)),
        None => Arc::new(Recent::default()),
    };
    let parts = service::Parts {
        stream: centre.stream,
        signalling,
        accounts,
        archive,
        statistics,
        provisioning: provisioning.clone(),
        demo: demo.as_ref().map(Demonstration::callers),
    };
    let settings = api::Settings {
        domain: config.domains.first().cloned(),
        origins,
    };
    let crowd = Crowd::new(config.guard.seats(budget.http));
    let machine = Machine {
        stack: stack.clone(),
        http: Arc::clone(&crowd),
        calls: counts,
    };
    let api = Api::new(Service::new(parts, wall_clock), credentials, settings).watching(machine);
    let api = api.recording(recordings);
    ready::announce(&config, address);
    if let Some((name, password)) = drawn {
        ready::announce_admin(&name, &password, store.is_some());
    }
    let running = Running {
        server: web.serve(http, api, crowd),
        demo,
        stack,
        journal: centre.journal,
        messages,
        recordings: recording_task,
        database,
    };

    let mut signals = Signals::listen(early).map_err(|error| failed("signals", error))?;
    let mut watch = Watch::new(options.config.as_ref(), &of_file);
    let mut reloader = Reloader::new(options.config, overrides, of_file, provisioning, certificates);
    let signal = wishes::until_stopped(&mut signals, state.as_deref(), &mut watch, &mut reloader).await;
    tracing::info!(signal, "stopping");
    running.end().await;
    Ok(ExitCode::SUCCESS)
}

/// The first lines of the log.
fn begin(config: &Config, file: Option<&Path>) {
    let file = file.map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), config = file, "starting");
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}
