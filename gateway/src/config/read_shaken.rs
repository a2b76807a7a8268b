//! Signed callers (STIR/SHAKEN): whom to trust, for all trunks, and what each trunk's calls have to show.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use session_core::Numbering;
use session_core::stir::{
    Anchors, CertificateUrl, NumberPattern, Numbers, Signer, Signing, StirSettings, Verification,
};
use sip_stack::transport::tls::ClientTls;
use toml::de::DeValue;

use super::reader::{Mixed, Reader, Section, boolean, kind, text};
use super::values::readable;

/// Settings of signed callers for all trunks.
#[derive(Clone, Debug, Default)]
pub struct Shaken {
    /// Authorities and rules for numbers.
    pub stir: StirSettings,
    /// Files that these come from.
    pub files: Vec<PathBuf>,
    /// True if certificates may be fetched from hosts inside of our own network.
    pub private_hosts: bool,
    /// Authorities of HTTPS (PEM), in place of those that the system trusts.
    pub https_ca: Option<Vec<u8>>,
}

/// Reads `[shaken]`. `numbering`: the way in which numbers are dialled here.
pub(super) fn read_shaken<'t>(
    r: &mut Reader<'t>,
    root: &mut Section<'t>,
    numbering: Option<Arc<Numbering>>,
    base: &Path,
) -> Shaken {
    let numbers = Numbers { at: numbering };
    let Some(mut section) = r.section(root, "shaken") else {
        return Shaken {
            stir: StirSettings {
                numbers,
                ..StirSettings::default()
            },
            ..Shaken::default()
        };
    };
    let mut read = |r: &mut Reader<'t>, key: &'static str| {
        let path = r.get(&mut section, key, |v| readable(v, base))?;
        let data = std::fs::read(&path).unwrap_or_default();
        Some((path, data, section.span(key).unwrap_or_default()))
    };
    let ca = read(r, "ca");
    let crl = read(r, "crl");
    let https_ca = read(r, "https_ca");
    let certificates: Vec<Vec<u8>> = ca.iter().flat_map(|(_, pem, _)| certificates(pem)).collect();
    let lists: Vec<Vec<u8>> = crl.iter().flat_map(|(_, pem, _)| revocation_lists(pem)).collect();
    if let Some((_, _, at)) = ca.as_ref().filter(|_| certificates.is_empty()) {
        r.fail(at.clone(), "shaken.ca: must be a PEM file with certificates");
    }
    if let Some((_, _, at)) = crl.as_ref().filter(|_| lists.is_empty()) {
        r.fail(
            at.clone(),
            "shaken.crl: must be a PEM file with certificate revocation lists (X509 CRL)",
        );
    }
    if let Some((_, pem, at)) = &https_ca
        && let Err(error) = ClientTls::authorities(pem)
    {
        r.fail(
            at.clone(),
            format!("shaken.https_ca: {error}; it must be a PEM file with certificates"),
        );
    }
    let anchors = Anchors::new(&certificates, &lists).unwrap_or_else(|error| {
        let at = ca.as_ref().or(crl.as_ref()).map(|(_, _, at)| at.clone());
        r.fail(at.unwrap_or_default(), format!("shaken: {error}"));
        Anchors::default()
    });
    let private_hosts = r.get(&mut section, "private_hosts", boolean).unwrap_or_default();
    r.finish(section);
    let files = [&ca, &crl, &https_ca];
    Shaken {
        files: files
            .into_iter()
            .flatten()
            .map(|(path, _, _)| path.clone())
            .collect(),
        stir: StirSettings {
            anchors: Arc::new(anchors),
            numbers,
        },
        private_hosts,
        https_ca: https_ca.map(|(_, pem, _)| pem),
    }
}

/// Reads a trunk's `shaken`: a table that says whether its calls are verified, and calls to it signed. The file of the key is added to
/// those of `shaken`.
pub(super) fn read_trunk_shaken<'t>(
    r: &mut Reader<'t>,
    trunk: &mut Section<'t>,
    base: &Path,
    shaken: &mut Shaken,
) -> (Verification, Option<Signing>) {
    const NEITHER: (Verification, Option<Signing>) = (Verification::Off, None);
    let Some(at) = trunk.span("shaken") else {
        return NEITHER;
    };
    let mut values = r.mixed(trunk, "shaken").unwrap_or_default();
    let mut table = match (values.pop(), values.is_empty()) {
        (Some(Mixed::Table(table, _)), true) => table,
        (Some(Mixed::Value(other, span)), _) => {
            let message = format!(
                "trunks.shaken: is {}, but must be a table such as {{ verify = \"show\" }}",
                kind(other)
            );
            r.fail(span, message);
            return NEITHER;
        }
        _ => {
            r.fail(at, "trunks.shaken: must be one table");
            return NEITHER;
        }
    };
    let verify = r.get(&mut table, "verify", verification).unwrap_or_default();
    if let Some(at) = table
        .span("verify")
        .filter(|_| verify != Verification::Off && shaken.stir.anchors.is_empty())
    {
        r.warn(
            at,
            "trunks.shaken.verify: [shaken] names no ca, so no signature can be verified",
        );
    }
    let url = r.get(&mut table, "certificate_url", |v| {
        CertificateUrl::parse(text(v)?)
            .map_err(|error| format!("`{}` {error}", v.as_str().unwrap_or_default()))
    });
    let signer = r.get(&mut table, "key", |v| {
        let path = readable(v, base)?;
        let signer = signer(&std::fs::read(&path).unwrap_or_default())?;
        shaken.files.push(path);
        Ok(signer)
    });
    let numbers = r.list(&mut table, "numbers", |v| {
        let pattern = text(v)?;
        NumberPattern::parse(pattern).map_err(|error| format!("`{pattern}` {error}"))
    });
    for (here, there) in [
        ("certificate_url", "key"),
        ("key", "certificate_url"),
        ("numbers", "key"),
    ] {
        if let (Some(at), None) = (table.span(here), table.span(there)) {
            r.fail(at, format!("trunks.shaken.{here} also needs {there}"));
        }
    }
    r.finish(table);
    let signing = url.zip(signer).map(|(url, signer)| Signing {
        url,
        signer,
        numbers: numbers.unwrap_or_default(),
    });
    (verify, signing)
}

/// Beginning of a PKCS #8 document with a P-256 key (RFC 5958, RFC 5480): version, algorithm and curve.
const P256: &[u8] = &[
    0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
];

/// Signer with a key in PEM: PKCS #8, or SEC 1 as openssl writes it.
fn signer(pem: &[u8]) -> Result<Signer, String> {
    let wrong = || {
        "must be a PEM file with a private key of the curve P-256, as `openssl ecparam -name prime256v1 -genkey -noout` makes it".to_owned()
    };
    let der = match PrivateKeyDer::from_pem_slice(pem) {
        Ok(PrivateKeyDer::Pkcs8(key)) => key.secret_pkcs8_der().to_vec(),
        Ok(PrivateKeyDer::Sec1(key)) => pkcs8(key.secret_sec1_der()).ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    let random = SystemRandom::new();
    let key =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random).map_err(|_| wrong())?;
    let public = key.public_key().as_ref().to_vec();
    Ok(Signer::new(&public, move |text| {
        let signature = key.sign(&random, text).ok()?;
        Some(signature.as_ref().to_vec())
    }))
}

/// A key of SEC 1 as PKCS #8; `None` if it is too long to be one of P-256.
fn pkcs8(sec1: &[u8]) -> Option<Vec<u8>> {
    let length = u8::try_from(sec1.len()).ok().filter(|length| *length < 0x80)?;
    let content = [P256, &[0x04, length], sec1].concat();
    let length = u8::try_from(content.len()).ok()?;
    Some([&[0x30, 0x81, length], &content[..]].concat())
}

fn verification(value: &DeValue<'_>) -> Result<Verification, String> {
    match text(value)? {
        "off" => Ok(Verification::Off),
        "show" => Ok(Verification::Show),
        "required" => Ok(Verification::Required),
        other => Err(format!("`{other}` is none of: off, show, required")),
    }
}

fn certificates(pem: &[u8]) -> Vec<Vec<u8>> {
    let all = CertificateDer::pem_slice_iter(pem);
    all.filter_map(|certificate| Some(certificate.ok()?.to_vec()))
        .collect()
}

fn revocation_lists(pem: &[u8]) -> Vec<Vec<u8>> {
    let all = CertificateRevocationListDer::pem_slice_iter(pem);
    all.filter_map(|list| Some(list.ok()?.to_vec())).collect()
}
