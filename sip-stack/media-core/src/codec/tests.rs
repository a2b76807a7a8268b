use super::*;
use crate::negotiated::OpusParameters;
use crate::tone::{Sine, amplitude, measure};

#[test]
fn gain_is_one_through_every_codec() {
    let mut pool = Pool::default();
    // G.711 not at 2,000 Hz, where four samples a period meet the same four steps for ever. Opus is this exact at most
    // frequencies, and within 5% at all.
    let frequencies = [
        (Codec::Opus, [350.0, 440.0, 1_004.0]),
        (Codec::Pcmu, [440.0, 1_004.0, 1_934.0]),
        (Codec::Pcma, [440.0, 1_004.0, 1_934.0]),
        (Codec::G722, [440.0, 1_004.0, 1_934.0]),
    ];
    for (codec, frequencies) in frequencies {
        for hertz in frequencies {
            for dbm0 in [-3.0, -10.0, -25.0] {
                let mut encoder = pool.encoder(codec, RATE, &OpusParameters::default()).unwrap();
                let mut decoder = pool.decoder(codec, RATE).unwrap();
                let mut sine = Sine::new(hertz, amplitude(dbm0));
                let mut heard = Vec::new();
                for _ in 0..100 {
                    let mut pcm = [0; FRAME];
                    sine.add(&mut pcm);
                    let mut payload = [0; 400];
                    let len = encoder.encode(&pcm, &mut payload).unwrap().unwrap();
                    let mut back = [0; LONGEST];
                    assert_eq!(decoder.decode(&payload[..len], &mut back), Ok(FRAME));
                    heard.extend_from_slice(&back[..FRAME]);
                }
                let found = measure(&heard[8_000..], RATE);
                let gain = 10f64.powf((found.dbm0 - f64::from(dbm0)) / 20.0);
                assert!((found.hertz - hertz).abs() < 0.5, "{codec:?} {found:?}");
                assert!(
                    (gain - 1.0).abs() < 0.02,
                    "{codec:?} {hertz} Hz at {dbm0} dBm0: {gain}"
                );
                pool.give_encoder(encoder);
                pool.give_decoder(decoder);
            }
        }
    }
}

#[test]
fn tones_of_a_trunk_keep_their_level_on_the_way_to_a_browser() {
    for hertz in [
        350.0, 425.0, 480.0, 620.0, 980.0, 1_400.0, 1_700.0, 2_100.0, 2_600.0,
    ] {
        for law in [g711::Law::Mu, g711::Law::A] {
            let mut pool = Pool::default();
            let mut encoder = pool
                .encoder(Codec::Opus, RATE, &OpusParameters::default())
                .unwrap();
            let mut decoder = pool.decoder(Codec::Opus, RATE).unwrap();
            let mut sine = Sine::new(hertz, amplitude(-14.0));
            let mut heard = Vec::new();
            for _ in 0..100 {
                let (mut pcm, mut codes) = ([0; FRAME], [0; FRAME]);
                sine.add(&mut pcm);
                law.encode(&pcm, &mut codes);
                law.decode(&codes, &mut pcm);
                let (mut payload, mut back) = ([0; 400], [0; LONGEST]);
                let len = encoder.encode(&pcm, &mut payload).unwrap().unwrap();
                decoder.decode(&payload[..len], &mut back).unwrap();
                heard.extend_from_slice(&back[..FRAME]);
            }
            let gain = 10f64.powf((measure(&heard[8_000..], RATE).dbm0 + 14.0) / 20.0);
            assert!((gain - 1.0).abs() < 0.055, "{hertz} Hz through {law:?}: {gain}");
        }
    }
}

#[test]
fn speech_is_coded_as_speech() {
    let Some(wav) = crate::corpus::read("speech-prompts/en_US_f_Allison_vm-opts.wav") else {
        return;
    };
    let pcm: Vec<i16> = wav[44..]
        .chunks_exact(2)
        .map(|w| i16::from_le_bytes([w[0], w[1]]))
        .collect();
    let mut encoder = Pool::default()
        .encoder(Codec::Opus, RATE, &OpusParameters::default())
        .unwrap();
    let mut payload = [0; 400];
    let mut as_tones = 0;
    for frame in pcm.chunks_exact(FRAME) {
        encoder.encode(frame, &mut payload).unwrap();
        as_tones += usize::from(payload[0] >> 3 > 15);
    }
    assert!(as_tones * 50 < pcm.len() / FRAME, "{as_tones} frames");
}
