//! Tapped packets on their way into a recording: an input is a row of steps of four octets, packets of real speech and telephone events
//! that are lost, damaged, or come from another sender, while time passes and the recording is paused.

use std::sync::LazyLock;
use std::time::Duration;

use media_core::negotiated::Codec;
use media_core::recording::{Channel, Recorder, RecorderSettings};
use media_core::rtp::HEADER;
use sans_io::Time;

use super::Target;
use crate::load::shard::packets;

/// See the module.
pub const TARGET: Target = Target {
    name: "recorder",
    seeds,
    words: &[],
    run,
};

const NEXT: u8 = 0;
const LOSE: u8 = 1;
const DAMAGE: u8 = 2;
const RAW: u8 = 3;
const EVENT: u8 = 4;
const WAIT: u8 = 5;
const PAUSE: u8 = 6;
const OTHER: u8 = 7;

const CODECS: [Codec; 4] = [Codec::Opus, Codec::Pcmu, Codec::Pcma, Codec::G722];
static SPEECH: LazyLock<[Vec<Vec<u8>>; 4]> = LazyLock::new(|| CODECS.map(|codec| packets(codec, 60)));

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (codec, part) in (0..4).flat_map(|codec| [(codec, 0..15), (codec, 15..30)]) {
        let mut steps: Vec<[u8; 4]> = Vec::new();
        for at in part {
            match at % 19 {
                4 => steps.push([LOSE, codec, 1, 0]),
                7 => steps.push([DAMAGE, codec, 3, 0x40]),
                9 => steps.push([EVENT, codec, 5, 0x0a]),
                11 => steps.push([PAUSE, 0, 0, 0]),
                13 => steps.push([RAW, codec, 40, 0xfc]),
                15 => steps.push([OTHER, codec, 9, 0]),
                17 => steps.push([WAIT, 90, 0, 0]),
                _ => steps.push([NEXT, codec, at & 1, 0]),
            }
            steps.push([WAIT, 10, 0, 0]);
        }
        for rate in [0, 1] {
            seeds.push([&[rate][..], &steps.concat()].concat());
        }
    }
    seeds
}

/// The recording is as long as the time that passed, and a little longer at most for a sender that is ahead; no frame is too
/// long.
pub fn run(input: &[u8]) {
    let Some((rate, steps)) = input.split_first() else {
        return;
    };
    let rate = if rate & 7 == 0 { 16_000 } else { 8_000 };
    let mut recorder = Recorder::new(RecorderSettings {
        rate,
        silences_digits: true,
    });
    let began = Time::from_secs(1_000);
    let mut now = began;
    let (mut sequence, mut timestamp, mut source) = (65_500_u16, u32::MAX - 9_000, 1);
    let mut length = 0;
    for (at, [kind, a, b, c]) in steps.as_chunks::<4>().0.iter().take(30).copied().enumerate() {
        let index = usize::from(a) % 4;
        let mut packet = SPEECH[index][at % 60].clone();
        let mut codec = Some(CODECS[index]);
        match kind % 8 {
            WAIT => now += Duration::from_millis(u64::from(a)),
            PAUSE if recorder.is_paused() => recorder.resume(now),
            PAUSE => recorder.pause(now),
            LOSE => sequence = sequence.wrapping_add(u16::from(b) << (c % 8)),
            OTHER => source = u32::from(b),
            _ => {
                packet[2..4].copy_from_slice(&sequence.to_be_bytes());
                packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
                packet[8..12].copy_from_slice(&source.to_be_bytes());
                sequence = sequence.wrapping_add(1);
                timestamp = timestamp.wrapping_add(CODECS[index].clock() / 50);
            }
        }
        match kind % 8 {
            NEXT => {}
            DAMAGE => {
                let place = usize::from(b) % packet.len();
                packet[place] ^= c;
            }
            RAW => {
                packet.truncate(HEADER);
                packet.extend(vec![c; usize::from(b)]);
            }
            EVENT => {
                packet.truncate(HEADER);
                packet.extend([b, c, a, a]);
                codec = None;
            }
            _ => continue,
        }
        let channel = if b & 1 == 0 { Channel::Far } else { Channel::Ours };
        recorder.insert(now, channel, codec, &packet);
        length += drain(&mut recorder, now);
    }
    recorder.finish();
    length += drain(&mut recorder, now);
    assert!(recorder.pull(now).is_none());
    let passed = now.since(began).as_micros() as usize * rate as usize / 1_000_000;
    let most = passed + 3 * rate as usize;
    assert!(length <= most, "{length} samples of {most}");
}

/// Samples of each channel that came out.
fn drain(recorder: &mut Recorder, now: Time) -> usize {
    let most = 2 * recorder.rate() as usize / 50;
    let mut length = 0;
    while let Some(frame) = recorder.pull(now) {
        assert!(frame.len() <= most && frame.len() % 2 == 0);
        length += frame.len() / 2;
    }
    length
}
