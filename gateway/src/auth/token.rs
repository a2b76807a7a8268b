//! Access tokens: JSON Web Tokens (RFC 7519) in the compact form of RFC 7515, signed with HMAC-SHA-256.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use ring::hmac;
use sans_io::Time;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Role, hs256};

/// Lifetime of an access token, seconds.
pub const LIFETIME_S: u64 = 600;

/// Maximum length of a token that is checked.
const MAX_LEN: usize = 2048;

/// Claims of an access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user's id.
    pub sub: String,
    /// Name that the user signs in with.
    pub name: String,
    /// Roles of the user.
    pub roles: Vec<Role>,
    /// The sign-in.
    pub sid: String,
    /// Made then, seconds since the epoch.
    pub iat: u64,
    /// Good until then, seconds since the epoch.
    pub exp: u64,
}

/// Key that access tokens are signed with.
pub struct Signer {
    secret: Box<[u8]>,
    /// Id of the key, written into each token.
    kid: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// A token that is not ours, was changed or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadToken;

impl Signer {
    /// Signs with a key of at least 32 random bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Signer {
        hs256::install();
        let name = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"kid");
        let kid = URL_SAFE_NO_PAD.encode(&name.as_ref()[..6]);
        Signer {
            secret: secret.into(),
            kid,
        }
    }

    /// The token for `claims`.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.kid.clone());
        // The key is not empty, and neither part has a map with keys that are no strings: nothing can fail.
        EncodingKey::from_secret(&self.secret)
            .and_then(|key| jsonwebtoken::encode(&header, claims, &key))
            .unwrap_or_default()
    }

    /// Claims of a token, if it is ours and not expired. There is no leeway: the clock that checks a token has made it.
    ///
    /// # Errors
    /// [`BadToken`] for anything else: another algorithm (`none` above all), another key, a wrong signature, `exp` reached.
    pub fn verify(&self, token: &str, now: Time) -> Result<Claims, BadToken> {
        if token.len() > MAX_LEN {
            return Err(BadToken);
        }
        let token: TokenData<Claims> = decode(&self.secret, token)?;
        if token.header.kid.as_deref() != Some(&self.kid) || now.as_secs() >= token.claims.exp {
            return Err(BadToken);
        }
        Ok(token.claims)
    }
}

/// Header and claims of a token that is signed with HS256 and this secret (RFC 7515 §5.2). Its age is not checked.
fn decode<T: DeserializeOwned>(secret: &[u8], token: &str) -> Result<TokenData<T>, BadToken> {
    let mut validation = Validation::new(Algorithm::HS256);
    // By the gateway's clock instead of the crate's.
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_secret(secret).map_err(|_| BadToken)?;
    jsonwebtoken::decode(token, &key, &validation).map_err(|_| BadToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            sub: "usr_1".into(),
            name: "anna".into(),
            roles: vec![Role::Agent, Role::Supervisor],
            sid: "ses_1".into(),
            iat: 1_000,
            exp: 1_600,
        }
    }

    #[test]
    fn the_example_of_rfc_7515_a_1_has_the_right_signature() {
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .expect("the key of the RFC");
        hs256::install();
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                     dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let read: TokenData<serde_json::Value> = decode(&key, token).expect("signed with that key");
        assert_eq!(read.header.alg, Algorithm::HS256);
        assert_eq!(read.claims["iss"], "joe");
        let changed = token.replace("dBjf", "dBjg");
        assert_eq!(decode::<serde_json::Value>(&key, &changed).err(), Some(BadToken));
    }

    #[test]
    fn a_token_of_an_earlier_version_is_good() {
        let token = "eyJhbGciOiJIUzI1NiIsImtpZCI6IlA2d29SMkg3IiwidHlwIjoiSldUIn0.\
                     eyJzdWIiOiJ1c3JfMSIsIm5hbWUiOiJhbm5hIiwicm9sZXMiOlsiYWdlbnQiLCJzdXBlcnZpc29yIl0sInNpZCI6InNlc18xIiwiaWF0IjoxMDAwLCJleHAiOjE2MDB9.\
                     9hmdeHCy-BG5MUtSY0OpYjsurQuFPnW6bNEcX3TnYvY";
        let signer = Signer::new(&[7; 32]);
        assert_eq!(signer.verify(token, Time::from_secs(1_599)), Ok(claims()));
        assert_eq!(signer.verify(token, Time::from_secs(1_600)), Err(BadToken));
    }

    #[test]
    fn a_token_is_good_until_its_time_and_with_its_key_only() {
        let signer = Signer::new(&[7; 32]);
        let token = signer.sign(&claims());
        assert_eq!(signer.verify(&token, Time::from_secs(1_599)), Ok(claims()));
        assert_eq!(signer.verify(&token, Time::from_secs(1_600)), Err(BadToken));
        assert_eq!(
            Signer::new(&[8; 32]).verify(&token, Time::from_secs(1_000)),
            Err(BadToken)
        );
    }

    #[test]
    fn another_algorithm_is_refused_even_when_the_signature_is_right() {
        let signer = Signer::new(&[7; 32]);
        for alg in ["none", "HS512", "hs256"] {
            let header = format!(r#"{{"alg":"{alg}","kid":"{}","typ":"JWT"}}"#, signer.kid);
            let signed = format!(
                "{}.{}",
                URL_SAFE_NO_PAD.encode(header),
                URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims()).expect("JSON"))
            );
            let key = hmac::Key::new(hmac::HMAC_SHA256, &signer.secret);
            let tag = hmac::sign(&key, signed.as_bytes());
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
            assert_eq!(signer.verify(&token, Time::from_secs(1_000)), Err(BadToken));
            assert_eq!(
                signer.verify(&format!("{signed}."), Time::from_secs(1_000)),
                Err(BadToken)
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn no_change_to_a_token_is_accepted(at in 0_usize..300, with in 0x20_u8..0x7f) {
            let signer = Signer::new(&[7; 32]);
            let token = signer.sign(&claims());
            let at = at % token.len();
            let mut bytes = token.clone().into_bytes();
            bytes[at] = with;
            let changed = String::from_utf8(bytes).expect("ASCII");
            proptest::prop_assume!(changed != token);
            proptest::prop_assert_eq!(signer.verify(&changed, Time::from_secs(1_000)), Err(BadToken));
        }

        #[test]
        fn what_is_no_token_is_refused(text in "\\PC{0,200}") {
            proptest::prop_assert_eq!(Signer::new(&[7; 32]).verify(&text, Time::ZERO), Err(BadToken));
        }
    }
}
