//! RFC 4475 and RFC 5118: the verdict on each message, and what exactly must be read in it.

use bytes::Bytes;
use cordboard_tests::corpora;
use sip_core::message::{Contact, Defect, HeaderName, Message, Method, ParseError, StatusCode};
use sip_core::uri::{Host, Scheme};

type Outcome = Result<Message, ParseError>;

fn verdicts(corpus: &str, files: &str, count: usize) -> Option<std::path::PathBuf> {
    let folder = corpora::folder(corpus, &format!("the {count} messages of {corpus}"))?;
    let rows = corpora::table(&folder.join("expected.tsv"));
    assert_eq!(rows.len(), count);
    let files = folder.join(files);
    for row in rows {
        let [file, _, _, start, _, class, verdict, tolerated, answer, ..] = &row[..] else {
            panic!("{row:?}")
        };
        let outcome = parse(&files, file);
        let own = if outcome.is_ok() { "accept" } else { "reject" };
        assert!(
            own == verdict || tolerated.split('|').any(|t| t == own),
            "{file} ({class}): {own}, {outcome:?}"
        );
        match &outcome {
            Ok(message) => {
                let first = message.method().map_or_else(
                    || message.status().map_or(0, StatusCode::get).to_string(),
                    Method::to_string,
                );
                assert_eq!(first, *start, "{file}");
                assert_eq!(
                    Message::parse(message.to_bytes()).expect(file).to_bytes(),
                    message.to_bytes()
                );
            }
            Err(error) => match &error.rejected {
                Some(rejected) => {
                    assert!(
                        answer.split('|').any(|a| a == rejected.code.to_string()),
                        "{file}: {} {answer}",
                        rejected.code
                    );
                    let response = rejected.response("t", None);
                    assert!(
                        response.starts_with(format!("SIP/2.0 {} ", rejected.code).as_bytes()),
                        "{file}"
                    );
                }
                None => assert_eq!(answer, "discard", "{file}"),
            },
        }
    }
    Some(files)
}

fn parse(files: &std::path::Path, file: &str) -> Outcome {
    let octets = std::fs::read(files.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    Message::parse(octets.into())
}

#[test]
fn rfc4475() {
    let Some(files) = verdicts("rfc4475", "", 49) else {
        return;
    };
    let accepted =
        |name: &str| parse(&files, &format!("{name}.dat")).unwrap_or_else(|e| panic!("{name}: {e}"));
    let defect = |name: &str| match parse(&files, &format!("{name}.dat")) {
        Ok(_) => panic!("{name} was accepted"),
        Err(error) => error.defect,
    };

    let m = accepted("wsinv");
    assert_eq!(
        (m.max_forwards(), m.cseq().number, m.cseq().method),
        (Some(68), 9, Method::Invite)
    );
    let vias: Vec<_> = m.vias().collect();
    assert_eq!(
        vias.iter().map(|v| v.transport).collect::<Vec<_>>(),
        ["UDP", "TCP", "UDP"]
    );
    assert_eq!(
        vias.iter().map(|v| v.branch()).collect::<Vec<_>>(),
        [Some("390skdjuw"), Some("z9hG4bK9ikj8"), Some("z9hG4bK30239")]
    );
    assert_eq!(vias[0].transaction_branch(), None);
    assert_eq!(
        (m.to().tag(), m.from().tag()),
        (Some("1918181833n"), Some("98asjd8"))
    );
    assert_eq!(m.from().display_name(), "J Rosenberg \\\"");
    assert_eq!(m.to().uri.as_str(), "sip:vivekg@chair-dnrc.example.com");
    assert_eq!(m.header(HeaderName::Subject), Some(""));
    assert_eq!(
        m.header_named("NewFangledHeader"),
        Some("newfangled value continued newfangled value")
    );
    assert_eq!(m.header_named("UnknownHeaderWithUnusualValue"), Some(";;,,;;,;"));
    let contact = m.contacts().next().expect("a contact");
    assert_eq!(
        (
            contact.q(),
            contact.address().expect("an address").param("newparam")
        ),
        (Some(330), Some("newvalue"))
    );
    assert_eq!(
        contact.address().expect("an address").display_name(),
        "Quoted string \"\""
    );
    let route = m.route().next().expect("a route").uri;
    assert!(route.is_loose_router());
    assert_eq!(
        (route.param("unknownwith"), route.param("unknown-no-value")),
        (Some("value"), Some(""))
    );
    assert_eq!(m.body().len(), 150);

    let m = accepted("intmeth");
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    assert_eq!(
        (m.method().expect("a request").as_str(), m.cseq().method.as_str()),
        (method, method)
    );
    assert_eq!(m.to().display_name(), "BEL:\u{7} NUL:\0 DEL:\u{7f}");
    assert_eq!(m.from().param("fromParam''~+*_!.-%"), Some("работающий"));
    assert_eq!(m.from().tag(), Some("_token~1'+`*%!-."));
    assert_eq!(
        m.header_named("extensionHeader-!.%*+_`'~"),
        Some("\u{feff}大停電")
    );
    let uri = m.uri().expect("a URI");
    assert_eq!(
        uri.user(),
        Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
    );
    assert_eq!(
        (uri.password(), uri.host()),
        (
            Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"),
            Some(Host::Name("example.com"))
        )
    );
    assert_eq!((m.max_forwards(), m.cseq().number), (Some(255), 139_122_385));

    let m = accepted("esc01");
    let uri = m.uri().expect("a URI");
    assert_eq!(
        (uri.scheme(), uri.user_unescaped().as_deref()),
        (Scheme::Sip, Some("sips:user@example.com"))
    );
    assert_eq!(m.to().uri.user_unescaped().as_deref(), Some("user"));
    assert_eq!(m.from().uri.user_unescaped().as_deref(), Some("I have spaces"));
    let contact = m.contact().expect("a contact").uri;
    assert_eq!(contact.user_unescaped().as_deref(), Some("caller"));
    // unescaped once and only once
    let (name, value) = contact.params().iter().nth(1).expect("two parameters");
    assert_eq!(sip_core::uri::unescape(name).as_deref(), Some("name"));
    assert_eq!(
        value.and_then(sip_core::uri::unescape).as_deref(),
        Some("value%41")
    );

    let m = accepted("escnull");
    assert_eq!(m.contacts().count(), 2);
    let users: Vec<_> = m
        .contacts()
        .map(|c| {
            c.uri()
                .expect("a URI")
                .user_unescaped()
                .expect("UTF-8")
                .into_owned()
        })
        .collect();
    assert_eq!(users, ["\0", "\0\0"]);
    assert!(m.contacts().next().expect("one").uri() != m.contacts().nth(1).expect("two").uri());
    assert_eq!(m.to().uri.user_unescaped().as_deref(), Some("null-\0-null"));

    let m = accepted("esc02");
    assert_eq!(m.method(), Some(&Method::Other("RE%47IST%45R".into())));
    assert_eq!(
        m.contacts().filter_map(|c| c.uri()?.user()).collect::<Vec<_>>(),
        ["alias1", "alias3"]
    );
    assert_eq!(m.to().display_name(), "%Z%45");
    assert_eq!(
        m.header_named("C%6Fntact"),
        Some("<sip:alias2@host2.example.com>")
    );
    assert_eq!(m.top_via().expect("a Via").branch(), Some("z9hG4bK209%fzsnel234"));

    let m = accepted("lwsdisp");
    assert_eq!(
        (m.from().display, m.from().uri.as_str(), m.from().tag()),
        ("caller", "sip:caller@example.com", Some("323"))
    );

    let m = accepted("longreq");
    assert!(m.to_bytes().len() > 3400 && m.via_count() > 30);
    assert_eq!(m.vias().count(), m.via_count());
    assert!(m.call_id().starts_with("longreq.onereallyreally") && m.from().tag().expect("a tag").len() > 100);

    let m = accepted("dblreq");
    assert!(m.body().is_empty() && m.to_bytes().ends_with(b"Content-Length: 0\r\n\r\n"));
    assert_eq!(m.call_id(), "dblreq.0ha0isndaksdj99sdfafnl3lk233412");

    let m = accepted("semiuri");
    let uri = m.uri().expect("a URI");
    assert_eq!(uri.user_unescaped().as_deref(), Some("user;par=u@example.net"));
    assert_eq!(
        (uri.host(), uri.param("par")),
        (Some(Host::Name("example.com")), None)
    );
    assert_eq!(m.headers(HeaderName::Accept).count(), 6);

    let transports: Vec<_> = accepted("transports")
        .vias()
        .map(|v| v.transport.to_owned())
        .collect();
    assert_eq!(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);

    let m = accepted("mpart01");
    assert!(m.body().contains(&0) && m.has_content_type("multipart/mixed"));
    assert_eq!(
        m.header(HeaderName::ContentLength),
        Some(&*m.body().len().to_string())
    );

    let m = accepted("unreason");
    assert_eq!(
        (m.status().map(StatusCode::get), m.reason()),
        (Some(200), "= 2**3 * 5**2 но сто девяносто девять - простое")
    );
    let m = accepted("noreason");
    assert_eq!((m.status().map(StatusCode::get), m.reason()), (Some(100), ""));
    assert!(m.to_bytes().starts_with(b"SIP/2.0 100 \r\n"));

    assert_eq!(defect("badinv01"), Defect::Malformed(HeaderName::Via));
    assert_eq!(defect("clerr"), Defect::BodyTooShort);
    assert_eq!(defect("ncl"), Defect::Malformed(HeaderName::ContentLength));
    assert_eq!(defect("scalar02"), Defect::Malformed(HeaderName::CSeq));
    assert_eq!(defect("scalarlg"), Defect::Malformed(HeaderName::CSeq));
    assert_eq!(defect("quotbal"), Defect::Malformed(HeaderName::To));
    assert_eq!(defect("ltgtruri"), Defect::RequestUri);
    assert_eq!(defect("lwsruri"), Defect::StartLine);
    assert_eq!(defect("lwsstart"), Defect::StartLine);
    assert_eq!(defect("trws"), Defect::StartLine);
    assert_eq!(defect("escruri"), Defect::RequestUri);
    assert_eq!(defect("regbadct"), Defect::Malformed(HeaderName::Contact));
    assert_eq!(defect("badaspec"), Defect::Malformed(HeaderName::To));
    assert_eq!(defect("baddn"), Defect::Incomplete);
    assert_eq!(defect("badvers"), Defect::Version);
    assert_eq!(defect("mismatch01"), Defect::MethodMismatch { known: true });
    assert_eq!(defect("mismatch02"), Defect::MethodMismatch { known: false });
    assert_eq!(defect("bigcode"), Defect::StartLine);
    assert_eq!(defect("insuf"), Defect::Missing(HeaderName::From));
    assert!(matches!(defect("multi01"), Defect::Repeated(_)));
    assert_eq!(defect("mcl01"), Defect::Repeated(HeaderName::ContentLength));
    // a Date that nobody uses is no reason
    assert_eq!(
        accepted("baddate").header(HeaderName::Date),
        Some("Fri, 01 Jan 2010 16:00:00 EST")
    );

    // the comma in the display name is refused also where the message is whole
    let mut octets = std::fs::read(files.join("baddn.dat")).expect("a file");
    octets.extend_from_slice(b"\r\n");
    assert_eq!(
        Message::parse(Bytes::from(octets)).expect_err("a comma").defect,
        Defect::Malformed(HeaderName::From)
    );

    let m = accepted("badbranch");
    let via = m.top_via().expect("a Via");
    assert_eq!((via.branch(), via.transaction_branch()), (Some("z9hG4bK"), None));
    assert_eq!(accepted("unkscm").uri().expect("a URI").scheme(), Scheme::Other);
    assert_eq!(
        accepted("novelsc").request_uri(),
        Some("soap.beep://192.0.2.103:3002")
    );
    let m = accepted("unksm2");
    assert_eq!(
        (m.to().uri.as_str(), m.from().uri.as_str()),
        ("isbn:2983792873", "http://www.example.com")
    );
    assert!(!m.to().uri.is_sip());
    let m = accepted("bext01");
    assert_eq!(
        m.require().collect::<Vec<_>>(),
        ["nothingSupportsThis", "nothingSupportsThisEither"]
    );
    assert_eq!(m.headers(HeaderName::ProxyRequire).count(), 2);
    assert_eq!(
        accepted("invut").content_type(),
        Some("application/unknownformat")
    );
    let m = accepted("regaut01");
    assert_eq!(
        m.auth(HeaderName::Authorization)
            .next()
            .map(|a| (a.scheme, a.is_digest())),
        Some(("NoOneKnowsThisScheme", false))
    );
    let m = accepted("bcast");
    assert_eq!(
        m.vias().nth(1).expect("two").host.ip(),
        Some("255.255.255.255".parse().expect("an address"))
    );
    assert_eq!(accepted("zeromf").max_forwards(), Some(0));

    let m = accepted("cparam01");
    let contact = m.contact().expect("a contact");
    assert_eq!(
        (contact.param("unknownparam"), contact.uri.param("unknownparam")),
        (Some(""), None)
    );
    let m = accepted("cparam02");
    let contact = m.contact().expect("a contact");
    assert_eq!(
        (contact.param("unknownparam"), contact.uri.param("unknownparam")),
        (None, Some(""))
    );
    let m = accepted("regescrt");
    assert!(matches!(m.contacts().next(), Some(Contact::Address(_))));
    let uri = m.contact().expect("a contact").uri;
    assert_eq!(
        (uri.headers(), uri.header("route").as_deref()),
        (
            Some("Route=%3Csip:sip.example.com%3E"),
            Some("<sip:sip.example.com>")
        )
    );
    assert_eq!(m.route().count(), 0);
    assert_eq!(
        accepted("sdp01").header(HeaderName::Accept),
        Some("text/nobodyKnowsThis")
    );

    let m = accepted("inv2543");
    assert_eq!((m.from().tag(), m.max_forwards()), (None, None));
    assert_eq!(m.top_via().expect("a Via").branch(), None);
    assert!(m.body().starts_with(b"v=0\r\n") && m.body().ends_with(b"RTP/AVP 0\r\n"));
}

#[test]
fn rfc5118() {
    let Some(files) = verdicts("rfc5118", "wire", 12) else {
        return;
    };
    let accepted =
        |name: &str| parse(&files, &format!("{name}.dat")).unwrap_or_else(|e| panic!("{name}: {e}"));
    let v6 = |text: &str| Host::V6(text.parse().expect("an address"));

    assert_eq!(
        accepted("ipv6-good").uri().and_then(|uri| uri.host()),
        Some(v6("2001:db8::10"))
    );
    assert_eq!(
        parse(&files, "ipv6-bad.dat").expect_err("no brackets").defect,
        Defect::RequestUri
    );

    let m = accepted("port-ambiguous");
    let uri = m.uri().expect("a URI");
    assert_eq!((uri.host(), uri.port()), (Some(v6("2001:db8::10:5070")), None));
    let m = accepted("port-unambiguous");
    let uri = m.uri().expect("a URI");
    assert_eq!((uri.host(), uri.port()), (Some(v6("2001:db8::10")), Some(5070)));

    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        let m = accepted(name);
        let via = m.top_via().expect("a Via");
        assert_eq!(
            (via.host, via.received()),
            (
                v6("2001:db8::9:1"),
                Some("2001:db8::9:255".parse().expect("an address"))
            )
        );
    }

    let m = accepted("mult-ip-in-header");
    let hosts: Vec<_> = m
        .vias()
        .map(|via| (via.host.ip().expect("an address").is_ipv6(), via.port))
        .collect();
    assert_eq!(hosts, [(true, Some(6050)), (false, None), (true, None)]);

    for name in ["ipv6-in-sdp", "mult-ip-in-sdp", "ipv4-mapped-ipv6"] {
        let m = accepted(name);
        assert_eq!(
            m.header(HeaderName::ContentLength),
            Some(&*m.body().len().to_string()),
            "{name}"
        );
        assert!(
            m.has_content_type("application/sdp") && m.body().starts_with(b"v=0\r\n"),
            "{name}"
        );
    }
    let m = accepted("ipv4-mapped-ipv6");
    assert_eq!(
        m.top_via().map(|via| (via.host, via.port)),
        Some((v6("::ffff:192.0.2.10"), Some(19823)))
    );
    assert_eq!(
        m.contact().and_then(|contact| contact.uri.host()),
        Some(v6("::ffff:192.0.2.2"))
    );

    let (bug, correct) = (
        accepted("ipv6-bug-abnf-3-colons"),
        accepted("ipv6-correct-abnf-2-colons"),
    );
    for m in [&bug, &correct] {
        assert_eq!(
            m.uri().and_then(|uri| uri.host()),
            Some(v6("2001:db8::192.0.2.1"))
        );
        assert_eq!(m.to().uri.host(), m.uri().and_then(|uri| uri.host()));
    }
    assert_eq!(bug.request_uri(), Some("sip:user@[2001:db8:::192.0.2.1]"));
}

/// The archive of RFC 5118 has lines that end in LF alone, and wrong lengths; the readable part of it is read
/// the same.
#[test]
fn rfc5118_with_bare_line_feeds() {
    let Some(folder) = corpora::folder("rfc5118", "the archive of RFC 5118 as published") else {
        return;
    };
    let mut read = 0;
    for entry in std::fs::read_dir(folder.join("raw-lf")).expect("a folder") {
        let path = entry.expect("a file").path();
        let raw = std::fs::read(&path).expect("a file");
        assert!(!raw.contains(&b'\r'));
        let wire = folder
            .join("wire")
            .join(path.file_name().expect("a name"))
            .with_extension("dat");
        let (raw, wire) = (
            Message::parse(raw.into()),
            Message::parse(std::fs::read(wire).expect("a file").into()),
        );
        if let (Ok(raw), Ok(wire)) = (&raw, &wire) {
            assert!(
                raw.fields()
                    .filter(|f| f.0 != HeaderName::ContentLength)
                    .eq(wire.fields().filter(|f| f.0 != HeaderName::ContentLength))
            );
            assert_eq!(raw.start_line(), wire.start_line());
            read += 1;
        }
    }
    println!("{read} of 12 read as published");
    assert!(read > 0);
}
