use std::fmt::{self, Write};

use sans_io::Rng;

use super::digest::{Algorithm, Inputs, Qop, ha1, response};
use crate::message::params::{quote, strip_quotes};
use crate::message::{AuthParams, HeaderName, Message};

/// Credentials of ours.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// As the peer knows it.
    pub username: String,
    /// In the clear; it is hashed for each challenge.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Digest client: remembers the challenges of a peer, one for each realm, and writes the credentials of each request.
#[derive(Clone, Debug)]
pub struct Answerer {
    credentials: Credentials,
    challenges: Vec<Challenge>,
}

#[derive(Clone, Debug)]
struct Challenge {
    proxy: bool,
    /// As written between the quotes, like what follows: the digest is computed over that (RFC 7616 §3.4).
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    session: bool,
    qop: Option<Qop>,
    key: String,
    cnonce: String,
    count: u32,
}

/// Challenges that one request answered, in all the copies of it that refusals led to.
#[derive(Clone, Debug, Default)]
pub struct Answered(Vec<Answer>);

#[derive(Clone, Debug)]
struct Answer {
    proxy: bool,
    realm: String,
    nonce: String,
    /// True if the nonce came with a refusal of this very request; false if an earlier request brought it.
    asked: bool,
}

impl Answered {
    fn to(&self, challenge: &Challenge) -> Option<&Answer> {
        self.0
            .iter()
            .find(|answer| answer.proxy == challenge.proxy && answer.realm == challenge.realm)
    }

    fn put(&mut self, challenge: &Challenge, asked: bool) {
        let known = self
            .0
            .iter_mut()
            .find(|answer| answer.proxy == challenge.proxy && answer.realm == challenge.realm);
        match known {
            Some(answer) => {
                answer.nonce.clone_from(&challenge.nonce);
                answer.asked |= asked;
            }
            None => self.0.push(Answer {
                proxy: challenge.proxy,
                realm: challenge.realm.clone(),
                nonce: challenge.nonce.clone(),
                asked,
            }),
        }
    }
}

impl Answerer {
    /// Knows no challenge yet.
    #[must_use]
    pub fn new(credentials: Credentials) -> Answerer {
        Answerer {
            credentials,
            challenges: Vec::new(),
        }
    }

    /// Takes in a 401 or 407, which may carry several challenges; of those of one realm the strongest that we know is
    /// answered (RFC 8760 §2.4). False when a retry is pointless: we know none of them, or one was answered with what the
    /// peer asked of this very request, or with the nonce that it names again, and is not called merely stale. A nonce that
    /// an earlier request brought may have run out without a word about it, so another one is taken once for each request.
    pub fn challenged(&mut self, refusal: &Message, answered: &mut Answered, rng: &mut Rng) -> bool {
        let mut best: Vec<Challenge> = Vec::new();
        let mut hopeless = false;
        for (header, proxy) in [
            (HeaderName::WwwAuthenticate, false),
            (HeaderName::ProxyAuthenticate, true),
        ] {
            for params in refusal.auth(header).filter(|params| params.is_digest()) {
                let Some(challenge) = self.read(&params, proxy, rng) else {
                    continue;
                };
                let stale = params
                    .get("stale")
                    .is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
                let refused = answered
                    .to(&challenge)
                    .is_some_and(|answer| answer.asked || answer.nonce == challenge.nonce);
                if refused && !stale {
                    hopeless = true;
                    continue;
                }
                match best.iter_mut().find(|other| other.same_protection(&challenge)) {
                    Some(other) if other.algorithm < challenge.algorithm => *other = challenge,
                    Some(_) => {}
                    None => best.push(challenge),
                }
            }
        }
        if hopeless || best.is_empty() {
            return false;
        }
        for challenge in best {
            answered.put(&challenge, true);
            self.challenges.retain(|known| !known.same_protection(&challenge));
            self.challenges.push(challenge);
        }
        true
    }

    /// `Authorization` and `Proxy-Authorization` for a request; none before a challenge. The challenges that
    /// they answer are noted in `answered`, which belongs to that request.
    pub fn headers(
        &mut self,
        answered: &mut Answered,
        method: &str,
        uri: &str,
        body: &[u8],
    ) -> Vec<(HeaderName, String)> {
        let username = quote(&self.credentials.username);
        self.challenges
            .iter_mut()
            .map(|challenge| {
                answered.put(challenge, false);
                let name = if challenge.proxy {
                    HeaderName::ProxyAuthorization
                } else {
                    HeaderName::Authorization
                };
                (name, challenge.answer(&username, method, uri, body))
            })
            .collect()
    }

    fn read(&self, params: &AuthParams<'_>, proxy: bool, rng: &mut Rng) -> Option<Challenge> {
        let (realm, nonce) = (params.get("realm")?, params.get("nonce")?);
        let (algorithm, session) = Algorithm::parse(params.get("algorithm"))?;
        let qop = match params.get("qop") {
            None => None,
            Some(list) => {
                let offers = |qop: Qop| {
                    list.split(',')
                        .any(|item| item.trim().eq_ignore_ascii_case(qop.name()))
                };
                // auth-int only where it is all that is offered: middleboxes change bodies.
                Some([Qop::Auth, Qop::AuthInt].into_iter().find(|qop| offers(*qop))?)
            }
        };
        Some(Challenge {
            proxy,
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            opaque: params.get("opaque").map(str::to_owned),
            algorithm,
            session,
            qop,
            key: ha1(
                algorithm,
                strip_quotes(&quote(&self.credentials.username)),
                realm,
                &self.credentials.password,
            ),
            cnonce: rng.token(16),
            count: 0,
        })
    }
}

impl Challenge {
    fn same_protection(&self, other: &Challenge) -> bool {
        self.proxy == other.proxy && self.realm == other.realm
    }

    fn answer(&mut self, username: &str, method: &str, uri: &str, body: &[u8]) -> String {
        self.count += 1;
        let nc = format!("{:08x}", self.count);
        let inputs = Inputs {
            algorithm: self.algorithm,
            session: self.session,
            nonce: &self.nonce,
            qop: self.qop,
            cnonce: &self.cnonce,
            nc: &nc,
            method,
            uri,
            body,
        };
        let mut out = format!(
            "Digest username={username}, realm=\"{}\", nonce=\"{}\", uri=\"{}\", response=\"{}\", algorithm={}{}",
            self.realm,
            self.nonce,
            uri,
            response(&self.key, &inputs),
            self.algorithm.name(),
            if self.session { "-sess" } else { "" },
        );
        if let Some(qop) = self.qop {
            let _ = write!(out, ", qop={}, nc={nc}, cnonce=\"{}\"", qop.name(), self.cnonce);
        } else if self.session {
            let _ = write!(out, ", cnonce=\"{}\"", self.cnonce);
        }
        if let Some(opaque) = &self.opaque {
            let _ = write!(out, ", opaque=\"{opaque}\"");
        }
        out
    }
}
