use super::*;

#[derive(Default)]
struct Zone {
    naptr: Vec<(&'static str, u16, &'static str, &'static str)>,
    srv: Vec<(&'static str, u16, u16, u16, &'static str)>,
    a: Vec<(&'static str, &'static str)>,
}

fn there<T>(records: impl Iterator<Item = T>) -> Answer<T> {
    Answer {
        records: records.collect(),
        ttl: Duration::from_secs(300),
        is_certain: true,
    }
}

impl Records for Zone {
    async fn naptr(&self, name: &str) -> Answer<Naptr> {
        let records = self.naptr.iter().filter(|r| r.0 == name);
        there(records.map(|r| Naptr {
            order: r.1,
            preference: 0,
            service: r.2.into(),
            replacement: r.3.into(),
        }))
    }

    async fn srv(&self, name: &str) -> Answer<Srv> {
        let records = self.srv.iter().filter(|r| r.0 == name);
        there(records.map(|r| Srv {
            priority: r.1,
            weight: r.2,
            port: r.3,
            target: r.4.into(),
        }))
    }

    async fn addresses(&self, name: &str) -> Answer<IpAddr> {
        let records = self.a.iter().filter(|r| r.0 == name);
        there(records.map(|r| r.1.parse().expect("address")))
    }
}

fn carrier() -> Zone {
    Zone {
        naptr: vec![
            ("carrier.example", 20, "SIP+D2U", "_sip._udp.carrier.example"),
            ("carrier.example", 10, "SIPS+D2T", "_sips._tcp.carrier.example"),
            ("carrier.example", 5, "E2U+email", "x"),
        ],
        srv: vec![
            ("_sip._udp.carrier.example", 2, 0, 5070, "b.example"),
            ("_sip._udp.carrier.example", 1, 0, 5060, "a.example"),
            ("_sips._tcp.carrier.example", 0, 0, 5061, "t.example"),
            ("_sip._tcp.plain.example", 0, 0, 5062, "a.example"),
        ],
        a: vec![
            ("a.example", "192.0.2.1"),
            ("b.example", "192.0.2.2"),
            ("b.example", "2001:db8::2"),
            ("t.example", "192.0.2.3"),
            ("bare.example", "192.0.2.9"),
        ],
    }
}

fn targets(uri: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("runtime");
    let uri = UriRef::parse(uri).expect("URI");
    let found = runtime.block_on(resolve(uri, &carrier(), &mut Rng::seeded(1)));
    found
        .iter()
        .map(|(t, a, n)| format!("{} {a} {}", t.name(), n.as_deref().unwrap_or("-")))
        .collect()
}

#[test]
fn literals_and_localhost_need_no_query() {
    assert_eq!(targets("sip:1@192.0.2.7"), ["UDP 192.0.2.7:5060 -"]);
    assert_eq!(
        targets("sip:1@[2001:db8::1]:5070;transport=tcp"),
        ["TCP [2001:db8::1]:5070 -"]
    );
    assert_eq!(targets("sips:1@192.0.2.7"), ["TLS 192.0.2.7:5061 -"]);
    assert_eq!(
        targets("sip:1@LOCALHOST;transport=ws"),
        ["WS 127.0.0.1:80 LOCALHOST", "WS [::1]:80 LOCALHOST"]
    );
    assert_eq!(
        targets("sip:1@carrier.example;maddr=192.0.2.8"),
        ["UDP 192.0.2.8:5060 -"]
    );
}

#[test]
fn what_leads_nowhere_is_empty_at_once() {
    for uri in [
        "sip:x@4ab.invalid;transport=ws",
        "sip:1@192.0.2.7;transport=sctp",
        "tel:+15551234",
    ] {
        assert_eq!(
            immediate(UriRef::parse(uri).expect("URI")),
            Some(Vec::new()),
            "{uri}"
        );
    }
}

#[test]
fn naptr_then_srv_then_addresses_in_the_order_of_the_zone() {
    assert_eq!(
        targets("sip:1@carrier.example"),
        [
            "TLS 192.0.2.3:5061 carrier.example",
            "UDP 192.0.2.1:5060 carrier.example",
            "UDP 192.0.2.2:5070 carrier.example",
            "UDP [2001:db8::2]:5070 carrier.example",
        ]
    );
    assert_eq!(
        targets("sips:1@carrier.example"),
        ["TLS 192.0.2.3:5061 carrier.example"]
    );
}

#[test]
fn a_port_or_a_transport_shortens_the_way() {
    assert_eq!(
        targets("sip:1@bare.example:5099"),
        ["UDP 192.0.2.9:5099 bare.example"]
    );
    assert_eq!(
        targets("sip:1@plain.example;transport=tcp"),
        ["TCP 192.0.2.1:5062 plain.example"]
    );
    assert_eq!(targets("sip:1@bare.example"), ["UDP 192.0.2.9:5060 bare.example"]);
    assert_eq!(targets("sip:1@nobody.example"), Vec::<String>::new());
}

#[test]
fn weights_share_the_attempts() {
    let record = |weight, target: &str| Srv {
        priority: 1,
        weight,
        port: 1,
        target: target.into(),
    };
    let mut rng = Rng::seeded(4);
    let first = (0..1000)
        .filter(|_| in_order(vec![record(90, "big"), record(10, "small")], &mut rng)[0].target == "big")
        .count();
    assert!((850..950).contains(&first), "{first} of 1000 for a weight of 90%");
    let gone = vec![Srv {
        priority: 0,
        weight: 0,
        port: 0,
        target: ".".into(),
    }];
    assert!(in_order(gone, &mut rng).is_empty(), "target . means: not offered");
}
