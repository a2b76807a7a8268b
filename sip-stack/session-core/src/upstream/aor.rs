//! Addresses of record at the PBX, and the `Contact` that stands for each.

use sip_core::auth::Algorithm;
use sip_core::message::{HeaderName, Message};
use sip_core::uri::UriRef;

use crate::incoming::{host_of, user_of};

/// Separates the parts of a `Contact`'s user: a mark of RFC 3261 §25.1 that no domain has.
const SEPARATOR: char = '~';
/// Number of hexadecimal digits that nobody can guess.
const PROOF: usize = 32;
/// Longest user part that is put into a `Contact`.
const LONGEST: usize = 128;

/// Address of record, `user@domain`, the domain in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aor {
    text: String,
    /// Place of the last `@`.
    at: usize,
}

impl Aor {
    /// Address of record that a URI names; `None` without a user.
    pub(super) fn of(uri: UriRef<'_>) -> Option<Aor> {
        let (user, domain) = (user_of(uri), host_of(uri));
        Aor::new(&user, &domain)
    }

    fn new(user: &str, domain: &str) -> Option<Aor> {
        let is_whole = !user.is_empty() && !domain.is_empty() && user.len() <= LONGEST;
        is_whole.then(|| Aor {
            text: format!("{user}@{}", domain.to_ascii_lowercase()),
            at: user.len(),
        })
    }

    /// Reads `user@domain`.
    pub(super) fn parse(text: &str) -> Option<Aor> {
        let (user, domain) = text.rsplit_once('@')?;
        Aor::new(user, domain)
    }

    /// `user@domain`.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Part before the `@`.
    pub(crate) fn user(&self) -> &str {
        &self.text[..self.at]
    }

    /// Part behind the `@`.
    pub(super) fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// Name that a request with credentials tries to get in by: their user at this domain. Whoever has an address of record guesses
    /// no faster at other people's passwords.
    pub(super) fn attempted(&self, request: &Message) -> String {
        let names = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
        let mut named = names.into_iter().flat_map(|name| request.auth(name));
        let user = named
            .find_map(|credentials| credentials.get("username"))
            .unwrap_or(self.user());
        format!("{user}@{}", self.domain())
    }

    /// User part of our `Contact` at the PBX: the same after a restart, readable for whoever runs the PBX, and with a part that nobody
    /// guesses, so that whoever calls it was told it by the PBX.
    pub(super) fn contact_user(&self, secret: &[u8; 32]) -> String {
        let proof = self.proof(secret);
        format!("{proof}{SEPARATOR}{}{SEPARATOR}{}", self.user(), self.domain())
    }

    /// Address of record that such a user part, its escapes undone, stands for.
    pub(super) fn of_contact_user(user: &str, secret: &[u8; 32]) -> Option<Aor> {
        let (proof, rest) = user.split_once(SEPARATOR)?;
        let (user, domain) = rest.rsplit_once(SEPARATOR)?;
        let aor = Aor::new(user, domain)?;
        (aor.proof(secret) == proof).then_some(aor)
    }

    fn proof(&self, secret: &[u8; 32]) -> String {
        let mut proof = Algorithm::Sha256.hash(&[b"upstream", secret, self.text.as_bytes()]);
        proof.truncate(PROOF);
        proof
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip_core::uri::Uri;

    fn aor(uri: &str) -> Option<Aor> {
        Aor::of(Uri::parse(uri).expect("a URI").borrow())
    }

    #[test]
    fn a_contact_stands_for_its_address_and_cannot_be_made_without_the_secret() {
        for uri in [
            "sip:alice@PBX.example",
            "sip:a~b~c@pbx.example",
            "sip:J%20D%40home@[2001:db8::1]",
            "sip:+4930@192.0.2.1",
        ] {
            let aor = aor(uri).expect("an address of record");
            let user = aor.contact_user(&[1; 32]);
            assert_eq!(
                Aor::of_contact_user(&user, &[1; 32]).as_ref(),
                Some(&aor),
                "{user}"
            );
            assert_eq!(Aor::of_contact_user(&user, &[2; 32]), None);
            assert_eq!(Aor::parse(aor.as_str()).as_ref(), Some(&aor));
            let other = user.replacen(aor.user(), "x", 1);
            assert_eq!(Aor::of_contact_user(&other, &[1; 32]), None, "{other}");
        }
        assert_eq!(
            aor("sip:alice@PBX.example").expect("one").as_str(),
            "alice@pbx.example"
        );
        for uri in ["sip:pbx.example", "tel:+4930"] {
            assert_eq!(aor(uri), None);
        }
    }
}
