use std::time::Duration;

use sans_io::Time;

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_UNIX: u64 = 2_208_988_800;

/// A moment as NTP writes it: seconds since 1900, then the fraction (RFC 3550 §4).
#[must_use]
pub fn ntp(now: Time) -> u64 {
    let micros = now.as_micros();
    let fraction = ((micros % 1_000_000) << 32) / 1_000_000;
    (micros / 1_000_000).wrapping_add(NTP_UNIX) << 32 | fraction
}

/// The middle 32 bits: what LSR carries, in 1/65,536 s.
#[must_use]
pub fn ntp_middle(now: Time) -> u32 {
    (ntp(now) >> 16) as u32
}

/// The time to the peer and back: `A - LSR - DLSR` (RFC 3550 §6.4.1). `None` while the peer had no report of ours, and
/// when the figures cannot be true (over 30 s).
#[must_use]
pub fn round_trip(now: Time, last_sr: u32, delay_since_last_sr: u32) -> Option<Duration> {
    if last_sr == 0 {
        return None;
    }
    let units = ntp_middle(now)
        .wrapping_sub(last_sr)
        .wrapping_sub(delay_since_last_sr);
    // A clock that ticks in 1/65,536 s may be a tick ahead of itself.
    let units = if units > u32::MAX - 64 { 0 } else { units };
    (units < 30 << 16).then(|| Duration::from_micros((u64::from(units) * 1_000_000) >> 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_is_left_when_the_peer_s_delay_is_taken_off() {
        let sent = Time::from_secs(1_795_000_000);
        let lsr = ntp_middle(sent);
        let back = sent + Duration::from_millis(2_040);
        let measured = round_trip(back, lsr, 2 << 16).unwrap();
        assert!(
            measured.abs_diff(Duration::from_millis(40)) < Duration::from_micros(50),
            "{measured:?}"
        );
        assert_eq!(round_trip(back, 0, 0), None);
        assert_eq!(round_trip(back, lsr, 60 << 16), None);
    }
}
