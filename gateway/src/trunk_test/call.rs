//! A call through a trunk, by the same machines as in the gateway, on sockets of its own.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use media_core::control::{Application as Sound, Report};
use media_core::dtls::Identity;
use sans_io::Time;
use session_core::{
    Access, CallRecord, Caller, Coordinator, Event, OutgoingCall, Party, Registrant, RegistrationState, Trunk,
};
use sip_core::endpoint;
use sip_core::flow::Transport;
use sip_core::message::StatusCode;
use sip_stack::media::MediaConfig;
use sip_stack::transport::{Limits, Listen};
use sip_stack::{Application, Handle, Stack, StackConfig};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::finding::{Finding, Grade};
use super::{TestError, outbound, words};
use crate::centre::view::silence;
use crate::cli::TrunkTest;
use crate::config::Config;
use crate::serve::{host, phone_ips, randomness};

/// Time that the registration may take.
const REGISTERING: Duration = Duration::from_secs(15);

/// Time that the called party may ring.
const RINGING: Duration = Duration::from_secs(60);

/// Time for the end of the call and of the registration.
const FAREWELL: Duration = Duration::from_secs(3);

/// Packets a second that both sides send at 20 ms each.
const PACKETS: u64 = 50;

/// Calls a number through the trunk, talks, and hangs up.
///
/// # Errors
/// No socket can be opened here.
pub(super) async fn make(
    config: &Config,
    (name, trunk): (&str, &Trunk),
    number: &str,
    options: &TrunkTest,
    tell: &mut impl FnMut(Finding),
) -> Result<(), TestError> {
    let (reports, mut events) = mpsc::unbounded_channel();
    let ports = ports(&options.rtp_ports)?;
    let settings = settings(config, (name, trunk), ports)?;
    let stack = Stack::start(settings, Line { reports })
        .await
        .map_err(|error| error.to_string())?;
    let mut call = Call {
        name,
        stack: &stack,
        events: &mut events,
        tell,
    };
    if trunk.register.is_none() || call.registers().await {
        call.goes(number, options).await;
    }
    stack.shutdown(FAREWELL).await;
    Ok(())
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, TestError> {
    let range = text
        .split_once('-')
        .and_then(|(low, high)| Some(low.parse::<u16>().ok()?..=high.parse::<u16>().ok()?));
    range
        .filter(|ports| ports.start() < ports.end())
        .ok_or_else(|| format!("--rtp-ports {text}: not like 21100-21119"))
}

/// A gateway with this trunk, without users, that nobody can call.
fn settings(
    config: &Config,
    (name, trunk): (&str, &Trunk),
    phone_ports: RangeInclusive<u16>,
) -> Result<StackConfig, TestError> {
    let identity = Identity::generate().map_err(|error| format!("DTLS certificate: {error}"))?;
    let mut secret = [0; 32];
    let mut rng = randomness().map_err(|error| error.to_string())?;
    rng.fill(&mut secret);
    let mut listen: Vec<Listen> = Vec::new();
    for addr in &config.sip.udp {
        listen.push(Listen::Udp((addr.ip(), 0).into()));
    }
    if trunk.transport == Transport::Tcp {
        for addr in &config.sip.tcp {
            listen.push(Listen::Tcp((addr.ip(), 0).into()));
        }
    }
    let sessions = session_core::Config {
        endpoint: endpoint::Config {
            user_agent: concat!("Cordboard/", env!("CARGO_PKG_VERSION")).into(),
            ..endpoint::Config::default()
        },
        access: Access::Directory {
            users: BTreeMap::new(),
            trunks: BTreeMap::from([(name.to_owned(), trunk.clone())]),
        },
        guard: config.guard.guard.clone(),
        domains: config.domains.clone(),
        realm: config.realm.clone(),
        algorithms: Vec::new(),
        advertise: config.advertise,
        phone_ips: phone_ips(&config.media.phone_addresses),
        browser_codecs: config.media.browser_codecs.clone(),
        phone_codecs: config.media.phone_codecs.clone(),
        // It talks itself, and decodes what it hears.
        pass_through: session_core::PassThrough::off(),
        grace: Duration::ZERO,
        session_timer: config.sip.session_expires,
        max_sessions: 2,
        max_contacts: 0,
        register_rate: config.sip.register_rate,
        upstream_rate: config.sip.upstream_rate,
        secret,
        ..session_core::Config::new(host(config), identity.fingerprint().clone())
    };
    Ok(StackConfig {
        tls_host: None,
        listen,
        outbound: outbound(config)?,
        limits: Limits::default(),
        media: MediaConfig {
            browsers: false,
            phone_ports,
            ..MediaConfig::default()
        },
        identity: Arc::new(identity),
        sessions,
        fetch: sip_stack::FetchSettings::default(),
    })
}

/// News of the call and of the registration.
#[derive(Debug)]
enum News {
    Registration(RegistrationState),
    Ringing { early_media: bool },
    Answered,
    Ended(Box<CallRecord>),
}

/// Request to the line.
enum Ask {
    Call(Box<OutgoingCall>),
    HangUp,
}

/// The application: one call of ours, and nobody else's.
struct Line {
    reports: mpsc::UnboundedSender<News>,
}

impl Application for Line {
    type Request = Ask;

    fn handle(&mut self, now: Time, event: Event, calls: &mut Coordinator) {
        let news = match event {
            Event::Incoming { session, .. }
            | Event::Replaces { session, .. }
            | Event::Joins { session, .. } => {
                return calls.reject(now, session, StatusCode::TEMPORARILY_UNAVAILABLE);
            }
            Event::Message { message, .. } => {
                return calls.refuse_message(now, message, StatusCode::TEMPORARILY_UNAVAILABLE);
            }
            Event::Mailbox { notice, .. } => return calls.refuse_notice(now, notice, StatusCode::NOT_FOUND),
            Event::Watch { subscription, .. } => {
                return calls.refuse_watch(subscription, StatusCode::NOT_FOUND);
            }
            Event::Registration {
                registrant: Registrant::Trunk(_),
                state,
            } => News::Registration(state),
            Event::Progress { early_media, .. } => News::Ringing { early_media },
            Event::Answered { .. } => News::Answered,
            Event::Ended { record, .. } => News::Ended(record),
            _ => return,
        };
        // Whoever tests may have gone already.
        let _ = self.reports.send(news);
    }

    fn handle_request(&mut self, now: Time, request: Ask, calls: &mut Coordinator) {
        match request {
            Ask::Call(call) => {
                let made = calls.create_outgoing_call(now, *call);
                debug_assert!(made.is_ok(), "a gateway without calls has room for one: {made:?}");
            }
            Ask::HangUp => {
                let all: Vec<_> = calls.sessions().collect();
                for session in all {
                    calls.terminate_session(now, session);
                }
            }
        }
    }
}

/// The test of a call while it goes on.
struct Call<'c, F> {
    name: &'c str,
    stack: &'c Handle<Ask>,
    events: &'c mut mpsc::UnboundedReceiver<News>,
    tell: &'c mut F,
}

impl<F: FnMut(Finding)> Call<'_, F> {
    /// Waits until the trunk is registered. False if it is not.
    async fn registers(&mut self) -> bool {
        let until = Instant::now() + REGISTERING;
        let mut last = None;
        while let Ok(Some(news)) = timeout_at(until, self.events.recv()).await {
            let News::Registration(state) = news else { continue };
            if let RegistrationState::Registered { .. } = state {
                (self.tell)(Finding::good(
                    "call",
                    format!("the trunk `{}` is registered", self.name),
                ));
                return true;
            }
            last = Some(state);
        }
        let what = match last {
            Some(RegistrationState::Refused(code) | RegistrationState::Stopped(code)) => {
                format!("the trunk does not register: {code}")
            }
            Some(RegistrationState::Unanswered(fault)) => {
                format!("the trunk does not register: {}", silence(fault))
            }
            _ => "the trunk does not register: the registrar is silent".to_owned(),
        };
        (self.tell)(Finding::new(
            "call",
            Grade::Wrong,
            what,
            "without registration no call was tried",
        ));
        false
    }

    /// Calls, talks and hangs up.
    async fn goes(&mut self, number: &str, options: &TrunkTest) {
        let call = OutgoingCall {
            party: Party::Trunk {
                name: self.name.to_owned(),
                number: number.to_owned(),
            },
            caller: Caller {
                user: options.from.clone(),
                display: String::new(),
            },
            ring_timeout: RINGING,
            application: Some(Sound::Tone {
                hertz: 1_004,
                dbm0: -20,
            }),
        };
        if self.stack.request(Ask::Call(Box::new(call))).await.is_err() {
            return;
        }
        let began = Instant::now();
        let mut answered = None;
        let mut hang_up = None;
        loop {
            let until = hang_up.unwrap_or(began + RINGING + FAREWELL);
            let news = match timeout_at(until, self.events.recv()).await {
                Ok(Some(news)) => news,
                Ok(None) => return,
                Err(_) if hang_up.take().is_some() || answered.is_none() => {
                    let _ = self.stack.request(Ask::HangUp).await;
                    continue;
                }
                Err(_) => return,
            };
            let ms = began.elapsed().as_millis();
            match news {
                News::Ringing { early_media } => {
                    let sound = if early_media {
                        ", with sound of the carrier"
                    } else {
                        ""
                    };
                    (self.tell)(Finding::good("call", format!("it rings after {ms} ms{sound}")));
                }
                News::Answered => {
                    let talk = Duration::from_secs(options.seconds.into());
                    (answered, hang_up) = (Some(talk), Some(Instant::now() + talk));
                    (self.tell)(Finding::good("call", format!("answered after {ms} ms")));
                }
                News::Ended(record) => return self.ended(&record, answered),
                News::Registration(_) => {}
            }
        }
    }

    fn ended(&mut self, record: &CallRecord, answered: Option<Duration>) {
        let leg = record.legs.first();
        let call_id = leg.map(|leg| leg.call_id.clone()).unwrap_or_default();
        let Some(talked) = answered else {
            let why = record
                .fault
                .map(|fault| format!(" ({fault})"))
                .unwrap_or_default();
            let what = format!("the call ended with {}{why}; Call-ID {call_id}", record.code);
            return (self.tell)(Finding::new(
                "call",
                Grade::Wrong,
                what,
                words::of_call(record.code),
            ));
        };
        let report = leg.map(|leg| leg.report.clone()).unwrap_or_default();
        (self.tell)(sound(&report, talked));
    }
}

/// Judges the sound of a call.
fn sound(report: &Report, talked: Duration) -> Finding {
    let expected = talked.as_secs() * PACKETS;
    let (sent, received) = (report.packets_sent, report.packets_received);
    let codec = report
        .codec_received
        .as_ref()
        .map_or("none", |codec| codec.name());
    let what = format!(
        "sound: {sent} packets sent, {received} received ({codec}), {} lost, jitter {:.1} ms, MOS {:.1}",
        report.lost,
        f64::from(report.jitter_us) / 1_000.0,
        report.mos
    );
    if received == 0 {
        let right = "no sound comes in: is `advertise` this gateway's public address, and are `phone_ports` open in the firewall? \
                     With SRTP, do the keys fit?";
        return Finding::new("call", Grade::Wrong, what, right);
    }
    if received < expected / 2 {
        let right = "little sound comes in: the called party may be silent, or packets are lost on the way";
        return Finding::new("call", Grade::Doubtful, what, right);
    }
    Finding::good("call", what)
}
