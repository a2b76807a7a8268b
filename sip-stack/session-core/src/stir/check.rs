//! Comparison of a call with what was signed of it (RFC 8224 §6.2).

use sans_io::Time;
use sip_core::message::{HeaderName, Message};
use sip_core::uri::UriRef;

use super::cache::Held;
use super::claims::{Claims, Parties};
use super::passport::Kind;
use super::{
    Certificates, Flaw, Hindrance, Party, Passport, PassportError, Replays, StirSettings, Verdict, Verified,
};

/// Age at which a signature is stale (RFC 8224 §6.2 step 4).
const FRESH: u64 = 60;
/// Most `Identity` headers of a call that are read.
const MOST: usize = 6;

/// An INVITE as far as signatures are about it.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The caller, as whom the others take the call to be from.
    caller: Party,
    /// The called party by `To` and by Request-URI.
    called: Vec<Party>,
    call_id: String,
}

/// Signatures of a call that are not judged yet.
#[derive(Clone, Debug)]
pub(crate) struct Checking {
    facts: Facts,
    passports: Vec<Passport>,
    /// Headers as they came.
    signatures: Vec<String>,
    /// Verdict on those that need no certificate.
    verdict: Verdict,
}

impl Checking {
    /// Reads the signatures of an INVITE. `caller`: the number that the call is shown with.
    pub(crate) fn of(request: &Message, caller: &str, settings: &StirSettings, now: Time) -> Checking {
        let from = request.from().uri;
        let party = |uri: UriRef<'_>| party(&number_of(uri), uri, settings);
        let facts = Facts {
            caller: self::party(caller, from, settings),
            called: std::iter::once(request.to().uri)
                .chain(request.uri())
                .map(party)
                .collect(),
            call_id: request.call_id().to_owned(),
        };
        let implied = implied(request, &facts);
        let mut checking = Checking {
            facts,
            passports: Vec::new(),
            signatures: request
                .lines(HeaderName::Identity)
                .take(MOST)
                .map(str::to_owned)
                .collect(),
            verdict: Verdict::Absent,
        };
        for value in request.lines(HeaderName::Identity).take(MOST) {
            match Passport::parse(value, implied.as_ref()) {
                Ok(passport) => match checking.facts.at_once(&passport, settings, now) {
                    Ok(()) => checking.passports.push(passport),
                    Err(flaw) => checking.note(Verdict::Failed(flaw)),
                },
                Err(PassportError::Flawed(flaw)) => checking.note(Verdict::Failed(flaw)),
                Err(PassportError::Unknown) => {}
            }
        }
        // Nothing stands for a caller but the signature of the call as it began.
        if checking
            .passports
            .iter()
            .all(|passport| passport.kind == Kind::Diverted)
        {
            checking.passports.clear();
        }
        checking
    }

    /// All headers as they came.
    pub(crate) fn signatures(&self) -> &[String] {
        &self.signatures
    }

    /// The signatures that need a certificate.
    pub(crate) fn passports(&self) -> &[Passport] {
        &self.passports
    }

    /// The verdict, with the certificates that are here. One that is on its way yet counts as late.
    pub(crate) fn judge(
        &self,
        certificates: &Certificates,
        replays: &mut Replays,
        settings: &StirSettings,
        now: Time,
    ) -> Verdict {
        let mut verdict = self.verdict.clone();
        let judged: Vec<(&Passport, Result<Vec<String>, Verdict>)> = self
            .passports
            .iter()
            .map(|passport| (passport, signer(passport, certificates, settings, now)))
            .collect();
        for (passport, signer) in &judged {
            if passport.kind == Kind::Diverted {
                continue;
            }
            let one = match signer {
                Ok(signer) => self.complete(passport, signer, &judged, replays, now),
                Err(verdict) => verdict.clone(),
            };
            if one.rank() < verdict.rank() {
                verdict = one;
            }
        }
        verdict
    }

    /// Verdict on a good signature: whether it leads to the number that was called, and is not used again.
    fn complete(
        &self,
        passport: &Passport,
        signer: &[String],
        judged: &[(&Passport, Result<Vec<String>, Verdict>)],
        replays: &mut Replays,
        now: Time,
    ) -> Verdict {
        let is_direct = self.facts.is_for(&passport.claims.dest);
        if !is_direct && !self.leads_here(passport, judged) {
            return Verdict::Failed(Flaw::Callee);
        }
        if !replays.admit(now, &passport.signed, &self.facts.call_id) {
            return Verdict::Failed(Flaw::Replayed);
        }
        Verdict::Verified(Verified {
            attestation: passport.claims.attest.filter(|_| passport.kind == Kind::Shaken),
            origin: passport.claims.origid.clone(),
            signer: signer.to_vec(),
            diverted: !is_direct,
        })
    }

    /// True if signed diversions lead from the called number of a signature to ours, each from where the one before went
    /// (RFC 8946 §4).
    fn leads_here(&self, passport: &Passport, judged: &[(&Passport, Result<Vec<String>, Verdict>)]) -> bool {
        let mut dest = &passport.claims.dest;
        let good = judged
            .iter()
            .filter(|(_, signer)| signer.is_ok())
            .map(|(other, _)| *other);
        let mut left: Vec<&Passport> = good
            .filter(|other| other.kind == Kind::Diverted && other.claims.orig == passport.claims.orig)
            .collect();
        while !self.facts.is_for(dest) {
            let follows = |other: &&Passport| other.claims.div.as_ref().is_some_and(|div| names(dest, div));
            let Some(at) = left.iter().position(follows) else {
                return false;
            };
            dest = &left.swap_remove(at).claims.dest;
        }
        true
    }

    fn note(&mut self, verdict: Verdict) {
        if verdict.rank() < self.verdict.rank() {
            self.verdict = verdict;
        }
    }
}

impl Facts {
    /// Checks that need no certificate: a forgery that fails them costs no fetch.
    fn at_once(&self, passport: &Passport, settings: &StirSettings, now: Time) -> Result<(), Flaw> {
        if passport.claims.iat.abs_diff(now.as_secs()) > FRESH {
            return Err(Flaw::Stale);
        }
        let orig = &passport.claims.orig;
        let is_caller = match (&orig.tn, &self.caller.tn) {
            (Some(signed), Some(caller)) => settings.numbers.canonical(signed).as_ref() == Some(caller),
            _ => orig.uri.is_some() && same_uri(orig.uri.as_deref(), self.caller.uri.as_deref()),
        };
        if !is_caller {
            return Err(Flaw::Caller);
        }
        let may_be_diverted = passport.kind != Kind::Plain;
        if !may_be_diverted && !self.is_for(&passport.claims.dest) {
            return Err(Flaw::Callee);
        }
        Ok(())
    }

    /// True if the called party is among these.
    fn is_for(&self, dest: &Parties) -> bool {
        self.called.iter().any(|called| names(dest, called))
    }
}

/// True if a party is among those.
fn names(dest: &Parties, party: &Party) -> bool {
    let is_number = party.tn.as_ref().is_some_and(|tn| dest.tn.contains(tn));
    let uris = || {
        dest.uri
            .iter()
            .any(|uri| same_uri(Some(uri), party.uri.as_deref()))
    };
    is_number || uris()
}

/// Service provider codes of the signer, if certificate and signature are good and stand for the number that is claimed.
fn signer(
    passport: &Passport,
    certificates: &Certificates,
    settings: &StirSettings,
    now: Time,
) -> Result<Vec<String>, Verdict> {
    if settings.anchors.is_empty() {
        return Err(Verdict::Unavailable(Hindrance::NoAuthorities));
    }
    let chain = match certificates.held(now, &passport.url) {
        Held::Known(chain) => chain,
        Held::Failed(why) => return Err(Verdict::Unavailable(why)),
        Held::Fetching => return Err(Verdict::Unavailable(Hindrance::Slow)),
        Held::Missing => return Err(Verdict::Unavailable(Hindrance::Busy)),
    };
    let check = || {
        chain.made(&passport.signed, &passport.signature)?;
        settings.anchors.admit(&chain, now)?;
        let Some(authority) = chain.authority()? else {
            return Ok(Vec::new());
        };
        // Who signs a diversion speaks for the number that diverts (RFC 8946 §4).
        let spoken_for = match passport.kind {
            Kind::Diverted => passport.claims.div.as_ref().and_then(|div| div.tn.as_deref()),
            Kind::Plain | Kind::Shaken => passport.claims.orig.tn.as_deref(),
        };
        if spoken_for.is_some_and(|number| !authority.covers(number)) {
            return Err(Flaw::Number);
        }
        Ok(authority.providers().map(str::to_owned).collect())
    };
    check().map_err(Verdict::Failed)
}

/// Claims that a request itself makes (RFC 8224 §4.1): the called party is that of `To`, the time that of `Date`.
fn implied(request: &Message, facts: &Facts) -> Option<Claims> {
    let iat = request
        .header(HeaderName::Date)
        .and_then(crate::calendar::read_date)?;
    let to = facts.called.first()?;
    let either = |party: &Party| match &party.tn {
        Some(tn) => Party {
            tn: Some(tn.clone()),
            uri: None,
        },
        None => party.clone(),
    };
    let Party { tn, uri } = either(to);
    Some(Claims {
        attest: None,
        dest: Parties {
            tn: tn.into_iter().collect(),
            uri: uri.into_iter().collect(),
        },
        div: None,
        iat,
        orig: either(&facts.caller),
        origid: None,
    })
}

/// A party by number, if `user` is one, and by URI.
fn party(user: &str, uri: UriRef<'_>, settings: &StirSettings) -> Party {
    let host = uri.host().map(|host| host.to_string().to_ascii_lowercase());
    let uri = match host.filter(|_| uri.is_sip()) {
        // RFC 8224 §8.5: without parameters.
        Some(host) => match uri.user() {
            Some(user) => format!("sip:{user}@{host}"),
            None => format!("sip:{host}"),
        },
        None => uri.as_str().to_owned(),
    };
    Party {
        tn: settings.numbers.canonical(user),
        uri: Some(uri),
    }
}

fn number_of(uri: UriRef<'_>) -> String {
    crate::incoming::user_of(uri)
}

fn same_uri(one: Option<&str>, other: Option<&str>) -> bool {
    let parse = |uri: Option<&str>| {
        uri.map(|uri| {
            uri.strip_prefix("sips:")
                .map_or_else(|| uri.to_owned(), |rest| format!("sip:{rest}"))
        })
    };
    match (parse(one), parse(other)) {
        (Some(one), Some(other)) => {
            one == other || {
                let parsed = UriRef::parse(&one).ok().zip(UriRef::parse(&other).ok());
                parsed.is_some_and(|(one, other)| one.same(other))
            }
        }
        _ => false,
    }
}
