use std::time::Duration;

use sans_io::{Deadline, Time};
use smallvec::SmallVec;

use super::digit;

/// An event is over when none of its packets came for so long: all of its end packets were lost.
const LOST_END: Duration = Duration::from_millis(120);

/// What a packet, or the want of one, says of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A key went down.
    Pressed(u8),
    /// It came up again, after so many milliseconds.
    Released(u8, u16),
}

/// Telephone events of one peer (RFC 4733 §2.5.2): each press once, however many packets tell of it.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    now: Option<Press>,
    /// Timestamp of the event that ended last: later packets of it are repetitions.
    ended: Option<(u8, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    event: u8,
    timestamp: u32,
    /// In ticks, over all segments.
    duration: u32,
    clock: u32,
    heard: Time,
}

impl Receiver {
    /// Takes the payload of an event packet whose stream has this clock. A new press can end the one before it, and a lone
    /// end packet is a whole press, so there are up to three things to say, in order.
    pub fn packet(&mut self, now: Time, timestamp: u32, clock: u32, payload: &[u8]) -> SmallVec<[Heard; 3]> {
        let mut said = SmallVec::new();
        let Some(&[event, flags, high, low]) = payload.first_chunk::<4>() else {
            return said;
        };
        let Some(pressed) = digit(event) else { return said };
        let duration = u32::from(u16::from_be_bytes([high, low]));
        match &mut self.now {
            Some(press) if press.event == event && continues(press, timestamp) => {
                press.duration = press
                    .duration
                    .max(timestamp.wrapping_sub(press.timestamp).wrapping_add(duration));
                press.heard = now;
            }
            // A straggler of what is over, or of before the present press.
            _ if self
                .ended
                .is_some_and(|(was, at)| was == event && at == timestamp) =>
            {
                return said;
            }
            Some(press) if timestamp.wrapping_sub(press.timestamp) as i32 <= 0 => return said,
            _ => {
                said.extend(self.release());
                self.now = Some(Press {
                    event,
                    timestamp,
                    duration,
                    clock,
                    heard: now,
                });
                said.push(Heard::Pressed(pressed));
            }
        }
        if flags & 0x80 != 0 {
            said.extend(self.release());
        }
        said
    }

    /// Ends a press whose end packets were all lost.
    pub fn timeout(&mut self, now: Time) -> Option<Heard> {
        let press = self.now?;
        if now.since(press.heard) < LOST_END {
            None
        } else {
            self.release()
        }
    }

    /// When [`Receiver::timeout`] may have something to say.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.now.map(|press| (press.heard + LOST_END, "end of a digit"))
    }

    /// A key is down: sound beside the event is the same digit again.
    #[must_use]
    pub fn pressed(&self) -> bool {
        self.now.is_some()
    }

    fn release(&mut self) -> Option<Heard> {
        let press = self.now.take()?;
        self.ended = Some((press.event, press.timestamp));
        let ms = u64::from(press.duration) * 1_000 / u64::from(press.clock.max(1));
        digit(press.event).map(|digit| Heard::Released(digit, u16::try_from(ms).unwrap_or(u16::MAX)))
    }
}

/// The same timestamp, or a segment that follows a full one (RFC 4733 §2.5.1.3).
fn continues(press: &Press, timestamp: u32) -> bool {
    timestamp == press.timestamp
        || (press.duration >= 0xffff
            && timestamp == press.timestamp.wrapping_add(press.duration / 0xffff * 0xffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn payload(event: u8, end: bool, duration: u16) -> [u8; 4] {
        let [high, low] = duration.to_be_bytes();
        [event, if end { 0x8a } else { 0x0a }, high, low]
    }

    /// The digits that come of these packets (time in ms, timestamp, event, end, duration), and of silence after them.
    fn heard(clock: u32, packets: &[(u64, u32, u8, bool, u16)]) -> Vec<Heard> {
        let mut receiver = Receiver::default();
        let mut heard = Vec::new();
        for &(at, timestamp, event, end, duration) in packets {
            let now = Time(at * 1_000);
            heard.extend(receiver.timeout(now));
            heard.extend(receiver.packet(now, timestamp, clock, &payload(event, end, duration)));
        }
        let (at, _) = receiver.deadline().unwrap_or_default();
        heard.extend(receiver.timeout(at));
        assert!(!receiver.pressed());
        heard
    }

    #[test]
    fn one_press_however_many_packets_tell_of_it() {
        for (clock, step) in [(8_000, 160), (48_000, 960)] {
            let mut packets: Vec<_> = (1..=5)
                .map(|i| (u64::from(i) * 20, 7_000, 5, false, i * step))
                .collect();
            packets.extend((0..3).map(|i| (120 + i * 20, 7_000, 5, true, 6 * step)));
            let whole = [Heard::Pressed(b'5'), Heard::Released(b'5', 120)];
            assert_eq!(heard(clock, &packets), whole);
            assert_eq!(heard(clock, &packets[..6]), whole, "two of three ends lost");
            assert_eq!(heard(clock, &packets[5..]), whole, "only the ends came");
            assert_eq!(heard(clock, &packets[7..]), whole, "only the last came");
            assert_eq!(
                heard(clock, &packets[..5]),
                [whole[0], Heard::Released(b'5', 100)],
                "no end came"
            );
            packets.swap(1, 5);
            assert_eq!(heard(clock, &packets), whole, "out of order");
        }
    }

    #[test]
    fn the_same_key_twice_is_two_presses_even_when_an_end_is_lost() {
        let packets = [
            (0, 100, 1, false, 160),
            (20, 100, 1, false, 320),
            (60, 900, 1, false, 160),
            (80, 900, 1, true, 320),
        ];
        let key = b'1';
        assert_eq!(
            heard(8_000, &packets),
            [
                Heard::Pressed(key),
                Heard::Released(key, 40),
                Heard::Pressed(key),
                Heard::Released(key, 40)
            ]
        );
    }

    #[test]
    fn a_long_press_goes_on_in_segments() {
        let mut packets = vec![(0, 0, 11, false, 0xffff)];
        packets.push((20, 0xffff, 11, false, 160));
        packets.push((40, 0xffff, 11, true, 320));
        assert_eq!(
            heard(8_000, &packets),
            [Heard::Pressed(b'#'), Heard::Released(b'#', 8_231)]
        );
    }

    #[test]
    fn other_events_and_short_packets_are_no_digits() {
        assert_eq!(
            heard(8_000, &[(0, 0, 16, false, 160), (20, 0, 200, true, 160)]),
            []
        );
        assert!(Receiver::default().packet(Time(0), 0, 8_000, &[1, 0]).is_empty());
    }
}
