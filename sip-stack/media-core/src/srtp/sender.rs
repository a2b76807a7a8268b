use std::fmt;

use smallvec::SmallVec;

use super::gcm;
use super::index::Indices;
use super::keys::{Ciphers, MasterKey};
use super::packet::{ENCRYPTED, RTCP_HEADER, rtcp_ssrc, rtp_header, rtp_sequence, rtp_ssrc};

/// Protects what we send. One master key, at most [`Sender::MAX_STREAMS`] sources.
pub struct Sender {
    ciphers: Ciphers,
    streams: SmallVec<[(u32, Indices); 1]>,
    /// Index of the next SRTCP packet. One counter serves all sources: no index comes twice.
    rtcp: u32,
}

impl Sender {
    /// Number of sources that may be sent.
    pub const MAX_STREAMS: usize = 16;

    /// With the session keys of `master`.
    #[must_use]
    pub fn new(master: &MasterKey) -> Sender {
        Sender::with_ciphers(master.ciphers())
    }

    pub(super) fn with_ciphers(ciphers: Ciphers) -> Sender {
        Sender {
            ciphers,
            streams: SmallVec::new(),
            rtcp: 0,
        }
    }

    /// Protects the RTP packet in the first `length` octets of `buffer` and says how long it is then: at most
    /// [`RTP_OVERHEAD`](super::RTP_OVERHEAD) more. `None`, and the buffer as it was, when it is no RTP packet, when the
    /// buffer has no room, or when its sequence number was used: a second packet under one index would give the key
    /// stream away (RFC 3711 §9.1).
    pub fn protect_rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let header = rtp_header(buffer.get(..length)?)?;
        let ssrc = rtp_ssrc(buffer);
        let stream = match self.streams.iter().position(|(known, _)| *known == ssrc) {
            Some(stream) => stream,
            None if self.streams.len() < Self::MAX_STREAMS => {
                self.streams.push((ssrc, Indices::default()));
                self.streams.len() - 1
            }
            None => return None,
        };
        let indices = &mut self.streams[stream].1;
        let index = indices
            .guess(rtp_sequence(buffer))
            .filter(|&index| indices.is_fresh(index))?;
        let end = match &self.ciphers {
            Ciphers::Cm(ciphers) => {
                let end = length + ciphers.rtp.tag_len();
                let (packet, tag) = buffer.get_mut(..end)?.split_at_mut(length);
                ciphers.rtp.apply(ssrc, index, &mut packet[header..]);
                ciphers.rtp.write_tag(packet, (index >> 16) as u32, tag);
                end
            }
            Ciphers::Gcm(ciphers) => {
                let (packet, tag) = buffer.get_mut(..length + gcm::TAG)?.split_at_mut(length);
                let (header, payload) = packet.split_at_mut(header);
                tag.copy_from_slice(&ciphers.rtp.seal(ssrc, index, header, payload)?);
                length + gcm::TAG
            }
        };
        indices.mark(index);
        Some(end)
    }

    /// Protects the RTCP packet, compound or not, in the first `length` octets of `buffer` and says how long it is then:
    /// at most [`RTCP_OVERHEAD`](super::RTCP_OVERHEAD) more. `None`, and the buffer as it was, when it is no RTCP packet,
    /// when the buffer has no room, or after 2^31 packets.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let ssrc = rtcp_ssrc(buffer.get(..length)?)?;
        if self.rtcp & ENCRYPTED != 0 {
            return None;
        }
        let word = ENCRYPTED | self.rtcp;
        let end = match &self.ciphers {
            Ciphers::Cm(ciphers) => {
                let end = length + 4 + ciphers.rtcp.tag_len();
                let (packet, trailer) = buffer.get_mut(..end)?.split_at_mut(length);
                ciphers
                    .rtcp
                    .apply(ssrc, u64::from(self.rtcp), &mut packet[RTCP_HEADER..]);
                trailer[..4].copy_from_slice(&word.to_be_bytes());
                ciphers.rtcp.write_tag(packet, word, &mut trailer[4..]);
                end
            }
            Ciphers::Gcm(ciphers) => {
                let end = length + gcm::TAG + 4;
                let (packet, trailer) = buffer.get_mut(..end)?.split_at_mut(length);
                let (header, payload) = packet.split_at_mut(RTCP_HEADER);
                let mut aad = [0; RTCP_HEADER + 4];
                aad[..RTCP_HEADER].copy_from_slice(header);
                aad[RTCP_HEADER..].copy_from_slice(&word.to_be_bytes());
                trailer[..gcm::TAG].copy_from_slice(&ciphers.rtcp.seal(
                    ssrc,
                    u64::from(self.rtcp),
                    &aad,
                    payload,
                )?);
                trailer[gcm::TAG..].copy_from_slice(&word.to_be_bytes());
                end
            }
        };
        self.rtcp += 1;
        Some(end)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("streams", &self.streams)
            .field("rtcp", &self.rtcp)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Profile, Receiver};
    use super::*;

    #[test]
    fn the_last_rtcp_packet_is_the_last() {
        let master = MasterKey::new(Profile::Aes128CmSha1_80, &[1; 16], &[2; 14]).expect("a key");
        let (mut sender, mut receiver) = (Sender::new(&master), Receiver::new(&master));
        sender.rtcp = ENCRYPTED - 1;
        let mut buffer = [0x80; 100];
        let length = sender.protect_rtcp(&mut buffer, 28).expect("the last index");
        assert!(receiver.open_rtcp(&mut buffer[..length]).is_ok());
        assert_eq!(sender.protect_rtcp(&mut [0x80; 100], 28), None);
    }
}
