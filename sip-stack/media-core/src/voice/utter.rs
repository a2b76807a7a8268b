//! From phonemes to what the vocal tract does: lengths, ways between formants, bursts, pitch.

use super::klatt::{Frame, HOP, NOSE_CLOSED, RATE};
use super::phoneme::{Kind, Phoneme, Shape};

/// A phoneme and its duration, per cent of the usual one.
pub(super) type Sound = (Phoneme, u16);

/// Course of the pitch from the beginning to the end, Hz, with a rise on the stressed sound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tune {
    pub(super) from: f64,
    pub(super) to: f64,
    /// Stressed sound, and the rise of the pitch there.
    pub(super) stress: (usize, f64),
}

/// The zero of the nose in a nasal, Hz.
const NASAL_ZERO: f64 = 470.0;
/// Share of it that a vowel beside a nasal has.
const NASALITY: f64 = 0.4;
/// Level of the breath that comes with every voice, dB below it.
const BREATHY: f64 = 24.0;
/// Seconds that a frame lasts.
const STEP: f64 = HOP as f64 / RATE as f64;
/// Time that amplitudes take to come and go, s.
const ATTACK: f64 = 0.015;

/// A stretch of a phoneme in which one thing sounds.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Sound that it belongs to.
    sound: usize,
    length: f64,
    shape: Shape,
    voice: f64,
    breath: f64,
    hiss: [f64; 6],
    /// Strength with which its formants hold against those of its neighbours.
    rank: u8,
    nasal: bool,
}

/// Frames of the tract for these sounds.
pub(super) fn frames(sounds: &[Sound], tune: Tune) -> Vec<Frame> {
    let segments = segments(sounds);
    let total: f64 = segments.iter().map(|segment| segment.length).sum();
    let mut starts = Vec::with_capacity(segments.len());
    let mut at = 0.0;
    for segment in &segments {
        starts.push(at);
        at += segment.length;
    }
    let peak = stressed_moment(&segments, &starts, tune.stress.0);
    let mut frames = Vec::new();
    let mut index = 0;
    for step in 0..(total / STEP).ceil() as usize {
        let t = (step as f64 + 0.5) * STEP;
        while index + 1 < segments.len() && t >= starts[index + 1] {
            index += 1;
        }
        let mut frame = frame(&segments, index, t - starts[index]);
        let rise = ((t - peak) / 0.11).clamp(-1.0, 1.0);
        frame.pitch = tune.from + (tune.to - tune.from) * t / total.max(STEP);
        frame.pitch += tune.stress.1 * (0.5 + 0.5 * (rise * std::f64::consts::PI).cos());
        frames.push(frame);
    }
    frames
}

fn stressed_moment(segments: &[Segment], starts: &[f64], sound: usize) -> f64 {
    let of_it = segments
        .iter()
        .zip(starts)
        .rfind(|(segment, _)| segment.sound == sound);
    of_it.map_or(0.0, |(segment, start)| start + segment.length * 0.35)
}

/// Amplitude of a level in dB.
fn amplitude(db: f64) -> f64 {
    if db <= 0.0 { 0.0 } else { 10f64.powf(db / 20.0) }
}

fn segments(sounds: &[Sound]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::with_capacity(sounds.len() * 2);
    for (index, &(phoneme, per_cent)) in sounds.iter().enumerate() {
        let shape = phoneme.shape();
        let length = shape.length / 1_000.0 * f64::from(per_cent) / 100.0;
        let next = sounds.get(index + 1).map(|(phoneme, _)| phoneme.shape());
        let before = index.checked_sub(1).map(|at| sounds[at].0);
        let plain = Segment {
            sound: index,
            length,
            shape,
            voice: amplitude(shape.voice),
            breath: amplitude(shape.voice - BREATHY),
            hiss: shape.hiss.map(amplitude),
            rank: rank(shape.kind),
            nasal: shape.kind == Kind::Nasal,
        };
        match shape.kind {
            Kind::Vowel | Kind::Glide | Kind::Nasal | Kind::Fricative { .. } => segments.push(plain),
            Kind::Stop { voiced } => {
                let closed = [0.0; 6];
                segments.push(Segment {
                    hiss: closed,
                    ..plain
                });
                let opens = next.is_some_and(|next| matches!(next.kind, Kind::Vowel | Kind::Glide));
                let follows_s = before == Some(Phoneme::S);
                let burst = if next.is_none() || opens { 1.0 } else { 0.6 };
                segments.push(Segment {
                    length: if voiced { 0.01 } else { 0.015 },
                    voice: if voiced { plain.voice } else { 0.0 },
                    breath: 0.0,
                    hiss: plain.hiss.map(|level| level * burst),
                    ..plain
                });
                if !voiced && (opens && !follows_s || next.is_none()) {
                    // The breath that follows a voiceless stop, already in the place of what comes.
                    segments.push(Segment {
                        length: if next.is_none() { 0.03 } else { 0.04 },
                        shape: ahead(shape, next),
                        voice: 0.0,
                        breath: amplitude(if next.is_none() { 31.6 } else { 42.0 }),
                        hiss: [0.0; 6],
                        rank: next.map_or(1, |next| rank(next.kind)),
                        ..plain
                    });
                }
            }
        }
    }
    segments
}

/// A shape with the formants that come next.
fn ahead(shape: Shape, next: Option<Shape>) -> Shape {
    let (from, lean, reach) = next.map_or((shape.from, shape.lean, shape.reach), |next| {
        (next.from, next.lean, next.reach)
    });
    Shape {
        from,
        to: from,
        lean,
        reach,
        widths: [200.0, 150.0, 220.0],
        ..shape
    }
}

fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Vowel => 0,
        Kind::Glide => 1,
        Kind::Nasal => 2,
        Kind::Fricative { .. } => 3,
        Kind::Stop { .. } => 4,
    }
}

/// Frame at `t` seconds of a segment.
fn frame(segments: &[Segment], index: usize, t: f64) -> Frame {
    let segment = &segments[index];
    let left = index.checked_sub(1).map(|at| &segments[at]);
    let right = segments.get(index + 1);
    let part = t / segment.length.max(STEP);
    let rest = segment.length - t;
    let mut formants = [0.0; 3];
    for (n, formant) in formants.iter_mut().enumerate() {
        let shape = &segment.shape;
        *formant = shape.from[n] + (shape.to[n] - shape.from[n]) * ease(part);
        // At the border with a neighbour both have the same value; the way there is part of either.
        if let Some(left) = left {
            let met = meeting(left, left.shape.to[n], segment, shape.from[n], n);
            *formant += (met - shape.from[n]) * fading(t, reach(segment, left));
        }
        if let Some(right) = right {
            let met = meeting(segment, shape.to[n], right, right.shape.from[n], n);
            *formant += (met - shape.to[n]) * fading(rest, reach(segment, right));
        }
    }
    let blend = |of: fn(&Segment) -> f64| {
        let own = of(segment);
        let edge = |neighbour: Option<&Segment>, away: f64| {
            // At the beginning and the end of all there is silence.
            let other = neighbour.map_or(0.0, of);
            if away < ATTACK / 2.0 {
                (other - own) * (0.5 - away / ATTACK)
            } else {
                0.0
            }
        };
        (own + edge(left, t) + edge(right, rest)).max(0.0)
    };
    // A vowel beside a nasal has some of the nose. In the nasal itself the low first formant stands for it.
    let beside = |neighbour: Option<&Segment>, away: f64| {
        let is_nasal = neighbour.is_some_and(|neighbour| neighbour.nasal);
        if is_nasal {
            NASALITY * fading(away, 0.05)
        } else {
            0.0
        }
    };
    let nasality = if segment.nasal {
        0.0
    } else {
        beside(left, t).max(beside(right, rest))
    };
    let mut hiss = [0.0; 6];
    for (n, level) in hiss.iter_mut().enumerate() {
        *level = segment.hiss[n];
        if let Kind::Fricative { .. } = segment.shape.kind {
            // Hiss swells and fades.
            let swell = (t / 0.02).min(rest / 0.02).clamp(0.2, 1.0);
            *level *= swell;
        }
    }
    Frame {
        pitch: 0.0,
        formants,
        widths: segment.shape.widths,
        nasal_zero: NOSE_CLOSED + (NASAL_ZERO - NOSE_CLOSED) * nasality,
        voice: blend(|segment| segment.voice),
        breath: blend(|segment| segment.breath),
        hiss,
    }
}

/// Position of a formant at the moment in which two segments meet.
fn meeting(left: &Segment, at_left: f64, right: &Segment, at_right: f64, n: usize) -> f64 {
    if left.rank == right.rank {
        return (at_left + at_right) / 2.0;
    }
    let (strong, locus, weak) = if left.rank > right.rank {
        (left, at_left, at_right)
    } else {
        (right, at_right, at_left)
    };
    locus + (weak - locus) * strong.shape.lean[n]
}

/// Duration of the way to the meeting within a segment, s.
fn reach(segment: &Segment, neighbour: &Segment) -> f64 {
    let reach = if segment.rank > neighbour.rank {
        0.02
    } else if segment.rank == neighbour.rank {
        0.06
    } else {
        neighbour.shape.reach / 1_000.0
    };
    reach.min(segment.length)
}

/// From 1 at no distance to 0 at `reach`.
fn fading(away: f64, reach: f64) -> f64 {
    if away >= reach {
        return 0.0;
    }
    0.5 + 0.5 * (away.max(0.0) / reach * std::f64::consts::PI).cos()
}

/// From 0 to 1: holds at either end, moves in between.
fn ease(part: f64) -> f64 {
    let part = ((part - 0.15) / 0.7).clamp(0.0, 1.0);
    part * part * (3.0 - 2.0 * part)
}
