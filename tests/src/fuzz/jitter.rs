//! Packets into a jitter buffer for a stream of Opus, as they come, and sound out of it at even times: an input is a row of steps
//! of four octets.

use std::time::Duration;

use media_core::jitter::{Buffer, Inserted, Step};
use sans_io::Time;

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "jitter",
    seeds,
    words: &[],
    run,
};

const NEXT: u8 = 0;
const LOSE: u8 = 1;
const AGAIN: u8 = 2;
const LATE: u8 = 3;
const JUMP: u8 = 4;
const PLAY: u8 = 5;
const WAIT: u8 = 6;
const SILENT: u8 = 7;

const CLOCK: u32 = 48_000;
const TICK: Duration = Duration::from_millis(20);
/// Lengths of Opus packets in ticks: 2.5 to 120 ms.
const LENGTHS: [u32; 8] = [120, 240, 480, 960, 1_920, 2_880, 3_840, 5_760];
/// The longest gap that is filled in one go, ticks: 120 ms of redundancy.
const LONGEST: i64 = 5_760;

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for length in [2, 3, 5] {
        for trouble in [NEXT, LOSE, AGAIN, LATE, SILENT, JUMP] {
            let mut steps: Vec<[u8; 4]> = Vec::new();
            for at in 0..60 {
                let kind = if at % 7 == 5 { trouble } else { NEXT };
                steps.extend([[kind, length, 3, 2], [WAIT, 20, 0, 0], [PLAY, 1, 0, 0]]);
            }
            steps.extend([
                [WAIT, 0, 9, 0],
                [PLAY, 20, 0, 0],
                [NEXT, length, 0, 0],
                [PLAY, 3, 0, 0],
            ]);
            seeds.push(steps.concat());
        }
    }
    seeds
}

/// A packet comes out once, whole, and after those before it; a frame needs few steps; what is made up has bounds; and the buffer
/// never falls behind for long.
pub fn run(input: &[u8]) {
    let mut buffer = Buffer::new(CLOCK);
    let mut now = Time::from_secs(1_000);
    let (mut sequence, mut timestamp) = (65_500_u16, u32::MAX - 9_000);
    // Packets that went in, by their number, which is their payload as well; those that came out lie before `next`.
    let (mut made, mut out): (u32, Option<u32>) = (0, None);
    let mut past: Vec<(u16, u32, u32, u32)> = Vec::new();
    for [kind, a, b, c] in input.as_chunks::<4>().0.iter().take(400).copied() {
        let length = LENGTHS[usize::from(a) % 8];
        match kind % 8 {
            PLAY => {
                for _ in 0..a.max(1) {
                    let Some(due) = buffer.due() else { break };
                    now = now.max(due);
                    if now.since(due) > Duration::from_millis(200) {
                        buffer.catch_up(now);
                    }
                    frame(&mut buffer, &mut out);
                    buffer.advance(TICK);
                }
            }
            WAIT => now += Duration::from_millis(u64::from(a) + 100 * u64::from(b)),
            AGAIN | LATE if !past.is_empty() => {
                let back = usize::from(b) % past.len();
                let Some((sequence, timestamp, length, number)) = past.iter().rev().nth(back).copied() else {
                    continue;
                };
                let inserted = buffer.insert(now, sequence, timestamp, length, false, &number.to_be_bytes());
                if inserted == Inserted::Restarted {
                    out = None;
                }
            }
            kind => {
                if kind == JUMP {
                    sequence = sequence.wrapping_add(u16::from(b) << 7);
                    timestamp = timestamp.wrapping_add(u32::from(c) << 18);
                }
                if kind != LOSE {
                    let silent = kind == SILENT;
                    let inserted =
                        buffer.insert(now, sequence, timestamp, length, silent, &made.to_be_bytes());
                    if inserted == Inserted::Restarted {
                        out = None;
                    }
                    past.push((sequence, timestamp, length, made));
                }
                made += 1;
                sequence = sequence.wrapping_add(1);
                timestamp = timestamp.wrapping_add(length);
            }
        }
        assert!(
            (20_000..=200_000).contains(&buffer.target()),
            "a target of {} µs",
            buffer.target()
        );
    }
}

/// Takes 20 ms from the buffer.
fn frame(buffer: &mut Buffer, out: &mut Option<u32>) {
    let (mut backlog, mut steps) = (0, 0);
    while backlog < 20_000 {
        let step = buffer.next(
            backlog,
            |payload| payload.len() < 3,
            |payload| payload[3] & 1 == 1,
        );
        let ticks = match step {
            Step::Packet(index) => {
                let number = number(buffer, index);
                assert!(out.is_none_or(|before| before < number), "{number} after {out:?}");
                *out = Some(number);
                // The least that a packet of Opus lasts.
                120
            }
            Step::Recover(index, ticks) => {
                let number = number(buffer, index);
                assert!(
                    out.is_none_or(|before| before < number),
                    "redundancy in {number} after {out:?}"
                );
                ticks
            }
            Step::Conceal(ticks) | Step::Noise(ticks) => ticks,
        };
        assert!((1..=LONGEST).contains(&ticks), "{step:?}");
        backlog += ticks * 1_000_000 / i64::from(CLOCK) + 1;
        steps += 1;
        assert!(steps < 2_000, "{step:?} leads nowhere");
    }
}

fn number(buffer: &Buffer, index: usize) -> u32 {
    u32::from_be_bytes(
        *buffer
            .payload(index)
            .first_chunk()
            .expect("the payload that went in"),
    )
}
