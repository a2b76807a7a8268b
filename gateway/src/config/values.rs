//! Single values of the configuration, each read or refused with what would be right.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use call_engine::acd::Strategy;
use call_engine::{Action, Application};
use media_core::negotiated::{Codec, Passed};
use session_core::guard::Network;
use session_core::{HoldPolicy, MediaSource, PassThrough, Quota, SrtpPolicy};
use sip_core::flow::Transport;
use sip_stack::Dscp;
use sip_stack::transport::tls::{self, TlsError};
use toml::de::DeValue;

use super::reader::{Reader, Section, filled, kind, number, text};
use super::{Role, Storage, Tls};
use crate::auth::user::is_name;

pub(super) fn ip(value: &DeValue<'_>) -> Result<IpAddr, String> {
    let text = text(value)?;
    text.trim_matches(['[', ']'])
        .parse()
        .map_err(|_| format!("`{text}` is not an IP address, e.g. \"192.0.2.10\" or \"::1\""))
}

/// An address or a network.
pub(super) fn network(value: &DeValue<'_>) -> Result<Network, String> {
    let text = text(value)?;
    text.replace(['[', ']'], "").parse().map_err(|_| {
        format!(
            "`{text}` is not an address or network, e.g. \"192.0.2.10\", \"10.0.0.0/8\" or \"2001:db8::/32\""
        )
    })
}

pub(super) fn media_source(value: &DeValue<'_>) -> Result<MediaSource, String> {
    match text(value)? {
        "learn" => Ok(MediaSource::Learn),
        "strict" => Ok(MediaSource::Strict),
        other => Err(format!("`{other}` is neither \"learn\" nor \"strict\"")),
    }
}

pub(super) fn srtp(value: &DeValue<'_>) -> Result<SrtpPolicy, String> {
    match text(value)? {
        "off" => Ok(SrtpPolicy::Off),
        "optional" => Ok(SrtpPolicy::Optional),
        "required" => Ok(SrtpPolicy::Required),
        other => Err(format!("`{other}` is none of: off, optional, required")),
    }
}

pub(super) fn hold(value: &DeValue<'_>) -> Result<HoldPolicy, String> {
    match text(value)? {
        "auto" => Ok(HoldPolicy::Auto),
        "music" => Ok(HoldPolicy::Music),
        "pass" => Ok(HoldPolicy::Pass),
        other => Err(format!("`{other}` is none of: auto, music, pass")),
    }
}

/// A code point of differentiated services.
pub(super) fn dscp(value: &DeValue<'_>) -> Result<Dscp, String> {
    let value = number(value, 0..=63)?;
    u8::try_from(value)
        .ok()
        .and_then(Dscp::new)
        .ok_or_else(|| format!("{value} is no code point"))
}

pub(super) fn socket(value: &DeValue<'_>, port: u16) -> Result<SocketAddr, String> {
    let text = text(value)?;
    let bare = || {
        text.trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .map(|ip| SocketAddr::new(ip, port))
    };
    text.parse()
        .or_else(|_| bare())
        .map_err(|_| format!("`{text}` is not an address with a port, e.g. \"0.0.0.0:{port}\""))
}

/// Addresses, or `false` for none.
pub(super) fn sockets<'t>(
    r: &mut Reader<'t>,
    section: &mut Section<'t>,
    key: &'static str,
    port: u16,
) -> Option<Vec<SocketAddr>> {
    if section.is_false(key) {
        return Some(Vec::new());
    }
    let sockets = r.list(section, key, |v| match v.as_bool() {
        Some(_) => Err(format!("must be addresses, e.g. \"0.0.0.0:{port}\", or false")),
        None => socket(v, port),
    })?;
    if let Some((_, twice)) = sockets
        .iter()
        .enumerate()
        .find(|(i, s)| sockets[..*i].contains(s))
    {
        let at = section.span(key).unwrap_or(0..0);
        r.fail(at, format!("sip.{key}: {twice} is listed twice"));
    }
    Some(sockets)
}

pub(super) fn seconds(value: &DeValue<'_>, range: RangeInclusive<u64>) -> Result<Duration, String> {
    number(value, range)
        .map(Duration::from_secs)
        .map_err(|error| format!("{error} (seconds)"))
}

/// Seconds; 0: never.
pub(super) fn seconds_or_never(
    value: &DeValue<'_>,
    range: RangeInclusive<u64>,
) -> Result<Option<Duration>, String> {
    let never = number(value, 0..=0).is_ok();
    match never {
        true => Ok(None),
        false => seconds(value, range)
            .map(Some)
            .map_err(|error| format!("{error}, or 0 for never")),
    }
}

/// The user part of a SIP URI that needs no escape (RFC 3261 §25.1 `user`).
pub(super) fn user_name(value: &DeValue<'_>) -> Result<String, String> {
    let name = filled(value)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()&=+$,;?/".contains(c);
    match name.chars().find(|c| !fits(*c)) {
        Some(c) => Err(format!(
            "`{name}` contains {c:?}; a user name is like \"alice\" or \"1001\""
        )),
        None => Ok(name),
    }
}

/// A name that can sign in.
pub(super) fn account_name(value: &DeValue<'_>) -> Result<String, String> {
    let name = filled(value)?;
    if is_name(&name) {
        Ok(name)
    } else {
        Err(format!(
            "`{name}` cannot sign in; a name has up to 32 of a-z, 0-9, `.`, `-` and `_`, like \"admin\""
        ))
    }
}

pub(super) fn domain(value: &DeValue<'_>) -> Result<String, String> {
    let domain = filled(value)?;
    match host_port(value) {
        Ok((_, None)) => Ok(domain),
        _ => Err(format!("`{domain}` is not a domain, e.g. \"example.com\"")),
    }
}

pub(super) fn realm(value: &DeValue<'_>) -> Result<String, String> {
    let realm = filled(value)?;
    if realm.contains(['"', '\\']) || realm.contains(char::is_control) {
        return Err("must not contain quotes, backslashes or control characters".into());
    }
    Ok(realm)
}

pub(super) fn origin(value: &DeValue<'_>) -> Result<String, String> {
    let origin = filled(value)?;
    if origin == "*" {
        return Ok(origin);
    }
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains('/') => Ok(origin),
        _ => Err(format!(
            "`{origin}` is not a web origin, e.g. \"https://phone.example.com\" without a path"
        )),
    }
}

pub(super) fn host_port(value: &DeValue<'_>) -> Result<(String, Option<u16>), String> {
    let whole = filled(value)?;
    let wrong =
        || format!("`{whole}` is not a host or host:port, e.g. \"sip.example.com\" or \"192.0.2.5:5070\"");
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

/// `max_calls` and `max_rate` of a trunk or a user.
pub(super) fn quota<'t>(r: &mut Reader<'t>, section: &mut Section<'t>) -> Quota {
    Quota {
        calls: r.get(section, "max_calls", |v| {
            number(v, 1..=100_000).map(|n| n as usize)
        }),
        rate: r.get(section, "max_rate", |v| number(v, 1..=10_000).map(|n| n as u32)),
    }
}

pub(super) fn transport(value: &DeValue<'_>) -> Result<Transport, String> {
    match text(value)?.to_ascii_lowercase().as_str() {
        "udp" => Ok(Transport::Udp),
        "tcp" => Ok(Transport::Tcp),
        "tls" => Ok(Transport::Tls),
        other => Err(format!("`{other}` is none of: udp, tcp, tls")),
    }
}

/// `true`, `false`, or names of formats.
pub(super) fn pass_through(value: &DeValue<'_>) -> Result<PassThrough, String> {
    let names = match value {
        DeValue::Boolean(true) => return Ok(PassThrough::All),
        DeValue::Boolean(false) => return Ok(PassThrough::off()),
        DeValue::Array(names) => names.iter(),
        other => {
            return Err(format!(
                "is {}, but must be true, false, or a list of names, e.g. [\"G729\"]",
                kind(other)
            ));
        }
    };
    let names = names.map(|name| {
        let name = filled(name.get_ref())?;
        match Passed::is_name(&name) {
            true => Ok(name),
            false => Err(format!(
                "`{name}` is not the name of a format that is passed on, e.g. \"G729\", \"iLBC\" or \"AMR-WB\""
            )),
        }
    });
    Ok(PassThrough::Only(names.collect::<Result<_, String>>()?))
}

pub(super) fn codecs<'t>(
    r: &mut Reader<'t>,
    section: &mut Section<'t>,
    key: &'static str,
) -> Option<Vec<Codec>> {
    let codecs = r.list(section, key, |v| match text(v)?.to_ascii_lowercase().as_str() {
        "opus" => Ok(Codec::Opus),
        "pcmu" => Ok(Codec::Pcmu),
        "pcma" => Ok(Codec::Pcma),
        "g722" => Ok(Codec::G722),
        other => Err(format!("`{other}` is none of: opus, g722, pcmu, pcma")),
    })?;
    let at = section.span(key).unwrap_or(0..0);
    match codecs.iter().enumerate().find(|(i, c)| codecs[..*i].contains(c)) {
        _ if codecs.is_empty() => r.fail(at, format!("{key} is empty; omit it for the default")),
        Some((_, twice)) => r.fail(at, format!("{key} names {} twice", twice.name())),
        None => return Some(codecs),
    }
    None
}

pub(super) fn ports(value: &DeValue<'_>) -> Result<RangeInclusive<u16>, String> {
    let text = text(value)?;
    let wrong = || format!("`{text}` is not a port range with room for a call, e.g. \"20000-20999\"");
    let (low, high) = text.split_once('-').ok_or_else(wrong)?;
    match (low.trim().parse::<u16>(), high.trim().parse::<u16>()) {
        (Ok(low), Ok(high)) if low >= 1024 && low < high => Ok(low..=high),
        _ => Err(wrong()),
    }
}

pub(super) fn user_action(value: &DeValue<'_>) -> Result<Action, String> {
    match value {
        DeValue::Boolean(true) => Ok(Action::User(None)),
        DeValue::String(name) if !name.is_empty() => Ok(Action::User(Some(name.clone().into_owned()))),
        other => Err(format!(
            "is {}, but must be the name of a user, or true for the user that the number names",
            kind(other)
        )),
    }
}

pub(super) fn store(value: &DeValue<'_>) -> Result<Storage, String> {
    let url = text(value)?;
    if url == "memory" {
        Ok(Storage::Memory)
    } else if url.starts_with("sqlite:") || url.starts_with("postgres://") || url.starts_with("postgresql://")
    {
        Ok(Storage::Url(url.to_owned()))
    } else {
        // The URL may contain a password.
        Err("must be \"memory\" or like \"sqlite:/var/lib/cordboard/cordboard.db\" or \"postgres://user:password@host/database\"".into())
    }
}

pub(super) fn role(value: &DeValue<'_>) -> Result<Role, String> {
    match text(value)? {
        "agent" => Ok(Role::Agent),
        "supervisor" => Ok(Role::Supervisor),
        "admin" => Ok(Role::Admin),
        other => Err(format!("`{other}` is none of: agent, supervisor, admin")),
    }
}

pub(super) fn strategy(value: &DeValue<'_>) -> Result<Strategy, String> {
    let name = text(value)?;
    Strategy::ALL
        .into_iter()
        .find(|strategy| strategy.name() == name)
        .ok_or_else(|| {
            format!(
                "`{name}` is none of: {}",
                Strategy::ALL.map(Strategy::name).join(", ")
            )
        })
}

pub(super) fn application(value: &DeValue<'_>) -> Result<Action, String> {
    match text(value)? {
        "echo" => Ok(Action::Application(Application::Echo)),
        "music" => Ok(Action::Application(Application::Music)),
        "tone" => Ok(Action::Application(Application::Tone)),
        other => Err(format!("`{other}` is none of: echo, music, tone")),
    }
}

/// A file that can be read, by its path relative to `base`.
pub(super) fn readable(value: &DeValue<'_>, base: &Path) -> Result<PathBuf, String> {
    let path = base.join(filled(value)?);
    match std::fs::File::open(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// Certificate and key of a section; paths are relative to the file's folder.
pub(super) fn identity<'t>(r: &mut Reader<'t>, section: &mut Section<'t>, base: &Path) -> Option<Tls> {
    let certificate = r.get(section, "certificate", |v| readable(v, base));
    let key = r.get(section, "key", |v| readable(v, base));
    for (here, there) in [("certificate", "key"), ("key", "certificate")] {
        if let (Some(span), None) = (section.span(here), section.span(there)) {
            r.fail(span, format!("{here} also needs {there}"));
        }
    }
    let (certificate, key) = (certificate?, key?);
    let read = |path: &Path| std::fs::read(path).unwrap_or_default();
    if let Err(error) = tls::server_config(&read(&certificate), &read(&key), &[]) {
        let (file, right) = match error {
            TlsError::Certificate(_) => ("certificate", "it must be a PEM file with the chain, leaf first"),
            TlsError::Key(_) => ("key", "it must be a PEM file with the private key, not encrypted"),
            TlsError::Unusable(_) => ("key", "it must be the key of the first certificate of the chain"),
        };
        let at = section.span(file).unwrap_or(0..0);
        r.fail(at, format!("{error}; {right}"));
    }
    Some(Tls { certificate, key })
}
