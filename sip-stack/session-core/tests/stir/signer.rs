//! Those who sign calls in tests: an authority, certificates, and signatures.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use session_core::stir::{Attestation, CertificateUrl, Claims, Kind, Parties, Party, Passport};

/// An authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) der: Vec<u8>,
}

/// Somebody with a certificate.
pub(crate) struct Signer {
    pub(crate) key: Arc<EcdsaKeyPair>,
    pub(crate) pem: String,
    pub(crate) url: CertificateUrl,
}

/// Years from and to which a certificate is valid.
pub(crate) type Years = (i32, i32);

/// Years that all times of the tests are in.
pub(crate) const VALID: Years = (2020, 2040);

impl Authority {
    pub(crate) fn new() -> Authority {
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).expect("certificate");
        Authority {
            der: certificate.der().to_vec(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate with this TN authorization list, to be found at that address.
    pub(crate) fn certify(&self, serial: u64, list: Option<Vec<u8>>, years: Years, url: &str) -> Signer {
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.serial_number = Some(SerialNumber::from(serial));
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        let oid = [1, 3, 6, 1, 5, 5, 7, 1, 26];
        let list = list.map(|list| CustomExtension::from_oid_content(&oid, list));
        params.custom_extensions.extend(list);
        let certificate = params.signed_by(&key, &self.issuer).expect("certificate");
        Signer {
            pem: certificate.pem(),
            key: Arc::new(
                EcdsaKeyPair::from_pkcs8(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    &key.serialize_der(),
                    &SystemRandom::new(),
                )
                .expect("key"),
            ),
            url: CertificateUrl::parse(url).expect("address"),
        }
    }

    /// A list in which the certificate with that serial number is revoked.
    pub(crate) fn revoke(&self, serial: u64) -> Vec<u8> {
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2040, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: date_time_ymd(2024, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).expect("list").der().to_vec()
    }
}

impl Signer {
    /// Value of an `Identity` header.
    pub(crate) fn sign(&self, kind: Kind, claims: &Claims) -> String {
        self.passport(kind, claims).header()
    }

    pub(crate) fn passport(&self, kind: Kind, claims: &Claims) -> Passport {
        let signed = Passport::to_sign(kind, &self.url, claims);
        Passport {
            kind,
            url: self.url.clone(),
            claims: claims.clone(),
            signature: self.signature(&signed),
            signed,
        }
    }

    pub(crate) fn signature(&self, text: &str) -> Vec<u8> {
        sign(&self.key, text.as_bytes())
    }
}

/// Signature of a text.
pub(crate) fn sign(key: &EcdsaKeyPair, text: &[u8]) -> Vec<u8> {
    let signature = key.sign(&SystemRandom::new(), text);
    signature.expect("signature").as_ref().to_vec()
}

/// A TN authorization list with a provider and, if any, the range of a number and those after it.
pub(crate) fn list(provider: &str, range: Option<(&str, u8)>) -> Vec<u8> {
    let element =
        |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).expect("short")], content].concat();
    let mut entries = element(0xa0, &element(0x16, provider.as_bytes()));
    if let Some((start, count)) = range {
        let range = [element(0x16, start.as_bytes()), vec![2, 1, count]].concat();
        entries.extend(element(0xa1, &element(0x30, &range)));
    }
    element(0x30, &entries)
}

/// Claims of SHAKEN for a call between two numbers.
pub(crate) fn claims(orig: &str, dest: &str, iat: u64) -> Claims {
    Claims {
        attest: Some(Attestation::A),
        dest: Parties {
            tn: vec![dest.to_owned()],
            uri: Vec::new(),
        },
        div: None,
        iat,
        orig: number(orig),
        origid: Some("123e4567-e89b-12d3-a456-426655440000".into()),
    }
}

pub(crate) fn number(tn: &str) -> Party {
    Party {
        tn: Some(tn.to_owned()),
        uri: None,
    }
}
