//! Commands of signalling.

use std::net::SocketAddr;
use std::time::Duration;

use sans_io::Time;

use super::Shard;
use crate::codec::{Encoder, Pool, RATE};
use crate::control::{Application, BridgeId, Command, Event, Failure, LegId, LegKind, Member, SocketId};
use crate::leg::{Leg, MOST_STREAMS};
use crate::negotiated::{Codec, Negotiated, StreamAgreed};
use crate::prompts::Phrase;
use crate::rtp::Packet;
use crate::stream::{Announcement, End, Feed, Hears, Place, Player, Sink, Stream, direct};
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
                let Some(&key) = self.names.get(&leg) else { return };
                if let Some(End { stream, .. }) = self.end(Place::first(key)) {
                    let lasts = Duration::from_millis(u64::from(duration_ms.clamp(40, 5_000)));
                    stream.digits.send(now, digit, lasts);
                }
                self.arm(key);
            }
            Command::Tap { leg, stream, on } => self.tap(leg, stream, on),
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
                    for place in self.places(key) {
                        self.tell_report(place, false);
                    }
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
            LegKind::Browser { ice } | LegKind::WebRtc { ice, .. } => {
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
            LegKind::Phone { local, .. } | LegKind::WebRtc { local, .. } => self.out.bind(id, local),
        }
        self.arm(key);
    }

    pub(super) fn bound(&mut self, id: LegId, rtp: (SocketId, SocketAddr), rtcp: (SocketId, SocketAddr)) {
        let key = self.key_of(id);
        let leg = key.and_then(|key| self.legs.get_mut(key));
        // RTCP goes where RTP does, with ICE.
        let bundled = leg.as_ref().is_some_and(|leg| leg.transport.checks_peer());
        let bound = leg.is_some_and(|leg| leg.transport.bind(rtp.0, rtcp.0));
        let Some(key) = key.filter(|_| bound) else {
            // The leg was closed while the shell bound.
            self.out.release([rtp.0, rtcp.0]);
            return;
        };
        self.sockets.insert(rtp.0, (key, false));
        self.sockets.insert(rtcp.0, (key, true));
        let addresses = match bundled {
            true => vec![rtp.1],
            false => vec![rtp.1, rtcp.1],
        };
        self.out.event(Event::Opened { leg: id, addresses });
    }

    pub(super) fn bind_failed(&mut self, id: LegId) {
        if let Some(key) = self.names.remove(&id) {
            let leg = self.legs.try_remove(key);
            if leg.is_some_and(|leg| leg.is_observed()) {
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
        if media.streams.is_empty() {
            return;
        }
        self.agree(now, key, media.streams);
        self.tell_home(key);
    }

    /// Lets a leg go on as it was negotiated, whatever its transport is.
    pub(super) fn agree(&mut self, now: Time, key: usize, agreed: impl IntoIterator<Item = StreamAgreed>) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let mut count = 0;
        for media in agreed.into_iter().take(MOST_STREAMS) {
            leg.grow(count + 1, &mut self.rng);
            if let Some(stream) = leg.streams.get_mut(count) {
                stream.agree(media);
            }
            count += 1;
        }
        self.end_streams(now, key, count);
        let Some(leg) = self.legs.get_mut(key) else { return };
        leg.learn_sources();
        let streams = leg.streams.iter().map(|stream| stream.media.as_ref());
        leg.transport.agree(streams);
        // A peer that agrees to something is there.
        leg.silence.broken(now, leg.id, &mut self.out);
        for index in leg.indices() {
            if let Some(mut end) = leg.end(index) {
                end.open_path(now);
                end.stream.report_at.get_or_insert(now + FIRST_REPORT);
            }
        }
        self.rewire_with(now, key);
        self.settle(now, key);
        self.arm(key);
    }

    /// Ends the streams from `count` on, which are not agreed on any more.
    fn end_streams(&mut self, now: Time, key: usize, count: usize) {
        for place in self.places(key).skip(count.max(1)) {
            self.hear(now, place, Hears::Nobody);
            self.send_report(now, place, true);
            let listener = self.end(place).and_then(|end| end.stream.listener);
            if let Some(listener) = listener {
                self.hear(now, listener, Hears::Nobody);
            }
        }
        let Some(leg) = self.legs.get_mut(key) else { return };
        while leg.streams.len() > count.max(1)
            && let Some(stream) = leg.streams.pop()
        {
            stream.give_back(&mut self.pool);
        }
    }

    fn play(&mut self, now: Time, key: usize, application: Option<Application>) {
        let player = application.map(|application| Player::new(application, &mut self.music));
        let place = Place::first(key);
        let Some(End { stream, .. }) = self.end(place) else {
            return;
        };
        stream.player = player;
        // Another application begins at once and afresh.
        stream.tick = None;
        if stream.hears == Hears::Application || stream.hears == Hears::Stream(place) {
            self.hear(now, place, Hears::Nobody);
        }
        self.rewire(now, place);
        self.tell_home(key);
    }

    fn announce(&mut self, key: usize, phrase: Phrase) {
        let pieces = self.config.prompts.say(phrase);
        let Some(End { leg, stream, .. }) = self.end(Place::first(key)) else {
            return;
        };
        if let Some(announcement) = &mut stream.announcement {
            if !pieces.is_empty() {
                announcement.follow(pieces);
            }
            return;
        }
        if stream.hears != Hears::Application || pieces.is_empty() {
            self.out.event(Event::Announced { leg, whole: false });
            return;
        }
        stream.announcement = Some(Announcement::new(pieces));
    }

    /// Ends a leg: its bridge, a last report to the peer and to signalling, its sockets.
    pub(super) fn close(&mut self, now: Time, key: usize) {
        self.untie(now, key);
        self.leave(now, key);
        for place in self.places(key) {
            self.hear(now, place, Hears::Nobody);
            self.send_report(now, place, true);
            self.tell_report(place, true);
        }
        let Some(mut leg) = self.legs.try_remove(key) else {
            return;
        };
        self.names.remove(&leg.id);
        if leg.is_observed() {
            self.out.closed(leg.id);
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
        for stream in leg.streams {
            stream.give_back(&mut self.pool);
        }
    }
}

impl Stream {
    /// Takes the outcome of an offer and answer.
    fn agree(&mut self, media: StreamAgreed) {
        self.egress.set_clock(media.send.1.clock());
        if let Some(Encoder::Opus(encoder)) = &mut self.encoder {
            encoder.adapt(&media.opus);
        }
        self.media = Some(media);
    }

    /// Gives back what it took from the pool.
    fn give_back(self, pool: &mut Pool) {
        if let Some(injected) = self.injected {
            injected.give_back(pool);
        }
        if let Some(feed) = self.feed {
            feed.give_back(pool);
        }
        if let Some(encoder) = self.encoder {
            pool.give_encoder(encoder);
        }
    }

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
