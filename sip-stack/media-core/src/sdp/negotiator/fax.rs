//! Faxes over UDPTL: a section `m=image … udptl t38` (ITU-T T.38 annex D, RFC 3362) in the place of the audio.
//!
//! Nothing of a fax is ours but the addresses: its parameters go from one party to the other as they are.

use std::net::SocketAddr;

use sdp_types::Session;
use smallvec::SmallVec;

use super::{Answer, Negotiator, Profile};
use crate::negotiated::{Negotiated, Transport};
use crate::sdp::read::read;
use crate::sdp::section::{Place, Section};
use crate::sdp::write::{Line, Ours};
use crate::sdp::{Family, SdpError, SrtpPolicy};

/// Attributes of one side that are taken over.
const MAX_ATTRIBUTES: usize = 24;
/// Octets of a value that is taken over.
const MAX_VALUE: usize = 128;

/// A fax, as one side describes it to the other: its `a=T38…` attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fax {
    pub(in crate::sdp) attributes: Vec<(String, Option<String>)>,
}

/// A section for a fax that is not refused.
struct Found {
    index: usize,
    fax: Fax,
    remote: Option<SocketAddr>,
}

impl Fax {
    fn of(section: Section<'_>) -> Fax {
        let is_token = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let is_text =
            |text: &str| text.len() <= MAX_VALUE && !text.bytes().any(|byte| byte.is_ascii_control());
        let attributes = section.media.attributes.iter().filter(|attribute| {
            let named = attribute.attribute.get(..3);
            named.is_some_and(|named| named.eq_ignore_ascii_case("T38"))
                && attribute.attribute.len() <= MAX_VALUE
                && is_token(&attribute.attribute)
                && attribute.value.as_deref().is_none_or(is_text)
        });
        let taken = attributes.take(MAX_ATTRIBUTES);
        Fax {
            attributes: taken
                .map(|attribute| (attribute.attribute.clone(), attribute.value.clone()))
                .collect(),
        }
    }
}

fn is_fax(section: Section<'_>) -> bool {
    let media = section.media;
    media.media.eq_ignore_ascii_case("image")
        && media.proto.eq_ignore_ascii_case("udptl")
        && media.fmt.split(' ').any(|fmt| fmt.eq_ignore_ascii_case("t38"))
        && media.port != 0
}

/// The fax that a first offer wants, and nothing beside (RFC 3362); `None` for any other offer, and for one that cannot be read.
#[must_use]
pub fn fax_alone(offer: &[u8]) -> Option<(Fax, Option<Family>)> {
    if !offer
        .windows(5)
        .any(|octets| octets.eq_ignore_ascii_case(b"image"))
    {
        return None;
    }
    let session = read(offer).ok()?;
    let is_talk = |section: Section<'_>| section.is_audio() && !section.is_rejected();
    if Section::all(&session).any(is_talk) {
        return None;
    }
    let section = Section::all(&session).find(|section| is_fax(*section))?;
    let family = match section.place().ok()? {
        Place::At(ip) => Some(Family::of(ip)),
        Place::Named(_) | Place::Nowhere => None,
    };
    Some((Fax::of(section), family))
}

impl Negotiator {
    /// The first section of an offer that wants a fax.
    fn find_fax(&self, session: &Session) -> Result<Found, SdpError> {
        let mut sections = Section::all(session).enumerate();
        let (index, section) = sections
            .find(|(_, section)| is_fax(*section))
            .ok_or(SdpError::NoAudio)?;
        self.read_fax(index, section)
    }

    fn read_fax(&self, index: usize, section: Section<'_>) -> Result<Found, SdpError> {
        match self.profile {
            Profile::Browser(_) => return Err(SdpError::NoAudio),
            // UDPTL has no encryption here, and what was encrypted is not sent in the clear.
            Profile::Phone(SrtpPolicy::Required) => return Err(SdpError::Unencrypted),
            Profile::Phone(_) if self.agreed.keys.is_some() => return Err(SdpError::Unencrypted),
            Profile::Phone(_) => {}
        }
        let remote = match section.place()? {
            Place::At(ip) => Some(SocketAddr::new(ip, section.media.port)),
            Place::Named(_) | Place::Nowhere => None,
        };
        let family = remote.map(|remote| Family::of(remote.ip()));
        let ours = self.families();
        if let Some(family) = family.filter(|family| !ours.is_empty() && !ours.contains(family)) {
            return Err(SdpError::Family(family.name()));
        }
        Ok(Found {
            index,
            fax: Fax::of(section),
            remote,
        })
    }

    /// The fax that an offer wants in the place of the audio; `None` if it wants none, or audio as well.
    ///
    /// # Errors
    /// The offer wants one, and this leg cannot have it.
    pub(super) fn fax_of(&self, session: &Session) -> Result<Option<Fax>, SdpError> {
        if !Section::all(session).any(is_fax) {
            return Ok(None);
        }
        self.find_fax(session).map(|found| Some(found.fax))
    }

    /// Our offer of a fax: in the place of the audio (RFC 3264 §8.3.3), or as the first of a call. `None` on a leg that cannot have one. An
    /// offer of ours that is still out is withdrawn.
    pub fn offer_fax(&mut self, fax: &Fax) -> Option<String> {
        let index = match (self.agreed.audio, self.agreed.lines.len()) {
            (Some(index), _) => index,
            // The first offer, or the first again for another fork.
            (None, 0 | 1) => 0,
            (None, _) => return None,
        };
        let can = matches!(
            self.profile,
            Profile::Phone(SrtpPolicy::Off | SrtpPolicy::Optional)
        ) && self.agreed.keys.is_none();
        if !can {
            return None;
        }
        if self.agreed.lines.is_empty() {
            let line = self.first_line();
            self.agreed.lines.push(line);
        }
        let mut lines = self.agreed.lines.clone();
        let line = lines.get_mut(index)?;
        *line = Line {
            media: "image".to_owned(),
            proto: "udptl".to_owned(),
            fmt: "t38".to_owned(),
            mid: line.mid.take(),
        };
        let ours = Ours::fax(index, fax.clone());
        let sdp = self.write(&lines, &ours);
        self.offer = Some(ours);
        Some(sdp)
    }

    /// The answer to our offer of a fax: how the peer describes it.
    ///
    /// # Errors
    /// The peer has none; nothing has changed.
    pub fn handle_fax_answer(&mut self, answer: &[u8]) -> Result<(Fax, Negotiated), SdpError> {
        let offer = self.offer.clone().filter(|offer| offer.fax.is_some());
        let offer = offer.ok_or(SdpError::NoOffer)?;
        let session = read(answer)?;
        let media = session.medias.get(offer.index).ok_or(SdpError::NoAudio)?;
        let section = Section {
            session: &session,
            media,
        };
        if !is_fax(section) {
            return Err(SdpError::NoAudio);
        }
        let found = self.read_fax(offer.index, section)?;
        let mut lines = self.agreed.lines.clone();
        if let Some(line) = lines.get_mut(offer.index) {
            line.media = "image".to_owned();
            line.proto = media.proto.clone();
            line.fmt = "t38".to_owned();
        }
        self.has_fax(lines, offer.index);
        self.agreed.fax = Some(found.fax.clone());
        Ok((found.fax, negotiated(found.remote)))
    }

    /// Answers an offer of a fax with how the other party describes it.
    ///
    /// # Errors
    /// The offer has none that this leg can have; nothing has changed.
    pub fn answer_fax(&mut self, offer: &[u8], fax: &Fax) -> Result<Answer, SdpError> {
        let session = read(offer)?;
        let found = self.find_fax(&session)?;
        let lines: Vec<_> = Section::all(&session).map(Line::of).collect();
        let ours = Ours::fax(found.index, fax.clone());
        let sdp = self.write(&lines, &ours);
        self.has_fax(lines, found.index);
        self.offer = None;
        self.answer = Some(sdp.clone());
        Ok(Answer {
            sdp,
            negotiated: negotiated(found.remote),
        })
    }

    /// Fax of the peer, as its last answer to an offer of ours described it.
    #[must_use]
    pub fn peer_fax(&self) -> Option<&Fax> {
        self.agreed.fax.as_ref()
    }

    /// Notes that a fax has the place of the audio.
    fn has_fax(&mut self, lines: Vec<Line>, index: usize) {
        if self.agreed.voice.is_none() {
            let before = self.agreed.audio;
            let voice = before.and_then(|before| self.agreed.lines.get(before).cloned());
            // A call that began with the fax talks as in a first offer of ours.
            self.agreed.voice = Some(voice.unwrap_or_else(|| self.first_line()));
        }
        self.agreed.lines = lines;
        self.agreed.audio = Some(index);
    }

    /// Gives the audio its place back, in an offer of ours.
    pub(super) fn end_fax(&mut self) {
        if let (Some(voice), Some(index)) = (self.agreed.voice.take(), self.agreed.audio)
            && let Some(line) = self.agreed.lines.get_mut(index)
        {
            let mid = line.mid.take();
            *line = Line { mid, ..voice };
        }
    }
}

fn negotiated(remote: Option<SocketAddr>) -> Negotiated {
    Negotiated {
        streams: SmallVec::new(),
        transport: Transport::Udptl { remote },
    }
}

#[cfg(test)]
mod tests {
    use sans_io::Rng;

    use super::*;
    use crate::negotiated::Direction;
    use crate::sdp::{Asked, Config};

    const VOICE: &str =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    const FAX: &str = "v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=image 4002 udptl t38\r\n\
        a=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxFillBitRemoval\r\na=T38FaxUdpEC:t38UDPRedundancy\r\na=sqn:0\r\n";

    fn agreed(srtp: SrtpPolicy) -> Negotiator {
        let mut rng = Rng::seeded(1);
        let mut ours = Negotiator::new(Profile::Phone(srtp), Config::phone(), &mut rng);
        ours.local(&[
            "192.0.2.1:20000".parse().unwrap(),
            "192.0.2.1:20001".parse().unwrap(),
        ]);
        ours.handle_offer(VOICE.as_bytes(), Direction::SendRecv, &mut rng)
            .unwrap();
        ours
    }

    #[test]
    fn the_parameters_of_a_fax_go_from_one_side_to_the_other_and_back() {
        let (mut asks, mut asked) = (agreed(SrtpPolicy::Off), agreed(SrtpPolicy::Off));
        let Ok(Asked::Fax(fax)) = asks.assess(FAX.as_bytes()) else {
            panic!("no fax")
        };
        let offer = asked.offer_fax(&fax).unwrap();
        assert!(
            offer.contains("m=image 20000 udptl t38\r\na=T38FaxVersion:0\r\n"),
            "{offer}"
        );
        assert!(
            offer.contains("a=T38FaxFillBitRemoval\r\n") && !offer.contains("sqn"),
            "{offer}"
        );
        let slower = FAX.replace("14400", "9600").replace("4002", "4010");
        let (theirs, negotiated) = asked.handle_fax_answer(slower.as_bytes()).unwrap();
        let remote = Some("192.0.2.9:4010".parse().unwrap());
        assert_eq!(negotiated.transport, Transport::Udptl { remote });
        let answer = asks.answer_fax(FAX.as_bytes(), &theirs).unwrap();
        assert!(answer.sdp.contains("a=T38MaxBitRate:9600\r\n"), "{}", answer.sdp);
        // And the call talks on.
        for negotiator in [&mut asks, &mut asked] {
            let voice = negotiator.offer(Direction::SendRecv);
            assert!(voice.contains("m=audio 20000 RTP/AVP 0"), "{voice}");
            assert!(!voice.contains("T38") && !voice.contains("image"), "{voice}");
            assert!(negotiator.handle_answer(VOICE.as_bytes()).is_ok());
        }
    }

    #[test]
    fn a_call_begins_with_a_fax_and_may_talk_afterwards() {
        let fresh = || {
            let mut ours = Negotiator::new(
                Profile::Phone(SrtpPolicy::Off),
                Config::phone(),
                &mut Rng::seeded(1),
            );
            ours.local(&[
                "192.0.2.1:20000".parse().unwrap(),
                "192.0.2.1:20001".parse().unwrap(),
            ]);
            ours
        };
        let (fax, family) = fax_alone(FAX.as_bytes()).expect("a fax alone");
        assert_eq!(family, Some(Family::V4));
        assert_eq!(fax_alone(VOICE.as_bytes()), None);
        assert_eq!(
            fax_alone(format!("{VOICE}m=image 4002 udptl t38\r\n").as_bytes()),
            None
        );
        let (mut caller, mut callee) = (fresh(), fresh());
        let offer = callee.offer_fax(&fax).unwrap();
        assert!(
            offer.contains("m=image 20000 udptl t38\r\n") && !offer.contains("m=audio"),
            "{offer}"
        );
        assert_eq!(callee.handle_answer(VOICE.as_bytes()), Err(SdpError::NoAudio));
        let negotiated = callee
            .handle_answer(FAX.replace("14400", "9600").as_bytes())
            .unwrap();
        assert!(matches!(negotiated.transport, Transport::Udptl { .. }));
        let theirs = callee.peer_fax().cloned().unwrap();
        let answer = caller.answer_fax(FAX.as_bytes(), &theirs).unwrap();
        assert!(answer.sdp.contains("a=T38MaxBitRate:9600\r\n"), "{}", answer.sdp);
        for negotiator in [&mut caller, &mut callee] {
            let voice = negotiator.offer(Direction::SendRecv);
            assert!(voice.contains("m=audio 20000 RTP/AVP 0"), "{voice}");
            assert!(!voice.contains("image"), "{voice}");
            assert!(negotiator.handle_answer(VOICE.as_bytes()).is_ok());
        }
    }

    #[test]
    fn a_fax_beside_audio_that_ended_keeps_its_section() {
        let mut ours = agreed(SrtpPolicy::Off);
        let offer = format!(
            "{}m=image 4002 udptl t38\r\n",
            VOICE.replace("audio 4000", "audio 0")
        );
        let answer = ours.answer_fax(offer.as_bytes(), &Fax::default()).unwrap();
        let new = read(answer.sdp.as_bytes()).unwrap();
        let medias: Vec<_> = new.medias.iter().map(|m| (m.media.as_str(), m.port)).collect();
        assert_eq!(medias, [("audio", 0), ("image", 20_000)]);
    }

    #[test]
    fn audio_beside_a_fax_is_what_counts() {
        let ours = agreed(SrtpPolicy::Off);
        let both = format!("{VOICE}m=image 4002 udptl t38\r\n");
        assert_eq!(
            ours.assess(both.as_bytes()),
            Ok(Asked::Voice(Direction::SendRecv))
        );
        let neither = VOICE.replace("audio 4000", "audio 0");
        assert_eq!(ours.assess(neither.as_bytes()), Err(SdpError::NoAudio));
    }

    #[test]
    fn no_fax_goes_in_the_clear_where_media_must_be_encrypted() {
        let mut rng = Rng::seeded(1);
        let mut ours = Negotiator::new(Profile::Phone(SrtpPolicy::Required), Config::phone(), &mut rng);
        assert_eq!(ours.assess(FAX.as_bytes()), Err(SdpError::Unencrypted));
        assert_eq!(ours.offer_fax(&Fax::default()), None);
    }

    #[test]
    fn an_answer_without_a_fax_leaves_the_call_as_it_was() {
        let mut ours = agreed(SrtpPolicy::Off);
        ours.offer_fax(&Fax::default()).unwrap();
        for refusal in [FAX.replace("image 4002", "image 0"), VOICE.to_owned()] {
            assert_eq!(ours.handle_fax_answer(refusal.as_bytes()), Err(SdpError::NoAudio));
        }
        let voice = ours.offer(Direction::SendRecv);
        assert!(voice.contains("m=audio 20000 RTP/AVP 0"), "{voice}");
        assert!(
            ours.handle_fax_answer(FAX.as_bytes()).is_err(),
            "no such offer is out"
        );
    }
}
