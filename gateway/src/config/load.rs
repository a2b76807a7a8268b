//! A TOML file over the defaults.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use sip_stack::transport::tls::ClientAuthorities;
use toml::de::{DeTable, DeValue};

use super::read_caps::read_caps;
use super::read_choices::read_choices;
use super::read_dial::read_rules;
use super::read_emergency::read_emergency;
use super::read_feature_codes::read_feature_codes;
use super::read_groups::read_groups;
use super::read_media::{other_family, read_media};
use super::read_numbers::read_numbering;
use super::read_park::read_park;
use super::read_queues::read_queues;
use super::read_recording::read_recording;
use super::read_shaken::read_shaken;
use super::read_trunks::read_trunks;
use super::read_users::read_users;
use super::reader::{Reader, Section, boolean, filled, number, set, text, unknown};
use super::values::{
    account_name, domain, dscp, identity, ip, network, origin, readable, realm, seconds, seconds_or_never,
    socket, sockets, store,
};
use super::{Config, ConfigError, Overrides, Severity, doubts};

impl Config {
    /// Reads a file over the defaults. `overrides` wins over the file.
    ///
    /// # Errors
    /// All errors in the file, in its order.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Config, Vec<ConfigError>> {
        let Some(file) = file else {
            return Config::without_file(overrides);
        };
        let text = std::fs::read_to_string(file).map_err(|error| {
            vec![ConfigError {
                severity: Severity::Error,
                file: file.to_owned(),
                at: None,
                message: format!("cannot be read: {error}"),
            }]
        })?;
        Config::parse(file, &text, overrides)
    }

    fn without_file(overrides: &Overrides) -> Result<Config, Vec<ConfigError>> {
        let mut config = Config::on(overrides.listen.unwrap_or(IpAddr::from([127, 0, 0, 1])));
        config.advertise = overrides.advertise;
        config.first_admin.clone_from(&overrides.first_admin);
        match (config.beyond_loopback(), &config.first_admin) {
            (None, _) => config.add_demo(),
            (Some(_), Some(_)) => {}
            (Some(why), None) => {
                return Err(vec![ConfigError {
                    severity: Severity::Error,
                    file: PathBuf::new(),
                    at: None,
                    message: Config::explain_no_users(&why),
                }]);
            }
        }
        Ok(config)
    }

    /// Reads the text of a file over the defaults.
    ///
    /// # Errors
    /// All mistakes, in their order.
    pub fn parse(file: &Path, text: &str, overrides: &Overrides) -> Result<Config, Vec<ConfigError>> {
        let mut reader = Reader::new(file, text);
        let (table, broken) = DeTable::parse_recoverable(text);
        for error in &broken {
            reader.fail(error.span().unwrap_or(0..0), error.message().to_owned());
        }
        if !broken.is_empty() {
            // The rest of the file would be misread, and what follows an error in the same line is seldom
            // another error.
            reader.errors.sort_by_key(|error| error.at);
            reader.errors.dedup_by_key(|error| error.at.map(|(line, _)| line));
            return Err(reader.errors);
        }
        let mut root = Section::new("", table.get_ref());
        let base = file.parent().unwrap_or(Path::new("."));
        let mut config = read(&mut reader, &mut root, overrides, base);
        if reader.errors.is_empty() {
            doubts::note(&mut reader, &mut root, &config);
        }
        reader.finish(root);
        if reader.errors.is_empty() {
            reader.warnings.sort_by_key(|warning| warning.at);
            config.warnings = reader.warnings;
            Ok(config)
        } else {
            reader.errors.sort_by_key(|error| error.at);
            Err(reader.errors)
        }
    }
}

fn read<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, overrides: &Overrides, base: &Path) -> Config {
    let of_file = r.get(root, "listen", ip);
    let listen = overrides.listen.or(of_file);
    let mut config = Config::on(listen.unwrap_or(IpAddr::from([127, 0, 0, 1])));
    read_gateway(r, root, &mut config, overrides, base);
    read_guard(r, root, &mut config);
    read_messages(r, root, &mut config);
    read_listeners(r, root, &mut config, base);
    let named = r
        .section(root, "media")
        .is_some_and(|media| read_media(r, media, &mut config, base));
    if !named {
        let m = &mut config.media;
        m.phone_addresses
            .extend(other_family(&config.sip, &m.phone_addresses));
    }
    config.queues = read_queues(r, root);
    read_users(r, root, &mut config);
    config.groups = read_groups(r, root, &config);
    config.park = read_park(r, root, &config);
    config.feature_codes = read_feature_codes(r, root);
    set(&mut config.pause_reasons, read_choices(r, root, "pause_reasons"));
    set(&mut config.dispositions, read_choices(r, root, "dispositions"));
    config.numbering = read_numbering(r, root);
    config.shaken = read_shaken(r, root, config.numbering.clone(), base);
    config.limits.caps = read_caps(r, root);
    read_trunks(r, root, &mut config, base);
    config.recording = read_recording(r, root, &config, base);
    config.upstream = read_upstream(r, root, &config);
    let users = std::mem::take(&mut config.emergency.users);
    config.emergency = read_emergency(r, root, &config, users);
    check_sockets(r, root, &config);
    // Those of a PBX are users, though nobody here knows them.
    let is_nobody = config.upstream.is_none()
        && (root.written(&["users"]) == 0 || (config.users.is_empty() && r.errors.is_empty()));
    let trunk = || {
        let named = config.trunks.keys().next();
        let trunk = named.map_or_else(|| "a trunk".to_owned(), |name| format!("the trunk `{name}`"));
        (root.written(&["trunks"]) > 0).then(|| format!("{trunk} is configured"))
    };
    match is_nobody.then(|| trunk().or_else(|| config.beyond_loopback())) {
        Some(None) => {
            let rules = read_rules(r, root, &config, true);
            config.add_demo();
            config.rules.splice(0..0, rules);
        }
        beyond => {
            config.rules = read_rules(r, root, &config, false);
            if let (Some(Some(why)), None) = (beyond, &config.first_admin) {
                r.refuse(Config::explain_no_users(&why));
            }
        }
    }
    config
}

/// Reads `upstream`: the trunk that is a PBX whose users register through the gateway.
fn read_upstream<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &Config) -> Option<String> {
    let name = r.get(root, "upstream", filled)?;
    let at = root.span("upstream").unwrap_or_default();
    let Some(trunk) = config.trunks.get(&name) else {
        r.fail(at, unknown("upstream", "trunk", &name, config.trunks.keys()));
        return None;
    };
    if trunk.register.is_some() {
        r.fail(
            at,
            format!(
                "upstream: the trunk `{name}` has `register`: at a PBX upstream, users register themselves"
            ),
        );
        return None;
    }
    Some(name)
}

/// Reads the settings outside of any table.
fn read_gateway<'t>(
    r: &mut Reader<'t>,
    root: &mut Section<'t>,
    config: &mut Config,
    overrides: &Overrides,
    base: &Path,
) {
    let advertise = r.get(root, "advertise", ip);
    config.advertise = overrides.advertise.or(advertise);
    let first_admin = r.get(root, "first_admin", account_name);
    config.first_admin = overrides.first_admin.clone().or(first_admin);
    config.domains = r.list(root, "domains", domain).unwrap_or_default();
    config.origins = r.list(root, "origins", origin).unwrap_or_default();
    set(&mut config.realm, r.get(root, "realm", realm));
    set(
        &mut config.ring_timeout,
        r.get(root, "ring_timeout", |v| seconds(v, 5..=600)),
    );
    set(&mut config.store, r.get(root, "store", store));
    config.state = r.get(root, "state", |v| Ok(base.join(filled(v)?)));
    set(
        &mut config.durability,
        r.get(root, "durability", |v| {
            text(v)?
                .parse()
                .map_err(|_| "is neither \"full\" nor \"normal\"".to_owned())
        }),
    );
    set(&mut config.watch, r.get(root, "watch", boolean));
    set(&mut config.grace, r.get(root, "grace", |v| seconds(v, 0..=600)));
}

/// Reads `trusted_proxies` and `[guard]`.
fn read_guard<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &mut Config) {
    config.guard.trusted_proxies = r.list(root, "trusted_proxies", network).unwrap_or_default();
    let Some(mut guard) = r.section(root, "guard") else {
        return;
    };
    set(
        &mut config.guard.guard.ban,
        r.get(&mut guard, "ban", |v| seconds(v, 0..=86_400)),
    );
    config.guard.guard.allow = r.list(&mut guard, "allow", network).unwrap_or_default();
    r.finish(guard);
}

/// Reads `[messages]`.
fn read_messages<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &mut Config) {
    let Some(mut section) = r.section(root, "messages") else {
        return;
    };
    let size = |v: &DeValue<'_>, range| number(v, range).map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let messages = &mut config.messages;
    set(
        &mut messages.max_size,
        r.get(&mut section, "max_size", |v| size(v, 1..=60_000)),
    );
    set(
        &mut messages.keep,
        r.get(&mut section, "keep", |v| seconds(v, 0..=2_592_000)),
    );
    set(
        &mut messages.max_kept,
        r.get(&mut section, "max_kept", |v| size(v, 0..=1_000)),
    );
    r.finish(section);
}

/// Reads `[http]` and `[sip]`.
fn read_listeners<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &mut Config, base: &Path) {
    if let Some(mut http) = r.section(root, "http") {
        set(
            &mut config.http.listen,
            r.get(&mut http, "listen", |v| socket(v, 8080)),
        );
        config.http.tls = identity(r, &mut http, base);
        r.finish(http);
    }
    let Some(mut sip) = r.section(root, "sip") else {
        return;
    };
    set(&mut config.sip.udp, sockets(r, &mut sip, "udp", 5060));
    set(&mut config.sip.tcp, sockets(r, &mut sip, "tcp", 5060));
    set(&mut config.sip.tls, sockets(r, &mut sip, "tls", 5061));
    set(&mut config.sip.sha256, r.get(&mut sip, "sha256", boolean));
    set(
        &mut config.sip.session_expires,
        r.get(&mut sip, "session_expires", |v| seconds_or_never(v, 90..=86_400)),
    );
    set(
        &mut config.sip.register_rate,
        r.get(&mut sip, "register_rate", |v| {
            number(v, 1..=1_000).map(|n| n as u32)
        }),
    );
    set(&mut config.sip.dscp, r.get(&mut sip, "dscp", dscp));
    set(
        &mut config.sip.upstream_rate,
        r.get(&mut sip, "upstream_rate", |v| {
            number(v, 1..=10_000).map(|n| n as u32)
        }),
    );
    config.sip.identity = identity(r, &mut sip, base);
    read_tls_clients(r, &mut sip, config, base);
    // A certificate without key, or one that cannot be used, was reported already.
    if !config.sip.tls.is_empty() && sip.written(&["certificate", "key"]) == 0 {
        let span = sip.span("tls").unwrap_or(0..0);
        r.fail(span, "sip.tls also needs sip.certificate and sip.key");
    }
    r.finish(sip);
}

/// Reads `client_ca` and `tls_host`.
fn read_tls_clients<'t>(r: &mut Reader<'t>, sip: &mut Section<'t>, config: &mut Config, base: &Path) {
    config.sip.client_ca = r.get(sip, "client_ca", |v| {
        let path = readable(v, base)?;
        let pem = std::fs::read(&path).unwrap_or_default();
        ClientAuthorities::new(&pem)
            .map_err(|error| format!("{error}; it must be a PEM file with certificates"))?;
        Ok(path)
    });
    config.sip.tls_host = r.get(sip, "tls_host", domain);
    for key in ["client_ca", "tls_host"] {
        if let Some(at) = sip.span(key).filter(|_| config.sip.tls.is_empty()) {
            r.fail(
                at,
                format!("sip.{key} has a meaning with `tls` alone, where we listen for it"),
            );
        }
    }
}

/// Two listeners cannot have one socket.
fn check_sockets<'t>(r: &mut Reader<'t>, root: &Section<'t>, config: &Config) {
    let at = |key: &str| root.span(key).unwrap_or(0..0);
    for (name, taken) in [("tcp", &config.sip.tcp), ("tls", &config.sip.tls)] {
        if taken.iter().any(|s| s.port() != 0 && *s == config.http.listen) {
            r.fail(
                at("http"),
                format!("http.listen and sip.{name} are both {}", config.http.listen),
            );
        }
    }
    if let Some(both) = config
        .sip
        .tls
        .iter()
        .find(|s| s.port() != 0 && config.sip.tcp.contains(s))
    {
        r.fail(at("sip"), format!("sip.tcp and sip.tls are both {both}"));
    }
    let m = &config.media;
    let last = m
        .browser_port
        .saturating_add(u16::from(m.threads.saturating_sub(1)));
    if m.browser_port <= *m.phone_ports.end() && last >= *m.phone_ports.start() {
        let (low, high) = (m.phone_ports.start(), m.phone_ports.end());
        r.fail(
            at("media"),
            format!(
                "media: the browser ports {}-{last} lie within phone_ports {low}-{high}",
                m.browser_port
            ),
        );
    }
}
