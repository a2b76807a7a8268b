//! The load generator behind `tests/bench`: it drives the gateway, and beside it the peers that a user would take
//! instead, with the same packets, and measures what each costs. Loopback only; one thread, so that a machine of two
//! cores has one left for the system under test.
//!
//! Everything that matters for the measurement is written again here (SRTP, STUN, the packets, SIP of few words) and shares
//! nothing with the code under test; only the DTLS handshake is a library's.

mod align;
mod browser;
mod centre;
mod dtls;
mod gateway;
mod media;
mod ng;
mod pace;
mod party;
mod peers;
mod process;
mod register;
mod rtpengine;
mod sdp;
pub mod shard;
mod signalling;
mod sip;
mod speech;
mod srtp;
mod stun;
mod websocket;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Load generator of the benchmarks; `tests/bench` calls it.
#[derive(Parser)]
#[command(disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
    /// The gateway's program, built for release.
    #[arg(long, global = true, default_value = "target/release/cordboard")]
    gateway: PathBuf,
    /// Measure only `gateway` or `peer`.
    #[arg(long, global = true)]
    system: Option<Which>,
    /// Folder of the peers, made by their `setup.sh`. Without it only the gateway is measured.
    #[arg(long, global = true, env = "CORDBOARD_PEERS")]
    peers: Option<PathBuf>,
    /// Folder of the test data that others made.
    #[arg(long, global = true, env = "CORDBOARD_CORPORA")]
    corpora: Option<PathBuf>,
    /// Folder for logs and generated configurations.
    #[arg(long, global = true, default_value = "target/bench")]
    scratch: PathBuf,
}

#[derive(Subcommand)]
enum Bench {
    /// CPU, latency, loss and memory of calls.
    Media(media::Options),
    /// INVITE and REGISTER.
    Signalling(signalling::Options),
    /// From a browser's INVITE to the first audio packet that it receives.
    Setup(browser::Options),
    /// A call centre at work, and whether all its numbers agree.
    Centre(centre::Options),
    /// The event stream, cut again and again.
    Stream(centre::stream::Options),
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    Gateway,
    Peer,
}

impl Arguments {
    /// The systems to measure, and those left out with the reason.
    fn systems(&self) -> (Vec<Which>, Option<String>) {
        let (gateway, peers) = (self.gateway.is_file(), self.peers.is_some());
        let wanted = |which| self.system.is_none_or(|only| only == which);
        let mut systems = Vec::new();
        if wanted(Which::Peer) && peers {
            systems.push(Which::Peer);
        }
        if wanted(Which::Gateway) && gateway {
            systems.push(Which::Gateway);
        }
        let note = if wanted(Which::Gateway) && !gateway {
            Some(format!(
                "{} is not there: only the peer is measured",
                self.gateway.display()
            ))
        } else if wanted(Which::Peer) && !peers {
            Some("CORDBOARD_PEERS is not set: only the gateway is measured".to_string())
        } else {
            None
        };
        (systems, note)
    }
}

/// Runs what the command line asks for.
///
/// # Errors
/// With what went wrong, for people.
pub fn run() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.scratch)?;
    let (systems, note) = arguments.systems();
    if let Some(note) = note {
        println!("note: {note}");
    }
    match &arguments.bench {
        Bench::Media(options) => media::run(&arguments, options, &systems),
        Bench::Signalling(options) => signalling::run(&arguments, options, &systems),
        Bench::Setup(options) => browser::run(&arguments, options, &systems),
        Bench::Centre(options) => centre::run(&arguments, options),
        Bench::Stream(options) => centre::run_stream(&arguments, options),
    }
}

/// Audio that a party sends and expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Opus,
    Pcmu,
}

impl Codec {
    fn payload_type(self) -> u8 {
        match self {
            Codec::Opus => 111,
            Codec::Pcmu => 0,
        }
    }

    /// Time stamp units of 20 ms.
    fn ticks(self) -> u32 {
        match self {
            Codec::Opus => 960,
            Codec::Pcmu => 160,
        }
    }
}

/// A system that carries calls: ours or a peer.
trait System {
    /// The processes that are measured.
    fn pids(&self) -> &[u32];

    /// Sets up call `number` from a caller who offers `offer` to a phone that answers `answer`: the answer to the
    /// caller and the offer to the phone.
    fn call(&mut self, number: usize, offer: &str, answer: &str) -> Outcome<(sdp::Remote, sdp::Remote)>;

    /// Does what signalling asks for while calls go on. Never waits.
    fn attend(&mut self) -> Outcome<()>;

    /// Ends all calls.
    fn hang_up(&mut self) -> Outcome<()>;

    /// CPU time so far, nanoseconds.
    fn cpu_ns(&self) -> u64 {
        process::cpu_ns(self.pids())
    }
}
