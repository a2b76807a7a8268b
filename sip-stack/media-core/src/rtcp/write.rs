use super::ReportBlock;

/// Sender's part of a sender report (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP time: seconds since 1900 and fraction.
    pub ntp: u64,
    /// The same moment on the RTP clock.
    pub rtp: u32,
    /// RTP packets sent.
    pub packets: u32,
    /// Payload octets sent.
    pub octets: u32,
}

/// A report to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Ours.
    pub ssrc: u32,
    /// Given when we sent RTP since the report before the last: makes it a sender report.
    pub sender: Option<SenderInfo>,
    /// Block about the source that we receive, if there is one.
    pub block: Option<ReportBlock>,
    /// At most 255 octets.
    pub cname: &'a str,
}

/// Appends SR or RR and SDES CNAME to `out`.
pub fn write_report(out: &mut Vec<u8>, report: &Outgoing<'_>) {
    let words = if report.sender.is_some() { 6 } else { 1 } + if report.block.is_some() { 6 } else { 0 };
    common(
        out,
        u8::from(report.block.is_some()),
        if report.sender.is_some() { 200 } else { 201 },
        words,
    );
    out.extend_from_slice(&report.ssrc.to_be_bytes());
    if let Some(info) = report.sender {
        out.extend_from_slice(&info.ntp.to_be_bytes());
        out.extend_from_slice(&info.rtp.to_be_bytes());
        out.extend_from_slice(&info.packets.to_be_bytes());
        out.extend_from_slice(&info.octets.to_be_bytes());
    }
    if let Some(block) = report.block {
        out.extend_from_slice(&block.ssrc.to_be_bytes());
        let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        out.extend_from_slice(&(u32::from(block.fraction_lost) << 24 | lost).to_be_bytes());
        out.extend_from_slice(&block.highest_sequence.to_be_bytes());
        out.extend_from_slice(&block.jitter.to_be_bytes());
        out.extend_from_slice(&block.last_sr.to_be_bytes());
        out.extend_from_slice(&block.delay_since_last_sr.to_be_bytes());
    }
    let cname = &report.cname.as_bytes()[..report.cname.len().min(255)];
    let chunk = (4 + 2 + cname.len()) / 4 + 1;
    common(out, 1, 202, chunk as u16);
    let end = out.len() + 4 * chunk;
    out.extend_from_slice(&report.ssrc.to_be_bytes());
    out.push(1);
    out.push(cname.len() as u8);
    out.extend_from_slice(cname);
    out.resize(end, 0);
}

/// Appends BYE, to stand after a report.
pub fn write_bye(out: &mut Vec<u8>, ssrc: u32) {
    common(out, 1, 203, 1);
    out.extend_from_slice(&ssrc.to_be_bytes());
}

fn common(out: &mut Vec<u8>, count: u8, packet_type: u8, words: u16) {
    out.push(0x80 | count);
    out.push(packet_type);
    out.extend_from_slice(&words.to_be_bytes());
}
