//! A TOML file over the defaults.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use call_engine::{Action, Pattern, Rule};
use session_core::{Quota, Trunk};
use sip_core::flow::Transport;
use toml::de::DeTable;

use super::demo::{DEMO_PHONE, DEMO_QUEUES};
use super::read_centre::{priority, read_choices, read_queues, read_users};
use super::reader::{Reader, Section, boolean, filled, number, text};
use super::values::{
    account_name, application, codecs, domain, host_port, identity, ip, media_source, network, origin, ports,
    quota, realm, seconds, seconds_or_never, socket, sockets, store, transport, user_action,
};
use super::{Config, ConfigError, Overrides, Severity, Sip, doubts, prompts};

/// Time that a trunk may stay silent, unless configured: four transmissions over UDP.
const TRUNK_TIMEOUT: Duration = Duration::from_secs(5);

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
    config.guard.trusted_proxies = r.list(root, "trusted_proxies", network).unwrap_or_default();
    if let Some(mut guard) = r.section(root, "guard") {
        set(
            &mut config.guard.guard.ban,
            r.get(&mut guard, "ban", |v| seconds(v, 0..=86_400)),
        );
        config.guard.guard.allow = r.list(&mut guard, "allow", network).unwrap_or_default();
        r.finish(guard);
    }
    if let Some(mut http) = r.section(root, "http") {
        set(
            &mut config.http.listen,
            r.get(&mut http, "listen", |v| socket(v, 8080)),
        );
        config.http.tls = identity(r, &mut http, base);
        r.finish(http);
    }
    if let Some(mut sip) = r.section(root, "sip") {
        set(&mut config.sip.udp, sockets(r, &mut sip, "udp", 5060));
        set(&mut config.sip.tcp, sockets(r, &mut sip, "tcp", 5060));
        set(&mut config.sip.tls, sockets(r, &mut sip, "tls", 5061));
        set(&mut config.sip.sha256, r.get(&mut sip, "sha256", boolean));
        set(
            &mut config.sip.session_expires,
            r.get(&mut sip, "session_expires", |v| seconds_or_never(v, 90..=86_400)),
        );
        config.sip.identity = identity(r, &mut sip, base);
        // A certificate without key, or one that cannot be used, was reported already.
        if !config.sip.tls.is_empty() && sip.written(&["certificate", "key"]) == 0 {
            let span = sip.span("tls").unwrap_or(0..0);
            r.fail(span, "sip.tls also needs sip.certificate and sip.key");
        }
        r.finish(sip);
    }
    let named = r
        .section(root, "media")
        .is_some_and(|media| read_media(r, media, &mut config, base));
    if !named {
        let m = &mut config.media;
        m.phone_addresses
            .extend(other_family(&config.sip, &m.phone_addresses));
    }
    config.queues = read_queues(r, root);
    (config.users, config.staff) = read_users(r, root, &config.queues, &mut config.limits.users);
    set(&mut config.pause_reasons, read_choices(r, root, "pause_reasons"));
    set(&mut config.dispositions, read_choices(r, root, "dispositions"));
    (config.trunks, config.trunk_places) = read_trunks(r, root, &mut config.limits.trunks);
    check_sockets(r, root, &config);
    let is_nobody = root.written(&["users"]) == 0 || (config.users.is_empty() && r.errors.is_empty());
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

/// Reads `[media]`. True if it names the addresses for phones.
fn read_media<'t>(r: &mut Reader<'t>, mut media: Section<'t>, config: &mut Config, base: &Path) -> bool {
    let m = &mut config.media;
    set(
        &mut m.browser_port,
        r.get(&mut media, "browser_port", |v| {
            number(v, 1..=65_535).map(|n| n as u16)
        }),
    );
    set(
        &mut m.browser_addresses,
        r.list(&mut media, "browser_addresses", ip),
    );
    let addresses = r.list(&mut media, "phone_address", ip);
    let named = addresses.is_some();
    if let Some(addresses) = addresses {
        let twice = matches!(addresses[..], [a, b] if a.is_ipv4() == b.is_ipv4());
        if twice || !(1..=2).contains(&addresses.len()) {
            let at = media.span("phone_address").unwrap_or(0..0);
            r.fail(
                at,
                "media.phone_address must be one address, or an IPv4 and an IPv6 address",
            );
        }
        m.phone_addresses = addresses;
    }
    set(&mut m.phone_ports, r.get(&mut media, "phone_ports", ports));
    set(
        &mut m.inactivity,
        r.get(&mut media, "inactivity", |v| seconds_or_never(v, 5..=86_400)),
    );
    set(
        &mut m.threads,
        r.get(&mut media, "threads", |v| number(v, 1..=64).map(|n| n as u8)),
    );
    set(&mut m.browser_codecs, codecs(r, &mut media, "browser_codecs"));
    set(&mut m.phone_codecs, codecs(r, &mut media, "phone_codecs"));
    if let Some(directory) = r.get(&mut media, "prompts", filled) {
        match prompts::read(&base.join(directory)) {
            Ok(prompts) => m.prompts = Some(prompts),
            Err(wrong) => {
                let at = media.span("prompts").unwrap_or(0..0);
                for message in wrong {
                    r.fail(at.clone(), format!("media.prompts: {message}"));
                }
            }
        }
    }
    if let Some(language) = r.get(&mut media, "language", filled) {
        // A gateway without any prompts says so when it starts.
        let known: Vec<&str> = crate::prompts::languages().collect();
        if !known.is_empty() && !known.contains(&&*language) {
            let at = media.span("language").unwrap_or(0..0);
            let known = known.join(", ");
            r.fail(
                at,
                format!("media.language: the gateway has no prompts in {language:?}, only in {known}"),
            );
        }
        m.language = language;
    }
    r.finish(media);
    named
}

/// An address of the family that is missing in `addresses`, if SIP listens on one: phones there have media of
/// that family.
fn other_family(sip: &Sip, addresses: &[IpAddr]) -> Option<IpAddr> {
    let [first] = *addresses else { return None };
    let listeners = sip.udp.iter().chain(&sip.tcp).chain(&sip.tls);
    listeners
        .map(SocketAddr::ip)
        .find(|ip| ip.is_ipv4() != first.is_ipv4())
}

/// Trunks by name, and the places of their addresses.
type Trunks = (BTreeMap<String, Trunk>, BTreeMap<String, (usize, usize)>);

fn read_trunks<'t>(
    r: &mut Reader<'t>,
    root: &mut Section<'t>,
    limits: &mut BTreeMap<String, Quota>,
) -> Trunks {
    let mut trunks = BTreeMap::new();
    let mut places = BTreeMap::new();
    for (mut section, span) in r.sections(root, "trunks") {
        let name = r.need(&mut section, "name", &span, filled);
        // A wrong address was reported; the trunk's name stays known to the following checks.
        let address = r
            .need(&mut section, "address", &span, host_port)
            .unwrap_or_default();
        let transport = r
            .get(&mut section, "transport", transport)
            .unwrap_or(Transport::Udp);
        let username = r.get(&mut section, "username", filled);
        let password = r.get(&mut section, "password", filled);
        if username.is_some() != password.is_some() {
            r.fail(
                span.clone(),
                "trunks.username and trunks.password go together: one of them is missing",
            );
        }
        let timeout = r.get(&mut section, "timeout", |v| seconds(v, 1..=32));
        let codecs = codecs(r, &mut section, "codecs").unwrap_or_default();
        let media_source = r
            .get(&mut section, "media_source", media_source)
            .unwrap_or_default();
        let sources = r.list(&mut section, "sources", ip);
        let trusted = r.get(&mut section, "trusted", boolean).unwrap_or(true);
        let late_offer = r.get(&mut section, "late_offer", boolean).unwrap_or_default();
        let quota = quota(r, &mut section);
        if let Some(name) = name {
            limits.insert(name.clone(), quota);
            let (host, port) = address;
            // The stack follows a name: it may resolve later, or to something else.
            let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
            let follows_name = sources.is_none() && literal.is_none();
            let sources = sources.unwrap_or_else(|| literal.into_iter().collect());
            let trunk = Trunk {
                host,
                port,
                transport,
                sources,
                follows_name,
                username,
                password,
                timeout: Some(timeout.unwrap_or(TRUNK_TIMEOUT)),
                codecs,
                late_offer,
                trusted,
                media_source,
            };
            if let Some(address) = section.span("address") {
                places.insert(name.clone(), r.place(&address));
            }
            let at = section.span("name").unwrap_or(span);
            if trunks.insert(name.clone(), trunk).is_some() {
                r.fail(at, format!("trunks.name: there are two trunks `{name}`"));
            }
        }
        r.finish(section);
    }
    (trunks, places)
}

fn read_rules<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &Config, demo: bool) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut queues: Vec<String> = config.queues.iter().map(|queue| queue.name.clone()).collect();
    if demo && queues.is_empty() {
        queues.extend(DEMO_QUEUES.map(|(name, ..)| name.to_owned()));
    }
    for (mut section, span) in r.sections(root, "dial") {
        let pattern = r.need(&mut section, "match", &span, |v| {
            Pattern::parse(text(v)?).map_err(|error| error.to_string())
        });
        let from_trunk = r.get(&mut section, "from", filled);
        if let Some(name) = from_trunk
            .as_ref()
            .filter(|name| !config.trunks.contains_key(*name))
        {
            let at = section.span("from").unwrap_or(span.clone());
            r.fail(at, unknown("dial.from", "trunk", name, config.trunks.keys()));
        }
        let rewrite = r.get(&mut section, "rewrite", |v| text(v).map(str::to_owned));
        let of_call = r.get(&mut section, "priority", priority);
        if let (Some(at), None) = (section.span("priority"), section.span("queue")) {
            r.fail(
                at,
                "dial.priority: only calls to a queue have a priority; add queue",
            );
        }
        let actions: Vec<Action> = [
            r.get(&mut section, "user", user_action),
            r.get(&mut section, "trunk", filled).map(Action::Trunk),
            r.get(&mut section, "queue", filled).map(|name| Action::Queue {
                name,
                priority: of_call,
            }),
            r.get(&mut section, "application", application),
            r.get(&mut section, "demo_phone", boolean)
                .filter(|yes| *yes)
                .map(|_| Action::Peer(DEMO_PHONE.into())),
            r.get(&mut section, "reject", |v| number(v, 400..=699))
                .map(|code| Action::Reject(code as u16)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let at =
            |section: &Section<'t>, key: &str, span: &Range<usize>| section.span(key).unwrap_or(span.clone());
        const ACTIONS: [&str; 6] = ["user", "trunk", "queue", "application", "demo_phone", "reject"];
        match actions.as_slice() {
            _ if section.written(&ACTIONS) > 1 => {
                r.fail(
                    span,
                    format!("a [[dial]] rule needs exactly one of: {}", ACTIONS.join(", ")),
                );
            }
            [action] => {
                match action {
                    Action::User(Some(name)) if !config.users.contains_key(name) => {
                        let at = at(&section, "user", &span);
                        r.fail(at, unknown("dial.user", "user", name, config.users.keys()));
                    }
                    Action::Trunk(name) if !config.trunks.contains_key(name) => {
                        let at = at(&section, "trunk", &span);
                        r.fail(at, unknown("dial.trunk", "trunk", name, config.trunks.keys()));
                    }
                    Action::Queue { name, .. } if !queues.iter().any(|queue| queue == name) => {
                        let at = at(&section, "queue", &span);
                        r.fail(at, unknown("dial.queue", "queue", name, queues.iter()));
                    }
                    Action::Peer(_) if !demo => {
                        let at = at(&section, "demo_phone", &span);
                        r.fail(
                            at,
                            "dial.demo_phone: the demo phone exists only in the demonstration: without [[users]] and [[trunks]], on loopback",
                        );
                    }
                    _ => {}
                }
                if let (Some(pattern), Some(rewrite)) = (&pattern, &rewrite) {
                    check_rewrite(r, &section, pattern, rewrite, &span);
                }
                let same =
                    |rule: &&Rule| Some(&rule.pattern) == pattern.as_ref() && rule.from_trunk == from_trunk;
                if let Some(earlier) = rules.iter().find(same) {
                    let message = format!(
                        "dial.match: this rule is never reached: `{}` is above it",
                        earlier.pattern.as_str()
                    );
                    r.fail(at(&section, "match", &span), message);
                }
                if let Some(pattern) = pattern {
                    rules.push(Rule {
                        pattern,
                        from_trunk,
                        rewrite,
                        action: action.clone(),
                    });
                }
            }
            // Something was written but is wrong in itself: told already.
            [] if section.written(&ACTIONS) > 0 => {}
            _ => r.fail(
                span,
                format!("a [[dial]] rule needs exactly one of: {}", ACTIONS.join(", ")),
            ),
        }
        r.finish(section);
    }
    rules
}

fn check_rewrite<'t>(
    r: &mut Reader<'t>,
    section: &Section<'t>,
    pattern: &Pattern,
    rewrite: &str,
    span: &Range<usize>,
) {
    let highest = rewrite
        .split('$')
        .skip(1)
        .filter_map(|rest| rest.chars().next()?.to_digit(10))
        .max()
        .unwrap_or(0);
    if highest as usize > pattern.captures() {
        let at = section.span("rewrite").unwrap_or(span.clone());
        let message = format!(
            "dial.rewrite: there is no ${highest}: `{}` has {} pair(s) of parentheses",
            pattern.as_str(),
            pattern.captures()
        );
        r.fail(at, message);
    }
}

pub(super) fn unknown<'n>(
    key: &str,
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'n String>,
) -> String {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let known = if known.is_empty() {
        format!("no {what} is configured")
    } else {
        format!("known: {}", known.join(", "))
    };
    format!("{key}: there is no {what} `{name}`; {known}")
}

pub(super) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}
