//! The little of RTP and RTCP that encryption must know.

/// Octets of an RTCP header that stay readable.
pub(super) const RTCP_HEADER: usize = 8;
/// The bit before an SRTCP index: the packet is encrypted.
pub(super) const ENCRYPTED: u32 = 1 << 31;

/// Octets of the header, contributing sources and extension included; `None` if it is not an RTP packet.
pub(super) fn rtp_header(packet: &[u8]) -> Option<usize> {
    let &[first, ..] = packet.first_chunk::<12>()?;
    if first >> 6 != 2 {
        return None;
    }
    let mut length = 12 + 4 * usize::from(first & 15);
    if first & 0x10 != 0 {
        let words = packet.get(length + 2..length + 4)?;
        length += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (length <= packet.len()).then_some(length)
}

/// Both after [`rtp_header`] found a header.
pub(super) fn rtp_sequence(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[2], packet[3]])
}

pub(super) fn rtp_ssrc(packet: &[u8]) -> u32 {
    u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]])
}

/// Sender of an RTCP packet; `None` if it is not one.
pub(super) fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let head = packet.first_chunk::<RTCP_HEADER>()?;
    (head[0] >> 6 == 2).then(|| u32::from_be_bytes([head[4], head[5], head[6], head[7]]))
}
