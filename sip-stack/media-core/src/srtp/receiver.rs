use std::fmt;

use smallvec::SmallVec;

use super::gcm;
use super::index::Indices;
use super::keys::{Ciphers, MasterKey};
use super::packet::{ENCRYPTED, RTCP_HEADER, rtcp_ssrc, rtp_header, rtp_sequence, rtp_ssrc};

/// Opens what the peer sends. One master key, at most [`Receiver::MAX_STREAMS`] sources of RTP and as many of RTCP; a source
/// is remembered from its first authentic packet on.
pub struct Receiver {
    ciphers: Ciphers,
    rtp: Streams,
    rtcp: Streams,
}

type Streams = SmallVec<[(u32, Indices); 1]>;

/// Why a packet was not opened. Whatever the reason, the receiver is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No RTP or RTCP packet, too short for its tag, or SRTCP that is not encrypted.
    Malformed,
    /// Seen before, or too old to tell.
    Replayed,
    /// Its tag is wrong.
    Forged,
    /// Authentic, but from one source too many.
    TooManySources,
}

impl Receiver {
    /// Number of sources that are accepted. A peer has one, and another one after each change of its
    /// microphone at worst.
    pub const MAX_STREAMS: usize = 16;

    /// With the session keys of `master`.
    #[must_use]
    pub fn new(master: &MasterKey) -> Receiver {
        Receiver::with_ciphers(master.ciphers())
    }

    pub(super) fn with_ciphers(ciphers: Ciphers) -> Receiver {
        Receiver {
            ciphers,
            rtp: Streams::new(),
            rtcp: Streams::new(),
        }
    }

    /// Opens an SRTP packet in place and returns the RTP packet, with true if it is the newest of its source.
    /// The content of a refused packet afterwards is not defined.
    pub fn open_rtp<'a>(&mut self, packet: &'a mut [u8]) -> Result<(&'a mut [u8], bool), Refused> {
        let header = rtp_header(packet).ok_or(Refused::Malformed)?;
        let (ssrc, sequence) = (rtp_ssrc(packet), rtp_sequence(packet));
        let slot = Slot::find(&self.rtp, ssrc);
        let index = slot.indices.guess(sequence).ok_or(Refused::Replayed)?;
        slot.check(index)?;
        let length = match &self.ciphers {
            Ciphers::Cm(ciphers) => {
                let length = packet
                    .len()
                    .checked_sub(ciphers.rtp.tag_len())
                    .filter(|&length| length >= header);
                let length = length.ok_or(Refused::Malformed)?;
                let (packet, tag) = packet.split_at_mut(length);
                if !ciphers.rtp.is_authentic(packet, (index >> 16) as u32, tag) {
                    return Err(Refused::Forged);
                }
                ciphers.rtp.apply(ssrc, index, &mut packet[header..]);
                length
            }
            Ciphers::Gcm(ciphers) => {
                let length = packet
                    .len()
                    .checked_sub(gcm::TAG)
                    .filter(|&length| length >= header);
                let length = length.ok_or(Refused::Malformed)?;
                let (header, payload) = packet.split_at_mut(header);
                if !ciphers.rtp.open(ssrc, index, header, payload) {
                    return Err(Refused::Forged);
                }
                length
            }
        };
        let newest = slot.accept(&mut self.rtp, ssrc, index)?;
        Ok((&mut packet[..length], newest))
    }

    /// Opens an SRTCP packet in place and returns the RTCP packet. The content of a refused packet afterwards
    /// is not defined.
    pub fn open_rtcp<'a>(&mut self, packet: &'a mut [u8]) -> Result<&'a mut [u8], Refused> {
        let ssrc = rtcp_ssrc(packet).ok_or(Refused::Malformed)?;
        let slot = Slot::find(&self.rtcp, ssrc);
        let length = match &self.ciphers {
            Ciphers::Cm(ciphers) => {
                let length = packet
                    .len()
                    .checked_sub(4 + ciphers.rtcp.tag_len())
                    .filter(|&length| length >= RTCP_HEADER);
                let length = length.ok_or(Refused::Malformed)?;
                let (packet, trailer) = packet.split_at_mut(length);
                let (word, tag) = trailer.split_at(4);
                let word = index_word(word)?;
                slot.check(u64::from(word & !ENCRYPTED))?;
                if !ciphers.rtcp.is_authentic(packet, word, tag) {
                    return Err(Refused::Forged);
                }
                ciphers
                    .rtcp
                    .apply(ssrc, u64::from(word & !ENCRYPTED), &mut packet[RTCP_HEADER..]);
                slot.accept(&mut self.rtcp, ssrc, u64::from(word & !ENCRYPTED))?;
                length
            }
            Ciphers::Gcm(ciphers) => {
                let length = packet
                    .len()
                    .checked_sub(4 + gcm::TAG)
                    .filter(|&length| length >= RTCP_HEADER);
                let length = length.ok_or(Refused::Malformed)?;
                let (packet, word) = packet.split_at_mut(length + gcm::TAG);
                let mut aad = [0; RTCP_HEADER + 4];
                aad[..RTCP_HEADER].copy_from_slice(&packet[..RTCP_HEADER]);
                aad[RTCP_HEADER..].copy_from_slice(word);
                let index = u64::from(index_word(word)? & !ENCRYPTED);
                slot.check(index)?;
                if !ciphers.rtcp.open(ssrc, index, &aad, &mut packet[RTCP_HEADER..]) {
                    return Err(Refused::Forged);
                }
                slot.accept(&mut self.rtcp, ssrc, index)?;
                length
            }
        };
        Ok(&mut packet[..length])
    }
}

/// The E bit and the index of SRTCP. A packet that is not encrypted is refused whatever its tag: DTLS-SRTP always encrypts
/// (RFC 5764 §4.1.2), and so does SDES unless both agreed on UNENCRYPTED_SRTCP (RFC 4568 §6.3.2).
fn index_word(word: &[u8]) -> Result<u32, Refused> {
    let word = word.first_chunk().map_or(0, |word| u32::from_be_bytes(*word));
    if word & ENCRYPTED == 0 {
        Err(Refused::Malformed)
    } else {
        Ok(word)
    }
}

/// A source, or none.
struct Slot {
    place: Option<usize>,
    indices: Indices,
}

impl Slot {
    fn find(streams: &Streams, ssrc: u32) -> Slot {
        match streams.iter().position(|(known, _)| *known == ssrc) {
            Some(place) => Slot {
                place: Some(place),
                indices: streams[place].1,
            },
            None => Slot {
                place: None,
                indices: Indices::default(),
            },
        }
    }

    fn check(&self, index: u64) -> Result<(), Refused> {
        if self.indices.is_fresh(index) {
            Ok(())
        } else {
            Err(Refused::Replayed)
        }
    }

    /// Remembers an authentic packet; true when it is the newest of its source. Sources are never forgotten, for then
    /// their packets could be replayed.
    fn accept(mut self, streams: &mut Streams, ssrc: u32, index: u64) -> Result<bool, Refused> {
        let newest = self.indices.mark(index);
        match self.place {
            Some(place) => streams[place].1 = self.indices,
            None if streams.len() < Receiver::MAX_STREAMS => streams.push((ssrc, self.indices)),
            None => return Err(Refused::TooManySources),
        }
        Ok(newest)
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("rtp", &self.rtp)
            .field("rtcp", &self.rtcp)
            .finish_non_exhaustive()
    }
}
