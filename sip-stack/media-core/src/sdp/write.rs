use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sdp_types::{Attribute, Connection, Media, Origin, Session, Time};

use super::crypto::Crypto;
use super::format::Kind;
use super::negotiator::{Browser, Config, Fax, Profile};
use super::section::Section;
use super::security::format_fingerprint;
use crate::negotiated::{Codec, Direction, DtlsRole, IceCredentials};

/// A media section as the session has it: the part of one that is also written when it is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) media: String,
    pub(super) proto: String,
    pub(super) fmt: String,
    pub(super) mid: Option<String>,
}

impl Line {
    /// As the peer wrote it.
    pub(super) fn of(section: Section<'_>) -> Line {
        Line {
            media: section.media.media.clone(),
            proto: section.media.proto.clone(),
            fmt: section.media.fmt.split(' ').next().unwrap_or("0").to_owned(),
            mid: section.mid().map(str::to_owned),
        }
    }
}

/// The section that we write: audio, or a fax in its place.
#[derive(Clone, Debug)]
pub(super) struct Ours {
    pub(super) index: usize,
    pub(super) formats: Vec<(u8, Kind)>,
    pub(super) direction: Direction,
    /// For a browser; an offer says `actpass` (RFC 5763 §5).
    pub(super) setup: Option<DtlsRole>,
    /// For a browser.
    pub(super) ice: Option<IceCredentials>,
    /// RTP and RTCP on one port: as the peer offers; we offer it to browsers.
    pub(super) mux: bool,
    pub(super) bundled: bool,
    /// Keys of ours for a phone: those that we offer, or the one that we answer with.
    pub(super) crypto: Vec<Crypto>,
    /// Set for a fax.
    pub(super) fax: Option<Fax>,
    /// True for an offer, false for an answer.
    pub(super) offers: bool,
}

impl Ours {
    /// A section for a fax.
    pub(super) fn fax(index: usize, fax: Fax) -> Ours {
        Ours {
            index,
            formats: Vec::new(),
            direction: Direction::SendRecv,
            setup: None,
            ice: None,
            mux: false,
            bundled: false,
            crypto: Vec::new(),
            fax: Some(fax),
            offers: false,
        }
    }
}

/// A whole description with version 0.
pub(super) fn session(
    id: u64,
    origin: IpAddr,
    lines: &[Line],
    ours: &Ours,
    profile: &Profile,
    config: &Config,
    addresses: &[SocketAddr],
) -> Session {
    let mut session = Session::new(Origin::with_ip_addr(id, 0, origin), "-");
    session.times.push(Time::new(0, 0));
    let default = addresses.first().copied();
    let connection =
        Connection::from_ip_addr(default.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |at| at.ip()));
    let attributes = &mut session.attributes;
    let per_section = match profile {
        Profile::Browser(browser) => {
            if !browser.full {
                attributes.push(Attribute::new("ice-lite"));
            }
            let mid = lines.get(ours.index).and_then(|line| line.mid.as_ref());
            if let Some(mid) = mid.filter(|_| ours.bundled) {
                attributes.push(Attribute::with_value("group", format!("BUNDLE {mid}")));
            }
            true
        }
        Profile::Phone(_) => {
            session.connection = Some(connection.clone());
            false
        }
    };
    for (index, line) in lines.iter().enumerate() {
        let mut media = if index == ours.index {
            let port = default.map_or(9, |at| at.port());
            let mut media = section(line, port);
            if per_section {
                media.connections.push(connection.clone());
            }
            match &ours.fax {
                Some(fax) => accepted_fax(&mut media, line, fax),
                None => accepted(&mut media, line, ours, profile, config, addresses),
            }
            media
        } else {
            let mut media = section(line, 0);
            if per_section {
                media
                    .connections
                    .push(Connection::from_ip_addr(Ipv4Addr::UNSPECIFIED));
            }
            media
                .attributes
                .extend(line.mid.as_ref().map(|mid| Attribute::with_value("mid", mid)));
            media.attributes.push(Attribute::new("inactive"));
            media
        };
        if index == ours.index && ours.fax.is_none() {
            let pts: Vec<_> = ours.formats.iter().map(|(pt, _)| pt.to_string()).collect();
            media.fmt = pts.join(" ");
        }
        session.medias.push(media);
    }
    session
}

fn section(line: &Line, port: u16) -> Media {
    Media {
        media: line.media.clone(),
        port,
        num_ports: None,
        proto: line.proto.clone(),
        fmt: line.fmt.clone(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

fn accepted_fax(media: &mut Media, line: &Line, fax: &Fax) {
    let mid = line.mid.iter().map(|mid| Attribute::with_value("mid", mid));
    let parameters = fax.attributes.iter().map(|(name, value)| match value {
        Some(value) => Attribute::with_value(name, value),
        None => Attribute::new(name),
    });
    media.attributes.extend(mid.chain(parameters));
}

fn accepted(
    media: &mut Media,
    line: &Line,
    ours: &Ours,
    profile: &Profile,
    config: &Config,
    addresses: &[SocketAddr],
) {
    let out = &mut media.attributes;
    let mut value = |name: &str, value: String| out.push(Attribute::with_value(name, value));
    if let Some(mid) = &line.mid {
        value("mid", mid.clone());
    }
    for &(pt, kind) in &ours.formats {
        value("rtpmap", format!("{pt} {}", kind.rtpmap()));
        match kind {
            Kind::Audio(Codec::Opus) => {
                let narrow = if config.narrowband {
                    ";maxplaybackrate=8000;maxaveragebitrate=24000"
                } else {
                    ""
                };
                value("fmtp", format!("{pt} minptime=10;useinbandfec=1{narrow}"));
            }
            Kind::Audio(Codec::Foreign(format)) => {
                let passed = config.passed.iter().find(|passed| passed.format == format);
                if let Some(fmtp) = passed.and_then(|passed| passed.fmtp.as_ref()) {
                    value("fmtp", format!("{pt} {fmtp}"));
                }
            }
            Kind::Audio(_) => {}
            Kind::Event(_) => value("fmtp", format!("{pt} 0-15")),
        }
    }
    // What a foreign format puts into a packet is for the two peers to know.
    if !matches!(ours.formats.first(), Some((_, Kind::Audio(Codec::Foreign(_))))) {
        value("ptime", config.ptime_ms.to_string());
    }
    for crypto in &ours.crypto {
        value("crypto", crypto.value());
    }
    if config.media_security && ours.offers && !ours.crypto.is_empty() {
        value("3ge2ae", "requested".to_owned());
    }
    match profile {
        Profile::Browser(browser) => secured(&mut value, ours, browser, addresses),
        Profile::Phone(_) => {
            if let [rtp, rtcp, ..] = addresses
                && !ours.mux
                && rtp.port().checked_add(1) != Some(rtcp.port())
            {
                value("rtcp", rtcp.port().to_string());
            }
        }
    }
    if ours.mux {
        out.push(Attribute::new("rtcp-mux"));
    }
    if matches!(profile, Profile::Browser(_)) {
        out.push(Attribute::new("end-of-candidates"));
    }
    out.push(Attribute::new(match ours.direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }));
}

fn secured(value: &mut impl FnMut(&str, String), ours: &Ours, browser: &Browser, addresses: &[SocketAddr]) {
    if ours.direction.sends() {
        value("msid", "cordboard audio".to_owned());
    }
    let ice = ours.ice.as_ref().unwrap_or(&browser.ice);
    value("ice-ufrag", ice.ufrag.clone());
    value("ice-pwd", ice.pwd.clone());
    value("fingerprint", format_fingerprint(&browser.fingerprint));
    let setup = match ours.setup {
        None => "actpass",
        Some(DtlsRole::Active) => "active",
        Some(DtlsRole::Passive) => "passive",
    };
    value("setup", setup.to_owned());
    // Host candidates, component 1, in the order given (RFC 8445 §5.1.2).
    for (at, preference) in addresses.iter().zip((0..=65_535_u32).rev()) {
        let priority = (126 << 24) | (preference << 8) | 255;
        let foundation = 65_536 - preference;
        let text = format!("{foundation} 1 udp {priority} {} {} typ host", at.ip(), at.port());
        value("candidate", text);
    }
}
