//! Addresses that peers of signalling and of media are given.

use std::net::{IpAddr, SocketAddr};

use crate::config::Config;

/// Our name in the From of calls we make.
pub(crate) fn host(config: &Config) -> String {
    let ip = || {
        config
            .advertise
            .or_else(|| config.sip.udp.first().map(SocketAddr::ip))
    };
    match (config.domains.first(), ip()) {
        (Some(domain), _) => domain.clone(),
        (None, Some(IpAddr::V6(ip))) => format!("[{ip}]"),
        (None, Some(ip)) if !ip.is_unspecified() => ip.to_string(),
        _ => "cordboard.invalid".into(),
    }
}

/// Addresses for phones; one of a family that this host does not have is used only if there is no other.
pub(crate) fn phone_ips(configured: &[IpAddr]) -> Vec<IpAddr> {
    let all: Vec<IpAddr> = configured.iter().map(|ip| phone_ip(*ip)).collect();
    let there = |ip: &&IpAddr| !ip.is_unspecified();
    let some: Vec<IpAddr> = all.iter().filter(there).copied().collect();
    if some.is_empty() { all } else { some }
}

/// Phones need an address that they can reach: for a wildcard, the one that leads out.
fn phone_ip(configured: IpAddr) -> IpAddr {
    if !configured.is_unspecified() {
        return configured;
    }
    let ours = sip_stack::transport::local_addresses().unwrap_or_default();
    let fits = |ip: &&IpAddr| ip.is_ipv4() == configured.is_ipv4();
    let outward = ours.iter().filter(fits).find(|ip| !ip.is_loopback());
    outward
        .or_else(|| ours.iter().find(fits))
        .copied()
        .unwrap_or(configured)
}
