//! The way to a trunk: its name, the connections to its targets, and what they answer.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sans_io::Rng;
use session_core::{Registration, Trunk};
use sip_core::auth::Answerer;
use sip_core::endpoint::{self, OutgoingRequest, Silence, Target};
use sip_core::flow::Transport;
use sip_core::message::{Address, Method};
use sip_core::uri::Uri;
use sip_stack::dns::{self, System};
use sip_stack::probe::{Probe, Reply};
use sip_stack::transport::{Listen, Outbound};
use tokio::time::Instant;

use super::TestError;
use super::finding::{Finding, Grade};
use super::words;
use crate::config::Config;

/// Time that a target has for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Targets that are tested at most.
const TARGETS: usize = 8;

/// Walks from the trunk's name to its registration.
///
/// # Errors
/// No socket can be opened here.
pub(super) async fn walk(
    config: &Config,
    name: &str,
    trunk: &Trunk,
    outbound: Outbound,
    tell: &mut impl FnMut(Finding),
) -> Result<(), TestError> {
    let registration = trunk.registration(name, &[]).map_err(|error| error.to_string())?;
    let mut probe = Probe::start(&listeners(config), outbound, description())
        .await
        .map_err(|error| error.to_string())?;
    let calls = trunk.ways().map_err(|error| error.to_string())?;
    let mut targets = Vec::new();
    for way in &calls {
        targets.extend(locate(way, tell).await);
    }
    let mut open = Vec::new();
    for target in targets.iter().take(TARGETS) {
        if let Some(way) = connect(&mut probe, target, tell).await
            && options(&mut probe, trunk, (target, &way), tell).await
        {
            open.push(way);
        }
    }
    let Some(registration) = registration else {
        return Ok(());
    };
    let own = registration.proxy.clone().filter(|proxy| !calls.contains(proxy));
    let way = match own {
        // The registrar is elsewhere.
        Some(proxy) => match locate(&proxy, tell).await.first() {
            Some(target) => connect(&mut probe, target, tell).await,
            None => None,
        },
        None => open.into_iter().next(),
    };
    match way {
        Some(way) => register(&mut probe, &registration, way, tell).await,
        None => tell(Finding::new(
            "registration",
            Grade::Doubtful,
            "not tried: there is no way to the registrar",
            "mend what stands above first",
        )),
    }
    Ok(())
}

/// Sockets like those of the gateway, on ports of their own.
fn listeners(config: &Config) -> Vec<Listen> {
    let own = |addr: &SocketAddr| SocketAddr::new(addr.ip(), 0);
    let addresses: BTreeSet<SocketAddr> = config.sip.udp.iter().map(own).collect();
    addresses.into_iter().map(Listen::Udp).collect()
}

fn description() -> endpoint::Config {
    endpoint::Config {
        user_agent: concat!("Cordboard/", env!("CARGO_PKG_VERSION")).into(),
        ..endpoint::Config::default()
    }
}

/// Addresses that a name leads to.
async fn locate(uri: &Uri, tell: &mut impl FnMut(Finding)) -> Vec<dns::Target> {
    let host = uri.host().map(|host| host.to_string()).unwrap_or_default();
    let system = Arc::new(System::new());
    let mut rng = Rng::seeded(0);
    let began = Instant::now();
    let found = dns::locate(uri.borrow(), &*system, &mut rng).await;
    let ms = began.elapsed().as_millis();
    let targets: Vec<dns::Target> = found.targets.into_iter().map(dns::target).collect();
    let finding = match (targets.len(), found.is_certain) {
        (0, true) => Finding::new(
            "name",
            Grade::Wrong,
            format!("{host} does not resolve: there is no such name, or it has no address"),
            "check `address`; with `transport`, SRV records must exist for it or the name must have an address",
        ),
        (0, false) => Finding::new(
            "name",
            Grade::Wrong,
            format!("{host} does not resolve: no name server answers"),
            "check the name servers of this host (/etc/resolv.conf)",
        ),
        (n, _) => {
            let all: Vec<String> = targets.iter().map(shown).collect();
            let shared = if n > 1 {
                format!("{n} targets: ")
            } else {
                String::new()
            };
            Finding::good(
                "name",
                format!("{host} leads to {shared}{} ({ms} ms)", all.join(", ")),
            )
        }
    };
    tell(finding);
    targets
}

fn shown((transport, addr, _): &dns::Target) -> String {
    format!("{} {addr}", transport.name())
}

async fn connect(probe: &mut Probe, target: &dns::Target, tell: &mut impl FnMut(Finding)) -> Option<Target> {
    let began = Instant::now();
    let opened = probe.open(target).await;
    let ms = began.elapsed().as_millis();
    match opened {
        Ok(way) => {
            if target.0 != Transport::Udp {
                tell(Finding::good(
                    "connection",
                    format!("{} is open ({ms} ms)", shown(target)),
                ));
            }
            Some(way)
        }
        Err(reason) => {
            let what = format!("{} cannot be opened: {reason}", shown(target));
            tell(Finding::new(
                "connection",
                Grade::Wrong,
                what,
                words::of_connection(&reason),
            ));
            None
        }
    }
}

/// Asks a target whether it is there. False if it says nothing.
async fn options(
    probe: &mut Probe,
    trunk: &Trunk,
    (target, way): (&dns::Target, &Target),
    tell: &mut impl FnMut(Finding),
) -> bool {
    let Ok(uri) = Uri::sip(None, &trunk.host, trunk.port) else {
        debug_assert!(false, "the host of a trunk is no host");
        return false;
    };
    let me = Address::new(uri.clone());
    let began = Instant::now();
    let reply = probe
        .ask(request(Method::Options, uri, (me.clone(), me), way.clone(), None))
        .await;
    let ms = began.elapsed().as_millis();
    let to = shown(target);
    match reply {
        Reply::Response(response) => {
            let Some(code) = response.status() else {
                return false;
            };
            let (grade, right) = words::of_options(code);
            let what = format!("{to} answers OPTIONS with {code} ({ms} ms)");
            tell(Finding::new("options", grade, what, right));
            true
        }
        Reply::None(silence) => {
            tell(Finding::new(
                "options",
                Grade::Wrong,
                format!("{to} does not answer OPTIONS: {}", describe(silence)),
                silent(target.0),
            ));
            false
        }
    }
}

/// Asks the registrar what is registered: it wants the credentials for that, and nothing changes.
async fn register(
    probe: &mut Probe,
    registration: &Registration,
    way: Target,
    tell: &mut impl FnMut(Finding),
) {
    let me = Address::new(registration.aor.clone());
    let answerer = registration.credentials.clone().map(Answerer::new);
    let asked = request(
        Method::Register,
        registration.registrar(),
        (me.clone(), me),
        way,
        answerer,
    );
    let began = Instant::now();
    let reply = probe.ask(asked).await;
    let ms = began.elapsed().as_millis();
    let aor = registration.aor.as_str();
    let finding = match reply {
        Reply::Response(response) => {
            let Some(code) = response.status() else { return };
            let (grade, right) = words::of_registration(&response, code);
            let what = match grade {
                Grade::Good => {
                    let n = response.contacts().count();
                    let contacts = if n == 1 { "contact" } else { "contacts" };
                    format!("the registrar knows {aor}, with {n} {contacts} at the moment ({ms} ms)")
                }
                _ => format!("the registrar answers for {aor} with {code}"),
            };
            Finding::new("registration", grade, what, right)
        }
        Reply::None(silence) => Finding::new(
            "registration",
            Grade::Wrong,
            format!("the registrar does not answer: {}", describe(silence)),
            "check `register.registrar` and `outbound_proxy`",
        ),
    };
    tell(finding);
}

fn request(
    method: Method,
    uri: Uri,
    (from, to): (Address, Address),
    target: Target,
    answerer: Option<Answerer>,
) -> OutgoingRequest {
    OutgoingRequest {
        method,
        target,
        request_uri: uri,
        from,
        to,
        contact: None,
        call: None,
        body: None,
        extra: Vec::new(),
        answerer,
        response_timeout: Some(PATIENCE),
    }
}

fn describe(silence: Silence) -> &'static str {
    match silence {
        Silence::Timeout => "no response in time",
        Silence::Transport => "the request could not be sent",
        Silence::Nowhere => "it has no address",
    }
}

fn silent(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => {
            "over UDP that may be the port, the transport, a firewall, or a carrier that ignores addresses it does not know: have it \
             allow this gateway's public address"
        }
        _ => {
            "the connection is open, but no SIP comes back: is it a SIP port? Does the carrier know this gateway's address?"
        }
    }
}
