//! Digits: RFC 4733 and INFO are one event.

use media_core::control::{Command, LegId};
use sans_io::Time;
use sip_core::endpoint::Body;
use sip_core::message::Message;

use super::Call;
use crate::context::Context;
use crate::event::Event;
use crate::leg::Leg;

impl Leg {
    /// Sends a digit to its peer: by RFC 4733 where it was agreed, else by INFO.
    pub(crate) fn send_dtmf(&self, cx: &mut Context, now: Time, digit: char, duration_ms: u16) {
        let Some(digit) = valid_digit(digit) else { return };
        let duration_ms = duration_ms.clamp(40, 5_000);
        if self.takes_telephone_events() {
            let (leg, digit) = (self.id(), digit as u8);
            self.command(
                cx,
                Command::SendDtmf {
                    leg,
                    digit,
                    duration_ms,
                },
            );
        } else if let Some(usage) = self.usage() {
            let text = format!("Signal={digit}\r\nDuration={duration_ms}\r\n");
            let body = Body {
                content_type: "application/dtmf-relay".into(),
                data: text.into_bytes().into(),
            };
            cx.endpoint.info(now, usage, body);
        }
    }
}

impl Call {
    /// A digit by RFC 4733: the shard passed it on already where the other leg takes RFC 4733 too.
    pub(crate) fn digit_heard(&self, cx: &mut Context, now: Time, leg: LegId, digit: char, duration_ms: u16) {
        if let Some(other) = self.digit_for(cx, leg, digit, duration_ms)
            && !other.takes_telephone_events()
        {
            other.send_dtmf(cx, now, digit, duration_ms);
        }
    }

    /// A digit by INFO.
    pub(crate) fn digit_by_info(
        &self,
        cx: &mut Context,
        now: Time,
        leg: LegId,
        digit: char,
        duration_ms: u16,
    ) {
        if let Some(other) = self.digit_for(cx, leg, digit, duration_ms) {
            other.send_dtmf(cx, now, digit, duration_ms);
        }
    }

    /// Reports a digit, and names the leg that is to have it.
    fn digit_for(&self, cx: &mut Context, leg: LegId, digit: char, duration_ms: u16) -> Option<&Leg> {
        cx.event(Event::Dtmf {
            session: self.id(),
            leg,
            digit,
            duration_ms,
        });
        self.leg(self.counterpart(leg)?)
    }
}

/// Digit that an INFO brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Digit {
    /// This one, for so many milliseconds.
    Pressed(char, u16),
    /// None that could be read.
    Malformed,
    /// The INFO is about something else.
    Other,
}

impl Digit {
    /// The digit of an INFO with a body: `application/dtmf-relay` or `application/dtmf`.
    pub(crate) fn of_info(request: &Message) -> Digit {
        let kind = request.content_type().unwrap_or_default();
        let digit = match kind.to_ascii_lowercase().as_str() {
            "application/dtmf-relay" => relay_digit(request.body()),
            "application/dtmf" => plain_digit(request.body()),
            _ => return Digit::Other,
        };
        digit.map_or(Digit::Malformed, |(digit, duration_ms)| {
            Digit::Pressed(digit, duration_ms)
        })
    }
}

fn valid_digit(digit: char) -> Option<char> {
    let digit = digit.to_ascii_uppercase();
    matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D').then_some(digit)
}

/// `Signal=5\r\nDuration=160`, with or without blanks, or the digit alone.
fn relay_digit(body: &[u8]) -> Option<(char, u16)> {
    let text = std::str::from_utf8(body).ok()?;
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let Some(signal) = value("signal") else {
        return plain_digit(body);
    };
    let digit = single(signal)?;
    let duration = value("duration")
        .and_then(|d| d.parse::<u16>().ok())
        .unwrap_or(160);
    Some((digit, duration.clamp(40, 5_000)))
}

fn plain_digit(body: &[u8]) -> Option<(char, u16)> {
    Some((single(std::str::from_utf8(body).ok()?.trim())?, 160))
}

/// A digit, or the number of its event: 10 and 11 for `*` and `#`.
fn single(text: &str) -> Option<char> {
    match text {
        "10" => return Some('*'),
        "11" => return Some('#'),
        _ => {}
    }
    let mut chars = text.chars();
    let digit = valid_digit(chars.next()?)?;
    chars.next().is_none().then_some(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_browsers_and_phones_send_by_info() {
        assert_eq!(relay_digit(b"Signal=5\r\nDuration=100\r\n"), Some(('5', 100)));
        assert_eq!(relay_digit(b"Signal= #\r\nDuration= 250"), Some(('#', 250)));
        assert_eq!(relay_digit(b"signal=11\n"), Some(('#', 160)));
        assert_eq!(relay_digit(b"Signal=d\r\nDuration=9\r\n"), Some(('D', 40)));
        assert_eq!(plain_digit(b"7\r\n"), Some(('7', 160)));
        assert_eq!(plain_digit(b"11"), Some(('#', 160)));
        assert_eq!(relay_digit(b"3\r\n"), Some(('3', 160)));
        assert_eq!(relay_digit(b"10"), Some(('*', 160)));
        for bad in [
            &b""[..],
            b"Signal=\r\n",
            b"Signal=55x\r\n",
            b"Duration=100\r\n",
            b"d=9\r\n",
            b"12",
            b"\xff\xfe",
        ] {
            assert_eq!(relay_digit(bad), None, "{bad:?}");
        }
    }
}
