use super::*;
use crate::negotiated::OpusParameters;
use crate::tone::{Sine, amplitude, measure};

#[test]
fn gain_is_one_through_every_codec() {
    let mut pool = Pool::default();
    // G.711 not at 2,000 Hz, where four samples a period meet the same four steps for ever. Opus keeps no waveform: it is
    // this exact below 1,100 Hz and within 7% up to 3,300 Hz.
    let frequencies = [
        (Codec::Opus, [350.0, 440.0, 1_004.0]),
        (Codec::Pcmu, [440.0, 1_004.0, 1_934.0]),
        (Codec::Pcma, [440.0, 1_004.0, 1_934.0]),
    ];
    for (codec, frequencies) in frequencies {
        for hertz in frequencies {
            for dbm0 in [-3.0, -10.0, -25.0] {
                let mut encoder = pool.encoder(codec, &OpusParameters::default()).unwrap();
                let mut decoder = pool.decoder(codec).unwrap();
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
