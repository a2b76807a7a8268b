use std::net::SocketAddr;

use sdp_types::Session;

use super::crypto::{Keying, SrtpPolicy, is_secure};
use super::format::{Format, Kind, formats, recognise};
use super::peek::Peer;
use super::section::{Place, Section};
use super::security::Secured;
use super::{Family, SdpError};
use crate::negotiated::{Codec, Direction};

/// Formats that a section must have one of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted<'a> {
    These(&'a [Codec]),
    /// Any audio.
    Any,
}

impl Wanted<'_> {
    fn has(self, format: &Format) -> bool {
        match (self, format.kind) {
            (Wanted::These(codecs), Some(Kind::Audio(codec))) => codecs.contains(&codec),
            (Wanted::Any, Some(Kind::Audio(_))) => true,
            (_, Some(Kind::Event(_)) | None) => false,
        }
    }
}

/// An audio section of the peer's that we can serve.
#[derive(Clone, Debug)]
pub(super) struct Audio {
    /// Index of the section.
    pub(super) index: usize,
    pub(super) bundled: bool,
    pub(super) formats: Vec<Format>,
    /// The most that our side may do: the peer's direction reversed, less what an address of `0.0.0.0` forbids.
    pub(super) direction: Direction,
    ptime: Option<u32>,
    maxptime: Option<u32>,
    pub(super) path: Path,
    /// Family of the address where a phone receives, if it gives one.
    pub(super) family: Option<Family>,
}

#[derive(Clone, Debug)]
pub(super) enum Path {
    Rtp {
        remote: Option<SocketAddr>,
        rtcp: Option<SocketAddr>,
        mux: bool,
        keying: Keying,
    },
    Dtls(Secured),
}

/// Audio section to accept: the previous one if it still serves, else the first that does, which of the
/// alternatives of an ANAT group (RFC 4091) is the first in a family of ours; where encryption is wanted, the first with keys.
/// The error is that of the first one that does not.
pub(super) fn audio(
    session: &Session,
    peer: Peer,
    wanted: Wanted<'_>,
    families: &[Family],
    srtp: SrtpPolicy,
    before: Option<usize>,
) -> Result<Audio, SdpError> {
    let mut first = None;
    let mut chosen = None;
    for (index, section) in Section::all(session).enumerate() {
        if !section.is_audio() || section.is_rejected() {
            continue;
        }
        match Audio::read(index, section, peer, wanted, families, srtp) {
            Ok(audio) if before == Some(index) => return Ok(audio),
            Ok(audio) => {
                // Where encryption is wanted, a section that says so is better than one that leaves it open.
                let is_better = srtp != SrtpPolicy::Off && is_secure(&section.media.proto);
                match &chosen {
                    Some((_, secure)) if *secure || !is_better => {}
                    _ => chosen = Some((audio, is_better)),
                }
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    let chosen = chosen.map(|(audio, _)| audio);
    chosen.ok_or_else(|| first.unwrap_or(SdpError::NoAudio))
}

impl Audio {
    /// Reads a section; a phone's must use one of `families`, if any are named, and have keys that we can use where it says so or
    /// `srtp` does.
    pub(super) fn read(
        index: usize,
        section: Section<'_>,
        peer: Peer,
        wanted: Wanted<'_>,
        families: &[Family],
        srtp: SrtpPolicy,
    ) -> Result<Audio, SdpError> {
        let proto = section.media.proto.to_ascii_uppercase();
        if Peer::of(&proto, section) != Some(peer) {
            return Err(SdpError::Transport(
                section.media.proto.chars().take(32).collect(),
            ));
        }
        let mut direction = section.direction().reversed();
        let mut family = None;
        let path = match peer {
            Peer::Browser => Path::Dtls(Secured::read(section)?),
            Peer::Phone => {
                let mux = section.flag("rtcp-mux");
                let remote = match section.place()? {
                    Place::At(ip) => {
                        family = Some(Family::of(ip));
                        Some(SocketAddr::new(ip, section.media.port))
                    }
                    Place::Named(of) => {
                        family = Some(of);
                        None
                    }
                    Place::Nowhere => {
                        direction = direction.intersect(Direction::RecvOnly);
                        None
                    }
                };
                let rtcp = if mux {
                    remote
                } else {
                    remote.and_then(|remote| section.rtcp(remote))
                };
                let keying = Keying::read(section, srtp)?;
                Path::Rtp {
                    remote,
                    rtcp,
                    mux,
                    keying,
                }
            }
        };
        if let Some(family) = family.filter(|family| !families.is_empty() && !families.contains(family)) {
            return Err(SdpError::Family(family.name()));
        }
        let mut formats = formats(section);
        if let Wanted::These(codecs) = wanted {
            recognise(&mut formats, codecs);
        }
        if !formats.iter().any(|format| wanted.has(format)) {
            return Err(SdpError::NoCommonCodec);
        }
        Ok(Audio {
            index,
            bundled: section.bundle().is_some(),
            formats,
            direction,
            ptime: section.milliseconds("ptime"),
            maxptime: section.milliseconds("maxptime"),
            path,
            family,
        })
    }

    /// The peer's format for `kind`.
    pub(super) fn format(&self, kind: Kind) -> Option<&Format> {
        self.formats.iter().find(|format| format.kind == Some(kind))
    }

    /// The format for digits beside `codec`: at its clock (RFC 4733 §2.1), else at any, for Firefox offers 8000 alone beside
    /// Opus.
    pub(super) fn event(&self, codec: Codec) -> Option<(u8, u32)> {
        let clock = codec.clock();
        let events = self.formats.iter().filter_map(|format| match format.kind {
            Some(Kind::Event(clock)) => Some((format.pt, clock)),
            _ => None,
        });
        events.min_by_key(|event| (event.1 != clock, event.1 != 8_000))
    }

    /// Milliseconds in a packet that we send: the peer's wish, else ours, as the codec can.
    pub(super) fn ptime(&self, ours: u8, codec: Codec) -> u8 {
        let limit = self.maxptime.unwrap_or(60).clamp(10, 60);
        let wish = self.ptime.unwrap_or(u32::from(ours)).clamp(10, limit) / 10 * 10;
        let opus_frame = match wish {
            60.. => 60,
            40.. => 40,
            20.. => 20,
            _ => 10,
        };
        let wish = if codec == Codec::Opus { opus_frame } else { wish };
        u8::try_from(wish).unwrap_or(20)
    }
}
