use super::g711::Law;
use super::{CodecError, Decoder, Encoder, WIDE, g722, opus, wide_or_narrow};
use crate::negotiated::{Codec, OpusParameters};

/// States that are made at a time, so that they lie together in memory and not between the buffers of one call.
const BATCH: usize = 8;

/// Opus states that wait for the next call: what a call gives back is warm and needs no allocation.
#[derive(Debug, Default)]
pub struct Pool {
    /// At 8 and at 16 kHz.
    decoders: [Vec<opus::Decoder>; 2],
    encoders: [Vec<opus::Encoder>; 2],
    /// Numbers of codecs ever made.
    made: [usize; 2],
}

impl Pool {
    /// A decoder as new, to `rate` if the codec has it, else to 8 kHz.
    ///
    /// # Errors
    /// We cannot do that codec, or libopus has no memory.
    pub fn decoder(&mut self, codec: Codec, rate: u32) -> Result<Decoder, CodecError> {
        Ok(match codec {
            Codec::Pcmu => Decoder::G711(Law::Mu, Box::default()),
            Codec::Pcma => Decoder::G711(Law::A, Box::default()),
            Codec::G722 => Decoder::g722(rate),
            Codec::Foreign(_) => return Err(CodecError),
            Codec::Opus => {
                let (shelf, rate) = shelf(rate);
                let decoders = &mut self.decoders[shelf];
                if decoders.is_empty() {
                    for _ in 0..BATCH {
                        decoders.push(opus::Decoder::new(rate)?);
                        self.made[0] += 1;
                    }
                }
                let mut decoder = decoders.pop().ok_or(CodecError)?;
                decoder.reset();
                Decoder::Opus(decoder)
            }
        })
    }

    /// An encoder as new, from `rate` if the codec has it, else from 8 kHz.
    ///
    /// # Errors
    /// We cannot do that codec, or libopus has no memory.
    pub fn encoder(&mut self, codec: Codec, rate: u32, peer: &OpusParameters) -> Result<Encoder, CodecError> {
        Ok(match codec {
            Codec::Pcmu => Encoder::G711(Law::Mu),
            Codec::Pcma => Encoder::G711(Law::A),
            Codec::G722 => Encoder::G722(Box::new(g722::Encoder::new(rate))),
            Codec::Foreign(_) => return Err(CodecError),
            Codec::Opus => {
                let (shelf, rate) = shelf(rate);
                let encoders = &mut self.encoders[shelf];
                if encoders.is_empty() {
                    for _ in 0..BATCH {
                        encoders.push(opus::Encoder::new(rate)?);
                        self.made[1] += 1;
                    }
                }
                let mut encoder = encoders.pop().ok_or(CodecError)?;
                encoder.reset(peer);
                Encoder::Opus(encoder)
            }
        })
    }

    /// Takes a decoder back.
    pub fn give_decoder(&mut self, decoder: Decoder) {
        if let Decoder::Opus(decoder) = decoder {
            self.decoders[shelf(decoder.rate()).0].push(decoder);
        }
    }

    /// Takes an encoder back.
    pub fn give_encoder(&mut self, encoder: Encoder) {
        if let Encoder::Opus(encoder) = encoder {
            self.encoders[shelf(encoder.rate()).0].push(encoder);
        }
    }

    /// Opus decoders and encoders that were given out and not taken back.
    #[must_use]
    pub fn out(&self) -> [usize; 2] {
        let back = [
            self.decoders.iter().map(Vec::len).sum::<usize>(),
            self.encoders.iter().map(Vec::len).sum(),
        ];
        [self.made[0] - back[0], self.made[1] - back[1]]
    }
}

fn shelf(rate: u32) -> (usize, u32) {
    let rate = wide_or_narrow(rate);
    (usize::from(rate == WIDE), rate)
}
