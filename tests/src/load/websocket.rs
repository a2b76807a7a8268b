//! A WebSocket client (RFC 6455) for SIP (RFC 7118): one message a frame, nothing compressed.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::Outcome;

/// A connection after its handshake. Not blocking.
pub(crate) struct WebSocket {
    stream: TcpStream,
    input: Vec<u8>,
}

impl WebSocket {
    /// Connects and upgrades with the subprotocol `sip`.
    pub(crate) fn connect(address: SocketAddr, path: &str) -> Outcome<WebSocket> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: sip\r\nOrigin: http://{address}\r\n\r\n"
        )?;
        let mut head = Vec::new();
        let mut octet = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut octet)?;
            head.push(octet[0]);
        }
        if !head.starts_with(b"HTTP/1.1 101") {
            return Err(format!("no WebSocket: {}", String::from_utf8_lossy(&head)).into());
        }
        stream.set_nonblocking(true)?;
        Ok(WebSocket {
            stream,
            input: Vec::new(),
        })
    }

    /// Sends one SIP message as a text frame.
    pub(crate) fn send(&mut self, text: &str) -> Outcome<()> {
        self.frame(0x81, text.as_bytes())
    }

    /// The next SIP message, if one has come. Pings are answered on the way.
    pub(crate) fn receive(&mut self) -> Outcome<Option<String>> {
        let mut buffer = [0; 16_384];
        loop {
            while let Some((code, payload)) = self.take_frame() {
                match code {
                    1 | 2 if payload == b"\r\n\r\n" => self.send("\r\n")?,
                    1 | 2 => return Ok(Some(String::from_utf8(payload)?)),
                    9 => self.frame(0x8a, &payload)?,
                    8 => return Err("the WebSocket was closed".into()),
                    _ => {}
                }
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err("the WebSocket's connection ended".into()),
                Ok(length) => self.input.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A whole frame that has come: its code and payload. Servers do not mask.
    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (code, short) = (*self.input.first()? & 15, *self.input.get(1)? & 127);
        let field = |range: std::ops::Range<usize>| {
            Some(
                self.input
                    .get(range)?
                    .iter()
                    .fold(0, |sum, octet| sum << 8 | usize::from(*octet)),
            )
        };
        let (start, length) = match short {
            126 => (4, field(2..4)?),
            127 => (10, field(2..10)?),
            short => (2, usize::from(short)),
        };
        let payload = self.input.get(start..start + length)?.to_vec();
        self.input.drain(..start + length);
        Some((code, payload))
    }

    fn frame(&mut self, code: u8, payload: &[u8]) -> Outcome<()> {
        let mut frame = Vec::with_capacity(payload.len() + 14);
        frame.push(code);
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            long => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&u16::try_from(long)?.to_be_bytes());
            }
        }
        // The mask is all zero: it guards proxies against scripts, and there is neither here.
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut rest = &frame[..];
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => {
                    std::thread::yield_now();
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl AsFd for WebSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
