use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use sans_io::{Rng, Time};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Algorithm;
use super::digest::{Inputs, Qop, ha1, hex, response};
use crate::flow::Transport;
use crate::message::params::{quote, strip_quotes};
use crate::message::{HeaderName, Message};

/// Nonces whose use is remembered at once; the oldest is forgotten, and thereby stale, when one more comes.
const MAX_NONCES: usize = 65_536;

/// Lengths of the parts of a nonce, in hex digits: time of issue, salt, host that it is for.
const TIME: usize = 16;
const SALT: usize = 8;
const PLACE: usize = 8;

/// Secret of a user, as the user store keeps it.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// As the user types it.
    Plain(String),
    /// H(username ":" realm ":" password) in lower-case hex, for these algorithms only; none: nobody knows it.
    Ha1(Vec<(Algorithm, String)>),
}

impl Password {
    /// Key that may be kept in place of `password`, good for `username` in `realm` alone. A key serves as
    /// well as the password there, so it must be kept as carefully.
    #[must_use]
    pub fn keys(username: &str, realm: &str, password: &str) -> Password {
        let key = |algorithm| (algorithm, ha1(algorithm, username, realm, password));
        Password::Ha1(vec![key(Algorithm::Sha256), key(Algorithm::Md5)])
    }

    /// Secret of a user without a password of their own.
    #[must_use]
    pub const fn none() -> Password {
        Password::Ha1(Vec::new())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Password::Plain(_) => "Plain(..)",
            Password::Ha1(_) => "Ha1(..)",
        })
    }
}

impl From<&str> for Password {
    fn from(password: &str) -> Password {
        Password::Plain(password.to_owned())
    }
}

impl From<String> for Password {
    fn from(password: String) -> Password {
        Password::Plain(password)
    }
}

/// Verdict of a [`Challenger`] on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The sender knows the password of `username`.
    Ok {
        /// As in the credentials, without a realm.
        username: String,
    },
    /// Answer 401 with these headers.
    Challenge {
        /// One `WWW-Authenticate` for each algorithm offered, the strongest first.
        headers: Vec<(String, String)>,
        /// The password was right and only the nonce is too old, or its count was used before.
        stale: bool,
    },
    /// Unknown user or wrong password; the two cannot be told apart. Answer 403.
    Forbidden,
}

/// Digest server. Its nonces carry their own time, signed, so that a challenge costs no memory; only of nonces that were
/// answered rightly does it remember which counts were used. A nonce can be bound to one host: then the sender of a datagram with a
/// forged source cannot have read a valid nonce, and its guess does not count against the host at that source.
#[derive(Debug)]
pub struct Challenger {
    /// As written between quotes.
    realm: String,
    algorithms: Vec<Algorithm>,
    lifetime: Duration,
    secret: [u8; 32],
    rng: Rng,
    used: BTreeMap<String, Counts>,
}

/// The counts seen of one nonce: the highest, and which of the 64 up to it.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    highest: u32,
    seen: u64,
}

impl Challenger {
    /// `algorithms` in any order; browsers (requests over WebSocket) are offered MD5 alone whatever is listed, since
    /// JsSIP 3.13 answers the first challenge only and knows nothing else.
    #[must_use]
    pub fn new(realm: impl Into<String>, mut algorithms: Vec<Algorithm>, mut rng: Rng) -> Challenger {
        algorithms.sort_unstable_by(|a, b| b.cmp(a)); // RFC 8760 §2.4: in order of preference
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        Challenger {
            realm: strip_quotes(&quote(&realm.into())).to_owned(),
            algorithms,
            lifetime: Duration::from_secs(300),
            secret,
            rng,
            used: BTreeMap::new(),
        }
    }

    /// The realm of its challenges.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Judges the `Authorization` of `request`. `password` looks a user up by name, and is called only if there is a response to judge.
    /// With `from`, only nonces that were given to that host (64 bits of IPv6) count; all others are stale.
    pub fn verify(
        &mut self,
        now: Time,
        request: &Message,
        from: Option<IpAddr>,
        password: impl FnOnce(&str) -> Option<Password>,
    ) -> Verdict {
        let offered = self.offered(request);
        let credentials = request
            .auth(HeaderName::Authorization)
            .find(|params| params.is_digest() && params.get("realm") == Some(self.realm.as_str()));
        let Some(credentials) = credentials else {
            return self.challenge(now, from, &offered, false);
        };
        let (Some(username), Some(nonce), Some(uri), Some(given)) = (
            credentials.get("username"),
            credentials.get("nonce"),
            credentials.get("uri"),
            credentials.get("response"),
        ) else {
            return self.challenge(now, from, &offered, false);
        };
        let Some((algorithm, false)) = Algorithm::parse(credentials.get("algorithm")) else {
            return self.challenge(now, from, &offered, false);
        };
        let qop = match credentials.get("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => Some(Qop::Auth),
            Some(_) => return self.challenge(now, from, &offered, false),
        };
        let Some(issued) = self.issued(nonce).filter(|_| offered.contains(&algorithm)) else {
            return self.challenge(now, from, &offered, false);
        };
        if !self.is_for(nonce, from) {
            return self.challenge(now, from, &offered, true);
        }
        let nc = credentials.get("nc").unwrap_or("");
        // The uri is taken as the client wrote it: a proxy between us may have changed the Request-URI, and the count
        // below keeps an overheard response from being used for another.
        let inputs = Inputs {
            algorithm,
            session: false,
            nonce,
            qop,
            cnonce: credentials.get("cnonce").unwrap_or(""),
            nc,
            method: request.method().map_or("", |method| method.as_str()),
            uri,
            body: b"",
        };
        let key = match password(username) {
            Some(Password::Plain(password)) => Some(ha1(algorithm, username, &self.realm, &password)),
            Some(Password::Ha1(keys)) => keys
                .into_iter()
                .find_map(|(of, key)| (of == algorithm).then_some(key)),
            None => None,
        };
        // An unknown user costs the same work as a wrong password.
        let expected = response(key.as_deref().unwrap_or("nobody"), &inputs);
        let right = expected.as_bytes().ct_eq(given.to_ascii_lowercase().as_bytes());
        if key.is_none() || !bool::from(right) {
            return Verdict::Forbidden;
        }
        // Without qop a nonce is good for one request.
        let count = if qop.is_some() {
            u32::from_str_radix(nc, 16).ok()
        } else {
            Some(1)
        };
        let fresh = now.since(issued) <= self.lifetime;
        match count {
            Some(count) if fresh && self.admit(now, nonce, count) => Verdict::Ok {
                username: username.to_owned(),
            },
            _ => self.challenge(now, from, &offered, true),
        }
    }

    fn offered(&self, request: &Message) -> Vec<Algorithm> {
        let browser = request
            .top_via()
            .is_some_and(|via| matches!(via.known_transport(), Some(Transport::Ws | Transport::Wss)));
        if browser {
            vec![Algorithm::Md5]
        } else {
            self.algorithms.clone()
        }
    }

    fn challenge(&mut self, now: Time, from: Option<IpAddr>, offered: &[Algorithm], stale: bool) -> Verdict {
        let nonce = self.nonce(now, from);
        let headers = offered
            .iter()
            .map(|algorithm| {
                let value = format!(
                    "Digest realm=\"{}\", nonce=\"{nonce}\", algorithm={}, qop=\"auth\"{}",
                    self.realm,
                    algorithm.name(),
                    if stale { ", stale=true" } else { "" }
                );
                ("WWW-Authenticate".to_owned(), value)
            })
            .collect();
        Verdict::Challenge { headers, stale }
    }

    /// Time of issue, salt, whom it is for, and a signature over all of them.
    fn nonce(&mut self, now: Time, from: Option<IpAddr>) -> String {
        let salt = self.rng.u64() >> 32;
        let mut nonce = format!("{:0TIME$x}{salt:0SALT$x}", now.as_micros());
        let place = self.place(&nonce, from);
        nonce += &place;
        let signature = self.sign(&nonce);
        nonce + &signature
    }

    /// Time at which a nonce was issued, if we issued it.
    fn issued(&self, nonce: &str) -> Option<Time> {
        let (stem, signature) = nonce.split_at_checked(TIME + SALT + PLACE)?;
        let ours = self.sign(stem).as_bytes().ct_eq(signature.as_bytes());
        bool::from(ours).then(|| u64::from_str_radix(&stem[..TIME], 16).ok().map(Time))?
    }

    /// True if a nonce of ours was given to that host.
    fn is_for(&self, nonce: &str, from: Option<IpAddr>) -> bool {
        let (stem, rest) = nonce.split_at(TIME + SALT);
        rest.starts_with(&self.place(stem, from))
    }

    /// Mark of the host that a nonce is for, which does not reveal the host. The port is left out: a NAT may change it at any time.
    fn place(&self, stem: &str, from: Option<IpAddr>) -> String {
        let host = match from.map(|ip| ip.to_canonical()) {
            None => String::new(),
            Some(IpAddr::V4(ip)) => ip.to_string(),
            Some(IpAddr::V6(ip)) => format!("{:x}", ip.to_bits() >> 64),
        };
        let mut signature = self.sign(&format!("{stem} {host}"));
        signature.truncate(PLACE);
        signature
    }

    /// The first half of a hash that begins with the secret; the rest of it being unknown, it cannot be extended.
    fn sign(&self, stem: &str) -> String {
        hex(&Sha256::new()
            .chain_update(self.secret)
            .chain_update(stem)
            .finalize()[..16])
    }

    /// Marks a count as used; false when it was, or is too old to know.
    fn admit(&mut self, now: Time, nonce: &str, count: u32) -> bool {
        // Nonces sort by their time: the front of the map is what expired or must make room.
        let horizon = format!("{:016x}", (now - self.lifetime).as_micros());
        while self.used.first_key_value().is_some_and(|(oldest, _)| {
            oldest.as_str() < horizon.as_str() || (self.used.len() >= MAX_NONCES && oldest != nonce)
        }) {
            self.used.pop_first();
        }
        self.used.entry(nonce.to_owned()).or_default().admit(count)
    }
}

impl Counts {
    fn admit(&mut self, count: u32) -> bool {
        if count > self.highest {
            let ahead = count - self.highest;
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        if count == 0 || behind >= 64 || self.seen & (1 << behind) != 0 {
            return false;
        }
        self.seen |= 1 << behind;
        true
    }
}
