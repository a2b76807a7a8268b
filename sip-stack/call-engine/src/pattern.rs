//! Patterns of dial rules.

use std::fmt;

/// A pattern over dialled numbers. Everything in it stands for itself, but
/// - `N`: a digit 2 to 9, `X`: any digit, `Z`: a digit 1 to 9,
/// - `.`: one or more of any characters, at the end only; `!`: none or more, at the end only,
/// - `(`…`)`: what is matched between them is kept as `$1`, `$2`, … for the rewrite.
///
/// `N`, `X` and `Z` are those of other dial plans of the field. A name in which they mean letters is written in
/// single quotes: `'XENA'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(char),
    Digit(char),
    Rest { least: usize },
    Open,
    Close,
}

/// Error in a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// The pattern matches only the empty number.
    Empty,
    /// `.` or `!` stands before the end.
    RestInside,
    /// A `(` without its `)`, or the other way round, or one within another.
    Parentheses,
    /// A quote without its second one.
    Quote,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PatternError::Empty => "is empty; write \"!\" to match everything",
            PatternError::RestInside => "has `.` or `!` before its end; they match all that is left",
            PatternError::Parentheses => "has parentheses that do not pair up",
            PatternError::Quote => "has a quote that is not closed",
        })
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// See [`PatternError`].
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        let mut pieces = Vec::new();
        let mut open = false;
        let mut quoted = false;
        let mut rest = false;
        for c in text.chars() {
            if rest && c != ')' {
                return Err(PatternError::RestInside);
            }
            pieces.push(match c {
                '\'' => {
                    quoted = !quoted;
                    continue;
                }
                c if quoted => Piece::Literal(c),
                'N' | 'X' | 'Z' => Piece::Digit(c),
                '.' | '!' => {
                    rest = true;
                    Piece::Rest {
                        least: usize::from(c == '.'),
                    }
                }
                '(' if !open => {
                    open = true;
                    Piece::Open
                }
                ')' if open => {
                    open = false;
                    Piece::Close
                }
                '(' | ')' => return Err(PatternError::Parentheses),
                c => Piece::Literal(c),
            });
        }
        match (pieces.is_empty(), open, quoted) {
            (true, ..) => Err(PatternError::Empty),
            (_, true, _) => Err(PatternError::Parentheses),
            (_, _, true) => Err(PatternError::Quote),
            _ => Ok(Pattern {
                text: text.to_owned(),
                pieces,
            }),
        }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Number of its `(`…`)` groups.
    #[must_use]
    pub fn captures(&self) -> usize {
        self.pieces.iter().filter(|p| **p == Piece::Open).count()
    }

    /// True if this pattern matches everything that `other` matches.
    #[must_use]
    pub fn covers(&self, other: &Pattern) -> bool {
        let of = |pattern: &Pattern| -> Vec<Piece> {
            let pieces = pattern.pieces.iter();
            pieces
                .filter(|piece| !matches!(piece, Piece::Open | Piece::Close))
                .cloned()
                .collect()
        };
        let (wide, narrow) = (of(self), of(other));
        for (at, piece) in wide.iter().enumerate() {
            let there = narrow.get(at);
            let covered = match (piece, there) {
                (Piece::Rest { least }, _) => {
                    let left = narrow.iter().skip(at).map(|piece| match piece {
                        Piece::Rest { least } => *least,
                        _ => 1,
                    });
                    return left.sum::<usize>() >= *least;
                }
                (Piece::Literal(a), Some(Piece::Literal(b))) => a.eq_ignore_ascii_case(b),
                (Piece::Digit(class), Some(Piece::Literal(c))) => {
                    c.to_digit(10).is_some_and(|d| d >= least(*class))
                }
                (Piece::Digit(class), Some(Piece::Digit(other))) => least(*other) >= least(*class),
                _ => false,
            };
            if !covered {
                return false;
            }
        }
        wide.len() == narrow.len()
    }

    /// Captures of its parentheses, if the whole of `number` matches.
    #[must_use]
    pub fn matches<'n>(&self, number: &'n str) -> Option<Vec<&'n str>> {
        let mut caught = Vec::new();
        let mut opened = 0;
        let mut at = 0;
        for piece in &self.pieces {
            let next = number[at..].chars().next();
            match piece {
                Piece::Open => opened = at,
                Piece::Close => caught.push(&number[opened..at]),
                Piece::Rest { least } => {
                    if number[at..].chars().count() < *least {
                        return None;
                    }
                    at = number.len();
                }
                Piece::Literal(c) => {
                    next.filter(|n| n.eq_ignore_ascii_case(c))?;
                    at += next.map_or(0, char::len_utf8);
                }
                Piece::Digit(class) => {
                    let digit = next.and_then(|n| n.to_digit(10))?;
                    if digit < least(*class) {
                        return None;
                    }
                    at += 1;
                }
            }
        }
        (at == number.len()).then_some(caught)
    }
}

/// Lowest digit of a class.
fn least(class: char) -> u32 {
    match class {
        'N' => 2,
        'Z' => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caught<'n>(pattern: &str, number: &'n str) -> Option<Vec<&'n str>> {
        Pattern::parse(pattern).expect("pattern").matches(number)
    }

    #[test]
    fn matches_as_dial_plans_of_the_field_do() {
        assert_eq!(caught("9196", "9196"), Some(vec![]));
        assert_eq!(caught("9196", "91960"), None);
        assert_eq!(caught("NXX", "199"), None);
        assert_eq!(caught("NXX", "299"), Some(vec![]));
        assert_eq!(caught("0(Z.)", "049"), Some(vec!["49"]));
        assert_eq!(caught("0(Z.)", "00"), None);
        assert_eq!(caught("0(Z.)", "01"), None, "`.` needs one more");
        assert_eq!(caught("00(!)", "00"), Some(vec![""]));
        assert_eq!(caught("+(XX)(.)", "+49301"), Some(vec!["49", "301"]));
        assert_eq!(caught("'XENA'", "xena"), Some(vec![]));
        assert_eq!(caught("!", ""), Some(vec![]));
        assert_eq!(caught("X", "é"), None);
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, error) in [
            ("", PatternError::Empty),
            ("1.2", PatternError::RestInside),
            ("(1", PatternError::Parentheses),
            ("1)", PatternError::Parentheses),
            ("((1))", PatternError::Parentheses),
            ("'a", PatternError::Quote),
        ] {
            assert_eq!(Pattern::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn knows_what_it_leaves_to_others() {
        let covers = |wide: &str, narrow: &str| {
            let parse = |text| Pattern::parse(text).expect("pattern");
            parse(wide).covers(&parse(narrow))
        };
        for (wide, narrow) in [
            (".", "0(Z.)"),
            ("!", "!"),
            (".", "."),
            ("!", "."),
            ("0.", "0(ZX)"),
            ("XXX!", "NXX"),
            ("X", "7"),
            ("Z", "N"),
            ("(9)196", "9(196)"),
            ("alice", "ALICE"),
        ] {
            assert!(covers(wide, narrow), "{wide} covers {narrow}");
        }
        for (wide, narrow) in [
            (".", "!"),
            ("0.", "0"),
            ("0.", "1."),
            ("N", "X"),
            ("Z", "0"),
            ("XX", "X"),
            ("X", "XX"),
            ("9196", "9."),
            ("X", "a"),
            ("XXX!", "XX!"),
        ] {
            assert!(!covers(wide, narrow), "{wide} does not cover {narrow}");
        }
    }
}
