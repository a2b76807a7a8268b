//! A TOML file over the defaults.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use call_engine::{Action, Application, Pattern, Rule};
use media_core::negotiated::Codec;
use session_core::{Trunk, User};
use sip_core::flow::Transport;
use toml::de::{DeTable, DeValue};

use super::reader::{Reader, Section, boolean, filled, kind, list, number, text};
use super::{Config, ConfigError, Tls};

impl Config {
    /// Reads a file over the defaults. `listen` and `advertise`, from the command line or the environment, win over the
    /// file's own.
    ///
    /// # Errors
    /// All mistakes in the file, in its order.
    pub fn load(
        file: Option<&Path>,
        listen: Option<IpAddr>,
        advertise: Option<IpAddr>,
    ) -> Result<Config, Vec<ConfigError>> {
        let mut config = match file {
            Some(file) => {
                let whole = |message: String| {
                    vec![ConfigError {
                        file: file.to_owned(),
                        at: None,
                        message,
                    }]
                };
                let text =
                    std::fs::read_to_string(file).map_err(|e| whole(format!("cannot be read: {e}")))?;
                Config::parse(file, &text, listen)?
            }
            None => {
                let mut config = Config::on(listen.unwrap_or(IpAddr::from([127, 0, 0, 1])));
                config.add_demo();
                config
            }
        };
        config.advertise = advertise.or(config.advertise);
        Ok(config)
    }

    /// Reads the text of a file over the defaults.
    ///
    /// # Errors
    /// All mistakes, in their order.
    pub fn parse(file: &Path, text: &str, listen: Option<IpAddr>) -> Result<Config, Vec<ConfigError>> {
        let mut reader = Reader::new(file, text);
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                reader.fail(error.span().unwrap_or(0..0), error.message().to_owned());
                return Err(reader.errors);
            }
        };
        let mut root = Section::new("", table.get_ref());
        let config = read(
            &mut reader,
            &mut root,
            listen,
            file.parent().unwrap_or(Path::new(".")),
        );
        reader.finish(root);
        if reader.errors.is_empty() {
            Ok(config)
        } else {
            reader.errors.sort_by_key(|error| error.at);
            Err(reader.errors)
        }
    }
}

fn read<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, listen: Option<IpAddr>, base: &Path) -> Config {
    let of_file = r.get(root, "listen", ip);
    let mut config = Config::on(listen.or(of_file).unwrap_or(IpAddr::from([127, 0, 0, 1])));
    config.advertise = r.get(root, "advertise", ip);
    config.domains = r.get(root, "domains", |v| list(v, filled)).unwrap_or_default();
    config.origins = r.get(root, "origins", |v| list(v, origin)).unwrap_or_default();
    set(&mut config.realm, r.get(root, "realm", realm));
    set(
        &mut config.ring_timeout,
        r.get(root, "ring_timeout", |v| seconds(v, 5..=600)),
    );
    set(&mut config.grace, r.get(root, "grace", |v| seconds(v, 0..=600)));
    if let Some(mut http) = r.section(root, "http") {
        set(
            &mut config.http.listen,
            r.get(&mut http, "listen", |v| socket(v, 8080)),
        );
        config.http.tls = identity(r, &mut http, base);
        r.finish(http);
    }
    if let Some(mut sip) = r.section(root, "sip") {
        set(&mut config.sip.udp, r.get(&mut sip, "udp", |v| sockets(v, 5060)));
        set(&mut config.sip.tcp, r.get(&mut sip, "tcp", |v| sockets(v, 5060)));
        set(&mut config.sip.tls, r.get(&mut sip, "tls", |v| sockets(v, 5061)));
        set(&mut config.sip.sha256, r.get(&mut sip, "sha256", boolean));
        config.sip.identity = identity(r, &mut sip, base);
        if !config.sip.tls.is_empty() && config.sip.identity.is_none() {
            let span = sip.span("tls").unwrap_or(0..0);
            r.fail(span, "sip.tls needs sip.certificate and sip.key beside it");
        }
        r.finish(sip);
    }
    if let Some(media) = r.section(root, "media") {
        read_media(r, media, &mut config);
    }
    config.users = read_users(r, root);
    config.trunks = read_trunks(r, root);
    if config.users.is_empty() {
        let rules = read_rules(r, root, &config, true);
        config.add_demo();
        config.rules.splice(0..0, rules);
    } else {
        config.rules = read_rules(r, root, &config, false);
    }
    config
}

fn read_media<'t>(r: &mut Reader<'t>, mut media: Section<'t>, config: &mut Config) {
    let m = &mut config.media;
    set(
        &mut m.browser_port,
        r.get(&mut media, "browser_port", |v| {
            number(v, 1..=65_535).map(|n| n as u16)
        }),
    );
    set(
        &mut m.browser_addresses,
        r.get(&mut media, "browser_addresses", |v| list(v, ip)),
    );
    set(&mut m.phone_address, r.get(&mut media, "phone_address", ip));
    set(&mut m.phone_ports, r.get(&mut media, "phone_ports", ports));
    set(
        &mut m.threads,
        r.get(&mut media, "threads", |v| number(v, 1..=64).map(|n| n as u8)),
    );
    set(&mut m.browser_codecs, r.get(&mut media, "browser_codecs", codecs));
    set(&mut m.phone_codecs, r.get(&mut media, "phone_codecs", codecs));
    r.finish(media);
}

fn read_users<'t>(r: &mut Reader<'t>, root: &mut Section<'t>) -> BTreeMap<String, User> {
    let mut users = BTreeMap::new();
    for (mut section, span) in r.sections(root, "users") {
        let name = r.need(&mut section, "name", &span, filled);
        let password = r.need(&mut section, "password", &span, filled);
        let display = r
            .get(&mut section, "display", |v| text(v).map(str::to_owned))
            .unwrap_or_default();
        if let (Some(name), Some(password)) = (name, password) {
            let at = section.span("name").unwrap_or(span);
            if users.insert(name.clone(), User { password, display }).is_some() {
                r.fail(at, format!("users.name: there are two users `{name}`"));
            }
        }
        r.finish(section);
    }
    users
}

fn read_trunks<'t>(r: &mut Reader<'t>, root: &mut Section<'t>) -> BTreeMap<String, Trunk> {
    let mut trunks = BTreeMap::new();
    for (mut section, span) in r.sections(root, "trunks") {
        let name = r.need(&mut section, "name", &span, filled);
        let address = r.need(&mut section, "address", &span, host_port);
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
        let codecs = r.get(&mut section, "codecs", codecs).unwrap_or_default();
        let sources = r.get(&mut section, "sources", |v| list(v, ip));
        if let (Some(name), Some((host, port))) = (name, address) {
            let sources = sources.unwrap_or_else(|| addresses(&host));
            let trunk = Trunk {
                host,
                port,
                transport,
                sources,
                username,
                password,
                codecs,
            };
            let at = section.span("name").unwrap_or(span);
            if trunks.insert(name.clone(), trunk).is_some() {
                r.fail(at, format!("trunks.name: there are two trunks `{name}`"));
            }
        }
        r.finish(section);
    }
    trunks
}

fn read_rules<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &Config, demo: bool) -> Vec<Rule> {
    let mut rules = Vec::new();
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
        let actions: Vec<Action> = [
            r.get(&mut section, "user", user_action),
            r.get(&mut section, "trunk", filled).map(Action::Trunk),
            r.get(&mut section, "application", application),
            r.get(&mut section, "demo_phone", boolean)
                .filter(|yes| *yes)
                .map(|_| Action::DemoPhone),
            r.get(&mut section, "reject", |v| number(v, 400..=699))
                .map(|code| Action::Reject(code as u16)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let at =
            |section: &Section<'t>, key: &str, span: &Range<usize>| section.span(key).unwrap_or(span.clone());
        match actions.as_slice() {
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
                    Action::DemoPhone if !demo => {
                        let at = at(&section, "demo_phone", &span);
                        r.fail(
                            at,
                            "dial.demo_phone: the demo phone is there only while no [[users]] are configured",
                        );
                    }
                    _ => {}
                }
                if let (Some(pattern), Some(rewrite)) = (&pattern, &rewrite) {
                    check_rewrite(r, &section, pattern, rewrite, &span);
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
            [] if ["user", "trunk", "application", "demo_phone", "reject"]
                .iter()
                .any(|k| section.span(k).is_some()) => {}
            _ => r.fail(
                span,
                "a [[dial]] rule needs exactly one of: user, trunk, application, demo_phone, reject",
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

fn unknown<'n>(key: &str, what: &str, name: &str, known: impl Iterator<Item = &'n String>) -> String {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let known = if known.is_empty() {
        format!("no {what} is configured")
    } else {
        format!("known: {}", known.join(", "))
    };
    format!("{key}: there is no {what} `{name}`; {known}")
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn ip(value: &DeValue<'_>) -> Result<IpAddr, String> {
    let text = text(value)?;
    text.trim_matches(['[', ']'])
        .parse()
        .map_err(|_| format!("`{text}` is no IP address, e.g. \"192.0.2.10\" or \"::1\""))
}

fn socket(value: &DeValue<'_>, port: u16) -> Result<SocketAddr, String> {
    let text = text(value)?;
    let bare = || {
        text.trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .map(|ip| SocketAddr::new(ip, port))
    };
    text.parse()
        .or_else(|_| bare())
        .map_err(|_| format!("`{text}` is no address and port, e.g. \"0.0.0.0:{port}\""))
}

/// Addresses, or `false` for none.
fn sockets(value: &DeValue<'_>, port: u16) -> Result<Vec<SocketAddr>, String> {
    match value.as_bool() {
        Some(false) => Ok(Vec::new()),
        Some(true) => Err(format!(
            "is true, but must be addresses, e.g. \"0.0.0.0:{port}\", or false"
        )),
        None => list(value, |v| socket(v, port)),
    }
}

fn seconds(value: &DeValue<'_>, range: RangeInclusive<u64>) -> Result<Duration, String> {
    number(value, range)
        .map(Duration::from_secs)
        .map_err(|error| format!("{error} (seconds)"))
}

fn realm(value: &DeValue<'_>) -> Result<String, String> {
    let realm = filled(value)?;
    if realm.contains(['"', '\\']) || realm.contains(char::is_control) {
        return Err("must not contain quotes, backslashes or control characters".into());
    }
    Ok(realm)
}

fn origin(value: &DeValue<'_>) -> Result<String, String> {
    let origin = filled(value)?;
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains('/') => Ok(origin),
        _ => Err(format!(
            "`{origin}` is no web origin, e.g. \"https://phone.example.com\" without a path"
        )),
    }
}

fn host_port(value: &DeValue<'_>) -> Result<(String, Option<u16>), String> {
    let whole = filled(value)?;
    let wrong =
        || format!("`{whole}` is no host or host:port, e.g. \"sip.example.com\" or \"192.0.2.5:5070\"");
    if let Ok(ip) = whole.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok((bracketed(ip), None));
    }
    if let Ok(socket) = whole.parse::<SocketAddr>() {
        return Ok((bracketed(socket.ip()), Some(socket.port())));
    }
    let (host, port) = match whole.rsplit_once(':') {
        Some((host, port)) => (
            host,
            Some(port.parse::<u16>().ok().filter(|p| *p > 0).ok_or_else(wrong)?),
        ),
        None => (&*whole, None),
    };
    let label = |l: &str| {
        !l.is_empty()
            && l.chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if host.trim_end_matches('.').split('.').all(label) {
        Ok((host.to_owned(), port))
    } else {
        Err(wrong())
    }
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The addresses of a trunk's host, for knowing its calls when `sources` does not list them.
fn addresses(host: &str) -> Vec<IpAddr> {
    if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
        return vec![ip];
    }
    let mut found: Vec<IpAddr> = (host, 5060)
        .to_socket_addrs()
        .map(|all| all.map(|a| a.ip()).collect())
        .unwrap_or_default();
    found.sort_unstable();
    found.dedup();
    found
}

fn transport(value: &DeValue<'_>) -> Result<Transport, String> {
    match text(value)?.to_ascii_lowercase().as_str() {
        "udp" => Ok(Transport::Udp),
        "tcp" => Ok(Transport::Tcp),
        "tls" => Ok(Transport::Tls),
        other => Err(format!("`{other}` is none of: udp, tcp, tls")),
    }
}

fn codecs(value: &DeValue<'_>) -> Result<Vec<Codec>, String> {
    let codecs = list(value, |v| match text(v)?.to_ascii_lowercase().as_str() {
        "opus" => Ok(Codec::Opus),
        "pcmu" => Ok(Codec::Pcmu),
        "pcma" => Ok(Codec::Pcma),
        other => Err(format!("`{other}` is none of: opus, pcmu, pcma")),
    })?;
    match codecs.iter().enumerate().find(|(i, c)| codecs[..*i].contains(c)) {
        _ if codecs.is_empty() => Err("is empty; leave it out for the default".into()),
        Some((_, twice)) => Err(format!("names {} twice", twice.name())),
        None => Ok(codecs),
    }
}

fn ports(value: &DeValue<'_>) -> Result<RangeInclusive<u16>, String> {
    let text = text(value)?;
    let wrong = || format!("`{text}` is no range of ports with room for a call, e.g. \"20000-20999\"");
    let (low, high) = text.split_once('-').ok_or_else(wrong)?;
    match (low.trim().parse::<u16>(), high.trim().parse::<u16>()) {
        (Ok(low), Ok(high)) if low >= 1024 && low < high => Ok(low..=high),
        _ => Err(wrong()),
    }
}

fn user_action(value: &DeValue<'_>) -> Result<Action, String> {
    match value {
        DeValue::Boolean(true) => Ok(Action::User(None)),
        DeValue::String(name) if !name.is_empty() => Ok(Action::User(Some(name.clone().into_owned()))),
        other => Err(format!(
            "is {}, but must be the name of a user, or true for the user that the number names",
            kind(other)
        )),
    }
}

fn application(value: &DeValue<'_>) -> Result<Action, String> {
    match text(value)? {
        "echo" => Ok(Action::Application(Application::Echo)),
        "music" => Ok(Action::Application(Application::Music)),
        "tone" => Ok(Action::Application(Application::Tone)),
        other => Err(format!("`{other}` is none of: echo, music, tone")),
    }
}

/// Certificate and key of a section; paths are relative to the file's folder.
fn identity<'t>(r: &mut Reader<'t>, section: &mut Section<'t>, base: &Path) -> Option<Tls> {
    let path = |v: &DeValue<'_>| -> Result<PathBuf, String> {
        let path = base.join(filled(v)?);
        match std::fs::File::open(&path) {
            Ok(_) => Ok(path),
            Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
        }
    };
    let certificate = r.get(section, "certificate", path);
    let key = r.get(section, "key", path);
    for (here, there) in [("certificate", "key"), ("key", "certificate")] {
        if let (Some(span), None) = (section.span(here), section.span(there)) {
            r.fail(span, format!("{here} needs {there} beside it"));
        }
    }
    Some(Tls {
        certificate: certificate?,
        key: key?,
    })
}
