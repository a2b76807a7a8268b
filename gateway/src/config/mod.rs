//! Configuration: defaults that need no file, and a TOML file laid over them.

mod call_handling;
pub(crate) mod centre;
mod certificate;
mod demo;
mod doubts;
mod engine_ids;
mod error;
mod hours;
mod load;
mod profile;
mod prompts;
pub(crate) mod queue;
mod queue_ref;
mod read_caps;
mod read_choices;
mod read_dial;
mod read_emergency;
mod read_feature_codes;
mod read_groups;
mod read_identity;
mod read_media;
mod read_numbers;
mod read_outgoing;
mod read_park;
mod read_queues;
mod read_recording;
mod read_registration;
mod read_shaken;
mod read_signalling;
mod read_tls;
mod read_trunks;
mod read_users;
mod reader;
pub(crate) mod setting;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use call_engine::{DialPlan, Rule};
use media_core::control::Prompts;
use media_core::negotiated::Codec;
use session_core::{Limits, MessageSettings, Numbering, PassThrough, Trunk, User};
use sip_stack::Dscp;
use sip_stack::transport::tls::KeyPair;
use toml::de::DeTable;

use crate::auth::sentry::Settings;
use crate::recording::RecordingSettings;
use crate::store::Durability;

pub use call_handling::{CallHandling, Forward};
pub use centre::{Choice, Member, Role, Staff, Work};
pub use demo::{DEMO_PASSWORD, DEMO_PHONE, DEMO_USERS};
pub use engine_ids::EngineIds;
pub use error::{ConfigError, Severity};
pub use hours::{Holiday, Open, Zone};
pub use profile::{Numbers, Profile};
pub use queue::{Queue, Widening};
pub use queue_ref::{Overflow, QueueRef};
pub use read_emergency::{Emergency, OfUser};
pub use read_feature_codes::{Feature, FeatureCodes};
pub use read_groups::Group;
pub use read_park::Park;
pub use read_shaken::Shaken;

/// Configuration of the gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// HTTP: the page, SIP over WebSocket, the API.
    pub http: Http,
    /// SIP over UDP, TCP and TLS.
    pub sip: Sip,
    /// Browser and phone media.
    pub media: Media,
    /// Address that others reach us at, where it is not one of ours (container, cloud).
    pub advertise: Option<IpAddr>,
    /// SIP domains that we answer for; empty: any.
    pub domains: Vec<String>,
    /// Trunk that is a PBX whose users register through the gateway.
    pub upstream: Option<String>,
    /// Web origins whose pages may connect, besides our own; `*`: any.
    pub origins: Vec<String>,
    /// Digest realm.
    pub realm: String,
    /// Time that a phone may ring.
    pub ring_timeout: Duration,
    /// Time that a browser may be away in a call before the call ends.
    pub grace: Duration,
    /// Users who may register, by name.
    pub users: BTreeMap<String, User>,
    /// Call handling of users who have some, by name.
    pub call_handling: BTreeMap<String, CallHandling>,
    /// Carriers and other peers known by their address, by name.
    pub trunks: BTreeMap<String, Trunk>,
    /// Limits on the calls that trunks and users place.
    pub limits: Limits,
    /// Instant messages.
    pub messages: MessageSettings,
    /// Way in which numbers are dialled here; `None`: numbers are what is dialled.
    pub numbering: Option<Arc<Numbering>>,
    /// Dial rules: the first match decides.
    pub rules: Vec<Rule>,
    /// Storage of everything that outlives the process.
    pub store: Storage,
    /// The folder for it, where the command line names none.
    pub state: Option<PathBuf>,
    /// Protection against guessing, and trusted proxies.
    pub guard: Settings,
    /// Durability of a commit.
    pub durability: Durability,
    /// Staff of the call centre, by the user's name.
    pub staff: BTreeMap<String, Staff>,
    /// Queues, in the order of the file.
    pub queues: Vec<Queue>,
    /// Ring groups.
    pub groups: Vec<Group>,
    /// Parked calls.
    pub park: Park,
    /// Recording of calls; `None`: no call is recorded.
    pub recording: Option<RecordingSettings>,
    /// Feature codes of desk phones.
    pub feature_codes: FeatureCodes,
    /// Pause reasons.
    pub pause_reasons: Vec<Choice>,
    /// Dispositions.
    pub dispositions: Vec<Choice>,
    /// True if the demonstration's accounts, numbers and phone exist: no users and no trunks are configured,
    /// and every listener is on loopback.
    pub demo: bool,
    /// Name of the admin who is created, with a random password, at the first start if the store has no admin.
    pub first_admin: Option<String>,
    /// Apply the file and the certificates as soon as they change.
    pub watch: bool,
    /// Line and column of each trunk's address.
    pub trunk_places: BTreeMap<String, (usize, usize)>,
    /// Profiles of trunks that have one, by the trunk's name.
    pub trunk_profiles: BTreeMap<String, &'static str>,
    /// Settings of TLS towards trunks that have some of their own, by the trunk's name.
    pub trunk_tls: BTreeMap<String, TrunkTls>,
    /// Signed callers.
    pub shaken: Shaken,
    /// Emergency calls.
    pub emergency: Emergency,
    /// Warnings: settings that are legal and surely not meant.
    pub warnings: Vec<ConfigError>,
}

/// Settings from the command line or the environment, which win over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Default listen address; listeners with an address of their own in the file keep it.
    pub listen: Option<IpAddr>,
    /// Address at which others reach this host.
    pub advertise: Option<IpAddr>,
    /// Name of the admin who is created at the first start.
    pub first_admin: Option<String>,
}

/// Storage of everything that outlives the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In SQLite in the state folder.
    Folder,
    /// Nowhere.
    Memory,
    /// There: `sqlite:PATH` or `postgres://…`.
    Url(String),
}

/// Settings of the HTTP listener.
#[derive(Clone, Debug)]
pub struct Http {
    /// Address and port.
    pub listen: SocketAddr,
    /// Speak HTTPS and WSS.
    pub tls: Option<Tls>,
}

/// Settings of the SIP listeners.
#[derive(Clone, Debug)]
pub struct Sip {
    /// UDP sockets.
    pub udp: Vec<SocketAddr>,
    /// TCP listeners.
    pub tcp: Vec<SocketAddr>,
    /// TLS listeners.
    pub tls: Vec<SocketAddr>,
    /// Certificate and key of the TLS listeners.
    pub identity: Option<Tls>,
    /// File with the authorities (PEM) that vouch for the certificates of clients; `None`: nobody is asked for one.
    pub client_ca: Option<PathBuf>,
    /// Name by which others reach the TLS listeners, for `Via` and `Contact`.
    pub tls_host: Option<String>,
    /// Offer SHA-256 before MD5 to phones (RFC 8760). Browsers know MD5 only and are offered no other.
    pub sha256: bool,
    /// Session interval that phones and trunks are asked for (RFC 4028); `None`: only where they ask.
    pub session_expires: Option<Duration>,
    /// Maximum number of REGISTERs sent to carriers each second.
    pub register_rate: u32,
    /// Mark of SIP's packets.
    pub dscp: Dscp,
    /// Maximum number of requests of its users that the PBX gets each second.
    pub upstream_rate: u32,
}

/// Settings of media.
#[derive(Clone, Debug)]
pub struct Media {
    /// UDP port of the first media thread; each further one has the next.
    pub browser_port: u16,
    /// Local addresses for browsers; empty: every one there is.
    pub browser_addresses: Vec<IpAddr>,
    /// Local addresses for phones and trunks, best first: one of each family.
    pub phone_addresses: Vec<IpAddr>,
    /// Ports for them, two a call.
    pub phone_ports: RangeInclusive<u16>,
    /// Time that a phone which should send may be silent before it is asked whether it is there; `None`: for ever.
    pub inactivity: Option<Duration>,
    /// Announcements for waiting callers that the owner recorded; `None`: those that the gateway was built with.
    pub prompts: Option<Arc<Prompts>>,
    /// Language of those that the gateway was built with.
    pub language: String,
    /// Media threads, each on a core of its own.
    pub threads: u8,
    /// Offered to and taken from browsers, best first.
    pub browser_codecs: Vec<Codec>,
    /// Offered to and taken from phones, best first.
    pub phone_codecs: Vec<Codec>,
    /// Formats that are passed on undecoded between phones and trunks.
    pub pass_through: PassThrough,
    /// Mark of the packets.
    pub dscp: Dscp,
}

/// A certificate chain and its key, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Leaf first.
    pub certificate: PathBuf,
    /// PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

impl Tls {
    /// Reads the certificate and its key.
    ///
    /// # Errors
    /// One of them cannot be read, or they do not belong together; the text says which.
    pub fn key_pair(&self) -> Result<KeyPair, String> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
        };
        KeyPair::read(&read(&self.certificate)?, &read(&self.key)?)
            .map_err(|error| format!("{}: {error}", self.certificate.display()))
    }
}

/// Settings of TLS towards a trunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrunkTls {
    /// Authorities (PEM) whose word is taken for it, instead of those that the system trusts.
    pub ca: Option<PathBuf>,
    /// Certificate of ours, shown where it asks for one.
    pub identity: Option<Tls>,
    /// Name to ask for and to expect in its certificate, instead of the host by which it is reached.
    pub name: Option<String>,
}

/// Reasons to pause that everybody has, unless others are configured.
const PAUSE_REASONS: [(&str, &str); 5] = [
    ("break", "Break"),
    ("lunch", "Lunch"),
    ("meeting", "Meeting"),
    ("training", "Training"),
    ("paperwork", "Paperwork"),
];
/// Built-in dispositions, used unless others are configured.
const DISPOSITIONS: [(&str, &str); 6] = [
    ("resolved", "Resolved"),
    ("follow-up", "Follow-up needed"),
    ("call-back", "Call back"),
    ("passed-on", "Passed on"),
    ("wrong-number", "Wrong number"),
    ("nuisance", "Nuisance"),
];

fn choices(pairs: &[(&str, &str)]) -> Vec<Choice> {
    let choice = |(code, label): &(&str, &str)| Choice {
        code: (*code).to_owned(),
        label: (*label).to_owned(),
    };
    pairs.iter().map(choice).collect()
}

impl Default for Config {
    fn default() -> Config {
        let mut config = Config::on(IpAddr::V4(Ipv4Addr::LOCALHOST));
        config.add_demo();
        config
    }
}

impl Config {
    /// Defaults with every listener on `ip`, without users.
    fn on(ip: IpAddr) -> Config {
        Config {
            http: Http {
                listen: SocketAddr::new(ip, 8080),
                tls: None,
            },
            sip: Sip {
                udp: vec![SocketAddr::new(ip, 5060)],
                tcp: vec![SocketAddr::new(ip, 5060)],
                tls: Vec::new(),
                identity: None,
                client_ca: None,
                tls_host: None,
                sha256: false,
                session_expires: Some(Duration::from_secs(1800)),
                register_rate: 50,
                dscp: Dscp::CS3,
                upstream_rate: 200,
            },
            media: Media {
                browser_port: 10_000,
                browser_addresses: Vec::new(),
                phone_addresses: vec![ip],
                phone_ports: 20_000..=20_999,
                inactivity: Some(Duration::from_secs(60)),
                prompts: None,
                language: crate::prompts::DEFAULT.into(),
                threads: media_threads(),
                browser_codecs: vec![Codec::Opus, Codec::Pcmu, Codec::Pcma],
                phone_codecs: vec![Codec::G722, Codec::Pcmu, Codec::Pcma, Codec::Opus],
                pass_through: PassThrough::All,
                dscp: Dscp::EF,
            },
            advertise: None,
            domains: Vec::new(),
            upstream: None,
            origins: Vec::new(),
            realm: "cordboard".into(),
            ring_timeout: Duration::from_secs(60),
            numbering: None,
            grace: Duration::from_secs(15),
            users: BTreeMap::new(),
            call_handling: BTreeMap::new(),
            trunks: BTreeMap::new(),
            limits: Limits::default(),
            messages: MessageSettings::default(),
            rules: Vec::new(),
            store: Storage::Folder,
            state: None,
            guard: Settings::default(),
            durability: Durability::Full,
            staff: BTreeMap::new(),
            queues: Vec::new(),
            groups: Vec::new(),
            park: Park::default(),
            recording: None,
            feature_codes: FeatureCodes::default(),
            pause_reasons: choices(&PAUSE_REASONS),
            dispositions: choices(&DISPOSITIONS),
            demo: false,
            first_admin: None,
            watch: true,
            trunk_places: BTreeMap::new(),
            trunk_profiles: BTreeMap::new(),
            trunk_tls: BTreeMap::new(),
            shaken: Shaken::default(),
            emergency: Emergency::default(),
            warnings: Vec::new(),
        }
    }

    /// The state folder that a file names, even if the rest of the file is wrong.
    #[must_use]
    pub fn state_in(file: &Path) -> Option<PathBuf> {
        let text = std::fs::read_to_string(file).ok()?;
        let (table, _) = DeTable::parse_recoverable(&text);
        let state = table.get_ref().get("state")?.get_ref().as_str()?.trim();
        (!state.is_empty()).then(|| file.parent().unwrap_or(Path::new(".")).join(state))
    }

    /// The dial plan over the users and queues of the file.
    #[must_use]
    pub fn plan(&self) -> DialPlan {
        let here = (&self.groups[..], &self.park);
        plan(self.rules.clone(), self.users.keys(), &self.queues, here)
    }
}

/// Default of `media.threads`: a core for each, and one for all else.
fn media_threads() -> u8 {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    cores.saturating_sub(1).clamp(1, 64) as u8
}

/// A dial plan over users, queues, ring groups and parked calls.
pub(crate) fn plan<'a>(
    rules: Vec<Rule>,
    users: impl IntoIterator<Item = &'a String>,
    queues: impl IntoIterator<Item = &'a Queue>,
    (groups, park): (&[Group], &Park),
) -> DialPlan {
    let named = queues.into_iter().flat_map(|queue| {
        let called = [Some(&queue.name), queue.number.as_ref()].into_iter().flatten();
        called.map(|called| (called.clone(), queue.name.clone()))
    });
    let grouped = groups.iter().flat_map(|group| {
        let called = [Some(&group.ring.name), group.number.as_ref()]
            .into_iter()
            .flatten();
        called.map(|called| (called.clone(), group.ring.name.clone()))
    });
    let plan = DialPlan::new(rules, users.into_iter().cloned())
        .with_queues(named)
        .with_groups(grouped);
    match park.number.is_empty() {
        true => plan,
        false => plan.with_park(park.number.clone(), park.slots.iter().cloned()),
    }
}
