//! Passwords: argon2id (RFC 9106) in PHC strings, worked on beside the tasks that serve.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The shortest password that is taken for an account.
pub const MIN_LEN: usize = 8;
/// Maximum length of a password that is checked, bytes.
pub const MAX_LEN: usize = 256;

/// Passwords that are worked on at a time: each takes 19 MiB and a core.
const AT_A_TIME: usize = 2;

/// Time that others may wait for a turn.
const PATIENCE: Duration = Duration::from_secs(4);

/// Stored form of a user's password.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// PHC string.
    Hash(String),
    /// As it stands in the configuration file: to hash it at every start would hide nothing.
    Configured(String),
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Password::Hash(_) => "Hash(..)",
            Password::Configured(_) => "Configured(..)",
        })
    }
}

/// Cannot be worked on now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overloaded;

/// Hashes and verifies, a few at a time.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// Memory of argon2 (RFC 9106 §3.2), one for each turn. Given back each time, it stays with the allocator in many pieces:
    /// hundreds of megabytes after some hundred sign-ins.
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
    cost: Params,
    /// Hash of nobody's password: verified when there is no such user.
    nobody: Arc<str>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords")
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}

impl Passwords {
    /// With 19 MiB and two passes, the second choice of RFC 9106 scaled as OWASP recommends for servers.
    #[must_use]
    pub fn new() -> Passwords {
        Passwords::with_cost(Params::DEFAULT)
    }

    /// With as little work as there can be: for tests only.
    #[cfg(test)]
    pub(crate) fn weak() -> Passwords {
        Passwords::with_cost(Params::new(Params::MIN_M_COST, 1, 1, None).expect("the least there is"))
    }

    fn with_cost(cost: Params) -> Passwords {
        let mut blocks = Vec::new();
        let nobody = hashed(&cost, b"", b"nobody's own salt", &mut blocks).unwrap_or_default();
        Passwords {
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            memory: Arc::new(Mutex::new(vec![blocks])),
            cost,
            nobody: nobody.into(),
        }
    }

    /// The PHC string to keep for a password.
    ///
    /// # Errors
    /// [`Overloaded`] when too many others wait.
    pub async fn hash(&self, password: &str) -> Result<String, Overloaded> {
        let salt: [u8; 16] = super::random().map_err(|_| Overloaded)?;
        let (password, cost) = (password.to_owned(), self.cost.clone());
        self.work(move |blocks| hashed(&cost, password.as_bytes(), &salt, blocks).ok_or(Overloaded))
            .await?
    }

    /// True if it is the stored password. It takes the same time whatever is stored, and when nothing is.
    ///
    /// # Errors
    /// [`Overloaded`] when too many others wait.
    pub async fn verify(&self, password: &str, kept: Option<&Password>) -> Result<bool, Overloaded> {
        let is_short = password.len() <= MAX_LEN;
        let password = if is_short {
            password.to_owned()
        } else {
            String::new()
        };
        let hash = match kept {
            Some(Password::Hash(hash)) => hash.clone(),
            Some(Password::Configured(_)) | None => self.nobody.to_string(),
        };
        let configured = match kept {
            Some(Password::Configured(configured)) => {
                Some(super::digest(configured) == super::digest(&password))
            }
            Some(Password::Hash(_)) | None => None,
        };
        let same = self
            .work(move |blocks| is_of(password.as_bytes(), &hash, blocks).unwrap_or(false))
            .await?;
        Ok(is_short && kept.is_some() && configured.unwrap_or(same))
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let turn = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned());
        let turn = turn.await.map_err(|_| Overloaded)?.map_err(|_| Overloaded)?;
        let memory = Arc::clone(&self.memory);
        let done = tokio::task::spawn_blocking(move || {
            let free = memory.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut blocks = free.unwrap_or_default();
            let done = work(&mut blocks);
            memory.lock().unwrap_or_else(PoisonError::into_inner).push(blocks);
            drop(turn);
            done
        });
        done.await.map_err(|_| Overloaded)
    }
}

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords::new()
    }
}

/// The PHC string of a password.
fn hashed(cost: &Params, password: &[u8], salt: &[u8], blocks: &mut Vec<Block>) -> Option<String> {
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.clone());
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(cost).ok()?,
        salt: Some(Salt::new(salt).ok()?),
        hash: Some(output(&argon, password, salt, blocks)?),
    };
    Some(hash.to_string())
}

/// True if a PHC string is that of a password. The cost is the string's own, not that of new ones. `None`:
/// not such a string.
fn is_of(password: &[u8], hash: &str, blocks: &mut Vec<Block>) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let (algorithm, version) = (
        Algorithm::try_from(hash.algorithm.as_str()).ok()?,
        Version::try_from(hash.version?).ok()?,
    );
    let argon = Argon2::new(algorithm, version, Params::try_from(&hash).ok()?);
    let wanted = hash.hash?;
    // Outputs are compared in constant time.
    Some(output(&argon, password, hash.salt.as_ref()?, blocks)? == wanted)
}

fn output(argon: &Argon2<'_>, password: &[u8], salt: &[u8], blocks: &mut Vec<Block>) -> Option<Output> {
    let mut buffer = [0; Output::MAX_LENGTH];
    let length = argon.params().output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let out = buffer.get_mut(..length)?;
    blocks.resize(argon.params().block_count(), Block::new());
    argon
        .hash_password_into_with_memory(password, salt, out, &mut blocks[..])
        .ok()?;
    Output::new(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(hash: &str) -> Option<Password> {
        Some(Password::Hash(hash.to_owned()))
    }

    #[tokio::test]
    async fn a_password_of_the_configuration_is_known_and_no_other_is() {
        let passwords = Passwords::weak();
        let configured = Password::Configured("cordboard".into());
        assert_eq!(passwords.verify("cordboard", Some(&configured)).await, Ok(true));
        for other in ["", "cordboar", "cordboard ", &"x".repeat(MAX_LEN + 1)] {
            assert_eq!(passwords.verify(other, Some(&configured)).await, Ok(false));
        }
        assert_eq!(format!("{configured:?}"), "Configured(..)");
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other_is() {
        let passwords = Passwords::new();
        let hash = passwords.hash("cordboard").await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash("cordboard").await.expect("another salt"));
        assert_eq!(
            passwords.verify("cordboard", kept(&hash).as_ref()).await,
            Ok(true)
        );
        assert_eq!(
            passwords.verify("cordboarD", kept(&hash).as_ref()).await,
            Ok(false)
        );
        assert_eq!(
            passwords.verify("cordboard", kept("rubbish").as_ref()).await,
            Ok(false)
        );
        // Knowing the stand-in for a missing user's password is of no use.
        assert_eq!(passwords.verify("", None).await, Ok(false));
        let long = "x".repeat(MAX_LEN + 1);
        let of_empty = passwords.hash("").await.expect("a hash");
        assert_eq!(passwords.verify(&long, kept(&of_empty).as_ref()).await, Ok(false));
    }

    #[tokio::test]
    async fn there_is_no_more_memory_than_for_the_turns() {
        let passwords = Passwords::weak();
        let hash = kept(&passwords.hash("cordboard").await.expect("a hash"));
        for _ in 0..8 {
            let (one, two) = tokio::join!(
                passwords.verify("cordboard", hash.as_ref()),
                passwords.verify("other", hash.as_ref())
            );
            assert_eq!((one, two), (Ok(true), Ok(false)));
        }
        assert!(passwords.memory.lock().expect("nobody panicked").len() <= AT_A_TIME);
    }

    #[tokio::test]
    async fn an_older_hash_of_lower_cost_still_counts() {
        let hash = Passwords::weak().hash("cordboard").await.expect("a hash");
        assert_eq!(
            Passwords::new().verify("cordboard", kept(&hash).as_ref()).await,
            Ok(true)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_so() {
        let passwords = Passwords::weak();
        let _all = passwords
            .turns
            .acquire_many(AT_A_TIME as u32)
            .await
            .expect("all turns");
        assert_eq!(passwords.verify("x", None).await, Err(Overloaded));
    }
}
