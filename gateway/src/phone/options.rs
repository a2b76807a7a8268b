//! Options of the phone, from those of the command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use media_core::negotiated::Codec;
use sip_core::flow::Transport;
use sip_stack::transport::tls::ClientTls;

use super::{PhoneError, WebSocketUrl};
use crate::cli::PhoneArgs;

/// Options of the phone.
#[derive(Clone, Debug)]
pub struct PhoneOptions {
    /// Way to the server, and of the media.
    pub network: Network,
    /// Its account; `None`: it calls, or waits, as nobody in particular. With WebRTC there is always one.
    pub account: Option<Account>,
    /// Number or SIP URI to call; `None`: wait for a call and answer it.
    pub call: Option<String>,
    /// The server, as errors name it.
    pub server: String,
    /// Certificates to believe over TLS.
    pub trust: Trust,
    /// Offered and accepted, best first.
    pub codecs: Vec<Codec>,
    /// Sound that the other side hears.
    pub play: PlayedSound,
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

/// Way to the server, and of the media.
#[derive(Clone, Debug)]
pub enum Network {
    /// SIP over UDP, TCP or TLS, and RTP: a phone.
    Sip(SipNetwork),
    /// SIP over a WebSocket, and WebRTC: a page in a browser.
    WebRtc(WebRtcNetwork),
}

/// Sockets of a SIP phone.
#[derive(Clone, Debug)]
pub struct SipNetwork {
    /// Local address of SIP and RTP; port 0 takes any.
    pub bind: SocketAddr,
    /// SIP transport, where a URI names none.
    pub transport: Transport,
    /// Ports of RTP.
    pub rtp_ports: RangeInclusive<u16>,
}

/// Sockets of a WebRTC client.
#[derive(Clone, Debug)]
pub struct WebRtcNetwork {
    /// The server's WebSocket.
    pub url: WebSocketUrl,
    /// Local address of media; unspecified: every interface.
    pub media_ip: IpAddr,
}

/// Certificates to believe over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those that the authorities of the system signed.
    System,
    /// Those that the authorities in a PEM file signed.
    Authorities(PathBuf),
    /// Any: encryption without knowing with whom.
    Anybody,
}

impl Trust {
    /// The configuration of TLS.
    ///
    /// # Errors
    /// The file cannot be read, or there are no authorities in it, or in the system.
    pub fn tls(&self) -> Result<ClientTls, PhoneError> {
        match self {
            Trust::System => ClientTls::system(),
            Trust::Authorities(path) => {
                let pem = std::fs::read(path).map_err(|error| PhoneError::File(path.clone(), error))?;
                ClientTls::authorities(&pem)
            }
            Trust::Anybody => ClientTls::unverified(),
        }
        .map_err(PhoneError::Tls)
    }
}

/// An account at a registrar.
#[derive(Clone, Debug)]
pub struct Account {
    /// E.g. `sip:1001@example.com`.
    pub aor: String,
    /// The registrar, e.g. `sip:127.0.0.1:5060;transport=tcp`; not used with a WebSocket, which is the way to it.
    pub server: String,
    /// Name for digest; often the user part of `aor`.
    pub username: String,
    /// Password for digest.
    pub password: String,
    /// False: calls are made with its name and password, but nobody can call it.
    pub register: bool,
}

/// Sound that the other side hears.
#[derive(Clone, Debug)]
pub enum PlayedSound {
    /// Nothing.
    Silence,
    /// Its own audio, played back.
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
        /// File to play.
        path: PathBuf,
        /// Begin again at the end.
        repeat: bool,
    },
}

/// Reads the command line.
///
/// # Errors
/// [`PhoneError::Option`] with the option and what is wrong with it.
pub(super) fn read(args: PhoneArgs) -> Result<PhoneOptions, PhoneError> {
    let network = network(&args)?;
    let is_webrtc = matches!(network, Network::WebRtc(_));
    let (server, registrar) = match &network {
        Network::Sip(_) => (args.registrar.clone(), args.registrar.clone()),
        // A page calls and registers at the domain that it was loaded from.
        Network::WebRtc(webrtc) => (webrtc.url.to_string(), webrtc.url.host.clone()),
    };
    let codecs = match (&args.codecs, is_webrtc) {
        (Some(names), _) => names.iter().map(|name| codec(name)).collect::<Result<_, _>>()?,
        (None, true) => vec![Codec::Opus, Codec::Pcmu, Codec::Pcma],
        (None, false) => vec![Codec::Pcmu, Codec::Pcma],
    };
    let domain = args.domain.as_deref().unwrap_or(&registrar);
    Ok(PhoneOptions {
        account: Some(Account {
            aor: format!("sip:{}@{domain}", sip_core::uri::escape_user(&args.user)),
            server: format!("sip:{registrar}"),
            username: args.user.clone(),
            password: args.password,
            register: !args.no_register,
        }),
        call: args.target,
        network,
        server,
        trust: match (args.ca, args.insecure) {
            (Some(path), _) => Trust::Authorities(path),
            (None, true) => Trust::Anybody,
            (None, false) => Trust::System,
        },
        codecs,
        play: match (args.play, args.tone, args.echo) {
            (Some(path), ..) => PlayedSound::Wav { path, repeat: true },
            (None, Some(hertz), _) => PlayedSound::Tone { hertz, dbm0: -10 },
            (None, None, true) => PlayedSound::Echo,
            (None, None, false) => PlayedSound::Silence,
        },
        record: args.record,
        dtmf: args.dtmf,
        ring: Duration::from_secs(args.ring),
        wait: Duration::from_secs(args.wait),
        duration: Some(Duration::from_secs(args.duration)),
    })
}

fn network(args: &PhoneArgs) -> Result<Network, PhoneError> {
    if let Some(url) = &args.webrtc {
        let parsed = WebSocketUrl::parse(url);
        let url = parsed
            .ok_or_else(|| PhoneError::Option(format!("--webrtc {url}: not like wss://example.com/ws")))?;
        return Ok(Network::WebRtc(WebRtcNetwork {
            media_ip: args.bind.unwrap_or_else(|| media_ip(&url)),
            url,
        }));
    }
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
    let ip = args.bind.unwrap_or(Ipv4Addr::LOCALHOST.into());
    Ok(Network::Sip(SipNetwork {
        bind: SocketAddr::new(ip, args.port),
        transport,
        rtp_ports,
    }))
}

/// Local address of media towards a server: loopback for one on this machine, else every interface.
fn media_ip(url: &WebSocketUrl) -> IpAddr {
    let is_local = url.ip().map_or(url.host == "localhost", |ip| ip.is_loopback());
    match url.ip() {
        Some(ip) if is_local => ip,
        _ if is_local => Ipv4Addr::LOCALHOST.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    }
}

fn codec(name: &str) -> Result<Codec, PhoneError> {
    match name.to_ascii_lowercase().as_str() {
        "pcmu" => Ok(Codec::Pcmu),
        "pcma" => Ok(Codec::Pcma),
        "g722" => Ok(Codec::G722),
        "opus" => Ok(Codec::Opus),
        other => Err(PhoneError::Option(format!(
            "--codecs {other}: not one of pcmu, pcma, g722, opus"
        ))),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    pub(in crate::phone) fn parsed(args: &[&str]) -> Result<PhoneOptions, String> {
        let cli = Cli::try_parse_from([&["cordboard", "phone"], args].concat()).map_err(|e| e.to_string())?;
        let Some(Command::Phone(args)) = cli.command else {
            return Err("no phone".into());
        };
        read(*args).map_err(|error| error.to_string())
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
        let Network::Sip(network) = good.network else {
            panic!("a SIP phone")
        };
        assert_eq!(
            (network.transport, good.call.as_deref()),
            (Transport::Tcp, Some("9196"))
        );
        for (args, wrong) in [
            (["--transport", "sctp"], "--transport sctp"),
            (["--rtp-ports", "21000"], "--rtp-ports 21000"),
            (["--rtp-ports", "21001-21000"], "--rtp-ports 21001-21000"),
            (["--codecs", "pcmu,g729"], "--codecs g729"),
            (
                ["--webrtc", "https://example.com/"],
                "--webrtc https://example.com/",
            ),
        ] {
            let error = parsed(&args).map(|_| ()).expect_err("wrong");
            assert!(error.starts_with(wrong), "{error}");
        }
    }

    #[test]
    fn a_webrtc_client_has_the_domain_of_its_url_and_offers_opus_first() {
        let options = parsed(&["9196", "--webrtc", "wss://Example.com/ws", "--user", "1001"]).expect("good");
        assert_eq!(
            options.account.map(|a| a.aor).as_deref(),
            Some("sip:1001@example.com")
        );
        assert_eq!(options.codecs[0], Codec::Opus);
        assert_eq!(options.server, "wss://example.com:443/ws");
        let Network::WebRtc(network) = options.network else {
            panic!("a WebRTC client")
        };
        assert!(network.media_ip.is_unspecified());
        let local = WebSocketUrl::parse("ws://[::1]:80/").expect("good");
        assert_eq!(media_ip(&local), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST));
        assert!(
            parsed(&["--webrtc", "ws://127.0.0.1/ws", "--transport", "tcp"]).is_err(),
            "it has one transport"
        );
    }
}
