//! RTCP (RFC 3550 §6): compound packets read piece by piece, and the compound packets we send.

mod write;

pub use write::{Outgoing, SenderInfo, write_bye, write_report};

/// Sender of a compound packet, if it is one from beginning to end.
#[must_use]
pub fn sender(data: &[u8]) -> Option<u32> {
    let mut sender = None;
    for packet in Compound::parse(data) {
        if let Rtcp::SenderReport { ssrc, .. } | Rtcp::ReceiverReport { ssrc, .. } = packet.ok()? {
            sender = sender.or(Some(ssrc));
        }
    }
    sender
}

/// Why a datagram is not an RTCP compound packet (RFC 3550 A.2), or where it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtcpError {
    /// Shorter than its length field or its counts say.
    Truncated,
    /// Not version 2.
    Version,
    /// Padding that is not a multiple of four, is empty, is longer than its packet, or is not in the last packet.
    Padding,
    /// The first packet is neither a sender nor a receiver report.
    First,
}

/// One reception report block (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source it speaks of.
    pub ssrc: u32,
    /// Lost since the last report, of 256.
    pub fraction_lost: u8,
    /// Lost since the beginning; negative when duplicates came.
    pub cumulative_lost: i32,
    /// Highest sequence number with its count of cycles.
    pub highest_sequence: u32,
    /// In ticks of the source's clock.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time in the last sender report.
    pub last_sr: u32,
    /// Since that arrived, in 1/65,536 s.
    pub delay_since_last_sr: u32,
}

/// One packet of a compound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rtcp<'a> {
    /// SR.
    SenderReport {
        /// Sender.
        ssrc: u32,
        /// Counts of what it sent.
        info: SenderInfo,
        /// Reports on what it received.
        blocks: Blocks<'a>,
    },
    /// RR.
    ReceiverReport {
        /// Sender.
        ssrc: u32,
        /// Reports on what it received.
        blocks: Blocks<'a>,
    },
    /// SDES: the chunks, checked for their bounds.
    SourceDescription(&'a [u8]),
    /// BYE: how many sources, and their SSRCs as they stand in the packet.
    Bye(&'a [u8]),
    /// APP, feedback, XR and unknown types.
    Other {
        /// The packet type.
        packet_type: u8,
        /// All after the common header.
        body: &'a [u8],
    },
}

/// Reception report blocks, read as they are walked over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks<'a>(&'a [u8]);

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_first_chunk::<24>()?;
        self.0 = rest;
        let lost = word(block, 4);
        Some(ReportBlock {
            ssrc: word(block, 0),
            fraction_lost: (lost >> 24) as u8,
            cumulative_lost: ((lost << 8) as i32) >> 8,
            highest_sequence: word(block, 8),
            jitter: word(block, 12),
            last_sr: word(block, 16),
            delay_since_last_sr: word(block, 20),
        })
    }
}

/// The packets of a compound, in order.
#[derive(Clone, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
    first: bool,
}

impl<'a> Compound<'a> {
    /// Walks over a datagram whose first packet must be a report (RFC 3550 §6.1).
    #[must_use]
    pub fn parse(data: &'a [u8]) -> Compound<'a> {
        Compound {
            rest: data,
            first: true,
        }
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<Rtcp<'a>, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let item = one(self.rest).and_then(|(packet, rest)| {
            let report = matches!(packet, Rtcp::SenderReport { .. } | Rtcp::ReceiverReport { .. });
            if self.first && !report {
                return Err(RtcpError::First);
            }
            self.first = false;
            self.rest = rest;
            Ok(packet)
        });
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}

/// The first packet of `data` and what follows it.
///
/// # Errors
/// [`RtcpError`], never [`RtcpError::First`].
pub fn one(data: &[u8]) -> Result<(Rtcp<'_>, &[u8]), RtcpError> {
    let (common, _) = data.split_first_chunk::<4>().ok_or(RtcpError::Truncated)?;
    if common[0] >> 6 != 2 {
        return Err(RtcpError::Version);
    }
    let length = 4 * usize::from(u16::from_be_bytes([common[2], common[3]]));
    let mut body = data.get(4..4 + length).ok_or(RtcpError::Truncated)?;
    let rest = &data[4 + length..];
    if common[0] & 0x20 != 0 {
        let padding = usize::from(*body.last().ok_or(RtcpError::Padding)?);
        if padding == 0 || padding % 4 != 0 || padding > body.len() || !rest.is_empty() {
            return Err(RtcpError::Padding);
        }
        body = &body[..body.len() - padding];
    }
    let count = usize::from(common[0] & 0x1f);
    let packet = match common[1] {
        200 => Rtcp::SenderReport {
            ssrc: words(body, 0, 6).map(|b| word(b, 0))?,
            info: SenderInfo {
                ntp: u64::from(word(body, 4)) << 32 | u64::from(word(body, 8)),
                rtp: word(body, 12),
                packets: word(body, 16),
                octets: word(body, 20),
            },
            blocks: Blocks(words(body, 6, 6 * count)?),
        },
        201 => Rtcp::ReceiverReport {
            ssrc: words(body, 0, 1).map(|b| word(b, 0))?,
            blocks: Blocks(words(body, 1, 6 * count)?),
        },
        202 => Rtcp::SourceDescription(description(body, count)?),
        203 => Rtcp::Bye(words(body, 0, count)?),
        packet_type => Rtcp::Other { packet_type, body },
    };
    Ok((packet, rest))
}

/// Checks that the chunks of an SDES packet stay within it (RFC 3550 §6.5).
fn description(body: &[u8], count: usize) -> Result<&[u8], RtcpError> {
    let mut at = 0;
    for _ in 0..count {
        words(body.get(at..).ok_or(RtcpError::Truncated)?, 0, 1)?;
        at += 4;
        loop {
            let kind = *body.get(at).ok_or(RtcpError::Truncated)?;
            if kind == 0 {
                at = (at / 4 + 1) * 4;
                break;
            }
            at += 2 + usize::from(*body.get(at + 1).ok_or(RtcpError::Truncated)?);
        }
    }
    body.get(..at).ok_or(RtcpError::Truncated)
}

fn words(body: &[u8], from: usize, count: usize) -> Result<&[u8], RtcpError> {
    body.get(4 * from..4 * (from + count)).ok_or(RtcpError::Truncated)
}

fn word(body: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]])
}

#[cfg(test)]
mod tests;
