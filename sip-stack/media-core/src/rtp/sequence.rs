/// From `a` to `b` the shorter way round, -32,768 to 32,767.
#[must_use]
pub const fn distance(a: u16, b: u16) -> i16 {
    b.wrapping_sub(a) as i16
}

/// Makes 16-bit sequence numbers or 32-bit timestamps that wrap into numbers that do not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwrap {
    last: Option<i64>,
}

impl Unwrap {
    /// The sequence number nearest to the last one.
    pub fn sequence(&mut self, raw: u16) -> i64 {
        let value = self.last.map_or(i64::from(raw), |last| {
            last + i64::from(raw.wrapping_sub(last as u16) as i16)
        });
        self.last = Some(value);
        value
    }

    /// The timestamp nearest to the last one.
    pub fn timestamp(&mut self, raw: u32) -> i64 {
        let value = self.last.map_or(i64::from(raw), |last| {
            last + i64::from(raw.wrapping_sub(last as u32) as i32)
        });
        self.last = Some(value);
        value
    }
}
