use std::net::{IpAddr, SocketAddr};

use sdp_types::{Attribute, Connection, Media, NetType, Session};

use super::{Family, SdpError};
use crate::negotiated::Direction;

/// A media section as it stands in its session: media-level attributes first, session-level ones where those are missing.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    pub(super) session: &'a Session,
    pub(super) media: &'a Media,
}

/// Address where a peer says that it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    At(IpAddr),
    /// A host name: nobody here resolves it, the peer is known once it sends.
    Named(Family),
    /// `0.0.0.0` or `::`: it does not want to receive (RFC 3264 §8.4).
    Nowhere,
}

impl<'a> Section<'a> {
    pub(super) fn all(session: &'a Session) -> impl Iterator<Item = Section<'a>> {
        session.medias.iter().map(move |media| Section { session, media })
    }

    pub(super) fn is_audio(self) -> bool {
        self.media.media.eq_ignore_ascii_case("audio")
    }

    /// Port 0 says so, unless the section shares the port of its bundle (RFC 8843 §6).
    pub(super) fn is_rejected(self) -> bool {
        self.media.port == 0 && !(self.flag("bundle-only") && self.bundle().is_some())
    }

    /// The values of a media-level attribute.
    pub(super) fn values(self, name: &'static str) -> impl Iterator<Item = &'a str> {
        of(&self.media.attributes, name)
    }

    /// The value of a media-level attribute, else of the session-level one.
    pub(super) fn value(self, name: &'static str) -> Option<&'a str> {
        self.values(name)
            .next()
            .or_else(|| of(&self.session.attributes, name).next())
    }

    /// A media-level property attribute is there.
    pub(super) fn flag(self, name: &str) -> bool {
        self.media
            .attributes
            .iter()
            .any(|attribute| attribute.attribute.eq_ignore_ascii_case(name))
    }

    /// `a=mid` (RFC 5888), if it is a token that can be written back.
    pub(super) fn mid(self) -> Option<&'a str> {
        let token = |mid: &&str| !mid.is_empty() && mid.bytes().all(|byte| byte.is_ascii_graphic());
        self.values("mid").next().filter(token)
    }

    /// The mids of the BUNDLE group that this section is in (RFC 8843).
    pub(super) fn bundle(self) -> Option<Vec<&'a str>> {
        let mid = self.mid()?;
        of(&self.session.attributes, "group").find_map(|group| {
            let mut words = group.split_ascii_whitespace();
            let mids: Vec<_> = words
                .next()
                .filter(|word| word.eq_ignore_ascii_case("BUNDLE"))
                .map(|_| words.collect())?;
            mids.contains(&mid).then_some(mids)
        })
    }

    /// The section whose transport attributes hold for this one: itself, or the tagged one of its bundle when it has none of
    /// its own (RFC 8843 §7.1.3).
    pub(super) fn transport(self) -> Section<'a> {
        if self.values("ice-ufrag").next().is_some() {
            return self;
        }
        let tagged = self.bundle().and_then(|mids| {
            Section::all(self.session).find(|section| section.mid() == mids.first().copied())
        });
        tagged.unwrap_or(self)
    }

    /// The direction as its writer sees it (RFC 8866 §6.7).
    pub(super) fn direction(self) -> Direction {
        [&self.media.attributes, &self.session.attributes]
            .into_iter()
            .find_map(|attributes| {
                attributes.iter().find_map(|attribute| {
                    match attribute.attribute.to_ascii_lowercase().as_str() {
                        "sendrecv" => Some(Direction::SendRecv),
                        "sendonly" => Some(Direction::SendOnly),
                        "recvonly" => Some(Direction::RecvOnly),
                        "inactive" => Some(Direction::Inactive),
                        _ => None,
                    }
                })
            })
            .unwrap_or_default()
    }

    /// `a=ptime`, whole milliseconds.
    pub(super) fn milliseconds(self, name: &'static str) -> Option<u32> {
        let value = self.values(name).next()?.split('.').next()?;
        value.trim().parse().ok().filter(|&ms| ms > 0)
    }

    /// The section's `c=`, else the session's.
    pub(super) fn place(self) -> Result<Place, SdpError> {
        match self
            .media
            .connections
            .first()
            .or(self.session.connection.as_ref())
        {
            Some(connection) => place(connection),
            None => Err(SdpError::Malformed("no c= line".to_owned())),
        }
    }

    /// Address of RTCP: `a=rtcp` (RFC 3605), else the port after that of RTP.
    pub(super) fn rtcp(self, rtp: SocketAddr) -> Option<SocketAddr> {
        let named = self.values("rtcp").next().and_then(|value| {
            let mut words = value.split_ascii_whitespace();
            let port = words.next()?.parse::<u16>().ok().filter(|&port| port != 0)?;
            let ip = match words.nth(2).map(str::parse) {
                Some(Ok(ip)) if sendable(ip) => ip,
                _ => rtp.ip(),
            };
            Some(SocketAddr::new(ip, port))
        });
        named.or_else(|| Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?)))
    }
}

fn of<'a>(attributes: &'a [Attribute], name: &'static str) -> impl Iterator<Item = &'a str> {
    attributes
        .iter()
        .filter(move |attribute| attribute.attribute.eq_ignore_ascii_case(name))
        .filter_map(|attribute| attribute.value.as_deref())
        .map(str::trim)
}

fn place(connection: &Connection) -> Result<Place, SdpError> {
    if connection.nettype != NetType::In {
        let network = connection.nettype.as_str();
        return Err(SdpError::Network(network.chars().take(32).collect()));
    }
    let address = connection.connection_address.split('/').next().unwrap_or("");
    let Some(family) = Family::of_type(&connection.addrtype) else {
        let kind: String = connection.addrtype.as_str().chars().take(32).collect();
        return Err(SdpError::Address(format!("an address of type {kind}")));
    };
    match address.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => Ok(Place::Nowhere),
        Ok(ip) if sendable(ip) => Ok(Place::At(ip)),
        Ok(_) => Err(SdpError::Address(address.to_owned())),
        Err(_) => Ok(Place::Named(family)),
    }
}

/// Unicast, and not everybody at once: nobody's SDP makes us flood a network.
pub(super) fn sendable(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(ip.is_multicast() || ip.is_unspecified() || broadcast)
}
