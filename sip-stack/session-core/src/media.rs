//! Events of media shards.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use media_core::control::{Command, Event as MediaEvent, Failure, LegId, LegKind, MediaSource};
use media_core::ice;
use media_core::negotiated::{Codec, DtlsRole, IceCredentials};
use media_core::sdp::{self, Family, Negotiator};
use sans_io::{Rng, Time};

use crate::SessionId;
use crate::coordinator::{Coordinator, Output};
use crate::event::{Cause, Event, Fault};
use crate::leg::{Leg, Media, Pending, State};

/// Properties of a new leg, known before its media are opened.
pub(crate) struct Wanted {
    pub(crate) browser: bool,
    pub(crate) codecs: Vec<Codec>,
    pub(crate) source: MediaSource,
    /// The family of addresses that its peer speaks, if known.
    pub(crate) family: Option<Family>,
}

impl Coordinator {
    pub(crate) fn on_media(&mut self, now: Time, event: MediaEvent) {
        match event {
            MediaEvent::Opened { leg, addresses } => self.media_opened(now, leg, addresses),
            MediaEvent::Failed { leg, reason } => self.media_failed(now, leg, reason),
            MediaEvent::Connected { leg } => self.restored(leg),
            MediaEvent::Talking { leg } => {
                if let Some(l) = self.legs.get(&leg) {
                    let session = l.session;
                    self.event(Event::Talking { session, leg });
                }
                self.rtp_flows(now, leg, true);
            }
            MediaEvent::Dtmf {
                leg,
                digit,
                duration_ms,
            } => {
                self.digit_heard(now, leg, char::from(digit), duration_ms);
            }
            MediaEvent::Announced { leg, whole } => self.announced(leg, whole),
            MediaEvent::Gone { leg, .. } => self.peer_gone(now, leg),
            MediaEvent::Silent { leg, silent } => self.silence(now, leg, silent),
            MediaEvent::Flow { leg, flowing } => self.rtp_flows(now, leg, flowing),
            MediaEvent::Report { leg, report, last } => {
                let Some(l) = self.legs.get_mut(&leg) else { return };
                let session = l.session;
                if last {
                    l.report = *report;
                    l.media = Media::Closed;
                    self.conclude(session);
                } else {
                    self.event(Event::Report { session, leg, report });
                }
            }
        }
    }

    /// The media side of a new leg: how to open it, and who negotiates for it.
    pub(crate) fn open_media(
        &mut self,
        session: SessionId,
        leg: LegId,
        media: Wanted,
    ) -> (LegKind, Negotiator) {
        let Wanted {
            browser,
            codecs,
            source,
            family,
        } = media;
        let shard = self.shard_of(session);
        if browser {
            let ice = IceCredentials {
                ufrag: ice::ufrag(shard, leg, &mut self.rng),
                pwd: self.rng.token(24),
            };
            let profile = sdp::Profile::Browser(sdp::Browser {
                ice: ice.clone(),
                fingerprint: self.config.fingerprint.clone(),
                // The first check of the peer starts the handshake: a round trip sooner than if it had to begin.
                role: DtlsRole::Active,
                renew,
            });
            let config = sdp::Config {
                codecs,
                ..sdp::Config::browser()
            };
            (
                LegKind::Browser { ice },
                Negotiator::new(profile, config, &mut self.rng),
            )
        } else {
            let config = sdp::Config {
                codecs,
                ..sdp::Config::phone()
            };
            let negotiator = Negotiator::new(sdp::Profile::Phone, config, &mut self.rng);
            (
                LegKind::Phone {
                    local: self.phone_ip(family),
                    source,
                },
                negotiator,
            )
        }
    }

    /// Address of ours where a phone leg of that family binds; of the other family if there is none.
    fn phone_ip(&self, family: Option<Family>) -> IpAddr {
        let ips = &self.config.phone_ips;
        let fits = ips.iter().find(|ip| Some(Family::of(**ip)) == family);
        fits.or_else(|| ips.first())
            .copied()
            .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// Address families that we have towards phones.
    pub(crate) fn phone_families(&self) -> Vec<Family> {
        self.config.phone_ips.iter().map(|ip| Family::of(*ip)).collect()
    }

    /// Sources that media of a leg of this user or trunk are accepted from.
    pub(crate) fn media_source(&self, user: Option<&str>, trunk: Option<&str>) -> MediaSource {
        let user = user
            .and_then(|name| self.user(name))
            .map(|user| user.media_source);
        let trunk = || {
            trunk
                .and_then(|name| self.trunk(name))
                .map(|trunk| trunk.media_source)
        };
        user.or_else(trunk).unwrap_or_default()
    }

    /// Tells the shard what signalling proves about the place of a phone leg's peer.
    ///
    /// A caller has proved nothing before it acknowledges our 200, and over UDP its INVITE may name anybody's
    /// address: that address gets a few packets only, unless media come from there. Before the 200 (early
    /// media) we may send to the host that signalling comes from, and to wherever a user who gave the
    /// password wants it. A peer that we called is there: it answered.
    pub(crate) fn vouch(&mut self, leg: LegId) {
        let Some(l) = self.legs.get(&leg).filter(|l| !l.browser) else {
            return;
        };
        let info = l.usage.and_then(|usage| self.endpoint.usage(usage));
        let proxied = l.proxied || l.usage.is_some_and(|usage| self.endpoint.is_proxied(usage));
        let source = info.and_then(|info| info.flow).or(l.flow);
        let host = source.map(|flow| flow.remote.ip().to_canonical());
        let to = l.negotiated.as_ref().and_then(|media| media.transport.remote());
        let to = to.map(|remote| remote.ip());
        let early = l.state < State::Up && (l.user.is_some() || (host.is_some() && host == to));
        let reached = !l.incoming || l.acknowledged || early;
        self.command(
            leg,
            Command::Vouch {
                leg,
                host: host.filter(|_| !proxied),
                reached,
            },
        );
    }

    fn media_opened(&mut self, now: Time, leg: LegId, addresses: Vec<SocketAddr>) {
        let advertise = self.config.advertise;
        let Some(l) = self.legs.get_mut(&leg).filter(|l| l.media == Media::Opening) else {
            return;
        };
        l.negotiator.local(&advertised(&addresses, advertise));
        l.media = Media::Open;
        for pending in std::mem::take(&mut l.pending) {
            match pending {
                Pending::Invite(invite) => self.invite_now(now, leg, invite),
                Pending::Ring(code, early) => self.ring_now(now, leg, code, early),
                Pending::Answer => self.answer_now(now, leg),
                Pending::Restore => self.offer_to_go_on(now, leg),
            }
        }
    }

    /// The shard closed the leg already.
    fn media_failed(&mut self, now: Time, leg: LegId, reason: Failure) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        l.media = Media::Closed;
        let (session, state) = (l.session, l.state);
        let (code, fault) = match reason {
            Failure::NoPort => (503, Fault::NoPort),
            Failure::Full => (503, Fault::Overloaded),
            Failure::Fingerprint | Failure::Dtls => (488, Fault::Media),
            Failure::Closed | Failure::Consent => (408, Fault::Media),
        };
        l.fault = Some(fault);
        let is_branch = self.sessions.get(&session).is_some_and(|s| {
            s.offer_of(leg).is_some() || s.dialling.as_ref().is_some_and(|d| d.branches.contains(&leg))
        });
        if is_branch && state < State::Up {
            self.end_leg(now, leg, None);
            self.branch_failed(now, leg, code);
        } else if self.member_left(session, leg, Cause::Failed, code) {
            self.end_leg(now, leg, None);
        } else {
            if let Some(s) = self.sessions.get_mut(&session) {
                s.fault = Some(fault);
            }
            self.end_session(now, session, Cause::Failed, code);
        }
        self.conclude(session);
    }

    /// Tells the shard of `leg`.
    pub(crate) fn command(&mut self, leg: LegId, command: Command) {
        let shard = self.legs.get(&leg).map_or(0, |l| l.shard);
        self.out.push_back(Output::Media { shard, command });
    }

    /// Shard for the next leg of a session: that of its first leg, so that they hear each other without a detour; for a first
    /// leg the one with the fewest.
    pub(crate) fn shard_of(&self, session: SessionId) -> u8 {
        let legs = self.sessions.get(&session).map_or(&[][..], |s| &s.legs);
        let first = legs.iter().find_map(|leg| self.legs.get(leg));
        let fewest = || (0_u8..).zip(&self.shard_legs).min_by_key(|(_, legs)| **legs);
        first.map_or_else(|| fewest().map_or(0, |(shard, _)| shard), |l| l.shard)
    }

    pub(crate) fn codecs_for(&self, trunk: Option<&str>, browser: bool) -> Vec<Codec> {
        if browser {
            return self.config.browser_codecs.clone();
        }
        match trunk.and_then(|name| self.trunk(name)) {
            Some(trunk) if !trunk.codecs.is_empty() => trunk.codecs.clone(),
            _ => self.config.phone_codecs.clone(),
        }
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

impl Leg {
    /// The caller of an INVITE that has no final response yet.
    pub(crate) fn offer_pending(&self) -> bool {
        self.incoming && self.state < State::Up
    }
}
