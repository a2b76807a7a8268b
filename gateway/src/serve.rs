//! Starting and stopping the gateway.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use media_core::leg::browser::Identity;
use media_core::voice::Prompts;
use ring::rand::{SecureRandom, SystemRandom};
use sans_io::{Rng, Time};
use session_core::{Access, Credentials, MediaSource, User};
use sip_core::auth::{Algorithm, Password as Digest};
use sip_core::endpoint;
use sip_core::flow::Transport;
use sip_stack::client::DemoPhone;
use sip_stack::media::MediaConfig;
use sip_stack::transport::tls::{self, ClientTls};
use sip_stack::transport::{Crowd, Limits, Listen, Outbound, Seats, ws};
use sip_stack::{Handle, Stack, StackConfig};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::auth::keep::{self, Keeper};
use crate::auth::password::{Password, Passwords};
use crate::auth::sentry::Sentry;
use crate::auth::{self, Accounts};
use crate::budget::Budget;
use crate::centre::caller;
use crate::centre::command::Asked;
use crate::centre::directory::Directory;
use crate::centre::keep::Past;
use crate::centre::open::Centre;
use crate::cli::Serve;
use crate::config::{Config, ConfigError, Role, Storage, Tls};
use crate::http::api::archive::Recent;
use crate::http::api::kept::Kept;
use crate::http::api::machine::Machine;
use crate::http::api::numbers::Numbers;
use crate::http::api::{self, Api};
use crate::http::{self, Http};
use crate::roster::Opening;
use crate::store::{Store, folder};
use crate::switch::{Request, Switch};

/// Commands of the API that may wait for the signalling task; more are answered with 503.
const COMMANDS: usize = 1_024;

/// How long calls may take to end when the gateway is told to stop.
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

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// A wrong configuration, a port in use, a bad certificate: nothing runs then.
pub async fn run(options: Serve) -> Result<ExitCode, ServeError> {
    let mut config =
        Config::load(options.config.as_deref(), options.listen, options.advertise).map_err(all)?;
    // It takes a tenth of a second, in which callers from before a restart hear nothing: beside everything else.
    let recorded = config.media.prompts.clone();
    let prompts =
        tokio::task::spawn_blocking(move || recorded.unwrap_or_else(|| Arc::new(Prompts::built_in())));
    let mut rng = randomness()?;
    let demo_password = rng.token(24);
    if config.demo {
        let caller = User {
            password: demo_password.clone().into(),
            display: "Demo caller".into(),
            media_source: MediaSource::Learn,
        };
        config.users.insert(caller::ACCOUNT.into(), caller);
    }
    let budget = Budget::claim(config.media.phone_ports.clone().count());
    let identity = Identity::generate().map_err(|error| failed("DTLS certificate", error))?;
    let identity = Arc::new(identity);
    let listener = TcpListener::bind(config.http.listen)
        .await
        .map_err(|error| failed(format_args!("HTTP on {}", config.http.listen), in_use(&error)))?;
    let address = listener.local_addr().map_err(|error| failed("HTTP", error))?;
    let web_tls = match &config.http.tls {
        Some(tls) => Some(server_tls(tls, &["http/1.1"])?),
        None => None,
    };
    let demo_phone = if config.demo {
        Some(
            DemoPhone::start()
                .await
                .map_err(|error| failed("demo phone", error))?,
        )
    } else {
        None
    };
    let phone = demo_phone.as_ref().map(DemoPhone::address);
    // Held to the end.
    let (store, _claim) = match database(&config, options.state)? {
        Some(url) => {
            let claim = folder::claim(&url).map_err(|error| failed("store", error))?;
            let store = Store::open(&url, config.durability).await;
            (Some(store.map_err(|error| failed("store", error))?), Some(claim))
        }
        None => (None, None),
    };
    let opening = Opening::read(config.clone(), store.as_ref())
        .await
        .map_err(|error| failed("store", error))?;
    let (directory, plan) = (opening.directory(), opening.plan());
    let numbers = Arc::new(Numbers::new(Arc::clone(&directory)));
    let mut secret = [0; 32];
    rng.fill(&mut secret);
    if let Some(store) = &store {
        secret = keep::secret(store, wall_clock())
            .await
            .map_err(|error| failed("store", error))?;
    }
    let accounts = staff(&config, &directory, &secret);
    for account in opening.accounts() {
        accounts.put_user(account);
    }
    config.users = opening.sip_users();
    let keeper = match &store {
        Some(store) => {
            let keeper = Keeper::open(store, accounts.clone(), wall_clock()).await;
            Some(Arc::new(keeper.map_err(|error| failed("store", error))?))
        }
        None => None,
    };
    if let Some(keeper) = keeper.clone() {
        tokio::spawn(async move { keeper.run(wall_clock).await });
    }
    let past = match &store {
        Some(store) => {
            let past = Past::read(store, &directory).await;
            Some(past.map_err(|error| failed("store", error))?)
        }
        None => None,
    };
    if let Some((past, _)) = &past {
        numbers.restore(past.metrics.clone());
    }
    let (centre, desk) = Centre::open(
        wall_clock(),
        directory,
        Box::new(Arc::clone(&numbers)),
        config.demo,
        (plan.clone(), phone),
        rng.fork(),
        past,
    );
    let switch = Switch::new(plan, phone, config.ring_timeout, Some(desk));
    let switch = switch.watched_by(accounts.sentry().clone());
    let prompts = prompts.await.map_err(|error| failed("announcements", error))?;
    let stack = Stack::start(
        stack_config(&config, budget, &identity, &accounts, prompts)?,
        switch,
    )
    .await
    .map_err(|error| ServeError(error.to_string()))?;
    let demo_callers = stack
        .listeners()
        .iter()
        .find(|listener| config.demo && listener.transport == Transport::Udp)
        .map(|listener| {
            tokio::spawn(caller::run(
                reachable(listener.addr),
                demo_password,
                centre.demo_callers,
            ))
        });
    let origins = match config.demo {
        // Its passwords are published, so a page of another name must not pass for its own.
        true => ws::Origins::new(config.origins.clone()).local_only(),
        false => ws::Origins::new(config.origins.clone()),
    };
    let http = Http {
        acceptor: stack.acceptor().clone(),
        stack: stack.clone(),
        policy: ws::Policy {
            origins: origins.clone(),
        },
        local_only: config.demo,
        sentry: accounts.sentry().clone(),
    };
    let (desk, asked) = mpsc::channel(COMMANDS);
    tokio::spawn(pass_on(asked, stack.clone()));
    tokio::spawn(pass_orders_on(accounts.clone(), stack.clone()));
    let settings = api::Settings {
        domain: config.domains.first().cloned(),
        demo: config.demo,
        origins,
    };
    let roster = opening.start(desk.clone(), accounts.clone(), Arc::clone(&numbers));
    let parts = api::Parts {
        hub: centre.hub,
        desk,
        accounts,
        keeper,
        archive: match &store {
            Some(store) => Arc::new(Kept::new(store)),
            None => Arc::new(Recent::default()),
        },
        numbers,
        roster,
        settings,
    };
    let crowd = Crowd::new(Seats::new(budget.http));
    let machine = Machine {
        stack: stack.clone(),
        http: Arc::clone(&crowd),
    };
    let api = Api::new(parts, wall_clock).watching(machine);
    announce(&config, address);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(http::serve(listener, web_tls, http, api, crowd, async {
        let _ = stopped.await;
    }));
    let signal = interrupted().await;
    tracing::info!(signal, "stopping");
    let _ = stop.send(());
    if let Some(callers) = demo_callers {
        callers.abort();
    }
    stack.shutdown(PATIENCE).await;
    drop(stack);
    // What happened is told and kept before the end.
    let _ = tokio::time::timeout(PATIENCE, centre.ledger).await;
    if let Some(store) = store
        && tokio::time::timeout(PATIENCE, store.close()).await.is_err()
    {
        tracing::error!("the store is away: what waited for it is lost");
    }
    if let Some(phone) = demo_phone {
        phone.shutdown().await;
    }
    // Pages keep their connections open; they are cut.
    server.abort();
    Ok(ExitCode::SUCCESS)
}

/// Where what happens is kept; `None`: in memory alone.
fn database(config: &Config, state: Option<PathBuf>) -> Result<Option<String>, ServeError> {
    let folder = match &config.store {
        Storage::Memory => return Ok(None),
        Storage::Url(url) => return Ok(Some(url.clone())),
        Storage::Folder => state
            .or_else(|| config.state.clone())
            .or_else(|| folder::usual(|name| std::env::var_os(name))),
    };
    match folder {
        Some(path) => folder::database(&path)
            .map(Some)
            .map_err(|error| failed("store", error)),
        None => {
            tracing::warn!("nothing outlives this process: there is no HOME, and --state names no folder");
            Ok(None)
        }
    }
}

/// Those who work in the call centre, as they sign in.
fn staff(config: &Config, directory: &Directory, secret: &[u8; 32]) -> Accounts {
    let accounts = Accounts::guarded(secret, Passwords::new(), Sentry::new(config.guard.clone()));
    for person in directory.people() {
        let Some(user) = config.users.get(&person.name) else {
            continue;
        };
        let roles = person.roles.iter().map(|role| match role {
            Role::Agent => auth::Role::Agent,
            Role::Supervisor => auth::Role::Supervisor,
            Role::Admin => auth::Role::Admin,
        });
        let known = accounts.put_user(auth::accounts::User {
            id: person.id.clone(),
            name: person.name.clone(),
            display: person.display.clone(),
            roles: roles.collect(),
            password: match &user.password {
                Digest::Plain(password) => Some(Password::Configured(password.clone())),
                Digest::Ha1(_) => None,
            },
        });
        if !known {
            tracing::warn!(
                user = person.name,
                "cannot sign in: the name is not made of a-z, 0-9, . - _"
            );
        }
    }
    accounts
}

/// Commands of the API go to the signalling task, one after the other.
async fn pass_on(mut asked: mpsc::Receiver<Asked>, stack: Handle<Request>) {
    while let Some(asked) = asked.recv().await {
        if stack.request(Request::Centre(asked)).await.is_err() {
            return;
        }
    }
}

/// Bans, and sign-ins that end, go to the signalling task.
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

/// Where a listener is reached from this machine.
fn reachable(addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), addr.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), addr.port()),
        _ => addr,
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

fn server_tls(tls: &Tls, alpn: &[&str]) -> Result<Arc<rustls::ServerConfig>, ServeError> {
    let read = |path: &std::path::Path| std::fs::read(path).map_err(|error| failed(path.display(), error));
    let (chain, key) = (read(&tls.certificate)?, read(&tls.key)?);
    tls::server_config(&chain, &key, alpn).map_err(|error| failed(tls.certificate.display(), error))
}

fn stack_config(
    config: &Config,
    budget: Budget,
    identity: &Arc<Identity>,
    accounts: &Accounts,
    prompts: Arc<Prompts>,
) -> Result<StackConfig, ServeError> {
    let mut listen: Vec<Listen> = config.sip.udp.iter().copied().map(Listen::Udp).collect();
    listen.extend(config.sip.tcp.iter().copied().map(Listen::Tcp));
    if let Some(tls) = &config.sip.identity {
        let server = server_tls(tls, &[])?;
        listen.extend(
            config
                .sip
                .tls
                .iter()
                .map(|addr| Listen::Tls(*addr, Arc::clone(&server))),
        );
    }
    let uses_tls = config.trunks.values().any(|t| t.transport == Transport::Tls);
    let outbound = Outbound {
        tls: if uses_tls {
            Some(Arc::new(
                ClientTls::system().map_err(|error| failed("TLS towards trunks", error))?,
            ))
        } else {
            None
        },
        ..Outbound::default()
    };
    Ok(StackConfig {
        listen,
        outbound,
        limits: Limits {
            connections: Seats::new(budget.sip),
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

/// Where phones are spoken to; of a family that this host has no address of, only where there is no other.
fn phone_ips(configured: &[IpAddr]) -> Vec<IpAddr> {
    let all: Vec<IpAddr> = configured.iter().map(|ip| phone_ip(*ip)).collect();
    let there = |ip: &&IpAddr| !ip.is_unspecified();
    let some: Vec<IpAddr> = all.iter().filter(there).copied().collect();
    if some.is_empty() { all } else { some }
}

/// Phones must be told an address they can reach: of a wildcard, the one that leads out.
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

fn announce(config: &Config, http: SocketAddr) {
    let scheme = if config.http.tls.is_some() {
        "https"
    } else {
        "http"
    };
    println!(
        "Cordboard {} is ready: {scheme}://{http}",
        env!("CARGO_PKG_VERSION")
    );
    if config.demo {
        println!(
            "Demo accounts 1001 to 1004, password {}. Call 9196 (echo), 9664 (music), 9197 (tone) or any other number.",
            crate::config::DEMO_PASSWORD
        );
        if !http.ip().is_loopback() {
            tracing::warn!("the demo accounts are open to everybody who reaches {http}: configure [[users]]");
        }
    }
}

async fn interrupted() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        },
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
            "SIGINT"
        }
    }
}
