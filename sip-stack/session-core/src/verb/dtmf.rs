//! Digits: RFC 4733 and INFO are one event.

use media_core::control::{Command, LegId};
use sans_io::Time;
use sip_core::endpoint::{Body, ServerTx, UsageId};

use crate::coordinator::Coordinator;
use crate::event::Event;

impl Coordinator {
    /// Sends a digit to a leg's peer: by RFC 4733 where it was agreed, else by INFO.
    pub fn send_dtmf(&mut self, now: Time, leg: LegId, digit: char, duration_ms: u16) {
        let Some(digit) = valid_digit(digit) else { return };
        let Some(l) = self.legs.get(&leg) else { return };
        let duration_ms = duration_ms.clamp(40, 5_000);
        if l.negotiated.as_ref().is_some_and(|n| n.telephone_event.is_some()) {
            self.command(
                leg,
                Command::SendDtmf {
                    leg,
                    digit: digit as u8,
                    duration_ms,
                },
            );
        } else if let Some(usage) = l.usage {
            let data = format!("Signal={digit}\r\nDuration={duration_ms}\r\n")
                .into_bytes()
                .into();
            self.endpoint.info(
                now,
                usage,
                Body {
                    content_type: "application/dtmf-relay".into(),
                    data,
                },
            );
        }
    }

    /// A digit by RFC 4733: the shard passed it on already where the other leg takes RFC 4733 too.
    pub(crate) fn digit_heard(&mut self, now: Time, leg: LegId, digit: char, duration_ms: u16) {
        let Some(other) = self.told_of(leg, digit, duration_ms) else {
            return;
        };
        let speaks = |l: &crate::leg::Leg| l.negotiated.as_ref().is_some_and(|n| n.telephone_event.is_some());
        if !self.legs.get(&other).is_some_and(speaks) {
            self.send_dtmf(now, other, digit, duration_ms);
        }
    }

    /// Handles INFO in a dialog: a digit (`application/dtmf-relay`, `application/dtmf`), an empty one, by
    /// which a peer checks that we are there (RFC 2976 §2.2), or something unknown.
    pub(crate) fn info(
        &mut self,
        now: Time,
        leg: LegId,
        usage: UsageId,
        tx: ServerTx,
        content_type: &str,
        body: &[u8],
    ) {
        if body.is_empty() {
            return self
                .endpoint
                .reply_in_dialog(now, usage, tx, 200, Vec::new(), None);
        }
        let kind = content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let digit = match kind.as_str() {
            "application/dtmf-relay" => relay_digit(body),
            "application/dtmf" => plain_digit(body),
            _ => {
                let accept = vec![("Accept".into(), "application/dtmf-relay, application/dtmf".into())];
                return self.endpoint.reply_in_dialog(now, usage, tx, 415, accept, None);
            }
        };
        let Some((digit, duration_ms)) = digit else {
            return self
                .endpoint
                .reply_in_dialog(now, usage, tx, 400, Vec::new(), None);
        };
        self.endpoint
            .reply_in_dialog(now, usage, tx, 200, Vec::new(), None);
        if let Some(other) = self.told_of(leg, digit, duration_ms) {
            self.send_dtmf(now, other, digit, duration_ms);
        }
    }

    /// Tells the application, and says which leg is to have the digit.
    fn told_of(&mut self, leg: LegId, digit: char, duration_ms: u16) -> Option<LegId> {
        let session = self.legs.get(&leg)?.session;
        self.event(Event::Dtmf {
            session,
            leg,
            digit,
            duration_ms,
        });
        self.sessions.get(&session)?.other(leg)
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
