//! SIP transports over real sockets on loopback.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use sip_core::flow::{Destination, Flow, Transport};
use sip_stack::Clock;
use sip_stack::transport::tls::{
    Certificate, ClientAuthorities, ClientTls, KeyPair, PeerTls, Trust, server_config,
};
use sip_stack::transport::ws::Policy;
use sip_stack::transport::{BindError, Event, Inbox, Limits, Listen, Outbound, Seats, Transports};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;

const PATIENCE: Duration = Duration::from_secs(60);

struct Side {
    transports: Transports,
    events: Inbox,
}

impl Side {
    async fn new(listen: &[Listen], outbound: Outbound, limits: Limits) -> Side {
        let (transports, events) = Transports::bind(listen, outbound, limits, Clock::start())
            .await
            .expect("bind");
        Side { transports, events }
    }

    async fn listening(listen: Listen) -> Side {
        Side::new(&[listen], Outbound::default(), Limits::default()).await
    }

    async fn client(outbound: Outbound) -> Side {
        Side::new(&[], outbound, Limits::default()).await
    }

    fn addr(&self) -> SocketAddr {
        self.transports.listeners()[0].addr
    }

    /// The next event that the SIP machine would hear.
    async fn next(&mut self) -> Event {
        loop {
            let event = timeout(PATIENCE, self.events.recv())
                .await
                .expect("an event in time")
                .expect("alive");
            if let Some(event) = self.transports.handle_event(event) {
                return event;
            }
        }
    }

    async fn message(&mut self) -> (Flow, Bytes) {
        match self.next().await {
            Event::Message { flow, data, .. } => (flow, data),
            other => panic!("no message: {other:?}"),
        }
    }

    fn send(&mut self, to: &Destination, data: &Bytes, token: u64) -> bool {
        self.transports.send(to, data.clone(), token)
    }
}

fn options(call: u32, body: &str) -> Bytes {
    let text = format!(
        "OPTIONS sip:a@example.com SIP/2.0\r\n\
         Via: SIP/2.0/TCP client.invalid;branch=z9hG4bK{call}\r\n\
         From: <sip:b@example.com>;tag=1\r\nTo: <sip:a@example.com>\r\n\
         Call-ID: {call}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Bytes::from(text)
}

fn any() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn to(transport: Transport, addr: SocketAddr, name: Option<&str>) -> Destination {
    Destination::Address {
        transport,
        addr,
        server_name: name.map(str::to_owned),
    }
}

async fn read_until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    // A reset is a way of closing too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut read))
        .await
        .expect("closed in time");
    read
}

#[tokio::test]
async fn a_stream_is_cut_into_messages_wherever_it_was_split() {
    let mut server = Side::listening(Listen::Tcp(any())).await;
    let (one, two) = (options(1, "body with \r\n\r\n inside"), options(2, ""));
    let mut stream = TcpStream::connect(server.addr()).await.expect("connect");
    stream.set_nodelay(true).expect("nodelay");
    let both = [&one[..], &two[..]].concat();
    for split in 0..both.len() {
        stream.write_all(&both[..split]).await.expect("write");
        tokio::task::yield_now().await;
        stream.write_all(&both[split..]).await.expect("write");
        assert_eq!(server.message().await.1, one, "split at {split}");
        assert_eq!(server.message().await.1, two, "split at {split}");
    }
}

#[tokio::test]
async fn keep_alives_are_answered_and_pipelined_messages_are_told_apart() {
    let mut server = Side::listening(Listen::Tcp(any())).await;
    let mut stream = TcpStream::connect(server.addr()).await.expect("connect");
    let all: Vec<Bytes> = (0..50).map(|n| options(n, "x")).collect();
    let mut bytes = all.concat();
    bytes.extend_from_slice(b"\r\n\r\n");
    stream.write_all(&bytes).await.expect("write");
    for message in &all {
        assert_eq!(&server.message().await.1, message);
    }
    let mut pong = [0; 2];
    timeout(PATIENCE, stream.read_exact(&mut pong))
        .await
        .expect("in time")
        .expect("pong");
    assert_eq!(&pong, b"\r\n");
}

#[tokio::test]
async fn a_reply_goes_back_over_the_flow_and_a_closed_flow_is_reported() {
    let mut server = Side::listening(Listen::Tcp((Ipv6Addr::LOCALHOST, 0).into())).await;
    let mut stream = TcpStream::connect(server.addr()).await.expect("connect");
    let message = options(1, "");
    stream.write_all(&message).await.expect("write");
    let (flow, _) = server.message().await;
    assert_eq!(
        (flow.transport, flow.remote),
        (Transport::Tcp, stream.local_addr().expect("address"))
    );
    assert_eq!(flow.local, server.addr());
    assert!(server.send(&Destination::Flow(flow), &message, 1));
    let mut reply = vec![0; message.len()];
    timeout(PATIENCE, stream.read_exact(&mut reply))
        .await
        .expect("in time")
        .expect("reply");
    assert_eq!(reply, message);
    drop(stream);
    assert!(matches!(server.next().await, Event::Closed { flow: closed } if closed == flow.id));
    assert!(
        !server.send(&Destination::Flow(flow), &message, 2),
        "the flow is gone"
    );
}

#[tokio::test]
async fn a_connection_out_is_opened_once_and_used_again() {
    for (transport, listen) in [
        (Transport::Tcp, Listen::Tcp(any())),
        (Transport::Ws, Listen::Ws(any(), Policy::default())),
    ] {
        let mut server = Side::listening(listen).await;
        let mut client = Side::client(Outbound::default()).await;
        let target = to(transport, server.addr(), None);
        // The first two are queued before the connection stands.
        assert!(client.send(&target, &options(1, ""), 1) && client.send(&target, &options(2, ""), 2));
        let (first, data) = server.message().await;
        assert_eq!(data, options(1, ""));
        assert_eq!(server.message().await, (first, options(2, "")));
        assert!(server.send(&Destination::Flow(first), &options(3, "back"), 3));
        let (back, data) = client.message().await;
        assert_eq!(
            (back.transport, back.remote, data),
            (transport, server.addr(), options(3, "back"))
        );
        assert_eq!(back.local, first.remote);
        assert!(client.send(&Destination::Flow(back), &options(4, ""), 4));
        assert!(client.send(&target, &options(5, ""), 5));
        assert_eq!(server.message().await, (first, options(4, "")));
        assert_eq!(server.message().await, (first, options(5, "")));
        assert_eq!(
            server
                .transports
                .counters()
                .of(transport)
                .accepted
                .load(Ordering::Relaxed),
            1
        );
        // A message from the server to the client's address finds the open connection too.
        assert!(server.send(&to(transport, first.remote, None), &options(6, ""), 6));
        assert_eq!(client.message().await, (back, options(6, "")));
    }
}

#[tokio::test]
async fn closing_flushes_what_is_queued() {
    let mut server = Side::listening(Listen::Tcp(any())).await;
    let mut client = Side::client(Outbound::default()).await;
    for n in 0..100 {
        assert!(client.send(
            &to(Transport::Tcp, server.addr(), None),
            &options(n, "bye"),
            u64::from(n)
        ));
    }
    client.transports.close();
    for n in 0..100 {
        assert_eq!(server.message().await.1, options(n, "bye"));
    }
    assert!(matches!(server.next().await, Event::Closed { .. }));
}

#[tokio::test]
async fn nobody_there_is_reported_for_each_message() {
    let gone = TcpListener::bind(any())
        .await
        .expect("bind")
        .local_addr()
        .expect("address");
    let mut client = Side::client(Outbound::default()).await;
    let mut failed = Vec::new();
    for token in [7, 8] {
        if !client.send(&to(Transport::Tcp, gone, None), &options(1, ""), token) {
            failed.push(token);
        }
    }
    let closed = loop {
        match client.next().await {
            Event::TransmitFailed { token } => failed.push(token),
            Event::Closed { flow } => break flow,
            other => panic!("unexpected: {other:?}"),
        }
    };
    assert_eq!(failed, [7, 8]);
    // A later attempt is a new flow.
    assert!(client.send(&to(Transport::Tcp, gone, None), &options(1, ""), 9));
    assert!(matches!(client.next().await, Event::TransmitFailed { token: 9 }));
    assert!(matches!(client.next().await, Event::Closed { flow } if flow != closed));
}

#[tokio::test]
async fn one_that_never_completes_a_handshake_is_given_up() {
    let silent = TcpListener::bind(any()).await.expect("bind");
    let limits = Limits {
        connect: Duration::from_millis(100),
        ..Limits::default()
    };
    let outbound = Outbound {
        tls: Some(Arc::new(ClientTls::unverified().expect("TLS"))),
        ..Outbound::default()
    };
    let mut client = Side::new(&[], outbound, limits).await;
    let addr = silent.local_addr().expect("address");
    for (token, transport) in [(1, Transport::Tls), (2, Transport::Ws), (3, Transport::Wss)] {
        assert!(client.send(&to(transport, addr, None), &options(1, ""), token));
        assert!(matches!(client.next().await, Event::TransmitFailed { token: t } if t == token));
        assert!(matches!(client.next().await, Event::Closed { .. }));
    }
}

#[tokio::test]
async fn udp_both_ways_and_both_families() {
    for ip in ["127.0.0.1", "::1"] {
        let bind = SocketAddr::new(ip.parse().expect("ip"), 0);
        let mut server = Side::listening(Listen::Udp(bind)).await;
        let mut client = Side::listening(Listen::Udp(bind)).await;
        let target = to(Transport::Udp, server.addr(), None);
        assert!(client.send(&target, &Bytes::from_static(b"\r\n\r\n"), 0));
        assert!(client.send(&target, &options(1, &"x".repeat(3_000)), 1));
        let (flow, data) = server.message().await;
        assert_eq!(
            data,
            options(1, &"x".repeat(3_000)),
            "keep-alives are not messages"
        );
        assert_eq!((flow.remote, flow.local), (client.addr(), server.addr()));
        assert!(server.send(&Destination::Flow(flow), &options(2, ""), 2));
        assert_eq!(client.message().await.1, options(2, ""));
        assert_eq!(
            client.transports.local_address(Transport::Udp, server.addr()),
            Some(client.addr())
        );
        let other = if ip == "::1" { "127.0.0.1:9" } else { "[::1]:9" };
        let other = to(Transport::Udp, other.parse().expect("address"), None);
        assert!(
            !client.send(&other, &options(1, ""), 3),
            "no socket of that family"
        );
        assert!(
            !client.send(&target, &Bytes::from(vec![b'x'; 70_000]), 4),
            "no datagram is that long"
        );
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_closed_port_is_told_and_costs_nobody_else_a_datagram() {
    for ip in [any().ip(), Ipv6Addr::LOCALHOST.into()] {
        let mut ours = Side::listening(Listen::Udp(SocketAddr::new(ip, 0))).await;
        let mut other = Side::listening(Listen::Udp(SocketAddr::new(ip, 0))).await;
        let closed = std::net::UdpSocket::bind(SocketAddr::new(ip, 0))
            .expect("bind")
            .local_addr();
        let closed = closed.expect("an address");
        assert!(
            ours.transports
                .send(&to(Transport::Udp, closed, None), options(1, ""), 1)
        );
        assert!(matches!(ours.next().await, Event::Unreachable { addr } if addr == closed));
        // The error affects only the datagrams to that peer.
        for call in 2..12 {
            let there = to(Transport::Udp, other.addr(), None);
            assert!(
                ours.transports
                    .send(&to(Transport::Udp, closed, None), options(1, ""), 1)
            );
            assert!(ours.transports.send(&there, options(call, ""), u64::from(call)));
            assert!(matches!(other.next().await, Event::Message { .. }));
        }
    }
}

#[tokio::test]
async fn udp_on_every_address_answers_from_the_one_that_was_hit() {
    let mut server = Side::listening(Listen::Udp(([0, 0, 0, 0], 0).into())).await;
    let addresses: Vec<SocketAddr> = server.transports.listeners().iter().map(|l| l.addr).collect();
    assert!(
        addresses
            .iter()
            .all(|a| a.port() == addresses[0].port() && !a.ip().is_unspecified())
    );
    assert!(addresses.iter().any(|a| a.ip().is_loopback()));
    for addr in addresses {
        let peer = tokio::net::UdpSocket::bind((addr.ip(), 0)).await.expect("bind");
        peer.send_to(&options(1, ""), addr).await.expect("send");
        let (flow, _) = server.message().await;
        assert_eq!(flow.local, addr);
        assert!(server.send(&Destination::Flow(flow), &options(2, ""), 1));
        let mut buffer = [0; 1500];
        let (_, from) = timeout(PATIENCE, peer.recv_from(&mut buffer))
            .await
            .expect("in time")
            .expect("reply");
        assert_eq!(from, addr);
        let out = to(Transport::Udp, peer.local_addr().expect("address"), None);
        assert!(server.send(&out, &options(3, ""), 2));
        let (_, from) = timeout(PATIENCE, peer.recv_from(&mut buffer))
            .await
            .expect("in time")
            .expect("request");
        assert_eq!(from, addr);
    }
}

struct Pem {
    chain: String,
    key: String,
}

fn certificate(names: &[&str]) -> Pem {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).expect("certificate");
    Pem {
        chain: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
    }
}

#[tokio::test]
async fn tls_and_secure_websockets_check_the_name_that_was_asked_for() {
    let certificate = certificate(&["sip.example.com", "127.0.0.1"]);
    let tls = server_config(certificate.chain.as_bytes(), certificate.key.as_bytes(), &[]).expect("TLS");
    let trusting = || Outbound {
        tls: Some(Arc::new(
            ClientTls::authorities(certificate.chain.as_bytes()).expect("TLS"),
        )),
        ..Outbound::default()
    };
    for (transport, listen) in [
        (Transport::Tls, Listen::Tls(any(), tls.clone())),
        (Transport::Wss, Listen::Wss(any(), Policy::default(), tls.clone())),
    ] {
        let mut server = Side::listening(listen).await;
        let mut client = Side::client(trusting()).await;
        for (token, name) in [(1, Some("sip.example.com")), (2, None)] {
            assert!(client.send(&to(transport, server.addr(), name), &options(1, ""), token));
            let (flow, data) = server.message().await;
            assert_eq!((flow.transport, data), (transport, options(1, "")));
            assert!(server.send(&Destination::Flow(flow), &options(2, ""), 1));
            assert_eq!(client.message().await.1, options(2, ""));
        }
        assert!(client.send(
            &to(transport, server.addr(), Some("other.example.com")),
            &options(1, ""),
            3
        ));
        assert!(matches!(client.next().await, Event::TransmitFailed { token: 3 }));
        let mut stranger = Side::client(Outbound::default()).await;
        assert!(stranger.send(&to(transport, server.addr(), None), &options(1, ""), 4));
        assert!(matches!(
            stranger.next().await,
            Event::TransmitFailed { token: 4 }
        ));
    }
}

#[tokio::test]
async fn a_peer_with_settings_of_its_own_is_trusted_by_them_alone_and_sees_our_certificate() {
    let (theirs, ours) = (
        certificate(&["sip.example.com"]),
        certificate(&["gateway.example.org"]),
    );
    let mut trusted = rustls::RootCertStore::empty();
    let der = rustls_pki_types::CertificateDer::from_pem_slice(ours.chain.as_bytes()).expect("PEM");
    trusted.add(der).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), provider.clone());
    let (chain, key) = (theirs.chain.as_bytes(), theirs.key.as_bytes());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(
            vec![rustls_pki_types::CertificateDer::from_pem_slice(chain).expect("PEM")],
            rustls_pki_types::PrivateKeyDer::from_pem_slice(key).expect("PEM"),
        )
        .expect("a certificate");
    let mut server = Side::listening(Listen::Tls(any(), Arc::new(server))).await;
    let pair = || KeyPair::read(ours.chain.as_bytes(), ours.key.as_bytes()).expect("a pair");
    let peer = |identity, name| {
        let tls = ClientTls::new(Trust::Authorities(chain), identity).expect("TLS");
        PeerTls::new(tls, name).expect("a name")
    };
    let outbound = Outbound::default();
    let peers = Arc::clone(&outbound.peers);
    let mut client = Side::client(outbound).await;
    for (token, settings, arrives) in [
        // Nobody is trusted without settings.
        (1, None, false),
        // Our certificate is missing, the name is wrong, and then all is right.
        (2, Some(peer(None, Some("sip.example.com"))), false),
        (3, Some(peer(Some(pair()), None)), false),
        (4, Some(peer(Some(pair()), Some("sip.example.com"))), true),
    ] {
        peers.replace(settings.map(|tls| ("127.0.0.1".to_owned(), tls)));
        let addr = to(Transport::Tls, server.addr(), None);
        assert!(client.send(&addr, &options(token, ""), u64::from(token)));
        // A connection that is refused is closed, and perhaps what was sent over it is reported before.
        while !arrives && !matches!(client.next().await, Event::Closed { .. }) {}
        let arrived = async {
            loop {
                if let Event::Message { data, .. } = server.next().await {
                    return data;
                }
            }
        };
        if arrives {
            assert_eq!(arrived.await, options(token, ""));
        }
    }
}

#[tokio::test]
async fn a_peer_that_shows_a_certificate_is_known_by_its_names_and_one_without_is_let_in() {
    let (gateway, carrier, stranger) = (
        certificate(&["gw.example"]),
        certificate(&["SIP.carrier.example", "sip2.carrier.example"]),
        certificate(&["sip.carrier.example"]),
    );
    let pair = |of: &Pem| KeyPair::read(of.chain.as_bytes(), of.key.as_bytes()).expect("a pair");
    let clients = ClientAuthorities::new(carrier.chain.as_bytes()).expect("authorities");
    let tls = Certificate::new(pair(&gateway))
        .server_config(&[], Some(&clients))
        .expect("TLS");
    let mut server = Side::listening(Listen::Tls(any(), tls)).await;
    for (token, shown, names) in [
        (1, None, Some(Vec::new())),
        (
            2,
            Some(&carrier),
            Some(vec!["sip.carrier.example", "sip2.carrier.example"]),
        ),
        // Nobody whom we trust vouches for it, whatever its names are.
        (3, Some(&stranger), None),
    ] {
        let trust = Trust::Authorities(gateway.chain.as_bytes());
        let tls = ClientTls::new(trust, shown.map(pair)).expect("TLS");
        let mut client = Side::client(Outbound {
            tls: Some(Arc::new(tls)),
            ..Outbound::default()
        })
        .await;
        let addr = to(Transport::Tls, server.addr(), Some("gw.example"));
        assert!(client.send(&addr, &options(token, ""), u64::from(token)));
        let Some(names) = names else {
            while !matches!(client.next().await, Event::Closed { .. }) {}
            assert!(matches!(server.next().await, Event::Refused { .. }));
            continue;
        };
        if !names.is_empty() {
            match server.next().await {
                Event::Identified { names: read, .. } => assert_eq!(read, names),
                other => panic!("nobody is identified: {other:?}"),
            }
        }
        assert_eq!(server.message().await.1, options(token, ""));
        drop(client);
        assert!(matches!(server.next().await, Event::Closed { .. }));
    }
    assert!(ClientAuthorities::new(b"rubbish").is_err());
}

#[tokio::test]
async fn certificates_that_do_not_fit_say_what_is_wrong() {
    let (a, b) = (certificate(&["a.example"]), certificate(&["b.example"]));
    let error = |chain: &str, key: &str| {
        server_config(chain.as_bytes(), key.as_bytes(), &[])
            .expect_err("unusable")
            .to_string()
    };
    assert_eq!(error("", &a.key), "certificate: no PEM block CERTIFICATE found");
    assert!(error(&a.chain, "rubbish").starts_with("private key: "));
    assert!(error(&a.chain, &b.key).starts_with("certificate and key: "));
}

#[tokio::test]
async fn a_websocket_is_answered_in_the_kind_of_frame_that_it_uses() {
    let mut server = Side::listening(Listen::Ws(any(), Policy::default())).await;
    let stream = TcpStream::connect(server.addr()).await.expect("connect");
    let uri = format!("ws://{}/any/path", server.addr()).parse().expect("URI");
    let request = ClientRequestBuilder::new(uri).with_sub_protocol("sip");
    let (mut socket, response) = tokio_tungstenite::client_async(request, stream)
        .await
        .expect("handshake");
    assert_eq!(response.headers()["sec-websocket-protocol"], "sip");
    let text = |data: &Bytes| Frame::text(std::str::from_utf8(data).expect("UTF-8"));
    socket.send(text(&options(1, "Grüße"))).await.expect("send");
    let (flow, data) = server.message().await;
    assert_eq!((flow.transport, data), (Transport::Ws, options(1, "Grüße")));
    assert!(server.send(&Destination::Flow(flow), &options(2, "ü"), 1));
    assert_eq!(
        socket.next().await.expect("frame").expect("frame"),
        text(&options(2, "ü"))
    );
    socket.send(Frame::binary(options(3, ""))).await.expect("send");
    assert_eq!(server.message().await, (flow, options(3, "")));
    assert!(server.send(&Destination::Flow(flow), &options(4, ""), 2));
    assert_eq!(
        socket.next().await.expect("frame").expect("frame"),
        Frame::binary(options(4, ""))
    );
    socket.send(Frame::text("\r\n\r\n")).await.expect("send");
    assert_eq!(
        socket.next().await.expect("frame").expect("frame"),
        Frame::binary(&b"\r\n"[..])
    );
    socket.send(text(&options(5, ""))).await.expect("send");
    assert_eq!(server.message().await.1, options(5, ""));
    let latin = Bytes::from_static(b"SIP/2.0 200 Gr\xfc\xdfe\r\n\r\n");
    assert!(server.send(&Destination::Flow(flow), &latin, 3));
    assert_eq!(
        socket.next().await.expect("frame").expect("frame"),
        Frame::Binary(latin),
        "not UTF-8"
    );
    socket.close(None).await.expect("close");
    assert!(matches!(server.next().await, Event::Closed { flow: closed } if closed == flow.id));
}

#[tokio::test]
async fn a_connection_that_an_http_server_upgraded_is_a_flow_like_any_other() {
    let mut server = Side::client(Outbound::default()).await;
    let acceptor = server.transports.acceptor();
    let (near, far) = tokio::io::duplex(4096);
    let (peer, local): (SocketAddr, SocketAddr) =
        (([192, 0, 2, 7], 40_000).into(), ([192, 0, 2, 1], 443).into());
    let admission = acceptor.admit().expect("a place");
    let serving = tokio::spawn(async move { acceptor.serve(admission, near, peer, local, true).await });
    let role = tokio_tungstenite::tungstenite::protocol::Role::Client;
    let mut socket = tokio_tungstenite::WebSocketStream::from_raw_socket(far, role, None).await;
    let text = |data: &Bytes| Frame::text(std::str::from_utf8(data).expect("UTF-8"));
    // Larger than what the stream holds at a time.
    let long = options(1, &"x".repeat(20_000));
    socket.send(text(&long)).await.expect("send");
    let (flow, data) = server.message().await;
    assert_eq!(
        (flow.transport, flow.remote, flow.local, data),
        (Transport::Wss, peer, local, long)
    );
    assert!(server.send(&Destination::Flow(flow), &options(2, ""), 1));
    assert_eq!(
        socket.next().await.expect("frame").expect("frame"),
        text(&options(2, ""))
    );
    drop(socket);
    assert!(matches!(server.next().await, Event::Closed { flow: closed } if closed == flow.id));
    timeout(PATIENCE, serving).await.expect("in time").expect("task");
}

#[tokio::test]
async fn a_websocket_without_the_subprotocol_or_with_a_huge_frame_is_refused() {
    let mut server = Side::listening(Listen::Ws(any(), Policy::default())).await;
    let url = format!("ws://{}/", server.addr());
    let stream = TcpStream::connect(server.addr()).await.expect("connect");
    let refused = tokio_tungstenite::client_async(&url, stream)
        .await
        .expect_err("refused");
    assert!(refused.to_string().contains("400"), "{refused}");
    let stream = TcpStream::connect(server.addr()).await.expect("connect");
    let request = ClientRequestBuilder::new(url.parse().expect("URI")).with_sub_protocol("sip");
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .expect("handshake");
    socket.send(Frame::text("x".repeat(70_000))).await.expect("send");
    assert!(matches!(server.next().await, Event::Refused { .. }));
    assert!(matches!(server.next().await, Event::Closed { .. }));
    assert_eq!(
        server
            .transports
            .counters()
            .of(Transport::Ws)
            .cut_off
            .load(Ordering::Relaxed),
        1
    );
}

#[tokio::test]
async fn a_websocket_that_gives_no_sign_of_life_is_closed() {
    let limits = Limits {
        ping: Duration::from_millis(40),
        ..Limits::default()
    };
    let mut server = Side::new(
        &[Listen::Ws(any(), Policy::default())],
        Outbound::default(),
        limits.clone(),
    )
    .await;
    let request = || {
        let uri = format!("ws://{}/", server.addr()).parse().expect("URI");
        ClientRequestBuilder::new(uri).with_sub_protocol("sip")
    };
    let connect = || TcpStream::connect(server.addr());
    let (mut alive, _) = tokio_tungstenite::client_async(request(), connect().await.expect("connect"))
        .await
        .expect("handshake");
    let (dead, _) = tokio_tungstenite::client_async(request(), connect().await.expect("connect"))
        .await
        .expect("handshake");
    let dead_at = dead.get_ref().local_addr().expect("address");
    // One reads, and so its side of the protocol answers pings; the other does not.
    let pings = tokio::spawn(async move {
        let mut pings = Vec::new();
        while let Some(Ok(frame)) = alive.next().await {
            pings.push(frame);
            if pings.len() >= 12 {
                break;
            }
        }
        (pings, alive)
    });
    let opened = loop {
        match timeout(PATIENCE, server.events.recv())
            .await
            .expect("in time")
            .expect("alive")
        {
            Event::Opened {
                flow,
                connection,
                names,
            } => {
                let id = flow.id;
                let dead = flow.remote == dead_at;
                server.transports.handle_event(Event::Opened {
                    flow,
                    connection,
                    names,
                });
                if dead {
                    break id;
                }
            }
            other => panic!("unexpected: {other:?}"),
        }
    };
    assert!(matches!(server.next().await, Event::Closed { flow } if flow == opened));
    let (frames, _alive) = timeout(PATIENCE, pings).await.expect("in time").expect("task");
    assert!(
        frames.iter().any(Frame::is_ping) && frames.contains(&Frame::text("\r\n\r\n")),
        "{frames:?}"
    );
    assert_eq!(
        server
            .transports
            .counters()
            .of(Transport::Ws)
            .cut_off
            .load(Ordering::Relaxed),
        1
    );
}

#[tokio::test]
async fn a_peer_that_trickles_or_says_nothing_is_cut_off() {
    let limits = Limits {
        message: Duration::from_millis(150),
        first_message: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Side::new(&[Listen::Tcp(any())], Outbound::default(), limits).await;
    let mut silent = TcpStream::connect(server.addr()).await.expect("connect");
    assert_eq!(read_until_closed(&mut silent).await, b"");
    let (mut read, mut write) = TcpStream::connect(server.addr())
        .await
        .expect("connect")
        .into_split();
    let trickle = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        for byte in options(1, "x").chunks(1) {
            ticks.tick().await;
            if write.write_all(byte).await.is_err() {
                return true;
            }
        }
        false
    };
    let closed = async {
        let mut rest = Vec::new();
        let _ = read.read_to_end(&mut rest).await;
    };
    let cut_off = timeout(PATIENCE, async {
        tokio::select! {
            cut_off = trickle => cut_off,
            () = closed => true,
        }
    });
    assert!(
        cut_off.await.expect("in time"),
        "the message would have taken seconds"
    );
    assert_eq!(
        server
            .transports
            .counters()
            .of(Transport::Tcp)
            .cut_off
            .load(Ordering::Relaxed),
        2
    );
}

#[tokio::test]
async fn broken_framing_is_answered_and_closed() {
    let server = Side::listening(Listen::Tcp(any())).await;
    let mut stream = TcpStream::connect(server.addr()).await.expect("connect");
    let message = String::from_utf8(options(1, "").to_vec()).expect("UTF-8");
    let broken = message.replace("Content-Length: 0", "Content-Length: -7");
    stream.write_all(broken.as_bytes()).await.expect("write");
    let answer = String::from_utf8(read_until_closed(&mut stream).await).expect("UTF-8");
    assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");
}

#[tokio::test]
async fn there_are_only_so_many_connections() {
    let limits = Limits {
        connections: Seats::new(1),
        ..Limits::default()
    };
    let mut server = Side::new(&[Listen::Tcp(any())], Outbound::default(), limits).await;
    let mut first = TcpStream::connect(server.addr()).await.expect("connect");
    first.write_all(&options(1, "")).await.expect("write");
    server.message().await;
    let mut second = TcpStream::connect(server.addr()).await.expect("connect");
    assert_eq!(read_until_closed(&mut second).await, b"");
    assert_eq!(
        server
            .transports
            .counters()
            .of(Transport::Tcp)
            .refused
            .load(Ordering::Relaxed),
        1
    );
    assert!(server.transports.acceptor().admit().is_none());
    drop(first);
    assert!(matches!(server.next().await, Event::Closed { .. }));
    let place = async {
        while server.transports.acceptor().admit().is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, place).await.expect("the place is free again");
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_given_up() {
    let limits = Limits {
        write_octets: 500_000,
        ..Limits::default()
    };
    let mut server = Side::new(&[Listen::Tcp(any())], Outbound::default(), limits).await;
    let mut stream = TcpStream::connect(server.addr()).await.expect("connect");
    stream.write_all(&options(1, "")).await.expect("write");
    let (flow, _) = server.message().await;
    let big = options(2, &"x".repeat(60_000));
    let refused = async {
        while server.send(&Destination::Flow(flow), &big, 1) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.expect("its queue fills up");
    let closed = async {
        let mut sink = vec![0; 1 << 16];
        while stream.read(&mut sink).await.is_ok_and(|n| n > 0) {}
    };
    timeout(PATIENCE, closed)
        .await
        .expect("closed once what was queued is read");
}

fn server_tls() -> Arc<rustls::ServerConfig> {
    let certificate = certificate(&["127.0.0.1"]);
    server_config(certificate.chain.as_bytes(), certificate.key.as_bytes(), &[]).expect("TLS")
}

/// Answers everything as the driver does: takes what waits at once, and answers it before any task of a
/// connection runs.
async fn answer_all(server: &mut Side, requests: usize, answer: &Bytes) {
    let mut answered = 0;
    let mut events = Vec::new();
    while answered < requests {
        let more = timeout(PATIENCE, server.events.recv_many(&mut events, 4_096));
        assert!(more.await.expect("in time") > 0);
        for event in events.drain(..) {
            match server.transports.handle_event(event) {
                Some(Event::Message { flow, receipt, .. }) => {
                    assert!(
                        server.send(&Destination::Flow(flow), answer, 1),
                        "after {answered}"
                    );
                    drop(receipt);
                    answered += 1;
                }
                None => {}
                other => panic!("after {answered}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_burst_of_a_peer_that_reads_is_answered_to_its_end() {
    const BURST: usize = 5_000;
    let mut server = Side::listening(Listen::Tcp(any())).await;
    let answer = options(2, &"x".repeat(400));
    let (mut read, mut write) = TcpStream::connect(server.addr())
        .await
        .expect("connect")
        .into_split();
    let sender = tokio::spawn(async move {
        let burst = options(1, "").repeat(BURST);
        write.write_all(&burst).await.expect("written");
        write
    });
    let expected = answer.len() * BURST;
    let reader = tokio::spawn(async move {
        let (mut total, mut buffer) = (0, vec![0; 1 << 16]);
        while total < expected {
            total += match read.read(&mut buffer).await {
                Ok(0) | Err(_) => return total,
                Ok(n) => n,
            };
        }
        total
    });
    answer_all(&mut server, BURST, &answer).await;
    assert_eq!(
        timeout(PATIENCE, reader).await.expect("in time").expect("task"),
        expected
    );
    drop(sender.await.expect("task"));
}

#[tokio::test]
async fn a_burst_over_a_websocket_is_answered_to_its_end() {
    const BURST: usize = 2_000;
    let mut server = Side::listening(Listen::Ws(any(), Policy::default())).await;
    let uri = format!("ws://{}/", server.addr()).parse().expect("URI");
    let request = ClientRequestBuilder::new(uri).with_sub_protocol("sip");
    let stream = TcpStream::connect(server.addr()).await.expect("connect");
    let (socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .expect("handshake");
    let (mut sink, mut source) = socket.split();
    let answer = options(2, &"x".repeat(400));
    let sender = tokio::spawn(async move {
        let text = String::from_utf8(options(1, "").to_vec()).expect("UTF-8");
        for _ in 0..BURST {
            sink.feed(Frame::text(text.clone())).await.expect("fed");
        }
        sink.flush().await.expect("sent");
        sink
    });
    let reader = tokio::spawn(async move {
        let mut frames = 0;
        while frames < BURST && source.next().await.is_some_and(|frame| frame.is_ok()) {
            frames += 1;
        }
        frames
    });
    answer_all(&mut server, BURST, &answer).await;
    assert_eq!(
        timeout(PATIENCE, reader).await.expect("in time").expect("task"),
        BURST
    );
    drop(sender.await.expect("task"));
}

#[tokio::test]
async fn a_peer_that_asks_and_does_not_read_holds_little_and_is_cut_off() {
    let limits = Limits {
        write: Duration::from_millis(300),
        ..Limits::default()
    };
    let mut server = Side::new(&[Listen::Tcp(any())], Outbound::default(), limits).await;
    let (_read, mut write) = TcpStream::connect(server.addr())
        .await
        .expect("connect")
        .into_split();
    let sender = tokio::spawn(async move {
        let burst = options(1, "").repeat(100);
        while write.write_all(&burst).await.is_ok() {}
    });
    let answer = options(2, &"x".repeat(400));
    let cut_off = async {
        loop {
            match server.next().await {
                Event::Message { flow, .. } => assert!(server.send(&Destination::Flow(flow), &answer, 1)),
                Event::Closed { .. } => return,
                _ => {}
            }
        }
    };
    timeout(PATIENCE, cut_off).await.expect("in time");
    assert_eq!(
        server
            .transports
            .counters()
            .of(Transport::Tcp)
            .cut_off
            .load(Ordering::Relaxed),
        1
    );
    sender.await.expect("task");
}

#[tokio::test]
async fn keep_alives_buy_no_time_before_the_first_message() {
    let limits = Limits {
        first_message: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = Side::new(&[Listen::Tcp(any())], Outbound::default(), limits).await;
    let (mut read, mut write) = TcpStream::connect(server.addr())
        .await
        .expect("connect")
        .into_split();
    let pings = async {
        while write.write_all(b"\r\n\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let closed = async {
        let mut rest = Vec::new();
        let _ = read.read_to_end(&mut rest).await;
    };
    timeout(PATIENCE, async {
        tokio::select! {
            () = pings => {}
            () = closed => {}
        }
    })
    .await
    .expect("cut off");
}

#[tokio::test]
async fn silent_connections_make_room_for_those_that_speak() {
    let limits = Limits {
        connections: Seats {
            per_source: 3,
            ..Seats::new(3)
        },
        ..Limits::default()
    };
    let listen = Listen::Tls(any(), server_tls());
    let mut server = Side::new(&[Listen::Tcp(any()), listen], Outbound::default(), limits).await;
    let tls = server.transports.listeners()[1].addr;
    let mut silent = Vec::new();
    for addr in [tls, server.addr()].repeat(10) {
        silent.push(TcpStream::connect(addr).await.expect("connect"));
    }
    let mut first = TcpStream::connect(server.addr()).await.expect("connect");
    first.write_all(&options(1, "")).await.expect("write");
    let flow = loop {
        match server.next().await {
            Event::Message { flow, .. } => break flow,
            Event::Closed { .. } | Event::Refused { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    for _ in 0..10 {
        silent.push(TcpStream::connect(server.addr()).await.expect("connect"));
    }
    assert_eq!(read_until_closed(&mut silent[0]).await, b"");
    let answer = options(2, "");
    assert!(server.send(&Destination::Flow(flow), &answer, 1));
    let mut got = vec![0; answer.len()];
    timeout(PATIENCE, first.read_exact(&mut got))
        .await
        .expect("in time")
        .expect("it stayed");
}

#[tokio::test]
async fn a_tls_peer_that_says_nothing_is_let_go_soon() {
    let limits = Limits {
        client_hello: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = Side::new(&[Listen::Tls(any(), server_tls())], Outbound::default(), limits).await;
    let mut silent = TcpStream::connect(server.addr()).await.expect("connect");
    assert_eq!(read_until_closed(&mut silent).await, b"");
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_line() {
    let tcp = Side::listening(Listen::Tcp(any())).await;
    let udp = Side::listening(Listen::Udp(any())).await;
    for (listen, name) in [(Listen::Tcp(tcp.addr()), "TCP"), (Listen::Udp(udp.addr()), "UDP")] {
        let addr = listen.addr();
        let result =
            Transports::bind(&[listen], Outbound::default(), Limits::default(), Clock::start()).await;
        let error = result.map(|_| ()).expect_err("in use");
        assert!(matches!(error, BindError::InUse(_, a) if a == addr), "{error:?}");
        assert!(
            error
                .to_string()
                .starts_with(&format!("address in use: {name} {addr}")),
            "{error}"
        );
    }
    let nowhere = Listen::Tcp(([192, 0, 2, 1], 5060).into());
    let result = Transports::bind(&[nowhere], Outbound::default(), Limits::default(), Clock::start()).await;
    assert!(matches!(result, Err(BindError::NoSuchAddress(..))));
}

/// Datagrams come from anybody, as fast as the network goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_strangers_keeps_away_nobody_who_is_known() {
    const RATE: u32 = 500;
    let limits = Limits {
        stranger_datagrams: RATE,
        ..Limits::default()
    };
    let mut server = Side::new(&[Listen::Udp(any())], Outbound::default(), limits).await;
    let addr = server.addr();
    let known = std::net::UdpSocket::bind("127.0.0.7:0").expect("a socket");
    let to = Destination::Address {
        transport: Transport::Udp,
        addr: known.local_addr().expect("bound"),
        server_name: None,
    };
    // Whoever is sent a request is no stranger.
    assert!(server.transports.send(&to, options(1, ""), 1));
    let message = options(2, "");
    let flooding = message.clone();
    let began = std::time::Instant::now();
    let stranger = std::net::UdpSocket::bind("127.0.0.66:0").expect("a socket");
    let flood = tokio::task::spawn_blocking(move || {
        let mut sent = 0;
        while began.elapsed() < Duration::from_secs(2) {
            // In bursts that the kernel has room for: what it drops itself says nothing here.
            for _ in 0..50 {
                sent += u32::from(stranger.send_to(&flooding, addr).is_ok());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        sent
    });
    let (mut strange, mut theirs) = (0, 0);
    for n in 0..100 {
        known.send_to(&message, addr).expect("sent");
        let until = tokio::time::Instant::now() + Duration::from_millis(20);
        while let Ok(event) = tokio::time::timeout_at(until, server.events.recv()).await {
            let Some(Event::Message { flow, .. }) = event else {
                panic!("{event:?}")
            };
            match flow.remote.ip() == known.local_addr().expect("bound").ip() {
                true => theirs += 1,
                false => strange += 1,
            }
        }
        assert!(theirs >= n, "{theirs} of {n}");
    }
    let sent = flood.await.expect("a count");
    assert_eq!(theirs, 100);
    let most = RATE + RATE * u32::try_from(began.elapsed().as_secs() + 1).expect("small");
    assert!(
        strange <= most && strange < sent,
        "{strange} of {sent}, {most} at most"
    );
    // Once nobody knows it any more, it is one of them.
    let host = known.local_addr().expect("bound").ip();
    server.transports.heard(host, || panic!("it was learnt just now"));
}
