//! `signalling`: calls without media and registrations, through Kamailio (a proxy, which does less for a call than a
//! gateway that owns both of its legs) and through the gateway, in turn. sipp sends the UDP ones.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;

use super::gateway::Gateway;
use super::peers::{self, PASSWORD};
use super::process::{Daemon, cpu_ns, tree};
use super::{Arguments, Outcome, Which, register};

/// Options of `signalling`.
#[derive(Args)]
pub(crate) struct Options {
    /// Short runs, once each: a look, not a measurement.
    #[arg(long)]
    quick: bool,
    /// Calls a second.
    #[arg(long, default_value_t = 200)]
    calls: u32,
    /// Registrations a second.
    #[arg(long, default_value_t = 500)]
    registrations: u32,
    /// WebSocket connections that register and stay.
    #[arg(long)]
    connections: Option<usize>,
    /// Number of measurements of each system, in turn.
    #[arg(long)]
    rounds: Option<usize>,
}

/// The server of a run.
struct Server {
    daemon: Daemon,
    sip: SocketAddr,
    websocket: SocketAddr,
    path: &'static str,
}

/// Plan of a run.
struct Plan<'a> {
    arguments: &'a Arguments,
    options: &'a Options,
    seconds: u32,
    users: Vec<String>,
    /// Number of connections for the WebSocket work.
    connections: usize,
    /// sipp's list of users.
    injection: PathBuf,
}

/// A line for people, and figures by name: the more the better.
type Measured = (String, Vec<(&'static str, f64)>);

/// Measures and prints.
pub(crate) fn run(arguments: &Arguments, options: &Options, systems: &[Which]) -> Outcome<()> {
    let (seconds, rounds, connections) = if options.quick {
        (3, 1, 300)
    } else {
        (10, 2, 1_500)
    };
    let connections = options.connections.unwrap_or(connections);
    let users: Vec<String> = (0..connections.max(1_000)).map(|n| format!("u{n}")).collect();
    let mut list = "SEQUENTIAL\n".to_string();
    for user in &users {
        list += &format!("{user};[authentication username={user} password={PASSWORD}]\n");
    }
    let injection = arguments.scratch.join("users.csv");
    std::fs::write(&injection, list)?;
    let plan = Plan {
        arguments,
        options,
        seconds,
        users,
        connections,
        injection,
    };
    let mut figures: BTreeMap<(&str, bool), Vec<f64>> = BTreeMap::new();
    let mut failed = false;
    for work in ["invite", "register", "websocket"] {
        for which in (0..options.rounds.unwrap_or(rounds)).flat_map(|_| systems) {
            let is_peer = *which == Which::Peer;
            let name = if is_peer { "kamailio" } else { "cordboard" };
            let server = start(arguments, *which, &plan.users);
            let measured = server.and_then(|server| match work {
                "invite" => plan.invite(&server),
                "register" => plan.register(&server),
                _ => plan.websocket(&server),
            });
            match measured {
                Ok((line, found)) => {
                    println!("{work:<9} {name:<9} {line}");
                    for (figure, value) in found {
                        figures.entry((figure, is_peer)).or_default().push(value);
                    }
                }
                Err(error) => {
                    failed = true;
                    println!("{work:<9} {name:<9} failed: {error}");
                }
            }
        }
    }
    let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    for figure in ["invite", "register", "websocket_register", "websocket_memory"] {
        if let (Some(own), Some(peer)) = (figures.get(&(figure, false)), figures.get(&(figure, true))) {
            println!("{figure} ratio {:.2}", mean(own) / mean(peer));
        }
    }
    if failed {
        Err("not everything could be measured".into())
    } else {
        Ok(())
    }
}

impl Plan<'_> {
    fn invite(&self, server: &Server) -> Outcome<Measured> {
        let _phone = Phone::with(self.arguments, &["-sf", &scenario("phone.xml")])?;
        let ran = self.sipp(server, self.options.calls, &["-sf", &scenario("caller.xml")])?;
        Ok((ran.line("calls"), vec![("invite", ran.per_cpu_second)]))
    }

    fn register(&self, server: &Server) -> Outcome<Measured> {
        let flags = [
            "-sf",
            &scenario("register.xml"),
            "-inf",
            &self.injection.to_string_lossy(),
        ];
        let ran = self.sipp(server, self.options.registrations, &flags)?;
        Ok((ran.line("registrations"), vec![("register", ran.per_cpu_second)]))
    }

    fn websocket(&self, server: &Server) -> Outcome<Measured> {
        let pids = tree(server.daemon.pid());
        let held = register::hold(
            server.websocket,
            server.path,
            &self.users[..self.connections],
            &pids,
        )?;
        let line = format!(
            "{:.0} connect+register and {:.0} renewals per CPU-second; {:.1} kB per idle registration, {:.1} kB after \
             renewing; {:.1}% CPU while idle",
            held.connects_per_cpu_second,
            held.renewals_per_cpu_second,
            held.kb_each,
            held.kb_each_renewed,
            held.idle_cpu_percent,
        );
        let memory = 1.0 / held.kb_each.max(held.kb_each_renewed);
        Ok((
            line,
            vec![
                ("websocket_register", held.renewals_per_cpu_second),
                ("websocket_memory", memory),
            ],
        ))
    }

    fn sipp(&self, server: &Server, rate: u32, flags: &[&str]) -> Outcome<Ran> {
        let scratch = &self.arguments.scratch;
        let statistics: PathBuf = scratch.canonicalize()?.join("sipp.csv");
        let _ = std::fs::remove_file(&statistics);
        let mut command = Command::new("sipp");
        command
            .args(flags)
            .args([
                "-i",
                "127.0.0.1",
                "-nostdin",
                "-trace_stat",
                "-fd",
                "1",
                "-l",
                "20000",
            ])
            .args(["-m", &(rate * self.seconds).to_string(), "-r", &rate.to_string()])
            .args(["-timeout", &(self.seconds + 20).to_string()])
            .arg("-stf")
            .arg(&statistics)
            .arg(server.sip.to_string());
        let pids = tree(server.daemon.pid());
        let before = cpu_ns(&pids);
        let limit = Duration::from_secs(u64::from(self.seconds) + 30);
        Daemon::spawn(&mut command, &scratch.join("sipp.log"))?.wait(limit)?;
        let spent = (cpu_ns(&pids) - before) as f64 / 1e9;
        let count = |name: &str| last(&statistics, name);
        let done = count("SuccessfulCall(C)")?;
        let ran = Ran {
            done,
            failed: u64::from(rate * self.seconds).saturating_sub(done),
            retransmissions: count("Retransmissions(C)")?,
            per_cpu_second: done as f64 / spent,
        };
        if ran.failed * 100 > done {
            Err(ran.line("done").into())
        } else {
            Ok(ran)
        }
    }
}

fn start(arguments: &Arguments, which: Which, users: &[String]) -> Outcome<Server> {
    match (which, &arguments.peers) {
        (Which::Peer, None) => Err("no peers".into()),
        (Which::Peer, Some(folder)) => {
            let daemon = peers::start_kamailio(folder, "sig/kamailio_proxy.cfg", "kproxy")?;
            Ok(Server {
                daemon,
                sip: peers::PROXY,
                websocket: peers::PROXY_WS,
                path: "/",
            })
        }
        (Which::Gateway, _) => {
            let gateway = Gateway::start(&arguments.gateway, &arguments.scratch, peers::PHONE, users)?;
            Ok(Server {
                sip: gateway.sip,
                websocket: gateway.http,
                path: "/ws",
                daemon: gateway.daemon,
            })
        }
    }
}

fn scenario(name: &str) -> String {
    format!("{}/sipp/bench/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// sipp as the phone that both systems call.
pub(crate) struct Phone {
    _daemon: Daemon,
}

impl Phone {
    /// One with these arguments, at [`peers::PHONE`].
    pub(crate) fn with(arguments: &Arguments, flags: &[&str]) -> Outcome<Phone> {
        UdpSocket::bind(peers::PHONE)
            .map_err(|error| format!("the phone's address {}: {error}", peers::PHONE))?;
        let mut command = Command::new("sipp");
        command.args(flags).args([
            "-i",
            "127.0.0.1",
            "-nostdin",
            "-p",
            &peers::PHONE.port().to_string(),
        ]);
        let daemon = Daemon::spawn(&mut command, &arguments.scratch.join("phone.log"))?;
        let deadline = Instant::now() + Duration::from_secs(5);
        let IpAddr::V4(ip) = peers::PHONE.ip() else {
            return Err("IPv4 is wanted".into());
        };
        let entry = format!(
            "{:08X}:{:04X} ",
            u32::from_le_bytes(ip.octets()),
            peers::PHONE.port()
        );
        while !std::fs::read_to_string("/proc/net/udp")?.contains(&entry) {
            if Instant::now() > deadline {
                return Err("sipp did not start".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Phone { _daemon: daemon })
    }
}

/// Counts of sipp.
struct Ran {
    done: u64,
    failed: u64,
    retransmissions: u64,
    per_cpu_second: f64,
}

impl Ran {
    fn line(&self, noun: &str) -> String {
        format!(
            "{:.0} {noun} per CPU-second ({} done, {} failed, {} retransmissions)",
            self.per_cpu_second, self.done, self.failed, self.retransmissions
        )
    }
}

/// A column of the last row of sipp's statistics.
fn last(statistics: &Path, name: &str) -> Outcome<u64> {
    let text = std::fs::read_to_string(statistics)?;
    let mut rows = text.lines();
    let column = rows
        .next()
        .and_then(|head| head.split(';').position(|field| field == name));
    let value = column.and_then(|column| rows.last()?.split(';').nth(column)?.parse().ok());
    value.ok_or_else(|| format!("{}: no {name}", statistics.display()).into())
}
