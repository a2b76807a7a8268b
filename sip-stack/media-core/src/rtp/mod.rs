//! RTP packets (RFC 3550 §5.1): parsed in place, written into a buffer that the caller keeps.

mod egress;
mod extension;
mod sequence;

pub use egress::Egress;
pub use extension::extension;
pub use sequence::{Unwrap, distance};

/// Octets of the fixed header, all that we ever write.
pub const HEADER: usize = 12;

/// Why a datagram is not an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtpError {
    /// Shorter than its header, its CSRC list, its extension or its padding says.
    Truncated,
    /// Not version 2.
    Version,
    /// A padding count of zero.
    Padding,
}

/// The fields of the fixed header that anyone uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Begins a talkspurt, or an event.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// Wraps at 2^16.
    pub sequence: u16,
    /// In ticks of the payload's clock, wraps at 2^32.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
}

impl Header {
    /// Writes the 12 octets: version 2, no padding, no extension, no CSRC.
    pub fn write(&self, out: &mut [u8; HEADER]) {
        out[0] = 0x80;
        out[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }
}

/// A received packet, borrowed from its datagram. CSRCs and header extensions are stepped over, padding is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its header.
    pub header: Header,
    /// Its payload; empty for a packet of padding only, which probes send.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// [`RtpError`] describes the defect.
    pub fn parse(data: &'a [u8]) -> Result<Packet<'a>, RtpError> {
        let fixed: &[u8; HEADER] = data.first_chunk().ok_or(RtpError::Truncated)?;
        if fixed[0] >> 6 != 2 {
            return Err(RtpError::Version);
        }
        let mut start = HEADER + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let words: &[u8] = data.get(start + 2..start + 4).ok_or(RtpError::Truncated)?;
            start += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        let mut end = data.len();
        if fixed[0] & 0x20 != 0 {
            let padding = usize::from(data[end - 1]);
            if padding == 0 {
                return Err(RtpError::Padding);
            }
            end = end.checked_sub(padding).ok_or(RtpError::Truncated)?;
        }
        let payload = data.get(start..end).ok_or(RtpError::Truncated)?;
        let header = Header {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        };
        Ok(Packet { header, payload })
    }
}

/// True if a datagram of RTP version 2 is RTCP: the second octet is 192 to 223 (RFC 5761 §4).
#[must_use]
pub fn is_rtcp(data: &[u8]) -> bool {
    data.len() >= 2 && data[0] >> 6 == 2 && (192..=223).contains(&data[1])
}

#[cfg(test)]
mod tests;
