//! Settings that the coordinator needs before the first call.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use media_core::control::MediaSource;
use media_core::negotiated::{Codec, Fingerprint};
use media_core::sdp::SrtpPolicy;
use sans_io::Time;
use sip_core::auth::{Algorithm, Password};
use sip_core::dialog::Duty;
use sip_core::endpoint::{self, Reliability};
use sip_core::flow::Transport;
use sip_core::uri::Uri;

use crate::admission::{Limits, Quota};
use crate::caps::Cap;
use crate::emergency::EmergencyNumbers;
use crate::guard::{self, Network};
use crate::identity::IdentityPolicy;
use crate::instant::{MessageId, MessageSettings, SavedMessage};
use crate::numbers::TrunkNumbers;
use crate::pass_through::PassThrough;
use crate::registration::TrunkRegistration;
use crate::stir::{Signing, StirSettings, Verification};
use crate::trunk::Outgoing;

/// Settings of the coordinator.
#[derive(Clone, Debug)]
pub struct Config {
    /// The SIP machine's own.
    pub endpoint: endpoint::Config,
    /// Users and trunks that may register and call.
    pub access: Access,
    /// Credentials that are not in the directory.
    pub credentials: Credentials,
    /// Protection against guessing and scanning. Sources of trunks are spared in any case.
    pub guard: guard::Config,
    /// SIP domains we answer for; empty: any.
    pub domains: Vec<String>,
    /// Digest realm.
    pub realm: String,
    /// Digest algorithms offered to phones and trunks; browsers are offered MD5 whatever stands here.
    pub algorithms: Vec<Algorithm>,
    /// Host that we put into the From of calls we make, e.g. our public name.
    pub host: String,
    /// Addresses in SDP are replaced by this one, for a host behind 1:1 NAT (a cloud, a container).
    pub advertise: Option<IpAddr>,
    /// Addresses that phone legs bind to, best first: one of each family (IPv4, IPv6) that is spoken to phones.
    pub phone_ips: Vec<IpAddr>,
    /// Fingerprint of our DTLS certificate.
    pub fingerprint: Fingerprint,
    /// Media threads.
    pub shards: u8,
    /// Ids of calls and legs are above this one: see [`first_id`](crate::first_id).
    pub first_id: u64,
    /// Codecs offered to and accepted from browsers, best first.
    pub browser_codecs: Vec<Codec>,
    /// Codecs for phones and trunks that name none of their own, best first.
    pub phone_codecs: Vec<Codec>,
    /// Formats beside, which are passed on undecoded between phones and trunks that name none of their own.
    pub pass_through: PassThrough,
    /// Time that a browser may be away before its call ends.
    pub grace: Duration,
    /// Session interval that we ask for on legs of phones and trunks (RFC 4028); `None`: only where the peer
    /// asks for one. A browser's leg has the consent checks of ICE, and JsSIP asks by itself.
    pub session_timer: Option<Duration>,
    /// Time that a phone's leg that should send may be silent before its peer is asked for a sign of life;
    /// `None`: for ever.
    pub inactivity: Option<Duration>,
    /// Most sessions at a time; 503 beyond.
    pub max_sessions: usize,
    /// Most contacts a user may register.
    pub max_contacts: usize,
    /// Limits on the calls that trunks and users place.
    pub limits: Limits,
    /// Maximum number of REGISTERs that we send each second, their repetitions not counted.
    pub register_rate: u32,
    /// Trunk that is a PBX whose users register through us, with credentials that we neither know nor keep.
    pub upstream: Option<String>,
    /// Maximum number of requests of its clients that it gets each second.
    pub upstream_rate: u32,
    /// Secret that makes the `Contact` of each trunk that we register at unlike what anybody guesses: the same after a restart, if
    /// registrars are not to keep two of them.
    pub secret: [u8; 32],
    /// Instant messages.
    pub messages: MessageSettings,
    /// Messages that waited for their users before a restart. `Some`, even without any: the application saves what is kept
    /// ([`Event::MessageKept`](crate::Event::MessageKept)). `None`: a restart loses it.
    pub saved_messages: Option<Vec<(MessageId, SavedMessage)>>,
    /// Signed callers.
    pub stir: StirSettings,
    /// Emergency numbers of users.
    pub emergency: EmergencyNumbers,
}

/// Silence after which a waiting caller is asked for a sign of life before an agent's phone rings. A phone that suppresses silence and
/// sends neither comfort noise nor RTCP is asked for nothing, which costs one OPTIONS; a dead caller costs an agent more.
const SILENCE: Duration = Duration::from_secs(3);

impl Config {
    /// Settings of a host that anybody may call, and that calls as this one: a name, or the address that phone legs bind to. To be
    /// changed by struct update, each setting by itself. The secret is no secret.
    #[must_use]
    pub fn new(host: impl Into<String>, fingerprint: Fingerprint) -> Config {
        let host = host.into();
        Config {
            endpoint: endpoint::Config::default(),
            access: Access::Anyone(PeerMedia::default()),
            credentials: Credentials::default(),
            guard: guard::Config::default(),
            domains: Vec::new(),
            realm: host.clone(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            advertise: None,
            phone_ips: host.parse().into_iter().collect(),
            host,
            fingerprint,
            shards: 1,
            first_id: 0,
            browser_codecs: vec![Codec::Opus, Codec::Pcmu, Codec::Pcma],
            phone_codecs: vec![Codec::Pcmu, Codec::Pcma],
            pass_through: PassThrough::default(),
            grace: Duration::from_secs(15),
            session_timer: None,
            inactivity: None,
            max_sessions: 1_000,
            max_contacts: 10,
            limits: Limits::default(),
            register_rate: 50,
            upstream: None,
            upstream_rate: 200,
            secret: [0; 32],
            messages: MessageSettings::default(),
            saved_messages: None,
            stir: StirSettings::default(),
            emergency: EmergencyNumbers::default(),
        }
    }

    /// Time after which media shards report a leg as silent.
    #[must_use]
    pub fn silence(&self) -> Option<Duration> {
        self.inactivity.map(|inactivity| inactivity.min(SILENCE))
    }
}

/// Lookup of credentials that come and go while the coordinator runs, such as those of a page that is signed
/// in, by their digest user name. It is called at each digest, and must not wait for anything.
#[derive(Clone, Default)]
pub struct Credentials(Option<Lookup>);

type Lookup = Arc<dyn Fn(Time, &str) -> Option<Lent> + Send + Sync>;

/// Credentials that end.
#[derive(Clone, PartialEq, Eq)]
pub struct Lent {
    /// User of the directory that they belong to.
    pub user: String,
    /// The password that goes with the digest user name.
    pub password: String,
    /// False once they have expired. A client that shows expired ones is guessing at nothing, and gets nothing.
    pub good: bool,
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent")
            .field("user", &self.user)
            .field("good", &self.good)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Asks `lookup`.
    #[must_use]
    pub fn new(lookup: impl Fn(Time, &str) -> Option<Lent> + Send + Sync + 'static) -> Credentials {
        Credentials(Some(Arc::new(lookup)))
    }

    pub(crate) fn find(&self, now: Time, username: &str) -> Option<Lent> {
        self.0.as_ref()?(now, username)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Credentials(..)"
        } else {
            "Credentials"
        })
    }
}

/// Settings that can be changed while calls go on. Calls in progress keep what they agreed on.
#[derive(Clone, Debug)]
pub struct Adjustment {
    /// Trunks, by name.
    pub trunks: BTreeMap<String, Trunk>,
    /// As [`Config::browser_codecs`].
    pub browser_codecs: Vec<Codec>,
    /// As [`Config::phone_codecs`].
    pub phone_codecs: Vec<Codec>,
    /// As [`Config::pass_through`].
    pub pass_through: PassThrough,
    /// As [`Config::domains`].
    pub domains: Vec<String>,
    /// As [`Config::grace`].
    pub grace: Duration,
    /// Limits of trunks and users, by name.
    pub quotas: (BTreeMap<String, Quota>, BTreeMap<String, Quota>),
    /// As [`Config::stir`].
    pub stir: StirSettings,
    /// As [`Config::emergency`].
    pub emergency: EmergencyNumbers,
    /// Caps on calls to trunks, against toll fraud.
    pub caps: Vec<Cap>,
}

/// Users and trunks that may register and call.
#[derive(Clone, Debug)]
pub enum Access {
    /// Users by digest, trunks by address; nobody else.
    Directory {
        /// By name.
        users: BTreeMap<String, User>,
        /// By name.
        trunks: BTreeMap<String, Trunk>,
    },
    /// Everybody may call (a client); nobody registers.
    Anyone(PeerMedia),
}

/// Media of calls with peers that are in no directory: those of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerMedia {
    /// Encryption with keys in SDP (RFC 4568).
    pub srtp: SrtpPolicy,
    /// True if calls have what a browser has: full ICE, DTLS-SRTP, and the codecs of [`Config::browser_codecs`]. Peers that are browsers'
    /// gateways, lite or not, and browsers themselves speak with it.
    pub webrtc: bool,
    /// True if digits are agreed as telephone events (RFC 4733); false: they go, and come, by INFO alone.
    pub telephone_events: bool,
}

impl Default for PeerMedia {
    fn default() -> PeerMedia {
        PeerMedia {
            srtp: SrtpPolicy::Off,
            webrtc: false,
            telephone_events: true,
        }
    }
}

/// Extensions of SIP in calls with a user or a trunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignallingPolicy {
    /// Provisional responses that go, and come, reliably (RFC 3262).
    pub reliable: Reliability,
    /// Session timer to ask for (RFC 4028).
    pub session: SessionPolicy,
    /// Side that is to refresh the session, where it is asked who does.
    pub refresher: Option<Duty>,
}

/// Session timer that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionPolicy {
    /// That of [`Config::session_timer`].
    #[default]
    AsUsual,
    /// None: only where the other side asks for one.
    Off,
    /// One of this interval.
    Every(Duration),
}

/// A user of the directory.
#[derive(Clone, Debug)]
pub struct User {
    /// SIP password, or its stored form.
    pub password: Password,
    /// Shown to those they call, may be empty.
    pub display: String,
    /// Sources that media of the user's phones are accepted from.
    pub media_source: MediaSource,
    /// Encryption of the media of the user's phones; a browser's are always encrypted.
    pub srtp: SrtpPolicy,
    /// Message to the user's phones when the other party of their call holds them.
    pub hold: HoldPolicy,
    /// True if faxes in the calls of the user's phones may change over to T.38: one of them is a fax adapter.
    pub t38: bool,
    /// Extensions of SIP in the user's calls.
    pub signalling: SignallingPolicy,
}

impl User {
    /// A user with this password, and nothing else out of the ordinary.
    #[must_use]
    pub fn new(password: impl Into<Password>) -> User {
        User {
            password: password.into(),
            display: String::new(),
            media_source: MediaSource::default(),
            srtp: SrtpPolicy::default(),
            hold: HoldPolicy::default(),
            t38: false,
            signalling: SignallingPolicy::default(),
        }
    }
}

/// A carrier, or a PBX: known by its address, or by our registration at it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trunk {
    /// Host that calls to it go to.
    pub host: String,
    /// Port, if not the transport's own.
    pub port: Option<u16>,
    /// Transport to it.
    pub transport: Transport,
    /// Addresses and networks that its calls come from.
    pub sources: Vec<Network>,
    /// True if its calls come from the addresses that its names resolve to: `sources` follows them.
    pub follows_name: bool,
    /// Names, in lower case, of which it shows one in its certificate (mutual TLS). If there are any, its calls are known by that alone,
    /// and not by their address.
    pub certificate_names: Vec<String>,
    /// For digest towards it.
    pub username: Option<String>,
    /// For digest towards it.
    pub password: Option<String>,
    /// Time that it may stay silent before a call is given up or tried elsewhere; `None`: 32 s (RFC 3261,
    /// timer B).
    pub timeout: Option<Duration>,
    /// Offered to it, best first; empty: [`Config::phone_codecs`].
    pub codecs: Vec<Codec>,
    /// Formats that are passed on undecoded between it and others; `None`: [`Config::pass_through`].
    pub pass_through: Option<PassThrough>,
    /// Proxy that requests to it go by; with `;lr` it gets a `Route`.
    pub outbound_proxy: Option<Uri>,
    /// Registration that it wants.
    pub register: Option<TrunkRegistration>,
    /// Number that our calls show it.
    pub caller_id: CallerId,
    /// Form of numbers in calls both ways.
    pub numbers: TrunkNumbers,
    /// Domain of `From` in calls to it; `None`: that of the address of record, or of the trunk if it asks for credentials, or ours.
    pub from_domain: Option<String>,
    /// User part of `From` in calls to it, whoever calls: its account. `None`: the number that it is shown.
    pub from_user: Option<String>,
    /// True if it wants to be told of the encryption of media by REGISTER, INVITE and in offers (draft-dawes-sipcore-mediasec-parameter).
    pub mediasec: bool,
    /// True if our INVITEs to it bring no offer: it offers in its answer, and our ACK answers (RFC 3261 §13.2.1).
    pub late_offer: bool,
    /// True if it vouches for its callers: `P-Asserted-Identity` is believed (RFC 3325).
    pub trusted: bool,
    /// Parts of a caller's identity that it is given.
    pub identity: IdentityPolicy,
    /// Treatment of the signatures that its calls come with.
    pub verification: Verification,
    /// Signing of the calls to it.
    pub signing: Option<Signing>,
    /// True if it may watch our users: their calls, and whether they are there.
    pub watches: bool,
    /// Sources that its media are accepted from.
    pub media_source: MediaSource,
    /// Encryption of its media.
    pub srtp: SrtpPolicy,
    /// Message to it when the other party of its call holds it.
    pub hold: HoldPolicy,
    /// True if faxes may change over to T.38 in its calls.
    pub t38: bool,
    /// Extensions of SIP in its calls.
    pub signalling: SignallingPolicy,
    /// True if it may transfer its calls (REFER), to where the dial plan lets it call.
    pub transfers: bool,
    /// Calls to it: its other places, their health, and limits.
    pub outgoing: Outgoing,
}

/// Message to a phone or trunk when the other party of its call holds it. Browsers, and whoever talks with an application, a queue
/// or a conference, hear our music in any case, and are told nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HoldPolicy {
    /// As [`Pass`](Self::Pass) in a call from trunk to trunk, else as [`Music`](Self::Music). A carrier or a PBX behind each of two trunks
    /// knows what to do with a hold, and may have music of its own; phones sound right without a word, and many carriers take a
    /// re-INVITE from a subscriber's side badly.
    #[default]
    Auto,
    /// Nothing: it hears our music while the one who holds sends nothing.
    Music,
    /// The hold, by re-INVITE with the same direction; it hears what the one who holds sends.
    Pass,
}

/// Number that a trunk is shown in `From`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerId {
    /// The caller's own.
    Pass,
    /// The same for all calls.
    Fixed(String),
    /// None: the caller is anonymous, and named only in the headers of [`IdentityPolicy`] as one who wants to stay unknown.
    Withheld,
}

impl Trunk {
    /// A trusted peer at that host: plain SIP over UDP, without credentials, known by no address.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Trunk {
        Trunk {
            host: host.into(),
            port: None,
            transport: Transport::Udp,
            sources: Vec::new(),
            follows_name: false,
            certificate_names: Vec::new(),
            username: None,
            password: None,
            timeout: None,
            codecs: Vec::new(),
            pass_through: None,
            outbound_proxy: None,
            register: None,
            caller_id: CallerId::Pass,
            numbers: TrunkNumbers::default(),
            from_domain: None,
            from_user: None,
            mediasec: false,
            late_offer: false,
            trusted: true,
            identity: IdentityPolicy::default(),
            verification: Verification::default(),
            signing: None,
            watches: false,
            media_source: MediaSource::default(),
            srtp: SrtpPolicy::default(),
            hold: HoldPolicy::default(),
            t38: true,
            signalling: SignallingPolicy::default(),
            transfers: false,
            outgoing: Outgoing::default(),
        }
    }

    /// True if calls to it go to that host.
    pub(crate) fn is_host(&self, host: &str) -> bool {
        let places = self.outgoing.places.iter().map(|place| &place.host);
        std::iter::once(&self.host)
            .chain(places)
            .any(|place| place.eq_ignore_ascii_case(host))
    }

    /// True if its calls come from there.
    pub(crate) fn is_at(&self, address: IpAddr) -> bool {
        self.sources.iter().any(|network| network.contains(address))
    }

    /// Credentials for digest towards it.
    pub(crate) fn credentials(&self) -> Option<endpoint::Credentials> {
        let (username, password) = self.username.as_ref().zip(self.password.as_ref())?;
        Some(endpoint::Credentials {
            username: username.clone(),
            password: password.clone(),
        })
    }
}
