//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Calls from a browser tab to any phone: a WebRTC-to-SIP gateway.
///
/// Without a command it serves; without a configuration file it serves a demonstration on loopback, with its page at
/// http://127.0.0.1:8080, accounts 1001 to 1004 (password "cordboard"), and the numbers 9196 (echo), 9664 (music) and
/// 9197 (tone).
#[derive(Debug, Parser)]
#[command(name = "cordboard", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Without a command: as for `serve`.
    #[command(flatten)]
    pub serve: Serve,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway (the default).
    Serve(Serve),
    /// Read a configuration file and tell every mistake in it. Exits with 1 when there is one.
    Check(Check),
    /// A SIP phone on the command line: calls or answers, plays and records, and says how it went.
    Phone(Box<PhoneArgs>),
}

/// Options of `serve`.
#[derive(Args, Clone, Debug, Default)]
pub struct Serve {
    /// TOML file laid over the defaults.
    #[arg(long, value_name = "FILE", env = "CORDBOARD_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address for all listeners that the file gives none of their own; 0.0.0.0 or :: for every interface.
    #[arg(long, value_name = "ADDR", env = "CORDBOARD_LISTEN")]
    pub listen: Option<IpAddr>,
    /// Address that others reach this host at, when it is not one of its own (container, cloud).
    #[arg(long, value_name = "IP", env = "CORDBOARD_ADVERTISE")]
    pub advertise: Option<IpAddr>,
    /// Folder for the database, unless the file names another store. Without it: $XDG_STATE_HOME/cordboard, or
    /// ~/.local/state/cordboard.
    #[arg(long, value_name = "DIR", env = "CORDBOARD_STATE")]
    pub state: Option<PathBuf>,
}

/// Options of `check`.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// The file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// Options of `phone`.
#[derive(Args, Clone, Debug)]
pub struct PhoneArgs {
    /// Whom to call: a number or user at the registrar's domain, or a whole SIP URI. Without it the phone waits for a call.
    pub target: Option<String>,
    /// Register with this host[:port] first, and call through it.
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1:5060")]
    pub registrar: String,
    /// Do not register.
    #[arg(long)]
    pub no_register: bool,
    /// Account.
    #[arg(long, value_name = "USER", default_value = "1004")]
    pub user: String,
    /// Its password.
    #[arg(
        long,
        env = "CORDBOARD_PHONE_PASSWORD",
        default_value = "cordboard",
        hide_env_values = true
    )]
    pub password: String,
    /// SIP domain, where it is not the registrar's host.
    #[arg(long)]
    pub domain: Option<String>,
    /// udp, tcp or tls.
    #[arg(long, default_value = "udp")]
    pub transport: String,
    /// Local address.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// Local SIP port; 0 for any.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Ports for audio.
    #[arg(long, value_name = "LOW-HIGH", default_value = "21000-21099")]
    pub rtp_ports: String,
    /// Codecs, best first: pcmu, pcma, opus.
    #[arg(long, value_delimiter = ',', default_value = "pcmu,pcma")]
    pub codecs: Vec<String>,
    /// Play this WAV file (16-bit mono), again and again.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tone", "echo"])]
    pub play: Option<PathBuf>,
    /// Play a tone of this frequency.
    #[arg(long, value_name = "HERTZ", conflicts_with = "echo")]
    pub tone: Option<u16>,
    /// Play back what is heard.
    #[arg(long)]
    pub echo: bool,
    /// Record what is heard into this WAV file (16-bit mono, 8 kHz).
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Send these digits once the call is up.
    #[arg(long, value_name = "DIGITS")]
    pub dtmf: Option<String>,
    /// Hang up after so many seconds of conversation.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub duration: u64,
    /// Give up when no conversation began after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub wait: u64,
    /// Answer after so many seconds of ringing.
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub ring: u64,
}
