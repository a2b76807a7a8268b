use std::sync::LazyLock;

use super::klatt::{Frame, NOSE_CLOSED, synthesise};
use super::phoneme::Phoneme;
use super::utter::frames;
use super::*;
use crate::tone::power_at;

static VOICE: LazyLock<Prompts> = LazyLock::new(Prompts::built_in);

const VOWELS: [Phoneme; 11] = [
    Phoneme::Iy,
    Phoneme::Ih,
    Phoneme::Ey,
    Phoneme::Eh,
    Phoneme::Aa,
    Phoneme::Ah,
    Phoneme::Ao,
    Phoneme::Ow,
    Phoneme::Uw,
    Phoneme::Er,
    Phoneme::Ax,
];

/// Sound of a phrase, without the silence after sentences.
fn said(phrase: Phrase) -> Vec<i16> {
    let pieces = VOICE.say(phrase);
    let samples = pieces.iter().flat_map(|(clip, rest)| {
        let rest = if *rest < 2_000 { *rest } else { 0 };
        clip.iter().copied().chain(std::iter::repeat_n(0, rest))
    });
    samples.collect()
}

fn place(n: u32) -> Phrase {
    Phrase {
        position: Some(n),
        wait: None,
    }
}

/// Level of each harmonic of a voice at this pitch, dB.
fn harmonics(sound: &[i16], pitch: f64) -> Vec<f64> {
    let power = |n: usize| power_at(sound, pitch * n as f64, klatt::RATE);
    (1..80).map(|n| 10.0 * power(n).max(1e-9).log10()).collect()
}

#[test]
fn each_vowel_has_its_formants_where_they_belong() {
    const PITCH: f64 = 50.0;
    for vowel in VOWELS {
        let shape = vowel.shape();
        for formants in [shape.from, shape.to] {
            let held = Frame {
                pitch: PITCH,
                formants,
                widths: shape.widths,
                nasal_zero: NOSE_CLOSED,
                voice: 1.0,
                ..Frame::default()
            };
            let sound = synthesise(&[held; 120]);
            let loudest = sound.iter().fold(0.0f64, |peak, s| peak.max(s.abs()));
            let sound: Vec<i16> = sound[1_600..]
                .iter()
                .map(|s| (s / loudest * 20_000.0) as i16)
                .collect();
            let levels = harmonics(&sound, PITCH);
            // High tones that the glottis takes away are restored.
            let level = |hertz: f64| {
                let n = ((hertz / PITCH).round() as usize).max(1);
                levels[n - 1] + 12.0 * (n as f64).log2()
            };
            for (n, formant) in formants.into_iter().enumerate() {
                // The hill of this formant is there, within a tenth, and falls off on either side.
                let others = (0..3).filter(|other| *other != n).map(|other| formants[other]);
                let room = others
                    .map(|other| (other - formant).abs())
                    .fold(500.0f64, f64::min);
                let span = (formant * 0.1).min(room * 0.4);
                let near =
                    ((formant - span) / PITCH).floor() as usize..=((formant + span) / PITCH).ceil() as usize;
                let top = near
                    .map(|n| n as f64 * PITCH)
                    .max_by(|a, b| level(*a).total_cmp(&level(*b)));
                let top = top.expect("harmonics");
                // Below the first lies what the glottis says, which is as loud, and above 2,800 Hz the fourth is near.
                let below = (formant > 400.0).then(|| level(top - room / 2.0));
                let above = (formant < 2_800.0).then(|| level(top + room / 2.0));
                let beside = [below, above];
                let stands_out = beside.into_iter().flatten().all(|beside| beside < level(top));
                assert!(
                    (top / formant - 1.0).abs() <= 0.1 + PITCH / formant && stands_out,
                    "{vowel:?}: formant {} is not at {formant} Hz: {top} Hz, {beside:?} beside {}",
                    n + 1,
                    level(top)
                );
            }
        }
    }
}

#[test]
fn words_pass_through_the_formants_of_their_vowels() {
    for (n, vowel) in [
        (1, Phoneme::Ah),
        (2, Phoneme::Uw),
        (3, Phoneme::Iy),
        (4, Phoneme::Ao),
        (6, Phoneme::Ih),
        (10, Phoneme::Eh),
        (13, Phoneme::Er),
        (80, Phoneme::Ey),
    ] {
        let (sounds, tune) = words::script(Clip::Number(n)).expect("a word");
        let wanted = vowel.shape();
        let close = |frame: &Frame| {
            let pairs = frame.formants.iter().zip(wanted.from.iter().zip(wanted.to));
            pairs
                .map(|(at, (from, to))| (at / ((from + to) / 2.0) - 1.0).abs())
                .fold(0.0, f64::max)
        };
        let voiced = frames(&sounds, tune)
            .into_iter()
            .filter(|frame| frame.voice > 0.0);
        let nearest = voiced.map(|frame| close(&frame)).fold(1.0, f64::min);
        assert!(nearest < 0.1, "{n}: no nearer to {vowel:?} than {nearest}");
    }
}

#[test]
fn every_place_is_said_as_loud_as_the_music_and_in_a_reasonable_time() {
    let tune = level_dbm0(&Music::default().at(RATE));
    for n in 1..=99 {
        let sound = said(place(n));
        let seconds = sound.len() as f64 / f64::from(RATE);
        assert!((2.0..5.0).contains(&seconds), "{n}: {seconds} s");
        let level = level_dbm0(&sound) - tune;
        assert!(level.abs() < 1.0, "{n}: {level} dB from the music");
        let peak = sound.iter().map(|s| s.unsigned_abs()).max();
        assert!(peak < Some(PEAK as u16), "{n}: {peak:?}");
    }
    let bytes: usize = VOICE.clips.values().map(|clip| clip.len() * 2).sum();
    assert!(bytes < 400_000, "{bytes}");
}

#[test]
fn every_clip_begins_and_ends_in_silence() {
    for (clip, sound) in &VOICE.clips {
        let peak = sound.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
        let edges = [&sound[..8], &sound[sound.len() - 8..]];
        for edge in edges {
            let loudest = edge.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
            assert!(loudest * 8 < peak, "{clip:?} jumps to {loudest} of {peak}");
        }
        assert!(level_dbm0(sound) > -25.0, "{clip:?}");
    }
}

#[test]
fn the_pitch_is_that_of_a_man_and_falls_towards_the_end() {
    // The lag at which a stretch of voice is most like itself a period later.
    let pitch = |sound: &[i16]| {
        let alike = |lag: usize| {
            let pairs = sound.iter().zip(&sound[lag..]);
            let sum: f64 = pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            sum / (sound.len() - lag) as f64
        };
        let best = (50..130).max_by(|a, b| alike(*a).total_cmp(&alike(*b)));
        f64::from(RATE) / best.expect("a period") as f64
    };
    let line = &VOICE.clips[&Clip::InLine];
    let (early, late) = (
        pitch(&line[800..1_600]),
        pitch(&line[line.len() - 1_200..line.len() - 300]),
    );
    assert!((95.0..130.0).contains(&early), "{early}");
    assert!((75.0..105.0).contains(&late) && late < early, "{late}");
}

#[test]
fn all_that_can_be_asked_for_can_be_said_and_always_the_same() {
    for n in 1..=99u32 {
        let phrase = Phrase {
            position: Some(n),
            wait: Some(std::time::Duration::from_secs(60 * u64::from(n))),
        };
        let clips = phrase.clips(|clip| VOICE.clips.contains_key(&clip));
        assert!(clips.len() >= 5 && clips.contains(&Clip::Wait), "{n}: {clips:?}");
    }
    let again = Prompts::built_in();
    assert_eq!(VOICE.clips, again.clips);
}

#[test]
fn a_recorded_clip_is_taken_at_any_rate() {
    let mut prompts = Prompts::default();
    let tone: Vec<i16> = (0..48_000)
        .map(|i| ((f64::from(i) * 0.05).sin() * 8_000.0) as i16)
        .collect();
    prompts.add(Clip::Next, &tone, 48_000);
    let pieces = prompts.say(place(1));
    assert_eq!(pieces.len(), 1);
    assert!(pieces[0].0.len().abs_diff(8_000) < 4);
    assert!(prompts.say(place(2)).is_empty());
}
