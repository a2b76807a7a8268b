//! Codecs, each to and from 16-bit mono at 8 kHz; Opus and G.722 at 16 kHz as well.

mod conceal;
pub mod g711;
pub mod g722;
pub mod opus;
mod pool;

pub use conceal::Concealer;
pub use pool::Pool;

use crate::negotiated::Codec;
use g711::Law;

/// Samples a second of sound inside the shard, except where [`WIDE`] is said.
pub const RATE: u32 = 8_000;
/// Samples a second in a mix of more than one wideband codec.
pub const WIDE: u32 = 16_000;
/// Samples of the longest packet there is: 120 ms.
pub const LONGEST: usize = 960;
/// Samples of 20 ms.
pub const FRAME: usize = 160;

/// The nearest of the two rates.
const fn wide_or_narrow(rate: u32) -> u32 {
    if rate >= WIDE { WIDE } else { RATE }
}

/// A payload is not what its codec says, or the codec could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecError;

impl From<::opus::Error> for CodecError {
    fn from(_: ::opus::Error) -> CodecError {
        CodecError
    }
}

/// Duration of a payload in ticks of its codec's clock; `None` if it is not one, or of a format that we cannot read.
#[must_use]
pub fn duration(codec: Codec, payload: &[u8]) -> Option<u32> {
    match codec {
        Codec::Opus => opus::duration(payload),
        Codec::Pcmu | Codec::Pcma | Codec::G722 => (1..=LONGEST)
            .contains(&payload.len())
            .then_some(payload.len() as u32),
        Codec::Foreign(_) => None,
    }
}

/// Payload to sound.
#[derive(Debug)]
pub enum Decoder {
    /// G.711 with concealment of ours.
    G711(Law, Box<Concealer>),
    /// Opus with its own.
    Opus(opus::Decoder),
    /// G.722 with that of ours.
    G722(Box<(g722::Decoder, Concealer)>),
}

impl Decoder {
    /// A decoder of its own, to `rate` (8 or 16 kHz) if the codec has it, else to 8 kHz. Legs take theirs from a [`Pool`].
    ///
    /// # Errors
    /// Libopus has no memory.
    pub fn new(codec: Codec, rate: u32) -> Result<Decoder, CodecError> {
        Ok(match codec {
            Codec::Pcmu => Decoder::G711(Law::Mu, Box::default()),
            Codec::Pcma => Decoder::G711(Law::A, Box::default()),
            Codec::Opus => Decoder::Opus(opus::Decoder::new(rate)?),
            Codec::G722 => Decoder::g722(rate),
            Codec::Foreign(_) => return Err(CodecError),
        })
    }

    fn g722(rate: u32) -> Decoder {
        let decoder = g722::Decoder::new(rate);
        let concealer = Concealer::new(decoder.rate());
        Decoder::G722(Box::new((decoder, concealer)))
    }

    /// The same decoder for another rate, if it follows its own past at any.
    pub(crate) fn at(&self, rate: u32) -> Option<Decoder> {
        let Decoder::G722(this) = self else { return None };
        let mut decoder = this.0.clone();
        decoder.set_rate(rate);
        let concealer = Concealer::new(decoder.rate());
        Some(Decoder::G722(Box::new((decoder, concealer))))
    }

    /// Codec that it decodes.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match self {
            Decoder::G711(Law::Mu, _) => Codec::Pcmu,
            Decoder::G711(Law::A, _) => Codec::Pcma,
            Decoder::Opus(_) => Codec::Opus,
            Decoder::G722(_) => Codec::G722,
        }
    }

    /// Sample rate of its output.
    #[must_use]
    pub fn rate(&self) -> u32 {
        match self {
            Decoder::G711(..) => RATE,
            Decoder::Opus(decoder) => decoder.rate(),
            Decoder::G722(this) => this.0.rate(),
        }
    }

    /// Decodes a packet into the beginning of `pcm`; the number of samples.
    ///
    /// # Errors
    /// The payload is not one, or longer than `pcm`.
    pub fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        match self {
            Decoder::G711(law, concealer) => {
                let pcm = pcm.get_mut(..payload.len()).ok_or(CodecError)?;
                law.decode(payload, pcm);
                concealer.good(pcm);
                Ok(pcm.len())
            }
            Decoder::Opus(decoder) => decoder.decode(payload, pcm),
            Decoder::G722(this) => {
                let (decoder, concealer) = &mut **this;
                let length = decoder.decode(payload, pcm)?;
                concealer.good(&mut pcm[..length]);
                Ok(length)
            }
        }
    }

    /// Fills `pcm` with the packet before `next`: from the redundancy of `next`, or concealed without one.
    pub fn recover(&mut self, next: &[u8], pcm: &mut [i16]) {
        if let Decoder::Opus(decoder) = self
            && decoder.recover(next, pcm).is_ok()
        {
            return;
        }
        self.conceal(pcm);
    }

    /// Fills `pcm` with sound made up from the past.
    pub fn conceal(&mut self, pcm: &mut [i16]) {
        match self {
            Decoder::G711(_, concealer) => concealer.conceal(pcm),
            Decoder::G722(this) => this.1.conceal(pcm),
            Decoder::Opus(decoder) => {
                // libopus conceals multiples of 2.5 ms.
                let piece = decoder.rate() as usize / 400;
                let whole = pcm.len() / piece * piece;
                let done = decoder.conceal(&mut pcm[..whole]).unwrap_or(0);
                pcm[done..].fill(0);
            }
        }
    }
}

/// Sound to payload.
#[derive(Debug)]
pub enum Encoder {
    /// G.711.
    G711(Law),
    /// Opus.
    Opus(opus::Encoder),
    /// G.722.
    G722(Box<g722::Encoder>),
}

impl Encoder {
    /// Codec that it encodes.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match self {
            Encoder::G711(Law::Mu) => Codec::Pcmu,
            Encoder::G711(Law::A) => Codec::Pcma,
            Encoder::Opus(_) => Codec::Opus,
            Encoder::G722(_) => Codec::G722,
        }
    }

    /// Sample rate of its input.
    #[must_use]
    pub fn rate(&self) -> u32 {
        match self {
            Encoder::G711(_) => RATE,
            Encoder::Opus(encoder) => encoder.rate(),
            Encoder::G722(encoder) => encoder.rate(),
        }
    }

    /// Encodes into the beginning of `out`; the number of octets, or `None` when this frame need not be sent.
    ///
    /// # Errors
    /// `out` is too short or the length is not one that the codec has.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<Option<usize>, CodecError> {
        match self {
            Encoder::G711(law) => {
                let out = out.get_mut(..pcm.len()).ok_or(CodecError)?;
                law.encode(pcm, out);
                Ok(Some(pcm.len()))
            }
            Encoder::Opus(encoder) => encoder.encode(pcm, out),
            Encoder::G722(encoder) => encoder.encode(pcm, out).map(Some),
        }
    }
}

#[cfg(test)]
mod tests;
