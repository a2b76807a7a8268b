//! Clips that announcements are put together from, and their order.

use std::time::Duration;

use smallvec::SmallVec;

/// Clips of one phrase.
pub(crate) type Clips = SmallVec<[Clip; 10]>;

/// Highest number that can be said.
const MOST: u64 = 100;

/// A piece of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clip {
    /// "You are next in line."
    Next,
    /// "You are number", before a number.
    Position,
    /// "in line.", after it.
    InLine,
    /// "The expected wait is", before a number.
    Wait,
    /// "minute.", after one.
    Minute,
    /// "minutes.", after any other number.
    Minutes,
    /// "Please stay on the line."
    Stay,
    /// A number, 0 to 100.
    Number(u8),
}

impl Clip {
    /// All that there can be, in order.
    pub fn all() -> impl Iterator<Item = Clip> {
        let words = [
            Clip::Next,
            Clip::Position,
            Clip::InLine,
            Clip::Wait,
            Clip::Minute,
            Clip::Minutes,
            Clip::Stay,
        ];
        words.into_iter().chain((0..=MOST as u8).map(Clip::Number))
    }

    /// File name of the clip, without an ending: `next`, `position`, `in_line`, `wait`, `minute`, `minutes`,
    /// `stay`, `0` to `100`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Clip::Next => "next".into(),
            Clip::Position => "position".into(),
            Clip::InLine => "in_line".into(),
            Clip::Wait => "wait".into(),
            Clip::Minute => "minute".into(),
            Clip::Minutes => "minutes".into(),
            Clip::Stay => "stay".into(),
            Clip::Number(n) => n.to_string(),
        }
    }

    /// Silence after it, ms: much at the end of a sentence, none between words that belong together.
    pub(crate) fn rest(self, next: Option<Clip>) -> usize {
        match (self, next) {
            (Clip::Next | Clip::InLine | Clip::Minute | Clip::Minutes | Clip::Stay, _) => 350,
            (_, Some(Clip::Stay | Clip::Wait)) => 350,
            (Clip::Wait, _) | (_, Some(Clip::Minute | Clip::Minutes)) => 20,
            _ => 0,
        }
    }
}

/// An announcement for a waiting caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phrase {
    /// Place in the line, 1 is next. Beyond 100 it is not said.
    pub position: Option<u32>,
    /// Probable wait: said in minutes, rounded up, up to 100.
    pub wait: Option<Duration>,
}

impl Phrase {
    /// The clips in order, as far as `has` says that they are there: a sentence of which something is missing is left out whole, but
    /// `in_line`, which may be missing.
    pub(crate) fn clips(self, has: impl Fn(Clip) -> bool) -> Clips {
        let mut clips = Clips::new();
        match self.position.map(u64::from) {
            Some(1) if has(Clip::Next) => clips.push(Clip::Next),
            Some(n @ 1..=MOST) if has(Clip::Position) => {
                let number = number(n as u8, &has);
                if !number.is_empty() {
                    clips.push(Clip::Position);
                    clips.extend(number);
                    clips.extend([Clip::InLine].into_iter().filter(|clip| has(*clip)));
                }
            }
            _ => {}
        }
        let minutes = self.wait.map(|wait| wait.as_secs().div_ceil(60).max(1));
        if let Some(n @ 1..=MOST) = minutes {
            let unit = if n == 1 { Clip::Minute } else { Clip::Minutes };
            let number = number(n as u8, &has);
            if has(Clip::Wait) && has(unit) && !number.is_empty() {
                clips.push(Clip::Wait);
                clips.extend(number);
                clips.push(unit);
            }
        }
        if has(Clip::Stay) {
            clips.push(Clip::Stay);
        }
        clips
    }
}

/// A number of one clip where there is one, else of tens and units; nothing where neither is there.
fn number(n: u8, has: impl Fn(Clip) -> bool) -> SmallVec<[Clip; 2]> {
    if has(Clip::Number(n)) {
        return SmallVec::from_slice(&[Clip::Number(n)]);
    }
    let parts = [Clip::Number(n / 10 * 10), Clip::Number(n % 10)];
    if (21..100).contains(&n) && !n.is_multiple_of(10) && parts.into_iter().all(has) {
        return SmallVec::from_slice(&parts);
    }
    SmallVec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(phrase: Phrase, has: impl Fn(Clip) -> bool) -> String {
        let names: Vec<String> = phrase.clips(has).into_iter().map(Clip::name).collect();
        names.join(" ")
    }

    fn place(n: u32) -> Phrase {
        Phrase {
            position: Some(n),
            wait: None,
        }
    }

    fn spoken(clip: Clip) -> bool {
        !matches!(clip, Clip::Number(n) if n > 20 && n % 10 != 0 || n == 100)
    }

    #[test]
    fn a_place_is_told_in_the_order_of_english() {
        assert_eq!(said(place(1), spoken), "next stay");
        assert_eq!(said(place(2), spoken), "position 2 in_line stay");
        assert_eq!(said(place(20), spoken), "position 20 in_line stay");
        assert_eq!(said(place(47), spoken), "position 40 7 in_line stay");
        assert_eq!(said(place(90), spoken), "position 90 in_line stay");
        assert_eq!(said(place(100), |_| true), "position 100 in_line stay");
        assert_eq!(said(place(101), |_| true), "stay");
        assert_eq!(said(Phrase::default(), spoken), "stay");
    }

    #[test]
    fn a_wait_is_told_in_minutes() {
        let phrase = |seconds| Phrase {
            position: Some(3),
            wait: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(said(phrase(0), spoken), "position 3 in_line wait 1 minute stay");
        assert_eq!(said(phrase(61), spoken), "position 3 in_line wait 2 minutes stay");
        assert_eq!(said(phrase(101 * 60), spoken), "position 3 in_line stay");
    }

    #[test]
    fn what_is_missing_leaves_its_sentence_out() {
        assert_eq!(said(place(47), |_| true), "position 47 in_line stay");
        assert_eq!(
            said(place(1), |clip| clip != Clip::Next),
            "position 1 in_line stay"
        );
        assert_eq!(
            said(place(47), |clip| spoken(clip) && clip != Clip::Number(7)),
            "stay"
        );
        assert_eq!(said(place(4), |clip| clip != Clip::InLine), "position 4 stay");
        assert_eq!(said(place(4), |_| false), "");
    }
}
