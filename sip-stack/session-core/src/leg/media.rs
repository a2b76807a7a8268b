//! Media of a leg: its ports, and what signalling knows of its peer's place.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use media_core::control::{Command, LegId, LegKind, MediaSource, Report};
use media_core::ice;
use media_core::negotiated::{Codec, DtlsRole, IceCredentials};
use media_core::sdp::{self, Family, Negotiator, SrtpPolicy};
use sans_io::Rng;
use sip_core::endpoint::OutgoingInvite;
use sip_core::message::StatusCode;

use super::{Device, Leg};
use crate::config::PeerMedia;
use crate::context::Context;
use crate::coordinator::Timer;

/// Ports of a leg at its media shard.
#[derive(Debug)]
pub(crate) enum Media {
    /// They are asked for; this is to be done when they are there.
    Opening {
        then: Vec<Pending>,
    },
    Open,
    Closing,
    /// They are gone; these are its last counts.
    Closed(Box<Report>),
}

/// An action that waits for [`Media::Open`].
#[derive(Debug)]
pub(crate) enum Pending {
    Invite(Box<OutgoingInvite>),
    /// A provisional response: its code, and whether it brings early media.
    Ring(StatusCode, bool),
    Answer,
    /// The offer to go on after a restart.
    Recover,
}

/// Properties of a new leg, known before its media are opened.
pub(crate) struct MediaWanted {
    pub(crate) device: Device,
    pub(crate) codecs: Vec<Codec>,
    pub(crate) source: MediaSource,
    pub(crate) srtp: SrtpPolicy,
    /// Our offers of keys ask for encryption as far as the edge of the network.
    pub(crate) media_security: bool,
    /// The family of addresses that its peer speaks, if known.
    pub(crate) family: Option<Family>,
}

impl MediaWanted {
    /// The media of a new leg: how to open them, and who negotiates for them.
    pub(crate) fn prepare(self, cx: &mut Context, leg: LegId, shard: u8) -> (LegKind, Negotiator) {
        let codecs = self.codecs;
        let PeerMedia {
            webrtc: full,
            telephone_events,
            ..
        } = cx.directory.peer_media();
        match self.device {
            Device::Browser => {
                let ice = IceCredentials {
                    ufrag: ice::ufrag(shard, leg, &mut cx.rng),
                    pwd: cx.rng.token(24),
                };
                let profile = sdp::Profile::Browser(sdp::Browser {
                    ice: ice.clone(),
                    fingerprint: cx.config.fingerprint.clone(),
                    // The first check of the peer starts the handshake: a round trip sooner than if it had to begin.
                    role: DtlsRole::Active,
                    renew,
                    full,
                });
                let config = sdp::Config {
                    codecs,
                    telephone_event: telephone_events,
                    ..sdp::Config::browser()
                };
                let negotiator = Negotiator::new(profile, config, &mut cx.rng);
                let kind = match full {
                    true => LegKind::WebRtc {
                        local: phone_ip(&cx.config.phone_ips, self.family),
                        ice,
                    },
                    false => LegKind::Browser { ice },
                };
                (kind, negotiator)
            }
            Device::Phone => {
                let config = sdp::Config {
                    codecs,
                    telephone_event: telephone_events,
                    media_security: self.media_security,
                    ..sdp::Config::phone()
                };
                let negotiator = Negotiator::new(sdp::Profile::Phone(self.srtp), config, &mut cx.rng);
                let kind = LegKind::Phone {
                    local: phone_ip(&cx.config.phone_ips, self.family),
                    source: self.source,
                };
                (kind, negotiator)
            }
        }
    }
}

/// Address of ours where a phone leg of that family binds; of the other family if there is none.
fn phone_ip(ips: &[IpAddr], family: Option<Family>) -> IpAddr {
    let fits = ips.iter().find(|ip| Some(Family::of(**ip)) == family);
    fits.or_else(|| ips.first())
        .copied()
        .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

impl Media {
    pub(crate) fn opening() -> Media {
        Media::Opening { then: Vec::new() }
    }
}

impl Leg {
    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.media, Media::Opening { .. })
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.media, Media::Open)
    }

    pub(crate) fn media_is_closed(&self) -> bool {
        matches!(self.media, Media::Closed(_))
    }

    /// Does this when its media are open. False if they are opened already: then it is to be done now.
    pub(crate) fn when_open(&mut self, pending: Pending) -> bool {
        match &mut self.media {
            Media::Opening { then } => {
                then.push(pending);
                true
            }
            Media::Open | Media::Closing | Media::Closed(_) => false,
        }
    }

    /// Its ports are there: what waited for them is to be done now.
    pub(crate) fn opened(&mut self, cx: &Context, addresses: &[SocketAddr]) -> Vec<Pending> {
        let Media::Opening { then } = &mut self.media else {
            return Vec::new();
        };
        let then = std::mem::take(then);
        self.media = Media::Open;
        self.negotiator_mut()
            .local(&advertised(addresses, cx.config.advertise));
        then
    }

    /// The shard closed it, with these counts.
    pub(crate) fn media_closed(&mut self, report: Box<Report>) {
        self.media = Media::Closed(report);
    }

    /// Has its ports closed, and no timer of it runs on.
    pub(crate) fn close_media(&mut self, cx: &mut Context) {
        let leg = self.id;
        for timer in [
            Timer::Grace(leg),
            Timer::Goodbye(leg),
            Timer::Recover(leg),
            Timer::Longest(leg),
            Timer::Silence(leg),
        ] {
            cx.timers.cancel(timer);
        }
        if matches!(self.media, Media::Opening { .. } | Media::Open) {
            self.media = Media::Closing;
            self.command(cx, Command::Close { leg });
        }
    }

    /// Tells the shard what signalling proves about the place of a phone leg's peer.
    ///
    /// A caller has proved nothing before it acknowledges our 200, and over UDP its INVITE may name anybody's
    /// address: that address gets a few packets only, unless media come from there. Before the 200 (early
    /// media) we may send to the host that signalling comes from, and to wherever a user who gave the
    /// password wants it. A peer that we called is there: it answered.
    pub(crate) fn vouch(&self, cx: &mut Context) {
        if self.is_browser() {
            return;
        }
        let usage = self.usage();
        let info = usage.and_then(|usage| cx.endpoint.usage(usage));
        let proxied = self.peer.proxied || usage.is_some_and(|usage| cx.endpoint.is_proxied(usage));
        let source = info.and_then(|info| info.flow).or(self.flow);
        let host = source.map(|flow| flow.remote.ip().to_canonical());
        let to = self
            .negotiation
            .media()
            .and_then(|media| media.transport.remote());
        let to = to.map(|remote| remote.ip());
        let early = self.is_unanswered() && (self.user().is_some() || (host.is_some() && host == to));
        let reached = !self.is_incoming() || self.acknowledged || early;
        let leg = self.id;
        self.command(
            cx,
            Command::Vouch {
                leg,
                host: host.filter(|_| !proxied),
                reached,
            },
        );
    }

    /// Asks the shard for its counts: [`Event::Report`](crate::Event::Report).
    pub(crate) fn report(&self, cx: &mut Context) {
        let leg = self.id;
        self.command(cx, Command::Report { leg });
    }
}

/// Credentials after an ICE restart, which still name shard and leg.
fn renew(before: &IceCredentials, rng: &mut Rng) -> IceCredentials {
    let ufrag = match ice::parse_ufrag(&before.ufrag) {
        Some((shard, leg)) => ice::ufrag(shard, leg, rng),
        None => before.ufrag.clone(),
    };
    IceCredentials {
        ufrag,
        pwd: rng.token(24),
    }
}

/// Addresses as the peer may use them: all of its family behind one public address if there is one.
fn advertised(addresses: &[SocketAddr], advertise: Option<IpAddr>) -> Vec<SocketAddr> {
    let Some(ip) = advertise else {
        return addresses.to_vec();
    };
    let map = |a: &SocketAddr| match a.ip().is_ipv4() == ip.is_ipv4() {
        true => SocketAddr::new(ip, a.port()),
        false => *a,
    };
    let mut mapped: Vec<SocketAddr> = addresses.iter().map(map).collect();
    mapped.dedup();
    mapped
}
