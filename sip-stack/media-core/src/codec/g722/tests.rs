use super::*;
use crate::codec::RATE;
use crate::corpus;

/// Words of a test sequence of appendix II; the lowest bit asks for a reset.
fn words(name: &str) -> Option<Vec<i16>> {
    let data = corpus::read(&format!("g722-appendix2/{name}"))?;
    let words = data.chunks_exact(2).map(|w| i16::from_be_bytes([w[0], w[1]]));
    Some(words.collect())
}

#[test]
fn encodes_the_sequences_of_appendix_ii_bit_by_bit() {
    for (sound, codes) in [("bt1c1.xmt", "bt2r1.cod"), ("bt1c2.xmt", "bt2r2.cod")] {
        let (Some(sound), Some(codes)) = (words(sound), words(codes)) else {
            return;
        };
        assert_eq!(sound.len(), codes.len());
        let mut encoder = Encoder::new(WIDE);
        for (at, (sample, code)) in sound.iter().zip(&codes).enumerate() {
            if sample & 1 == 1 {
                encoder = Encoder::new(WIDE);
                continue;
            }
            let sample = i32::from(sample >> 1);
            assert_eq!(encoder.code(sample, sample), (code >> 8) as u8, "word {at}");
        }
    }
}

#[test]
fn decodes_the_sequences_of_appendix_ii_bit_by_bit_in_each_mode() {
    let modes = [OperatingMode::One, OperatingMode::Two, OperatingMode::Three];
    for (codes, low, high) in [
        ("bt2r1.cod", "bt3l1", "bt3h1"),
        ("bt2r2.cod", "bt3l2", "bt3h2"),
        ("bt1d3.cod", "bt3l3", "bt3h3"),
    ] {
        for (number, mode) in modes.into_iter().enumerate() {
            let low = words(&format!("{low}.rc{}", number + 1));
            let (Some(codes), Some(low), Some(high)) = (words(codes), low, words(&format!("{high}.rc0")))
            else {
                return;
            };
            assert_eq!((codes.len(), codes.len()), (low.len(), high.len()));
            let mut decoder = Decoder::new(WIDE);
            for (at, code) in codes.iter().enumerate() {
                if code & 1 == 1 {
                    decoder = Decoder::new(WIDE);
                    decoder.set_mode(mode);
                    continue;
                }
                let expected = (i32::from(low[at] >> 1), i32::from(high[at] >> 1));
                assert_eq!(decoder.bands((code >> 8) as u8), expected, "word {at}, {mode:?}");
            }
        }
    }
}

fn sines(parts: &[f64], rate: u32, samples: u32) -> Vec<i16> {
    (0..samples)
        .map(|i| {
            let turn = f64::from(i) / f64::from(rate) * std::f64::consts::TAU;
            let sum: f64 = parts.iter().map(|hertz| (turn * hertz).sin()).sum();
            (sum / parts.len() as f64 * 12_000.0) as i16
        })
        .collect()
}

fn through(encoder: &mut Encoder, decoder: &mut Decoder, pcm: &[i16]) -> Vec<i16> {
    let mut heard = Vec::new();
    for frame in pcm.chunks_exact(encoder.rate() as usize / 50) {
        let (mut octets, mut back) = ([0; 160], [0; 320]);
        assert_eq!(encoder.encode(frame, &mut octets), Ok(160));
        let length = decoder.decode(&octets, &mut back).unwrap();
        heard.extend_from_slice(&back[..length]);
    }
    heard
}

/// Signal to noise, dB, at the delay at which that is best: filters are some samples late.
fn quality(sound: &[i16], heard: &[i16]) -> f64 {
    let at = |late: usize| {
        let (mut signal, mut noise) = (0.0, 0.0);
        for (a, b) in sound.iter().zip(&heard[late..]).skip(400) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            signal += a * a;
            noise += (a - b) * (a - b);
        }
        10.0 * (signal / noise).log10()
    };
    (0..60).map(at).fold(f64::MIN, f64::max)
}

#[test]
fn sound_of_the_whole_band_comes_back() {
    for (parts, least) in [
        (&[440.0][..], 30.0),
        (&[1_004.0], 30.0),
        (&[3_900.0], 18.0),
        (&[6_000.0], 12.0),
        (&[300.0, 1_100.0, 2_500.0, 5_200.0], 20.0),
    ] {
        let pcm = sines(parts, WIDE, 32_000);
        let heard = through(&mut Encoder::new(WIDE), &mut Decoder::new(WIDE), &pcm);
        let found = quality(&pcm, &heard);
        assert!(found > least, "{parts:?}: {found:.1} dB");
    }
}

#[test]
fn speech_comes_back() {
    let Some(wav) = corpus::read("speech-prompts/en_US_f_Allison_vm-opts.wav") else {
        return;
    };
    let pcm: Vec<i16> = wav[44..]
        .chunks_exact(2)
        .map(|w| i16::from_le_bytes([w[0], w[1]]))
        .collect();
    let heard = through(&mut Encoder::new(RATE), &mut Decoder::new(RATE), &pcm);
    let found = quality(&pcm, &heard);
    assert!(found > 20.0, "{found:.1} dB");
}

#[test]
fn a_telephone_hears_what_it_can_carry_and_nothing_folded_into_that() {
    let level = |pcm: &[i16]| crate::tone::level_dbm0(&pcm[pcm.len() / 2..]);
    for hertz in [300.0, 1_004.0, 2_000.0, 3_300.0] {
        let (narrow, wide) = (sines(&[hertz], RATE, 8_000), sines(&[hertz], WIDE, 16_000));
        let to_phone = through(&mut Encoder::new(WIDE), &mut Decoder::new(RATE), &wide);
        let from_phone = through(&mut Encoder::new(RATE), &mut Decoder::new(WIDE), &narrow);
        assert!(
            (level(&to_phone) - level(&wide)).abs() < 0.3,
            "{hertz} Hz to 8 kHz"
        );
        assert!(
            (level(&from_phone) - level(&narrow)).abs() < 0.3,
            "{hertz} Hz to 16 kHz"
        );
    }
    for hertz in [4_700.0, 5_200.0, 6_000.0] {
        let treble = sines(&[hertz], WIDE, 16_000);
        let heard = through(&mut Encoder::new(WIDE), &mut Decoder::new(RATE), &treble);
        assert!(level(&heard) < -40.0, "{hertz} Hz: {}", level(&heard));
    }
}

#[test]
fn the_rate_may_change_in_the_midst_of_sound() {
    let (narrow, wide) = (sines(&[500.0], RATE, 8_000), sines(&[500.0], WIDE, 16_000));
    let (mut encoder, mut decoder) = (Encoder::new(RATE), Decoder::new(RATE));
    through(&mut encoder, &mut decoder, &narrow);
    encoder.set_rate(WIDE);
    decoder.set_rate(WIDE);
    assert_eq!((encoder.rate(), decoder.rate()), (WIDE, WIDE));
    let heard = through(&mut encoder, &mut decoder, &wide);
    assert!(quality(&wide, &heard) > 28.0);
}

#[test]
fn refuses_what_has_no_room() {
    let (mut encoder, mut decoder) = (Encoder::new(WIDE), Decoder::new(WIDE));
    assert_eq!(encoder.encode(&[0; 321], &mut [0; 400]), Err(CodecError));
    assert_eq!(encoder.encode(&[0; 320], &mut [0; 159]), Err(CodecError));
    assert_eq!(decoder.decode(&[0; 160], &mut [0; 319]), Err(CodecError));
}
