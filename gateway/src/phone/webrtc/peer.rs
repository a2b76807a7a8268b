//! The peer connection of a call, by the `webrtc` crate, set up as a browser sets it up: BUNDLE, rtcp-mux, full ICE without
//! trickling, DTLS-SRTP.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use media_core::negotiated::{Codec, Direction};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::Slot;
use rtc::rtp_transceiver::RTCRtpTransceiverDirection;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidate,
    RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription, Registry,
    SettingEngineBuilder, register_default_interceptors,
};
use webrtc::rtp_transceiver::RtpTransceiver;

use super::codecs::{parameters, track};
use super::description::{Terms, agree, answerable, ice_user, without_repetitions};
use super::reports::{ReportReader, Reported, Reports};
use crate::phone::{CandidatePair, PhoneError};

/// Time for gathering ICE candidates.
const GATHERING: Duration = Duration::from_secs(10);

/// Progress of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    gathered: bool,
    /// Time of the first ICE check that succeeded.
    pub(super) ice: Option<Instant>,
    /// End of the DTLS handshake.
    pub(super) dtls: Option<Instant>,
    /// ICE or DTLS failed.
    pub(super) failed: bool,
}

/// The peer's last report of what it receives, and the path.
#[derive(Clone, Debug, Default)]
pub(super) struct Statistics {
    pub(super) reported: Reported,
    pub(super) path: Option<CandidatePair>,
}

/// A peer connection with one audio track each way.
pub(super) struct Peer {
    connection: Arc<dyn PeerConnection>,
    transceiver: Arc<dyn RtpTransceiver>,
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    state: Arc<watch::Sender<Progress>>,
    progress: watch::Receiver<Progress>,
    tracks: Option<mpsc::Receiver<Arc<dyn TrackRemote>>>,
    reports: Reports,
    /// The last description of the peer.
    remote: Option<String>,
}

/// Listener of the connection's events.
struct Handler {
    state: Arc<watch::Sender<Progress>>,
    tracks: mpsc::Sender<Arc<dyn TrackRemote>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        let gathered = state == RTCIceGatheringState::Complete;
        self.state.send_modify(|progress| progress.gathered = gathered);
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        self.state.send_modify(|progress| match state {
            RTCIceConnectionState::Connected | RTCIceConnectionState::Completed => {
                progress.ice.get_or_insert_with(Instant::now);
            }
            RTCIceConnectionState::Failed => progress.failed = true,
            _ => {}
        });
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state.send_modify(|progress| match state {
            RTCPeerConnectionState::Connected => {
                progress.dtls.get_or_insert_with(Instant::now);
            }
            RTCPeerConnectionState::Failed => progress.failed = true,
            _ => {}
        });
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        // There is one; another one after a change of the session takes its place.
        let _ = self.tracks.try_send(track);
    }
}

impl Peer {
    /// Binds a socket on `ip`, or on every interface if it is unspecified.
    ///
    /// # Errors
    /// No socket, no randomness.
    pub(super) async fn new(ip: IpAddr, codecs: &[Codec]) -> Result<Peer, PhoneError> {
        Peer::build(ip, codecs).await.map_err(failed)
    }

    async fn build(ip: IpAddr, codecs: &[Codec]) -> webrtc::error::Result<Peer> {
        let (state, progress) = watch::channel(Progress::default());
        let state = Arc::new(state);
        let (tracks, receiver) = mpsc::channel(4);
        let handler = Handler {
            state: Arc::clone(&state),
            tracks,
        };
        let mut engine = MediaEngine::default();
        for parameters in parameters(codecs) {
            engine.register_codec(parameters, RtpCodecKind::Audio)?;
        }
        let (ssrc, reports) = (random()?, Reports::default());
        // Next to the network, where all reports pass, in both directions.
        let interceptors = register_default_interceptors(Registry::new(), &mut engine)?
            .with(Slot::from(1), ReportReader::new(ssrc, reports.clone()));
        let settings = SettingEngineBuilder::new()
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_include_loopback_candidate(ip.is_loopback())
            .build();
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_setting_engine(settings)
            .with_interceptor_registry(interceptors)
            .with_handler(Arc::new(handler))
            .with_udp_addrs(vec![SocketAddr::new(ip, 0)])
            .build()
            .await?;
        let track = Arc::new(TrackLocalStaticRTP::new(track(ssrc, codecs)));
        let transceiver = connection
            .add_transceiver_from_track(Arc::clone(&track) as Arc<dyn TrackLocal>, None)
            .await?;
        // Else it would offer the track's first codec alone.
        transceiver.set_codec_preferences(parameters(codecs)).await?;
        Ok(Peer {
            connection: Arc::new(connection),
            transceiver,
            track,
            ssrc,
            state,
            progress,
            tracks: Some(receiver),
            reports,
            remote: None,
        })
    }

    /// SSRC of what is sent.
    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Track to send by.
    pub(super) fn track(&self) -> Arc<dyn TrackLocal> {
        Arc::clone(&self.track) as Arc<dyn TrackLocal>
    }

    /// Tracks of the peer, as they come; can be taken once.
    pub(super) fn tracks(&mut self) -> mpsc::Receiver<Arc<dyn TrackRemote>> {
        self.tracks.take().unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// Progress so far, and what follows.
    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// An offer with all candidates.
    ///
    /// # Errors
    /// None can be made.
    pub(super) async fn offer(&mut self) -> Result<String, PhoneError> {
        self.turn(Direction::SendRecv).await?;
        let offer = self.connection.create_offer(None).await.map_err(failed)?;
        self.describe(offer).await
    }

    /// The answer to an offer of the peer, with all candidates, and the terms of both.
    ///
    /// # Errors
    /// The offer cannot be used.
    pub(super) async fn answer(&mut self, offer: String) -> Result<(String, Terms), PhoneError> {
        if self.remote.as_deref().map(ice_user) != Some(ice_user(&offer)) {
            // ICE begins, or begins anew: there are candidates to come.
            self.state.send_modify(|progress| progress.gathered = false);
        }
        let description = RTCSessionDescription::offer(offer.clone()).map_err(failed)?;
        let applied = self.connection.set_remote_description(description).await;
        applied.map_err(failed)?;
        // By itself the crate would answer a peer that holds with `sendrecv` (RFC 3264 §6.1).
        self.turn(answerable(&offer)).await?;
        let answer = self.connection.create_answer(None).await.map_err(failed)?;
        let answer = self.describe(answer).await?;
        let terms = agree(&answer, &offer, false).ok_or_else(no_codec)?;
        self.remote = Some(offer);
        Ok((answer, terms))
    }

    /// Takes the peer's answer to [`offer`](Self::offer).
    ///
    /// # Errors
    /// The answer cannot be used.
    pub(super) async fn answered(&mut self, answer: String) -> Result<Terms, PhoneError> {
        let local = self.connection.local_description().await;
        let local = local.map(|local| local.sdp).unwrap_or_default();
        let terms = agree(&local, &answer, true).ok_or_else(no_codec)?;
        let description = RTCSessionDescription::answer(answer.clone()).map_err(failed)?;
        let applied = self.connection.set_remote_description(description).await;
        applied.map_err(failed)?;
        self.remote = Some(answer);
        Ok(terms)
    }

    /// Sets the direction of the next description.
    async fn turn(&self, direction: Direction) -> Result<(), PhoneError> {
        let direction = match direction {
            Direction::SendRecv => RTCRtpTransceiverDirection::Sendrecv,
            Direction::SendOnly => RTCRtpTransceiverDirection::Sendonly,
            Direction::RecvOnly => RTCRtpTransceiverDirection::Recvonly,
            Direction::Inactive => RTCRtpTransceiverDirection::Inactive,
        };
        self.transceiver.set_direction(direction).await.map_err(failed)
    }

    async fn describe(&mut self, description: RTCSessionDescription) -> Result<String, PhoneError> {
        let applied = self.connection.set_local_description(description).await;
        applied.map_err(failed)?;
        let gathered = self.progress.wait_for(|progress| progress.gathered);
        let in_time = tokio::time::timeout(GATHERING, gathered).await;
        in_time
            .map_err(|_| PhoneError::Media("no ICE candidates were found in time".into()))?
            .map_err(failed)?;
        let local = self.connection.local_description().await;
        local
            .map(|local| without_repetitions(&local.sdp))
            .ok_or_else(|| PhoneError::Media("no description of our own".into()))
    }

    /// The last report of the peer, and the path in use.
    pub(super) async fn statistics(&self) -> Statistics {
        Statistics {
            reported: self.reports.last(),
            path: self.path().await,
        }
    }

    async fn path(&self) -> Option<CandidatePair> {
        let sender = self.transceiver.sender().await.ok().flatten()?;
        let transport = sender.transport().await.ok().flatten()?;
        let pair = transport.ice_transport().get_selected_candidate_pair().await;
        let pair = pair.ok().flatten()?;
        let text = |of: &RTCIceCandidate| {
            let ip = of.address.parse::<IpAddr>();
            let address = ip.map_or_else(
                |_| format!("{}:{}", of.address, of.port),
                |ip| SocketAddr::new(ip, of.port).to_string(),
            );
            format!("{address} ({})", of.typ)
        };
        Some(CandidatePair {
            local: text(pair.local()),
            remote: text(pair.remote()),
        })
    }

    /// Ends the connection.
    pub(super) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "closing a peer connection");
        }
    }
}

fn failed(error: impl std::fmt::Display) -> PhoneError {
    PhoneError::Media(format!("WebRTC: {error}"))
}

fn no_codec() -> PhoneError {
    PhoneError::Media("no codec in common".into())
}

fn random() -> webrtc::error::Result<u32> {
    let mut octets = [0; 4];
    let filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut octets);
    filled.map_err(|_| webrtc::error::Error::Other("no randomness".into()))?;
    Ok(u32::from_be_bytes(octets))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const CODECS: [Codec; 3] = [Codec::Opus, Codec::Pcmu, Codec::Pcma];

    /// Longer than ICE and DTLS take on the slowest machine.
    const PATIENCE: Duration = Duration::from_secs(20);

    async fn peer() -> Peer {
        Peer::new(Ipv4Addr::LOCALHOST.into(), &CODECS)
            .await
            .expect("a peer")
    }

    async fn is_secure(peer: &Peer) {
        let mut progress = peer.progress();
        let secure = progress.wait_for(|progress| progress.dtls.is_some());
        let secure = tokio::time::timeout(PATIENCE, secure).await;
        let progress = *secure.expect("in time").expect("a connection");
        assert!(!progress.failed && progress.ice <= progress.dtls, "{progress:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_agree_as_browsers_do_hold_come_back_and_restart_ice() {
        let (mut caller, mut callee) = (peer().await, peer().await);
        let offer = caller.offer().await.expect("an offer");
        for line in [
            "a=group:BUNDLE 0",
            "a=rtcp-mux",
            "a=setup:actpass",
            "a=rtpmap:111 opus/48000/2",
            "a=end-of-candidates",
        ] {
            assert!(offer.contains(line), "{line} in {offer}");
        }
        let (answer, theirs) = callee.answer(offer.clone()).await.expect("an answer");
        assert_eq!(answer.matches("a=rtpmap:110 ").count(), 1, "{answer}");
        let ours = caller.answered(answer).await.expect("agreed");
        assert_eq!((ours.send, theirs.send), ((111, Codec::Opus), (111, Codec::Opus)));
        assert!(ours.event.is_some() && ours.event == theirs.event);
        tokio::join!(is_secure(&caller), is_secure(&callee));
        let path = caller.statistics().await.path.expect("a path");
        assert!(
            path.local.starts_with("127.0.0.1:") && path.local.ends_with("(host)"),
            "{path:?}"
        );

        let hold = caller.offer().await.expect("an offer");
        let hold = hold.replace("a=sendrecv", "a=sendonly");
        let (answer, held) = callee.answer(hold).await.expect("an answer");
        assert!(answer.contains("a=recvonly"), "{answer}");
        assert_eq!(held.direction, Direction::RecvOnly);
        let kept = caller.answered(answer).await.expect("agreed");
        assert_eq!(kept.direction, Direction::SendOnly);

        caller.connection.restart_ice().await.expect("restarted");
        let restart = caller.offer().await.expect("an offer");
        assert_ne!(ice_user(&restart), ice_user(&offer));
        let (answer, back) = callee.answer(restart).await.expect("an answer");
        assert!(answer.contains("a=candidate:"), "{answer}");
        assert_eq!(back.direction, Direction::SendRecv);
        caller.answered(answer).await.expect("agreed");
        caller.close().await;
        callee.close().await;
    }

    #[tokio::test]
    async fn a_description_that_cannot_be_used_is_an_error() {
        let mut peer = peer().await;
        assert!(peer.answer("hello".into()).await.is_err());
        let offer = peer.offer().await.expect("an offer");
        let g729 = offer.replace("SAVPF 111 0 8 110", "SAVPF 18");
        assert_ne!(g729, offer);
        let error = peer.answered(g729).await.expect_err("no codec");
        assert_eq!(error.to_string(), "call failed: no codec in common");
        peer.close().await;
    }
}
