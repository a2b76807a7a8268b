//! Tapped packets on their way to sound: an input is a row of steps of four octets, packets of real speech in Opus and G.711 that
//! are lost, repeated, reordered, cut and replaced, and times at which sound is asked for.

use std::sync::LazyLock;
use std::time::Duration;

use media_core::codec::RATE;
use media_core::negotiated::Codec;
use media_core::rtp::HEADER;
use media_core::tap::Playout;
use sans_io::Time;

use super::Target;
use crate::load::shard::packets;

/// See the module.
pub const TARGET: Target = Target {
    name: "playout",
    seeds,
    words: &[],
    run,
};

const NEXT: u8 = 0;
const LOSE: u8 = 1;
const AGAIN: u8 = 2;
const DAMAGE: u8 = 3;
const CUT: u8 = 4;
const JUMP: u8 = 5;
const RAW: u8 = 6;
const PULL: u8 = 7;

const TICK: Duration = Duration::from_millis(20);
const CODECS: [Codec; 4] = [Codec::Opus, Codec::Pcmu, Codec::Pcma, Codec::G722];
static SPEECH: LazyLock<[Vec<Vec<u8>>; 4]> = LazyLock::new(|| CODECS.map(|codec| packets(codec, 60)));

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for codec in 0..4 {
        let mut steps: Vec<[u8; 4]> = Vec::new();
        for at in 0..50 {
            match at % 17 {
                5 => steps.push([LOSE, codec, 1, 0]),
                9 => steps.extend([[AGAIN, codec, 2, 0], [NEXT, codec, 0, 0]]),
                11 => steps.push([DAMAGE, codec, 14, 0x40]),
                13 => steps.push([CUT, codec, 30, 0]),
                _ => steps.push([NEXT, codec, 0, 0]),
            }
            steps.push([PULL, 1, 0, 0]);
        }
        steps.extend([
            [PULL, 60, 0, 0],
            [JUMP, codec, 200, 9],
            [NEXT, codec, 0, 0],
            [PULL, 4, 0, 0],
        ]);
        steps.extend([
            [RAW, codec, 40, 0xfc],
            [NEXT, (codec + 1) % 4, 0, 0],
            [PULL, 9, 0, 0],
        ]);
        for rate in [0, 1] {
            seeds.push([&[rate][..], &steps.concat()].concat());
        }
    }
    seeds
}

/// Sound comes 20 ms at a time at a rate that the codec has, nothing comes before the first packet, and what is made up is counted
/// and ends.
pub fn run(input: &[u8]) {
    let Some((rate, steps)) = input.split_first() else {
        return;
    };
    let rate = if rate & 1 == 0 { RATE } else { 2 * RATE };
    let mut playout = Playout::new(rate);
    let mut now = Time::from_secs(1_000);
    let (mut sequence, mut timestamp) = (65_500_u16, u32::MAX - 9_000);
    let (mut at, mut concealed, mut heard) = (0, 0, None);
    for [kind, a, b, c] in steps.as_chunks::<4>().0.iter().take(300).copied() {
        let codec = CODECS[usize::from(a) % 4];
        if kind % 8 == PULL {
            for _ in 0..a.max(1) {
                now += TICK;
                let Some(pcm) = playout.pull(now).map(<[i16]>::len) else {
                    continue;
                };
                let silence = heard.map(|heard| now.since(heard));
                let silence = silence.expect("sound before the first packet");
                assert!(
                    silence < Duration::from_secs(3),
                    "sound {silence:?} after the last packet"
                );
                assert!([RATE, rate].contains(&playout.rate()));
                assert_eq!(pcm, playout.rate() as usize / 50);
                assert!((concealed..=concealed + 1_000).contains(&playout.concealed()));
                concealed = playout.concealed();
            }
            continue;
        }
        let speech = &SPEECH[usize::from(a) % 4];
        let back = if kind % 8 == AGAIN { usize::from(b % 16) } else { 0 };
        let place = (at + speech.len() - back) % speech.len();
        let mut packet = speech[place].clone();
        let own = sequence.wrapping_sub(back as u16);
        packet[2..4].copy_from_slice(&own.to_be_bytes());
        let ticks = codec.clock() / 50;
        packet[4..8].copy_from_slice(&timestamp.wrapping_sub(back as u32 * ticks).to_be_bytes());
        if back == 0 {
            at += 1;
            sequence = sequence.wrapping_add(1);
            timestamp = timestamp.wrapping_add(ticks);
        }
        match kind % 8 {
            LOSE => continue,
            DAMAGE => {
                let place = usize::from(b) % packet.len();
                packet[place] ^= c;
            }
            CUT => packet.truncate(HEADER + usize::from(b)),
            JUMP => {
                sequence = sequence.wrapping_add(u16::from(b) << 7);
                timestamp = timestamp.wrapping_add(u32::from(c) << 24);
                continue;
            }
            RAW => {
                packet.truncate(HEADER);
                packet.extend(vec![c; usize::from(b)]);
            }
            _ => {}
        }
        playout.insert(now, codec, &packet);
        heard = Some(now);
    }
}
