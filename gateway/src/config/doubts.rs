//! Warnings: settings that are legal and surely not meant. None of them stops the gateway.

mod reach;

use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use call_engine::{Action, CallRequest, Decision, Origin, Rule};
use jiff::Timestamp;
use sans_io::Time;
use sip_stack::transport::local_addresses;

use super::Config;
use super::certificate::expiry;
use super::reader::{Reader, Section, filled, text};
use super::values::ip;

/// Minimum length of a password; shorter ones are easily guessed.
const PASSWORD: usize = 8;

/// Remaining validity below which a certificate should have been renewed.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// Passwords that every scanner tries.
const COMMON: [&str; 8] = [
    "cordboard",
    "password",
    "passw0rd",
    "12345678",
    "123456789",
    "1234567890",
    "changeme",
    "qwertyui",
];

/// Adds a warning for everything doubtful in a file without errors.
pub(super) fn note<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &Config) {
    listeners(r, root);
    certificates(r, root, config);
    users(r, root, config);
    trunks(r, root, config);
    rules(r, root, config);
    reach::note(r, root, config);
}

/// Warns of listeners on addresses that this host does not have.
fn listeners<'t>(r: &mut Reader<'t>, root: &mut Section<'t>) {
    let ours = local_addresses().unwrap_or_default();
    let foreign = |ip: &IpAddr| !ip.is_unspecified() && !ip.is_loopback() && !ours.contains(ip);
    let mut found: Vec<(Range<usize>, String, IpAddr)> = Vec::new();
    let mut keys = |r: &mut Reader<'t>, section: &mut Section<'t>, names: &[&'static str]| {
        for key in names {
            let path = section.path(key);
            for (value, span) in r.values(section, key) {
                let Ok(text) = text(value) else { continue };
                let bare = ip(value).ok();
                let Some(ip) = bare.or_else(|| Some(text.parse::<std::net::SocketAddr>().ok()?.ip())) else {
                    continue;
                };
                if foreign(&ip) {
                    found.push((span, path.clone(), ip));
                }
            }
        }
    };
    keys(r, root, &["listen"]);
    if let Some(mut http) = r.section(root, "http") {
        keys(r, &mut http, &["listen"]);
    }
    if let Some(mut sip) = r.section(root, "sip") {
        keys(r, &mut sip, &["udp", "tcp", "tls"]);
    }
    if let Some(mut media) = r.section(root, "media") {
        keys(r, &mut media, &["phone_address", "browser_addresses"]);
    }
    for (span, path, ip) in found {
        r.warn(span, format!("{path}: this host does not have the address {ip}"));
    }
}

fn certificates<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &Config) {
    let http = config.http.tls.as_ref().map(|tls| ("http", &tls.certificate));
    let sip = config.sip.identity.as_ref().map(|tls| ("sip", &tls.certificate));
    for (key, file) in [http, sip].into_iter().flatten() {
        let section = r.section(root, key);
        let span = section.and_then(|section| section.span("certificate"));
        if let Some(problem) = validity(file, Timestamp::now()) {
            r.warn(span.unwrap_or(0..0), format!("{key}.certificate: {problem}"));
        }
    }
    for (mut section, _) in r.sections(root, "trunks") {
        let name = r.get(&mut section, "name", filled).unwrap_or_default();
        let tls = config.trunk_tls.get(&name).and_then(|tls| tls.identity.as_ref());
        let problem = tls.and_then(|tls| validity(&tls.certificate, Timestamp::now()));
        if let Some(problem) = problem {
            let span = section.span("certificate").unwrap_or(0..0);
            r.warn(span, format!("trunks.certificate: {problem}"));
        }
    }
}

/// Warning if the certificate in a file has expired or soon will.
fn validity(file: &Path, now: Timestamp) -> Option<String> {
    let expires = expiry(&std::fs::read(file).ok()?)?;
    let soon = now.checked_add(SOON).ok()?;
    if expires <= now {
        Some(format!("the certificate expired on {expires}"))
    } else if expires <= soon {
        Some(format!("the certificate expires on {expires}"))
    } else {
        None
    }
}

fn users<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &Config) {
    let plan = config.plan();
    for (mut section, span) in r.sections(root, "users") {
        let name = r.get(&mut section, "name", filled).unwrap_or_default();
        let password = r.get(&mut section, "password", filled).unwrap_or_default();
        let at = |key: &str| section.span(key).unwrap_or(span.clone());
        if let Some(why) = weakness(&name, &password) {
            r.warn(
                at("password"),
                format!("users.password: the password of `{name}` {why}"),
            );
        }
        let dialled = CallRequest::new(Origin::User(name.clone()), name.clone(), Time::default());
        match plan.decide(&dialled) {
            Decision::User { .. } | Decision::Peer { .. } => {}
            Decision::Trunk { trunks, .. } => r.warn(
                at("name"),
                format!(
                    "users.name: calls to `{name}` leave by the trunk `{}`: a [[dial]] rule takes the name for a number",
                    trunks.names().next().unwrap_or_default()
                ),
            ),
            _ => r.warn(
                at("name"),
                format!("users.name: nobody reaches `{name}` by that name: a [[dial]] rule takes the call"),
            ),
        }
    }
}

fn weakness(name: &str, password: &str) -> Option<&'static str> {
    let lower = password.to_ascii_lowercase();
    let mut chars = password.chars();
    let first = chars.next();
    if password.chars().count() < PASSWORD {
        Some("is shorter than 8 characters and easily guessed")
    } else if lower == name.to_ascii_lowercase() {
        Some("is the name of the user")
    } else if COMMON.contains(&&*lower) || chars.all(|c| Some(c) == first) {
        Some("is among the first that scanners try")
    } else {
        None
    }
}

fn trunks<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &Config) {
    for (mut section, span) in r.sections(root, "trunks") {
        let Some(name) = r.get(&mut section, "name", filled) else {
            continue;
        };
        let at = section.span("name").unwrap_or(span);
        let is_named = |rule: &Rule| {
            rule.from_trunk.as_ref() == Some(&name)
                || matches!(&rule.action, Action::Trunk(to) if to.names().any(|to| to == name))
        };
        if !config.rules.iter().any(is_named) && config.upstream.as_ref() != Some(&name) {
            r.warn(
                at,
                format!("trunks.name: no [[dial]] rule names the trunk `{name}`: no call goes out by it"),
            );
        }
    }
}

fn rules<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &Config) {
    let sections = r.sections(root, "dial");
    for (n, (section, span)) in sections.into_iter().enumerate() {
        let at = section.span("match").unwrap_or(span);
        // The demonstration's rules come after those of the file.
        let Some(rule) = config.rules.get(n) else { return };
        let pattern = rule.pattern.as_str();
        if let Some(hint) = foreign_syntax(pattern) {
            r.warn(at.clone(), format!("dial.match: {hint}"));
        }
        for earlier in &config.rules[..n] {
            if let Some(whose) = shadowed(earlier, rule) {
                let above = earlier.pattern.as_str();
                r.warn(
                    at.clone(),
                    format!("dial.match: {whose} never reach this rule: `{above}` above matches everything that `{pattern}` does"),
                );
                break;
            }
        }
    }
}

/// Calls that an earlier rule takes before a later one sees them.
fn shadowed(earlier: &Rule, later: &Rule) -> Option<&'static str> {
    // A peer passes on what is not a number, and a trunk what came from it.
    let takes_all = !matches!(earlier.action, Action::Peer(_))
        && (earlier.from_trunk.is_none() || !matches!(earlier.action, Action::Trunk(_)));
    if !takes_all || !earlier.pattern.covers(&later.pattern) {
        return None;
    }
    let to_trunk = |rule: &Rule| matches!(rule.action, Action::Trunk(_));
    match (&earlier.from_trunk, &later.from_trunk) {
        // Calls from a trunk pass a rule without `from` that leads to a trunk.
        (None, Some(_)) if to_trunk(earlier) => None,
        (None, None) if to_trunk(earlier) && !to_trunk(later) => Some("calls by users"),
        (None, _) => Some("calls"),
        (Some(a), Some(b)) if a == b => Some("calls"),
        (Some(_), _) => None,
    }
}

/// Characters that have a meaning in other programs' patterns, and stand for themselves here.
fn foreign_syntax(pattern: &str) -> Option<String> {
    if let Some(rest) = pattern.strip_prefix('_') {
        return Some(format!(
            "the `_` of Asterisk's patterns is taken literally here; leave it out: \"{rest}\""
        ));
    }
    let mut quoted = false;
    let odd = pattern.chars().find(|c| {
        quoted ^= *c == '\'';
        !quoted && "^$\\[]{}|?".contains(*c)
    })?;
    Some(format!(
        "`{odd}` stands for itself: patterns are not regular expressions; X is a digit, `.` at the end one or more of anything"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(text: &str) -> Vec<String> {
        let config = Config::parse(Path::new("c.toml"), text, &super::super::Overrides::default());
        let warnings = config.expect("no errors").warnings;
        warnings.iter().map(ToString::to_string).collect()
    }

    /// A file without warnings.
    const GOOD: &str = "\
[[users]]
name = 'alice'
password = 'a long secret'
[[trunks]]
name = 'carrier'
address = '192.0.2.5'
[[dial]]
match = '0(Z.)'
trunk = 'carrier'
[[dial]]
match = '+4930(XX)'
from = 'carrier'
user = 'alice'
";

    #[test]
    fn what_is_meant_is_not_doubted() {
        assert_eq!(warnings(GOOD), [""; 0]);
        assert_eq!(warnings(""), [""; 0]);
        assert_eq!(warnings("[[dial]]\nmatch = \"'a|b'\"\nreject = 403\n"), [""; 0]);
    }

    #[test]
    fn what_is_surely_not_meant_is_told_with_its_place() {
        for (more, warning) in [
            (
                "[http]\nlisten = '192.0.2.77:8080'\n",
                "c.toml:15:10: warning: http.listen: this host does not have the address 192.0.2.77",
            ),
            (
                "[sip]\nudp = ['127.0.0.1', '192.0.2.77']\n",
                "c.toml:15:21: warning: sip.udp: this host does not have",
            ),
            (
                "[[users]]\nname = 'bob'\npassword = '1234'\n",
                "c.toml:16:12: warning: users.password: the password of `bob` is shorter",
            ),
            (
                "[[users]]\nname = 'robert-b'\npassword = 'Robert-B'\n",
                "c.toml:16:12: warning: users.password: the password of `robert-b` is the name",
            ),
            (
                "[[users]]\nname = 'bob'\npassword = '1111111111'\n",
                "c.toml:16:12: warning: users.password: the password of `bob` is among",
            ),
            (
                "[[users]]\nname = '0301234'\npassword = 'a long secret'\n",
                "c.toml:15:8: warning: users.name: calls to `0301234` leave by the trunk `carrier`",
            ),
            (
                "[[trunks]]\nname = 'spare'\naddress = '192.0.2.6'\n",
                "c.toml:15:8: warning: trunks.name: no [[dial]] rule names the trunk `spare`",
            ),
            (
                "[[dial]]\nmatch = '030'\nreject = 403\n",
                "c.toml:15:9: warning: dial.match: calls by users never reach this rule: `0(Z.)` above",
            ),
            (
                "[[dial]]\nmatch = '049X'\ntrunk = 'carrier'\n",
                "c.toml:15:9: warning: dial.match: calls never reach this rule",
            ),
            (
                "[[dial]]\nmatch = '+493012'\nfrom = 'carrier'\nreject = 403\n",
                "c.toml:15:9: warning: dial.match: calls never reach this rule: `+4930(XX)` above",
            ),
            (
                "[[dial]]\nmatch = '_X.'\nreject = 403\n",
                "c.toml:15:9: warning: dial.match: the `_` of Asterisk's patterns is taken literally here; leave it out: \"X.\"",
            ),
            (
                "[[dial]]\nmatch = '^00'\nreject = 403\n",
                "c.toml:15:9: warning: dial.match: `^` stands for itself",
            ),
        ] {
            let found = warnings(&format!("{GOOD}{more}"));
            assert!(
                found.len() == 1 && found[0].starts_with(warning),
                "{warning}: {found:?}"
            );
        }
        // Calls from the carrier pass a rule for users.
        assert_eq!(
            warnings(&format!(
                "{GOOD}[[dial]]\nmatch = '04'\nfrom = 'carrier'\nreject = 403\n"
            )),
            [""; 0]
        );
        let all = warnings(
            "[[users]]\nname = 'a'\npassword = 'a long secret'\n[[dial]]\nmatch = '.'\nreject = 403\n[[dial]]\nmatch = '9'\nuser = 'a'\n",
        );
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(
            all[0].contains("nobody reaches `a`") && all[1].contains("`.` above"),
            "{all:?}"
        );
    }

    #[test]
    fn a_certificate_is_doubted_before_it_expires() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("cert.pem");
        std::fs::write(&file, super::super::certificate::tests::CERTIFICATE)?;
        let at = |text: &str| validity(&file, text.parse().expect("time"));
        assert_eq!(at("2026-12-01T00:00:00Z"), None);
        assert!(at("2026-12-20T00:00:00Z").is_some_and(|warning| warning.contains("expires on 2026-12-29")));
        assert!(at("2027-01-01T00:00:00Z").is_some_and(|warning| warning.contains("expired on")));
        Ok(())
    }
}
