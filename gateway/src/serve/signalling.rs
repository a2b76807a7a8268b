//! Settings of the signalling and media stack, from the configuration.

use std::sync::Arc;

use media_core::control::Prompts;
use media_core::dtls::Identity;
use session_core::{Access, Credentials, MessageId, Package, SavedMessage};
use sip_core::auth::Algorithm;
use sip_core::endpoint;
use sip_core::flow::Transport;
use sip_core::message::Method;
use sip_stack::media::MediaConfig;
use sip_stack::transport::tls::ClientTls;
use sip_stack::transport::{Limits, Listen, Outbound};
use sip_stack::{FetchSettings, StackConfig};

use super::addresses::{host, phone_ips};
use super::error::{ServeError, failed};
use super::tls;
use crate::auth::Accounts;
use crate::budget::Budget;
use crate::config::Config;
use crate::prompts;
use crate::reload::Certificates;

/// All settings of the stack.
pub(super) fn settings(
    config: &Config,
    budget: Budget,
    identity: &Arc<Identity>,
    (accounts, secret): (&Accounts, [u8; 32]),
    certificates: &Certificates,
    saved_messages: Option<Vec<(MessageId, SavedMessage)>>,
) -> Result<StackConfig, ServeError> {
    let mut listen: Vec<Listen> = config.sip.udp.iter().copied().map(Listen::Udp).collect();
    listen.extend(config.sip.tcp.iter().copied().map(Listen::Tcp));
    if let Some(certificate) = &certificates.sip {
        let server = tls::server(certificate, &[], config.sip.client_ca.as_deref())?;
        listen.extend(
            config
                .sip
                .tls
                .iter()
                .map(|addr| Listen::Tls(*addr, Arc::clone(&server))),
        );
    }
    let trusts_system = |name| config.trunk_tls.get(name).is_none_or(|tls| tls.ca.is_none());
    let needs_system = config
        .trunks
        .iter()
        .any(|(name, trunk)| trunk.transport == Transport::Tls && trusts_system(name));
    // A trunk over TLS may be added later.
    let outbound = Outbound {
        tls: match ClientTls::system() {
            Ok(tls) => Some(Arc::new(tls)),
            Err(error) if needs_system => return Err(failed("TLS towards trunks", error)),
            Err(error) => {
                tracing::debug!(%error, "no TLS towards trunks");
                None
            }
        },
        peers: Arc::clone(&certificates.trunks),
        dscp: config.sip.dscp,
        ..Outbound::default()
    };
    let fetch = fetch(config, outbound.tls.clone())?;
    Ok(StackConfig {
        tls_host: config.sip.tls_host.clone(),
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
            prompts: announcements(config),
            dscp: config.media.dscp,
            ..MediaConfig::default()
        },
        identity: Arc::clone(identity),
        fetch,
        sessions: session_core::Config {
            saved_messages,
            ..sessions(config, identity, accounts, secret)
        },
    })
}

/// Settings for fetching certificates of signed callers.
fn fetch(config: &Config, system: Option<Arc<ClientTls>>) -> Result<FetchSettings, ServeError> {
    let tls = match &config.shaken.https_ca {
        Some(pem) => {
            let tls = ClientTls::authorities(pem).map_err(|error| failed("shaken.https_ca", error))?;
            Some(Arc::new(tls))
        }
        None => system,
    };
    Ok(FetchSettings {
        tls,
        private: config.shaken.private_hosts,
    })
}

fn sessions(
    config: &Config,
    identity: &Identity,
    accounts: &Accounts,
    secret: [u8; 32],
) -> session_core::Config {
    let accounts = accounts.clone();
    session_core::Config {
        endpoint: endpoint::Config {
            user_agent: concat!("Cordboard/", env!("CARGO_PKG_VERSION")).into(),
            event_packages: Package::ALL.map(|package| package.name().to_owned()).to_vec(),
            ..methods()
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
        pass_through: config.media.pass_through.clone(),
        grace: config.grace,
        session_timer: config.sip.session_expires,
        inactivity: config.media.inactivity,
        max_sessions: 10_000,
        max_contacts: 10,
        limits: session_core::Limits {
            phone_legs: config.media.phone_ports.clone().count() / 2,
            ..config.limits.clone()
        },
        register_rate: config.sip.register_rate,
        upstream: config.upstream.clone(),
        upstream_rate: config.sip.upstream_rate,
        secret,
        messages: config.messages.clone(),
        saved_messages: None,
        stir: config.shaken.stir.clone(),
        emergency: config.emergency.numbers.clone(),
    }
}

/// The methods that the gateway takes: those of calls, instant messages, and presence.
fn methods() -> endpoint::Config {
    let mut config = endpoint::Config::default();
    config.allow.extend([Method::Message, Method::Publish]);
    config
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
