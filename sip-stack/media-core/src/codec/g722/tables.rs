//! Tables of G.722 §6.2, folded so that a code is the index.

/// Levels between the codes of the lower sub-band, in 1/4,096 of the step (Q6, table 14).
const LOWER_LEVELS: [usize; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023, 1_121,
    1_219, 1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];

/// Number of levels that a size reaches, in 1/4,096 of the step; the last is that of all larger ones.
pub(super) const LOWER_LEVEL_OF: [u8; 2_920] = {
    let (mut out, mut size, mut level) = ([0; 2_920], 0, 0);
    while size < out.len() {
        while level < LOWER_LEVELS.len() && LOWER_LEVELS[level] <= size {
            level += 1;
        }
        out[size] = level as u8;
        size += 1;
    }
    out
};

/// Value of a code of the lower sub-band in 1/32,768 of the step, by six bits (OQ6, table 18),
pub(super) const LOWER_6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232,
    -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008, -3_576, -3_168, -2_776,
    -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280,
    11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000, 5_456, 4_944, 4_464, 4_008, 3_576, 3_168,
    2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432, 136, -432, -136,
];

/// by five (OQ5),
pub(super) const LOWER_5: [i32; 32] = [
    -280, -280, -23_352, -17_560, -14_120, -11_664, -9_752, -8_184, -6_864, -5_712, -4_696, -3_784, -2_960,
    -2_208, -1_520, -880, 23_352, 17_560, 14_120, 11_664, 9_752, 8_184, 6_864, 5_712, 4_696, 3_784, 2_960,
    2_208, 1_520, 880, 280, -280,
];

/// and by four (OQ4).
pub(super) const LOWER_4: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584,
    1_200, 0,
];

/// Change of the logarithm of the step by the upper four bits of a code of the lower sub-band (WL with RL42, table 17).
pub(super) const LOWER_STEP: [i32; 16] = [
    -60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60,
];

/// Level between small and large in the higher sub-band, in 1/4,096 of the step (table 15).
pub(super) const HIGHER_LEVEL: i32 = 564;

/// Value of a code of the higher sub-band, in 1/32,768 of the step (OQ2, table 20).
pub(super) const HIGHER_OUTPUT: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];

/// Change of the logarithm of the step by a code of the higher sub-band (WH with RH2).
pub(super) const HIGHER_STEP: [i32; 4] = [798, -214, 798, -214];

/// Powers of two between 2^11 and 2^12, by 32nds (ILB, table 16).
pub(super) const LOGARITHMS: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714, 2_774,
    2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676, 3_756, 3_838,
    3_922, 4_008,
];
