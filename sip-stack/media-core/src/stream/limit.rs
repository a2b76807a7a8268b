//! Sums of sound, brought into the range of a sample.

/// Brings a sum into the range of a sample: as it is up to three quarters of full scale; from there on it bends towards full scale
/// and never reaches it. A curve and no gain, so that nothing pumps.
pub(crate) fn limit(sum: i32) -> i16 {
    const KNEE: i32 = 24_576;
    const ROOM: i32 = 32_767 - KNEE;
    let over = sum.abs() - KNEE;
    if over <= 0 {
        return sum as i16;
    }
    let bent = KNEE + (i64::from(over) * i64::from(ROOM) / i64::from(over + ROOM)) as i32;
    (bent * sum.signum()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_neither_wraps_nor_falls_nor_touches_what_is_not_loud() {
        let mut before = limit(-2_000_000);
        assert!(before >= -32_767);
        for sum in (-2_000_000..=2_000_000).step_by(7) {
            let limited = limit(sum);
            assert!(limited >= before, "{sum}");
            if sum.abs() <= 24_576 {
                assert_eq!(i32::from(limited), sum);
            }
            before = limited;
        }
        assert_eq!(limit(i32::from(i16::MIN) * 4), -limit(i32::from(i16::MIN) * -4));
    }
}
