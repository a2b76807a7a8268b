//! The DTLS handshake of a call's browser side.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_crypto::providers::RingProvider;
use rtc_crypto::{HashAlgorithm, RTCCryptoProvider};
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;

use super::{Outcome, srtp};

/// Names the one peer of an endpoint; the real address does not matter to the handshake.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

/// The certificate of all calls, and how they shake hands: only the SRTP profile of [`srtp`] is offered.
pub(crate) struct Identity {
    provider: Arc<dyn RTCCryptoProvider>,
    client: Arc<HandshakeConfig>,
    server: Arc<HandshakeConfig>,
    /// As in `a=fingerprint:sha-256`.
    pub(crate) fingerprint: String,
}

impl Identity {
    pub(crate) fn generate() -> Outcome<Identity> {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(RingProvider::new());
        let certificate = Certificate::generate_self_signed(vec!["load".to_string()], provider.crypto())?;
        let fingerprint = fingerprint(&*provider, &certificate.certificate[0])?;
        let config = |is_client| {
            ConfigBuilder::default()
                .with_crypto_provider(provider.clone())
                .with_certificates(vec![certificate.clone()])
                .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80])
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                .with_insecure_skip_verify(true)
                .with_extended_master_secret(ExtendedMasterSecretType::Require)
                .with_flight_interval(Duration::from_millis(100))
                .build(is_client, None)
        };
        let (client, server) = (Arc::new(config(true)?), Arc::new(config(false)?));
        Ok(Identity {
            provider,
            client,
            server,
            fingerprint,
        })
    }
}

fn fingerprint(provider: &dyn RTCCryptoProvider, certificate: &[u8]) -> Outcome<String> {
    let hash = provider.crypto().hash(HashAlgorithm::Sha256, certificate)?;
    Ok(hash
        .iter()
        .map(|octet| format!("{octet:02X}"))
        .collect::<Vec<_>>()
        .join(":"))
}

/// One handshake.
pub(crate) struct Handshake {
    endpoint: Endpoint,
    started: bool,
    /// The keying material, once it is done.
    pub(crate) keys: Option<[u8; srtp::MATERIAL]>,
    /// We sent the ClientHello.
    pub(crate) is_client: bool,
    peer_fingerprint: String,
}

impl Handshake {
    /// `peer_fingerprint` as in the peer's SDP.
    pub(crate) fn new(identity: &Identity, is_client: bool, peer_fingerprint: &str) -> Handshake {
        let server = (!is_client).then(|| identity.server.clone());
        Handshake {
            endpoint: Endpoint::new(PEER, TransportProtocol::UDP, server),
            started: false,
            keys: None,
            is_client,
            peer_fingerprint: peer_fingerprint.to_ascii_uppercase(),
        }
    }

    /// The path is there: the client begins.
    pub(crate) fn start(&mut self, identity: &Identity) -> Outcome<()> {
        if self.is_client && !self.started {
            self.endpoint
                .connect(Instant::now(), PEER, identity.client.clone(), None)?;
        }
        self.started = true;
        Ok(())
    }

    /// A datagram of the peer, or (empty) a look at the timer.
    pub(crate) fn receive(&mut self, identity: &Identity, datagram: &[u8]) -> Outcome<()> {
        let now = Instant::now();
        if datagram.is_empty() {
            if self.endpoint.poll_timeout(&PEER).is_some_and(|due| due <= now) {
                self.endpoint.handle_timeout(PEER, now)?;
            }
            return Ok(());
        }
        for event in self.endpoint.read(now, PEER, None, BytesMut::from(datagram))? {
            match event {
                EndpointEvent::HandshakeComplete => self.keys = Some(self.export(identity)?),
                EndpointEvent::PeerClosed => return Err("the peer closed DTLS".into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// The next datagram to send.
    pub(crate) fn transmit(&mut self) -> Option<BytesMut> {
        self.endpoint.poll_transmit().map(|transmit| transmit.message)
    }

    fn export(&self, identity: &Identity) -> Outcome<[u8; srtp::MATERIAL]> {
        let state = self.endpoint.get_connection_state(PEER).ok_or("no DTLS state")?;
        let certificate = state.peer_certificates.first().ok_or("no peer certificate")?;
        let found = fingerprint(&*identity.provider, certificate)?;
        if found != self.peer_fingerprint {
            return Err(format!("fingerprint {found}, SDP says {}", self.peer_fingerprint).into());
        }
        let material = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], srtp::MATERIAL)?;
        Ok(material.as_ref().try_into()?)
    }
}
