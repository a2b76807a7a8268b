use std::time::Duration;

use crate::flow::Transport;
use crate::message::Method;
use crate::transaction::Timing;

/// Settings of an [`Endpoint`](super::Endpoint): self-description and patience.
#[derive(Clone, Debug)]
pub struct Config {
    /// `User-Agent` of requests and `Server` of responses; none when empty.
    pub user_agent: String,
    /// Methods of `Allow`; any other method that SIP knows is answered 405, an unknown one 501.
    pub allow: Vec<Method>,
    /// Event packages that peers may subscribe to (RFC 6665), in lower case, besides `refer`, whose subscriptions REFER begins. Another
    /// package is answered 489 with `Allow-Events`. SUBSCRIBE is in `Allow` if there is one here: a peer reads that as an offer.
    /// With none and without REFER, SUBSCRIBE is a method that is not taken (405).
    pub event_packages: Vec<String>,
    /// Option tags of `Supported`; what a request requires beyond them is answered 420.
    pub supported: Vec<String>,
    /// Option tags that `Require` may hold besides those. They are granted to some peers only, so `Supported` does not promise them.
    pub granted: Vec<String>,
    /// Option tags that `Proxy-Require` may hold besides those of `Supported`: callers require them of proxies on the way,
    /// and there is nothing left to do for them here.
    pub proxy_supported: Vec<String>,
    /// Media types that a body of ours may have. An INVITE whose `Accept` has none of them is answered 406;
    /// multiparts are listed beside them in our own.
    pub accept: Vec<String>,
    /// Addresses at which others reach us, for `Via` and `Contact`. For a transport not listed the local
    /// address of the flow is taken, and if there is none either, a name under `.invalid` (RFC 7118 §5).
    pub advertised: Vec<Advertised>,
    /// T1, T2 and T4.
    pub timing: Timing,
    /// Shortest session interval we take part in (`Min-SE`, RFC 4028 §5).
    pub min_session: Duration,
    /// Time that a target may stay silent while there are others to try.
    pub target_timeout: Duration,
    /// Requests over UDP longer than this go by TCP (RFC 3261 §18.1.1).
    pub max_datagram: usize,
    /// Shortest subscription that a peer is granted; a SUBSCRIBE for less is answered 423 (RFC 6665 §4.2.1.1). An hour is never too short.
    pub min_subscription: Duration,
    /// Least time between two NOTIFYs of a subscription (RFC 4235 §3.10 recommends a second); a subscriber may ask for more (RFC 6446).
    pub notify_interval: Duration,
    /// Subscriptions of peers and ours at once; a SUBSCRIBE beyond is answered 503.
    pub max_subscriptions: usize,
    /// Usages (calls) at once; an INVITE beyond is answered 503.
    pub max_usages: usize,
    /// Maximum number of server transactions, a quarter of them for dialogs alone; a request beyond is
    /// answered 503.
    pub max_transactions: usize,
    /// Maximum number of octets of their requests, likewise.
    pub max_transaction_octets: usize,
}

/// An address of ours as others shall write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// Transport of the address.
    pub transport: Transport,
    /// For peers of which address family.
    pub ipv6: bool,
    /// `host` or `host:port`, IPv6 in brackets.
    pub address: String,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            user_agent: String::new(),
            allow: vec![
                Method::Invite,
                Method::Ack,
                Method::Cancel,
                Method::Bye,
                Method::Options,
                Method::Register,
                Method::Info,
                Method::Update,
                Method::Prack,
                Method::Refer,
                Method::Notify,
            ],
            event_packages: Vec::new(),
            supported: [
                "timer",
                "100rel",
                "norefersub",
                "nosub",
                "outbound",
                "path",
                "join",
            ]
            .map(str::to_owned)
            .to_vec(),
            // RFC 3891: users, and trunks for calls of their own.
            granted: vec!["replaces".to_owned()],
            // RFC 3323 §4.2: callers require it; a private identity goes no further than to us.
            proxy_supported: vec!["privacy".to_owned()],
            accept: ["application/sdp"].map(str::to_owned).to_vec(),
            advertised: Vec::new(),
            timing: Timing::default(),
            min_session: Duration::from_secs(90),
            target_timeout: Duration::from_secs(5),
            max_datagram: 1300,
            min_subscription: Duration::from_secs(10),
            notify_interval: Duration::from_secs(1),
            max_subscriptions: 20_000,
            max_usages: 100_000,
            max_transactions: 40_000,
            max_transaction_octets: 32 << 20,
        }
    }
}
