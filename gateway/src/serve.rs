//! Starting and stopping the gateway.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use media_core::control::Prompts;
use media_core::dtls::Identity;
use ring::rand::{SecureRandom, SystemRandom};
use sans_io::{Rng, Time};
use session_core::{Access, Credentials};
use sip_core::auth::Algorithm;
use sip_core::endpoint;
use sip_core::flow::Transport;
use sip_stack::media::MediaConfig;
use sip_stack::transport::tls::{Certificate, ClientTls};
use sip_stack::transport::{Crowd, Limits, Listen, Outbound, ws};
use sip_stack::{Handle, Stack, StackConfig};
use tokio::net::TcpSocket;

use crate::auth::Accounts;
use crate::auth::credential_store::{self, CredentialStore};
use crate::auth::password::Passwords;
use crate::auth::sentry::Sentry;
use crate::budget::Budget;
use crate::centre::persistence::Past;
use crate::centre::signalling::Signalling;
use crate::centre::start::Centre;
use crate::centre::statistics::Statistics;
use crate::cli::Serve;
use crate::config::{Config, ConfigError, Overrides, Storage, Tls};
use crate::demo::Demonstration;
use crate::http::api::machine::Machine;
use crate::http::api::{self, Api};
use crate::http::{self, Http};
use crate::provisioning::{Loaded, accounts_of, put_account};
use crate::reload::{Certificates, Reloader, key_pair};
use crate::routing::Routing;
use crate::service::archive::{Archive, Recent};
use crate::service::stored::Stored;
use crate::service::{self, Service};
use crate::signals::{Early, Signals, Wish};
use crate::store::{Store, folder};
use crate::switch::{Request, Switch};
use crate::watch::Watch;
use crate::{control, first_admin, prompts, ready, signals, tidy};

/// Connections that the kernel may hold before HTTP accepts them.
const BACKLOG: u32 = 1_024;

/// Time that calls may take to end when the gateway is told to stop.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why the gateway did not start: one line for people.
#[derive(Debug)]
pub struct ServeError(String);

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServeError {}

fn failed(what: impl fmt::Display, why: impl fmt::Display) -> ServeError {
    ServeError(format!("{what}: {why}"))
}

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
    let prompts = announcements(&config);
    let mut rng = randomness()?;
    let mut demo = Demonstration::start(&mut config, rng.token(24))
        .await
        .map_err(|error| failed("demo phone", error))?;
    let budget = Budget::claim(config.media.phone_ports.clone().count());
    let identity = Identity::generate().map_err(|error| failed("DTLS certificate", error))?;
    let identity = Arc::new(identity);
    // Bound now and opened last: nobody is answered before everything is ready.
    let no_http =
        |error: std::io::Error| failed(format_args!("HTTP on {}", config.http.listen), in_use(&error));
    let socket = bind_http(config.http.listen).map_err(no_http)?;
    let address = socket.local_addr().map_err(no_http)?;
    let certificates = Certificates {
        http: certificate(config.http.tls.as_ref())?,
        sip: certificate(config.sip.identity.as_ref())?,
    };
    let web_tls = match &certificates.http {
        Some(certificate) => Some(server_tls(certificate, &["http/1.1"])?),
        None => None,
    };
    let state = state_folder(&config, options.state);
    // Held to the end.
    let (store, _claim) = match database(&config, state.as_deref())? {
        Some(url) => {
            let claim = folder::claim(&url).map_err(|error| failed("store", error))?;
            let store = Store::open(&url, config.durability).await;
            let away = |error| match server_of(&url) {
                Some(server) => failed(format_args!("store at {server}"), error),
                None => failed("store", error),
            };
            (Some(store.map_err(away)?), Some(claim))
        }
        None => (None, None),
    };
    let loaded = Loaded::read(config.clone(), store.as_ref())
        .await
        .map_err(|error| failed("store", error))?;
    let (directory, plan) = (loaded.directory(), loaded.plan());
    let statistics = Arc::new(Statistics::new(Arc::clone(&directory)));
    let mut secret = [0; 32];
    rng.fill(&mut secret);
    if let Some(store) = &store {
        secret = credential_store::secret(store, wall_clock())
            .await
            .map_err(|error| failed("store", error))?;
    }
    let accounts = Accounts::guarded(&secret, Passwords::new(), Sentry::new(config.guard.clone()));
    for account in accounts_of(&config, &directory) {
        put_account(&accounts, account);
    }
    for account in loaded.accounts() {
        accounts.put_user(account);
    }
    let of_file = config.clone();
    config.users = loaded.sip_users();
    let credentials = match &store {
        Some(store) => {
            let opened = CredentialStore::open(store, accounts.clone(), wall_clock()).await;
            Some(Arc::new(opened.map_err(|error| failed("store", error))?))
        }
        None => None,
    };
    if let Some(credentials) = credentials.clone() {
        tokio::spawn(async move { credentials.run(wall_clock).await });
    }
    let past = match &store {
        Some(store) => {
            let past = Past::read(store, &directory).await;
            Some(past.map_err(|error| failed("store", error))?)
        }
        None => None,
    };
    if let Some((past, _)) = &past {
        statistics.restore(past.metrics.clone());
    }
    let (centre, controller) = Centre::start(
        wall_clock(),
        directory,
        Box::new(Arc::clone(&statistics)),
        rng.fork(),
        past,
    );
    let peers = demo.as_ref().map(Demonstration::peers).unwrap_or_default();
    let routing = Routing::new(plan, peers);
    let switch = Switch::new(routing, config.ring_timeout, Some(controller));
    let switch = switch.watched_by(accounts.sentry().clone());
    let counts = switch.counts();
    let stack = Stack::start(
        stack_config(
            &config,
            budget,
            &identity,
            &accounts,
            prompts,
            certificates.sip.as_ref(),
        )?,
        switch,
    )
    .await
    .map_err(|error| ServeError(error.to_string()))?;
    let listener = socket.listen(BACKLOG).map_err(no_http)?;
    for listening in stack.listeners() {
        tracing::info!(transport = listening.transport.name(), addr = %listening.addr, "listening");
    }
    tracing::info!(transport = "HTTP", addr = %address, "listening");
    if let Some(demo) = &mut demo {
        demo.open(stack.listeners());
    }
    let origins = match &demo {
        // Its passwords are published, so a page of another name must not pass for its own.
        Some(_) => ws::Origins::new(config.origins.clone()).local_only(),
        None => ws::Origins::new(config.origins.clone()),
    };
    let http = Http {
        acceptor: stack.acceptor().clone(),
        stack: stack.clone(),
        policy: ws::Policy {
            origins: origins.clone(),
        },
        local_only: demo.is_some(),
        sentry: accounts.sentry().clone(),
    };
    tokio::spawn(pass_orders_on(accounts.clone(), stack.clone()));
    let settings = api::Settings {
        domain: config.domains.first().cloned(),
        origins,
    };
    let signalling: Arc<dyn Signalling> = Arc::new(stack.clone());
    let provisioning = loaded.start(Arc::clone(&signalling), accounts.clone(), Arc::clone(&statistics));
    let drawn = match &config.first_admin {
        Some(name) => first_admin::draw(&provisioning, wall_clock(), name, &mut rng)
            .await
            .map_err(|error| failed(format_args!("first admin `{name}`"), error))?
            .map(|password| (name.clone(), password)),
        None => None,
    };
    let archive: Arc<dyn Archive> = match &store {
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
    let service = Service::new(parts, wall_clock);
    let crowd = Crowd::new(config.guard.seats(budget.http));
    let machine = Machine {
        stack: stack.clone(),
        http: Arc::clone(&crowd),
        calls: counts,
    };
    let api = Api::new(service, credentials, settings).watching(machine);
    ready::announce(&config, address);
    if let Some((name, password)) = drawn {
        ready::announce_admin(&name, &password, store.is_some());
    }
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(http::serve(listener, web_tls, http, api, crowd, async {
        let _ = stopped.await;
    }));
    let mut signals = Signals::listen(early).map_err(|error| failed("signals", error))?;
    let mut watch = Watch::new(options.config.as_ref(), &of_file);
    let mut reloader = Reloader::new(options.config, overrides, of_file, provisioning, certificates);
    let signal = until_stopped(&mut signals, state.as_deref(), &mut watch, &mut reloader).await;
    tracing::info!(signal, "stopping");
    let _ = stop.send(());
    if let Some(demo) = &demo {
        demo.hang_up();
    }
    stack.shutdown(PATIENCE).await;
    drop(stack);
    // Events are published and kept before the end.
    let _ = tokio::time::timeout(PATIENCE, centre.journal).await;
    if let Some(store) = store
        && tokio::time::timeout(PATIENCE, store.close()).await.is_err()
    {
        tracing::error!("the store is unavailable: everything that waited for it is lost");
    }
    if let Some(demo) = demo {
        demo.shutdown().await;
    }
    // Pages keep their connections open; they are cut.
    server.abort();
    Ok(ExitCode::SUCCESS)
}

/// The state folder: for the database, unless another store is named, and for the control socket.
fn state_folder(config: &Config, option: Option<PathBuf>) -> Option<PathBuf> {
    let named = option.or_else(|| config.state.clone());
    match config.store {
        Storage::Folder => named.or_else(|| folder::usual(|name| std::env::var_os(name))),
        Storage::Memory | Storage::Url(_) => named,
    }
}

/// URL of the database; `None`: memory alone.
fn database(config: &Config, state: Option<&Path>) -> Result<Option<String>, ServeError> {
    match (&config.store, state) {
        (Storage::Memory, _) => Ok(None),
        (Storage::Url(url), _) => Ok(Some(url.clone())),
        (Storage::Folder, Some(path)) => folder::database(path)
            .map(Some)
            .map_err(|error| failed("store", error)),
        (Storage::Folder, None) => {
            tracing::warn!("nothing will outlive this process: HOME is not set, and --state is not given");
            Ok(None)
        }
    }
}

/// The database server of a URL, without its credentials.
fn server_of(url: &str) -> Option<String> {
    let rest = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let server = authority.rsplit_once('@').map_or(authority, |(_, server)| server);
    Some(if server.is_empty() { "localhost" } else { server }.to_owned())
}

/// Passes bans, and sign-ins that end, to the signalling task.
async fn pass_orders_on(accounts: Accounts, stack: Handle<Request>) {
    let Some(mut orders) = accounts.sentry().orders() else {
        return;
    };
    let mut revoked = accounts.revocations();
    loop {
        let request = tokio::select! {
            Some(order) = orders.recv() => Request::Sentry(order),
            Ok(()) = revoked.changed() => Request::SignedOut,
            else => return,
        };
        if stack.request(request).await.is_err() {
            return;
        }
    }
}

fn wall_clock() -> Time {
    let micros = jiff::Timestamp::now().as_microsecond();
    Time(u64::try_from(micros).unwrap_or_default())
}

fn randomness() -> Result<Rng, ServeError> {
    let mut seed = [0; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| failed("randomness", "the system gives none"))?;
    Ok(Rng::from_entropy(seed))
}

fn all(errors: Vec<ConfigError>) -> ServeError {
    ServeError(
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

fn in_use(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "the port is in use".into(),
        std::io::ErrorKind::AddrNotAvailable => "this host has no such address".into(),
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege".into(),
        _ => error.to_string(),
    }
}

fn certificate(files: Option<&Tls>) -> Result<Option<Arc<Certificate>>, ServeError> {
    match files {
        Some(files) => Ok(Some(Certificate::new(key_pair(files).map_err(ServeError)?))),
        None => Ok(None),
    }
}

fn server_tls(
    certificate: &Arc<Certificate>,
    alpn: &[&str],
) -> Result<Arc<rustls::ServerConfig>, ServeError> {
    certificate
        .server_config(alpn)
        .map_err(|error| failed("TLS", error))
}

/// Prompts of the owner, or those that the gateway was built with.
fn announcements(config: &Config) -> Arc<Prompts> {
    if let Some(recorded) = &config.media.prompts {
        return Arc::clone(recorded);
    }
    let language = &config.media.language;
    let prompts = prompts::built_in(language);
    if prompts.is_empty() {
        tracing::warn!(
            language,
            "announcements: the gateway was built without prompts, so its queues play music alone; set media.prompts, or \
             build it where espeak-ng is installed"
        );
    }
    Arc::new(prompts)
}

fn stack_config(
    config: &Config,
    budget: Budget,
    identity: &Arc<Identity>,
    accounts: &Accounts,
    prompts: Arc<Prompts>,
    certificate: Option<&Arc<Certificate>>,
) -> Result<StackConfig, ServeError> {
    let mut listen: Vec<Listen> = config.sip.udp.iter().copied().map(Listen::Udp).collect();
    listen.extend(config.sip.tcp.iter().copied().map(Listen::Tcp));
    if let Some(certificate) = certificate {
        let server = server_tls(certificate, &[])?;
        listen.extend(
            config
                .sip
                .tls
                .iter()
                .map(|addr| Listen::Tls(*addr, Arc::clone(&server))),
        );
    }
    let uses_tls = config.trunks.values().any(|t| t.transport == Transport::Tls);
    // A trunk over TLS may be added later.
    let outbound = Outbound {
        tls: match ClientTls::system() {
            Ok(tls) => Some(Arc::new(tls)),
            Err(error) if uses_tls => return Err(failed("TLS towards trunks", error)),
            Err(error) => {
                tracing::debug!(%error, "no TLS towards trunks");
                None
            }
        },
        ..Outbound::default()
    };
    Ok(StackConfig {
        listen,
        outbound,
        limits: Limits {
            connections: config.guard.seats(budget.sip),
            ..Limits::default()
        },
        media: MediaConfig {
            browser_addresses: config.media.browser_addresses.clone(),
            browser_port: config.media.browser_port,
            phone_ports: config.media.phone_ports.clone(),
            prompts,
            ..MediaConfig::default()
        },
        identity: Arc::clone(identity),
        sessions: sessions(config, identity, accounts),
    })
}

fn sessions(config: &Config, identity: &Identity, accounts: &Accounts) -> session_core::Config {
    let accounts = accounts.clone();
    session_core::Config {
        endpoint: endpoint::Config {
            user_agent: concat!("Cordboard/", env!("CARGO_PKG_VERSION")).into(),
            ..endpoint::Config::default()
        },
        access: Access::Directory {
            users: config.users.clone(),
            trunks: config.trunks.clone(),
        },
        guard: config.guard.guard.clone(),
        credentials: Credentials::new(move |now, username| accounts.sip_credentials(now, username)),
        domains: config.domains.clone(),
        realm: config.realm.clone(),
        algorithms: if config.sip.sha256 {
            vec![Algorithm::Sha256, Algorithm::Md5]
        } else {
            vec![Algorithm::Md5]
        },
        host: host(config),
        advertise: config.advertise,
        phone_ips: phone_ips(&config.media.phone_addresses),
        fingerprint: identity.fingerprint().clone(),
        shards: config.media.threads,
        first_id: session_core::first_id(0, sip_stack::Clock::start().now()),
        browser_codecs: config.media.browser_codecs.clone(),
        phone_codecs: config.media.phone_codecs.clone(),
        grace: config.grace,
        session_timer: config.sip.session_expires,
        inactivity: config.media.inactivity,
        max_sessions: 10_000,
        max_contacts: 10,
        limits: session_core::Limits {
            phone_legs: config.media.phone_ports.clone().count() / 2,
            ..config.limits.clone()
        },
    }
}

/// Our name in the From of calls we make.
fn host(config: &Config) -> String {
    let ip = || {
        config
            .advertise
            .or_else(|| config.sip.udp.first().map(SocketAddr::ip))
    };
    match (config.domains.first(), ip()) {
        (Some(domain), _) => domain.clone(),
        (None, Some(IpAddr::V6(ip))) => format!("[{ip}]"),
        (None, Some(ip)) if !ip.is_unspecified() => ip.to_string(),
        _ => "cordboard.invalid".into(),
    }
}

/// Addresses for phones; one of a family that this host does not have is used only if there is no other.
fn phone_ips(configured: &[IpAddr]) -> Vec<IpAddr> {
    let all: Vec<IpAddr> = configured.iter().map(|ip| phone_ip(*ip)).collect();
    let there = |ip: &&IpAddr| !ip.is_unspecified();
    let some: Vec<IpAddr> = all.iter().filter(there).copied().collect();
    if some.is_empty() { all } else { some }
}

/// Phones need an address that they can reach: for a wildcard, the one that leads out.
fn phone_ip(configured: IpAddr) -> IpAddr {
    if !configured.is_unspecified() {
        return configured;
    }
    let ours = sip_stack::transport::local_addresses().unwrap_or_default();
    let fits = |ip: &&IpAddr| ip.is_ipv4() == configured.is_ipv4();
    let outward = ours.iter().filter(fits).find(|ip| !ip.is_loopback());
    outward
        .or_else(|| ours.iter().find(fits))
        .copied()
        .unwrap_or(configured)
}

/// The first lines of the log.
fn begin(config: &Config, file: Option<&Path>) {
    let file = file.map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), config = file, "starting");
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

/// Binds the HTTP port. Nobody can connect before [`TcpSocket::listen`].
fn bind_http(addr: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart must not wait for connections of the last run in TIME_WAIT; a port in use is refused all the same.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

/// Carries out requests of signals, the control socket and changed files, until a signal ends it.
async fn until_stopped(
    signals: &mut Signals,
    state: Option<&Path>,
    watch: &mut Watch,
    reloader: &mut Reloader,
) -> &'static str {
    let mut control = control::listen(state);
    loop {
        let asked = tokio::select! {
            wish = signals.next() => match wish {
                Wish::Stop(signal) => return signal,
                Wish::Reload => ("SIGHUP", None),
                Wish::Restart => {
                    restart("SIGUSR2");
                    continue;
                }
            },
            Some(asked) = control.recv() => match asked.command {
                control::Command::Reload => ("command", Some(asked)),
                control::Command::Restart => {
                    asked.answer(Ok(Vec::new())).await;
                    restart("command");
                    continue;
                }
            },
            () = watch.changed() => ("changed file", None),
            () = reloader.due() => ("retry", None),
        };
        let (asked_by, waiting) = asked;
        let result = reloader.reload(asked_by).await;
        if result.is_ok() {
            watch.set(reloader.file.as_ref(), &reloader.config);
        }
        if let Some(asked) = waiting {
            asked.answer(result).await;
        }
    }
}

/// Restarts in place; returns only if that failed.
fn restart(asked_by: &str) {
    tracing::info!(asked_by, "restarting without hanging up");
    let error = signals::restart();
    tracing::error!(%error, "cannot restart; going on");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_server_is_named_without_its_password() {
        for (url, server) in [
            ("postgres://u:p@db.example:5433/cb", Some("db.example:5433")),
            (
                "postgresql://u:p%40x@[2001:db8::1]/cb?sslmode=require",
                Some("[2001:db8::1]"),
            ),
            ("postgres:///cb", Some("localhost")),
            ("sqlite:/var/lib/cb.db", None),
        ] {
            assert_eq!(server_of(url).as_deref(), server, "{url}");
        }
    }

    #[tokio::test]
    async fn http_is_bound_before_anybody_can_connect() -> std::io::Result<()> {
        let socket = bind_http("127.0.0.1:0".parse().expect("address"))?;
        let address = socket.local_addr()?;
        assert!(
            tokio::net::TcpStream::connect(address).await.is_err(),
            "it is not open yet"
        );
        let listener = socket.listen(BACKLOG)?;
        assert!(bind_http(address).is_err(), "it is taken");
        let (client, served) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
        client?;
        served?;
        Ok(())
    }
}
