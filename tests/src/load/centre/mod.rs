//! `centre`: callers behind a trunk, a queue, and agents who sign in, answer, talk and write notes, at a rate
//! that keeps most of them busy. The gateway's reports of the calls, in four places, must agree with the
//! events here, to the call.

mod agent;
mod book;
mod caller;
mod floor;
pub(crate) mod stream;
mod verdict;
mod web;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use super::process::{Daemon, cpu_ns, memory_kb};
use super::{Arguments, Outcome};
use agent::Agent;
use floor::{Floor, Plan, Wish};
use web::{Seen, Web};

/// Options of `centre`.
#[derive(Args)]
pub(crate) struct Options {
    #[arg(long, default_value_t = 500)]
    agents: usize,
    /// Calls a second.
    #[arg(long, default_value_t = 20.0)]
    rate: f64,
    #[arg(long, default_value_t = 180)]
    seconds: u64,
    /// Mean length of talk, seconds.
    #[arg(long, default_value_t = 17.0)]
    talk: f64,
    /// Agents whose page follows the event stream; the others have a phone alone.
    #[arg(long)]
    pages: Option<usize>,
}

const PASSWORD: &str = "a password of an agent";
const NUMBER: &str = "9000";
const PHONES: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The trunk is known by its address.
const TRUNK: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Time that talk, the last offers and writing may take after the last caller came.
const PATIENCE: Duration = Duration::from_secs(75);
/// Sign-ins at a time.
const AT_ONCE: usize = 2;

/// Cuts the event stream and goes on with it, while calls and states change.
pub(crate) fn run_stream(arguments: &Arguments, options: &stream::Options) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, stream::run(arguments, options))
}

/// Plays and compares.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, play(arguments, options))
}

/// The gateway with its queue, trunk, agents and supervisor.
struct Centre {
    http: SocketAddr,
    sip: SocketAddr,
    /// Path of the log.
    log: PathBuf,
    daemon: Daemon,
    command: Command,
}

impl Centre {
    /// Starts one with nothing in its store.
    fn start(arguments: &Arguments, name: &str, agents: usize) -> Outcome<Centre> {
        let (http, sip) = (free_tcp()?, free_udp()?);
        let state = arguments.scratch.join(name);
        let _ = std::fs::remove_dir_all(&state);
        std::fs::create_dir_all(&state)?;
        let file = state.join("centre.toml");
        std::fs::write(&file, configuration(http, sip, &state, agents))?;
        let mut command = Command::new(&arguments.gateway);
        command.arg("serve").arg("--config").arg(&file);
        command.env("CORDBOARD_LOG", "warn").env("TZ", noon());
        let log = state.join("gateway.log");
        let daemon = spawn(&mut command, &log, http)?;
        Ok(Centre {
            http,
            sip,
            log,
            daemon,
            command,
        })
    }

    /// Kills it and starts it again with the same store.
    fn kill(&mut self) -> Outcome<()> {
        self.daemon.kill()?;
        self.daemon = spawn(&mut self.command, &self.log, self.http)?;
        Ok(())
    }

    /// Agents who signed in, and the supervisor.
    async fn sign_in(&self, agents: usize) -> Outcome<(Vec<Agent>, Web)> {
        let mut signed_in = Vec::new();
        let names: Vec<String> = (0..agents).map(|n| format!("agent{n:03}")).collect();
        for some in names.chunks(AT_ONCE) {
            let signing: Vec<_> = some.iter().map(|name| sign_in(self.http, name.clone())).collect();
            for agent in signing {
                signed_in.push(agent.await??);
            }
        }
        Ok((signed_in, Web::sign_in(self.http, "boss", PASSWORD).await?))
    }

    /// Callers and the agents' phones, which are registered; refusals of the API are reported at the end.
    async fn floor(&self, agents: Vec<Agent>) -> Outcome<(Floor, Wishing)> {
        let webs: Vec<Web> = agents.iter().map(|agent| agent.web.clone()).collect();
        let (wishes, wished) = mpsc::unbounded_channel();
        let refused = Rc::new(RefCell::new(Vec::new()));
        let task = spawn_local(ask(wished, webs, Rc::clone(&refused)));
        let sinks = [sink(PHONES)?, sink(TRUNK)?];
        let ports = [sinks[0].local_addr()?.port(), sinks[1].local_addr()?.port()];
        let mut floor = Floor::new(self.sip, [PHONES, TRUNK], NUMBER, ports, agents, wishes).await?;
        for agent in 0..floor.agents.len() {
            floor.register(agent, PASSWORD).await?;
        }
        let wishing = Wishing {
            refused,
            task,
            _sinks: sinks,
        };
        Ok((floor, wishing))
    }
}

fn spawn(command: &mut Command, log: &Path, http: SocketAddr) -> Outcome<Daemon> {
    let mut daemon = Daemon::spawn(command, log)?;
    let ready = daemon.wait_for_tcp(http);
    ready.map_err(|error| format!("the gateway ({}): {error}", log.display()))?;
    Ok(daemon)
}

/// Carries the agents' wishes to the API, and discards sound.
struct Wishing {
    refused: Rc<RefCell<Vec<String>>>,
    task: JoinHandle<()>,
    /// Held, so that sound finds somebody.
    _sinks: [UdpSocket; 2],
}

impl Drop for Wishing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn play(arguments: &Arguments, options: &Options) -> Outcome<()> {
    let centre = Centre::start(arguments, "centre", options.agents)?;
    let pids = [centre.daemon.pid()];
    let (begun, fresh) = (Instant::now(), memory_kb(&pids));
    let (agents, boss) = centre.sign_in(options.agents).await?;
    let signed_in = memory_kb(&pids);
    println!(
        "{} agents signed in: {:.1} s, {fresh} -> {signed_in} kB",
        agents.len(),
        begun.elapsed().as_secs_f64()
    );

    let wall = Follower::start(&boss, None).await?;
    let mut pages = Vec::new();
    for (n, agent) in agents
        .iter()
        .enumerate()
        .take(options.pages.unwrap_or(options.agents))
    {
        pages.push(Follower::start(&agent.web, Some(&format!("tab{n}"))).await?);
    }

    let (mut floor, wishing) = centre.floor(agents).await?;
    // Half of them are there when the first call comes, the others find calls that wait.
    let first = options.agents / 2;
    for agent in 0..first {
        floor.agents[agent].free = true;
        let _ = floor.wishes.send((agent, Wish::Available));
    }
    let plan = Plan {
        rate: options.rate,
        seconds: options.seconds,
        talk: Duration::from_secs_f64(options.talk),
        first,
    };
    let (cpu, memory, begun) = (cpu_ns(&pids), memory_kb(&pids), Instant::now());
    let own_cpu = cpu_ns(&[std::process::id()]);
    floor.play(&plan, PATIENCE).await?;
    let took = begun.elapsed();
    let cpu = (cpu_ns(&pids) - cpu) as f64 / 1e9;
    let own_cpu = (cpu_ns(&[std::process::id()]) - own_cpu) as f64 / 1e9;
    floor.book.faults.append(&mut wishing.refused.borrow_mut());
    // The last wishes take time, and queues are reported four times a second.
    tokio::time::sleep(Duration::from_secs(4)).await;

    println!(
        "{} calls in {:.0} s: gateway {cpu:.1} CPU-s ({:.0} % of a core), {memory} -> {} kB; generator {own_cpu:.1} CPU-s, \
         {} requests and answers sent again",
        floor.book.calls.len(),
        took.as_secs_f64(),
        cpu / took.as_secs_f64() * 100.0,
        memory_kb(&pids),
        floor.resent
    );
    verdict::figures(&floor.book, Duration::from_secs(options.seconds));
    println!(
        "events: {} changes to the supervisor, {} to {} pages",
        wall.seen.borrow().changes,
        pages.iter().map(|page| page.seen.borrow().changes).sum::<u64>(),
        pages.len()
    );
    let faults = verdict::compare(&floor, &boss, &wall, &pages).await?;
    drop((wall, pages));
    let Centre { log, daemon, .. } = centre;
    drop(daemon);
    let reported = std::fs::read_to_string(&log)?;
    let faults = verdict::gateway(faults, &reported, signed_in.saturating_sub(fresh));
    match faults {
        0 => Ok(()),
        faults => Err(format!(
            "{faults} of the checks failed; the gateway's log is {}",
            log.display()
        )
        .into()),
    }
}

/// Somebody who follows the event stream.
struct Follower {
    seen: Rc<RefCell<Seen>>,
    task: JoinHandle<()>,
}

impl Follower {
    async fn start(web: &Web, tab: Option<&str>) -> Outcome<Follower> {
        let mut events = web.events(tab).await?;
        let seen = Rc::clone(&events.seen);
        let reported = Rc::clone(&seen);
        let task = spawn_local(async move {
            while reported.borrow().over.is_none() {
                let next = events.next().await;
                reported.borrow_mut().over = next.err().map(|error| error.to_string());
            }
        });
        Ok(Follower { seen, task })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn sign_in(http: SocketAddr, name: String) -> JoinHandle<Result<Agent, String>> {
    spawn_local(async move {
        let web = Web::sign_in(http, &name, PASSWORD).await;
        Ok(Agent {
            web: web.map_err(|error| format!("{name}: {error}"))?,
            name,
            free: false,
            rests: None,
            busy: None,
            answered: 0,
        })
    })
}

/// Asks the API for what agents wish, each as it comes.
async fn ask(
    mut wished: mpsc::UnboundedReceiver<(usize, Wish)>,
    webs: Vec<Web>,
    refused: Rc<RefCell<Vec<String>>>,
) {
    while let Some((agent, wish)) = wished.recv().await {
        let Some(web) = webs.get(agent).cloned() else {
            return;
        };
        let refused = Rc::clone(&refused);
        spawn_local(async move {
            let asked = match wish {
                Wish::Available => {
                    let wanted = json!({"intent": "available"});
                    web.ask("PUT", "/me/agent/intent", Some(wanted)).await
                }
                Wish::WrappedUp => {
                    let written = json!({"disposition": "resolved"});
                    web.ask("POST", "/me/agent/wrap-up", Some(written)).await
                }
            };
            match asked {
                Ok(_) => {}
                // The caller had left before they talked: there was nothing to write down.
                Err(error) if error.to_string().contains("not-wrapping-up") => {}
                Err(error) => refused
                    .borrow_mut()
                    .push(format!("agent {agent}, {wish:?}: {error}")),
            }
        });
    }
}

fn configuration(http: SocketAddr, sip: SocketAddr, state: &Path, agents: usize) -> String {
    let mut text = format!(
        "state = \"{}\"\n\n[http]\nlisten = \"{http}\"\n\n[sip]\nudp = \"{sip}\"\ntcp = false\n\n\
         [media]\nbrowser_addresses = \"127.0.0.1\"\nbrowser_port = 29000\nphone_address = \"127.0.0.1\"\n\
         phone_ports = \"30000-32767\"\n\n\
         [[trunks]]\nname = \"carrier\"\naddress = \"{TRUNK}\"\ncodecs = \"pcmu\"\n\n\
         [[queues]]\nname = \"load\"\nnumber = \"{NUMBER}\"\nring = 5\nmax_no_answer = 0\nwrap_up = 30\n\n\
         [[dial]]\nfrom = \"carrier\"\nmatch = \"{NUMBER}\"\nqueue = \"load\"\n\n\
         [[users]]\nname = \"boss\"\npassword = \"{PASSWORD}\"\nroles = [\"supervisor\", \"admin\"]\n",
        state.display()
    );
    for n in 0..agents {
        let _ = write!(
            text,
            "\n[[users]]\nname = \"agent{n:03}\"\npassword = \"{PASSWORD}\"\nroles = [\"agent\"]\nqueues = [\"load\"]\n"
        );
    }
    text
}

/// A time zone (POSIX) in which it is about noon: no run crosses midnight, when the numbers of the day begin anew.
fn noon() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let hour = (seconds / 3_600 % 24) as i64;
    format!("NOON{:+}", hour - 12)
}

/// Holds a port to which sound is sent, and reads none of it.
fn sink(ip: IpAddr) -> Outcome<UdpSocket> {
    Ok(UdpSocket::bind((ip, 0))?)
}

fn free_tcp() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((PHONES, 0))?.local_addr()?)
}

fn free_udp() -> Outcome<SocketAddr> {
    Ok(UdpSocket::bind((PHONES, 0))?.local_addr()?)
}
