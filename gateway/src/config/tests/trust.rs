//! Signed callers and emergency calls.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use call_engine::Trunks;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use session_core::emergency::{Civic, CivicElement, Point};
use session_core::stir::{NumberPattern, Verification};
use tempfile::TempDir;

use super::*;

/// A folder with an authority and keys in both forms.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("written");
    let key = KeyPair::generate().expect("key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    put("ca.pem", params.self_signed(&key).expect("certificate").pem());
    put("pkcs8.pem", key.serialize_pem());
    // The key of SEC 1 is what PKCS #8 wraps.
    let der = key.serialize_der();
    let sec1 = &der[der.len() - 109..];
    let text = STANDARD.encode(sec1);
    put(
        "sec1.pem",
        format!("-----BEGIN EC PRIVATE KEY-----\n{text}\n-----END EC PRIVATE KEY-----\n"),
    );
    put("text.pem", "nothing".to_owned());
    folder
}

fn read(folder: &TempDir, lines: &str) -> Result<Config, Vec<String>> {
    let lines = lines.replace("@", &format!("{}/", folder.path().display()));
    parse(&format!("{lines}\n{ALICE}"))
}

fn wrong(folder: &TempDir, lines: &str) -> String {
    let errors = read(folder, lines).expect_err(lines);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].clone()
}

const TRUNK: &str = "[[trunks]]\nname='carrier'\naddress='192.0.2.1'\n";

#[test]
fn callers_are_verified_and_calls_signed_as_the_file_says() {
    let folder = folder();
    for key in ["pkcs8.pem", "sec1.pem"] {
        let config = read(
            &folder,
            &format!(
                "[numbers]\ncountry='49'\n[shaken]\nca='@ca.pem'\nprivate_hosts=true\n{TRUNK}\
                 shaken={{verify='show', certificate_url='https://cr.example/a.pem', key='@{key}', numbers=['+4930*', '+49401234']}}\n"
            ),
        )
        .expect("good");
        assert!(!config.shaken.stir.anchors.is_empty() && config.shaken.private_hosts);
        assert_eq!(
            config.shaken.stir.numbers.canonical("0301234").as_deref(),
            Some("49301234")
        );
        assert_eq!(
            config.shaken.files.len(),
            2,
            "the authority and the key are watched"
        );
        let trunk = &config.trunks["carrier"];
        assert_eq!(trunk.verification, Verification::Show);
        let signing = trunk.signing.as_ref().expect("signs");
        assert_eq!(signing.url.host(), "cr.example");
        let numbers = ["+4930*", "+49401234"].map(|text| NumberPattern::parse(text).expect("pattern"));
        assert_eq!(signing.numbers, numbers);
    }
    let config = read(&folder, &format!("{TRUNK}shaken={{verify='required'}}")).expect("good");
    assert_eq!(config.trunks["carrier"].verification, Verification::Required);
    let warned = |warning: &ConfigError| warning.to_string().contains("[shaken] names no ca");
    assert!(config.warnings.iter().any(warned), "{:?}", config.warnings);
    let config = read(&folder, TRUNK).expect("good");
    assert_eq!(config.trunks["carrier"].verification, Verification::Off);
    assert!(config.trunks["carrier"].signing.is_none());
}

#[test]
fn mistakes_about_signed_callers_are_named_with_their_place() {
    let folder = folder();
    for (lines, error) in [
        (
            "[shaken]\nca='@text.pem'".into(),
            "shaken.ca: must be a PEM file with certificates",
        ),
        ("[shaken]\nca='@none.pem'".into(), "shaken.ca: "),
        (
            "[shaken]\ncrl='@ca.pem'".into(),
            "shaken.crl: must be a PEM file with certificate revocation lists",
        ),
        ("[shaken]\nhttps_ca='@text.pem'".into(), "shaken.https_ca: "),
        (
            format!("{TRUNK}shaken='show'"),
            "trunks.shaken: is a string, but must be a table",
        ),
        (
            format!("{TRUNK}shaken={{verify='yes'}}"),
            "trunks.shaken.verify: `yes` is none of: off, show, required",
        ),
        (
            format!("{TRUNK}shaken={{key='@pkcs8.pem'}}"),
            "trunks.shaken.key also needs certificate_url",
        ),
        (
            format!("{TRUNK}shaken={{certificate_url='https://a.example/'}}"),
            "trunks.shaken.certificate_url also needs key",
        ),
        (
            format!("{TRUNK}shaken={{certificate_url='http://a.example/', key='@pkcs8.pem'}}"),
            "trunks.shaken.certificate_url: `http://a.example/` does not begin with https://",
        ),
        (
            format!("{TRUNK}shaken={{certificate_url='https://a.example/', key='@text.pem'}}"),
            "trunks.shaken.key: must be a PEM file with a private key of the curve P-256",
        ),
        (
            format!(
                "{TRUNK}shaken={{certificate_url='https://a.example/', key='@pkcs8.pem', numbers='0301234'}}"
            ),
            "trunks.shaken.numbers: `0301234` is neither a number",
        ),
    ] {
        let found = wrong(&folder, &lines);
        assert!(found.contains(error), "{lines}\n{found}");
    }
}

#[test]
fn emergency_calls_are_as_the_file_says_for_all_and_for_each_user() {
    let config = parse(&format!(
        "{TRUNK}[emergency]\nnumbers=['112', '110']\nprefixes='0'\ntrunk='carrier'\ncaller_id='+49301000'\nresource_priority=true\n\
         location={{civic={{country='DE', a3='Berlin'}}, point={{latitude=52.5, longitude=-13, radius=20}}}}\n\
         {ALICE}emergency={{caller_id='+49301001', location={{uri='https://lis.example/a'}}}}\n"
    ))
    .expect("good");
    let emergency = &config.emergency;
    assert_eq!(emergency.numbers.numbers, ["112", "110"]);
    assert_eq!(emergency.numbers.prefixes, ["0"]);
    assert_eq!(
        emergency
            .trunks
            .iter()
            .flat_map(Trunks::names)
            .collect::<Vec<_>>(),
        ["carrier"]
    );
    assert_eq!(emergency.caller_id.as_deref(), Some("+49301000"));
    assert!(emergency.resource_priority);
    let location = emergency.location.as_ref().expect("a location");
    let element = |name: &str, text: &str| (CivicElement::named(name).expect("element"), text.to_owned());
    assert_eq!(
        location.civic,
        Some(Civic::new([element("country", "DE"), element("A3", "Berlin")]))
    );
    let point = Point {
        latitude: 52.5,
        longitude: -13.0,
        radius: 20.0,
    };
    assert_eq!(location.point, Some(point));
    let own = &emergency.users["alice"];
    assert_eq!(own.caller_id.as_deref(), Some("+49301001"));
    assert_eq!(
        own.location.as_ref().and_then(|own| own.uri.as_deref()),
        Some("https://lis.example/a")
    );
}

#[test]
fn mistakes_about_emergency_calls_are_named_with_their_place() {
    let folder = folder();
    let whole = |lines: &str| format!("{TRUNK}[emergency]\nnumbers='112'\ntrunk='carrier'\n{lines}");
    for (lines, error) in [
        (
            format!("{TRUNK}[emergency]\ntrunk='carrier'"),
            "emergency.numbers: names no number",
        ),
        (format!("{TRUNK}[emergency]\nnumbers='112'"), "emergency.trunk"),
        (
            format!("{TRUNK}[emergency]\nnumbers='112'\ntrunk='other'"),
            "emergency.trunk: there is no trunk `other`",
        ),
        (
            format!("{TRUNK}[emergency]\nnumbers='help'\ntrunk='carrier'"),
            "emergency.numbers: `help` is not a number",
        ),
        (
            whole("location={}"),
            "emergency.location: needs civic, point or uri",
        ),
        (
            whole("location={civic={a3='Berlin'}}"),
            "emergency.location.civic.country: must be a country",
        ),
        (
            whole("location={civic={country='DE', street='x'}}"),
            "`street` is no element of a civic address",
        ),
        (
            whole("location={point={latitude=91, longitude=0}}"),
            "emergency.location.point.latitude: must be a number from -90 to 90",
        ),
        (whole("location={point={latitude=1}}"), "emergency.location.point"),
        (
            whole("location={uri='ftp://a'}"),
            "emergency.location.uri: `ftp://a` is none of",
        ),
    ] {
        let errors = read(&folder, &lines).expect_err(&lines);
        assert!(
            errors.iter().any(|found| found.contains(error)),
            "{lines}\n{errors:?}"
        );
    }
}
