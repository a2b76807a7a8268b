//! `cordboard check`: reads a configuration file as `serve` would, and reports its errors and warnings.

use std::convert::Infallible;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use sans_io::Rng;
use session_core::Place;
use sip_core::flow::Transport;
use sip_core::uri::Uri;
use sip_stack::dns::{self, System};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::cli::Check;
use crate::config::{Config, ConfigError, Severity};

/// Time for resolving all names together.
const PATIENCE: Duration = Duration::from_secs(3);

/// The command: prints errors and warnings to standard error, in the order of the file. Only errors make it fail.
///
/// # Errors
/// None: errors of the file are its result.
pub async fn run(options: Check) -> Result<ExitCode, Infallible> {
    let file = options.config;
    let config = match Config::load(Some(&file), &options.overrides.into()) {
        Ok(config) => config,
        Err(errors) => {
            for error in errors {
                eprintln!("{error}");
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut warnings = config.warnings.clone();
    warnings.extend(unresolved(&config, &file).await);
    warnings.sort_by_key(|warning| warning.at);
    for warning in &warnings {
        eprintln!("{warning}");
    }
    println!("{}: no errors", file.display());
    Ok(ExitCode::SUCCESS)
}

/// Trunks whose names do not resolve now. All are looked up at once.
async fn unresolved(config: &Config, file: &Path) -> Vec<ConfigError> {
    let system = Arc::new(System::new());
    let mut lookups = JoinSet::new();
    let trunks = config.trunks.iter();
    let places = trunks.flat_map(|(name, trunk)| {
        let follows = |_: &&Place| trunk.follows_name || trunk.outbound_proxy.is_none();
        let places = trunk.outgoing.places.iter().filter(follows);
        places.map(move |place| (name, trunk.transport, place))
    });
    for (name, transport, place) in places.filter(|(.., place)| place.literal().is_none()) {
        // As the stack looks it up: without a transport where UDP is the default (RFC 3263 §4.1).
        let uri = Uri::sip(None, &*place.host, place.port).and_then(|uri| match transport {
            Transport::Udp => Ok(uri),
            other => uri.with_param("transport", &other.name().to_ascii_lowercase()),
        });
        let Ok(uri) = uri else { continue };
        let (system, name, host) = (Arc::clone(&system), name.clone(), place.host.clone());
        lookups.spawn(async move {
            // Randomness affects only the order of targets, which does not matter here.
            let mut rng = Rng::seeded(0);
            let found = timeout(PATIENCE, dns::locate(uri.borrow(), &*system, &mut rng)).await;
            let why = match found {
                Ok(found) if !found.targets.is_empty() => return None,
                Ok(found) if found.is_certain => "does not resolve",
                _ => "does not resolve now: no name server answers",
            };
            Some((name, format!("trunks.address: `{host}` {why}")))
        });
    }
    let mut warnings = Vec::new();
    while let Some(done) = lookups.join_next().await {
        if let Ok(Some((name, message))) = done {
            warnings.push(ConfigError {
                severity: Severity::Warning,
                file: file.to_owned(),
                at: config.trunk_places.get(&name).copied(),
                message,
            });
        }
    }
    warnings
}
