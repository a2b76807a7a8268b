//! One end of a call: a pair of sockets, the speech that it sends, and the sound that it hears.

use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};

use super::dtls::{Handshake, Identity};
use super::sdp::Remote;
use super::speech::Speech;
use super::srtp::{Stream, TAG, header_length};
use super::stun::{Agent, Credentials};
use super::{Codec, Outcome};

/// Nanoseconds since 1970, on the clock of the kernel's receive time stamps.
pub(crate) fn now_ns() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as i64)
}

/// A received RTP packet of a party that records.
pub(crate) struct Heard {
    /// Time at which the kernel had it.
    pub(crate) at_ns: i64,
    pub(crate) sequence: u16,
    pub(crate) payload_type: u8,
    pub(crate) payload: Vec<u8>,
}

/// One end of a call.
pub(crate) struct Party {
    pub(crate) socket: UdpSocket,
    /// Held so that RTCP to us is not answered with an ICMP error; what comes is thrown away.
    pub(crate) rtcp: UdpSocket,
    pub(crate) address: SocketAddr,
    pub(crate) codec: Codec,
    pub(crate) ice: Credentials,
    agent: Option<Agent>,
    handshake: Option<Handshake>,
    keys: Option<(Stream, Stream)>,
    /// First frame of the speech.
    pub(crate) first_frame: usize,
    /// Time at which each frame was sent.
    pub(crate) sent_ns: Vec<i64>,
    sequence: u16,
    ssrc: u32,
    /// Packets sent, received and refused (not authentic) while counting.
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) refused: u64,
    /// Number of the first packet received while counting, and how far the furthest was after it.
    numbers: Option<(u16, u64)>,
    /// Packets that it heard, if it was asked to keep them.
    pub(crate) heard: Option<Vec<Heard>>,
}

impl Party {
    /// Binds an even port and the odd one after it. `number` tells parties apart.
    pub(crate) fn bind(number: u32, codec: Codec, first_frame: usize) -> Outcome<Party> {
        let (socket, rtcp) = bind_pair()?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        socket.set_nonblocking(true)?;
        rtcp.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let ufrag = format!("load{number:04}");
        Ok(Party {
            socket,
            rtcp,
            address,
            codec,
            ice: Credentials {
                password: format!("{ufrag}{ufrag}{ufrag}"),
                ufrag,
            },
            agent: None,
            handshake: None,
            keys: None,
            first_frame,
            sent_ns: Vec::with_capacity(4_096),
            sequence: 1_000 + (number as u16).wrapping_mul(7),
            ssrc: 0x1000_0000 + number,
            sent: 0,
            received: 0,
            refused: 0,
            numbers: None,
            heard: None,
        })
    }

    /// The other side's SDP is known.
    pub(crate) fn set_remote(&mut self, remote: &Remote, identity: &Identity) -> Outcome<()> {
        self.socket.connect(remote.address)?;
        if let Some((credentials, fingerprint, peer_begins)) = &remote.secure {
            self.agent = Some(Agent::new(self.ice.clone(), credentials.clone()));
            self.handshake = Some(Handshake::new(identity, !peer_begins, fingerprint));
        }
        Ok(())
    }

    /// RTP may flow.
    pub(crate) fn is_connected(&self) -> bool {
        self.handshake.is_none() || self.keys.is_some()
    }

    /// Sends an ICE check: the first one, one again, or one to show consent (RFC 7675).
    pub(crate) fn check(&mut self) {
        if let Some(agent) = &mut self.agent {
            let _ = self.socket.send(&agent.check());
        }
    }

    /// Sends what is due while it connects.
    pub(crate) fn tick(&mut self, identity: &Identity) -> Outcome<()> {
        if self.agent.as_ref().is_some_and(|agent| !agent.nominated) {
            self.check();
        }
        self.handshake(identity, &[])
    }

    fn handshake(&mut self, identity: &Identity, datagram: &[u8]) -> Outcome<()> {
        let Some(handshake) = &mut self.handshake else {
            return Ok(());
        };
        if self.agent.as_ref().is_some_and(|agent| agent.nominated) {
            handshake.start(identity)?;
        }
        handshake.receive(identity, datagram)?;
        while let Some(datagram) = handshake.transmit() {
            let _ = self.socket.send(&datagram);
        }
        if let (Some(keys), None) = (&handshake.keys, &self.keys) {
            self.keys = Some(Stream::pair(keys, handshake.is_client));
        }
        Ok(())
    }

    /// Sends the next frame of the speech.
    pub(crate) fn speak(&mut self, speech: &Speech, counting: bool) {
        let frame = self.frame(self.sent_ns.len(), speech);
        let payload: &[u8] = match self.codec {
            Codec::Opus => &speech.opus[frame],
            Codec::Pcmu => &speech.pcmu[frame],
        };
        let mut packet = [0; 1_500];
        let timestamp = (self.sent_ns.len() as u32).wrapping_mul(self.codec.ticks());
        packet[0] = 0x80;
        packet[1] = self.codec.payload_type() | if self.sent_ns.is_empty() { 0x80 } else { 0 };
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        packet[12..12 + payload.len()].copy_from_slice(payload);
        let mut length = 12 + payload.len();
        debug_assert!(length + TAG <= packet.len());
        if let Some((out, _)) = &mut self.keys {
            length = out.protect(&mut packet, length);
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.sent_ns.push(now_ns());
        let _ = self.socket.send(&packet[..length]);
        self.sent += u64::from(counting);
    }

    /// Frame of the speech that the n-th packet carries.
    pub(crate) fn frame(&self, n: usize, speech: &Speech) -> usize {
        (self.first_frame + n) % speech.frames()
    }

    /// Takes one datagram from the socket, if there is one.
    pub(crate) fn listen(&mut self, identity: &Identity, counting: bool) -> Outcome<()> {
        let mut buffer = [0; 2_048];
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        let (length, stamp) = {
            let mut slices = [IoSliceMut::new(&mut buffer)];
            let flags = MsgFlags::empty();
            let received =
                match recvmsg::<()>(self.socket.as_raw_fd(), &mut slices, Some(&mut control), flags) {
                    Ok(received) => received,
                    Err(Errno::EAGAIN | Errno::ECONNREFUSED) => return Ok(()),
                    Err(error) => return Err(error.into()),
                };
            let stamp = received.cmsgs()?.find_map(|message| match message {
                ControlMessageOwned::ScmTimestampns(time) => {
                    Some(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
                }
                _ => None,
            });
            (received.bytes, stamp)
        };
        let datagram = &mut buffer[..length];
        // RFC 7983: what the first octet says.
        match datagram.first() {
            Some(0..=3) => {
                let reply = match (&mut self.agent, self.socket.peer_addr()) {
                    (Some(agent), Ok(from)) => agent.receive(datagram, from),
                    _ => None,
                };
                if let Some(reply) = reply {
                    let _ = self.socket.send(&reply);
                }
                self.handshake(identity, &[])
            }
            Some(20..=63) => self.handshake(identity, datagram),
            Some(128..=191) if length >= 12 && !(192..=223).contains(&datagram[1]) => {
                self.hear(datagram, stamp.unwrap_or_else(now_ns), counting);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn hear(&mut self, packet: &mut [u8], at_ns: i64, counting: bool) {
        let length = match &mut self.keys {
            None => packet.len(),
            Some((_, stream)) => match stream.unprotect(packet) {
                Some(length) => length,
                None => {
                    self.refused += u64::from(counting);
                    return;
                }
            },
        };
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        if counting {
            self.received += 1;
            let (base, furthest) = self.numbers.get_or_insert((sequence, 0));
            // Runs are far shorter than the 65,536 after which numbers repeat.
            let place = sequence.wrapping_sub(*base);
            if place < 0x8000 {
                *furthest = (*furthest).max(u64::from(place));
            }
        }
        if let Some(heard) = &mut self.heard {
            let start = header_length(packet).min(length);
            heard.push(Heard {
                at_ns,
                sequence,
                payload_type: packet[1] & 0x7f,
                payload: packet[start..length].to_vec(),
            });
        }
    }

    /// Packets of `speaker` that did not come: gaps in the numbers, or fewer than were sent while counting.
    /// Packets on their way at the two ends of that time are not lost.
    pub(crate) fn lost(&self, speaker: &Party) -> u64 {
        const ON_ITS_WAY: u64 = 3;
        let gaps = self
            .numbers
            .map_or(0, |(_, furthest)| (furthest + 1).saturating_sub(self.received));
        gaps.max(speaker.sent.saturating_sub(self.received + ON_ITS_WAY))
    }

    /// Throws RTCP away.
    pub(crate) fn drain_rtcp(&self) {
        let mut buffer = [0; 2_048];
        while self.rtcp.recv(&mut buffer).is_ok() {}
    }
}

fn bind_pair() -> Outcome<(UdpSocket, UdpSocket)> {
    for _ in 0..1_000 {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let port = socket.local_addr()?.port();
        if port % 2 == 0
            && let Ok(rtcp) = UdpSocket::bind(("127.0.0.1", port + 1))
        {
            return Ok((socket, rtcp));
        }
    }
    Err("no pair of free ports".into())
}
