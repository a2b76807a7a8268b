//! Renders the prompts of `prompts/`, a folder for each language, with espeak-ng, for `src/prompts.rs` to embed:
//! G.711 µ-law at 8 kHz, all equally loud, without silence around them.
//!
//! Without espeak-ng the gateway still builds, and queues play music alone. `CORDBOARD_PROMPTS=skip` leaves the prompts
//! out on purpose, `CORDBOARD_PROMPTS=required` makes their absence an error.

use std::f64::consts::PI;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

// The same G.711 as the gateway speaks; the build uses its encoder alone.
#[allow(dead_code, unreachable_pub)]
#[path = "../../sip-stack/media-core/src/codec/g711.rs"]
mod g711;

use super::Result;

/// Folder of the languages.
const LANGUAGES: &str = "prompts";
/// Rate of the rendered prompts.
const RATE: f64 = 8_000.0;
/// Root mean square of each prompt: that of the music.
const LOUDNESS: f64 = 1_550.0;
/// Loudest sample, which leaves room below the top of µ-law (32,124).
const PEAK: f64 = 26_000.0;
/// Sounds below this share of the loudest are silence around a prompt.
const SILENCE: f64 = 0.01;
/// Time before and after a prompt that is kept, so that words which follow each other stay apart, seconds.
const MARGIN: f64 = 0.025;
/// Time in which it comes out of silence and falls back, seconds.
const EDGE: f64 = 0.01;

/// Writes the prompts into `out`, with `prompts.rs` that embeds them.
pub(crate) fn build(out: &Path) -> Result<()> {
    println!("cargo:rerun-if-env-changed=CORDBOARD_PROMPTS");
    println!("cargo:rerun-if-changed={LANGUAGES}");
    println!("cargo:rerun-if-changed=build/prompts.rs");
    let wish = std::env::var("CORDBOARD_PROMPTS").unwrap_or_default();
    let rendered = if wish == "skip" {
        Ok(Vec::new())
    } else {
        render_all(out)
    };
    let languages = match rendered {
        Ok(languages) => languages,
        Err(error) if wish == "required" => return Err(format!("prompts: {error}").into()),
        Err(error) => {
            println!("cargo:warning=prompts: {error}");
            println!("cargo:warning=prompts: the gateway is built without them, its queues play music alone");
            // A path that does not exist makes cargo ask again at the next build, when the engine may be there.
            println!("cargo:rerun-if-changed=espeak-ng-was-missing");
            Vec::new()
        }
    };
    fs::write(out.join("prompts.rs"), index(&languages)?)?;
    Ok(())
}

/// A language and its prompts: names and files.
type Language = (String, Vec<(String, PathBuf)>);

/// Source text of the table of all prompts.
fn index(languages: &[Language]) -> Result<String> {
    let mut source = String::from("static LANGUAGES: &[(&str, &[Rendered])] = &[\n");
    for (language, prompts) in languages {
        writeln!(source, "    ({language:?}, &[")?;
        for (name, file) in prompts {
            let file = file.to_str().ok_or("a path that is not Unicode")?;
            writeln!(source, "        ({name:?}, include_bytes!({file:?})),")?;
        }
        writeln!(source, "    ]),")?;
    }
    source.push_str("];\n");
    Ok(source)
}

fn render_all(out: &Path) -> Result<Vec<Language>> {
    let mut folders: Vec<PathBuf> = fs::read_dir(LANGUAGES)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
        .iter()
        .map(|folder| render_language(folder, out))
        .collect()
}

fn render_language(folder: &Path, out: &Path) -> Result<Language> {
    let language = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let out = out.join("prompts").join(&language);
    fs::create_dir_all(&out)?;
    let list = fs::read_to_string(folder.join("prompts.txt"))?;
    let mut arguments: Vec<&str> = Vec::new();
    let mut prompts = Vec::new();
    for line in list
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (name, text) = line
            .split_once(" = ")
            .ok_or_else(|| format!("{language}: `{line}` is no line of the form `name = text`"))?;
        if name == "espeak-ng" {
            arguments = text.split(' ').collect();
            continue;
        }
        let (spoken, rate) = speak(&arguments, text)?;
        let pcm = finish(&spoken, rate);
        if pcm.is_empty() {
            return Err(format!("{language}: espeak-ng is silent for `{text}`").into());
        }
        let mut codes = vec![0; pcm.len()];
        g711::Law::Mu.encode(&pcm, &mut codes);
        let file = out.join(format!("{name}.ulaw"));
        fs::write(&file, codes)?;
        prompts.push((name.to_owned(), file));
    }
    Ok((language, prompts))
}

/// Samples that the engine makes of a text, and their rate.
fn speak(arguments: &[&str], text: &str) -> Result<(Vec<f64>, f64)> {
    let output = Command::new("espeak-ng")
        .args(arguments)
        .args(["-z", "--stdout", text])
        .output()
        .map_err(|_| "espeak-ng is not installed (Debian: apt-get install espeak-ng)")?;
    let wav = output.stdout;
    if !output.status.success() || wav.len() < HEADER || &wav[..4] != b"RIFF" {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("espeak-ng failed for `{text}`: {}", said.trim()).into());
    }
    let rate = u32::from_le_bytes([wav[24], wav[25], wav[26], wav[27]]);
    let samples = wav[HEADER..].chunks_exact(2);
    let samples = samples.map(|two| f64::from(i16::from_le_bytes([two[0], two[1]])));
    Ok((samples.collect(), f64::from(rate)))
}

/// Length of the header that espeak-ng writes: 16-bit PCM, mono.
const HEADER: usize = 44;

/// Brings speech to the rate, the loudness and the length of a prompt.
fn finish(spoken: &[f64], rate: f64) -> Vec<i16> {
    let mut pcm = resample(trim(spoken, rate), rate);
    let rms = (pcm.iter().map(|s| s * s).sum::<f64>() / pcm.len().max(1) as f64).sqrt();
    let gain = (LOUDNESS / rms.max(1.0)).min(PEAK / loudest(&pcm).max(1.0));
    let last = pcm.len().saturating_sub(1);
    for (i, sample) in pcm.iter_mut().enumerate() {
        let edge = i.min(last - i) as f64 / (EDGE * RATE);
        *sample *= gain * edge.min(1.0);
    }
    pcm.into_iter().map(|sample| sample.round() as i16).collect()
}

fn loudest(pcm: &[f64]) -> f64 {
    pcm.iter().fold(0.0, |peak, sample| sample.abs().max(peak))
}

/// The part between the silences, with a margin.
fn trim(spoken: &[f64], rate: f64) -> &[f64] {
    let threshold = loudest(spoken) * SILENCE;
    let margin = (MARGIN * rate) as usize;
    let is_loud = |sample: &f64| sample.abs() > threshold;
    let Some(first) = spoken.iter().position(is_loud) else {
        return &[];
    };
    let last = spoken.iter().rposition(is_loud).unwrap_or(first);
    &spoken[first.saturating_sub(margin)..(last + margin).min(spoken.len())]
}

/// Another rate, by a windowed sinc that passes everything below 3.7 kHz.
fn resample(pcm: &[f64], from: f64) -> Vec<f64> {
    let cutoff = 3_700.0 / from;
    let reach = 40.0 / cutoff / 4.0;
    let length = (pcm.len() as f64 * RATE / from) as usize;
    let at = |n: usize| {
        let center = n as f64 * from / RATE;
        let first = (center - reach).ceil().max(0.0) as usize;
        let end = ((center + reach) as usize + 1).min(pcm.len());
        (first..end)
            .map(|i| pcm[i] * kernel(i as f64 - center, cutoff, reach))
            .sum()
    };
    (0..length).map(at).collect()
}

fn kernel(x: f64, cutoff: f64, reach: f64) -> f64 {
    let sinc = if x == 0.0 {
        2.0 * cutoff
    } else {
        (2.0 * PI * cutoff * x).sin() / (PI * x)
    };
    sinc * (0.5 + 0.5 * (PI * x / reach).cos())
}
