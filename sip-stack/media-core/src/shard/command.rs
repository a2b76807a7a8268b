//! Commands of signalling.

use std::net::SocketAddr;
use std::time::Duration;

use sans_io::Time;

use super::Shard;
use crate::codec::{Encoder, Pool, RATE};
use crate::control::{Application, BridgeId, Command, Event, Failure, LegId, LegKind, Member, SocketId};
use crate::negotiated::{Codec, Negotiated, StreamAgreed};
use crate::prompts::Phrase;
use crate::rtp::Packet;
use crate::stream::{Announcement, Feed, Hears, Leg, Player, Sink, direct};
use crate::transport::{Agreed, DtlsSrtp, Rtp, Transport};

/// The first RTCP report comes soon, so that the round trip is known early.
const FIRST_REPORT: Duration = Duration::from_millis(500);

impl Shard {
    pub(super) fn command(&mut self, now: Time, command: Command) {
        match command {
            Command::Open { leg, kind } => self.open(now, leg, kind),
            Command::Connect { leg, media } => {
                if let Some(&key) = self.names.get(&leg) {
                    self.connect(now, key, *media);
                }
            }
            Command::Vouch { leg, host, reached } => {
                if let Some(leg) = self.names.get(&leg).and_then(|key| self.legs.get_mut(*key)) {
                    leg.transport.vouch(host, reached);
                }
            }
            Command::Bridge {
                bridge,
                home,
                members,
            } => self.connect_members(now, bridge, home, &members),
            Command::Unbridge { bridge } => self.unbridge(now, bridge),
            Command::Play { leg, application } => {
                if let Some(&key) = self.names.get(&leg) {
                    self.play(now, key, application);
                }
            }
            Command::Announce { leg, phrase } => {
                if let Some(&key) = self.names.get(&leg) {
                    self.announce(key, phrase);
                }
            }
            Command::SendDtmf {
                leg,
                digit,
                duration_ms,
            } => {
                if let Some(leg) = self.names.get(&leg).and_then(|key| self.legs.get_mut(*key)) {
                    let lasts = Duration::from_millis(u64::from(duration_ms.clamp(40, 5_000)));
                    leg.digits.send(now, digit, lasts);
                }
                if let Some(&key) = self.names.get(&leg) {
                    self.arm(key);
                }
            }
            Command::Tap { leg, on } => self.tap(leg, on),
            Command::Inject {
                leg,
                injection,
                rate,
                over,
            } => self.inject(now, leg, injection, rate, over),
            Command::EndInjection { leg, injection } => self.end_injection(now, leg, injection),
            Command::WatchSpeech { leg, on } => self.watch_speech(leg, on),
            Command::Report { leg } => {
                if let Some(&key) = self.names.get(&leg) {
                    self.tell_report(key, false);
                }
            }
            Command::Close { leg } => {
                if let Some(&key) = self.names.get(&leg) {
                    self.close(now, key);
                }
            }
        }
    }

    fn open(&mut self, now: Time, id: LegId, kind: LegKind) {
        if self.names.contains_key(&id) {
            return;
        }
        if self.legs.len() >= self.config.max_legs {
            self.out.event(Event::Failed {
                leg: id,
                reason: Failure::Full,
            });
            return;
        }
        let transport = match &kind {
            LegKind::Browser { ice } => {
                let dtls = DtlsSrtp::new(now, ice, &self.config.dtls, self.config.clock);
                Transport::DtlsSrtp(Box::new(dtls))
            }
            LegKind::Phone { source, .. } => Transport::Rtp(Box::new(Rtp::new(*source))),
        };
        self.generation += 1;
        let key = self
            .legs
            .insert(Leg::new(id, transport, &mut self.rng, self.generation));
        self.names.insert(id, key);
        match kind {
            LegKind::Browser { .. } => {
                let addresses = self
                    .config
                    .browser_sockets
                    .iter()
                    .map(|(_, address)| *address)
                    .collect();
                self.out.event(Event::Opened { leg: id, addresses });
            }
            LegKind::Phone { local, .. } => self.out.bind(id, local),
        }
        self.arm(key);
    }

    pub(super) fn bound(&mut self, id: LegId, rtp: (SocketId, SocketAddr), rtcp: (SocketId, SocketAddr)) {
        let key = self.key_of(id);
        let leg = key.and_then(|key| self.legs.get_mut(key));
        let bound = leg.is_some_and(|leg| leg.transport.bind(rtp.0, rtcp.0));
        let Some(key) = key.filter(|_| bound) else {
            // The leg was closed while the shell bound.
            self.out.release([rtp.0, rtcp.0]);
            return;
        };
        self.sockets.insert(rtp.0, (key, false));
        self.sockets.insert(rtcp.0, (key, true));
        self.out.event(Event::Opened {
            leg: id,
            addresses: vec![rtp.1, rtcp.1],
        });
    }

    pub(super) fn bind_failed(&mut self, id: LegId) {
        if let Some(key) = self.names.remove(&id) {
            let leg = self.legs.try_remove(key);
            if leg.is_some_and(|leg| leg.transport.is_tapped() || leg.injected.is_some()) {
                self.out.closed(id);
            }
            self.out.event(Event::Failed {
                leg: id,
                reason: Failure::NoPort,
            });
        }
    }

    /// Gives a bridge its members, as far as this shard is concerned.
    fn connect_members(&mut self, now: Time, bridge: BridgeId, home: u8, members: &[Member]) {
        if home != self.config.shard {
            self.tie(now, bridge, home, members);
        } else {
            if members.iter().any(|member| member.shard != home) {
                self.expected.insert(bridge, members.to_vec());
            } else {
                self.expected.remove(&bridge);
            }
            for (other, expected) in &mut self.expected {
                if *other != bridge {
                    expected.retain(|other| !members.iter().any(|member| member.leg == other.leg));
                }
            }
            self.bridge(now, bridge, members);
        }
    }

    fn connect(&mut self, now: Time, key: usize, media: Negotiated) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        match leg.transport.connect(now, &media.transport) {
            Agreed::Unfit => return,
            Agreed::Ready if !std::mem::replace(&mut leg.announced, true) => {
                self.out.event(Event::Connected { leg: leg.id });
            }
            Agreed::Ready | Agreed::Pending => {}
        }
        leg.addressed = media.transport.remote().is_some();
        let Some(stream) = media.streams.into_iter().next() else {
            return;
        };
        self.agree(now, key, stream);
        self.tell_home(key);
    }

    /// Lets a leg go on as it was negotiated, whatever its transport is.
    pub(super) fn agree(&mut self, now: Time, key: usize, media: StreamAgreed) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        leg.egress.set_clock(media.send.1.clock());
        if let Some(Encoder::Opus(encoder)) = &mut leg.encoder {
            encoder.adapt(&media.opus);
        }
        leg.transport.agree(&media);
        leg.media = Some(media);
        // A peer that agrees to something is there.
        leg.silence.broken(now, leg.id, &mut self.out);
        leg.open_path(now);
        leg.report_at.get_or_insert(now + FIRST_REPORT);
        self.rewire_with(now, key);
        self.settle(now, key);
        self.arm(key);
    }

    fn play(&mut self, now: Time, key: usize, application: Option<Application>) {
        let player = application.map(|application| Player::new(application, &mut self.music));
        let Some(leg) = self.legs.get_mut(key) else { return };
        leg.player = player;
        // Another application begins at once and afresh.
        leg.tick = None;
        if leg.hears == Hears::Application || leg.hears == Hears::Leg(key) {
            self.hear(now, key, Hears::Nobody);
        }
        self.rewire(now, key);
        self.tell_home(key);
    }

    fn announce(&mut self, key: usize, phrase: Phrase) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let pieces = self.config.prompts.say(phrase);
        if let Some(announcement) = &mut leg.announcement {
            if !pieces.is_empty() {
                announcement.follow(pieces);
            }
            return;
        }
        if leg.hears != Hears::Application || pieces.is_empty() {
            self.out.event(Event::Announced {
                leg: leg.id,
                whole: false,
            });
            return;
        }
        leg.announcement = Some(Announcement::new(pieces));
    }

    /// Ends a leg: its bridge, a last report to the peer and to signalling, its sockets.
    pub(super) fn close(&mut self, now: Time, key: usize) {
        self.untie(now, key);
        self.leave(now, key);
        self.hear(now, key, Hears::Nobody);
        self.send_report(now, key, true);
        self.tell_report(key, true);
        let Some(mut leg) = self.legs.try_remove(key) else {
            return;
        };
        self.names.remove(&leg.id);
        if leg.transport.is_tapped() || leg.injected.is_some() {
            self.out.closed(leg.id);
        }
        if let Some(injected) = leg.injected.take() {
            injected.give_back(&mut self.pool);
        }
        leg.transport.close(now);
        while let Some(datagram) = leg.transport.poll_transmit() {
            self.out.datagram(datagram.socket, datagram.to, datagram.data);
        }
        for path in leg.transport.paths() {
            if self.paths.get(&path) == Some(&key) {
                self.paths.remove(&path);
            }
        }
        if let Some(sockets) = leg.transport.sockets() {
            for socket in &sockets {
                self.sockets.remove(socket);
            }
            self.out.release(sockets);
        }
        if let Some(feed) = leg.feed {
            feed.give_back(&mut self.pool);
        }
        if let Some(encoder) = leg.encoder {
            self.pool.give_encoder(encoder);
        }
    }
}

impl Leg {
    /// Decodes what the peer says into the lane of its application, if it has one.
    pub(super) fn record(&mut self, now: Time, codec: Codec, packet: &Packet<'_>, pool: &mut Pool) {
        let Some(lane) = self
            .player
            .as_ref()
            .filter(|_| self.hears == Hears::Application)
            .and_then(|p| p.lane())
        else {
            return;
        };
        if !self
            .feed
            .as_ref()
            .is_some_and(|feed| feed.fits(codec, false, RATE))
        {
            let fresh = Feed::new(codec, false, RATE, pool);
            if let Some(old) = std::mem::replace(&mut self.feed, fresh) {
                old.give_back(pool);
            }
        }
        if let Some(feed) = &mut self.feed
            && feed.insert_direct(now, packet)
        {
            direct(now, feed, &mut Sink::Lane(lane), &mut self.count);
        }
    }
}
