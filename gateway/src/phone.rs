//! `cordboard phone`: a SIP phone for the command line. It registers, makes or takes one call, plays and records, and says
//! in the end whether sound went both ways.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use media_core::control::Report;
use media_core::negotiated::Codec;
use session_core::{CallRecord, Fault};
use sip_core::flow::Transport;
use sip_core::message::StatusCode;
use sip_stack::client::{
    Account, BuildError, Call, CallEvent, Client, ClientError, Heard, Sound, SoundError, State, read_wav,
};
use sip_stack::transport::tls::{ClientTls, TlsError};
use tokio::time::Instant;

use crate::cli::PhoneArgs;

/// Options of the phone.
#[derive(Clone, Debug)]
pub struct PhoneOptions {
    /// Its account; `None`: it calls, or waits, as nobody in particular.
    pub account: Option<PhoneAccount>,
    /// Number or SIP URI to call; `None`: wait for a call and answer it.
    pub call: Option<String>,
    /// Local address of SIP; port 0 takes any.
    pub bind: SocketAddr,
    /// SIP transport, where a URI names none.
    pub transport: Transport,
    /// The server, as errors name it.
    pub server: String,
    /// Path of a WebSocket.
    pub websocket_path: String,
    /// PEM file with the authorities to believe over TLS; `None`: those of the system.
    pub authorities: Option<PathBuf>,
    /// Local address of RTP, if another one than SIP's.
    pub media_ip: Option<IpAddr>,
    /// Ports of RTP.
    pub rtp_ports: RangeInclusive<u16>,
    /// Offered and accepted, best first.
    pub codecs: Vec<Codec>,
    /// Sound that the other side hears.
    pub play: PhoneSound,
    /// WAV file for what the other side says.
    pub record: Option<PathBuf>,
    /// Keys to send once the call stands; a comma is a pause of a second.
    pub dtmf: Option<String>,
    /// Time to ring before a call is answered.
    pub ring: Duration,
    /// Time to wait for a call, or for its answer.
    pub wait: Duration,
    /// Time to talk; `None`: until the other side hangs up, or Ctrl-C.
    pub duration: Option<Duration>,
}

/// An account at a registrar.
#[derive(Clone, Debug)]
pub struct PhoneAccount {
    /// E.g. `sip:1001@example.com`.
    pub aor: String,
    /// The registrar, e.g. `sip:127.0.0.1:5060;transport=tcp`.
    pub server: String,
    /// For digest; often the user part of `aor`.
    pub username: String,
    /// For digest.
    pub password: String,
    /// False: calls are made with its name and password, but nobody can call it.
    pub register: bool,
}

/// Sound that the other side hears.
#[derive(Clone, Debug)]
pub enum PhoneSound {
    /// Nothing.
    Silence,
    /// Its own audio, played back. Nothing can be recorded then.
    Echo,
    /// A sine.
    Tone {
        /// 300 to 3,400.
        hertz: u16,
        /// Level, dBm0.
        dbm0: i8,
    },
    /// A WAV file, 16-bit PCM.
    Wav {
        /// File that failed.
        path: PathBuf,
        /// Begin again at the end.
        repeat: bool,
    },
}

/// Result of the call.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Final SIP code.
    pub code: StatusCode,
    /// Duration of the conversation.
    pub talked: Duration,
    /// Keys that the other side pressed.
    pub digits: String,
    /// The phone played something.
    pub played: bool,
    /// Audio that was received; `None` if the phone echoed.
    pub heard: Option<Heard>,
    /// Counts.
    pub report: Report,
}

impl Summary {
    /// Something else than silence came, or for an echoing phone: sound came at all.
    #[must_use]
    pub fn was_heard(&self) -> bool {
        match &self.heard {
            Some(heard) => heard.is_audible(),
            None => self.report.packets_received > 0,
        }
    }

    /// The other side reported by RTCP that our packets reach it.
    #[must_use]
    pub fn was_acknowledged(&self) -> bool {
        let report = &self.report;
        report.packets_sent > 0 && (report.round_trip_us > 0 || report.remote_jitter_us > 0)
    }

    /// True if audio went both ways. RTCP takes seconds to arrive: in a shorter call it is enough to have
    /// sent. Silence is a good answer to a phone that played nothing: an echo has no other.
    #[must_use]
    pub fn both_ways(&self) -> bool {
        let too_short = self.talked < FIRST_RTCP && self.report.packets_sent > 0;
        let heard = self.was_heard() || (!self.played && self.report.packets_received > 0);
        heard && (self.was_acknowledged() || too_short)
    }
}

/// By then the other side has sent a report (RFC 3550 §6.2: 5 s, up to half as much again).
const FIRST_RTCP: Duration = Duration::from_secs(8);

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.report;
        let ms = |us: u32| f64::from(us) / 1_000.0;
        let expected = r.packets_received + r.lost;
        let loss = if expected == 0 {
            0.0
        } else {
            100.0 * r.lost as f64 / expected as f64
        };
        writeln!(
            f,
            "talked      {:.1} s, final code {}",
            self.talked.as_secs_f64(),
            self.code
        )?;
        writeln!(
            f,
            "received    {} packets {}, lost {} ({loss:.1} %), jitter {:.1} ms, MOS {:.2}",
            r.packets_received,
            codec(r.codec_received),
            r.lost,
            ms(r.jitter_us),
            r.mos
        )?;
        writeln!(
            f,
            "sent        {} packets {}, loss (remote) {:.1} %, jitter (remote) {:.1} ms, round trip {}",
            r.packets_sent,
            codec(r.codec_sent),
            f64::from(r.remote_fraction_lost) * 100.0 / 256.0,
            ms(r.remote_jitter_us),
            if r.round_trip_us == 0 {
                "unknown".into()
            } else {
                format!("{:.1} ms", ms(r.round_trip_us))
            }
        )?;
        match &self.heard {
            Some(heard) => match heard.level_dbm0() {
                Some(level) => writeln!(
                    f,
                    "heard       {:.1} s of sound at {level:.1} dBm0",
                    heard.loud_seconds()
                )?,
                None => writeln!(f, "heard       nothing but silence")?,
            },
            None => writeln!(f, "heard       not measured: received audio was played back")?,
        }
        if !self.digits.is_empty() {
            writeln!(f, "digits      {}", self.digits)?;
        }
        let verdict = match (self.was_heard(), self.both_ways()) {
            (true, true) => "audio went both ways",
            (true, false) => "received audio; the remote side did not confirm ours",
            (false, true) => "only silence came back, as nothing was played (see --tone and --play)",
            (false, false) if self.report.packets_received > 0 => "only silence was received",
            (false, false) => "no audio was received",
        };
        write!(f, "result      {verdict}")
    }
}

fn codec(name: &str) -> &str {
    if name.is_empty() { "(no codec)" } else { name }
}

/// Why there was no call.
#[derive(Debug)]
pub enum PhoneError {
    /// The phone did not start.
    Start(BuildError),
    /// The certificates to believe.
    Tls(TlsError),
    /// A file that was to be read.
    File(PathBuf, std::io::Error),
    /// A WAV file.
    Sound(PathBuf, SoundError),
    /// Registering failed.
    Register(String, ClientError),
    /// The call by way of this server failed, or was not answered.
    Call(String, ClientError),
    /// This did not happen in time.
    TooLate(String),
    /// An option that cannot be understood.
    Option(String),
    /// Ctrl-C before there was a call.
    Interrupted,
}

impl fmt::Display for PhoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PhoneError::Start(error) => error.fmt(f),
            PhoneError::Tls(error) => error.fmt(f),
            PhoneError::File(path, error) => write!(f, "{}: {error}", path.display()),
            PhoneError::Sound(path, error) => write!(f, "{}: {error}", path.display()),
            PhoneError::Register(server, error) => write!(f, "cannot register: {}", Told(server, error)),
            PhoneError::Call(server, error) => write!(f, "call failed: {}", Told(server, error)),
            PhoneError::TooLate(what) => f.write_str(what),
            PhoneError::Option(what) => f.write_str(what),
            PhoneError::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for PhoneError {}

/// An error, with the server that it is about.
struct Told<'a>(&'a str, &'a ClientError);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told(server, error) = self;
        match error {
            ClientError::Failed(Fault::Unresolved) => write!(f, "cannot resolve {server}"),
            ClientError::Failed(Fault::NoResponse) => write!(f, "no answer from {server}"),
            ClientError::Failed(Fault::Unreachable) => write!(f, "cannot connect to {server}"),
            error => error.fmt(f),
        }
    }
}

/// The command: steps go to standard error, the summary to standard output. Success means that sound went both ways.
///
/// # Errors
/// An option is wrong, or there was no call.
pub async fn run(args: PhoneArgs) -> Result<ExitCode, PhoneError> {
    let summary = make_call(options(args)?, |step| eprintln!("{step}")).await?;
    println!("{summary}");
    Ok(if summary.both_ways() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn options(args: PhoneArgs) -> Result<PhoneOptions, PhoneError> {
    let transport = match args.transport.to_ascii_lowercase().as_str() {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        "tls" => Transport::Tls,
        other => {
            return Err(PhoneError::Option(format!(
                "--transport {other}: not one of udp, tcp, tls"
            )));
        }
    };
    let ports = args
        .rtp_ports
        .split_once('-')
        .and_then(|(low, high)| Some(low.parse().ok()?..=high.parse().ok()?));
    let rtp_ports = ports.filter(|ports: &RangeInclusive<u16>| ports.start() < ports.end());
    let rtp_ports = rtp_ports
        .ok_or_else(|| PhoneError::Option(format!("--rtp-ports {}: not like 21000-21099", args.rtp_ports)))?;
    let codecs = args
        .codecs
        .iter()
        .map(|name| match name.to_ascii_lowercase().as_str() {
            "pcmu" => Ok(Codec::Pcmu),
            "pcma" => Ok(Codec::Pcma),
            "opus" => Ok(Codec::Opus),
            other => Err(PhoneError::Option(format!(
                "--codecs {other}: not one of pcmu, pcma, opus"
            ))),
        });
    let domain = args.domain.as_deref().unwrap_or(&args.registrar);
    Ok(PhoneOptions {
        account: Some(PhoneAccount {
            aor: format!("sip:{}@{domain}", sip_core::uri::escape_user(&args.user)),
            server: format!("sip:{}", args.registrar),
            username: args.user.clone(),
            password: args.password,
            register: !args.no_register,
        }),
        call: args.target,
        bind: SocketAddr::new(args.bind, args.port),
        transport,
        server: args.registrar.clone(),
        websocket_path: "/ws".into(),
        authorities: None,
        media_ip: None,
        rtp_ports,
        codecs: codecs.collect::<Result<_, _>>()?,
        play: match (args.play, args.tone, args.echo) {
            (Some(path), ..) => PhoneSound::Wav { path, repeat: true },
            (None, Some(hertz), _) => PhoneSound::Tone { hertz, dbm0: -10 },
            (None, None, true) => PhoneSound::Echo,
            (None, None, false) => PhoneSound::Silence,
        },
        record: args.record,
        dtmf: args.dtmf,
        ring: Duration::from_secs(args.ring),
        wait: Duration::from_secs(args.wait),
        duration: Some(Duration::from_secs(args.duration)),
    })
}

/// Does what `options` say; `tell` hears each step as a line. Comes back when the call is over.
///
/// # Errors
/// There was no call.
pub async fn make_call(options: PhoneOptions, mut tell: impl FnMut(&str)) -> Result<Summary, PhoneError> {
    let sound = sound(&options)?;
    let mut client = start(&options).await?;
    let until = Instant::now() + options.wait;
    let mut account = None;
    if let Some(wanted) = &options.account {
        let made = client
            .account(&wanted.aor, &wanted.username, &wanted.password)
            .and_then(|account| account.through(&wanted.server))
            .map_err(|error| PhoneError::Register(options.server.clone(), error))?;
        if wanted.register {
            if let Err(error) = register(&made, &options, until).await {
                client.stop().await;
                return Err(error);
            }
            tell(&format!("registered {}", wanted.aor));
        }
        account = Some(made);
    }
    let summary = converse(&mut client, account.as_ref(), &options, sound, until, &mut tell).await;
    // Also after a call that came to nothing: a phone that is gone must not ring.
    if let Some(account) = account.filter(|_| options.account.as_ref().is_some_and(|a| a.register)) {
        let _ = tokio::time::timeout(Duration::from_secs(2), account.unregister()).await;
    }
    client.stop().await;
    summary
}

/// The call, made or taken, from its beginning to its end.
async fn converse(
    client: &mut Client,
    account: Option<&Account>,
    options: &PhoneOptions,
    sound: Sound,
    until: Instant,
    tell: &mut impl FnMut(&str),
) -> Result<Summary, PhoneError> {
    let mut call = match &options.call {
        Some(to) => {
            let made = match account {
                Some(account) => account.dial(to, sound).await,
                None => client.dial(to, sound).await,
            };
            let mut call = made.map_err(|error| options.failed(error))?;
            tell(&format!("calling {to}"));
            until_answered(&mut call, options, until, tell).await?;
            call
        }
        None => take(client, options, sound, until, tell).await?,
    };
    tell("answered");
    talk(&mut call, options, tell).await
}

async fn start(options: &PhoneOptions) -> Result<Client, PhoneError> {
    let mut builder = Client::builder()
        .bind(options.bind)
        .transport(options.transport)
        .websocket_path(&options.websocket_path)
        .rtp_ports(options.rtp_ports.clone())
        .codecs(options.codecs.clone());
    if let Some(ip) = options.media_ip {
        builder = builder.media_ip(ip);
    }
    if matches!(options.transport, Transport::Tls | Transport::Wss) {
        let tls = match &options.authorities {
            Some(path) => {
                let pem = std::fs::read(path).map_err(|error| PhoneError::File(path.clone(), error))?;
                ClientTls::authorities(&pem)
            }
            None => ClientTls::system(),
        };
        builder = builder.tls(tls.map_err(PhoneError::Tls)?);
    }
    builder.start().await.map_err(PhoneError::Start)
}

fn sound(options: &PhoneOptions) -> Result<Sound, PhoneError> {
    let sound = match &options.play {
        PhoneSound::Silence => Sound::silence(),
        PhoneSound::Echo => return Ok(Sound::echo()),
        PhoneSound::Tone { hertz, dbm0 } => Sound::tone(*hertz, *dbm0),
        PhoneSound::Wav { path, repeat } => {
            Sound::new(read_wav(path, *repeat).map_err(|error| PhoneError::Sound(path.clone(), error))?)
        }
    };
    Ok(sound.recorded())
}

impl PhoneOptions {
    fn failed(&self, error: ClientError) -> PhoneError {
        PhoneError::Call(self.server.clone(), error)
    }

    /// Error for the end of `--wait`.
    fn too_late(&self, what: &str) -> PhoneError {
        PhoneError::TooLate(format!("{what} within {} s", self.wait.as_secs()))
    }
}

/// Registers, until it is too late. A request that was never answered need not be undone.
async fn register(account: &Account, options: &PhoneOptions, until: Instant) -> Result<(), PhoneError> {
    let server = &options.server;
    tokio::select! {
        registered = account.register() => {
            registered.map_err(|error| PhoneError::Register(server.clone(), error))
        }
        () = tokio::time::sleep_until(until) => {
            Err(options.too_late(&format!("cannot register: no answer from {server}")))
        }
        _ = tokio::signal::ctrl_c() => Err(PhoneError::Interrupted),
    }
}

async fn until_answered(
    call: &mut Call,
    options: &PhoneOptions,
    until: Instant,
    tell: &mut impl FnMut(&str),
) -> Result<(), PhoneError> {
    let answered = async {
        call.ringing().await?;
        if let State::Ringing { early_media } = call.state() {
            tell(if early_media {
                "ringing, with sound"
            } else {
                "ringing"
            });
        }
        call.answered().await
    };
    let error = tokio::select! {
        answered = answered => return answered.map_err(|error| options.failed(error)),
        () = tokio::time::sleep_until(until) => options.too_late("call failed: nobody answered"),
        _ = tokio::signal::ctrl_c() => PhoneError::Interrupted,
    };
    let _ = call.hang_up().await;
    let _ = tokio::time::timeout(Duration::from_secs(2), call.ended()).await;
    Err(error)
}

async fn take(
    client: &mut Client,
    options: &PhoneOptions,
    sound: Sound,
    until: Instant,
    tell: &mut impl FnMut(&str),
) -> Result<Call, PhoneError> {
    for listener in client.listeners() {
        tell(&format!(
            "waiting for a call at {} {}",
            listener.transport.name(),
            listener.addr
        ));
    }
    let arrived = tokio::select! {
        arrived = tokio::time::timeout_at(until, client.next_call()) => arrived,
        _ = tokio::signal::ctrl_c() => return Err(PhoneError::Interrupted),
    };
    let mut call = arrived
        .ok()
        .flatten()
        .ok_or_else(|| options.too_late("nobody called"))?;
    if let Some(caller) = call.caller() {
        tell(&format!("{} calls {}", caller.from, caller.to));
    }
    tokio::select! {
        () = tokio::time::sleep(options.ring) => {}
        _ = call.ended() => {}
        _ = tokio::signal::ctrl_c() => {
            let _ = call.hang_up().await;
            let _ = tokio::time::timeout(Duration::from_secs(2), call.ended()).await;
            return Err(PhoneError::Interrupted);
        }
    }
    call.answer(sound).await.map_err(|error| options.failed(error))?;
    Ok(call)
}

/// From the answer to the end.
async fn talk(
    call: &mut Call,
    options: &PhoneOptions,
    tell: &mut impl FnMut(&str),
) -> Result<Summary, PhoneError> {
    let recording = call.recorder().map(|recorder| {
        let path = options.record.clone();
        tokio::task::spawn_blocking(move || recorder.run(path.as_deref()))
    });
    if let Some(keys) = &options.dtmf {
        call.send_dtmf(keys)
            .await
            .map_err(|error| options.failed(error))?;
        tell(&format!("sent {keys}"));
    }
    let mut digits = String::new();
    let end = async {
        match options.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    loop {
        tokio::select! {
            event = call.event() => match event {
                Some(CallEvent::Dtmf { digit, .. }) => {
                    tell(&format!("key {digit}"));
                    digits.push(digit);
                }
                Some(CallEvent::Talking) => tell("receiving audio"),
                Some(CallEvent::Held(held)) => tell(if held { "held" } else { "resumed" }),
                None => break,
            },
            () = &mut end => break,
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    let _ = call.hang_up().await;
    let record = call
        .ended()
        .await
        .ok_or_else(|| options.failed(ClientError::Stopped))?;
    let heard = match recording {
        None => None,
        Some(recording) => {
            let path = options.record.clone().unwrap_or_default();
            let heard = recording.await.ok().and_then(Result::ok);
            Some(heard.ok_or_else(|| {
                PhoneError::File(path, std::io::Error::other("the recording cannot be written"))
            })?)
        }
    };
    Ok(Summary {
        played: !matches!(options.play, PhoneSound::Silence),
        code: record.code,
        talked: talked(&record),
        digits,
        heard,
        report: record
            .legs
            .first()
            .map(|leg| leg.report.clone())
            .unwrap_or_default(),
    })
}

fn talked(record: &CallRecord) -> Duration {
    record
        .answered
        .map(|answered| record.ended.since(answered))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parsed(args: &[&str]) -> Result<PhoneOptions, String> {
        let cli = Cli::try_parse_from([&["cordboard", "phone"], args].concat()).map_err(|e| e.to_string())?;
        let Some(Command::Phone(args)) = cli.command else {
            return Err("no phone".into());
        };
        options(*args).map_err(|error| error.to_string())
    }

    #[test]
    fn options_say_what_is_wrong_with_them() {
        let good = parsed(&[
            "9196",
            "--registrar",
            "192.0.2.1:5070",
            "--domain",
            "example.com",
            "--transport",
            "TCP",
        ]);
        let good = good.expect("good");
        let account = good.account.expect("account");
        assert_eq!(account.aor, "sip:1004@example.com");
        assert_eq!(account.server, "sip:192.0.2.1:5070");
        assert_eq!(
            (good.transport, good.call.as_deref()),
            (Transport::Tcp, Some("9196"))
        );
        for (args, wrong) in [
            (["--transport", "sctp"], "--transport sctp"),
            (["--rtp-ports", "21000"], "--rtp-ports 21000"),
            (["--rtp-ports", "21001-21000"], "--rtp-ports 21001-21000"),
            (["--codecs", "pcmu,g729"], "--codecs g729"),
        ] {
            let error = parsed(&args).map(|_| ()).expect_err("wrong");
            assert!(error.starts_with(wrong), "{error}");
        }
    }

    fn summary(loud: bool, acknowledged: bool, seconds: u64) -> Summary {
        let mut heard = Heard::default();
        heard.add(&[if loud { 5_000 } else { 0 }; 8_000]);
        let report = Report {
            packets_sent: 50,
            packets_received: 50,
            round_trip_us: if acknowledged { 900 } else { 0 },
            ..Report::default()
        };
        let talked = Duration::from_secs(seconds);
        Summary {
            played: true,
            code: StatusCode::OK,
            talked,
            digits: String::new(),
            heard: Some(heard),
            report,
        }
    }

    #[test]
    fn both_ways_means_heard_and_confirmed() {
        assert!(summary(true, true, 20).both_ways());
        assert!(
            !summary(false, true, 20).both_ways(),
            "packets of silence are no sound"
        );
        assert!(!summary(true, false, 20).both_ways(), "nobody confirmed ours");
        assert!(summary(true, false, 2).both_ways(), "too short for a report");
        let mut mute = summary(true, false, 2);
        mute.report.packets_sent = 0;
        assert!(!mute.both_ways());
        let told = |summary: Summary| summary.to_string();
        assert!(told(summary(false, true, 20)).ends_with("only silence was received"));
        assert!(told(summary(true, false, 20)).ends_with("did not confirm ours"));
        // An echo of silence is silence.
        let mut silent = summary(false, true, 20);
        silent.played = false;
        assert!(silent.both_ways() && told(silent.clone()).contains("nothing was played"));
        silent.report.packets_received = 0;
        assert!(!silent.both_ways() && told(silent).ends_with("no audio was received"));
    }

    #[test]
    fn faults_of_our_own_side_are_not_called_refusals() {
        let told = |error| PhoneError::Register("sip.example.com".into(), error).to_string();
        assert_eq!(
            told(ClientError::Failed(Fault::Unresolved)),
            "cannot register: cannot resolve sip.example.com"
        );
        assert_eq!(
            told(ClientError::Failed(Fault::NoResponse)),
            "cannot register: no answer from sip.example.com"
        );
        assert_eq!(
            told(ClientError::Failed(Fault::Unreachable)),
            "cannot register: cannot connect to sip.example.com"
        );
        assert_eq!(
            told(ClientError::Failed(Fault::NoPort)),
            "cannot register: no free RTP port"
        );
        assert_eq!(
            told(ClientError::Refused(StatusCode::FORBIDDEN)),
            "cannot register: 403 Forbidden"
        );
    }

    #[tokio::test]
    async fn the_wait_also_bounds_registering() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let registrar = silent.local_addr().expect("address").to_string();
        let options = parsed(&["9196", "--registrar", &registrar, "--wait", "1"]).expect("good");
        let began = Instant::now();
        let error = make_call(options, |_| {}).await.expect_err("nobody answers");
        assert!(began.elapsed() < Duration::from_secs(10));
        assert_eq!(
            error.to_string(),
            format!("cannot register: no answer from {registrar} within 1 s")
        );
    }
}
