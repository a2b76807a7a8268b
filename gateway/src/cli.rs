//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::auth::user::is_name;
use crate::config;

/// Calls from a browser tab to any phone: a WebRTC-to-SIP gateway.
///
/// The default command is `serve`. Without a configuration file it runs a demonstration on loopback: a page at
/// http://127.0.0.1:8080, accounts 1001 to 1004 (password "cordboard"), and the numbers 9196 (echo), 9664 (music) and
/// 9197 (tone).
#[derive(Debug, Parser)]
#[command(name = "cordboard", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Command to run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of `serve`, for use without a command.
    #[command(flatten)]
    pub serve: Serve,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway (the default).
    Serve(Serve),
    /// Read a configuration file and report all errors. Exits with 1 if there are any; warnings alone exit with 0.
    Check(Check),
    /// Have the running gateway read its configuration again, without touching calls. Exits with 1 if nothing was changed.
    Reload(Control),
    /// Restart the running gateway in place, without hanging up: callers in queues stay in their calls.
    Restart(Control),
    /// Ask what a trunk of a carrier needs, and write a configuration file that works.
    Init(Init),
    /// Trunks: test one, or list the profiles of carriers.
    Trunk {
        /// Command to run.
        #[command(subcommand)]
        command: TrunkCommand,
    },
    /// A phone on the command line, SIP or WebRTC: makes or takes a call, plays and records, and reports the quality. Exits with
    /// 0 if audio went both ways, otherwise with 1.
    Phone(Box<PhoneArgs>),
}

/// Settings that override the configuration file.
#[derive(Args, Clone, Debug, Default)]
pub struct Overrides {
    /// Default listen address; 0.0.0.0 or :: for every interface. Listeners with an address of their own in the file keep it.
    #[arg(long, value_name = "ADDR", env = "CORDBOARD_LISTEN")]
    pub listen: Option<IpAddr>,
    /// Public address of this host, when it is behind NAT (container, cloud).
    #[arg(long, value_name = "IP", env = "CORDBOARD_ADVERTISE")]
    pub advertise: Option<IpAddr>,
    /// Create this admin at the first start, if there is no admin yet, and print the password once.
    #[arg(long, value_name = "NAME", env = "CORDBOARD_FIRST_ADMIN", value_parser = account_name)]
    pub first_admin: Option<String>,
}

impl From<Overrides> for config::Overrides {
    fn from(options: Overrides) -> config::Overrides {
        config::Overrides {
            listen: options.listen,
            advertise: options.advertise,
            first_admin: options.first_admin,
        }
    }
}

fn account_name(name: &str) -> Result<String, String> {
    if is_name(name) {
        Ok(name.to_owned())
    } else {
        Err("a name has up to 32 of a-z, 0-9, `.`, `-` and `_`".to_owned())
    }
}

/// Options of `serve`.
#[derive(Args, Clone, Debug, Default)]
pub struct Serve {
    /// TOML configuration file; settings it omits keep their defaults.
    #[arg(long, value_name = "FILE", env = "CORDBOARD_CONFIG")]
    pub config: Option<PathBuf>,
    /// Settings that override the file.
    #[command(flatten)]
    pub overrides: Overrides,
    /// State folder, which holds the database unless the file names another store. Default: $XDG_STATE_HOME/cordboard, or
    /// ~/.local/state/cordboard.
    #[arg(long, value_name = "DIR", env = "CORDBOARD_STATE")]
    pub state: Option<PathBuf>,
}

/// Options of `check`.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// Configuration file to check.
    #[arg(long, value_name = "FILE", env = "CORDBOARD_CONFIG")]
    pub config: PathBuf,
    /// Settings that override the file.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// Options of `init`.
#[derive(Args, Clone, Debug)]
pub struct Init {
    /// Profile of the carrier; `cordboard trunk profiles` lists them.
    #[arg(long, value_name = "PROFILE")]
    pub trunk: String,
    /// File to write, or to add to.
    #[arg(long, value_name = "FILE", default_value = "cordboard.toml")]
    pub file: PathBuf,
    /// Name of the trunk, if it is not to be that of the profile.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Answer to a question, for use without a terminal; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Commands about trunks.
#[derive(Debug, Subcommand)]
pub enum TrunkCommand {
    /// Walk the way to a trunk: its name, connections with TLS, OPTIONS, registration, and with --call a call. Says in plain words what
    /// is wrong and what would be right. Exits with 1 if anything is wrong. Calls and registrations of a running gateway stay as they are.
    Test(TrunkTest),
    /// List the profiles of carriers; with a name, show one: what it needs, what it sets, and what the carrier needs on its side.
    Profiles {
        /// Profile to show.
        name: Option<String>,
    },
}

/// Options of `trunk test`.
#[derive(Args, Clone, Debug)]
pub struct TrunkTest {
    /// Trunk of the configuration file.
    pub name: String,
    /// Configuration file.
    #[arg(long, value_name = "FILE", env = "CORDBOARD_CONFIG")]
    pub config: PathBuf,
    /// Settings that override the file.
    #[command(flatten)]
    pub overrides: Overrides,
    /// Also call this number, in the form that the carrier wants, and count the sound both ways. Costs what the carrier charges.
    #[arg(long, value_name = "NUMBER")]
    pub call: Option<String>,
    /// Caller of the call, where the trunk passes callers on.
    #[arg(long, value_name = "USER", default_value = "cordboard", requires = "call")]
    pub from: String,
    /// Hang up N seconds after the answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, requires = "call",
        value_parser = clap::value_parser!(u16).range(1..=60))]
    pub seconds: u16,
    /// Port range for the sound of the call.
    #[arg(
        long,
        value_name = "LOW-HIGH",
        default_value = "21100-21119",
        requires = "call"
    )]
    pub rtp_ports: String,
}

/// Options of `reload` and `restart` that identify the gateway.
#[derive(Args, Clone, Debug)]
pub struct Control {
    /// Configuration file of the gateway; it may name the state folder.
    #[arg(long, value_name = "FILE", env = "CORDBOARD_CONFIG")]
    pub config: Option<PathBuf>,
    /// State folder of the gateway.
    #[arg(long, value_name = "DIR", env = "CORDBOARD_STATE")]
    pub state: Option<PathBuf>,
}

/// Options of `phone`.
#[derive(Args, Clone, Debug)]
pub struct PhoneArgs {
    /// Number or user to call at the registrar's domain, or a SIP URI. Without it the phone waits for a call.
    pub target: Option<String>,
    /// Registrar, host[:port]; calls go through it.
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1:5060")]
    pub registrar: String,
    /// Be what a page in a browser is: SIP over this WebSocket (ws://host/path or wss://host/path), and WebRTC.
    #[arg(long, value_name = "URL", conflicts_with_all = ["registrar", "transport", "port", "rtp_ports"])]
    pub webrtc: Option<String>,
    /// PEM file with the authorities to trust over TLS, instead of those of the system.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Trust any certificate.
    #[arg(long, conflicts_with = "ca")]
    pub insecure: bool,
    /// Do not register.
    #[arg(long)]
    pub no_register: bool,
    /// Account name.
    #[arg(long, value_name = "USER", default_value = "1004")]
    pub user: String,
    /// Password of the account.
    #[arg(
        long,
        env = "CORDBOARD_PHONE_PASSWORD",
        default_value = "cordboard",
        hide_env_values = true
    )]
    pub password: String,
    /// SIP domain, if different from the registrar's host or that of the URL.
    #[arg(long)]
    pub domain: Option<String>,
    /// SIP transport: udp, tcp or tls.
    #[arg(long, default_value = "udp")]
    pub transport: String,
    /// Local address. Default: 127.0.0.1; with --webrtc towards another machine, every interface.
    #[arg(long, value_name = "IP")]
    pub bind: Option<IpAddr>,
    /// Local SIP port; 0 for any.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Port range for audio.
    #[arg(long, value_name = "LOW-HIGH", default_value = "21000-21099")]
    pub rtp_ports: String,
    /// Codecs, best first. Default: pcmu,pcma; with --webrtc opus,pcmu,pcma.
    #[arg(long, value_delimiter = ',')]
    pub codecs: Option<Vec<String>>,
    /// Play this WAV file (16-bit mono) in a loop.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tone", "echo"])]
    pub play: Option<PathBuf>,
    /// Play a tone of this frequency.
    #[arg(long, value_name = "HERTZ", conflicts_with = "echo")]
    pub tone: Option<u16>,
    /// Play received audio back to the caller.
    #[arg(long)]
    pub echo: bool,
    /// Record received audio to this WAV file (16-bit mono, 8 kHz).
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Send these DTMF digits once the call is answered.
    #[arg(long, value_name = "DIGITS")]
    pub dtmf: Option<String>,
    /// Hang up N seconds after the answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub duration: u64,
    /// Give up if the call is not answered within N seconds; registering counts too.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub wait: u64,
    /// Answer an incoming call after N seconds of ringing.
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub ring: u64,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
    /// Make N calls at once to the target.
    #[arg(long, value_name = "N", requires_all = ["webrtc", "target"], conflicts_with = "record",
        value_parser = clap::value_parser!(u16).range(1..=200))]
    pub calls: Option<u16>,
    /// Begin so many of them a second.
    #[arg(long, value_name = "N", requires = "calls", default_value_t = 10,
        value_parser = clap::value_parser!(u16).range(1..=100))]
    pub rate: u16,
}
