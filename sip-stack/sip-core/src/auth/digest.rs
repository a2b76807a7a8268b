use std::fmt::Write;

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

/// A hash of RFC 7616 §6.1, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// All that JsSIP 3.13 and SIP.js 0.21 know.
    Md5,
    /// RFC 8760.
    Sha256,
    /// RFC 8760.
    Sha512_256,
}

impl Algorithm {
    /// As written in `algorithm=`; nothing in the challenge means MD5. The flag says whether the name ended in `-sess`.
    #[must_use]
    pub fn parse(name: Option<&str>) -> Option<(Algorithm, bool)> {
        let name = name.unwrap_or("MD5");
        let (base, session) = match name.len().checked_sub(5).and_then(|at| name.split_at_checked(at)) {
            Some((base, tail)) if tail.eq_ignore_ascii_case("-sess") => (base, true),
            _ => (name, false),
        };
        [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256]
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(base))
            .map(|algorithm| (algorithm, session))
    }

    /// As written in `algorithm=`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512_256 => "SHA-512-256",
        }
    }

    /// Hash of `parts` joined by colons, in lower-case hex.
    #[must_use]
    pub fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Algorithm::Md5 => hash::<Md5>(parts),
            Algorithm::Sha256 => hash::<Sha256>(parts),
            Algorithm::Sha512_256 => hash::<Sha512_256>(parts),
        }
    }
}

fn hash<D: Digest>(parts: &[&[u8]]) -> String {
    let mut digest = D::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            digest.update(b":");
        }
        digest.update(part);
    }
    hex(&digest.finalize())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

/// Quality of protection of a response (RFC 7616 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Qop {
    /// `auth`
    Auth,
    /// `auth-int`: the body is hashed too
    AuthInt,
}

impl Qop {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }
}

/// Inputs of a digest response, besides the password.
pub(super) struct Inputs<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) session: bool,
    pub(super) nonce: &'a str,
    /// With `cnonce` and `nc` as written; without it the form of RFC 2069.
    pub(super) qop: Option<Qop>,
    pub(super) cnonce: &'a str,
    pub(super) nc: &'a str,
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) body: &'a [u8],
}

/// H(A1) before `-sess` is applied: what a password file may hold in place of the password.
pub(super) fn ha1(algorithm: Algorithm, username: &str, realm: &str, password: &str) -> String {
    algorithm.hash(&[username.as_bytes(), realm.as_bytes(), password.as_bytes()])
}

/// The `response` of RFC 7616 §3.4.1, in lower-case hex.
pub(super) fn response(ha1: &str, inputs: &Inputs<'_>) -> String {
    let algorithm = inputs.algorithm;
    let session_key;
    let ha1 = if inputs.session {
        session_key = algorithm.hash(&[ha1.as_bytes(), inputs.nonce.as_bytes(), inputs.cnonce.as_bytes()]);
        &session_key
    } else {
        ha1
    };
    let ha2 = if inputs.qop == Some(Qop::AuthInt) {
        let body = algorithm.hash(&[inputs.body]);
        algorithm.hash(&[inputs.method.as_bytes(), inputs.uri.as_bytes(), body.as_bytes()])
    } else {
        algorithm.hash(&[inputs.method.as_bytes(), inputs.uri.as_bytes()])
    };
    match inputs.qop {
        Some(qop) => algorithm.hash(&[
            ha1.as_bytes(),
            inputs.nonce.as_bytes(),
            inputs.nc.as_bytes(),
            inputs.cnonce.as_bytes(),
            qop.name().as_bytes(),
            ha2.as_bytes(),
        ]),
        None => algorithm.hash(&[ha1.as_bytes(), inputs.nonce.as_bytes(), ha2.as_bytes()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc7616(algorithm: Algorithm) -> Inputs<'static> {
        Inputs {
            algorithm,
            session: false,
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            qop: Some(Qop::Auth),
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            nc: "00000001",
            method: "GET",
            uri: "/dir/index.html",
            body: b"",
        }
    }

    #[test]
    fn rfc2617_section_3_5() {
        let inputs = Inputs {
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            cnonce: "0a4f113b",
            ..rfc7616(Algorithm::Md5)
        };
        let key = ha1(Algorithm::Md5, "Mufasa", "testrealm@host.com", "Circle Of Life");
        assert_eq!(key, "939e7578ed9e3c518a452acee763bce9");
        assert_eq!(response(&key, &inputs), "6629fae49393a05397450978507c4ef1");
        let rfc2069 = Inputs { qop: None, ..inputs };
        assert_eq!(response(&key, &rfc2069), "670fd8c2df070c60b045671b8b24ff02");
    }

    #[test]
    fn rfc7616_section_3_9_1() {
        let key = |algorithm| ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
        assert_eq!(
            response(&key(Algorithm::Md5), &rfc7616(Algorithm::Md5)),
            "8ca523f5e9506fed4657c9700eebdbec"
        );
        assert_eq!(
            response(&key(Algorithm::Sha256), &rfc7616(Algorithm::Sha256)),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn names_of_algorithms() {
        assert_eq!(Algorithm::parse(None), Some((Algorithm::Md5, false)));
        assert_eq!(Algorithm::parse(Some("md5-SESS")), Some((Algorithm::Md5, true)));
        assert_eq!(
            Algorithm::parse(Some("SHA-256")),
            Some((Algorithm::Sha256, false))
        );
        assert_eq!(
            Algorithm::parse(Some("SHA-512-256-sess")),
            Some((Algorithm::Sha512_256, true))
        );
        assert_eq!(Algorithm::parse(Some("AKAv1-MD5")), None);
        assert_eq!(Algorithm::parse(Some("é-sess")), None);
    }

    #[test]
    fn session_and_integrity_variants_differ_from_the_plain_one() {
        let key = ha1(Algorithm::Md5, "bob", "biloxi.com", "zanzibar");
        let plain = Inputs {
            algorithm: Algorithm::Md5,
            session: false,
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            qop: Some(Qop::Auth),
            cnonce: "0a4f113b",
            nc: "00000001",
            method: "INVITE",
            uri: "sip:bob@biloxi.com",
            body: b"v=0\r\n",
        };
        // The five variants of draft-smith-sipping-auth-examples-01 §3.
        assert_eq!(response(&key, &plain), "89eb0059246c02b2f6ee02c7961d5ea3");
        let none = Inputs { qop: None, ..plain };
        assert_eq!(response(&key, &none), "bf57e4e0d0bffc0fbaedce64d59add5e");
        let session = Inputs {
            session: true,
            qop: Some(Qop::Auth),
            ..none
        };
        assert_eq!(response(&key, &session), "e4e4ea61d186d07a92c9e1f6919902e9");
        let int = Inputs {
            session: false,
            qop: Some(Qop::AuthInt),
            ..session
        };
        assert_ne!(response(&key, &int), "89eb0059246c02b2f6ee02c7961d5ea3");
        let other_body = Inputs {
            body: b"v=1\r\n",
            ..int
        };
        let first = Inputs {
            body: b"v=0\r\n",
            qop: Some(Qop::AuthInt),
            ..other_body
        };
        let again = response(&key, &first);
        assert_ne!(
            again,
            response(
                &key,
                &Inputs {
                    body: b"v=1\r\n",
                    ..first
                }
            )
        );
    }
}
