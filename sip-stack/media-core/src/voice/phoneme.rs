//! The sounds of speech that our words need: where the formants stand, how long each lasts, how it joins its neighbours. Formants
//! after Klatt (1980), tables II and III.

/// A sound, by its name in the ARPAbet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phoneme {
    // Vowels.
    Iy,
    Ih,
    Ey,
    Eh,
    Aa,
    Ah,
    Ao,
    Ow,
    Uw,
    Er,
    Ay,
    /// The murmured vowel.
    Ax,
    // Between vowel and consonant.
    W,
    Y,
    R,
    L,
    // Through the nose.
    M,
    N,
    // Hisses.
    F,
    V,
    Th,
    Dh,
    S,
    Z,
    // Stops.
    P,
    B,
    T,
    D,
    K,
}

/// Source of the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Vowel,
    Glide,
    Nasal,
    /// A hiss; with the voice below it or without.
    Fricative {
        voiced: bool,
    },
    /// Closed, then opened at once.
    Stop {
        voiced: bool,
    },
}

/// Making of a phoneme.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    /// Standard length, ms.
    pub(super) length: f64,
    /// Formants at its beginning and its end, Hz.
    pub(super) from: [f64; 3],
    pub(super) to: [f64; 3],
    /// Bandwidths, Hz.
    pub(super) widths: [f64; 3],
    /// Position of a neighbouring vowel's formants on the way to the vowel where the two meet: 0 the
    /// consonant's, 1 the vowel's.
    pub(super) lean: [f64; 3],
    /// Duration of the way in the vowel, ms.
    pub(super) reach: f64,
    /// Level of the voice, dB; 0 none.
    pub(super) voice: f64,
    /// Levels of hiss at the second to sixth resonator and past them, dB; 0 none.
    pub(super) hiss: [f64; 6],
}

const QUIET: [f64; 6] = [0.0; 6];

const fn vowel(length: f64, from: [f64; 3], to: [f64; 3], widths: [f64; 3]) -> Shape {
    Shape {
        kind: Kind::Vowel,
        length,
        from,
        to,
        widths,
        lean: [0.5; 3],
        reach: 60.0,
        voice: 60.0,
        hiss: QUIET,
    }
}

const fn consonant(kind: Kind, length: f64, formants: [f64; 3], widths: [f64; 3]) -> Shape {
    Shape {
        kind,
        length,
        from: formants,
        to: formants,
        widths,
        lean: [0.3, 0.45, 0.45],
        reach: 50.0,
        voice: 0.0,
        hiss: QUIET,
    }
}

const fn glide(length: f64, formants: [f64; 3], widths: [f64; 3], reach: f64) -> Shape {
    Shape {
        lean: [0.39, 0.09, 0.15],
        reach,
        voice: 56.0,
        ..consonant(Kind::Glide, length, formants, widths)
    }
}

const fn nasal(length: f64, formants: [f64; 3], lean: [f64; 3]) -> Shape {
    Shape {
        lean,
        voice: 58.0,
        ..consonant(Kind::Nasal, length, formants, [70.0, 400.0, 500.0])
    }
}

const fn fricative(voiced: bool, length: f64, formants: [f64; 3], lean: f64, hiss: [f64; 6]) -> Shape {
    Shape {
        lean: [0.28, lean, lean],
        voice: if voiced { 47.0 } else { 0.0 },
        hiss,
        ..consonant(
            Kind::Fricative { voiced },
            length,
            formants,
            [120.0, 120.0, 180.0],
        )
    }
}

const fn stop(voiced: bool, length: f64, formants: [f64; 3], lean: f64, hiss: [f64; 6]) -> Shape {
    Shape {
        lean: [0.2, lean, lean],
        reach: 45.0,
        voice: if voiced { 30.0 } else { 0.0 },
        hiss,
        ..consonant(Kind::Stop { voiced }, length, formants, [120.0, 120.0, 180.0])
    }
}

impl Phoneme {
    /// Shape of the phoneme.
    pub(super) const fn shape(self) -> Shape {
        use Phoneme as P;
        match self {
            P::Iy => vowel(
                135.0,
                [310.0, 2_050.0, 2_960.0],
                [280.0, 2_150.0, 3_000.0],
                [50.0, 150.0, 300.0],
            ),
            P::Ih => vowel(
                100.0,
                [400.0, 1_850.0, 2_570.0],
                [430.0, 1_750.0, 2_580.0],
                [50.0, 100.0, 140.0],
            ),
            P::Ey => vowel(
                170.0,
                [480.0, 1_750.0, 2_520.0],
                [330.0, 2_080.0, 2_650.0],
                [70.0, 100.0, 180.0],
            ),
            P::Eh => vowel(
                125.0,
                [550.0, 1_730.0, 2_500.0],
                [580.0, 1_650.0, 2_520.0],
                [60.0, 90.0, 180.0],
            ),
            P::Aa => vowel(
                160.0,
                [700.0, 1_180.0, 2_600.0],
                [700.0, 1_200.0, 2_600.0],
                [110.0, 70.0, 160.0],
            ),
            P::Ah => vowel(
                115.0,
                [620.0, 1_220.0, 2_550.0],
                [620.0, 1_250.0, 2_550.0],
                [80.0, 60.0, 140.0],
            ),
            P::Ao => vowel(
                160.0,
                [580.0, 920.0, 2_500.0],
                [580.0, 950.0, 2_500.0],
                [90.0, 90.0, 90.0],
            ),
            P::Ow => vowel(
                170.0,
                [540.0, 1_100.0, 2_350.0],
                [420.0, 850.0, 2_300.0],
                [80.0, 70.0, 90.0],
            ),
            P::Uw => vowel(
                140.0,
                [350.0, 1_450.0, 2_300.0],
                [330.0, 1_150.0, 2_250.0],
                [65.0, 110.0, 140.0],
            ),
            P::Er => vowel(
                150.0,
                [470.0, 1_300.0, 1_620.0],
                [450.0, 1_320.0, 1_640.0],
                [90.0, 70.0, 110.0],
            ),
            P::Ay => vowel(
                200.0,
                [700.0, 1_200.0, 2_550.0],
                [380.0, 1_950.0, 2_550.0],
                [90.0, 80.0, 150.0],
            ),
            P::Ax => vowel(
                60.0,
                [500.0, 1_400.0, 2_500.0],
                [500.0, 1_450.0, 2_500.0],
                [70.0, 80.0, 140.0],
            ),
            P::W => glide(75.0, [300.0, 640.0, 2_200.0], [55.0, 80.0, 80.0], 80.0),
            P::Y => glide(65.0, [270.0, 2_200.0, 3_050.0], [45.0, 200.0, 350.0], 80.0),
            P::R => glide(75.0, [380.0, 1_150.0, 1_550.0], [70.0, 100.0, 120.0], 75.0),
            P::L => glide(70.0, [345.0, 1_050.0, 2_910.0], [60.0, 95.6, 220.0], 45.0),
            P::M => nasal(74.6, [275.0, 1_040.0, 2_200.0], [0.6, 0.65, 0.82]),
            P::N => nasal(82.6, [280.0, 1_520.0, 2_500.0], [0.6, 0.5, 0.47]),
            P::F => fricative(
                false,
                105.0,
                [305.0, 1_090.0, 2_150.0],
                0.7,
                [0.0, 0.0, 0.0, 0.0, 0.0, 40.0],
            ),
            P::V => fricative(
                true,
                65.0,
                [250.0, 1_035.0, 2_150.0],
                0.7,
                [0.0, 0.0, 0.0, 0.0, 0.0, 27.0],
            ),
            P::Th => fricative(
                false,
                102.0,
                [320.0, 1_350.0, 2_540.0],
                0.4,
                [0.0, 0.0, 0.0, 0.0, 18.0, 29.0],
            ),
            P::Dh => fricative(
                true,
                45.0,
                [270.0, 1_350.0, 2_545.0],
                0.55,
                [0.0, 0.0, 0.0, 0.0, 0.0, 20.0],
            ),
            P::S => fricative(
                false,
                115.0,
                [320.0, 1_465.0, 2_600.0],
                0.4,
                [0.0, 12.0, 30.0, 33.0, 30.0, 20.0],
            ),
            P::Z => fricative(
                true,
                75.0,
                [260.0, 1_600.0, 2_345.0],
                0.37,
                [0.0, 4.2, 22.0, 30.0, 30.0, 8.4],
            ),
            P::P => stop(
                false,
                80.0,
                [300.0, 1_065.0, 2_150.0],
                0.7,
                [0.0, 0.0, 0.0, 0.0, 0.0, 44.0],
            ),
            P::B => stop(
                true,
                73.7,
                [250.0, 1_045.0, 2_135.0],
                0.7,
                [0.0, 0.0, 0.0, 0.0, 0.0, 42.0],
            ),
            P::T => stop(
                false,
                65.0,
                [300.0, 1_750.0, 2_320.0],
                0.4,
                [0.0, 19.1, 24.0, 34.0, 32.0, 16.0],
            ),
            P::D => stop(
                true,
                68.5,
                [250.0, 2_060.0, 2_885.0],
                0.4,
                [0.0, 14.0, 28.5, 28.0, 26.3, 16.0],
            ),
            P::K => stop(
                false,
                64.1,
                [310.0, 1_950.0, 2_450.0],
                0.5,
                [56.0, 50.8, 46.0, 40.0, 42.6, 30.0],
            ),
        }
    }
}
