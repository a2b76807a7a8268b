//! Client addresses that proxies write into requests (`X-Forwarded-For`, and `Forwarded` of RFC 7239).

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// The addresses that proxies wrote down, the nearest last; `None`: not an address.
pub(super) fn forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let values = |name: &str| -> Vec<String> {
        let values = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .map(|value| value.trim().to_owned())
            .collect()
    };
    let plain = values("x-forwarded-for");
    if !plain.is_empty() {
        return plain.iter().map(|value| address(value)).collect();
    }
    let nodes = values("forwarded");
    nodes
        .iter()
        .map(|element| {
            let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
            let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
            address(node.trim().trim_matches('"'))
        })
        .collect()
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(ip);
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}
