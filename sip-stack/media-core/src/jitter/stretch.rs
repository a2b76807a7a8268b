/// Number of samples at 16 kHz over which the seam is blended.
const BLEND: usize = 128;

/// Shortest piece that is taken out or put in: 2.5 ms.
const fn least(rate: u32) -> usize {
    rate as usize / 400
}

/// Longest: 10 ms.
const fn most(rate: u32) -> usize {
    rate as usize / 100
}

/// Samples over which the seam is blended: 8 ms.
const fn blend(rate: u32) -> usize {
    let samples = rate as usize / 125;
    if samples < BLEND { samples } else { BLEND }
}

/// Takes one pitch period out of `pcm[..len]`, at most `most` samples of it; the new length. As it was when nothing in it
/// repeats well enough, unless `silent`, when nobody hears a seam. `rate` is that of the sound, hertz.
#[must_use]
pub fn shorten(pcm: &mut [i16], len: usize, rate: u32, most: usize, silent: bool) -> usize {
    let Some(lag) = period(&pcm[..len], rate, most, silent) else {
        return len;
    };
    let blend = blend(rate).min(len - lag);
    for i in 0..blend {
        pcm[i] = mix(pcm[i], pcm[i + lag], i, blend);
    }
    pcm.copy_within(blend + lag..len, blend);
    len - lag
}

/// Puts one pitch period in, at most `most` samples; the new length. `pcm` has room for it.
#[must_use]
pub fn lengthen(pcm: &mut [i16], len: usize, rate: u32, most: usize, silent: bool) -> usize {
    let room = pcm.len() - len;
    let Some(lag) = period(&pcm[..len], rate, most.min(room), silent) else {
        return len;
    };
    let blend = blend(rate).min(len - lag);
    // After the first period comes the beginning again, led into by what follows it.
    let mut seam = [0; BLEND];
    for (i, sample) in seam[..blend].iter_mut().enumerate() {
        *sample = mix(pcm[lag + i], pcm[i], i, blend);
    }
    pcm.copy_within(blend..len, lag + blend);
    pcm[lag..lag + blend].copy_from_slice(&seam[..blend]);
    len + lag
}

/// From `a` to `b`.
fn mix(a: i16, b: i16, at: usize, of: usize) -> i16 {
    let (a, b, at, of) = (i32::from(a), i32::from(b), at as i32 + 1, of as i32 + 1);
    (a + (b - a) * at / of) as i16
}

/// The lag at which the sound repeats best.
fn period(pcm: &[i16], rate: u32, longest: usize, silent: bool) -> Option<usize> {
    let (least, blend) = (least(rate), blend(rate));
    let most = longest.min(most(rate)).min(pcm.len().saturating_sub(blend));
    if most < least {
        return None;
    }
    if silent {
        return Some(most);
    }
    let head = &pcm[..blend];
    let energy: f32 = head.iter().map(|s| f32::from(*s) * f32::from(*s)).sum::<f32>() + 1.0;
    let mut best = (0.0f32, most);
    for lag in least..=most {
        let (mut cross, mut other) = (0.0f32, 1.0f32);
        for (a, b) in head.iter().zip(&pcm[lag..lag + blend]) {
            cross += f32::from(*a) * f32::from(*b);
            other += f32::from(*b) * f32::from(*b);
        }
        let score = cross / (energy * other).sqrt();
        if score > best.0 {
            best = (score, lag);
        }
    }
    (best.0 > 0.75).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hertz: f64, len: usize) -> Vec<i16> {
        (0..len)
            .map(|i| ((i as f64 * hertz * std::f64::consts::TAU / 8_000.0).sin() * 8_000.0) as i16)
            .collect()
    }

    /// The largest second difference: how sharp the sharpest bend is.
    fn sharpest(pcm: &[i16]) -> i32 {
        pcm.windows(3)
            .map(|w| (i32::from(w[0]) - 2 * i32::from(w[1]) + i32::from(w[2])).abs())
            .max()
            .unwrap()
    }

    #[test]
    fn takes_out_and_puts_in_without_a_click() {
        for hertz in [150.0, 440.0, 1_004.0, 1_934.0] {
            let mut pcm = sine(hertz, 160);
            let smooth = sharpest(&pcm);
            let end = pcm[159];
            let shorter = shorten(&mut pcm, 160, 8_000, 80, false);
            assert!((80..=140).contains(&shorter), "{hertz}: {shorter}");
            assert!(
                sharpest(&pcm[..shorter]) < smooth + smooth / 4 + 50,
                "{hertz} shorter"
            );
            assert_eq!(pcm[shorter - 1], end);
            let mut pcm = sine(hertz, 160);
            pcm.resize(300, 0);
            let longer = lengthen(&mut pcm, 160, 8_000, 80, false);
            assert!((180..=240).contains(&longer), "{hertz}: {longer}");
            assert!(
                sharpest(&pcm[..longer]) < smooth + smooth / 4 + 50,
                "{hertz} longer"
            );
            assert_eq!(pcm[longer - 1], end);
        }
    }

    #[test]
    fn noise_is_left_alone_unless_it_is_silence() {
        let mut rng = sans_io::Rng::seeded(3);
        let mut pcm: Vec<i16> = (0..160).map(|_| rng.u32() as i16 / 4).collect();
        let before = pcm.clone();
        assert_eq!(shorten(&mut pcm, 160, 8_000, 80, false), 160);
        assert_eq!(pcm, before);
        assert_eq!(shorten(&mut pcm, 160, 8_000, 40, true), 120);
        assert_eq!(
            shorten(&mut pcm, 120, 8_000, 19, true),
            120,
            "less than the least"
        );
        assert_eq!(shorten(&mut pcm, 30, 8_000, 40, true), 30, "too short to blend");
    }
}
