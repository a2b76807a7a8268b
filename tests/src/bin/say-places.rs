//! Says every place in a queue as callers hear it, for a speech recogniser to listen to: `say-places FOLDER` writes
//! `1.wav` to `100.wav`, after G.711 µ-law at 8 kHz.

use std::error::Error;
use std::path::PathBuf;

use cordboard::prompts::{DEFAULT, built_in};
use media_core::codec::g711::Law;
use media_core::control::Phrase;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("usage: say-places FOLDER")?;
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder)?;
    let prompts = built_in(DEFAULT);
    for n in 1..=100 {
        let sound = prompts.sound(Phrase {
            position: Some(n),
            wait: None,
        });
        if sound.is_empty() {
            return Err("the gateway was built without prompts: install espeak-ng and build again".into());
        }
        let mut codes = vec![0; sound.len()];
        Law::Mu.encode(&sound, &mut codes);
        let mut heard = vec![0; codes.len()];
        Law::Mu.decode(&codes, &mut heard);
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = hound::WavWriter::create(folder.join(format!("{n}.wav")), spec)?;
        for sample in heard {
            wav.write_sample(sample)?;
        }
        wav.finalize()?;
    }
    Ok(())
}
