//! SIP over a byte stream (TCP, TLS): framing by Content-Length, keep-alives of RFC 5626 §3.5.1, and the deadlines that
//! keep a slow or silent peer from holding on to us.

use bytes::{Bytes, BytesMut};
use sip_core::flow::Flow;
use sip_core::framing::{Frame, StreamFramer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{timeout, timeout_at};

use super::connection::{End, Link, LocalSender, Queue};
use super::{Limits, Shared};

/// Taken from the stream at a time.
const READ: usize = 16 << 10;

/// Carries messages until either side ends the connection.
pub(super) async fn run<S: AsyncRead + AsyncWrite>(stream: S, mut link: Link) {
    let (read, mut write) = tokio::io::split(stream);
    let local = link.queue.local();
    let end = tokio::select! {
        end = read_all(read, link.flow, &link.shared, local) => end,
        end = write_all(&mut write, &mut link.queue, &link.shared.limits) => end,
    };
    if let End::Rejected(response) = &end
        && !link.queue.is_writing()
    {
        let last = async {
            write.write_all(response).await?;
            write.shutdown().await
        };
        let _ = timeout(link.shared.limits.write, last).await;
    }
    link.closed(end).await;
}

async fn read_all(mut read: impl AsyncRead + Unpin, flow: Flow, shared: &Shared, local: LocalSender) -> End {
    let limits = &shared.limits;
    let mut framer = StreamFramer::new();
    let mut buffer = BytesMut::with_capacity(READ);
    let mut deadline = (
        shared.clock.now() + limits.first_message,
        "no message after connecting",
    );
    loop {
        // A message that has begun must be whole soon, however many octets trickle in.
        let due = framer
            .waiting_since()
            .map(|since| (since + limits.message, "message not completed"));
        let (at, reason) = due.filter(|due| due.0 < deadline.0).unwrap_or(deadline);
        buffer.clear();
        buffer.reserve(READ);
        match timeout_at(shared.clock.instant(at).into(), read.read_buf(&mut buffer)).await {
            Err(_) => return End::CutOff(reason),
            Ok(Err(error)) => return End::Failed(error.to_string()),
            Ok(Ok(0)) => return End::Peer,
            Ok(Ok(_)) => {}
        }
        let now = shared.clock.now();
        framer.push(now, &buffer);
        loop {
            let frame = framer.next_frame();
            if let Ok(Some(_)) = frame {
                deadline = (now + limits.idle, "idle");
            }
            match frame {
                Ok(Some(Frame::Message(data))) => {
                    tracing::trace!(flow = flow.id.0, len = data.len(), "message");
                    if let Err(end) = Link::received(flow, shared, data).await {
                        return end;
                    }
                }
                Ok(Some(Frame::KeepAlivePing)) => local.send(Bytes::from_static(b"\r\n")),
                Ok(Some(Frame::KeepAlivePong)) => {}
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(flow = flow.id.0, peer = %flow.remote, %error, "framing");
                    let Some(rejected) = error.rejected else {
                        return End::CutOff("framing");
                    };
                    let tag = format!("{:x}-{:x}", flow.id.0, now.as_micros());
                    return End::Rejected(rejected.response(&tag, Some(flow.remote)));
                }
            }
        }
    }
}

async fn write_all(write: &mut (impl AsyncWrite + Unpin), queue: &mut Queue, limits: &Limits) -> End {
    while let Some(data) = queue.next().await {
        let written = timeout(limits.write, async {
            write.write_all(&data).await?;
            write.flush().await
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return End::Failed(error.to_string()),
            Err(_) => return End::CutOff("peer does not read"),
        }
    }
    let _ = timeout(limits.write, write.shutdown()).await;
    End::Local
}
