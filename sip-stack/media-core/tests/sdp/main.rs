//! Offer and answer against what peers really write, and against ourselves.

use media_core::negotiated::{DtlsRole, Fingerprint, Hash, IceCredentials, Negotiated, StreamAgreed};
use media_core::sdp::{Browser, Config, Negotiator, Profile, SrtpPolicy};
use sans_io::Rng;

mod agreement;
mod browser;
mod codecs;
mod corpora;
mod pass_through;
mod phone;
mod srtp;

/// A browser leg of ours with two addresses.
fn browser(config: Config) -> Negotiator {
    let side = Browser {
        ice: IceCredentials {
            ufrag: "ours".to_owned(),
            pwd: "0123456789abcdefghijklmn".to_owned(),
        },
        fingerprint: Fingerprint {
            hash: Hash::Sha256,
            value: (0..32).collect(),
        },
        role: DtlsRole::Passive,
        renew,
        full: false,
    };
    let mut out = Negotiator::new(Profile::Browser(side), config, &mut Rng::seeded(1));
    out.local(&[
        "192.0.2.1:10000".parse().unwrap(),
        "[2001:db8::1]:10000".parse().unwrap(),
    ]);
    out
}

fn renew(before: &IceCredentials, rng: &mut Rng) -> IceCredentials {
    IceCredentials {
        ufrag: format!("{}1", before.ufrag),
        pwd: rng.token(24),
    }
}

/// A phone leg of ours.
fn phone(config: Config) -> Negotiator {
    let mut out = Negotiator::new(Profile::Phone(SrtpPolicy::Off), config, &mut Rng::seeded(1));
    out.local(&[
        "192.0.2.1:20000".parse().unwrap(),
        "192.0.2.1:20001".parse().unwrap(),
    ]);
    out
}

fn rng() -> Rng {
    Rng::seeded(7)
}

/// The values of a kind of line, e.g. `m=` or `a=mid:`.
fn lines<'a>(sdp: &'a str, start: &'a str) -> Vec<&'a str> {
    sdp.split("\r\n")
        .filter_map(|line| line.strip_prefix(start))
        .collect()
}

/// The one stream that was agreed.
fn audio(media: &Negotiated) -> &StreamAgreed {
    assert_eq!(media.streams.len(), 1);
    &media.streams[0]
}
