//! SIP over a byte stream (TCP, TLS): framing by Content-Length, keep-alives of RFC 5626 §3.5.1, and the deadlines that
//! keep a slow or silent peer from holding on to us.

use bytes::{Bytes, BytesMut};
use sip_core::framing::{Frame, StreamFramer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{timeout, timeout_at};

use super::connection::{End, Inbound, Link, LocalSender, Queue};
use super::crowd::Place;
use super::{Limits, Shared};

/// Taken from the stream at a time.
const READ: usize = 4 << 10;

/// Carries messages until either side ends the connection.
pub(super) async fn run<S: AsyncRead + AsyncWrite>(stream: S, mut link: Link) {
    let (read, mut write) = tokio::io::split(stream);
    let (inbound, local) = (link.queue.inbound(link.flow), link.queue.local());
    let evicted = link.evicted();
    let end = tokio::select! {
        end = read_all(read, &inbound, &link.shared, local, link.place.as_mut()) => end,
        end = write_all(&mut write, &mut link.queue, &link.shared.limits) => end,
        () = evicted => End::CutOff("its place was needed"),
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

async fn read_all(
    mut read: impl AsyncRead + Unpin,
    inbound: &Inbound,
    shared: &Shared,
    local: LocalSender,
    mut place: Option<&mut Place>,
) -> End {
    let flow = inbound.flow();
    let limits = &shared.limits;
    let mut framer = StreamFramer::new();
    let mut buffer = BytesMut::with_capacity(READ);
    // On a connection that we opened, we have.
    let mut has_spoken = place.is_none();
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
            let is_message = matches!(frame, Ok(Some(Frame::Message(_))));
            if is_message && let Some(place) = place.take() {
                place.set_idle(false);
                has_spoken = true;
            }
            // A keep-alive proves nothing before the first message.
            if is_message || (has_spoken && matches!(frame, Ok(Some(_)))) {
                deadline = (now + limits.idle, "idle");
            }
            match frame {
                Ok(Some(Frame::Message(data))) => {
                    tracing::trace!(flow = flow.id.0, len = data.len(), "message");
                    if let Err(end) = inbound.received(shared, data).await {
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
