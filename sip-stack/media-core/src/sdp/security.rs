use std::net::SocketAddr;

use super::SdpError;
use super::section::{Section, sendable};
use crate::negotiated::{DtlsRole, Fingerprint, Hash, IceCredentials};

/// Candidates that are looked at.
const MAX_CANDIDATES: usize = 16;

/// Transport attributes of a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Secured {
    pub(super) ice: IceCredentials,
    pub(super) fingerprint: Fingerprint,
    pub(super) setup: Setup,
    /// RTP and RTCP share one component. Some WebRTC stacks bundle without saying so (RFC 8843 §9.3.1.1 would
    /// have them refused); the answer does not promise it to them (RFC 5761 §5.1.1), and RTCP goes where RTP does.
    pub(super) mux: bool,
    /// `a=tls-id` (RFC 8842 §6): another value asks for another DTLS association.
    pub(super) tls_id: Option<String>,
    /// True if it makes no checks of its own (RFC 8445 §2.5).
    pub(super) lite: bool,
    /// Addresses at which it says it is reached, best first, as far as we understand them.
    pub(super) candidates: Vec<SocketAddr>,
}

/// `a=setup` as the peer wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setup {
    Active,
    Passive,
    ActPass,
    Missing,
}

impl Secured {
    pub(super) fn read(section: Section<'_>) -> Result<Secured, SdpError> {
        let transport = section.transport();
        let session = &section.session.attributes;
        Ok(Secured {
            lite: session
                .iter()
                .any(|a| a.attribute.eq_ignore_ascii_case("ice-lite")),
            candidates: candidates(transport),
            ice: credentials(transport)?,
            fingerprint: fingerprint(transport).ok_or(SdpError::Fingerprint)?,
            setup: setup(transport)?,
            mux: section.flag("rtcp-mux") || transport.flag("rtcp-mux"),
            tls_id: transport.value("tls-id").map(str::to_owned),
        })
    }
}

/// Candidates of the first component over UDP, best first (RFC 8839 §5.1). Names are resolved by nobody here.
fn candidates(section: Section<'_>) -> Vec<SocketAddr> {
    let mut found: Vec<(u32, SocketAddr)> = section.values("candidate").filter_map(candidate).collect();
    found.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
    found.truncate(MAX_CANDIDATES);
    found.into_iter().map(|(_, address)| address).collect()
}

fn candidate(text: &str) -> Option<(u32, SocketAddr)> {
    let mut words = text.split_ascii_whitespace().skip(1);
    let (component, transport) = (words.next()?, words.next()?);
    let (priority, ip) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let port = words.next()?.parse().ok().filter(|port| *port != 0)?;
    let is_ours = component == "1" && transport.eq_ignore_ascii_case("udp") && sendable(ip);
    is_ours.then_some((priority, SocketAddr::new(ip, port)))
}

/// RFC 8839 §5.4.
fn credentials(section: Section<'_>) -> Result<IceCredentials, SdpError> {
    let chars = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
    };
    let ufrag = section
        .value("ice-ufrag")
        .ok_or(SdpError::Ice("a=ice-ufrag is missing"))?;
    let pwd = section
        .value("ice-pwd")
        .ok_or(SdpError::Ice("a=ice-pwd is missing"))?;
    if !(4..=256).contains(&ufrag.len()) || !chars(ufrag) {
        return Err(SdpError::Ice("a=ice-ufrag is not 4 to 256 ice-chars"));
    }
    if !(22..=256).contains(&pwd.len()) || !chars(pwd) {
        return Err(SdpError::Ice("a=ice-pwd is not 22 to 256 ice-chars"));
    }
    Ok(IceCredentials {
        ufrag: ufrag.to_owned(),
        pwd: pwd.to_owned(),
    })
}

/// Fingerprint of a section: of several, the one with the hash that everybody must support, else the
/// strongest (RFC 8122 §5).
fn fingerprint(section: Section<'_>) -> Option<Fingerprint> {
    let rank = |fingerprint: &Fingerprint| match fingerprint.hash {
        Hash::Sha256 => 0,
        Hash::Sha512 => 1,
        Hash::Sha384 => 2,
    };
    let own = section
        .values("fingerprint")
        .filter_map(parse_fingerprint)
        .min_by_key(rank);
    let session = section
        .session
        .attributes
        .iter()
        .filter(|a| a.attribute.eq_ignore_ascii_case("fingerprint"));
    own.or_else(|| {
        session
            .filter_map(|a| parse_fingerprint(a.value.as_deref().unwrap_or("").trim()))
            .min_by_key(rank)
    })
}

fn parse_fingerprint(text: &str) -> Option<Fingerprint> {
    let (hash, value) = text.split_once(' ')?;
    let (hash, len) = match hash.to_ascii_lowercase().as_str() {
        "sha-256" => (Hash::Sha256, 32),
        "sha-384" => (Hash::Sha384, 48),
        "sha-512" => (Hash::Sha512, 64),
        _ => return None,
    };
    let value = value
        .trim()
        .split(':')
        .map(|octet| u8::from_str_radix(octet, 16).ok().filter(|_| octet.len() == 2))
        .collect::<Option<Vec<_>>>()?;
    (value.len() == len).then_some(Fingerprint { hash, value })
}

/// As written after `a=fingerprint:` (RFC 8122 §5).
pub(super) fn format_fingerprint(fingerprint: &Fingerprint) -> String {
    let hash = match fingerprint.hash {
        Hash::Sha256 => "sha-256",
        Hash::Sha384 => "sha-384",
        Hash::Sha512 => "sha-512",
    };
    let octets: Vec<_> = fingerprint
        .value
        .iter()
        .map(|octet| format!("{octet:02X}"))
        .collect();
    format!("{hash} {}", octets.join(":"))
}

fn setup(section: Section<'_>) -> Result<Setup, SdpError> {
    match section.value("setup").map(str::to_ascii_lowercase).as_deref() {
        None => Ok(Setup::Missing),
        Some("active") => Ok(Setup::Active),
        Some("passive") => Ok(Setup::Passive),
        Some("actpass") => Ok(Setup::ActPass),
        Some(other) => Err(SdpError::Setup(other.chars().take(32).collect())),
    }
}

impl Setup {
    /// Our role when the peer offers this. `kept` is the role of the association that goes on; `preferred` ours to choose.
    /// Without the attribute the offerer is the active one (RFC 4145 §4.1).
    pub(super) fn role_of_answerer(self, kept: Option<DtlsRole>, preferred: DtlsRole) -> DtlsRole {
        match self {
            Setup::ActPass => kept.unwrap_or(preferred),
            Setup::Passive => DtlsRole::Active,
            Setup::Active => DtlsRole::Passive,
            Setup::Missing => kept.unwrap_or(DtlsRole::Passive),
        }
    }

    /// Our role when the peer answers our `actpass` with this. Without the attribute the answerer is the active one, as
    /// RFC 5763 §5 recommends to answerers and as browsers read it; `actpass` is not an answer.
    pub(super) fn role_of_offerer(self, kept: Option<DtlsRole>) -> Result<DtlsRole, SdpError> {
        match self {
            Setup::Active => Ok(DtlsRole::Passive),
            Setup::Passive => Ok(DtlsRole::Active),
            Setup::Missing => Ok(kept.unwrap_or(DtlsRole::Passive)),
            Setup::ActPass => Err(SdpError::Setup("actpass".to_owned())),
        }
    }
}
