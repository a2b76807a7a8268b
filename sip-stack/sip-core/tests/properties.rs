//! Properties of every URI and every header value, over generated ones.

use proptest::prelude::*;
use sip_core::message::params::{quote, unquote};
use sip_core::message::{
    Address, Builder, Contact, HeaderName, Message, Method, NameAddr, Params, Referral, ReplacedDialog,
    StatusCode, Via, split_commas,
};
use sip_core::uri::{Host, Uri, escape_header, escape_user, unescape};

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.!%*_+`'~-]{1,12}"
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}(\\.[a-z][a-z0-9-]{0,6}[a-z]){0,3}",
        any::<std::net::Ipv4Addr>().prop_map(|ip| ip.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|ip| format!("[{ip}]")),
    ]
}

/// Plain text without control characters.
fn text() -> impl Strategy<Value = String> {
    "\\PC{0,20}"
}

/// `;name=value;flag`, every name once.
fn params() -> impl Strategy<Value = String> {
    prop::collection::btree_map("[a-z]{3,8}", prop::option::of("[A-Za-z0-9.!*_+'~-]{1,12}"), 0..4).prop_map(
        |params| {
            let one = |(name, value): (String, Option<String>)| match value {
                Some(value) => format!(";{name}={value}"),
                None => format!(";{name}"),
            };
            params.into_iter().map(one).collect()
        },
    )
}

prop_compose! {
    fn uri()(
        scheme in prop::sample::select(vec!["sip", "sips", "SIP"]),
        user in prop::option::of("[^\\pC]{1,12}"),
        host in host(),
        port in prop::option::of(any::<u16>()),
        params in params(),
        header in prop::option::of(text()),
    ) -> String {
        let user = user.map(|user| format!("{}@", escape_user(&user))).unwrap_or_default();
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let header = header.map(|value| format!("?Subject={}", escape_header(&value))).unwrap_or_default();
        format!("{scheme}:{user}{host}{port}{params}{header}")
    }
}

fn request(fields: &[(HeaderName, &str)]) -> Message {
    let mut builder = Builder::request(Method::Options, "sip:a@b").header(HeaderName::CSeq, "1 OPTIONS");
    let default = [
        (HeaderName::Via, "SIP/2.0/UDP h;branch=z9hG4bK1"),
        (HeaderName::From, "<sip:a@b>;tag=1"),
        (HeaderName::To, "<sip:a@b>"),
        (HeaderName::CallId, "c"),
    ];
    for (name, value) in default
        .iter()
        .filter(|(name, _)| !fields.iter().any(|field| field.0 == *name))
        .chain(fields)
    {
        builder = builder.header(*name, value);
    }
    builder.build().expect("a request")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_uri_is_written_as_it_was_read_and_equals_itself(text in uri()) {
        let uri = Uri::parse(&text).expect("a URI");
        prop_assert_eq!(uri.as_str(), &text);
        prop_assert_eq!(&uri, &Uri::parse(&uri.to_string()).expect("a URI"));
        // case of scheme, host and parameters says nothing
        let (user, rest) = text.split_once('@').map_or(("", text.as_str()), |(user, rest)| (user, rest));
        let (place, header) = rest.split_once('?').map_or((rest, None), |(place, header)| (place, Some(header)));
        let mut shouted = if user.is_empty() { place.to_uppercase() } else { format!("{user}@{}", place.to_uppercase()) };
        if let Some(header) = header {
            shouted.push('?');
            shouted.push_str(header);
        }
        prop_assert_eq!(&Uri::parse(&shouted).expect("a URI"), &uri);
    }

    #[test]
    fn a_uri_that_was_composed_says_what_was_put_in(
        user in "[^\\pC]{1,20}", host in host(), port in prop::option::of(any::<u16>()), name in "[a-z]{3,8}", value in "[a-z0-9]{0,8}",
    ) {
        let uri = Uri::sip(Some(&user), &host, port).expect("a URI").with_param(&name, &value).expect("a parameter");
        prop_assert!(uri.user_unescaped().as_deref() == Some(user.as_str()));
        prop_assert_eq!(uri.host(), Host::parse(&host));
        prop_assert_eq!(uri.port(), port);
        prop_assert_eq!(uri.param(&name.to_uppercase()), Some(value.as_str()));
        prop_assert_eq!(uri.bare(), Uri::sip(Some(&user), &host, port).expect("a URI"));
    }

    #[test]
    fn any_text_is_a_uri_or_an_error(text in "\\PC*|[a-z]{3,4}:[ -~]{0,40}") {
        if let Ok(uri) = Uri::parse(&text) {
            prop_assert_eq!(&uri, &uri);
            prop_assert!(!uri.as_str().contains([' ', '<', '>', '"', '\r', '\n']));
            let _ = (uri.user(), uri.host(), uri.headers(), uri.params().iter().count());
        }
    }

    #[test]
    fn escapes_and_quotes_have_inverses(text in "\\PC{0,40}") {
        prop_assert!(unescape(&escape_user(&text)).as_deref() == Some(text.as_str()));
        prop_assert!(unescape(&escape_header(&text)).as_deref() == Some(text.as_str()));
        prop_assert!(unquote(&quote(&text)) == text.as_str());
    }

    #[test]
    fn an_address_reads_back(display in text(), uri in uri(), tag in token()) {
        let address = Address::with_display(display.as_str(), Uri::parse(&uri).expect("a URI")).with_tag(&tag);
        let written = address.to_string();
        let read = NameAddr::parse(&written).expect("an address");
        prop_assert_eq!(read.display_name(), display.as_str());
        prop_assert_eq!((read.uri.as_str(), read.tag()), (uri.as_str(), Some(tag.as_str())));
        prop_assert_eq!(&read.to_owned().to_string(), &written);
    }

    #[test]
    fn a_list_falls_into_its_addresses(all in prop::collection::vec((text(), uri(), params()), 1..6)) {
        let written: Vec<String> = all
            .iter()
            .map(|(display, uri, params)| format!("{}<{uri}>{params}", if display.is_empty() { String::new() } else { quote(display) }))
            .collect();
        let list = written.join(" ,\t");
        prop_assert_eq!(split_commas(&list).collect::<Vec<_>>(), written.iter().map(String::as_str).collect::<Vec<_>>());
        // the same over the lines of a message
        let message = request(&[(HeaderName::Contact, &list), (HeaderName::Contact, &written[0])]);
        let message = Message::parse(message.to_bytes()).expect("a message");
        let uris: Vec<_> = message.contacts().filter_map(|contact| Some(contact.uri()?.as_str().to_owned())).collect();
        let expected: Vec<_> = all.iter().map(|(_, uri, _)| uri.clone()).chain([all[0].1.clone()]).collect();
        prop_assert_eq!(uris, expected);
    }

    #[test]
    fn parameters_are_found_whatever_surrounds_them(name in "[a-z]{3,8}", value in text(), before in params(), after in params()) {
        let quoted = quote(&value);
        let text = format!("{};{name} = {quoted}{after}", if Params::new(&before).has(&name) { "" } else { &before });
        let found = Params::new(&text).iter().find(|(key, _)| key.eq_ignore_ascii_case(&name));
        prop_assert_eq!(found.and_then(|(_, value)| value).map(unquote), Some(value.into()));
    }

    #[test]
    fn a_via_reads_back(transport in token(), host in host(), port in prop::option::of(any::<u16>()), branch in token(), more in params()) {
        let port_text = port.map(|port| format!(":{port}")).unwrap_or_default();
        let written = format!("SIP/2.0/{transport} {host}{port_text};branch={branch}{more}");
        let via = Via::parse(&written).expect("a Via");
        prop_assert_eq!((via.transport, Some(via.host), via.port), (transport.as_str(), Host::parse(&host), port));
        prop_assert_eq!(via.branch(), Some(branch.as_str()));
        prop_assert_eq!(&via.to_string(), &written);
        let stamped = via.stamped("192.0.2.1:7".parse().expect("an address"));
        prop_assert_eq!(Via::parse(&stamped).expect("a Via").branch(), Some(branch.as_str()));
    }

    #[test]
    fn a_field_of_any_text_stays_one_field(value in any::<String>()) {
        let built = Builder::request(Method::Options, "sip:a@b")
            .header(HeaderName::Via, "SIP/2.0/UDP h")
            .header(HeaderName::From, "<sip:a@b>")
            .header(HeaderName::To, "<sip:a@b>")
            .header(HeaderName::CallId, "c")
            .header(HeaderName::CSeq, "1 OPTIONS")
            .header(HeaderName::Subject, &value)
            .build();
        let mut edited = request(&[]);
        let set = edited.set(HeaderName::Subject, &value);
        prop_assert_eq!(built.is_ok(), set.is_ok());
        if value.contains(['\r', '\n', '\0']) {
            prop_assert!(built.is_err());
        }
        for message in [built.ok(), set.ok().map(|()| edited)].into_iter().flatten() {
            let read = Message::parse(message.to_bytes()).expect("a message");
            prop_assert_eq!(read.header(HeaderName::Subject), Some(value.trim_matches([' ', '\t'])));
            prop_assert_eq!(read.fields().count(), 8);
        }
    }

    #[test]
    fn any_value_is_read_without_harm(value in "[ -~]{0,60}|\\PC{0,30}") {
        let _ = NameAddr::parse(&value).map(|address| (address.tag().map(str::len), address.display_name().len()));
        let _ = Contact::parse(&value).map(|contact| (contact.q(), contact.expires(), contact.instance().map(str::len)));
        let _ = Via::parse(&value).map(|via| (via.received(), via.rport(), via.branch().map(str::len)));
        let total: usize = split_commas(&value).map(str::len).sum();
        prop_assert!(total <= value.len());
    }
    #[test]
    fn a_description_is_found_wherever_it_stands(
        sdp in "v=0(\r\n[a-z]=[ -~]{0,20}){0,4}",
        before in prop::collection::vec("[ -~\r\n]{0,30}", 0..4),
        after in prop::collection::vec("[ -~\r\n]{0,30}", 0..4),
        depth in 0_usize..3,
        disposition in prop::sample::select(vec!["", "Content-Disposition: session;handling=required\r\n"]),
    ) {
        let foreign = |text: &String| format!("--edge0\r\nContent-Type: application/isup\r\n\r\n{text}\r\n");
        let own = format!("--edge0\r\nContent-Type: application/sdp\r\n{disposition}\r\n{sdp}\r\n");
        let all = before.iter().map(foreign).chain([own]).chain(after.iter().map(foreign));
        let mut body = format!("{}--edge0--\r\n", all.collect::<String>());
        for level in 1..=depth {
            body = format!(
                "--edge{level}\r\nContent-Type: multipart/mixed;boundary=edge{}\r\n\r\n{body}\r\n--edge{level}--\r\n",
                level - 1
            );
        }
        let mut message = request(&[]);
        message.set_body(&format!("multipart/mixed; boundary=\"edge{depth}\""), body).expect("a body");
        let content = message.content();
        prop_assert_eq!(content.session.as_deref(), Some(sdp.as_bytes()));
        prop_assert!(!content.unknown);
    }

    #[test]
    fn any_body_is_looked_through_without_harm(
        kind in "(multipart/(mixed|alternative)|application/sdp)(;boundary=(a|\"a b\"|--))?", body in "((--)?a( b)?(--)?\r?\n|[A-Za-z-]{1,20}: ?[a-z/;= ]{0,30}\r\n|\r\n|[ -~]{0,8}){0,30}",
    ) {
        let mut message = request(&[]);
        message.set_body(&kind, body.clone()).expect("a body");
        if let Some(session) = message.content().session {
            prop_assert!(body.as_bytes().windows(session.len().max(1)).any(|part| part == &session[..]) || session.is_empty());
        }
    }

    #[test]
    fn no_text_that_was_put_in_as_a_user_becomes_a_parameter(user in "[0-9]{1,6}(;[a-z=+0-9]{0,8}){0,3}") {
        let uri = Uri::sip(Some(&user), "h", None).expect("a URI");
        prop_assert!(!uri.as_str().contains(';'));
        let subscriber = uri.subscriber();
        prop_assert_eq!(subscriber.as_deref(), Some(user.as_str()));
        let number = user.split(';').next();
        let written = Uri::parse(&format!("sip:{user}@h"));
        if let Ok(written) = written {
            let subscriber = written.subscriber();
            prop_assert_eq!(subscriber.as_deref(), number);
        }
    }

    #[test]
    fn what_a_refer_asks_for_reads_back(uri in uri(), id in "[a-zA-Z0-9@.:+%!*-]{1,30}", to in token(), from in token(), early in any::<bool>()) {
        let early_text = if early { ";early-only" } else { "" };
        let replaces = format!("{id};to-tag={to};from-tag={from}{early_text}");
        let target = Uri::parse(&uri).expect("a URI").bare();
        let text = format!("<{}?Replaces={}>", target.as_str(), escape_header(&replaces));
        let referral = Referral::read(&request(&[(HeaderName::ReferTo, &text)]));
        if target.is_sip() {
            let referral = referral.expect("a referral");
            prop_assert_eq!(&referral.target, &target);
            let dialog = ReplacedDialog { call_id: id, to_tag: to, from_tag: from, early_only: early };
            prop_assert_eq!(referral.replaces, Some(dialog));
        }
    }

    #[test]
    fn any_refer_to_is_understood_or_refused(value in "[ -~]{0,60}|<sip:[a-z?=&%;]{0,40}>|<[a-z]{3,4}:[ -~]{0,20}\\?Replaces=[ -~]{0,30}>") {
        if let Ok(message) = Message::parse(request(&[(HeaderName::ReferTo, &value)]).to_bytes()) {
            match Referral::read(&message) {
                Ok(referral) => prop_assert!(referral.target.headers().is_none()),
                Err(code) => prop_assert!(matches!(code, StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_URI_SCHEME | StatusCode::DECLINE)),
            }
        }
    }
}
