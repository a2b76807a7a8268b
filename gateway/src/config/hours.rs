//! Opening hours of a queue, as people write them.

use std::fmt;
use std::str::FromStr;

use call_engine::acd::{Hours, Offset, Span};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY: u16 = 24 * 60;

/// Days of the week and hours of each: `mon-fri 08:00-18:00`. Until before from: over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Open {
    /// 0 is Monday.
    first: u8,
    /// Before `first`: over the end of the week.
    last: u8,
    /// Minutes since midnight.
    from: u16,
    /// Up to 24:00.
    until: u16,
}

/// A day on which a queue is closed: `2026-12-25`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Holiday(Date);

/// A time zone of the IANA database: `Europe/Berlin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(String);

macro_rules! text {
    ($($name:ty),*) => {$(
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<$name, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    )*};
}

text!(Open, Holiday, Zone);

impl FromStr for Open {
    type Err = String;

    fn from_str(text: &str) -> Result<Open, String> {
        let wrong = || {
            format!(
                "`{text}` is not a valid time span, e.g. \"mon-fri 08:00-18:00\", \"sat 10:00-14:00\" or \"sun 22:00-02:00\""
            )
        };
        let (days, hours) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
        let (first, last) = match days.split_once('-') {
            Some((first, last)) => (day(first), day(last)),
            None => (day(days), day(days)),
        };
        let (from, until) = hours.trim().split_once('-').ok_or_else(wrong)?;
        let (from, until) = (minute(from).ok_or_else(wrong)?, minute(until).ok_or_else(wrong)?);
        match (first, last) {
            (Some(first), Some(last)) if from < DAY && from != until => Ok(Open {
                first: first as u8,
                last: last as u8,
                from,
                until,
            }),
            _ => Err(wrong()),
        }
    }
}

/// `HH:MM`, up to 24:00.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |digits: &str| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !two(hours) || !two(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= DAY).then_some(minute)
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |day: u8| DAYS[usize::from(day) % DAYS.len()];
        f.write_str(day(self.first))?;
        if self.first != self.last {
            write!(f, "-{}", day(self.last))?;
        }
        let (from, until) = (self.from, self.until);
        write!(
            f,
            " {:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            until / 60,
            until % 60
        )
    }
}

impl Open {
    /// One span for each day.
    fn spans(self) -> impl Iterator<Item = Span> {
        let days = (self.last + 7 - self.first) % 7;
        (0..=days).map(move |n| {
            let day = u16::from((self.first + n) % 7);
            let length = if self.until > self.from {
                self.until - self.from
            } else {
                self.until + DAY - self.from
            };
            let from = day * DAY + self.from;
            // A span that ends with the week ends at its last minute, and continues at the first minute of
            // the next.
            let until = from + length;
            let until = if until > 7 * DAY { until - 7 * DAY } else { until };
            Span { from, until }
        })
    }
}

impl FromStr for Holiday {
    type Err = String;

    fn from_str(text: &str) -> Result<Holiday, String> {
        let date: Date = text
            .parse()
            .map_err(|_| format!("`{text}` is not a date, e.g. \"2026-12-25\""))?;
        if !(1970..=2999).contains(&date.year()) {
            return Err(format!("`{text}` is not a date from 1970 to 2999"));
        }
        Ok(Holiday(date))
    }
}

impl fmt::Display for Holiday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Holiday {
    /// Days since 1970-01-01.
    fn number(self) -> u32 {
        let since = jiff::civil::date(1970, 1, 1).duration_until(self.0);
        u32::try_from(since.as_hours() / 24).unwrap_or_default()
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Zone, String> {
        match TimeZone::get(text) {
            Ok(_) => Ok(Zone(text.to_owned())),
            Err(_) => Err(format!(
                "`{text}` is not a time zone, e.g. \"Europe/Berlin\" or \"UTC\""
            )),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hours for the engine, which knows no time zones. `zone`: that of the machine where none is said.
pub(super) fn resolve(open: &[Open], holidays: &[Holiday], zone: Option<&Zone>) -> Hours {
    let zone = zone
        .and_then(|zone| TimeZone::get(&zone.0).ok())
        .unwrap_or_else(TimeZone::system);
    let mut closed: Vec<u32> = holidays.iter().map(|day| day.number()).collect();
    closed.sort_unstable();
    Hours {
        week: open.iter().copied().flat_map(Open::spans).collect(),
        closed,
        offsets: offsets(&zone),
    }
}

/// Offsets of local time from UTC, up to 2060 as far as the law is known today.
fn offsets(zone: &TimeZone) -> Vec<Offset> {
    let at = |year: i16| {
        jiff::civil::date(year, 1, 1)
            .to_zoned(TimeZone::UTC)
            .map(|zoned| zoned.timestamp())
            .unwrap_or(Timestamp::UNIX_EPOCH)
    };
    let (begin, end) = (at(2020), at(2060));
    let minutes = |offset: jiff::tz::Offset| i16::try_from(offset.seconds() / 60).unwrap_or_default();
    let mut offsets = vec![Offset {
        since: 0,
        minutes: minutes(zone.to_offset(begin)),
    }];
    for transition in zone.following(begin).take_while(|t| t.timestamp() < end) {
        let since = u64::try_from(transition.timestamp().as_second()).unwrap_or_default();
        let minutes = minutes(transition.offset());
        if offsets.last().is_none_or(|last| last.minutes != minutes) {
            offsets.push(Offset { since, minutes });
        }
    }
    offsets
}

#[cfg(test)]
mod tests {
    use sans_io::Time;

    use super::*;

    fn open(hours: &Hours, at: &str) -> bool {
        let at: Timestamp = at.parse().expect("a moment");
        hours.is_open(Time(at.as_microsecond() as u64))
    }

    fn hours(open: &[&str], holidays: &[&str], zone: &str) -> Hours {
        let open: Vec<Open> = open.iter().map(|text| text.parse().expect("hours")).collect();
        let days: Vec<Holiday> = holidays.iter().map(|text| text.parse().expect("a day")).collect();
        resolve(&open, &days, Some(&zone.parse().expect("a zone")))
    }

    #[test]
    fn summer_and_winter_are_those_of_the_time_zone() {
        let berlin = hours(&["mon-fri 08:00-18:00"], &["2026-12-25"], "Europe/Berlin");
        // Summer: two hours ahead; winter: one.
        assert!(!open(&berlin, "2026-07-15T05:59:59Z") && open(&berlin, "2026-07-15T06:00:00Z"));
        assert!(open(&berlin, "2026-07-15T15:59:59Z") && !open(&berlin, "2026-07-15T16:00:00Z"));
        assert!(!open(&berlin, "2026-11-23T06:59:59Z") && open(&berlin, "2026-11-23T07:00:00Z"));
        assert!(!open(&berlin, "2026-11-22T12:00:00Z"), "Sunday");
        assert!(!open(&berlin, "2026-12-25T12:00:00Z"), "a holiday on a Friday");
        assert!(!open(&berlin, "2050-07-17T12:00:00Z") && open(&berlin, "2050-07-18T06:00:00Z"));
    }

    #[test]
    fn hours_go_over_midnight_and_the_end_of_the_week() {
        let night = hours(&["fri-sun 22:00-02:00"], &[], "UTC");
        assert!(open(&night, "2026-11-20T22:00:00Z") && open(&night, "2026-11-21T01:59:00Z"));
        assert!(!open(&night, "2026-11-21T02:00:00Z"));
        assert!(open(&night, "2026-11-22T23:30:00Z") && open(&night, "2026-11-23T01:59:00Z"));
        assert!(!open(&night, "2026-11-23T02:00:00Z") && !open(&night, "2026-11-20T01:00:00Z"));
        let always = hours(&["mon-sun 00:00-24:00"], &[], "UTC");
        assert!(open(&always, "2026-11-22T23:59:59Z") && open(&always, "2026-11-23T00:00:00Z"));
        let turned = hours(&["sat-mon 10:00-11:00"], &[], "UTC");
        assert!(open(&turned, "2026-11-23T10:30:00Z") && !open(&turned, "2026-11-24T10:30:00Z"));
    }

    #[test]
    fn hours_are_written_as_they_were_read_and_nonsense_is_none() {
        for text in ["mon-fri 08:00-18:00", "sun 22:30-02:00", "sat-mon 00:00-24:00"] {
            assert_eq!(
                text.parse::<Open>().map(|open| open.to_string()).as_deref(),
                Ok(text)
            );
        }
        for text in [
            "",
            "mon",
            "mon 8-18",
            "mon 08:00",
            "mon 08:60-09:00",
            "mon 24:00-25:00",
            "funday 08:00-18:00",
            "mon 08:00-08:00",
            "mon +8:00-09:00",
        ] {
            assert!(text.parse::<Open>().is_err(), "{text}");
        }
        assert!("2026-02-30".parse::<Holiday>().is_err() && "1969-12-31".parse::<Holiday>().is_err());
        assert!("Mars/Olympus".parse::<Zone>().is_err() && "../etc/passwd".parse::<Zone>().is_err());
    }
}
