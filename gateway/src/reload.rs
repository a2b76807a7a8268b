//! Reading the configuration again while calls go on.
//!
//! Trunks, dial rules, users, queues, codecs and certificates take effect at once; calls in progress keep
//! what they negotiated. A file with an error changes nothing. Settings that are fixed at the start are named
//! in a warning.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use session_core::Adjustment;
use sip_stack::transport::tls::{Certificate, PeersTls};
use tokio::time::Instant;

use crate::centre::command::{Refused, Settings};
use crate::config::{Config, Overrides};
use crate::provisioning::{Provisioning, ProvisioningError};

/// Interval for trying again a change that calls are in the way of.
const AGAIN: Duration = Duration::from_secs(5);

/// Everything that a reload changes.
pub(crate) struct Reloader {
    pub(crate) file: Option<PathBuf>,
    pub(crate) overrides: Overrides,
    /// The configuration in force.
    pub(crate) config: Config,
    pub(crate) provisioning: Provisioning,
    pub(crate) certificates: Certificates,
    /// Time to try again a change that calls were in the way of.
    again: Option<Instant>,
}

/// Certificates of listeners (`None`: the listener speaks no TLS), and of trunks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates {
    /// HTTPS and WSS.
    pub(crate) http: Option<Arc<Certificate>>,
    /// SIP over TLS.
    pub(crate) sip: Option<Arc<Certificate>>,
    /// Connections to trunks with settings of their own.
    pub(crate) trunks: Arc<PeersTls>,
}

/// Reason why nothing was changed.
#[derive(Debug)]
enum NotReloaded {
    /// The file is wrong, or something cannot be read: one line for each error.
    Wrong(Vec<String>),
    /// Calls are in the way.
    Busy(&'static str),
}

impl Reloader {
    pub(crate) fn new(
        file: Option<PathBuf>,
        overrides: Overrides,
        config: Config,
        provisioning: Provisioning,
        certificates: Certificates,
    ) -> Reloader {
        Reloader {
            file,
            overrides,
            config,
            provisioning,
            certificates,
            again: None,
        }
    }

    /// Waits until it is time to try again; for ever if nothing is left to try.
    pub(crate) async fn due(&self) {
        match self.again {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Reads the file and applies it. `Ok`: warnings, one line each; `Err`: reasons why nothing was changed,
    /// one line each. All of them are logged as well.
    pub(crate) async fn reload(&mut self, asked_by: &str) -> Result<Vec<String>, Vec<String>> {
        let is_retry = self.again.take().is_some();
        match self.apply().await {
            Ok(warnings) => {
                for warning in &warnings {
                    tracing::warn!("{warning}");
                }
                tracing::info!(asked_by, "configuration reloaded");
                Ok(warnings)
            }
            Err(NotReloaded::Wrong(errors)) => {
                for error in &errors {
                    tracing::error!(
                        asked_by,
                        "configuration not reloaded, nothing was changed: {error}"
                    );
                }
                Err(errors)
            }
            Err(NotReloaded::Busy(why)) => {
                self.again = Some(Instant::now() + AGAIN);
                if !is_retry {
                    tracing::warn!(
                        asked_by,
                        "configuration not reloaded yet, nothing was changed: {why}"
                    );
                }
                Err(vec![format!("{why}; it is applied as soon as that is over")])
            }
        }
    }

    async fn apply(&mut self) -> Result<Vec<String>, NotReloaded> {
        let (file, overrides) = (self.file.clone(), self.overrides.clone());
        let read = tokio::task::spawn_blocking(move || Config::load(file.as_deref(), &overrides)).await;
        let config = read
            .map_err(|error| NotReloaded::Wrong(vec![error.to_string()]))?
            .map_err(|errors| NotReloaded::Wrong(errors.iter().map(ToString::to_string).collect()))?;
        if config.demo != self.config.demo {
            let which = if config.demo { "begins" } else { "ends" };
            let why = format!("the demonstration {which} only with a restart: `cordboard restart`");
            return Err(NotReloaded::Wrong(vec![why]));
        }
        let http = self.certificates.http.as_ref().zip(config.http.tls.as_ref());
        let sip = self.certificates.sip.as_ref().zip(config.sip.identity.as_ref());
        let mut shown = Vec::new();
        for (certificate, files) in [http, sip].into_iter().flatten() {
            let pair = files
                .key_pair()
                .map_err(|error| NotReloaded::Wrong(vec![error]))?;
            shown.push((Arc::clone(certificate), pair));
        }
        let trunks = config
            .trunks_tls()
            .map_err(|error| NotReloaded::Wrong(vec![error]))?;
        let mut changed = config.clone();
        // Users of the demonstration were decided at the start.
        for (name, user) in &self.config.users {
            if self.config.demo && !changed.users.contains_key(name) {
                changed.users.insert(name.clone(), user.clone());
            }
        }
        let settings = Settings {
            adjustment: adjustment(&changed),
            ring_timeout: changed.ring_timeout,
            emergency: changed.emergency.clone(),
            numbering: changed.numbering.clone(),
        };
        self.provisioning
            .reload(changed.clone(), settings)
            .await
            .map_err(|why| match why {
                ProvisioningError::Refused(Refused::AgentBusy) => {
                    NotReloaded::Busy("an agent who is no longer configured is in a call")
                }
                ProvisioningError::Refused(Refused::QueueBusy) => {
                    NotReloaded::Busy("a queue that is no longer configured has calls")
                }
                ProvisioningError::Refused(_) => NotReloaded::Busy("there is too much to do"),
                _ => NotReloaded::Wrong(vec!["the store cannot be read".into()]),
            })?;
        for (certificate, pair) in shown {
            certificate.replace(pair);
        }
        self.certificates.trunks.replace(trunks);
        let mut warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        let fixed = fixed(&self.config, &config);
        if !fixed.is_empty() {
            warnings.push(format!(
                "these settings changed and need a restart (`cordboard restart`): {}",
                fixed.join(", ")
            ));
        }
        let running = std::mem::replace(&mut self.config, changed);
        keep_fixed(running, &mut self.config);
        Ok(warnings)
    }
}

/// Settings of a configuration that signalling can change under calls.
pub(crate) fn adjustment(config: &Config) -> Adjustment {
    Adjustment {
        trunks: config.trunks.clone(),
        browser_codecs: config.media.browser_codecs.clone(),
        phone_codecs: config.media.phone_codecs.clone(),
        pass_through: config.media.pass_through.clone(),
        domains: config.domains.clone(),
        grace: config.grace,
        caps: config.limits.caps.clone(),
        quotas: (config.limits.trunks.clone(), config.limits.users.clone()),
        stir: config.shaken.stir.clone(),
        emergency: config.emergency.numbers.clone(),
    }
}

/// Names of settings that differ and are fixed at the start.
fn fixed(before: &Config, after: &Config) -> Vec<&'static str> {
    let media = (&before.media, &after.media);
    [
        ("http.listen", before.http.listen != after.http.listen),
        (
            "http.certificate",
            before.http.tls.is_some() != after.http.tls.is_some(),
        ),
        ("sip.udp", before.sip.udp != after.sip.udp),
        ("sip.tcp", before.sip.tcp != after.sip.tcp),
        ("sip.tls", before.sip.tls != after.sip.tls),
        ("sip.client_ca", before.sip.client_ca != after.sip.client_ca),
        ("sip.tls_host", before.sip.tls_host != after.sip.tls_host),
        (
            "sip.register_rate",
            before.sip.register_rate != after.sip.register_rate,
        ),
        ("upstream", before.upstream != after.upstream),
        (
            "sip.upstream_rate",
            before.sip.upstream_rate != after.sip.upstream_rate,
        ),
        ("sip.sha256", before.sip.sha256 != after.sip.sha256),
        ("media.browser_port", media.0.browser_port != media.1.browser_port),
        (
            "media.browser_addresses",
            media.0.browser_addresses != media.1.browser_addresses,
        ),
        (
            "media.phone_address",
            media.0.phone_addresses != media.1.phone_addresses,
        ),
        ("media.phone_ports", media.0.phone_ports != media.1.phone_ports),
        ("media.threads", media.0.threads != media.1.threads),
        ("media.prompts", media.0.prompts != media.1.prompts),
        ("media.language", media.0.language != media.1.language),
        ("media.inactivity", media.0.inactivity != media.1.inactivity),
        (
            "sip.session_expires",
            before.sip.session_expires != after.sip.session_expires,
        ),
        (
            "trusted_proxies",
            before.guard.trusted_proxies != after.guard.trusted_proxies,
        ),
        ("guard", before.guard.guard != after.guard.guard),
        ("messages", before.messages != after.messages),
        (
            "shaken.private_hosts",
            before.shaken.private_hosts != after.shaken.private_hosts,
        ),
        ("shaken.https_ca", before.shaken.https_ca != after.shaken.https_ca),
        ("advertise", before.advertise != after.advertise),
        ("origins", before.origins != after.origins),
        ("realm", before.realm != after.realm),
        ("store", before.store != after.store),
        ("state", before.state != after.state),
        ("durability", before.durability != after.durability),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

/// Keeps settings that are fixed at the start as they were then, so that the next reload names them again.
fn keep_fixed(running: Config, config: &mut Config) {
    let media = std::mem::replace(&mut config.media, running.media);
    config.media.browser_codecs = media.browser_codecs;
    config.media.phone_codecs = media.phone_codecs;
    config.media.pass_through = media.pass_through;
    config.http.listen = running.http.listen;
    if config.http.tls.is_some() != running.http.tls.is_some() {
        config.http.tls = running.http.tls;
    }
    let identity = config.sip.identity.take();
    config.sip = running.sip;
    if config.sip.identity.is_some() && identity.is_some() {
        config.sip.identity = identity;
    }
    config.advertise = running.advertise;
    config.origins = running.origins;
    config.realm = running.realm;
    config.store = running.store;
    config.state = running.state;
    config.durability = running.durability;
    config.guard = running.guard;
    config.messages = running.messages;
    config.shaken.private_hosts = running.shaken.private_hosts;
    config.shaken.https_ca = running.shaken.https_ca;
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parse(text: &str) -> Config {
        let text = format!("{text}\n[[users]]\nname = 'a'\npassword = 'a long secret'\n");
        Config::parse(Path::new("c.toml"), &text, &Overrides::default()).expect("good")
    }

    #[test]
    fn what_is_fixed_is_named_again_and_again_until_a_restart() {
        let mut running = parse("");
        let threads = if running.media.threads == 2 { 3 } else { 2 };
        let wanted = parse(&format!(
            "realm = 'other'\nring_timeout = 20\n[http]\nlisten = '127.0.0.1:8081'\n[media]\nthreads = {threads}\n",
        ));
        for _ in 0..2 {
            assert_eq!(
                fixed(&running, &wanted),
                ["http.listen", "media.threads", "realm"]
            );
            let before = std::mem::replace(&mut running, wanted.clone());
            keep_fixed(before, &mut running);
            assert_eq!(running.ring_timeout, Duration::from_secs(20));
        }
        assert!(fixed(&running, &parse("ring_timeout = 30")).is_empty());
        let mut recorded = running.clone();
        recorded.media.prompts = Some(Arc::default());
        assert_eq!(fixed(&running, &recorded), ["media.prompts"]);
    }
}
