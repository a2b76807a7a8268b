mod fax;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sans_io::Rng;
use smallvec::smallvec;

use super::choose::{self, Audio, Path, Wanted};
use super::crypto::{self, Crypto, SrtpPolicy, is_secure};
use super::format::{Kind, Numbers, Spoken, opus};
use super::peek::Peer;
use super::read::read;
use super::section::Section;
use super::security::Secured;
use super::text::Text;
use super::write::{self, Line, Ours};
use super::{Family, SdpError};
use crate::negotiated::{
    Codec, Direction, DtlsRole, Fingerprint, IceChecks, IceCredentials, Labels, Negotiated, OpusParameters,
    Passed, StreamAgreed, TelephoneEvent, Transport,
};

pub use fax::{Fax, fax_alone};

/// New ICE credentials of ours after a restart, from those before: they must still name the shard and the leg.
pub type Renew = fn(&IceCredentials, &mut Rng) -> IceCredentials;

/// Kind of leg that the descriptions are for.
#[derive(Clone, Debug)]
pub enum Profile {
    /// ICE and DTLS-SRTP.
    Browser(Browser),
    /// RTP: plain, or with keys in SDP.
    Phone(SrtpPolicy),
}

/// Our side of a browser leg.
#[derive(Clone, Debug)]
pub struct Browser {
    /// The credentials that the leg was opened with.
    pub ice: IceCredentials,
    /// Fingerprint of our certificate.
    pub fingerprint: Fingerprint,
    /// Our answer to `a=setup:actpass`, usually [`DtlsRole::Passive`]: the peer speaks first, as soon as it has the answer.
    pub role: DtlsRole,
    /// Called when the peer restarts ICE.
    pub renew: Renew,
    /// True if the leg makes checks of its own: full ICE, as a browser has it; the peer may be lite then. False: we are lite.
    pub full: bool,
}

/// Wishes for the exchange, independent of the peer. They may change between exchanges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Best first, at least one. Of the codecs that an offer has, the first of these is taken.
    pub codecs: Vec<Codec>,
    /// The foreign formats among them, as the peer at the other end describes them.
    pub passed: Vec<Passed>,
    /// RFC 4733 digits.
    pub telephone_event: bool,
    /// Milliseconds of audio in a packet, 10 to 60: what we ask for, and what we send to a peer that asks for nothing.
    pub ptime_ms: u8,
    /// The far end hears 8 kHz only, so Opus is asked to spend nothing on more (RFC 7587 §6.1).
    pub narrowband: bool,
    /// Our offers of keys ask the network to end the encryption at its edge (`a=3ge2ae:requested`, 3GPP TS 24.229 §6.1).
    pub media_security: bool,
}

impl Config {
    /// Opus first.
    #[must_use]
    pub fn browser() -> Config {
        Config {
            codecs: vec![Codec::Opus, Codec::Pcmu, Codec::Pcma],
            passed: Vec::new(),
            telephone_event: true,
            ptime_ms: 20,
            narrowband: false,
            media_security: false,
        }
    }

    /// G.711 alone.
    #[must_use]
    pub fn phone() -> Config {
        Config {
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            ..Config::browser()
        }
    }
}

/// Result of [`Negotiator::handle_offer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The body to send: the same bytes in each 183 and in the 200.
    pub sdp: String,
    /// Result of the negotiation.
    pub negotiated: Negotiated,
}

/// Wish of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Audio: the most that it lets our side do.
    Voice(Direction),
    /// A fax in the place of the audio.
    Fax(Fax),
}

/// The offer/answer state of one leg (RFC 3264): the agreement, the open offer, and everything that must stay
/// as it is for the life of the session: order of sections, mids, payload type numbers, DTLS role, session id.
#[derive(Clone, Debug)]
pub struct Negotiator {
    profile: Profile,
    /// May be changed between exchanges.
    pub config: Config,
    addresses: Vec<SocketAddr>,
    session_id: u64,
    /// The `o=` address, fixed by the first description.
    origin: Option<IpAddr>,
    version: u64,
    /// Description that was written last, from its version on.
    written: Option<String>,
    /// Keys that a phone is offered at first, if it is.
    keys: Vec<Crypto>,
    agreed: Agreed,
    offer: Option<Ours>,
    answer: Option<String>,
}

/// Outcome of the last exchange.
#[derive(Clone, Debug, Default)]
struct Agreed {
    lines: Vec<Line>,
    audio: Option<usize>,
    numbers: Numbers,
    bundled: bool,
    mux: bool,
    codec: Option<Codec>,
    /// Formats of the peer's last description.
    spoken: Spoken,
    /// Browser: who the peer is, and our role towards it.
    peer: Option<(Secured, DtlsRole)>,
    /// Browser: ours, after a restart.
    ice: Option<IceCredentials>,
    /// Phone: the keys, if media are encrypted.
    keys: Option<crypto::Agreed>,
    /// The section of the audio, while a fax has its place.
    voice: Option<Line>,
    /// Fax of the peer, where its answer agreed to one.
    fax: Option<Fax>,
}

impl Negotiator {
    /// For a leg whose addresses are not known yet.
    #[must_use]
    pub fn new(profile: Profile, config: Config, rng: &mut Rng) -> Negotiator {
        let keys = match profile {
            Profile::Phone(SrtpPolicy::Optional | SrtpPolicy::Required) => Crypto::offered(rng),
            Profile::Phone(SrtpPolicy::Off) | Profile::Browser(_) => Vec::new(),
        };
        Negotiator {
            profile,
            config,
            keys,
            addresses: Vec::new(),
            // 52 bits, which every peer can read; RFC 8866 §5.2 asks for uniqueness only.
            session_id: rng.u64() >> 12,
            origin: None,
            version: 0,
            written: None,
            agreed: Agreed::default(),
            offer: None,
            answer: None,
        }
    }

    /// The leg's addresses as the peer shall see them, the default one first: candidates of a browser leg, `[rtp, rtcp]` of
    /// a phone leg. Without them descriptions have neither.
    pub fn local(&mut self, addresses: &[SocketAddr]) {
        self.addresses = addresses
            .iter()
            .copied()
            .filter(|at| !at.ip().is_unspecified())
            .collect();
    }

    /// Our offer: the first one of a call that we make or that came without one, or a re-offer. An offer of ours that is
    /// still out is withdrawn.
    pub fn offer(&mut self, direction: Direction) -> String {
        let browser = matches!(self.profile, Profile::Browser(_));
        self.end_fax();
        if self.agreed.lines.is_empty() {
            let line = self.first_line();
            self.agreed.lines.push(line);
            self.agreed.bundled = browser;
        }
        let ours = Ours {
            index: self.agreed.audio.unwrap_or(0),
            formats: self.offered_formats(),
            direction,
            setup: None,
            ice: self.agreed.ice.clone(),
            mux: browser || self.agreed.mux,
            bundled: self.agreed.bundled,
            crypto: match (&self.agreed.keys, self.agreed.audio) {
                // The agreement stays, with its key (RFC 4568 §7.1.4).
                (Some(keys), _) => vec![keys.local.clone()],
                (None, Some(_)) => Vec::new(),
                (None, None) => self.keys.clone(),
            },
            fax: None,
            offers: true,
        };
        let lines = self.agreed.lines.clone();
        let sdp = self.write(&lines, &ours);
        self.offer = Some(ours);
        sdp
    }

    /// The audio section of a first offer of ours.
    fn first_line(&self) -> Line {
        Line {
            media: "audio".to_owned(),
            proto: match self.profile {
                Profile::Browser(_) => "UDP/TLS/RTP/SAVPF",
                Profile::Phone(SrtpPolicy::Required) => "RTP/SAVP",
                Profile::Phone(SrtpPolicy::Off | SrtpPolicy::Optional) => "RTP/AVP",
            }
            .to_owned(),
            fmt: String::new(),
            mid: matches!(self.profile, Profile::Browser(_)).then(|| "0".to_owned()),
        }
    }

    /// The answer to our offer. May come again while no other exchange has begun, as in a 183 and the 200 after it; the
    /// last one counts.
    ///
    /// # Errors
    /// The answer cannot be used; nothing has changed, and the call has no media.
    pub fn handle_answer(&mut self, answer: &[u8]) -> Result<Negotiated, SdpError> {
        let offer = self.offer.clone().ok_or(SdpError::NoOffer)?;
        if offer.fax.is_some() {
            return self.handle_fax_answer(answer).map(|(_, negotiated)| negotiated);
        }
        let session = read(answer)?;
        if session.medias.len() > self.agreed.lines.len() {
            return Err(SdpError::Sections);
        }
        let media = session.medias.get(offer.index).ok_or(SdpError::NoAudio)?;
        let section = Section {
            session: &session,
            media,
        };
        if !section.is_audio() || section.is_rejected() {
            return Err(SdpError::NoAudio);
        }
        let offered: Vec<_> = offer
            .formats
            .iter()
            .filter_map(|(_, kind)| audio_codec(*kind))
            .collect();
        let audio = Audio::read(
            offer.index,
            section,
            self.peer(),
            Wanted::These(&offered),
            self.families(),
            self.srtp(),
        )?;
        let mut keys = None;
        let (transport, peer, mux) = match &audio.path {
            Path::Rtp {
                remote,
                rtcp,
                mux,
                keying,
            } => {
                let mux = *mux && offer.mux;
                let line = self.agreed.lines.get(offer.index);
                let secure = line.is_some_and(|line| is_secure(&line.proto));
                keys = keying.of_answer(&offer.crypto, secure, section)?;
                (phone(*remote, *rtcp, mux, keys.as_ref()), None, mux)
            }
            Path::Dtls(secured) => {
                let role = secured.setup.role_of_offerer(self.kept_role(secured))?;
                (
                    self.dtls(secured, role, offer.ice.as_ref(), true)?,
                    Some((secured.clone(), role)),
                    secured.mux,
                )
            }
        };
        let own = |kind| offer.formats.iter().find(|(_, k)| *k == kind).map(|&(pt, _)| pt);
        let mut receive = Vec::new();
        let mut send = None;
        for format in &audio.formats {
            let Some((pt, codec)) = format
                .kind
                .and_then(|kind| Some((own(kind)?, audio_codec(kind)?)))
            else {
                continue;
            };
            receive.push((pt, codec));
            send = send.or(Some((format.pt, codec)));
        }
        let send = send.ok_or(SdpError::NoCommonCodec)?;
        // What can only be passed on is passed on to one that has the same: the first of an answer counts, and no other.
        receive.retain(|(_, codec)| match send.1.is_foreign() {
            true => *codec == send.1,
            false => !codec.is_foreign(),
        });
        let event = audio.event(send.1).and_then(|(send, clock)| {
            Some(TelephoneEvent {
                send,
                receive: own(Kind::Event(clock))?,
                clock,
            })
        });
        let negotiated = self.negotiated(
            &audio,
            offer.direction.intersect(audio.direction),
            send,
            receive,
            event,
            transport,
        );

        self.agreed.audio = Some(offer.index);
        self.agreed.numbers.reserve(&audio.formats);
        self.agreed.codec = Some(send.1);
        self.agreed.spoken = Spoken::of(&audio.formats);
        self.agreed.peer = peer;
        self.agreed.keys = keys;
        self.agreed.mux = mux;
        Ok(negotiated)
    }

    /// Reads the wish of an offer, without answering it.
    ///
    /// # Errors
    /// The offer cannot be served: as [`handle_offer`](Self::handle_offer) or [`answer_fax`](Self::answer_fax) would say.
    pub fn assess(&self, offer: &[u8]) -> Result<Asked, SdpError> {
        let session = read(offer)?;
        let audio = choose::audio(
            &session,
            self.peer(),
            Wanted::These(&self.config.codecs),
            self.families(),
            self.srtp(),
            self.agreed.audio,
        );
        match audio {
            Ok(audio) => Ok(Asked::Voice(audio.direction)),
            Err(error) => match self.fax_of(&session)? {
                Some(fax) => Ok(Asked::Fax(fax)),
                None => Err(error),
            },
        }
    }

    /// Answers the peer's offer. `want` is what we would like to do: `SendRecv`, or less while we hold. An offer of ours
    /// that is still out is withdrawn.
    ///
    /// # Errors
    /// The offer cannot be served; nothing has changed, and a session that was agreed before goes on (RFC 3264 §8).
    pub fn handle_offer(&mut self, offer: &[u8], want: Direction, rng: &mut Rng) -> Result<Answer, SdpError> {
        let session = read(offer)?;
        let audio = choose::audio(
            &session,
            self.peer(),
            Wanted::These(&self.config.codecs),
            self.families(),
            self.srtp(),
            self.agreed.audio,
        )?;
        let chosen = self
            .config
            .codecs
            .iter()
            .find_map(|&codec| Some((codec, audio.format(Kind::Audio(codec))?)));
        let (codec, format) = chosen.ok_or(SdpError::NoCommonCodec)?;
        let send = (format.pt, codec);
        let event = audio.event(codec).filter(|_| self.config.telephone_event);
        let direction = want.intersect(audio.direction);

        let mut ice = self.agreed.ice.clone();
        let mut keys = None;
        let (transport, peer, mux) = match &audio.path {
            Path::Rtp {
                remote,
                rtcp,
                mux,
                keying,
            } => {
                keys = keying.of_offer(self.srtp(), self.agreed.keys.as_ref(), rng)?;
                (phone(*remote, *rtcp, *mux, keys.as_ref()), None, *mux)
            }
            Path::Dtls(secured) => {
                let Profile::Browser(browser) = &self.profile else {
                    return Err(SdpError::NoAudio);
                };
                // RFC 8839 §4.4.1.1.1: other credentials ask for a restart, and the answer has new ones too.
                if self
                    .agreed
                    .peer
                    .as_ref()
                    .is_some_and(|(before, _)| before.ice != secured.ice)
                {
                    ice = Some((browser.renew)(ice.as_ref().unwrap_or(&browser.ice), rng));
                }
                let role = secured
                    .setup
                    .role_of_answerer(self.kept_role(secured), browser.role);
                (
                    self.dtls(secured, role, ice.as_ref(), false)?,
                    Some((secured.clone(), role)),
                    secured.mux,
                )
            }
        };
        let lines: Vec<_> = Section::all(&session).map(Line::of).collect();
        let mut formats = vec![(send.0, Kind::Audio(codec))];
        formats.extend(event.map(|(pt, clock)| (pt, Kind::Event(clock))));
        let ours = Ours {
            index: audio.index,
            formats,
            direction,
            setup: peer.as_ref().map(|(_, role)| *role),
            ice: ice.clone(),
            mux,
            bundled: audio.bundled,
            crypto: keys.iter().map(|keys| keys.local.clone()).collect(),
            fax: None,
            offers: false,
        };
        let event = event.map(|(pt, clock)| TelephoneEvent {
            send: pt,
            receive: pt,
            clock,
        });
        let negotiated = self.negotiated(&audio, direction, send, vec![send], event, transport);

        let sdp = self.write(&lines, &ours);
        self.agreed.lines = lines;
        self.agreed.voice = None;
        self.agreed.audio = Some(audio.index);
        self.agreed.numbers.adopt(&audio.formats);
        self.agreed.bundled = audio.bundled;
        self.agreed.mux = ours.mux;
        self.agreed.codec = Some(codec);
        self.agreed.spoken = Spoken::of(&audio.formats);
        self.agreed.peer = peer;
        self.agreed.ice = ice;
        self.agreed.keys = keys;
        self.offer = None;
        self.answer = Some(sdp.clone());
        Ok(Answer { sdp, negotiated })
    }

    /// Goes on where another negotiator ended, whose last description was `local` and its peer's `remote`: what must stay as
    /// it is for the life of the session does, but the peer is given new keys and addresses by our next offer.
    ///
    /// # Errors
    /// `local` or `remote` cannot be used; nothing has changed.
    pub fn resume(&mut self, local: &[u8], remote: &[u8], rng: &mut Rng) -> Result<(), SdpError> {
        let before = self.clone();
        let (session_id, version, origin) =
            origin_of(local).ok_or_else(|| SdpError::Malformed("no origin".into()))?;
        if let Err(error) = self.handle_offer(remote, Direction::SendRecv, rng) {
            *self = before;
            return Err(error);
        }
        self.session_id = session_id;
        self.version = version;
        self.origin = Some(origin);
        self.written = None;
        self.answer = None;
        // The DTLS association is gone with its keys, and who begins the next one is open.
        self.agreed.peer = None;
        self.agreed.ice = None;
        Ok(())
    }

    /// Formats of the peer's last description that was agreed to, as it wrote them.
    #[must_use]
    pub fn spoken(&self) -> &Spoken {
        &self.agreed.spoken
    }

    /// Our last answer, byte for byte.
    #[must_use]
    pub fn last_answer(&self) -> Option<&str> {
        self.answer.as_deref()
    }

    const fn peer(&self) -> Peer {
        match self.profile {
            Profile::Browser(_) => Peer::Browser,
            Profile::Phone(_) => Peer::Phone,
        }
    }

    /// Family of our address: the peer must be reachable from there (RFC 6157 §4).
    fn families(&self) -> &'static [Family] {
        match self.addresses.first().map(|at| Family::of(at.ip())) {
            Some(Family::V4) => &[Family::V4],
            Some(Family::V6) => &[Family::V6],
            None => &[],
        }
    }

    /// The codec in use first, the others as configured; then digits at each clock.
    fn offered_formats(&mut self) -> Vec<(u8, Kind)> {
        let mut codecs = self.config.codecs.clone();
        if codecs.is_empty() {
            codecs.push(Codec::Pcmu);
        }
        codecs.sort_by_key(|codec| self.agreed.codec != Some(*codec));
        codecs.dedup();
        let mut kinds: Vec<_> = codecs.iter().map(|&codec| Kind::Audio(codec)).collect();
        if self.config.telephone_event {
            kinds.extend(event_clocks(&codecs).map(Kind::Event));
            // Simple phones take the first events of an offer, at whatever clock they are.
            let at = match self.profile {
                Profile::Phone(_) => codecs.len(),
                Profile::Browser(_) => kinds.len(),
            };
            kinds.insert(at, Kind::Event(8_000));
        }
        let (numbers, passed) = (&mut self.agreed.numbers, &self.config.passed);
        let wish = |kind: Kind| {
            let format = kind.foreign()?;
            let mut passed = passed.iter().filter(|passed| passed.format == format);
            passed.next().map(|passed| passed.number)
        };
        kinds
            .into_iter()
            .filter_map(|kind| Some((numbers.number(kind, wish(kind))?, kind)))
            .collect()
    }

    const fn srtp(&self) -> SrtpPolicy {
        match self.profile {
            Profile::Phone(srtp) => srtp,
            Profile::Browser(_) => SrtpPolicy::Off,
        }
    }

    /// The DTLS role that stays, because the association does (RFC 8842 §4).
    fn kept_role(&self, secured: &Secured) -> Option<DtlsRole> {
        let (before, role) = self.agreed.peer.as_ref()?;
        let same = before.fingerprint == secured.fingerprint && before.tls_id == secured.tls_id;
        same.then_some(*role)
    }

    fn dtls(
        &self,
        secured: &Secured,
        role: DtlsRole,
        ice: Option<&IceCredentials>,
        offered: bool,
    ) -> Result<Transport, SdpError> {
        let Profile::Browser(browser) = &self.profile else {
            return Err(SdpError::NoAudio);
        };
        if secured.lite && !browser.full {
            return Err(SdpError::both_lite());
        }
        // RFC 8445 §6.1.1: the one who offers controls, unless the other one alone is full.
        let checks = browser.full.then(|| IceChecks {
            candidates: secured.candidates.clone(),
            controlling: offered || secured.lite,
        });
        Ok(Transport::Dtls {
            remote_ice: secured.ice.clone(),
            local_ice: ice.unwrap_or(&browser.ice).clone(),
            fingerprint: secured.fingerprint.clone(),
            role,
            checks,
        })
    }

    fn negotiated(
        &self,
        audio: &Audio,
        direction: Direction,
        send: (u8, Codec),
        receive: Vec<(u8, Codec)>,
        telephone_event: Option<TelephoneEvent>,
        transport: Transport,
    ) -> Negotiated {
        let opus = match send.1 {
            Codec::Opus => {
                let format = audio.formats.iter().find(|format| format.pt == send.0);
                opus(format.and_then(|format| format.fmtp.as_deref()))
            }
            Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::Foreign(_) => OpusParameters::default(),
        };
        let ptime_ms = audio.ptime(self.config.ptime_ms, send.1);
        let stream = StreamAgreed {
            direction,
            send,
            receive,
            telephone_event,
            ptime_ms,
            opus,
            labels: Labels::default(),
        };
        Negotiated {
            streams: smallvec![stream],
            transport,
        }
    }

    /// Writes a description; its version differs from that of the last one when anything else does (RFC 3264 §8).
    fn write(&mut self, lines: &[Line], ours: &Ours) -> String {
        let first = self
            .addresses
            .first()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), SocketAddr::ip);
        let origin = *self.origin.get_or_insert(first);
        let session = write::session(
            self.session_id,
            origin,
            lines,
            ours,
            &self.profile,
            &self.config,
            &self.addresses,
        );
        let text = Text::of(&session);
        if self.written.as_ref() != Some(&text.after) {
            self.version += 1;
        }
        let whole = text.with_version(self.version);
        self.written = Some(text.after);
        whole
    }
}

/// Transport of a phone's media.
fn phone(
    remote: Option<SocketAddr>,
    remote_rtcp: Option<SocketAddr>,
    rtcp_mux: bool,
    keys: Option<&crypto::Agreed>,
) -> Transport {
    match keys {
        Some(keys) => Transport::Sdes {
            remote,
            remote_rtcp,
            rtcp_mux,
            keys: keys.keys(),
        },
        None => Transport::Rtp {
            remote,
            remote_rtcp,
            rtcp_mux,
        },
    }
}

/// Session id, version and address of a description of ours (RFC 8866 §5.2).
fn origin_of(local: &[u8]) -> Option<(u64, u64, IpAddr)> {
    let text = std::str::from_utf8(local).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("o="))?;
    let mut fields = line.split(' ').skip(1);
    let (id, version) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((id, version, fields.nth(2)?.trim_end().parse().ok()?))
}

/// Clocks of digits beside 8 kHz: those of the codecs (RFC 4733 §2.1).
fn event_clocks(codecs: &[Codec]) -> impl Iterator<Item = u32> {
    let clocks: BTreeSet<u32> = codecs.iter().map(|codec| codec.clock()).collect();
    clocks.into_iter().filter(|clock| *clock != 8_000)
}

const fn audio_codec(kind: Kind) -> Option<Codec> {
    match kind {
        Kind::Audio(codec) => Some(codec),
        Kind::Event(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiator(rtp: &str, rtcp: &str) -> Negotiator {
        let mut out = Negotiator::new(
            Profile::Phone(SrtpPolicy::Off),
            Config::phone(),
            &mut Rng::seeded(1),
        );
        out.local(&[rtp.parse().unwrap(), rtcp.parse().unwrap()]);
        out
    }

    #[test]
    fn a_phone_is_answered_with_one_codec_and_its_numbers() {
        let mut ours = negotiator("192.0.2.1:20000", "192.0.2.1:20001");
        let offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
            m=audio 4000 RTP/AVP 18 8 0 97\r\na=rtpmap:97 telephone-event/8000\r\na=ptime:30\r\n";
        let answer = ours
            .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut Rng::seeded(2))
            .unwrap();
        let audio = answer.negotiated.audio().unwrap();
        assert_eq!(audio.send, (0, Codec::Pcmu));
        assert_eq!(audio.receive, [(0, Codec::Pcmu)]);
        assert_eq!(
            audio.telephone_event,
            Some(TelephoneEvent {
                send: 97,
                receive: 97,
                clock: 8_000
            })
        );
        assert_eq!(audio.ptime_ms, 30);
        assert_eq!(
            answer.negotiated.transport,
            Transport::Rtp {
                remote: Some("192.0.2.9:4000".parse().unwrap()),
                remote_rtcp: Some("192.0.2.9:4001".parse().unwrap()),
                rtcp_mux: false
            }
        );
        assert!(
            answer.sdp.contains("m=audio 20000 RTP/AVP 0 97\r\n"),
            "{}",
            answer.sdp
        );
        assert_eq!(ours.last_answer(), Some(answer.sdp.as_str()));
    }

    #[test]
    fn a_session_is_resumed_by_an_offer_that_its_peer_takes_for_the_next() {
        let mut before = negotiator("192.0.2.1:20000", "192.0.2.1:20001");
        let remote = "v=0\r\no=- 7 7 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
            m=video 0 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 8 97\r\na=rtpmap:97 telephone-event/8000\r\n";
        let local = before
            .handle_offer(remote.as_bytes(), Direction::SendRecv, &mut Rng::seeded(2))
            .unwrap()
            .sdp;
        let mut after = Negotiator::new(
            Profile::Phone(SrtpPolicy::Off),
            Config::phone(),
            &mut Rng::seeded(9),
        );
        after
            .resume(local.as_bytes(), remote.as_bytes(), &mut Rng::seeded(3))
            .unwrap();
        after.local(&[
            "192.0.2.1:20500".parse().unwrap(),
            "192.0.2.1:20501".parse().unwrap(),
        ]);
        let offer = after.offer(Direction::SendRecv);
        let (id, version, origin) = origin_of(local.as_bytes()).unwrap();
        assert_eq!(origin_of(offer.as_bytes()), Some((id, version + 1, origin)));
        let new = read(offer.as_bytes()).unwrap();
        let medias: Vec<_> = new.medias.iter().map(|m| (m.media.as_str(), m.port)).collect();
        assert_eq!(medias, [("video", 0), ("audio", 20_500)]);
        assert!(offer.contains("m=audio 20500 RTP/AVP 8 0 97\r\n"), "{offer}");
        assert_eq!(
            after.resume(b"nonsense", remote.as_bytes(), &mut Rng::seeded(3)),
            Err(SdpError::Malformed("no origin".into()))
        );
    }

    #[test]
    fn an_answer_without_an_offer_is_refused() {
        let mut ours = negotiator("192.0.2.1:20000", "192.0.2.1:20001");
        assert_eq!(ours.handle_answer(b"v=0\r\n"), Err(SdpError::NoOffer));
    }
}
