//! Times as text: `Date` of SIP (RFC 3261 §20.17), which is the fixed form of RFC 1123, and that of XML (RFC 3339), both in GMT.

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// Seconds since 1970 of a date such as `Sat, 13 Nov 2010 23:29:00 GMT`. `None`: it is none.
pub(crate) fn read_date(text: &str) -> Option<u64> {
    let rest = text.trim().split_once(", ").map(|(_, rest)| rest)?;
    let mut parts = rest.split(' ').filter(|part| !part.is_empty());
    let day: u64 = number(parts.next()?, 2)?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    let year: u64 = number(parts.next()?, 4)?;
    let mut clock = parts.next()?.split(':').map(|part| number(part, 2));
    let mut unit = |below: u64| clock.next().flatten().filter(|unit| *unit < below);
    let seconds = unit(24)? * 3_600 + unit(60)? * 60 + unit(61)?;
    let is_day = (1..=31).contains(&day) && (1970..10_000).contains(&year);
    (is_day && parts.next() == Some("GMT")).then(|| days(year, month as u64 + 1, day) * 86_400 + seconds)
}

/// A time, seconds since 1970, as `Date` has it.
pub(crate) fn date(at: u64) -> String {
    let (year, month, day) = civil(at);
    let (weekday, month) = (DAYS[(at / 86_400 % 7) as usize], MONTHS[month as usize]);
    format!("{weekday}, {day:02} {month} {year:04} {} GMT", clock(at))
}

/// A time, seconds since 1970, as XML has it.
pub(crate) fn timestamp(at: u64) -> String {
    let (year, month, day) = civil(at);
    format!("{year:04}-{:02}-{day:02}T{}Z", month + 1, clock(at))
}

fn clock(at: u64) -> String {
    let clock = at % 86_400;
    format!("{:02}:{:02}:{:02}", clock / 3_600, clock / 60 % 60, clock % 60)
}

/// Year, month from 0, and day of the month.
fn civil(at: u64) -> (u64, u64, u64) {
    let day = at / 86_400;
    // The Gregorian calendar repeats after 400 years, which begin on 1 March of year 0 here.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = year_of_era + era * 400 + u64::from(month < 2);
    (year, month, date)
}

/// Days from 1 January 1970 to a date from then on.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let (era, year_of_era) = (year / 400, year % 400);
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

fn number(text: &str, digits: usize) -> Option<u64> {
    let is_number = (1..=digits).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_date_of_rfc_3261_is_read_and_written() {
        let text = "Sat, 13 Nov 2010 23:29:00 GMT";
        assert_eq!(read_date(text), Some(1_289_690_940));
        assert_eq!(date(1_289_690_940), text);
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(timestamp(1_289_690_940), "2010-11-13T23:29:00Z");
        assert_eq!(timestamp(951_782_400), "2000-02-29T00:00:00Z");
        for bad in [
            "",
            "Sat, 13 Nov 2010 23:29:00 CET",
            "13 Nov 2010",
            "Sat, 13 Foo 2010 23:29:00 GMT",
            "Sat, 32 Nov 2010 23:29:00 GMT",
        ] {
            assert_eq!(read_date(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(at in 0_u64..253_402_300_800) {
            prop_assert_eq!(read_date(&date(at)), Some(at));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,40}") {
            read_date(&text);
        }
    }
}
