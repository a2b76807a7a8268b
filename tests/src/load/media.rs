//! `media`: the same calls through rtpengine and through the gateway, in turn.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;

use super::align::{Alignment, percentile};
use super::dtls::Identity;
use super::gateway::Calls;
use super::pace::Pace;
use super::party::Party;
use super::process::memory_kb;
use super::rtpengine::RtpEngine;
use super::sdp::Local;
use super::speech::Speech;
use super::{Arguments, Codec, Outcome, System, Which};

/// Calls of which the sound is examined.
const EXAMINED: usize = 6;

/// Options of `media`.
#[derive(Args)]
pub(crate) struct Options {
    /// Short runs, once each: a look, not a measurement.
    #[arg(long)]
    quick: bool,
    /// Only this scenario.
    #[arg(long)]
    scenario: Option<Scenario>,
    /// Calls at once; each scenario has its own number.
    #[arg(long)]
    calls: Option<usize>,
    /// Seconds that are measured.
    #[arg(long)]
    seconds: Option<u64>,
    /// Number of measurements of each system, in turn.
    #[arg(long)]
    rounds: Option<usize>,
}

/// Kinds of calls.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Scenario {
    /// PCMU, RTP on both sides.
    Relay,
    /// PCMU, DTLS-SRTP with ICE to RTP.
    DtlsRelay,
    /// Opus, DTLS-SRTP with ICE, to PCMU, RTP.
    OpusDtls,
}

impl Scenario {
    const ALL: [Scenario; 3] = [Scenario::Relay, Scenario::DtlsRelay, Scenario::OpusDtls];

    fn name(self) -> &'static str {
        match self {
            Scenario::Relay => "relay",
            Scenario::DtlsRelay => "dtls_relay",
            Scenario::OpusDtls => "opus_dtls",
        }
    }

    /// As many calls as rtpengine carries without loss on one of two cores.
    fn calls(self) -> usize {
        match self {
            Scenario::Relay => 80,
            Scenario::DtlsRelay => 50,
            Scenario::OpusDtls => 16,
        }
    }

    fn is_secure(self) -> bool {
        self != Scenario::Relay
    }

    fn caller_codec(self) -> Codec {
        if self == Scenario::OpusDtls {
            Codec::Opus
        } else {
            Codec::Pcmu
        }
    }
}

/// Figures of one run.
struct Figures {
    cpu_ms: f64,
    setup_cpu_ms: f64,
    connect_cpu_ms: f64,
    memory_kb: f64,
    loss_percent: f64,
    refused: u64,
    /// Caller to phone, phone to caller.
    ways: [Alignment; 2],
    late_ms: f64,
}

/// Measures and prints.
pub(crate) fn run(arguments: &Arguments, options: &Options, systems: &[Which]) -> Outcome<()> {
    // Short rounds in turn: what else the machine does falls on both.
    let (seconds, warm, rounds) = if options.quick { (3, 2, 3) } else { (6, 2, 5) };
    let seconds = Duration::from_secs(options.seconds.unwrap_or(seconds));
    let rounds = options.rounds.unwrap_or(rounds);
    let speech = Speech::load(arguments.corpora.as_deref())?;
    let identity = Identity::generate()?;
    println!("speech: {}", speech.source);
    println!(
        "CPU and set-up in CPU-ms, latency in ms, to the phone / to the caller; sound: windows in which the speech was \
         found / windows with sound\n"
    );
    println!(
        "{:<11} {:<9} {:>5} {:>9} {:>8} {:>8} {:>8} {:>7} {:>17} {:>17} {:>11} {:>9}",
        "scenario",
        "system",
        "calls",
        "CPU/call",
        "calls/",
        "set-up/",
        "of it",
        "kB/",
        "latency p50",
        "latency p99",
        "gain",
        "sound"
    );
    println!(
        "{:<11} {:<9} {:>5} {:>9} {:>8} {:>8} {:>8} {:>7} {:>17} {:>17} {:>11} {:>9} {:>6}",
        "", "", "", "second", "core", "call", "ICE,DTLS", "call", "", "", "", "", "loss %"
    );
    let mut failed = false;
    for scenario in Scenario::ALL
        .into_iter()
        .filter(|one| options.scenario.is_none_or(|only| only == *one))
    {
        let calls = options.calls.unwrap_or(scenario.calls());
        let mut costs: BTreeMap<bool, Vec<f64>> = BTreeMap::new();
        for _ in 0..rounds {
            for which in systems {
                let name = if *which == Which::Peer {
                    "rtpengine"
                } else {
                    "cordboard"
                };
                let measured = start(arguments, *which, scenario).and_then(|mut system| {
                    measure(
                        &mut *system,
                        scenario,
                        calls,
                        &speech,
                        &identity,
                        [Duration::from_secs(warm), seconds],
                    )
                });
                match measured {
                    Ok(figures) => {
                        print(scenario, name, calls, &figures);
                        costs
                            .entry(*which == Which::Peer)
                            .or_default()
                            .push(figures.cpu_ms);
                    }
                    Err(error) => {
                        failed = true;
                        println!("{:<11} {name:<9} failed: {error}", scenario.name());
                    }
                }
            }
        }
        let mean = |costs: &Vec<f64>| costs.iter().sum::<f64>() / costs.len() as f64;
        if let (Some(peer), Some(own)) = (costs.get(&true), costs.get(&false)) {
            println!("{} ratio {:.2}", scenario.name(), mean(peer) / mean(own));
        }
    }
    if failed {
        Err("not everything could be measured".into())
    } else {
        Ok(())
    }
}

fn start(arguments: &Arguments, which: Which, scenario: Scenario) -> Outcome<Box<dyn System>> {
    Ok(match (which, &arguments.peers) {
        (Which::Peer, Some(peers)) => Box::new(RtpEngine::start(peers)?),
        (Which::Peer, None) => return Err("no peers".into()),
        (Which::Gateway, _) => Box::new(Calls::start(
            &arguments.gateway,
            &arguments.scratch,
            scenario.is_secure(),
        )?),
    })
}

fn measure(
    system: &mut dyn System,
    scenario: Scenario,
    calls: usize,
    speech: &Speech,
    identity: &Identity,
    [warm, seconds]: [Duration; 2],
) -> Outcome<Figures> {
    let memory_before = memory_kb(system.pids());
    let cpu_before = system.cpu_ns();
    let mut parties = Vec::with_capacity(2 * calls);
    for number in 0..calls {
        let party = |side: usize, codec: Codec| {
            let mut party = Party::bind((2 * number + side) as u32, codec, number * 37 + side * 1_511)?;
            party.heard = (number < EXAMINED).then(Vec::new);
            Ok::<_, Box<dyn std::error::Error>>(party)
        };
        let (mut caller, mut phone) = (party(0, scenario.caller_codec())?, party(1, Codec::Pcmu)?);
        let secure = scenario
            .is_secure()
            .then_some((&caller.ice, identity.fingerprint.as_str()));
        let offer = Local {
            codec: caller.codec,
            address: caller.address,
            secure,
        }
        .describe();
        let answer = Local {
            codec: Codec::Pcmu,
            address: phone.address,
            secure: None,
        }
        .describe();
        let (for_caller, for_phone) = system.call(number, &offer, &answer)?;
        if for_caller.secure.is_some() != scenario.is_secure() {
            return Err(format!("the answer is not what was offered: {for_caller:?}").into());
        }
        caller.set_remote(&for_caller, identity)?;
        phone.set_remote(&for_phone, identity)?;
        parties.extend([caller, phone]);
    }
    let cpu_set_up = system.cpu_ns();
    let mut pace = Pace::new(parties, identity)?;
    pace.connect()?;
    let cpu_connected = system.cpu_ns();
    let window = pace.run(speech, system, [warm, seconds])?;
    let memory_after = memory_kb(system.pids());
    system.hang_up()?;

    let mut ways = [Alignment::default(), Alignment::default()];
    for pair in pace.parties.chunks(2).take(EXAMINED) {
        let span = [window.from_ns, window.until_ns];
        ways[0].add(&pair[0], &pair[1], speech, span)?;
        ways[1].add(&pair[1], &pair[0], speech, span)?;
    }
    for way in &mut ways {
        way.latency_ms.sort_by(f64::total_cmp);
        way.gain.sort_by(f64::total_cmp);
    }
    let sum = |count: fn(&Party) -> u64| pace.parties.iter().map(count).sum::<u64>();
    let lost: u64 = pace
        .parties
        .chunks(2)
        .map(|pair| pair[0].lost(&pair[1]) + pair[1].lost(&pair[0]))
        .sum();
    let per_call = |from: u64, to: u64| (to - from) as f64 / 1e6 / calls as f64;
    Ok(Figures {
        cpu_ms: window.cpu_ns as f64 / 1e6 / calls as f64 / window.seconds,
        setup_cpu_ms: per_call(cpu_before, cpu_connected),
        connect_cpu_ms: per_call(cpu_set_up, cpu_connected),
        memory_kb: memory_after.saturating_sub(memory_before) as f64 / calls as f64,
        loss_percent: 100.0 * lost as f64 / sum(|party| party.sent) as f64,
        refused: sum(|party| party.refused),
        ways,
        late_ms: window.late_ms,
    })
}

fn print(scenario: Scenario, system: &str, calls: usize, figures: &Figures) {
    let both = |of: &dyn Fn(&Alignment) -> f64, digits: usize| {
        format!(
            "{:.digits$} / {:.digits$}",
            of(&figures.ways[0]),
            of(&figures.ways[1])
        )
    };
    let found: usize = figures.ways.iter().map(|way| way.found).sum();
    let windows: usize = figures.ways.iter().map(|way| way.windows).sum();
    let mut remarks = String::new();
    if figures.refused > 0 {
        remarks += &format!("  {} packets not authentic", figures.refused);
    }
    if figures.ways.iter().any(|way| way.found * 2 < way.windows.max(1)) {
        remarks += "  THE SPEECH DOES NOT COME THROUGH";
    }
    if figures.late_ms > 20.0 {
        remarks += &format!(
            "  (packets sent up to {:.0} ms late: a busy machine)",
            figures.late_ms
        );
    }
    println!(
        "{:<11} {system:<9} {calls:>5} {:>9.3} {:>8.0} {:>8.2} {:>8.2} {:>7.0} {:>17} {:>17} {:>11} {:>9} {:>6.2}{remarks}",
        scenario.name(),
        figures.cpu_ms,
        1_000.0 / figures.cpu_ms,
        figures.setup_cpu_ms,
        figures.connect_cpu_ms,
        figures.memory_kb,
        both(&|way| percentile(&way.latency_ms, 0.5), 2),
        both(&|way| percentile(&way.latency_ms, 0.99), 2),
        both(&|way| percentile(&way.gain, 0.5), 2),
        format!("{found}/{windows}"),
        figures.loss_percent,
    );
}
