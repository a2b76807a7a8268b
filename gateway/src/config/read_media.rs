//! The `[media]` table of a file.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::reader::{Reader, Section, filled, number, set};
use super::values::{codecs, dscp, ip, pass_through, ports, seconds_or_never};
use super::{Config, Sip, prompts};

/// Reads `[media]`. True if it names the addresses for phones.
pub(super) fn read_media<'t>(
    r: &mut Reader<'t>,
    mut media: Section<'t>,
    config: &mut Config,
    base: &Path,
) -> bool {
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
    set(
        &mut m.pass_through,
        r.get(&mut media, "pass_through", pass_through),
    );
    set(&mut m.dscp, r.get(&mut media, "dscp", dscp));
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
        let languages: Vec<&str> = crate::prompts::languages().collect();
        if !languages.is_empty() && !languages.contains(&&*language) {
            let at = media.span("language").unwrap_or(0..0);
            let languages = languages.join(", ");
            r.fail(
                at,
                format!("media.language: the gateway has no prompts in {language:?}, only in {languages}"),
            );
        }
        m.language = language;
    }
    r.finish(media);
    named
}

/// An address of the family that is missing in `addresses`, if SIP listens on one: phones there have media of
/// that family.
pub(super) fn other_family(sip: &Sip, addresses: &[IpAddr]) -> Option<IpAddr> {
    let [first] = *addresses else { return None };
    let listeners = sip.udp.iter().chain(&sip.tcp).chain(&sip.tls);
    listeners
        .map(SocketAddr::ip)
        .find(|ip| ip.is_ipv4() != first.is_ipv4())
}
