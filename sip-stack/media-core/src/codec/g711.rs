//! G.711 by table (ITU-T G.711; bit-exact with the software tools of G.191).

/// 16-bit linear to µ-law, indexed by the upper 14 bits of the sample.
static MULAW_ENCODE: [u8; 16_384] = {
    let mut table = [0; 16_384];
    let mut i = 0;
    while i < table.len() {
        table[i] = mulaw_code(((i as u16) << 2) as i16);
        i += 1;
    }
    table
};

/// 16-bit linear to A-law, indexed by the upper 12 bits of the sample.
static ALAW_ENCODE: [u8; 4_096] = {
    let mut table = [0; 4_096];
    let mut i = 0;
    while i < table.len() {
        table[i] = alaw_code(((i as u16) << 4) as i16);
        i += 1;
    }
    table
};

static MULAW_DECODE: [i16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < table.len() {
        table[i] = mulaw_value(i as u8);
        i += 1;
    }
    table
};

static ALAW_DECODE: [i16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < table.len() {
        table[i] = alaw_value(i as u8);
        i += 1;
    }
    table
};

/// The two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law, PCMU.
    Mu,
    /// A-law, PCMA.
    A,
}

impl Law {
    /// Encodes as many samples as both slices hold.
    pub fn encode(self, pcm: &[i16], out: &mut [u8]) {
        match self {
            Law::Mu => {
                for (code, sample) in out.iter_mut().zip(pcm) {
                    *code = MULAW_ENCODE[usize::from(*sample as u16 >> 2)];
                }
            }
            Law::A => {
                for (code, sample) in out.iter_mut().zip(pcm) {
                    *code = ALAW_ENCODE[usize::from(*sample as u16 >> 4)];
                }
            }
        }
    }

    /// Decodes as many codes as both slices hold.
    pub fn decode(self, codes: &[u8], pcm: &mut [i16]) {
        let table = match self {
            Law::Mu => &MULAW_DECODE,
            Law::A => &ALAW_DECODE,
        };
        for (sample, code) in pcm.iter_mut().zip(codes) {
            *sample = table[usize::from(*code)];
        }
    }
}

/// Negative samples are taken in ones' complement, as G.191 does.
const fn magnitude(sample: i16) -> u16 {
    if sample < 0 { !sample as u16 } else { sample as u16 }
}

const fn mulaw_code(sample: i16) -> u8 {
    let mut biased = (magnitude(sample) >> 2) + 33;
    if biased > 0x1fff {
        biased = 0x1fff;
    }
    let segment = 16 - (biased >> 6).leading_zeros() + 1;
    let code = ((8 - segment) << 4) as u8 | (0x0f - (biased >> segment & 0x0f)) as u8;
    if sample >= 0 { code | 0x80 } else { code }
}

const fn mulaw_value(code: u8) -> i16 {
    let inverted = !code;
    let exponent = inverted >> 4 & 7;
    let step = 8 << exponent;
    let value = (0x80 << exponent) + step * (inverted & 0x0f) as i16 + step / 2 - 4 * 33;
    if code < 0x80 { -value } else { value }
}

const fn alaw_code(sample: i16) -> u8 {
    let mut code = magnitude(sample) >> 4;
    if code > 15 {
        let mut exponent = 1;
        while code > 31 {
            code >>= 1;
            exponent += 1;
        }
        code = code - 16 + (exponent << 4);
    }
    (if sample >= 0 {
        code as u8 | 0x80
    } else {
        code as u8
    }) ^ 0x55
}

const fn alaw_value(code: u8) -> i16 {
    let plain = (code ^ 0x55) & 0x7f;
    let exponent = plain >> 4;
    let mut mantissa = (plain & 0x0f) as i16;
    if exponent > 0 {
        mantissa += 16;
    }
    mantissa = (mantissa << 4) + 8;
    if exponent > 1 {
        mantissa <<= exponent - 1;
    }
    if code >= 0x80 { mantissa } else { -mantissa }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    fn words(name: &str) -> Option<Vec<i16>> {
        let data = corpus::read(&format!("g711-itu-stl/{name}"))?;
        Some(
            data.chunks_exact(2)
                .map(|w| i16::from_le_bytes([w[0], w[1]]))
                .collect(),
        )
    }

    #[test]
    fn is_bit_exact_with_g_191_for_every_sample() {
        let Some(source) = words("sweep.src") else { return };
        for (law, codes, decoded) in [
            (Law::Mu, "sweep-r.u", "sweep-r.u-u"),
            (Law::A, "sweep-r.a", "sweep-r.a-a"),
        ] {
            let mut ours = vec![0; source.len()];
            law.encode(&source, &mut ours);
            let theirs: Vec<u8> = words(codes).unwrap().iter().map(|w| *w as u8).collect();
            assert!(ours == theirs, "{law:?} encoder");
            let mut pcm = vec![0; ours.len()];
            law.decode(&ours, &mut pcm);
            assert!(pcm == words(decoded).unwrap(), "{law:?} decoder");
        }
    }

    #[test]
    fn every_code_comes_back() {
        for law in [Law::Mu, Law::A] {
            let codes: Vec<u8> = (0..=255).collect();
            let mut pcm = [0; 256];
            let mut back = [0; 256];
            law.decode(&codes, &mut pcm);
            law.encode(&pcm, &mut back);
            for code in 0..=255u8 {
                // µ-law has a negative zero.
                assert!(
                    back[usize::from(code)] == code || (law == Law::Mu && code == 0x7f),
                    "{law:?} {code}"
                );
            }
        }
    }
}
