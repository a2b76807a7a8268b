//! Trunks of a file.

use std::path::Path;
use std::time::Duration;

use session_core::guard::Network;
use session_core::{Outgoing, SrtpPolicy, Trunk, TrunkAddress};
use sip_core::flow::Transport;

use super::Config;
use super::profile::read_profile;
use super::read_identity::read_identity;
use super::read_numbers::read_trunk_numbers;
use super::read_outgoing::{read_outgoing, read_places};
use super::read_registration::{read_caller_id, read_from_user, read_proxy, read_register};
use super::read_shaken::read_trunk_shaken;
use super::read_signalling::read_signalling;
use super::read_tls::{check_hosts, read_tls};
use super::reader::{Reader, Section, boolean, filled};
use super::values::{
    codecs, domain, hold, media_source, network, pass_through, quota, seconds, srtp, transport,
};

/// Time that a trunk may stay silent, unless configured: four transmissions over UDP.
const TRUNK_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads `[[trunks]]`: the trunks, their limits, their TLS and the places of their addresses.
pub(super) fn read_trunks<'t>(r: &mut Reader<'t>, root: &mut Section<'t>, config: &mut Config, base: &Path) {
    for (mut section, span) in r.sections(root, "trunks") {
        let profile = read_profile(r, &mut section);
        let name = r.need(&mut section, "name", &span, filled);
        // A wrong address was reported; the following checks still need the trunk's name.
        let addresses = read_places(r, &mut section, &span);
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
        let register = read_register(r, &mut section, username.as_deref());
        let caller_id = read_caller_id(r, &mut section, register.as_ref());
        let numbers = read_trunk_numbers(r, &mut section, config);
        let outbound_proxy = read_proxy(r, &mut section, transport);
        let from_domain = r.get(&mut section, "from_domain", domain);
        let from_user = read_from_user(r, &mut section, register.as_ref());
        let timeout = r.get(&mut section, "timeout", |v| seconds(v, 1..=32));
        let codecs = codecs(r, &mut section, "codecs").unwrap_or_default();
        let pass_through = r.get(&mut section, "pass_through", pass_through);
        let media_source = r
            .get(&mut section, "media_source", media_source)
            .unwrap_or_default();
        let srtp = r.get(&mut section, "srtp", srtp).unwrap_or_default();
        let mediasec = r.get(&mut section, "mediasec", boolean).unwrap_or_default();
        if let Some(at) = section.span("mediasec").filter(|_| mediasec)
            && (srtp == SrtpPolicy::Off || register.is_none())
        {
            r.fail(
                at,
                "trunks.mediasec: it is agreed on by the registration, for media with keys in SDP; set trunks.register and trunks.srtp",
            );
        }
        let hold = r.get(&mut section, "hold", hold).unwrap_or_default();
        let t38 = r.get(&mut section, "t38", boolean).unwrap_or(true);
        let sources = r.list(&mut section, "sources", network);
        let certificate_names = r
            .list(&mut section, "certificate_names", domain)
            .unwrap_or_default();
        if let (Some(at), None) = (section.span("certificate_names"), &config.sip.client_ca) {
            r.fail(
                at,
                "trunks.certificate_names: nobody is asked for a certificate; set `client_ca` in [sip] to the authorities of such trunks",
            );
        }
        let trusted = r.get(&mut section, "trusted", boolean).unwrap_or(true);
        let late_offer = r.get(&mut section, "late_offer", boolean).unwrap_or_default();
        let identity = read_identity(r, &mut section);
        let (verification, signing) = read_trunk_shaken(r, &mut section, base, &mut config.shaken);
        let watches = r.get(&mut section, "watch", boolean).unwrap_or_default();
        let signalling = read_signalling(r, &mut section);
        let transfers = r.get(&mut section, "refer", boolean).unwrap_or_default();
        let quota = quota(r, &mut section);
        let outgoing = read_outgoing(r, &mut section);
        if let Some(at) = section
            .span("address")
            .filter(|_| addresses.len() > 1 && outbound_proxy.is_some())
        {
            r.fail(
                at,
                "trunks.address: calls go by outbound_proxy, so there is one address",
            );
        }
        let tls = read_tls(r, &mut section, transport, base);
        if let Some(name) = name {
            let profile = profile.map(|profile| (name.clone(), profile.name));
            config.trunk_profiles.extend(profile);
            config.trunk_tls.extend(tls.map(|tls| (name.clone(), tls)));
            config.limits.trunks.insert(name.clone(), quota);
            let (host, port) = match addresses.first() {
                Some(first) => (first.host.clone(), first.port),
                None => Default::default(),
            };
            // The stack follows names: they may resolve later, or to something else.
            let follows_name = sources.is_none() && addresses.iter().any(|place| place.literal().is_none());
            let literals = addresses
                .iter()
                .filter_map(TrunkAddress::literal)
                .map(Network::from);
            let sources = sources.unwrap_or_else(|| literals.collect());
            let trunk = Trunk {
                host,
                port,
                transport,
                sources,
                follows_name,
                certificate_names: certificate_names
                    .iter()
                    .map(|name| name.to_ascii_lowercase())
                    .collect(),
                username,
                password,
                timeout: Some(timeout.unwrap_or(TRUNK_TIMEOUT)),
                codecs,
                pass_through,
                outbound_proxy,
                register,
                caller_id,
                numbers,
                from_domain,
                from_user,
                mediasec,
                late_offer,
                watches,
                trusted,
                identity,
                verification,
                signing,
                media_source,
                srtp,
                hold,
                t38,
                signalling,
                transfers,
                outgoing: Outgoing {
                    places: addresses,
                    ..outgoing
                },
            };
            if let Some(address) = section.span("address") {
                config.trunk_places.insert(name.clone(), r.place(&address));
            }
            let at = section.span("name").unwrap_or(span);
            if config.trunks.insert(name.clone(), trunk).is_some() {
                r.fail(at, format!("trunks.name: there are two trunks `{name}`"));
            }
        }
        r.finish(section);
    }
    check_hosts(r, &config.trunks, &config.trunk_tls);
}
