use super::choose::{self, Audio, Path, Wanted};
use super::crypto::SrtpPolicy;
use super::format::Spoken;
use super::read::read;
use super::section::Section;
use super::{Family, SdpError};
use crate::negotiated::{Codec, Direction, Passed};

/// An offer's needs, seen without answering it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peek {
    /// Kind of leg that can answer it.
    pub peer: Peer,
    /// The most that our side may do.
    pub direction: Direction,
    /// Codecs that we speak, in the peer's order.
    pub codecs: Vec<Codec>,
    /// Formats of a phone that we can only pass on, in its order.
    pub passed: Vec<Passed>,
    /// Family of the address where a phone receives; `None` for a browser, and if it gives no address.
    pub family: Option<Family>,
    /// A browser's that makes no checks of its own (RFC 8445 §2.5): a leg that is lite as well cannot answer it.
    pub lite: bool,
}

/// The two kinds of peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// ICE and DTLS-SRTP.
    Browser,
    /// RTP, plain or with keys in SDP.
    Phone,
}

impl Peer {
    /// Kind of peer that writes such a section. Old browsers wrote `RTP/SAVPF`, so the fingerprint beside it
    /// decides: RFC 8829 §5.1.2 wants every profile accepted and written back.
    pub(super) fn of(proto: &str, section: Section<'_>) -> Option<Peer> {
        let plain = matches!(proto, "RTP/AVP" | "RTP/AVPF");
        let secured = matches!(
            proto,
            "RTP/SAVPF"
                | "RTP/SAVP"
                | "UDP/TLS/RTP/SAVPF"
                | "UDP/TLS/RTP/SAVP"
                | "TCP/DTLS/RTP/SAVPF"
                | "TCP/DTLS/RTP/SAVP"
        );
        let transport = section.transport();
        let ice = transport.value("ice-ufrag").is_some() && transport.value("fingerprint").is_some();
        match (plain, secured) {
            (true, _) => Some(Peer::Phone),
            (_, true) if ice || proto.contains("TLS") => Some(Peer::Browser),
            (_, true) if section.values("crypto").next().is_some() => Some(Peer::Phone),
            _ => None,
        }
    }
}

const ALL: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

/// Reads an offer to see which kind of leg it needs. A phone's must use one of `families`, if any are named, and be encrypted if
/// `srtp` requires it.
///
/// # Errors
/// The error that [`Negotiator::handle_offer`](super::Negotiator::handle_offer) would give for the kind of
/// leg that comes closest.
pub fn peek(offer: &[u8], families: &[Family], srtp: SrtpPolicy) -> Result<Peek, SdpError> {
    peek_at(offer, families, srtp, false)
}

/// As [`peek`], for a phone whose offer may have formats alone that we can only pass on.
///
/// # Errors
/// As [`peek`].
pub fn peek_passing(offer: &[u8], families: &[Family], srtp: SrtpPolicy) -> Result<Peek, SdpError> {
    peek_at(offer, families, srtp, true)
}

fn peek_at(offer: &[u8], families: &[Family], srtp: SrtpPolicy, passes: bool) -> Result<Peek, SdpError> {
    let session = read(offer)?;
    let ours = Wanted::These(&ALL);
    let browser = choose::audio(&session, Peer::Browser, ours, &[], SrtpPolicy::Off, None);
    let phone = choose::audio(&session, Peer::Phone, ours, families, srtp, None);
    let phone = match phone {
        Err(SdpError::NoCommonCodec) if passes && browser.is_err() => {
            choose::audio(&session, Peer::Phone, Wanted::Any, families, srtp, None)
        }
        phone => phone,
    };
    let (peer, audio) = match (browser, phone) {
        (Ok(browser), Ok(phone)) if phone.index < browser.index => (Peer::Phone, phone),
        (Ok(browser), _) => (Peer::Browser, browser),
        (Err(_), Ok(phone)) => (Peer::Phone, phone),
        (Err(SdpError::Transport(_)), Err(error)) | (Err(error), Err(_)) => return Err(error),
    };
    let Spoken { codecs, mut passed } = Spoken::of(&audio.formats);
    if peer == Peer::Browser {
        passed.clear();
    }
    Ok(peeked(peer, &audio, codecs, passed))
}

fn peeked(peer: Peer, audio: &Audio, codecs: Vec<Codec>, passed: Vec<Passed>) -> Peek {
    Peek {
        peer,
        direction: audio.direction,
        codecs,
        passed,
        family: audio.family,
        lite: matches!(&audio.path, Path::Dtls(secured) if secured.lite),
    }
}
