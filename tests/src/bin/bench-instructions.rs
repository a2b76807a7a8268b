//! Instructions that a media shard executes for one packet of 20 ms, counted by callgrind: relay, transcoding and mix, without
//! sockets and without SRTP. Counts do not depend on the machine's load, so that two versions of the code can be compared to a
//! tenth of a percent. Each scenario runs twice, over more packets the second time; the difference is what the packets cost,
//! without the set-up.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use cordboard_tests::load::shard::{address, bridge, drain, open, packets, party, shard};
use media_core::control::SocketId;
use media_core::negotiated::Codec;
use media_core::shard::Input;
use sans_io::Time;

/// Frames of the short run and of the long one.
const FRAMES: [usize; 2] = [50, 250];

/// Codecs of the members of each bridge: two parties are relayed or transcoded, three are mixed.
const SCENARIOS: [(&str, &[Codec]); 8] = [
    ("relay PCMU", &[Codec::Pcmu, Codec::Pcmu]),
    ("relay Opus", &[Codec::Opus, Codec::Opus]),
    ("transcode PCMU, PCMA", &[Codec::Pcmu, Codec::Pcma]),
    ("transcode Opus, PCMU", &[Codec::Opus, Codec::Pcmu]),
    ("transcode G.722, PCMU", &[Codec::G722, Codec::Pcmu]),
    ("transcode Opus, G.722", &[Codec::Opus, Codec::G722]),
    ("mix of three PCMU", &[Codec::Pcmu; 3]),
    (
        "mix of Opus, Opus, PCMU",
        &[Codec::Opus, Codec::Opus, Codec::Pcmu],
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [scenario, frames] = &arguments[..]
        && let Some((_, members)) = scenario.parse().ok().and_then(|at: usize| SCENARIOS.get(at))
        && let Ok(frames) = frames.parse()
    {
        run(members, frames);
        return ExitCode::SUCCESS;
    }
    println!("instructions for one packet received, and what becomes of it");
    for (at, (name, members)) in SCENARIOS.iter().enumerate() {
        let [Some(short), Some(long)] = FRAMES.map(|frames| instructions(at, frames)) else {
            eprintln!("callgrind did not run (Debian: apt-get install valgrind)");
            return ExitCode::FAILURE;
        };
        let packets = (FRAMES[1] - FRAMES[0]) * members.len();
        println!("{name:<24} {:>10.1}", (long - short) as f64 / packets as f64);
    }
    ExitCode::SUCCESS
}

/// Instructions of a whole run of this program under callgrind.
fn instructions(scenario: usize, frames: usize) -> Option<u64> {
    let itself = std::env::current_exe().ok()?;
    let counts = itself.with_extension(format!("{scenario}-{frames}.callgrind"));
    let status = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(&itself)
        .args([scenario.to_string(), frames.to_string()])
        .stderr(Stdio::null())
        .status()
        .ok()?;
    status.success().then(|| total(&counts)).flatten()
}

/// The sum that callgrind wrote at the end of its file.
fn total(counts: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(counts).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals:"))?;
    line.trim().parse().ok()
}

/// Sends `frames` packets of each member through one bridge.
fn run(members: &[Codec], frames: usize) {
    let mut now = Time::from_secs(1_800_000_000);
    let mut shard = shard(0, now, members.len());
    for (leg, codec) in members.iter().enumerate() {
        open(&mut shard, now, leg, *codec);
    }
    let parties = (0..members.len()).map(|leg| party(leg, 0)).collect();
    shard.handle_input(now, bridge(0, 0, parties));
    // As many in each run, so that what it takes to make them is the same.
    let speech: Vec<_> = members.iter().map(|codec| packets(*codec, FRAMES[1])).collect();
    let mut datagram = [0; 1_500];
    let mut sent = 0;
    for frame in 0..frames {
        now += Duration::from_millis(20);
        for (leg, said) in speech.iter().enumerate() {
            let packet = &said[frame];
            let data = &mut datagram[..packet.len()];
            data.copy_from_slice(packet);
            shard.handle_datagram(now, SocketId(2 * leg as u32), address(leg), data);
            sent += drain(&mut shard);
        }
        shard.handle_input(now, Input::Timeout);
        sent += drain(&mut shard);
    }
    assert!(
        sent >= members.len() * (frames - 5),
        "{sent} packets came out of {frames} frames"
    );
}
