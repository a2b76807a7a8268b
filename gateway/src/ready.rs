//! The lines that a started gateway prints: addresses of its pages, and accounts to sign in with.

use std::net::{IpAddr, SocketAddr};

use sip_stack::transport::local_addresses;

use crate::config::{Config, DEMO_PASSWORD, DEMO_USERS};

/// Prints that the gateway is ready. `http` is the address of its pages.
pub(crate) fn announce(config: &Config, http: SocketAddr) {
    let ours = local_addresses().unwrap_or_default();
    for line in lines(config, http, &ours) {
        println!("{line}");
    }
}

/// Prints the password of the first admin, of which only the hash is kept.
pub(crate) fn announce_admin(name: &str, password: &str, is_kept: bool) {
    let until = if is_kept {
        "It is not shown again."
    } else {
        "The store is in memory: the next start creates another one."
    };
    println!("First admin: {name}, password {password}. {until}");
}

fn lines(config: &Config, http: SocketAddr, ours: &[IpAddr]) -> Vec<String> {
    let scheme = if config.http.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let mut origins = addresses(http, config.advertise, ours)
        .into_iter()
        .map(|address| format!("{scheme}://{address}"));
    let first = origins.next().unwrap_or_else(|| format!("{scheme}://{http}"));
    let mut lines = vec![
        format!("Cordboard {} is ready: {first}", env!("CARGO_PKG_VERSION")),
        format!("  Phone {first}/  Agents {first}/agent  Wallboard {first}/wallboard"),
    ];
    let others: Vec<String> = origins.collect();
    if !others.is_empty() {
        lines.push(format!("  Also at {}", others.join(", ")));
    }
    if config.demo {
        let (one, last) = (DEMO_USERS[0], DEMO_USERS[DEMO_USERS.len() - 1]);
        lines.push(format!(
            "Demo accounts {one} to {last}, password {DEMO_PASSWORD}. Call 9196 (echo), 9664 (music), 9197 (tone) or any \
             other number."
        ));
    }
    lines
}

/// Addresses that a browser can open: for a wildcard, loopback, then every address of this host, and the one
/// that others reach it at.
fn addresses(http: SocketAddr, advertise: Option<IpAddr>, ours: &[IpAddr]) -> Vec<SocketAddr> {
    let mut ips: Vec<IpAddr> = if http.ip().is_unspecified() {
        // An IPv6 wildcard accepts IPv4 as well.
        let fits = |ip: &&IpAddr| ip.is_ipv4() || http.is_ipv6();
        let loopback = ours.iter().filter(fits).filter(|ip| ip.is_loopback());
        let others = ours.iter().filter(fits).filter(|ip| !ip.is_loopback());
        loopback.chain(others).copied().collect()
    } else {
        vec![http.ip()]
    };
    ips.extend(advertise.filter(|ip| !ips.contains(ip) && !http.ip().is_loopback()));
    ips.into_iter()
        .map(|ip| SocketAddr::new(ip, http.port()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(listen: &str, advertise: Option<&str>) -> String {
        let config = Config {
            advertise: advertise.map(|ip| ip.parse().expect("IP")),
            demo: false,
            ..Config::default()
        };
        let ours = ["192.0.2.5", "2001:db8::5", "127.0.0.1", "::1"].map(|ip| ip.parse().expect("IP"));
        lines(&config, listen.parse().expect("address"), &ours).join("\n")
    }

    #[test]
    fn a_wildcard_is_told_as_addresses_that_a_browser_opens() {
        let text = shown("0.0.0.0:8080", Some("203.0.113.7"));
        assert!(text.contains("is ready: http://127.0.0.1:8080\n"), "{text}");
        assert!(
            text.contains("Agents http://127.0.0.1:8080/agent  Wallboard http://127.0.0.1:8080/wallboard"),
            "{text}"
        );
        assert!(
            text.ends_with("Also at http://192.0.2.5:8080, http://203.0.113.7:8080"),
            "{text}"
        );
        let both = shown("[::]:8080", None);
        assert!(
            both.contains("http://[2001:db8::5]:8080") && both.contains("http://192.0.2.5:8080"),
            "{both}"
        );
    }

    #[test]
    fn an_address_of_its_own_is_told_alone() {
        let text = shown("127.0.0.1:8080", Some("203.0.113.7"));
        assert!(
            !text.contains("Also") && text.contains("Phone http://127.0.0.1:8080/ "),
            "{text}"
        );
    }
}
