//! Vocabulary of the built-in voice, as phonemes.

use super::clip::Clip;
use super::phoneme::Phoneme::{
    Aa, Ah, Ao, Ax, Ay, B, D, Dh, Eh, Er, Ey, F, Ih, Iy, K, L, M, N, Ow, P, R, S, T, Th, Uw, V, W, Y, Z,
};
use super::utter::{Sound, Tune};

/// A clip's sounds and the pitch that goes with them; `None` for numbers that are put together of others.
#[rustfmt::skip]
pub(super) fn script(clip: Clip) -> Option<(Vec<Sound>, Tune)> {
    let (sounds, stress, from, to): (&[Sound], usize, f64, f64) = match clip {
        Clip::Next => (
            &[(Y, 100), (Uw, 80), (Aa, 60), (R, 90), (N, 100), (Eh, 120), (K, 100), (S, 90), (T, 80), (Ih, 90), (N, 100), (L, 120), (Ay, 130), (N, 150)],
            5, 122.0, 92.0,
        ),
        Clip::Position => (
            &[(Y, 100), (Uw, 90), (Aa, 70), (R, 90), (N, 110), (Ah, 110), (M, 100), (B, 90), (Er, 100)],
            5, 120.0, 112.0,
        ),
        Clip::InLine => (
            &[(Ih, 110), (N, 100), (L, 120), (Ay, 130), (N, 160)],
            3, 108.0, 88.0,
        ),
        Clip::Wait => (
            &[(Dh, 120), (Iy, 70), (Ih, 80), (K, 90), (S, 90), (P, 90), (Eh, 110), (K, 80), (T, 90), (Ih, 80), (D, 90), (W, 110), (Ey, 110), (T, 90), (Ih, 80), (Z, 100)],
            12,
            120.0,
            108.0,
        ),
        Clip::Minute => (
            &[(M, 120), (Ih, 110), (N, 100), (Ih, 100), (T, 110)],
            1, 110.0, 88.0,
        ),
        Clip::Minutes => (
            &[(M, 120), (Ih, 110), (N, 100), (Ih, 100), (T, 70), (S, 160)],
            1, 110.0, 88.0,
        ),
        Clip::Stay => (
            &[(P, 100), (L, 90), (Iy, 110), (Z, 100), (S, 90), (T, 90), (Ey, 120), (Aa, 60), (N, 100), (Dh, 100), (Ax, 100), (L, 120), (Ay, 130), (N, 160)],
            6, 120.0, 88.0,
        ),
        Clip::Number(n) => return number(n),
    };
    Some((sounds.to_vec(), tune(from, to, stress)))
}

fn tune(from: f64, to: f64, stress: usize) -> Tune {
    Tune {
        from,
        to,
        stress: (stress, 14.0),
    }
}

#[rustfmt::skip]
fn number(n: u8) -> Option<(Vec<Sound>, Tune)> {
    const TEEN: [Sound; 3] = [(T, 110), (Iy, 130), (N, 130)];
    const TY: [Sound; 2] = [(T, 80), (Iy, 80)];
    const FLAP: [Sound; 2] = [(D, 60), (Iy, 85)];
    let (stem, end, stress): (&[Sound], &[Sound], usize) = match n {
        0 => (&[(Z, 110), (Ih, 110), (R, 100), (Ow, 120)], &[], 1),
        1 => (&[(W, 120), (Ah, 130), (N, 150)], &[], 1),
        2 => (&[(T, 120), (Uw, 150)], &[], 1),
        3 => (&[(Th, 110), (R, 100), (Iy, 150)], &[], 2),
        4 => (&[(F, 110), (Ao, 120), (R, 140)], &[], 1),
        5 => (&[(F, 110), (Ay, 120), (V, 140)], &[], 1),
        6 => (&[(S, 110), (Ih, 110), (K, 100), (S, 165)], &[], 1),
        7 => (&[(S, 110), (Eh, 110), (V, 100), (Ax, 100), (N, 140)], &[], 1),
        8 => (&[(Ey, 120), (T, 110)], &[], 0),
        9 => (&[(N, 120), (Ay, 120), (N, 150)], &[], 1),
        10 => (&[(T, 120), (Eh, 130), (N, 150)], &[], 1),
        11 => (&[(Ih, 90), (L, 100), (Eh, 120), (V, 100), (Ax, 100), (N, 140)], &[], 2),
        12 => (&[(T, 110), (W, 100), (Eh, 110), (L, 110), (V, 130)], &[], 2),
        13 => (&[(Th, 110), (Er, 90)], &TEEN, 3),
        14 => (&[(F, 110), (Ao, 80), (R, 90)], &TEEN, 4),
        15 => (&[(F, 110), (Ih, 90), (F, 90)], &TEEN, 4),
        16 => (&[(S, 110), (Ih, 90), (K, 90), (S, 80)], &TEEN, 5),
        17 => (&[(S, 110), (Eh, 90), (V, 90), (Ax, 90), (N, 90)], &TEEN, 6),
        18 => (&[(Ey, 90)], &TEEN, 2),
        19 => (&[(N, 110), (Ay, 90), (N, 90)], &TEEN, 4),
        20 => (&[(T, 110), (W, 100), (Eh, 110), (N, 90)], &TY, 2),
        30 => (&[(Th, 110), (Er, 110)], &FLAP, 1),
        40 => (&[(F, 110), (Ao, 100), (R, 100)], &FLAP, 1),
        50 => (&[(F, 110), (Ih, 110), (F, 100)], &TY, 1),
        60 => (&[(S, 110), (Ih, 110), (K, 100), (S, 90)], &TY, 1),
        70 => (&[(S, 110), (Eh, 110), (V, 90), (Ax, 90), (N, 90)], &TY, 1),
        80 => (&[(Ey, 110)], &FLAP, 0),
        90 => (&[(N, 110), (Ay, 110), (N, 90)], &TY, 1),
        _ => return None,
    };
    let mut sounds = stem.to_vec();
    sounds.extend_from_slice(end);
    Some((sounds, tune(116.0, 106.0, stress)))
}
