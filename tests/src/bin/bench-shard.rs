//! Cost of a 20 ms frame inside a media shard, without sockets and without SRTP: relay, G.711 to G.711, Opus
//! to and from PCMU, and mixes. One line for each: µs of this thread per frame and direction.

use std::time::{Duration, Instant};

use cordboard_tests::load::shard::{address, bridge, drain, open, packets, party, shard};
use media_core::control::SocketId;
use media_core::negotiated::Codec;
use media_core::shard::Input;
use sans_io::Time;

const CALLS: usize = 50;
const FRAMES: usize = 500;

fn main() {
    println!("{CALLS} calls, {FRAMES} frames each way; median of 5 runs");
    for (left, right) in [
        (Codec::Pcmu, Codec::Pcmu),
        (Codec::Pcmu, Codec::Pcma),
        (Codec::Opus, Codec::Pcmu),
    ] {
        let mut runs: Vec<[f64; 2]> = (0..5).map(|_| run(left, right)).collect();
        let mut median = |side: usize| {
            runs.sort_by(|a, b| a[side].total_cmp(&b[side]));
            runs[2][side]
        };
        let (forth, back) = (median(0), median(1));
        println!("{} -> {}  {forth:.2} us", left.name(), right.name());
        println!("{} -> {}  {back:.2} us", right.name(), left.name());
    }
    for members in [
        &[Codec::Pcmu; 3][..],
        &[Codec::Opus, Codec::Pcmu, Codec::Pcmu],
        &[Codec::Opus; 3],
        &[Codec::Opus; 6],
    ] {
        let mut runs: Vec<f64> = (0..5).map(|_| run_mix(members)).collect();
        runs.sort_by(f64::total_cmp);
        let names: Vec<&str> = members.iter().map(|codec| codec.name()).collect();
        println!("mix of {}  {:.2} us a member", names.join(", "), runs[2]);
    }
}

/// µs for each member and 20 ms of a mix: its packet in, and its sound out.
fn run_mix(members: &[Codec]) -> f64 {
    let mut now = Time::from_secs(1_800_000_000);
    let mixes = CALLS * 2 / members.len();
    let legs = mixes * members.len();
    let mut shard = shard(0, now, legs);
    for leg in 0..legs {
        open(&mut shard, now, leg, members[leg % members.len()]);
    }
    for mix in 0..mixes {
        let first = mix * members.len();
        let members = (first..first + members.len()).map(|leg| party(leg, 0)).collect();
        shard.handle_input(now, bridge(mix, 0, members));
    }
    let mut speech: Vec<_> = members
        .iter()
        .map(|codec| packets(*codec, FRAMES).into_iter())
        .collect();
    let (mut spent, mut sent) = (Duration::ZERO, 0);
    for _ in 0..FRAMES {
        now += Duration::from_millis(20);
        let said: Vec<Vec<u8>> = speech.iter_mut().filter_map(Iterator::next).collect();
        let mut datagrams: Vec<Vec<u8>> = said.iter().cycle().take(legs).cloned().collect();
        let start = Instant::now();
        for (leg, data) in datagrams.iter_mut().enumerate() {
            shard.handle_datagram(now, SocketId(2 * leg as u32), address(leg), data);
        }
        shard.handle_input(now, Input::Timeout);
        sent += drain(&mut shard);
        spent += start.elapsed();
    }
    assert!(sent >= legs * (FRAMES - 5), "{sent} packets came out");
    spent.as_secs_f64() * 1e6 / (legs * FRAMES) as f64
}

/// µs a frame, from left to right and back.
fn run(left: Codec, right: Codec) -> [f64; 2] {
    let mut now = Time::from_secs(1_800_000_000);
    let mut shard = shard(0, now, 2 * CALLS);
    for leg in 0..2 * CALLS {
        open(&mut shard, now, leg, if leg % 2 == 0 { left } else { right });
    }
    for call in 0..CALLS {
        shard.handle_input(
            now,
            bridge(call, 0, vec![party(2 * call, 0), party(2 * call + 1, 0)]),
        );
    }
    let speech = [packets(left, FRAMES), packets(right, FRAMES)];
    let mut spent = [Duration::ZERO; 2];
    let mut sent = 0;
    for (forth, back) in speech[0].iter().zip(&speech[1]) {
        now += Duration::from_millis(20);
        for (side, packet) in [forth, back].into_iter().enumerate() {
            let mut datagrams: Vec<Vec<u8>> = vec![packet.clone(); CALLS];
            let start = Instant::now();
            for (call, data) in datagrams.iter_mut().enumerate() {
                let leg = 2 * call + side;
                shard.handle_datagram(now, SocketId(2 * leg as u32), address(leg), data);
            }
            sent += drain(&mut shard);
            spent[side] += start.elapsed();
        }
        shard.handle_input(now, Input::Timeout);
        drain(&mut shard);
    }
    assert!(sent >= 2 * CALLS * (FRAMES - 1), "{sent} packets came out");
    spent.map(|spent| spent.as_secs_f64() * 1e6 / (CALLS * FRAMES) as f64)
}
