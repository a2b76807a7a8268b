use super::g711::Law;
use super::{CodecError, Decoder, Encoder, opus};
use crate::negotiated::{Codec, OpusParameters};

/// States that are made at a time, so that they lie together in memory and not between the buffers of one call.
const BATCH: usize = 8;

/// Opus states that wait for the next call: what a call gives back is warm and needs no allocation.
#[derive(Debug, Default)]
pub struct Pool {
    decoders: Vec<opus::Decoder>,
    encoders: Vec<opus::Encoder>,
}

impl Pool {
    /// A decoder as new.
    ///
    /// # Errors
    /// When libopus has no memory.
    pub fn decoder(&mut self, codec: Codec) -> Result<Decoder, CodecError> {
        Ok(match codec {
            Codec::Pcmu => Decoder::G711(Law::Mu, Box::default()),
            Codec::Pcma => Decoder::G711(Law::A, Box::default()),
            Codec::Opus => {
                if self.decoders.is_empty() {
                    for _ in 0..BATCH {
                        self.decoders.push(opus::Decoder::new()?);
                    }
                }
                let mut decoder = self.decoders.pop().ok_or(CodecError)?;
                decoder.reset();
                Decoder::Opus(decoder)
            }
        })
    }

    /// An encoder as new.
    ///
    /// # Errors
    /// When libopus has no memory.
    pub fn encoder(&mut self, codec: Codec, peer: &OpusParameters) -> Result<Encoder, CodecError> {
        Ok(match codec {
            Codec::Pcmu => Encoder::G711(Law::Mu),
            Codec::Pcma => Encoder::G711(Law::A),
            Codec::Opus => {
                if self.encoders.is_empty() {
                    for _ in 0..BATCH {
                        self.encoders.push(opus::Encoder::new()?);
                    }
                }
                let mut encoder = self.encoders.pop().ok_or(CodecError)?;
                encoder.reset(peer);
                Encoder::Opus(encoder)
            }
        })
    }

    /// Takes a decoder back.
    pub fn give_decoder(&mut self, decoder: Decoder) {
        if let Decoder::Opus(decoder) = decoder {
            self.decoders.push(decoder);
        }
    }

    /// Takes an encoder back.
    pub fn give_encoder(&mut self, encoder: Encoder) {
        if let Encoder::Opus(encoder) = encoder {
            self.encoders.push(encoder);
        }
    }
}
