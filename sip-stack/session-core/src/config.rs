//! What the coordinator must know before the first call.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use media_core::negotiated::{Codec, Fingerprint};
use sip_core::auth::Algorithm;
use sip_core::endpoint;
use sip_core::flow::Transport;

/// Everything the coordinator is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// The SIP machine's own.
    pub endpoint: endpoint::Config,
    /// Who may register and call.
    pub access: Access,
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
    /// Where phone legs bind.
    pub phone_ip: IpAddr,
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
    /// Most sessions at a time; 503 beyond.
    pub max_sessions: usize,
    /// Most contacts a user may register.
    pub max_contacts: usize,
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
    /// SIP password.
    pub password: String,
    /// Shown to those they call, may be empty.
    pub display: String,
}

/// A peer that is known by its address.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// Where calls to it go.
    pub host: String,
    /// Port, if not the transport's own.
    pub port: Option<u16>,
    /// How.
    pub transport: Transport,
    /// Addresses that its calls come from.
    pub sources: Vec<IpAddr>,
    /// For digest towards it.
    pub username: Option<String>,
    /// For digest towards it.
    pub password: Option<String>,
    /// Offered to it, best first; empty: [`Config::phone_codecs`].
    pub codecs: Vec<Codec>,
}
