//! What the coordinator must know before the first call.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use media_core::control::MediaSource;
use media_core::negotiated::{Codec, Fingerprint};
use sans_io::Time;
use sip_core::auth::{Algorithm, Password};
use sip_core::endpoint;
use sip_core::flow::Transport;

use crate::guard;
use crate::quota::{Limits, Quota};

/// Everything the coordinator is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// The SIP machine's own.
    pub endpoint: endpoint::Config,
    /// Who may register and call.
    pub access: Access,
    /// Credentials that are not in the directory.
    pub credentials: Credentials,
    /// Against guessing and scanning. Sources of trunks are spared whatever stands here.
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
    /// Where phone legs bind, best first: one address of each family (IPv4, IPv6) that is spoken to phones.
    pub phone_ips: Vec<IpAddr>,
    /// Of our DTLS certificate.
    pub fingerprint: Fingerprint,
    /// Media threads.
    pub shards: u8,
    /// Codecs offered to and accepted from browsers, best first.
    pub browser_codecs: Vec<Codec>,
    /// Codecs for phones and trunks that name none of their own, best first.
    pub phone_codecs: Vec<Codec>,
    /// How long a browser may be away before its call ends.
    pub grace: Duration,
    /// Session interval that we ask for on legs of phones and trunks (RFC 4028); `None`: where the peer asks for one. A browser's leg
    /// has the consent checks of ICE, and JsSIP asks by itself.
    pub session_timer: Option<Duration>,
    /// How long a phone's leg that should send may be silent before its peer is asked whether it is there; `None`: for ever.
    pub inactivity: Option<Duration>,
    /// Most sessions at a time; 503 beyond.
    pub max_sessions: usize,
    /// Most contacts a user may register.
    pub max_contacts: usize,
    /// How many calls trunks and users may place.
    pub limits: Limits,
}

/// A caller who waits and was silent for so long is asked whether it is there before an agent's phone rings for it: longer than
/// people pause on the telephone with voice activity detection, which sends comfort noise or RTCP meanwhile, and short beside
/// the time that an agent would lose to a dead call.
const SILENCE: Duration = Duration::from_secs(10);

impl Config {
    /// After how much silence a leg counts as silent, for media shards.
    #[must_use]
    pub fn silence(&self) -> Option<Duration> {
        self.inactivity.map(|inactivity| inactivity.min(SILENCE))
    }
}

/// Looks credentials up that come and go while the coordinator runs, such as those of a page that is signed in, by their digest user
/// name. It is asked at each digest, and must not wait for anything.
#[derive(Clone, Default)]
pub struct Credentials(Option<Lookup>);

type Lookup = Arc<dyn Fn(Time, &str) -> Option<Lent> + Send + Sync>;

/// Credentials that end.
#[derive(Clone, PartialEq, Eq)]
pub struct Lent {
    /// Whose they are: a user of the directory.
    pub user: String,
    /// The password that goes with the digest user name.
    pub password: String,
    /// They are not over. Whoever shows some that are guesses at nothing, and gets nothing.
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

/// What can be changed while calls go on. Calls that are up keep what they agreed on.
#[derive(Clone, Debug)]
pub struct Adjustment {
    /// Trunks, by name.
    pub trunks: BTreeMap<String, Trunk>,
    /// As [`Config::browser_codecs`].
    pub browser_codecs: Vec<Codec>,
    /// As [`Config::phone_codecs`].
    pub phone_codecs: Vec<Codec>,
    /// As [`Config::domains`].
    pub domains: Vec<String>,
    /// As [`Config::grace`].
    pub grace: Duration,
    /// What trunks and users may, by name.
    pub quotas: (BTreeMap<String, Quota>, BTreeMap<String, Quota>),
}

/// Who may register and call.
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
    Anyone,
}

/// A user of the directory.
#[derive(Clone, Debug)]
pub struct User {
    /// SIP password, or what is kept of it.
    pub password: Password,
    /// Shown to those they call, may be empty.
    pub display: String,
    /// From where media of their phones are taken.
    pub media_source: MediaSource,
}

/// A peer that is known by its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Where calls to it go.
    pub host: String,
    /// Port, if not the transport's own.
    pub port: Option<u16>,
    /// How.
    pub transport: Transport,
    /// Addresses that its calls come from.
    pub sources: Vec<IpAddr>,
    /// Its calls come from wherever `host`, a name, leads: `sources` follows it.
    pub follows_name: bool,
    /// For digest towards it.
    pub username: Option<String>,
    /// For digest towards it.
    pub password: Option<String>,
    /// How long it may say nothing at all to a call before the call is given up or tried elsewhere; `None`: 32 s (RFC 3261, timer B).
    pub timeout: Option<Duration>,
    /// Offered to it, best first; empty: [`Config::phone_codecs`].
    pub codecs: Vec<Codec>,
    /// It vouches for its callers: `P-Asserted-Identity` is believed (RFC 3325).
    pub trusted: bool,
    /// From where its media are taken.
    pub media_source: MediaSource,
}
