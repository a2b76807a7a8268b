//! A browser made of other people's code: DTLS by `rtc-dtls`, SRTP by `rtc-srtp`; its ICE is a check every now and then.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::BytesMut;
use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::RingProvider;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
pub(crate) use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as Offered;
use rtc_shared::TransportProtocol;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use sans_io::Time;

use crate::Clock;
use crate::ice::stun::tests::{Check, mapped_address};
use crate::negotiated::{DtlsRole, Fingerprint, Hash, IceCredentials};

/// `rtc-dtls` keys its associations by address; ours has one.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

static PROVIDER: LazyLock<Arc<dyn RTCCryptoProvider>> = LazyLock::new(|| Arc::new(RingProvider::new()));
static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(certificate);

fn certificate() -> Certificate {
    let names = vec!["browser".to_string()];
    let algorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
    Certificate::generate_self_signed_with_alg(names, algorithm, PROVIDER.crypto()).expect("a certificate")
}

pub(crate) const EVERY: [Offered; 2] = [
    Offered::Srtp_Aead_Aes_128_Gcm,
    Offered::Srtp_Aes128_Cm_Hmac_Sha1_80,
];
pub(crate) const CM: [Offered; 1] = [Offered::Srtp_Aes128_Cm_Hmac_Sha1_80];

pub(crate) struct Browser {
    clock: Clock,
    role: DtlsRole,
    own: Certificate,
    /// The peer checks, and never answers DTLS.
    pub(crate) deaf: bool,
    config: Arc<HandshakeConfig>,
    dtls: Endpoint,
    /// Credentials of the leg.
    pub(crate) ice: IceCredentials,
    pub(crate) nominate: bool,
    check_at: Option<Time>,
    checks: u64,
    pub(crate) answered: bool,
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) srtp: Option<(Context, Context)>,
    pub(crate) profile: Option<Offered>,
    pub(crate) closed: bool,
    pub(crate) failed: bool,
    out: Vec<Vec<u8>>,
}

impl Browser {
    /// `role` is the leg's; the browser takes the other one.
    pub(crate) fn new(
        now: Time,
        clock: Clock,
        ice: &IceCredentials,
        role: DtlsRole,
        profiles: &[Offered],
    ) -> Browser {
        Browser::showing(CERTIFICATE.clone(), now, clock, ice, role, profiles)
    }

    /// With a certificate of its own.
    pub(crate) fn with_certificate(
        now: Time,
        clock: Clock,
        ice: &IceCredentials,
        role: DtlsRole,
        profiles: &[Offered],
    ) -> Browser {
        Browser::showing(certificate(), now, clock, ice, role, profiles)
    }

    fn showing(
        own: Certificate,
        now: Time,
        clock: Clock,
        ice: &IceCredentials,
        role: DtlsRole,
        profiles: &[Offered],
    ) -> Browser {
        let config = |client| {
            let builder = ConfigBuilder::default()
                .with_crypto_provider(PROVIDER.clone())
                .with_certificates(vec![own.clone()])
                .with_srtp_protection_profiles(profiles.to_vec())
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                .with_insecure_skip_verify(true)
                .with_extended_master_secret(ExtendedMasterSecretType::Require)
                .with_flight_interval(Duration::from_millis(400));
            Arc::new(builder.build(client, None).expect("a configuration"))
        };
        let (config, server) = match role {
            DtlsRole::Passive => (config(true), None),
            DtlsRole::Active => (config(false), Some(config(false))),
        };
        Browser {
            clock,
            role,
            own,
            deaf: false,
            config,
            dtls: Endpoint::new(PEER, TransportProtocol::UDP, server),
            ice: ice.clone(),
            nominate: true,
            check_at: Some(now),
            checks: 0,
            answered: false,
            certificate: None,
            srtp: None,
            profile: None,
            closed: false,
            failed: false,
            out: Vec::new(),
        }
    }

    pub(crate) fn fingerprint() -> Fingerprint {
        hash(&CERTIFICATE)
    }

    pub(crate) fn own_fingerprint(&self) -> Fingerprint {
        hash(&self.own)
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        if self.check_at.is_some_and(|at| at <= now) {
            self.check_at = Some(now + Duration::from_millis(if self.answered { 2_500 } else { 50 }));
            self.checks += 1;
            let username = format!("{}:browser", self.ice.ufrag);
            let check = Check {
                username: &username,
                password: &self.ice.pwd,
                priority: 0x6e7f_1eff,
                nominate: self.nominate,
                extra: &[(0x802a, &[1; 8]), (0xc057, &[0, 1, 0, 50])],
            };
            let mut id = [0; 12];
            id[..8].copy_from_slice(&self.checks.to_be_bytes());
            self.out.push(check.write(id));
        }
        let instant = self.clock.instant(now);
        if self.dtls.poll_timeout(&PEER).is_some_and(|at| at <= instant) {
            self.failed |= self.dtls.handle_timeout(PEER, instant).is_err();
        }
        self.flush();
    }

    /// No more checks: the network is gone.
    pub(crate) fn stop_checks(&mut self) {
        self.check_at = None;
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        let dtls = self.dtls.poll_timeout(&PEER).map(|at| self.clock.time(at));
        [self.check_at, dtls].into_iter().flatten().min()
    }

    pub(crate) fn handle(&mut self, now: Time, datagram: &[u8]) {
        let instant = self.clock.instant(now);
        match datagram[0] {
            0..=3 if !self.answered && mapped_address(datagram, &self.ice.pwd).is_some() => {
                self.answered = true;
                if self.role == DtlsRole::Passive {
                    self.dtls
                        .connect(instant, PEER, self.config.clone(), None)
                        .expect("a ClientHello");
                }
            }
            20..=63 if !self.deaf => {
                for event in self
                    .dtls
                    .read(instant, PEER, None, BytesMut::from(datagram))
                    .unwrap_or_default()
                {
                    match event {
                        EndpointEvent::HandshakeComplete => self.complete(),
                        EndpointEvent::PeerClosed => self.closed = true,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        self.flush();
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        (!self.out.is_empty()).then(|| self.out.remove(0))
    }

    pub(crate) fn close(&mut self, now: Time) {
        self.dtls.close(self.clock.instant(now)).expect("close_notify");
        self.flush();
    }

    pub(crate) fn protect(&mut self, packet: &[u8]) -> Vec<u8> {
        self.srtp
            .as_mut()
            .expect("keys")
            .0
            .encrypt_rtp(packet)
            .expect("a packet")
            .to_vec()
    }

    pub(crate) fn open(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        self.srtp
            .as_mut()?
            .1
            .decrypt_rtp(packet)
            .ok()
            .map(|packet| packet.to_vec())
    }

    fn flush(&mut self) {
        while let Some(transmit) = self.dtls.poll_transmit() {
            self.out.push(transmit.message.to_vec());
        }
    }

    fn complete(&mut self) {
        let state = self.dtls.get_connection_state(PEER).expect("a state");
        self.certificate = state.peer_certificates.first().cloned();
        let profile = match state.srtp_protection_profile() {
            Offered::Srtp_Aead_Aes_128_Gcm => ProtectionProfile::AeadAes128Gcm,
            Offered::Srtp_Aes128_Cm_Hmac_Sha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
            other => panic!("no profile: {other:?}"),
        };
        let mut config = rtc_srtp::config::Config {
            profile,
            ..Default::default()
        };
        let label = rtc_srtp::config::LABEL_EXTRACTOR_DTLS_SRTP;
        let material = state
            .export_keying_material(label, &[], config.keying_material_len())
            .expect("material");
        config
            .set_session_keys_from_keying_material(material.as_ref(), state.is_client())
            .expect("keys");
        let keys = config.keys;
        let context = |key: &[u8], salt: &[u8]| {
            Context::new(key, salt, profile, None, None, PROVIDER.crypto()).expect("a context")
        };
        self.profile = Some(state.srtp_protection_profile());
        self.srtp = Some((
            context(&keys.local_master_key, &keys.local_master_salt),
            context(&keys.remote_master_key, &keys.remote_master_salt),
        ));
    }
}

fn hash(certificate: &Certificate) -> Fingerprint {
    let digest = ring::digest::digest(&ring::digest::SHA256, &certificate.certificate[0]);
    Fingerprint {
        hash: Hash::Sha256,
        value: digest.as_ref().to_vec(),
    }
}
