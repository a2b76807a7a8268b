use super::*;
use crate::corpus::folder;

/// A check as a browser sends it: a binding request with the attributes of ICE.
pub(crate) struct Check<'a> {
    pub(crate) username: &'a str,
    pub(crate) password: &'a str,
    pub(crate) priority: u32,
    pub(crate) nominate: bool,
    pub(crate) extra: &'a [(u16, &'a [u8])],
}

impl Check<'_> {
    pub(crate) fn write(&self, transaction: [u8; 12]) -> Vec<u8> {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&MAGIC_COOKIE);
        id[4..].copy_from_slice(&transaction);
        let mut out = Vec::new();
        let mut writer = Writer::begin(&mut out, Kind::Request, id);
        writer.attribute(USERNAME, self.username.as_bytes());
        writer.attribute(PRIORITY, &self.priority.to_be_bytes());
        if self.nominate {
            writer.attribute(USE_CANDIDATE, &[]);
        }
        for (kind, value) in self.extra {
            writer.attribute(*kind, value);
        }
        writer.finish(&key(self.password));
        out
    }
}

/// The XOR-MAPPED-ADDRESS of a response that is authentic by `password`.
pub(crate) fn mapped_address(response: &[u8], password: &str) -> Option<SocketAddr> {
    let binding = Binding::parse(response)?;
    if binding.kind != Kind::Success || !binding.is_authentic(&key(password)) {
        return None;
    }
    let attributes = Attributes {
        raw: response,
        at: HEADER,
    };
    let value = attributes
        .flatten()
        .find(|attribute| attribute.kind == XOR_MAPPED_ADDRESS)?
        .value;
    let port = u16::from_be_bytes([value[2] ^ 0x21, value[3] ^ 0x12]);
    let ip: Vec<u8> = value[4..]
        .iter()
        .zip(&response[4..])
        .map(|(byte, mask)| byte ^ mask)
        .collect();
    let ip = match value[1] {
        1 => IpAddr::from(<[u8; 4]>::try_from(ip).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(ip).ok()?),
    };
    Some(SocketAddr::new(ip, port))
}

/// The code of an authentic error response.
pub(crate) fn error_code(response: &[u8], password: &str) -> Option<u16> {
    let binding = Binding::parse(response)?;
    if binding.kind != Kind::Error || !binding.is_authentic(&key(password)) {
        return None;
    }
    let attributes = Attributes {
        raw: response,
        at: HEADER,
    };
    let value = attributes
        .flatten()
        .find(|attribute| attribute.kind == ERROR_CODE)?
        .value;
    Some(u16::from(value[2]) * 100 + u16::from(value[3]))
}

#[test]
fn reads_what_it_writes() {
    let check = Check {
        username: "ours:theirs",
        password: "a password of theirs",
        priority: 0x6e7f_1eff,
        nominate: true,
        extra: &[(0x8029, &[0; 8]), (0xc057, &[0, 0, 0, 50])],
    };
    let raw = check.write(*b"twelve bytes");
    let binding = Binding::parse(&raw).expect("a request");
    assert_eq!(binding.kind, Kind::Request);
    assert_eq!(
        (binding.username, binding.local_ufrag()),
        (Some("ours:theirs"), Some("ours"))
    );
    assert_eq!(
        (binding.priority, binding.use_candidate, binding.role),
        (0x6e7f_1eff, true, Some(Role::Controlled(0)))
    );
    assert_eq!(binding.unknown, None);
    assert!(binding.is_authentic(&key(check.password)) && !binding.is_authentic(&key("another")));
    assert_eq!(local_ufrag(&raw), Some("ours"));
    for address in ["192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"] {
        let address = address.parse().expect("an address");
        let mut out = b"before".to_vec();
        Writer::response(&mut out, Kind::Success, &binding)
            .mapped(address)
            .finish(&key(check.password));
        assert_eq!(mapped_address(&out[6..], check.password), Some(address));
    }
}

#[test]
fn one_flipped_bit_is_noticed() {
    let check = Check {
        username: "a:b",
        password: "pwd",
        priority: 1,
        nominate: true,
        extra: &[],
    };
    let raw = check.write([7; 12]);
    let covered = raw.len() - 8; // what follows MESSAGE-INTEGRITY proves nothing, and nothing in it is used
    for bit in 0..covered * 8 {
        let mut forged = raw.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let believed = Binding::parse(&forged).is_some_and(|b| b.is_authentic(&key("pwd")));
        assert!(!believed, "bit {bit}");
    }
}

#[test]
fn vectors_of_rfc_5769() {
    let Some(dir) = folder("stun-rfc5769") else {
        return;
    };
    let expected = std::fs::read_to_string(dir.join("expected.tsv")).expect("expected.tsv");
    let mut read = 0;
    for line in expected.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let raw = std::fs::read(dir.join(fields[0])).expect(fields[0]);
        assert_eq!(raw.len().to_string(), fields[1]);
        let secret: Vec<u8> = (0..fields[2].len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&fields[2][i..i + 2], 16).unwrap())
            .collect();
        let secret = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret);
        let binding = Binding::parse(&raw).expect(fields[0]);
        assert!(binding.is_authentic(&secret), "{}", fields[0]);
        if fields[0].starts_with("2.1") {
            assert_eq!(binding.local_ufrag(), Some("evtj"));
            assert_eq!(binding.priority, 0x6e00_01ff);
            assert!(matches!(binding.role, Some(Role::Controlled(_))));
        }
        read += 1;
    }
    assert_eq!(read, 4);
    let address = |file, password| mapped_address(&std::fs::read(dir.join(file)).unwrap(), password);
    let password = "VOkJxbRl1RmTxUk/WvJxBt";
    assert_eq!(
        address("2.2_sample_ipv4_response.bin", password),
        "192.0.2.1:32853".parse().ok()
    );
    let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().ok();
    assert_eq!(address("2.3_sample_ipv6_response.bin", password), v6);
}

#[test]
fn crashers_of_another_parser_do_nothing() {
    let Some(dir) = folder("stun-pion") else { return };
    let mut files = Vec::new();
    let mut dirs = vec![dir.join("testdata")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path)
            } else {
                files.push(path)
            }
        }
    }
    assert!(files.len() >= 30, "{} files", files.len());
    for file in files {
        let raw = std::fs::read(&file).expect("a file");
        let inputs = go_corpus_bytes(&raw).into_iter().chain([raw.clone()]);
        for input in inputs {
            let _ = local_ufrag(&input);
            let believed = Binding::parse(&input).is_some_and(|b| b.is_authentic(&key("pwd")));
            assert!(!believed, "{}", file.display());
        }
    }
}

/// The `[]byte("…")` lines of a Go fuzz corpus file.
fn go_corpus_bytes(file: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(file);
    let literals = text
        .lines()
        .filter_map(|line| line.strip_prefix("[]byte(\"")?.strip_suffix("\")"));
    literals.map(unescape).collect()
}

fn unescape(literal: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), literal.chars());
    while let Some(char) = rest.next() {
        if char != '\\' {
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match rest.next() {
            Some('x') => {
                let hex: String = rest.by_ref().take(2).collect();
                out.push(u8::from_str_radix(&hex, 16).unwrap_or_default());
            }
            Some('n') => out.push(b'\n'),
            Some('r') => out.push(b'\r'),
            Some('t') => out.push(b'\t'),
            Some('a') => out.push(7),
            Some('b') => out.push(8),
            Some('v') => out.push(11),
            Some('f') => out.push(12),
            Some(other) => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
            None => {}
        }
    }
    out
}
