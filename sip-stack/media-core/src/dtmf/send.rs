use std::collections::VecDeque;
use std::time::Duration;

use sans_io::{Deadline, Time};

use super::event;

/// Between packets of an event.
const INTERVAL: Duration = Duration::from_millis(20);
/// Silence between two digits.
const GAP: Duration = Duration::from_millis(60);
/// Digits that may wait; more are dropped.
const QUEUE: usize = 32;
/// Number of end packets of an event (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;
/// A key that nobody lets go is let go.
const LONGEST: Duration = Duration::from_secs(30);

/// The next packet of an event; all of them have the timestamp of its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The first of its event: takes a new timestamp and the marker.
    pub first: bool,
    /// The last of its event: sound may follow.
    pub last: bool,
    /// The digit.
    pub digit: u8,
    /// So far, µs.
    pub duration_us: u64,
    /// The packet says that the key is up.
    pub end: bool,
}

impl Packet {
    /// The payload for a stream of this clock; a duration that does not fit stays at its highest (over 1.3 s at 48 kHz).
    #[must_use]
    pub fn payload(&self, clock: u32) -> [u8; 4] {
        let ticks = self.duration_us * u64::from(clock) / 1_000_000;
        let [high, low] = u16::try_from(ticks).unwrap_or(u16::MAX).to_be_bytes();
        [
            event(self.digit).unwrap_or(0),
            if self.end { 0x8a } else { 0x0a },
            high,
            low,
        ]
    }
}

#[derive(Clone, Copy, Debug)]
struct Digit {
    key: u8,
    /// `None` while the key is held down at the other side of a bridge.
    lasts: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Playing {
    digit: Digit,
    began: Time,
    sent: bool,
    ends: u8,
}

/// Digits on their way to one peer, one after the other (RFC 4733 §2.5.1).
#[derive(Clone, Debug, Default)]
pub struct Sender {
    queue: VecDeque<Digit>,
    playing: Option<Playing>,
    /// The next packet, or when the next digit may begin.
    at: Time,
}

impl Sender {
    /// A digit of known length; false when it is no digit or too many wait.
    pub fn send(&mut self, now: Time, digit: u8, lasts: Duration) -> bool {
        self.enqueue(
            now,
            Digit {
                key: digit,
                lasts: Some(lasts),
            },
        )
    }

    /// A key went down at the other side; [`Sender::release`] follows.
    pub fn press(&mut self, now: Time, digit: u8) -> bool {
        self.enqueue(
            now,
            Digit {
                key: digit,
                lasts: None,
            },
        )
    }

    /// The key that went down last came up.
    pub fn release(&mut self, digit: u8, lasted: Duration) {
        let waiting = self.queue.iter_mut().rev();
        let playing = self.playing.iter_mut().map(|playing| &mut playing.digit);
        if let Some(held) = waiting
            .chain(playing)
            .find(|held| held.lasts.is_none() && held.key == digit)
        {
            held.lasts = Some(lasted);
        }
    }

    /// A digit is being sent: sound is left out until it is over.
    #[must_use]
    pub fn active(&self) -> bool {
        self.playing.is_some()
    }

    /// Time at which [`Sender::poll`] has something.
    #[must_use]
    #[inline]
    pub fn deadline(&self) -> Deadline {
        (self.playing.is_some() || !self.queue.is_empty()).then_some((self.at, "digit"))
    }

    /// The packet that is due.
    pub fn poll(&mut self, now: Time) -> Option<Packet> {
        if now < self.at {
            return None;
        }
        if self.playing.is_none() {
            let digit = self.queue.pop_front()?;
            self.playing = Some(Playing {
                digit,
                began: now,
                sent: false,
                ends: 0,
            });
        }
        let playing = self.playing.as_mut()?;
        let so_far = now.since(playing.began) + INTERVAL;
        let lasts = playing
            .digit
            .lasts
            .unwrap_or(LONGEST)
            .clamp(INTERVAL * 2, LONGEST);
        let end = so_far >= lasts;
        if end {
            playing.ends += 1;
        }
        let packet = Packet {
            first: !playing.sent,
            last: playing.ends == ENDS,
            digit: playing.digit.key,
            duration_us: so_far.min(lasts).as_micros() as u64,
            end,
        };
        playing.sent = true;
        self.at = now + INTERVAL;
        if packet.last {
            self.playing = None;
            self.at = now + GAP;
        }
        Some(packet)
    }

    fn enqueue(&mut self, now: Time, digit: Digit) -> bool {
        if event(digit.key).is_none() || self.queue.len() >= QUEUE {
            return false;
        }
        if self.playing.is_none() && self.queue.is_empty() {
            self.at = self.at.max(now);
        }
        self.queue.push_back(digit);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(sender: &mut Sender) -> Vec<(u64, Packet)> {
        let mut packets = Vec::new();
        while let Some((at, _)) = sender.deadline() {
            packets.extend(sender.poll(at).map(|packet| (at.as_micros() / 1_000, packet)));
        }
        packets
    }

    #[test]
    fn a_digit_is_one_event_that_ends_three_times() {
        let mut sender = Sender::default();
        assert!(sender.send(Time(0), b'7', Duration::from_millis(100)));
        assert!(sender.send(Time(0), b'#', Duration::from_millis(40)));
        assert!(!sender.send(Time(0), b'x', Duration::from_millis(40)));
        let packets = drain(&mut sender);
        let shape: Vec<_> = packets
            .iter()
            .map(|(at, p)| (*at, p.digit, p.first, p.end, p.last, p.duration_us / 1_000))
            .collect();
        assert_eq!(
            shape,
            [
                (0, b'7', true, false, false, 20),
                (20, b'7', false, false, false, 40),
                (40, b'7', false, false, false, 60),
                (60, b'7', false, false, false, 80),
                (80, b'7', false, true, false, 100),
                (100, b'7', false, true, false, 100),
                (120, b'7', false, true, true, 100),
                (180, b'#', true, false, false, 20),
                (200, b'#', false, true, false, 40),
                (220, b'#', false, true, false, 40),
                (240, b'#', false, true, true, 40),
            ]
        );
        assert_eq!(packets[4].1.payload(8_000), [7, 0x8a, 0x03, 0x20]);
        assert_eq!(packets[4].1.payload(48_000), [7, 0x8a, 0x12, 0xc0]);
    }

    #[test]
    fn a_held_key_lasts_until_it_is_let_go() {
        let mut sender = Sender::default();
        sender.press(Time(0), b'1');
        let mut sent = Vec::new();
        for ms in 0..300 {
            if ms == 150 {
                sender.release(b'1', Duration::from_millis(150));
            }
            sent.extend(sender.poll(Time(ms * 1_000)));
        }
        assert!(!sender.active());
        assert_eq!(sent.iter().filter(|p| p.end).count(), 3);
        assert_eq!(sent.last().map(|p| p.duration_us), Some(150_000));
    }
}
