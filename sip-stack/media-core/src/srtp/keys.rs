use aes::cipher::KeyInit;
use aes::{Aes128, Aes256};

use super::cm::AesCm;
use super::gcm::AesGcm;

/// A protection profile of DTLS-SRTP (RFC 5764 §4.1.2, RFC 7714 §14.2), which is a crypto suite of SDES (RFC 4568 §6.2, RFC
/// 6188 §4, RFC 7714 §14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// `SRTP_AES128_CM_HMAC_SHA1_80` and `AES_CM_128_HMAC_SHA1_80`, which every implementation has.
    Aes128CmSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`: a tag of four octets on RTP, and of ten on RTCP (RFC 4568 §6.2.2).
    Aes128CmSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`.
    Aes256CmSha1_80,
    /// `SRTP_AEAD_AES_128_GCM` and `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM` and `AEAD_AES_256_GCM`.
    AeadAes256Gcm,
}

impl Profile {
    /// Our name of a profile that the DTLS engine agreed on.
    pub(crate) fn of(profile: dimpl::SrtpProfile) -> Option<Profile> {
        match profile {
            dimpl::SrtpProfile::AES128_CM_SHA1_80 => Some(Profile::Aes128CmSha1_80),
            dimpl::SrtpProfile::AEAD_AES_128_GCM => Some(Profile::AeadAes128Gcm),
            dimpl::SrtpProfile::AEAD_AES_256_GCM => Some(Profile::AeadAes256Gcm),
            _ => None,
        }
    }

    /// Octets of a master key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 | Profile::AeadAes128Gcm => 16,
            Profile::Aes256CmSha1_80 | Profile::AeadAes256Gcm => 32,
        }
    }

    /// Octets of a master salt.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 | Profile::Aes256CmSha1_80 => 14,
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => 12,
        }
    }
}

/// The key of one direction, from which the session keys come (RFC 3711 §4.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    profile: Profile,
    key: [u8; 32],
    salt: [u8; 14],
}

/// The master keys of both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// For what we send.
    pub local: MasterKey,
    /// For what the peer sends.
    pub remote: MasterKey,
}

impl Keys {
    /// Cuts up what the DTLS exporter gave: the client's key, the server's, the client's salt, the server's (RFC 5764
    /// §4.2). `None` when there is too little of it.
    #[must_use]
    pub fn from_dtls(profile: Profile, material: &[u8], we_are_client: bool) -> Option<Keys> {
        let (client_key, rest) = material.split_at_checked(profile.key_len())?;
        let (server_key, rest) = rest.split_at_checked(profile.key_len())?;
        let (client_salt, rest) = rest.split_at_checked(profile.salt_len())?;
        let (server_salt, _) = rest.split_at_checked(profile.salt_len())?;
        let client = MasterKey::new(profile, client_key, client_salt)?;
        let server = MasterKey::new(profile, server_key, server_salt)?;
        Some(if we_are_client {
            Keys {
                local: client,
                remote: server,
            }
        } else {
            Keys {
                local: server,
                remote: client,
            }
        })
    }
}

impl MasterKey {
    /// `None` when a length is not the profile's.
    #[must_use]
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Option<MasterKey> {
        if key.len() != profile.key_len() || salt.len() != profile.salt_len() {
            return None;
        }
        let mut master = MasterKey {
            profile,
            key: [0; 32],
            salt: [0; 14],
        };
        master.key[..key.len()].copy_from_slice(key);
        master.salt[..salt.len()].copy_from_slice(salt); // 96 bits of salt count from the left (RFC 7714 §11)
        Some(master)
    }

    pub(super) fn ciphers(&self) -> Ciphers {
        match self.profile {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 => {
                let tag = if self.profile == Profile::Aes128CmSha1_32 {
                    4
                } else {
                    10
                };
                let cipher = |key, tag, auth, salt| {
                    AesCm::aes128(&self.derive(key), &self.derive(auth), self.derive(salt), tag)
                };
                Ciphers::Cm(Box::new(Pair {
                    rtp: cipher(0, tag, 1, 2),
                    rtcp: cipher(3, 10, 4, 5),
                }))
            }
            Profile::Aes256CmSha1_80 => {
                let cipher =
                    |key, auth, salt| AesCm::aes256(&self.derive(key), &self.derive(auth), self.derive(salt));
                Ciphers::Cm(Box::new(Pair {
                    rtp: cipher(0, 1, 2),
                    rtcp: cipher(3, 4, 5),
                }))
            }
            Profile::AeadAes128Gcm => {
                let cipher = |key, salt| AesGcm::aes128(&self.derive(key), self.derive(salt));
                Ciphers::Gcm(Box::new(Pair {
                    rtp: cipher(0, 2),
                    rtcp: cipher(3, 5),
                }))
            }
            Profile::AeadAes256Gcm => {
                let cipher = |key, salt| AesGcm::aes256(&self.derive(key), self.derive(salt));
                Ciphers::Gcm(Box::new(Pair {
                    rtp: cipher(0, 2),
                    rtcp: cipher(3, 5),
                }))
            }
        }
    }

    /// Key derivation with a rate of zero (RFC 3711 §4.3.1): counter mode over the salt with the label in it.
    pub(super) fn derive<const N: usize>(&self, label: u8) -> [u8; N] {
        let mut block = [0; 16];
        block[..14].copy_from_slice(&self.salt);
        block[7] ^= label;
        match self.profile.key_len() {
            16 => counter_mode::<Aes128, N>(&self.key[..16], block),
            _ => counter_mode::<Aes256, N>(&self.key, block), // RFC 6188 §3
        }
    }
}

/// The keys are not for logs.
impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MasterKey")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

fn counter_mode<C, const N: usize>(key: &[u8], mut block: [u8; 16]) -> [u8; N]
where
    C: KeyInit + aes::cipher::BlockEncrypt + aes::cipher::BlockSizeUser<BlockSize = aes::cipher::consts::U16>,
{
    let mut out = [0; N];
    let Ok(cipher) = C::new_from_slice(key) else {
        return out;
    };
    for (counter, chunk) in (0_u16..).zip(out.chunks_mut(16)) {
        block[14..].copy_from_slice(&counter.to_be_bytes());
        let mut stream = block.into();
        cipher.encrypt_block(&mut stream);
        chunk.copy_from_slice(&stream[..chunk.len()]);
    }
    out
}

/// The expanded session keys of one direction.
pub(super) enum Ciphers {
    Cm(Box<Pair<AesCm>>),
    Gcm(Box<Pair<AesGcm>>),
}

pub(super) struct Pair<C> {
    pub(super) rtp: C,
    pub(super) rtcp: C,
}
