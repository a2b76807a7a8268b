use sdp_types::Session;

use super::SdpError;

const MAX_BYTES: usize = 64 * 1024;
const MAX_LINES: usize = 2_048;
const MAX_SECTIONS: usize = 64;

/// Reads what peers really send: bare LF or CR, blank lines, spaces around `=` and at line ends, missing `s=` and `t=`,
/// repeated `c=`, bytes that are not UTF-8. Lines that offer and answer do not need (`o=`, `t=`, `b=`...) are not read at
/// all, so that nothing in them can refuse a call.
pub(super) fn read(data: &[u8]) -> Result<Session, SdpError> {
    if data.len() > MAX_BYTES {
        return Err(SdpError::TooLarge);
    }
    let session =
        Session::parse(&normalized(data)?).map_err(|error| SdpError::Malformed(error.to_string()))?;
    if session.medias.len() > MAX_SECTIONS {
        return Err(SdpError::TooLarge);
    }
    Ok(session)
}

fn normalized(data: &[u8]) -> Result<Vec<u8>, SdpError> {
    let mut out = Vec::with_capacity(data.len() + 16);
    let mut connection_seen = false;
    let mut lines = 0;
    for raw in data.split(|byte| matches!(byte, b'\r' | b'\n')) {
        let text = String::from_utf8_lossy(raw);
        let line = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0' || c == '\u{feff}');
        if line.is_empty() {
            continue;
        }
        lines += 1;
        if lines > MAX_LINES {
            return Err(SdpError::TooLarge);
        }
        let (key, value) = line
            .split_once('=')
            .map(|(key, value)| (key.trim_end(), value.trim_start()))
            .filter(|(key, _)| key.len() == 1)
            .ok_or_else(|| SdpError::Malformed(format!("line {lines} is not <type>=<value>")))?;
        match key {
            "v" | "a" => {}
            "c" if connection_seen => continue,
            "c" => connection_seen = true,
            "m" => connection_seen = false,
            _ => continue,
        }
        let value = value.replace('\0', "");
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        if key == "m" {
            out.extend_from_slice(
                value
                    .split_ascii_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
                    .as_bytes(),
            );
        } else {
            out.extend_from_slice(value.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sloppy_lines_read_like_clean_ones() {
        let clean = read(b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n").unwrap();
        let sloppy = read(
            b"\xef\xbb\xbf v=0\n\no=broken\nt=\nb=AS:x\nc = IN  IP4 192.0.2.1 \nc=IN IP4 192.0.2.9\nm=audio  4000 RTP/AVP 0\ra=sendonly",
        )
        .unwrap();
        assert_eq!(clean, sloppy);
    }

    #[test]
    fn what_is_not_sdp_is_malformed() {
        for bad in [
            &b""[..],
            b"hello",
            b"v=1\r\n",
            b"m=audio 1 RTP/AVP 0\r\nv=0\r\n",
            b"v=0\r\nm=audio\r\n",
            b"v=0\r\nm=audio x RTP/AVP 0\r\n",
            b"v=0\r\nm=audio 70000 RTP/AVP 0\r\n",
            b"v=0\r\nm=audio 4000 RTP/AVP\r\n",
            b"v=0\r\nc=IN\r\nm=audio 4000 RTP/AVP 0\r\n",
            b"v=0\r\nthis is no line\r\n",
        ] {
            let error = read(bad).unwrap_err();
            assert_eq!(error.code(), 400, "{}: {error}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn limits_hold() {
        let mut lines = b"v=0\r\n".to_vec();
        (0..MAX_LINES).for_each(|_| lines.extend_from_slice(b"a=x\r\n"));
        assert_eq!(read(&lines), Err(SdpError::TooLarge));
        let mut sections = b"v=0\r\n".to_vec();
        (0..=MAX_SECTIONS).for_each(|_| sections.extend_from_slice(b"m=audio 1 RTP/AVP 0\r\n"));
        assert_eq!(read(&sections), Err(SdpError::TooLarge));
        assert_eq!(read(&vec![b'a'; MAX_BYTES + 1]), Err(SdpError::TooLarge));
    }
}
