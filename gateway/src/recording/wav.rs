//! WAV files of two channels, 16-bit PCM.

use std::io;

/// Octets before the samples.
pub(crate) const HEADER: usize = 44;

/// Octets of a sample of both channels.
pub(crate) const FRAME: u64 = 4;

/// Length in the header of a file that still grows: players take what is there.
pub(crate) const GROWING: u64 = u32::MAX as u64;

/// The header of so many octets of samples.
pub(crate) fn header(rate: u32, samples: u64) -> [u8; HEADER] {
    let length = u32::try_from(samples).unwrap_or(u32::MAX);
    let mut header = [0; HEADER];
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &length.saturating_add(36).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16_u32.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &2_u16.to_le_bytes(),
        &rate.to_le_bytes(),
        &(rate * FRAME as u32).to_le_bytes(),
        &(FRAME as u16).to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &length.to_le_bytes(),
    ];
    let mut at = 0;
    for field in fields {
        header[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    }
    header
}

/// The rate in a header of ours.
///
/// # Errors
/// It is none.
pub(crate) fn rate(header: &[u8; HEADER]) -> io::Result<u32> {
    let rate = u32::from_le_bytes([header[24], header[25], header[26], header[27]]);
    let is_ours = header[..4] == *b"RIFF" && header[22] == 2 && matches!(rate, 8_000 | 16_000);
    is_ours
        .then_some(rate)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no recording of the gateway"))
}
