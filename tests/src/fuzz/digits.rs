//! Keys that a peer presses, as telephone events and in sound: an input is a row of steps of four octets.

use std::time::Duration;

use media_core::codec::{FRAME, RATE};
use media_core::dtmf::{Detector, Heard, Receiver, digit, event};
use media_core::rtp::Header;
use media_core::tone::{Dual, digit_frequencies};
use sans_io::{Rng, Time};

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "digits",
    seeds,
    words: &[],
    run,
};

const EVENT: u8 = 0;
const WAIT: u8 = 1;
const TONE: u8 = 2;
const NOISE: u8 = 3;
const DIGITS: &[u8] = b"0123456789*#ABCD";

/// End of the press, and first packet of one, in the last octet of an event's step.
const END: u8 = 1;
const MARKER: u8 = 2;
/// The timestamp is that of another press, or moves on with the packet.
const ANEW: u8 = 4;
const MOVES: u8 = 8;

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for moves in [0, MOVES] {
        for repeated in 1..4 {
            let mut steps: Vec<[u8; 4]> = Vec::new();
            for key in 0..17 {
                steps.push([EVENT, key, 2, MARKER | ANEW]);
                for length in 3..7 {
                    steps.extend([[WAIT, 20, 0, 0], [EVENT, key, length, moves]]);
                }
                steps.extend((0..repeated).map(|_| [EVENT, key, 7, END]));
                steps.push([WAIT, 50 * repeated, 0, 0]);
            }
            // No end; then another key at once.
            steps.extend([
                [EVENT, 5, 2, MARKER | ANEW],
                [EVENT, 6, 2, MARKER | ANEW],
                [WAIT, 250, 0, 0],
            ]);
            seeds.push(steps.concat());
        }
    }
    for level in [5, 20, 40] {
        let mut steps: Vec<[u8; 4]> = Vec::new();
        for key in 0..16 {
            steps.extend([
                [TONE, key, 3, level],
                [NOISE, 0, 3, 1],
                [TONE, key, 1, level],
                [NOISE, 9, 2, 200],
            ]);
        }
        seeds.push(steps.concat());
    }
    seeds
}

/// A key comes up before the next goes down, and after silence in any case; a digit in sound is one of the sixteen, and a clean
/// one is heard.
pub fn run(input: &[u8]) {
    let mut now = Time::from_secs(1_000);
    let (mut receiver, mut down) = (Receiver::default(), None);
    let (mut sequence, mut timestamp) = (65_530_u16, u32::MAX - 900);
    let mut detector = Detector::default();
    let mut quiet = true;
    let mut rng = Rng::seeded(7);
    for [kind, a, b, c] in input.as_chunks::<4>().0.iter().take(400).copied() {
        match kind % 4 {
            EVENT => {
                if c & ANEW != 0 {
                    timestamp = timestamp.wrapping_add(4_000);
                } else if c & MOVES != 0 {
                    timestamp = timestamp.wrapping_add(160);
                }
                let header = Header {
                    marker: c & MARKER != 0,
                    payload_type: 101,
                    sequence,
                    timestamp,
                    ssrc: 7,
                };
                sequence = sequence.wrapping_add(1 + u16::from(c >> 4));
                let [high, low] = (u16::from(b) * 160).to_be_bytes();
                let payload = [a, (c & END) << 7 | 10, high, low];
                let heard = receiver.packet(now, &header, 8_000, &payload[..4 - usize::from(c >> 7)]);
                heard.into_iter().for_each(|heard| hear(heard, &mut down));
            }
            WAIT => {
                now += Duration::from_millis(u64::from(a));
                if let Some(heard) = receiver.timeout(now) {
                    hear(heard, &mut down);
                }
            }
            TONE => {
                let key = DIGITS[usize::from(a) % 16];
                let level = f32::from(c % 30);
                let mut dual = Dual::new(digit_frequencies(key).expect("a digit"), -level);
                let mut heard = Vec::new();
                let frames = 1 + b % 8;
                for _ in 0..frames {
                    let mut pcm = [0; FRAME];
                    dual.add(&mut pcm);
                    heard.extend(detector.listen(&pcm));
                }
                // Three frames are more than the two blocks of 12.75 ms that must agree, wherever the first begins.
                if quiet && frames >= 3 {
                    assert_eq!(heard, [key], "at -{level} dBm0");
                    assert_eq!(detector.present(), Some(key));
                }
                quiet = false;
            }
            _ => {
                let samples = FRAME * usize::from(1 + b % 8);
                let amplitude = u64::from(c) * 64;
                let mut noise = || rng.below(2 * amplitude + 1) as i64 - amplitude as i64;
                let pcm: Vec<i16> = (0..samples)
                    .map(|_| if a == 0 { 0 } else { noise() as i16 })
                    .collect();
                assert!(detector.listen(&pcm).is_none_or(|heard| DIGITS.contains(&heard)));
                quiet = a == 0 && samples >= RATE as usize / 20;
                assert!(!quiet || detector.present().is_none());
            }
        }
        assert_eq!(receiver.pressed(), down.is_some());
        assert_eq!(receiver.deadline().is_some(), down.is_some());
    }
    // In time, however late it is asked.
    for _ in 0..3 {
        let Some((at, _)) = receiver.deadline() else { break };
        now = now.max(at);
        if let Some(heard) = receiver.timeout(now) {
            hear(heard, &mut down);
        }
    }
    assert_eq!(down, None, "a key stays down");
}

fn hear(heard: Heard, down: &mut Option<u8>) {
    match heard {
        Heard::Pressed(key) => {
            assert_eq!(down.replace(key), None, "two keys are down");
            assert_eq!(event(key).and_then(digit), Some(key));
        }
        Heard::Released(key, _) => assert_eq!(down.take(), Some(key), "another key comes up"),
    }
}
