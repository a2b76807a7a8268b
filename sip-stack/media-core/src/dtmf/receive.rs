use std::time::Duration;

use sans_io::{Deadline, Time};
use smallvec::SmallVec;

use super::digit;
use crate::rtp::{Header, distance};

/// Time without packets after which an event is over: all of its end packets were lost.
const LOST_END: Duration = Duration::from_millis(120);

/// Delay of a timeout beyond which we were not watching.
const HELD_UP: Duration = Duration::from_millis(20);

/// Meaning of a packet, or of its absence, for the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A key went down.
    Pressed(u8),
    /// The key came up again, after so many milliseconds.
    Released(u8, u16),
}

/// Telephone events of one peer (RFC 4733 §2.5.2): each key press once, however many packets report it.
///
/// All packets of a press should carry one timestamp, and those of the next another (§2.5.1.2). Two kinds of
/// deviating senders are understood as well: those whose timestamp moves on with each packet, as that of
/// sound does, and those whose timestamp stands still from one press to the next. Both set the marker on the
/// first packet of a press.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    now: Option<Press>,
    /// The press that ended last: later packets of it are repetitions.
    ended: Option<(Press, Time)>,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    event: u8,
    timestamp: u32,
    /// In ticks, over all segments.
    duration: u32,
    /// Duration in the last packet.
    said: u32,
    clock: u32,
    heard: Time,
    /// Sequence number of the last packet.
    sequence: u16,
    /// The sender's timestamps move: this one is not that of the beginning.
    moves: bool,
}

impl Receiver {
    /// Takes the payload of an event packet whose stream has this clock. A new press can end the one before it, and a lone
    /// end packet is a whole press, so there are up to three things to say, in order.
    pub fn packet(&mut self, now: Time, header: &Header, clock: u32, payload: &[u8]) -> SmallVec<[Heard; 3]> {
        let mut said = SmallVec::new();
        let Some(&[event, flags, high, low]) = payload.first_chunk::<4>() else {
            return said;
        };
        let Some(pressed) = digit(event) else { return said };
        let packet = Press {
            event,
            timestamp: header.timestamp,
            duration: u32::from(u16::from_be_bytes([high, low])),
            said: u32::from(u16::from_be_bytes([high, low])),
            clock,
            heard: now,
            sequence: header.sequence,
            moves: false,
        };
        let end = flags & 0x80 != 0;
        let repeated = self.is_repetition(&packet, header.marker, end);
        match &mut self.now {
            Some(press) if press.is_continued_by(&packet) => press.follow(&packet),
            Some(press) if !header.marker && press.moves_on_with(&packet) => press.move_on(&packet),
            _ if repeated => return said,
            // A straggler from before the present press.
            Some(press)
                if packet.timestamp.wrapping_sub(press.timestamp) as i32 <= 0
                    && !(header.marker && press.is_before(&packet)) =>
            {
                return said;
            }
            _ => {
                said.extend(self.release(now));
                self.now = Some(packet);
                said.push(Heard::Pressed(pressed));
            }
        }
        if end {
            said.extend(self.release(now));
        }
        said
    }

    /// True if a packet repeats the press that ended last. A packet with the timestamp of that press begins
    /// another one if it was sent later, is no end, and either is marked as the first, or comes too late for
    /// a repetition and has a shorter duration: delayed packets of the same press have longer ones.
    fn is_repetition(&self, packet: &Press, marker: bool, end: bool) -> bool {
        let Some((ended, at)) = self
            .ended
            .as_ref()
            .filter(|(ended, _)| ended.event == packet.event)
        else {
            return false;
        };
        let late = packet.heard.since(*at) >= LOST_END;
        if ended.timestamp == packet.timestamp {
            let anew = marker || (late && packet.said < ended.said);
            return end || !anew || !ended.is_before(packet);
        }
        ended.moves && !marker && !late
    }

    /// Ends a press whose end packets were all lost. If this call comes late, nothing was read for a while,
    /// and packets may be waiting: they get the same time again.
    pub fn timeout(&mut self, now: Time) -> Option<Heard> {
        let press = self.now.as_mut()?;
        let due = press.heard + LOST_END;
        if now >= due + HELD_UP {
            press.heard = now;
        }
        if press.heard + LOST_END <= now {
            self.release(now)
        } else {
            None
        }
    }

    /// Time at which [`Receiver::timeout`] may return something.
    #[must_use]
    #[inline]
    pub fn deadline(&self) -> Deadline {
        self.now.map(|press| (press.heard + LOST_END, "end of a digit"))
    }

    /// A key is down: sound beside the event is the same digit again.
    #[must_use]
    pub fn pressed(&self) -> bool {
        self.now.is_some()
    }

    fn release(&mut self, now: Time) -> Option<Heard> {
        let press = self.now.take()?;
        self.ended = Some((press, now));
        let ms = u64::from(press.duration) * 1_000 / u64::from(press.clock.max(1));
        digit(press.event).map(|digit| Heard::Released(digit, u16::try_from(ms).unwrap_or(u16::MAX)))
    }
}

impl Press {
    /// True if the packet was sent after the last one of this press.
    fn is_before(&self, packet: &Press) -> bool {
        distance(self.sequence, packet.sequence) > 0
    }

    /// True for the same timestamp, or a segment that follows a full one (RFC 4733 §2.5.1.3).
    fn is_continued_by(&self, packet: &Press) -> bool {
        self.event == packet.event
            && (packet.timestamp == self.timestamp
                || (self.duration >= 0xffff
                    && packet.timestamp == self.timestamp.wrapping_add(self.duration / 0xffff * 0xffff)))
    }

    fn follow(&mut self, packet: &Press) {
        let since = packet.timestamp.wrapping_sub(self.timestamp);
        self.duration = self.duration.max(since.wrapping_add(packet.said));
        self.hear(packet);
    }

    /// True for the same key with a timestamp that advanced as much as the duration did: for another press it
    /// would also have advanced by the pause between the two.
    fn moves_on_with(&self, packet: &Press) -> bool {
        let moved = packet.timestamp.wrapping_sub(self.timestamp);
        let grown = packet.said.wrapping_sub(self.said);
        self.event == packet.event
            && packet.heard.since(self.heard) < LOST_END
            && (1..1 << 31).contains(&moved)
            && (self.moves || (1..1 << 16).contains(&grown) && moved.abs_diff(grown) <= self.clock / 100)
    }

    fn move_on(&mut self, packet: &Press) {
        self.moves = true;
        self.timestamp = packet.timestamp;
        self.duration = self.duration.max(packet.said);
        self.hear(packet);
    }

    fn hear(&mut self, packet: &Press) {
        self.heard = packet.heard;
        self.said = packet.said;
        if self.is_before(packet) {
            self.sequence = packet.sequence;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds, timestamp, event, end bit and duration.
    type Packet = (u64, u32, u8, bool, u16);

    /// A packet with its sequence number and marker.
    type Numbered = (u16, bool, Packet);

    const fn payload(event: u8, end: bool, duration: u16) -> [u8; 4] {
        let [high, low] = duration.to_be_bytes();
        [event, if end { 0x8a } else { 0x0a }, high, low]
    }

    const fn header(marker: bool, sequence: u16, timestamp: u32) -> Header {
        Header {
            marker,
            payload_type: 101,
            sequence,
            timestamp,
            ssrc: 7,
        }
    }

    /// Digits found in these packets (time in ms, timestamp, event, end, duration) and the silence after
    /// them. A packet with a new timestamp is the first of its press.
    fn heard(clock: u32, packets: &[Packet]) -> Vec<Heard> {
        let mut order: Vec<_> = packets.to_vec();
        order.sort_by_key(|&(_, timestamp, _, end, duration)| (timestamp, duration, end));
        let place = |packet| order.iter().position(|other| other == packet).unwrap_or(0);
        let packets: Vec<_> = packets
            .iter()
            .map(|packet| (place(packet) as u16, packet.4 <= 160, *packet))
            .collect();
        heard_with(clock, &packets)
    }

    /// Digits found in packets with sequence number and marker.
    fn heard_with(clock: u32, packets: &[Numbered]) -> Vec<Heard> {
        let mut receiver = Receiver::default();
        let mut heard = Vec::new();
        for &(sequence, marker, (at, timestamp, event, end, duration)) in packets {
            let now = Time(at * 1_000);
            while let Some((due, _)) = receiver.deadline().filter(|(due, _)| *due <= now) {
                heard.extend(receiver.timeout(due));
            }
            let header = header(marker, sequence, timestamp);
            heard.extend(receiver.packet(now, &header, clock, &payload(event, end, duration)));
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
    fn a_press_is_not_over_because_nobody_looked() {
        let mut receiver = Receiver::default();
        let mut take = |at: u64, sequence, end, duration| {
            let packet = payload(5, end, duration);
            let heard = receiver.packet(
                Time(at * 1_000),
                &header(sequence == 0, sequence, 9),
                8_000,
                &packet,
            );
            let late = receiver.timeout(Time((at + 300) * 1_000));
            (heard.to_vec(), late)
        };
        assert_eq!(take(0, 0, false, 160), (vec![Heard::Pressed(b'5')], None));
        assert_eq!(take(300, 1, false, 320), (vec![], None));
        assert_eq!(take(600, 2, true, 800), (vec![Heard::Released(b'5', 100)], None));
    }

    #[test]
    fn other_events_and_short_packets_are_no_digits() {
        assert_eq!(
            heard(8_000, &[(0, 0, 16, false, 160), (20, 0, 200, true, 160)]),
            []
        );
        let short = Receiver::default().packet(Time(0), &header(true, 0, 0), 8_000, &[1, 0]);
        assert!(short.is_empty());
    }

    /// Packets of one press of a sender whose timestamp moves: every 20 ms from `at`, the last of them `ends` ends.
    fn moving(at: u64, sequence: u16, key: u8, ends: u16) -> Vec<Numbered> {
        let packet = |i: u16| {
            let timestamp = 8 * at as u32 + 160 * u32::from(i);
            let time = at + 20 * u64::from(i);
            let duration = 160 * (i.min(5) + 1);
            (sequence + i, i == 0, (time, timestamp, key, i >= 5, duration))
        };
        (0..5 + ends).map(packet).collect()
    }

    #[test]
    fn a_timestamp_that_moves_within_a_press_makes_one_press() {
        for ends in [1, 3] {
            let mut packets = moving(0, 10, 5, ends);
            packets.extend(moving(300, 100, 5, ends));
            packets.extend(moving(600, 200, 6, ends));
            let press = |key| [Heard::Pressed(key), Heard::Released(key, 120)];
            let whole: Vec<_> = [press(b'5'), press(b'5'), press(b'6')].concat();
            assert_eq!(heard_with(8_000, &packets), whole, "{ends} ends");
            packets.retain(|(sequence, ..)| sequence % 100 != 12 && sequence % 100 != 3);
            assert_eq!(heard_with(8_000, &packets), whole, "{ends} ends, one lost");
        }
    }

    #[test]
    fn a_timestamp_that_stands_over_two_presses_makes_two() {
        let press = |at: u64, sequence: u16| {
            (0..8).map(move |i: u16| {
                let duration = 160 * (i.min(5) + 1);
                let packet = (at + 20 * u64::from(i), 4_000, 1, i >= 5, duration);
                (sequence + i, i == 0, packet)
            })
        };
        let packets: Vec<_> = press(0, 10).chain(press(300, 30)).collect();
        let once = [Heard::Pressed(b'1'), Heard::Released(b'1', 120)];
        assert_eq!(heard_with(8_000, &packets), [once, once].concat());
        let mut late = packets[..8].to_vec();
        late.push(packets[0]);
        assert_eq!(
            heard_with(8_000, &late),
            once,
            "the first packet comes again after the end"
        );
        let mut held_up = packets[..8].to_vec();
        for (_, _, packet) in &mut held_up[3..] {
            packet.0 += 500;
        }
        let short = [once[0], Heard::Released(b'1', 60)];
        assert_eq!(
            heard_with(8_000, &held_up),
            short,
            "the network stood still meanwhile"
        );
        let unmarked: Vec<_> = packets
            .into_iter()
            .map(|(s, _, packet)| (s, false, packet))
            .collect();
        assert_eq!(
            heard_with(8_000, &unmarked),
            [once, once].concat(),
            "no marker at all"
        );
    }
}
